"""The same pipeline over real candles: every cycle adds up, and the backtest does the same things one by one."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.shared import shared
from tests.world import CONFIG
from trader_core.bootstrap import open_state, open_system, settings_of, source_of
from trader_core.domain.clocktime import parse_utc
from trader_core.domain.facts import Decided, Fact, Filled, Intended
from trader_core.engine.replay import replay
from trader_core.engine.run import cycles
from trader_core.ledger.fold import fold
from trader_core.ledger.laws import broken_laws
from trader_core.rulebook.codes import Verdict
from trader_core.settings.options import Options

FROM, TO = parse_utc("2024-08-01"), parse_utc("2024-08-09")
CYCLES = 768
VERDICTS = {verdict.name for verdict in Verdict}


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    """Eight days of August 2024 on Coinbase, traded once; every cycle is checked as it ends."""
    data = shared("data/coinbase")
    chosen = Options(
        state=tmp_path_factory.mktemp("august"), config=CONFIG, mode="PAPER", venue="simulated", data=data,
        since_ms=FROM, until_ms=TO,
    )  # fmt: skip
    with open_system(chosen) as system:
        done = 0
        for report in cycles(system.ports, system.policy, system.journal, lambda: False):
            worth = report.valuation
            assert worth and report.decision
            assert worth.cash + worth.positions == worth.equity == report.decision.equity
            assert worth.equity - worth.flows == worth.realised + worth.unrealised
            assert not broken_laws(report.book) and not report.book.discrepancies and not report.problem
            done += 1
    assert done == CYCLES
    return chosen


@pytest.fixture(scope="module")
def facts(options: Options) -> list[Fact]:
    with open_state(options) as (store, _):
        return list(store.facts())


def test_four_pairs_trade_and_the_others_are_excluded_with_a_reason(facts: list[Fact]) -> None:
    first = next(fact for fact in facts if isinstance(fact, Decided))
    excluded = {j.symbol: j.detail for j in first.judgements if j.outcome == "excluded"}
    traded = {j.symbol for j in first.judgements} - excluded.keys()
    assert traded == {"ADA-USD", "BTC-USD", "ETH-USD", "SOL-USD"}
    assert len(excluded) == 12 and all(excluded.values())
    assert len([fact for fact in facts if isinstance(fact, Filled)]) > 50


def test_realised_pnl_is_the_fold_of_the_fills_to_the_last_unit(facts: list[Fact]) -> None:
    """Counted here by hand, fill by fill: what came in, less what went out, less what is still held at cost."""
    book = fold(facts)
    fills = [fact.fill for fact in facts if isinstance(fact, Filled)]
    sign = {"BUY": Decimal(-1), "SELL": Decimal(1)}
    earned = sum(sign[fill.side] * fill.value - fill.fee for fill in fills)
    held = sum(holding.cost + holding.entry_fees for holding in book.holdings.values())
    assert book.realised == earned + held


def test_the_backtest_decides_orders_and_fills_the_same_one_by_one(options: Options, facts: list[Fact]) -> None:
    policy = settings_of(options)
    replayed = replay(source_of(policy, options), policy, FROM, TO)
    decided = [
        (fact.decision_ms, judged.symbol, judged.outcome)
        for fact in facts
        if isinstance(fact, Decided)
        for judged in fact.judgements
        if judged.outcome in VERDICTS
    ]
    assert sorted((v.decision_ms, v.symbol, v.verdict) for v in replayed.verdicts) == sorted(decided)
    assert [(placed.decision_ms, placed.order) for placed in replayed.orders] == [
        (fact.at_ms, fact.approved) for fact in facts if isinstance(fact, Intended)
    ]
    assert sorted((f.at_ms, f.symbol, f.side, f.price, f.quantity, f.value, f.fee) for f in replayed.fills) == sorted(
        (f.at_ms, f.symbol, f.side, f.price, f.quantity, f.value, f.fee)
        for f in (fact.fill for fact in facts if isinstance(fact, Filled))
    )
    assert replayed.cash == fold(facts).cash


def test_without_from_the_last_96_cycles_of_the_newest_segment_run_and_then_it_is_over(tmp_path: Path) -> None:
    chosen = Options(state=tmp_path, config=CONFIG, mode="PAPER", venue="simulated", data=shared("data/coinbase"))
    for expected in (96, 0):
        with open_system(chosen) as system:
            done = list(cycles(system.ports, system.policy, system.journal, lambda: False))
        assert len(done) == expected
        assert not done or done[-1].decision_ms == parse_utc("2025-07-01")
