"""Three ways to live the same law, the same to the last unit: a paper account walked cycle by cycle over the simulated
venue, a replay interpreted row by row, and a replay compiled."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.make import BAR_MS, START, TinyMarket, instrument, market, policy, world
from tests.laws.markets import HISTORY, LIVELY, markets, walk, without
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Filled, Intended
from trader_core.domain.fill import Side
from trader_core.domain.halt import Halt
from trader_core.domain.market import MARK_BARS
from trader_core.domain.order import ApprovedOrder
from trader_core.domain.values import replace
from trader_core.engine.cycle import CycleReport, run_cycle
from trader_core.engine.replay import Executed, Flow, Placed, Replayed, Verdicted, replay, replay_world, world_of
from trader_core.ledger.laws import broken_laws
from trader_core.settings.schema import Settings

CYCLES = 36
FOUR = (  # of tier 1, 1 and 2, and of none
    instrument("BTC-USD", floor="1"),
    instrument("ETH-USD", "0.01", "0.00000001", "1"),
    instrument("DOGE-USD", "0.03", "0.0000025", "1"),
    instrument("PUPPY-USD", "0.01", "0.000001", "0"),
)
THEMES = ("LAYER1", "LAYER2", "MEME", "DEFI", "OTHER")
REGIMES = ("bull", "chop", "bear", "crash")
STRATEGIES = ("rules", "momentum", "mean_reversion", "sma_cross")


@st.composite
def policies(draw: st.DrawFn) -> Settings:
    """Policies under which much happens in a few hours: some strategies, near stops, several bars of resting."""

    def one_of(*values: Any) -> Any:
        return draw(st.sampled_from(values))

    fee, total, win, gap = one_of(0.0, 10.0, 60.0), one_of(25.0, 60.0, 100.0), one_of(0, 0, 10), one_of(0, 0, 900)
    asset, most = round(one_of(0.1, 0.5, 1.0) * total, 2), one_of(2, 50, 50)
    position = min(one_of(1.0, 5.0, 25.0), round(asset / 1.3 - 0.01, 2))
    enabled, day_loss = draw(st.sets(st.sampled_from(STRATEGIES), min_size=1)), one_of(0.1, 0.5, 50.0)
    held = one_of({}, {}, {"ETH": Decimal("0.01")}, {"DOGE": Decimal(3), "PUPPY": Decimal("0.5")})
    return policy(
        **{
            **LIVELY,
            **{f"strategies__{name}__enabled": name in enabled for name in STRATEGIES},
            **{f"strategies__{name}__max_at_risk_pct": one_of(5, 100, 100) for name in STRATEGIES},
            **{f"strategies__{name}__max_trades_per_cycle": one_of(1, 50) for name in STRATEGIES},
            **{f"policy__regime__{name}_scale_pct": one_of(0, 50, 100, 100, 120) for name in REGIMES},
            "app__paper__cash_quote": one_of(Decimal(100), Decimal("10000.00000007"), Decimal(900_000)),
            "app__paper__holdings": held,
            "app__paper__maker_fee_bps": fee,
            "app__paper__taker_fee_bps": fee + one_of(0.0, 60.0),
            "app__paper__half_spread_bps": one_of(0.0, 0.01, 5.0, 100.0),
            **{f"app__paper__slippage__tier_{n}_bps": one_of(0.0, 5.0) for n in (1, 2, 3)},
            "app__paper__slippage__large_quote": one_of(Decimal(10), Decimal(10_000)),
            "app__paper__slippage__restless_range_pct": one_of(0.1, 5.0),
            "app__paper__max_share_of_volume_pct": one_of(0.01, 10.0, 100.0),
            "app__paper__depth_of_day_volume_pct": one_of(0.5, 100.0, 100.0),
            "policy__profile": one_of("NORMAL", "DEFENSIVE", "AGGRESSIVE", "CAUTIOUS"),
            "policy__risk__max_total_at_risk_pct": total,
            "policy__risk__max_per_asset_pct": asset,
            "policy__risk__max_per_theme_pct": dict.fromkeys(THEMES, one_of(asset, 100.0)),
            "policy__risk__max_open_positions": draw(st.integers(1, 4)),
            "policy__risk__max_day_loss_pct": day_loss,
            "policy__risk__max_week_loss_pct": one_of(75.0, day_loss + 0.5),
            "policy__risk__halve_at_day_loss_pct": one_of(0.01, 0.2, 50.0),
            "policy__halt__max_day_loss_pct": one_of(0.1, 0.5, 50.0, 50.0, 50.0),
            "policy__halt__max_open_loss_pct": one_of(0.02, 0.2, 50.0, 50.0),
            "policy__halt__max_stop_hits": one_of(0, 0, 1, 2),
            "policy__halt__stop_window_min": one_of(1, 15, 60),
            "policy__halt__max_feed_age_min": one_of(0, 0, 15, 60),
            "policy__exits__trim_above_cap_pct": one_of(0, 0, 0, 1, 20),
            "policy__halt__cooldown_min": one_of(0, 15, 40),
            "policy__halt__on_trip": one_of("hold", "cancel", "flatten"),
            "policy__halt__auto_rearm": one_of(True, True, False),
            "policy__halt__enabled": one_of(True, True, True, False),
            "policy__risk__max_drawdown_pct": one_of(5.0, 100.0),
            "policy__pacing__cooldown_after_win_min": win,
            "policy__pacing__cooldown_after_loss_min": win + one_of(0, 30),
            "policy__pacing__cooldown_after_stop_min": win + one_of(30, 60),
            "policy__pacing__max_losing_streak": one_of(2, 20),
            "policy__pacing__losing_streak_pause_min": one_of(0, 60),
            "policy__pacing__min_spacing_s": min(gap, one_of(0, 900)),
            "policy__pacing__min_asset_spacing_s": gap,
            "policy__pacing__max_entries_per_cycle": min(most, one_of(1, 50, 50)),
            "policy__pacing__max_entries_per_hour": most,
            "policy__pacing__max_entries_per_day": one_of(most, 5000),
            "policy__adds__allowed": one_of(True, False),
            "policy__adds__min_spacing_min": one_of(0, 20),
            "policy__adds__max_per_day": one_of(1, 20),
            "policy__sizing__tier_1_position_pct": position,
            "policy__sizing__tier_2_position_pct": position,
            "policy__sizing__tier_3_position_pct": position,
            "policy__sizing__min_notional_quote": one_of(Decimal(0), Decimal(1), Decimal(10)),
            "policy__orders__maker_ttl_bars": one_of(0, 1, 1, 2, 4),
            "policy__orders__maker_max_reprices": one_of(0, 1, 2),
            "policy__orders__taker_fallback": one_of(True, True, False),
            "policy__orders__limit_band_bps": one_of(0.0, 100.0, 1000.0),
            "policy__liquidity__max_entry_cost_bps": one_of(70.0, 1000.0, 1000.0),
            "policy__liquidity__max_share_of_depth_pct": one_of(10, 100),
            "policy__liquidity__min_edge_over_cost_pct": one_of(0, 0, 100),
            "policy__exits__use_trailing_stop": one_of(True, False) and "mean_reversion" not in enabled,
            "policy__exits__trailing_stop_pct": one_of(0.1, 1.0),
            "signals__windows__max_missing_bars": draw(st.integers(0, 1)),
            "strategies__sma_cross__fast_bars": draw(st.integers(2, 4)),
            "strategies__sma_cross__slow_bars": draw(st.integers(5, 9)),
            "strategies__sma_cross__max_hold_h": one_of(1, 8760),
            "universe__discovery__enabled": one_of(True, True, False),
            "universe__tiers__tier_2_rotational__min_day_volume_quote": one_of(
                Decimal(0), Decimal(0), Decimal(5_000_000)
            ),
            "universe__hysteresis__enter_h": one_of(1, 3),
        }
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
    """What must hold after every cycle, to the last unit. What the venue lists no more is worth nobody knows what."""
    worth = report.valuation
    assert report.problem == ""
    assert report.decision is not None
    assert report.book.stranded or (worth is None) == (report.decision.equity is None)
    if worth is not None:
        assert worth.cash + worth.positions == worth.equity
        assert worth.equity - worth.flows == worth.realised + worth.unrealised
    assert broken_laws(report.book) == ()
    assert dict(report.book.discrepancies) == {}


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
    decided = [one.decision for one in paper.reports if one.decision]
    halted = [(one.decision_ms, *machine(one.halt)) for one in decided if one.halt]
    assert halted == [(one.decision_ms, one.state, one.causes, one.until_ms) for one in fast.halts]
    assert not paper.reports or paper.reports[-1].book.cash == fast.cash


def machine(halt: Halt) -> tuple[str, tuple[str, ...], int | None]:
    return halt.state, tuple(one.name for one in halt.causes), halt.until_ms


def twins(source: TinyMarket, settings: Settings, cycles: int) -> Walked:
    """The paper run, after the replay has done the same."""
    end_ms = START + cycles * source.bar_ms
    paper = walked(source, settings, START, end_ms)
    assert_twins(paper, replay(source, settings, START, end_ms))
    assert len(paper.reports) == cycles
    return paper


def happened(paper: Walked) -> set[str]:
    kinds = {f"{one.order.kind} {one.order.role}" for one in paper.orders}
    by = {f"by {one.strategy}" for one in paper.fills}
    moves = [one.decision.halt for one in paper.reports if one.decision and one.decision.halt]
    halts = {cause.name for one in moves for cause in one.causes} | {one.state.value for one in moves}
    return halts | {one.reason for one in paper.fills} | {one.verdict for one in paper.verdicts} | kinds | by


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # of the length of a failure's report
def test_a_paper_run_and_a_replay_are_twins() -> None:
    traded = 0

    @given(markets(FOUR, CYCLES, torn=True) | markets(FOUR, CYCLES), policies())
    @examples(20)
    def holds(source: TinyMarket, settings: Settings) -> None:
        nonlocal traded
        traded += bool(twins(source, settings, CYCLES).fills)

    holds()
    assert traded > 3, "too quiet to prove anything"


# --- interpreted and compiled ----------------------------------------------------------------------------------------

DIGITS = ("at_ms", "worth", "close", "regime", "judged", "asked", "filled", "flows", "halted")


def assert_the_same_replay(slow: Replayed, fast: Replayed) -> None:
    """Every equity value, verdict, order, cancel and fill, as integers."""
    for name in DIGITS:
        assert np.array_equal(getattr(slow, name), getattr(fast, name)), name
    assert slow.cash_grains == fast.cash_grains


@st.composite
def flows(draw: st.DrawFn, cycles: int) -> tuple[Flow, ...]:
    """Deposits and withdrawals at, between, before and after decisions, several at a time too."""
    when = st.integers(-2, 2 * cycles + 2).map(lambda half: START + half * BAR_MS // 2)
    amounts = st.sampled_from(["0.00000001", "5", "1000.5", "250000", "-0.00000003", "-7.25", "-60", "-5000"])
    return tuple(draw(st.lists(st.tuples(when, amounts.map(Decimal)), max_size=4)))


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_interpreted_and_compiled_are_twins() -> None:
    seen: Counter[str] = Counter()

    @given(markets(FOUR, CYCLES, torn=True) | markets(FOUR, CYCLES), policies(), st.just(()) | flows(CYCLES))
    @examples(300)
    def holds(source: TinyMarket, settings: Settings, moved: tuple[Flow, ...]) -> None:
        market = world_of(source, settings, START, START + CYCLES * source.bar_ms)
        slow = replay_world(market, settings, interpreted=True, flows=moved)
        assert_the_same_replay(slow, replay_world(market, settings, flows=moved))
        seen.update({one.verdict for one in slow.verdicts} | {one.reason for one in slow.fills})
        seen.update({one.state for one in slow.halts} | {cause for one in slow.halts for cause in one.causes})
        seen["flows"] += len(slow.flows)
        seen["unknown equity"] += bool((slow.worth < 0).any())
        seen["partial"] += bool(slow.filled.size and (slow.filled[:, 3] < slow.asked[:, 5].max(initial=0)).any())

    holds()
    assert {"OK", "stop", "target", "signal", "DAY_LOSS", "COOLDOWN", "MAX_POSITIONS", "MIN_NOTIONAL"} <= seen.keys()
    assert {"DISABLED", "TRIPPED", "COOLING_DOWN", "ARMED", "trip", "day_loss", "open_loss", "stop_hits"} <= seen.keys()
    assert seen["flows"] > 20 and seen["stop"] > 10, "too quiet to prove anything"


def lively(seed: int, bar_ms: int = BAR_MS, bars: int = CYCLES, holes: float = 0.0) -> TinyMarket:
    """A market of its own for each seed, the same in every run."""
    random, history = Random(seed), HISTORY * BAR_MS // bar_ms
    rows = {
        one.symbol: walk(random, START - history * bar_ms, history + bars, bar_ms, 60_000, 0.01, holes) for one in FOUR
    }
    return replace(market(FOUR, rows, bar_ms), end_ms=EpochMs(START + bars * bar_ms))


THIN = {"app__paper__max_share_of_volume_pct": 0.01, "policy__orders__maker_ttl_bars": 1}
CROSS = ("sma_cross",)
NEAR = {
    "policy__halt__max_day_loss_pct": 0.2, "policy__halt__auto_rearm": True, "policy__halt__cooldown_min": 60,
    "policy__halt__max_open_loss_pct": 0.03,
}  # fmt: skip
WAYS: dict[str, tuple[tuple[str, ...], dict[str, Any], set[str]]] = {
    **{f"{name} alone": ((name,), {}, {f"by {name}"}) for name in STRATEGIES},
    "all together": (STRATEGIES, {}, {"signal", "stop", "target", "STOP STOP", "TAKER EXIT"}),
    "taken at once": (CROSS, {"policy__orders__maker_ttl_bars": 0}, {"TAKER ENTRY", "signal"}),
    "repriced, then taken": (CROSS, {**THIN, "policy__orders__maker_max_reprices": 2}, {"reprice", "fallback"}),
    "let go": (CROSS, {**THIN, "policy__orders__taker_fallback": False}, {"MAKER ENTRY"}),
    "trailing": (
        CROSS, {"policy__exits__use_trailing_stop": True, "policy__exits__trailing_stop_pct": 0.3}, {"trailing"},
    ),
    "for an hour": (CROSS, {"strategies__sma_cross__max_hold_h": 1}, {"time"}),
    **{
        f"tripped, {on_trip}": (
            CROSS, {**NEAR, "policy__halt__on_trip": on_trip}, {"open_loss", "COOLING_DOWN", "HALTED", *others},
        )
        for on_trip, others in (("hold", ()), ("cancel", ()), ("flatten", ("trip",)))
    },
    "adds": (
        ("sma_cross", "momentum"), {"policy__adds__allowed": True, "policy__adds__max_per_day": 1}, {"ADDS_PER_DAY"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_whatever_way_orders_are_worked_both_do_the_same(way: str) -> None:
    strategies, edits, expected = WAYS[way]
    enabled = {f"strategies__{name}__enabled": name in strategies for name in STRATEGIES}
    settings = policy(**{**LIVELY, **enabled, "policy__risk__max_day_loss_pct": 50, **edits})
    assert expected <= set().union(*(happened(twins(lively(seed), settings, CYCLES)) for seed in (1, 2)))


@pytest.mark.parametrize(("bar_min", "cycles"), [(1, 20), (5, 40)])
def test_bars_of_any_length_are_the_same_to_both_twins(bar_min: int, cycles: int) -> None:
    """Bars of a minute show jumps."""
    alone = {f"strategies__{name}__enabled": name in ("sma_cross", "momentum") for name in STRATEGIES}
    edits = {"policy__cycle__base_bar_min": bar_min, "signals__guards__max_jump_sigma": 2}
    source = lively(3, bar_min * 60_000, cycles)
    paper = twins(source, policy(**{**LIVELY, **alone, **edits, "policy__risk__max_day_loss_pct": 50}), cycles)
    assert "OK" in happened(paper)
    assert bar_min > 1 or "JUMP" in happened(paper)


LONG = 115  # cycles: time to buy, to fall silent for MARK_BARS, and for the others to go on


def patient(theme_pct: float) -> Settings:
    """Two strategies that keep what they have bought, so that it is held when its pair falls silent."""
    edits: dict[str, Any] = {f"strategies__{name}__enabled": name in ("sma_cross", "momentum") for name in STRATEGIES}
    edits |= {f"strategies__{name}__stop_pct": 50 for name in ("sma_cross", "momentum")}
    edits |= {f"strategies__{name}__target_pct": 90 for name in ("sma_cross", "momentum")}
    edits |= {"strategies__momentum__max_hold_h": 8760, "policy__risk__max_day_loss_pct": 50}
    return policy(**{**LIVELY, **edits, "policy__risk__max_per_theme_pct": dict.fromkeys(THEMES, theme_pct)})


def silenced(source: TinyMarket, settings: Settings, which: int, later_ms: int, bars: int) -> TinyMarket:
    """The market in which a pair that is held by then sends no bars for so long."""
    bought = [one for one in replay(source, settings, START, START + 15 * BAR_MS).fills if one.side is Side.BUY]
    if not bought:
        return source
    from_ms = bought[which % len(bought)].at_ms + later_ms
    return without(source, bought[which % len(bought)].symbol, from_ms, from_ms + bars * BAR_MS)


@pytest.mark.parametrize("bars", [MARK_BARS + 1, 10**6])
@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_held_when_its_pair_ends_is_written_off_by_both_and_not_bought_again(seed: int, bars: int) -> None:
    """The account still has a worth then, and a pair that comes back stays barred."""
    settings = patient(100.0)
    paper = twins(silenced(lively(seed, bars=LONG + 15), settings, seed, BAR_MS, bars), settings, LONG + 15)
    (gone,) = paper.reports[-1].book.stranded
    assert all(one.decision and one.decision.equity is not None for one in paper.reports[-5:])
    assert {one.side for one in paper.fills if one.symbol == gone} == {Side.BUY}


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@given(
    markets(FOUR, LONG, torn=True), st.integers(0, 9), st.sampled_from([0, 1, BAR_MS]),
    st.sampled_from([MARK_BARS - 1, MARK_BARS, MARK_BARS + 1, MARK_BARS + 3, 10**6]), st.sampled_from([25.0, 100.0]),
)  # fmt: skip
@examples(4)
def test_a_pair_that_falls_silent_while_it_is_held_and_comes_back_is_the_same_to_both(
    source: TinyMarket, which: int, later_ms: int, bars: int, theme_pct: float
) -> None:
    settings = patient(theme_pct)
    twins(silenced(source, settings, which, later_ms, bars), settings, LONG)


def test_a_long_silence_of_five_minute_bars_is_the_same_to_both_twins() -> None:
    bar_ms = 300_000
    closes = [10_000] * 120 + [9_990, 10_050, 10_060, 10_070, 10_080, 10_800]  # bought, above its target, then silence
    rows = [
        (START + (n - 120) * bar_ms, close, close + 30, close - 30, close, 10**10) for n, close in enumerate(closes)
    ]
    one, end_ms = FOUR[0], EpochMs(START + 150 * bar_ms)
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
