"""The shipped configuration over August 2024 on Coinbase: every cycle adds up, and it sits the crash out."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.scenarios.checks import nothing_is_lost
from tests.scenarios.crash import AUGUST_2024, MAY_2021, SHIPPED_POLICY, Ran, assert_the_same, options_in, ran, replayed
from tests.shared import shared
from tests.world import CONFIG
from trader_core.bootstrap import open_system
from trader_core.domain.clocktime import parse_utc
from trader_core.domain.facts import Decided
from trader_core.domain.order import Role
from trader_core.domain.values import replace
from trader_core.engine.run import cycles
from trader_core.ledger.fold import fold
from trader_core.settings.options import Options

CYCLES = 768
BEFORE_IT = parse_utc("2021-05-10")  # the shorter crash is one from its first hour on: nothing would be bought at all


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Eight days, traded once; every cycle is checked as it ends."""
    return ran(options_in(tmp_path_factory.mktemp("august"), AUGUST_2024, "coinbase", SHIPPED_POLICY, {}))


def test_four_pairs_are_traded_and_the_others_are_excluded_with_a_reason(paper: Ran) -> None:
    assert len(paper.regimes) == CYCLES
    first = next(fact for fact in paper.facts if isinstance(fact, Decided))
    excluded = {j.symbol: j.detail for j in first.judgements if j.outcome == "excluded"}
    traded = {j.symbol for j in first.judgements} - excluded.keys()
    assert traded == {"ADA-USD", "BTC-USD", "ETH-USD", "SOL-USD"}
    assert len(excluded) == 14 and all(excluded.values())


def test_the_regime_keeps_it_out_of_the_crash_and_what_it_held_is_sold(paper: Ran) -> None:
    refusals = paper.refusals()
    assert refusals.most_common(1)[0][0] == "REGIME" and refusals["REGIME"] > sum(refusals.values()) * 0.9
    bought = [at_ms for at_ms, _ in paper.orders(Role.ENTRY)]
    assert bought and {paper.regimes[at_ms] for at_ms in bought} <= {"chop", "bear"}
    began = next(at_ms for at_ms, name in paper.regimes.items() if name == "crash")
    assert [at_ms for at_ms, _ in paper.sales() if at_ms >= began], "stops and exits go on"
    assert fold(paper.facts).held == frozenset()


def test_realised_pnl_is_the_fold_of_the_fills_to_the_last_unit(paper: Ran) -> None:
    """Counted here by hand, fill by fill: what came in, less what went out, less what is still held at cost."""
    book = fold(paper.facts)
    sign = {"BUY": Decimal(-1), "SELL": Decimal(1)}
    earned = sum(sign[fill.side] * fill.value - fill.fee for fill in paper.fills())
    held = sum(holding.cost + holding.entry_fees for holding in book.holdings.values())
    assert book.realised == earned + held != 0


def test_the_backtest_decides_orders_and_fills_the_same_one_by_one(paper: Ran) -> None:
    assert_the_same(paper, replayed(paper.options))


def test_nothing_is_lost_between_a_proposal_and_the_venue(paper: Ran) -> None:
    nothing_is_lost(paper.facts)


def test_may_2021_on_binance_ends_the_same_way(tmp_path: Path) -> None:
    """As a backtest, which test_crash_binance.py shows to be the same as a paper run."""
    told = replayed(options_in(tmp_path, replace(MAY_2021, since_ms=BEFORE_IT), "binance", SHIPPED_POLICY, {}))
    refusals = [one.verdict for one in told.verdicts if one.verdict != "OK"]
    assert refusals.count("REGIME") > len(refusals) / 2
    assert any(fill.reason == "stop" for fill in told.fills)
    crash = {one.decision_ms for one in told.verdicts if one.verdict == "REGIME"}
    assert not [one for one in told.orders if one.order.role is Role.ENTRY and one.decision_ms in crash]
    assert told.equity[-1][1] is not None and told.equity[-1][1] > 9_900


def test_without_from_the_last_96_cycles_of_the_newest_segment_run_and_then_it_is_over(tmp_path: Path) -> None:
    chosen = Options(state=tmp_path, config=CONFIG, mode="PAPER", venue="simulated", data=shared("data/coinbase"))
    for expected in (96, 0):
        with open_system(chosen) as system:
            done = list(cycles(system.ports, system.policy, system.journal, lambda: False))
        assert len(done) == expected
        assert not done or done[-1].decision_ms == parse_utc("2025-07-01")
