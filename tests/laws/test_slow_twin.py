"""A paper account walked cycle by cycle over the simulated venue is the slow twin of a replay, to the last unit."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.make import BAR_MS, START, TinyMarket, instrument, market, policy, world
from tests.laws.markets import markets
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Filled, Intended
from trader_core.domain.order import ApprovedOrder
from trader_core.engine.cycle import CycleReport, run_cycle
from trader_core.engine.replay import Executed, Placed, Replayed, Verdicted, replay
from trader_core.ledger.laws import broken_laws
from trader_core.settings.schema import Settings

CYCLES = 36
THREE = (
    instrument("BTC-USD", floor="1"),
    instrument("ETH-USD", "0.01", "0.00000001", "1"),
    instrument("SOL-USD", "0.03", "0.0000025", "1"),
)


@st.composite
def policies(draw: st.DrawFn) -> Settings:
    """Policies under which much happens in a few hours: short averages, near stops, several bars of resting."""
    fee = draw(st.sampled_from([0.0, 10.0, 60.0]))
    total = draw(st.sampled_from([25.0, 60.0, 100.0]))
    asset = draw(st.sampled_from([0.1, 1.0, 1.0])) * total
    position = min(draw(st.sampled_from([1.0, 5.0, 25.0, 100.0])), round(asset, 2))
    return policy(
        app__paper__cash_quote=draw(st.sampled_from([Decimal(100), Decimal("10000.00000007"), Decimal(900_000)])),
        app__paper__maker_fee_bps=fee,
        app__paper__taker_fee_bps=fee + draw(st.sampled_from([0.0, 60.0])),
        app__paper__half_spread_bps=draw(st.sampled_from([0.0, 0.01, 5.0, 100.0])),
        app__paper__slippage_bps=draw(st.sampled_from([0.0, 5.0])),
        app__paper__max_share_of_volume_pct=draw(st.sampled_from([0.01, 10.0, 100.0])),
        policy__profile=draw(st.sampled_from(["NORMAL", "DEFENSIVE", "AGGRESSIVE", "CAUTIOUS"])),
        policy__risk__max_total_at_risk_pct=total,
        policy__risk__max_per_asset_pct=round(asset, 2),
        policy__risk__max_open_positions=draw(st.integers(1, 3)),
        policy__risk__max_day_loss_pct=draw(st.sampled_from([0.5, 50.0])),
        policy__risk__cooldown_after_exit_min=draw(st.sampled_from([0, 0, 30])),
        policy__risk__cooldown_after_stop_min=draw(st.sampled_from([0, 60])),
        policy__sizing__position_pct=position,
        policy__sizing__min_notional_quote=draw(st.sampled_from([Decimal(0), Decimal(1), Decimal(10)])),
        policy__orders__maker_ttl_bars=draw(st.sampled_from([0, 1, 1, 2, 4])),
        policy__orders__max_entry_cost_bps=draw(st.sampled_from([70.0, 1000.0])),
        policy__orders__limit_band_bps=draw(st.sampled_from([0.0, 100.0, 1000.0])),
        signals__windows__max_missing_bars=draw(st.integers(0, 1)),
        strategies__sma_cross__fast_bars=draw(st.integers(2, 4)),
        strategies__sma_cross__slow_bars=draw(st.integers(5, 9)),
        strategies__sma_cross__stop_pct=draw(st.sampled_from([0.01, 1.0, 3.0])),
        strategies__sma_cross__target_pct=draw(st.sampled_from([3.01, 10.0])),
    )


class Walked(NamedTuple):
    """What a paper run did, in a replay's words."""

    reports: list[CycleReport]
    verdicts: list[Verdicted]
    orders: list[Placed]
    fills: list[Executed]


def walked(source: TinyMarket, settings: Settings, start_ms: int, end_ms: int) -> Walked:
    reports: list[CycleReport] = []
    with world(source, settings, start_ms, end_ms) as paper:
        while (now := paper.ports.clock.next_decision_ms(paper.journal.book.decided_ms)) is not None:
            reports.append(run_cycle(paper.ports, settings, paper.journal, now))
            assert_accounts_balance(reports[-1])
        facts = list(paper.ports.store.facts())
    verdicts, orders = list(verdicts_of(reports)), list(orders_of(reports))
    terms = {fact.client_order_id: fact.approved for fact in facts if isinstance(fact, Intended)}
    return Walked(reports, verdicts, orders, [executed(told, terms) for one in reports for told in one.fills])


def assert_accounts_balance(report: CycleReport) -> None:
    """What must hold after every cycle, to the last unit."""
    worth = report.valuation
    assert report.problem == ""
    assert report.decision is not None
    assert (worth is None) == (report.decision.equity is None)
    if worth is not None:
        assert worth.cash + worth.positions == worth.equity
        assert worth.equity - worth.flows == worth.realised + worth.unrealised
    assert broken_laws(report.book) == ()
    assert dict(report.book.discrepancies) == {}
    assert report.externals == ()


def verdicts_of(reports: list[CycleReport]) -> Iterator[Verdicted]:
    for report in reports:
        for one in report.decision.judgements if report.decision else ():
            if one.outcome.isupper():
                yield Verdicted(report.decision_ms, one.symbol, one.outcome)


def orders_of(reports: list[CycleReport]) -> Iterator[Placed]:
    for report in reports:
        for order in report.decision.orders if report.decision else ():
            yield Placed(report.decision_ms, order)


def executed(told: Filled, terms: dict[str, ApprovedOrder]) -> Executed:
    fill, order = told.fill, terms[told.fill.client_order_id]
    return Executed(
        fill.at_ms, fill.symbol, fill.side, fill.price, fill.quantity, fill.value, fill.fee, order.reason,
        order.strategy,
    )  # fmt: skip


def by_time(fills: list[Executed] | tuple[Executed, ...]) -> list[Executed]:
    """The venue tells fills by order, the replay by instrument; within one cycle neither means anything."""
    return sorted(fills, key=lambda one: (one.at_ms, one.symbol, one.side, one.price, one.quantity, one.reason))


def assert_twins(paper: Walked, fast: Replayed) -> None:
    assert paper.verdicts == list(fast.verdicts)
    assert paper.orders == list(fast.orders)
    assert by_time(paper.fills) == by_time(fast.fills)
    equity = [(one.decision_ms, one.decision.equity) for one in paper.reports if one.decision]
    assert equity == list(fast.equity)
    assert not paper.reports or paper.reports[-1].book.cash == fast.cash


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # of the length of a failure's report
def test_a_paper_run_and_a_replay_are_twins() -> None:
    seen: set[str] = set()

    @given(markets(THREE, CYCLES), policies())
    @examples(60)
    def holds(source: TinyMarket, settings: Settings) -> None:
        end_ms = START + CYCLES * BAR_MS
        paper = walked(source, settings, START, end_ms)
        assert_twins(paper, replay(source, settings, START, end_ms))
        assert len(paper.reports) == CYCLES
        seen.update(one.reason for one in paper.fills)
        seen.update(one.verdict for one in paper.verdicts)
        seen.update(f"{one.order.kind} {one.order.role}" for one in paper.orders)

    holds()
    assert {"signal", "stop", "target", "fallback"} <= seen, f"too quiet to prove anything: {seen}"
    assert {"MAKER ENTRY", "TAKER ENTRY", "TAKER EXIT", "STOP STOP"} <= seen, f"too quiet to prove anything: {seen}"
    assert {"OK", "COST", "MAX_POSITIONS"} <= seen, f"too quiet to prove anything: {seen}"


def test_a_long_silence_of_five_minute_bars_is_the_same_to_both_twins() -> None:
    bar_ms = 300_000
    closes = [10_000] * 120 + [9_990, 10_050, 10_060, 10_070, 10_080, 10_800]  # bought, above its target, then silence
    rows = [
        (START + (n - 120) * bar_ms, close, close + 30, close - 30, close, 10**10) for n, close in enumerate(closes)
    ]
    one, end_ms = THREE[0], EpochMs(START + 150 * bar_ms)
    source = replace(market((one,), {one.symbol: rows}, bar_ms), end_ms=end_ms)
    settings = policy(
        policy__cycle__base_bar_min=5,
        signals__windows__max_missing_bars=1,
        strategies__sma_cross__fast_bars=2,
        strategies__sma_cross__slow_bars=5,
        strategies__sma_cross__stop_pct=1.0,
        strategies__sma_cross__target_pct=3.0,
    )
    assert_twins(walked(source, settings, START, end_ms), replay(source, settings, START, end_ms))
