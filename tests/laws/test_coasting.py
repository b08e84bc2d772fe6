"""Where nothing but marks can change, a replay coasts. Whatever ends a coast ends it in time: walked step by step,
coasting interpreted and coasting compiled, a market of long calms is the same."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.make import BAR_MS, START, TinyMarket, instrument, market, policy
from tests.laws.markets import HISTORY, LIVELY
from tests.laws.test_slow_twin import THEMES, assert_the_same_replay
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, EpochMs
from trader_core.domain.market import MARK_BARS
from trader_core.domain.values import replace
from trader_core.engine import compiled, machine
from trader_core.engine import replay as engine
from trader_core.engine.compiled import Walk
from trader_core.engine.replay import Flow, Replayed, replay, replay_world, world_of
from trader_core.rulebook import state as rules
from trader_core.rulebook.codes import (
    CAUSE_SET,
    COOLING_DOWN,
    DAY_LOSS_PPM,
    DAY_OPEN,
    DISABLED,
    ENTRY,
    EXIT,
    HALT,
    KIND,
    UNTIL_MS,
)
from trader_core.rulebook.exits import levels
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import PPM, value_down
from trader_core.rulebook.state import Bars, Columns, Guard, Journey, Plan, State, Tape
from trader_core.rulebook.walk import STRETCH, has_room, step_coast, step_row, step_walk
from trader_core.settings.schema import Settings

BARS = 330  # decisions: long enough to fall silent, and for three borders of a day
DAY_BARS = DAY_MS // BAR_MS
MINUTES = 700  # decisions of a minute: long enough for more than a stretch of one day
MINUTE_BARS = HISTORY * BAR_MS // MINUTE_MS  # history in them
LONG = 2  # rows that make a coast
ONES = (instrument("BTC-USD"), instrument("ETH-USD"), instrument("SOL-USD", "0.01", "0.00000001"))
EVENTS = ("wick", "gap", "target", "fall", "silence", "pause", "glitch", "none")
QUIET: dict[str, Any] = {
    **LIVELY,
    **{f"strategies__{name}__enabled": False for name in ("rules", "momentum", "mean_reversion")},
    "strategies__sma_cross__fast_bars": 2,
    "strategies__sma_cross__slow_bars": 8,
    "strategies__sma_cross__target_pct": 50,
    "strategies__sma_cross__stop_pct": 4,
    "signals__guards__outlier_deviation_pct": 20,
    "signals__guards__outlier_volume_pct": 50,
    "policy__risk__max_per_theme_pct": dict.fromkeys(THEMES, 100.0),
    "policy__risk__max_day_loss_pct": 50,
    "policy__orders__limit_band_bps": 1000.0,
    "policy__exits__trailing_stop_pct": 2.0,
}
SLOWLY = {  # a coin that falls for hours and is held, though the averages have crossed
    "policy__halt__max_day_loss_pct": 0.02, "strategies__sma_cross__slow_bars": 150,
    **{f"app__paper__{name}_bps": 0.0 for name in ("maker_fee", "taker_fee", "half_spread", "slippage__tier_1")},
}  # fmt: skip
LATER = [(START + 100 * BAR_MS, Decimal(500))]
WAYS: dict[str, tuple[str, dict[str, Any], list[Flow]]] = {  # reason -> event, policy, flows
    "stop": ("wick", {}, []),
    "gap": ("gap", {}, []),
    "target": ("target", {"strategies__sma_cross__target_pct": 8}, []),
    "leave": ("fall", {}, []),
    "absent": ("silence", {}, []),
    "glitch": ("glitch", {}, []),
    "peak": ("none", {"policy__exits__use_trailing_stop": True}, []),
    "time": ("none", {"strategies__sma_cross__max_hold_h": 3}, []),
    "day": ("none", {}, []),
    "flow": ("none", {}, LATER),
    "entry": ("none", {}, []),
    "loss": ("fall", SLOWLY, []),
    "cooled": ("fall", {**SLOWLY, "policy__halt__auto_rearm": True, "policy__halt__cooldown_min": 75}, []),
}


# --- markets of long calms -------------------------------------------------------------------------------------------


def calm(
    random: Random, event: str, begins: int, lasts: int, bar_ms: int = BAR_MS, history: int = HISTORY, bars: int = BARS
) -> list[Any]:
    """A fall, a rise that is bought, a calm that climbs by a tick now and then, and what ends it."""
    rows, price, first = list[Any](), 10_000 * random.choice((1, 3)), START - history * bar_ms
    for n in range(history + bars):
        at, volume = n - history - begins, 10**9
        opened, close = price, price + (1 if at >= 0 and n % 5 == 0 else 0)
        if -6 <= at < 0:
            close = price - 3
        elif 0 <= at < 3:
            close = price + 40
        elif at == lasts and event == "gap":
            opened, close = price * 9 // 10, price * 9 // 10 + 2
        elif at == lasts and event == "target":
            close = price * 12 // 10
        elif at >= lasts and event == "fall":
            close = price - 1
        elif at == lasts and event == "glitch":
            opened, close, volume = price * 13 // 10, price * 13 // 10, 1
        low = min(opened, close) - 1
        if at == lasts and event == "wick":
            low = price * 9 // 10
        silent = at > lasts and (event == "silence" or (event == "pause" and at < lasts + MARK_BARS // 2))
        if not silent:
            rows.append((first + n * bar_ms, opened, max(opened, close) + 1, low, close, volume))
        price = price if event == "glitch" and at == lasts else close
    return rows


def calms(seed: int, events: Sequence[str]) -> TinyMarket:
    """The coins one after the other, each with its event."""
    random, rows = Random(seed), {}
    for n, (one, event) in enumerate(zip(ONES, events, strict=True)):
        rows[one.symbol] = calm(random, event, 8 + 40 * n + random.randint(0, 35), random.randint(5, 90))
    return replace(market(ONES, rows), end_ms=EpochMs(START + BARS * BAR_MS))


def minutes(seed: int, event: str) -> TinyMarket:
    """One coin that is held for hours of one day, in bars of a minute."""
    random = Random(seed)
    rows = calm(random, event, 8, random.randint(2 * STRETCH - 3, 2 * STRETCH + 3), MINUTE_MS, MINUTE_BARS, MINUTES)
    source = market(ONES[:1], {ONES[0].symbol: rows}, MINUTE_MS)
    return replace(source, end_ms=EpochMs(START + MINUTES * MINUTE_MS))


@st.composite
def policies(draw: st.DrawFn) -> Settings:
    def one_of(*values: Any) -> Any:
        return draw(st.sampled_from(values))

    return policy(
        **{
            **QUIET,
            "strategies__sma_cross__target_pct": one_of(8, 50),
            "strategies__sma_cross__max_hold_h": one_of(2, 8760, 8760),
            "policy__risk__max_day_loss_pct": one_of(0.5, 50),
            "policy__halt__enabled": one_of(True, False),  # else it ends what would be held until its exit
            "policy__halt__max_day_loss_pct": one_of(0.01, 0.1, 50),
            "policy__halt__max_open_loss_pct": one_of(0.01, 0.05, 50),
            "policy__halt__max_stop_hits": one_of(0, 1),
            "policy__halt__max_feed_age_min": one_of(0, 0, 15),
            "policy__halt__cooldown_min": one_of(0, 75, 400),
            "policy__halt__on_trip": one_of("hold", "cancel", "flatten"),
            "policy__halt__auto_rearm": one_of(True, True, False),
            "policy__orders__maker_ttl_bars": one_of(0, 2),
            "policy__exits__use_trailing_stop": one_of(False, False, True),
            "policy__exits__trim_above_cap_pct": one_of(0, 0, 1),
            "app__paper__half_spread_bps": one_of(0.0, 5.0),
            "app__paper__holdings": one_of({}, {"ETH": Decimal(2)}),
        }
    )


markets = st.builds(
    calms, st.integers(0, 2**64 - 1), st.lists(st.sampled_from(EVENTS), min_size=len(ONES), max_size=len(ONES))
)


def steep(turn: str, later: int) -> TinyMarket:
    """A coin that climbs by a thousandth a bar over midnight, turns for one bar while it goes on being held, or falls
    then; and another that is bought `later` bars after that, if the day, its low and the peak allow it."""
    turns, rows = DAY_BARS + 4, {}
    for n, one in enumerate(ONES[:2]):
        series, price = list[Any](), 1_000_000
        for bar in range(-HISTORY, BARS):
            opened, begins = price, (8, turns + later)[n]
            if begins - 6 <= bar < begins:
                price -= price // 2_000
            elif begins <= bar:
                price += price // 1_000
            if n == 0 and bar == turns + 1 and turn == "fall":
                price -= price // 28
            close = price + {"dip": -price // 140, "spike": price // 50}.get(turn, 0) * (n == 0 and bar == turns)
            reach = (max(opened, close) + 2, min(opened, close) - 2)
            series.append((START + bar * BAR_MS, opened, *reach, close, 10**9))
        rows[one.symbol] = series
    return replace(market(ONES[:2], rows), end_ms=EpochMs(START + BARS * BAR_MS))


flows = st.lists(
    st.tuples(st.integers(0, BARS).map(lambda n: START + n * BAR_MS), st.sampled_from([Decimal(500), Decimal("-3.5")])),
    max_size=2,
)  # fmt: skip


# --- a walk that tells why it stopped coasting -----------------------------------------------------------------------


class Witness:
    """The law's own steps, driven from here, and what ended each coast."""

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()
        self.coasted = 0

    def walk(
        self, law: Law, guard: Guard, state: State, columns: Columns, bars: Bars, journey: Journey, plan: Plan,
        tape: Tape, t: int, end: int,
    ) -> int:  # fmt: skip
        while t < end:
            if not has_room(tape, len(state.lots)):
                return t
            step_row(law, guard, state, columns, bars, journey, plan, tape, t)
            following = step_coast(law, state, columns, bars, journey, plan, tape, t + 1, end)
            if following - t > LONG:
                self.coasted += following - t - 1
                if following < end:
                    self.ended.update(reasons(law, state, columns, bars, journey, following))
            t = following
        return end


def reasons(law: Law, state: State, columns: Columns, bars: Bars, journey: Journey, t: int) -> Iterator[str]:
    """Everything that makes row `t` one that must be walked, by the definitions and not by the code that coasts."""
    now, before = int(columns.at_ms[t]), int(columns.at_ms[t - 1])
    if now // DAY_MS != before // DAY_MS:
        yield "day"
    if columns.enter[:, columns.asked[t]].any():
        yield "entry"
    if any(int(row) == t for row, _ in journey.flows[int(journey.next[1]) :].tolist()):
        yield "flow"
    if state.halt[HALT] == COOLING_DOWN and now >= state.halt[UNTIL_MS]:
        yield "cooled"
    worth = int(state.cash[0])
    for i in np.flatnonzero(state.lots > 0).tolist():
        worth += int(value_down(law.instruments, i, state.lots[i], columns.close[t, i]))
    opening, limit = int(state.clock[DAY_OPEN]), law.halts.max_day_loss_ppm
    watched = state.halt[HALT] != DISABLED and not state.halt[CAUSE_SET] & (1 << DAY_LOSS_PPM)
    if watched and (opening - worth) * PPM >= limit * opening:
        yield "loss"
    for i in np.flatnonzero(state.lots > 0).tolist():
        assert not state.orders[i, ENTRY, KIND] and not state.orders[i, EXIT, KIND]
        stop, target, *_ = levels(law, state, i)
        traded, bid = bars.open[t, i] > 0, int(columns.bid[t, i])
        if not traded:
            yield "absent"
        if traded and bars.low[t, i] <= stop < bars.open[t, i]:
            yield "stop"
        if traded and bars.open[t, i] <= stop:
            yield "gap"
        if 0 < target <= bid:
            yield "target"
        if law.orders.trailing_ppm > 0 and bid > state.peak[i]:
            yield "peak"
        if columns.outlier[t, i]:
            yield "glitch"
        if columns.leave[state.strategy[i], t, i]:
            yield "leave"
        if state.hold_ms[i] > 0 and now - state.opened_ms[i] >= state.hold_ms[i]:
            yield "time"


@contextmanager
def driven_by(walk: Walk) -> Iterator[None]:
    """A replay that is given this walk and not the compiled one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "compiled_walk", lambda: walk)
        yield


def assert_all_ways_agree(source: TinyMarket, settings: Settings, moved: list[Flow], witness: Witness) -> Replayed:
    assert source.end_ms
    there = world_of(source, settings, START, source.end_ms)
    slow = replay_world(there, settings, interpreted=True, flows=moved)
    with driven_by(witness.walk):
        assert_the_same_replay(slow, replay_world(there, settings, flows=moved))
    assert_the_same_replay(slow, replay_world(there, settings, flows=moved))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "TAPE_ROWS", 1)  # a row's worth: it is full every few rows, and the walk resumes
        assert_the_same_replay(slow, replay_world(there, settings, flows=moved))
    return slow


@pytest.mark.parametrize("reason", WAYS)
def test_a_coast_ends_in_time(reason: str) -> None:
    event, edits, moved = WAYS[reason]
    witness = Witness()
    for seed in (1, 2):
        assert_all_ways_agree(calms(seed, (event, "none", event)), policy(**{**QUIET, **edits}), moved, witness)
    assert witness.ended[reason] > 0, f"no coast was ended by that, but by {dict(witness.ended)}"
    assert reason in ("peak", "time") or witness.coasted > BARS / 2


@pytest.mark.parametrize(
    ("turn", "day_pct", "drawdown_pct", "verdict"),
    [("fall", 0.5, 50, "DAY_LOSS"), ("dip", 0.03, 50, "DAY_LOSS"), ("spike", 40, 0.1, "DRAWDOWN")],
)
def test_what_was_coasted_over_counts_in_the_loss_windows(
    turn: str, day_pct: float, drawdown_pct: float, verdict: str
) -> None:
    """The day's first equity, its lowest and the highest of all, though no turn looked at them; and the newest, by
    which a deposit moves the others."""
    moved = [(START + (DAY_BARS + 8) * BAR_MS, Decimal(9_000))] if turn == "spike" else []
    edits = {
        "policy__risk__max_day_loss_pct": day_pct,
        "policy__risk__max_week_loss_pct": 60,
        "policy__risk__max_drawdown_pct": drawdown_pct,
    }
    settings, witness, said = policy(**{**QUIET, **edits}), Witness(), set[str]()
    for later in range(3, 12):
        slow = assert_all_ways_agree(steep(turn, later), settings, moved, witness)
        said |= {one.verdict for one in slow.verdicts}
    assert {verdict, "OK"} <= said
    assert witness.ended["day"] or turn != "fall"


@pytest.mark.parametrize("reason", ["stop", "gap", "target", "leave", "absent", "time", "flow"])
def test_a_coast_of_several_stretches_ends_in_time(reason: str) -> None:
    """At the border of a stretch, before it and behind it."""
    event, edits, _ = WAYS[reason]
    settings = policy(**{**QUIET, **edits, "policy__cycle__base_bar_min": 1, "strategies__sma_cross__max_hold_h": 9})
    witness = Witness()
    for seed in range(4):
        moved = [(START + (2 * STRETCH + 8 + seed) * MINUTE_MS, Decimal(5))] if reason == "flow" else []
        assert_all_ways_agree(minutes(seed, event), settings, moved, witness)
    assert witness.ended[reason] > 0, f"no coast was ended by that, but by {dict(witness.ended)}"
    assert witness.coasted > 4 * 2 * STRETCH * 0.8


def test_a_coast_ends_in_time_whatever_comes_together() -> None:
    witness, rows = Witness(), 0

    @given(markets, policies(), flows)
    @examples(40)
    def holds(source: TinyMarket, settings: Settings, moved: list[Flow]) -> None:
        nonlocal rows
        rows += len(assert_all_ways_agree(source, settings, moved, witness).worth)

    holds()
    assert len(witness.ended) > 5 and witness.coasted > rows / 3, "too lively to prove anything"


def as_it_stands(*arguments: Any) -> int:
    """What is compiled, interpreted: it is handed the parts themselves and not the words that they lie in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "handed", lambda parts: parts)
        return machine.walk(compiled.Given(*arguments[:-2]), *arguments[-2:])


def test_what_is_compiled_coasts_interpreted_too_and_goes_on_where_a_tape_was_full() -> None:
    """The very function that is compiled, as it stands."""
    source, settings = calms(1, ("wick", "none", "gap")), policy(**QUIET)
    assert source.end_ms
    there = world_of(source, settings, START, source.end_ms)
    slow = replay_world(there, settings, interpreted=True)
    for rows in (rules.TAPE_ROWS, 1):
        with driven_by(as_it_stands), pytest.MonkeyPatch.context() as patch:
            patch.setattr(rules, "TAPE_ROWS", rows)
            assert_the_same_replay(slow, replay_world(there, settings))


def test_who_comes_second_to_compile_takes_what_the_first_has_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have seen that nothing is there yet."""
    source, settings = calms(1, ("none",) * len(ONES)), policy(**QUIET)
    replay(source, settings, START, START + 3 * BAR_MS)
    (first,), made = compiled._MADE, list[Any]()
    monkeypatch.setattr(compiled, "_MADE", made)
    with ThreadPoolExecutor(1) as pool:
        with compiled._MAKING:
            second = pool.submit(replay, source, settings, START, START + 3 * BAR_MS)
            with pytest.raises(TimeoutError):
                second.result(0.3)
            made.append(first)
        assert len(second.result().worth) == 3
    assert made == [first]


@pytest.mark.parametrize("reason", ["stop", "target", "leave", "peak", "time"])
def test_what_was_coasted_over_leaves_the_state_as_if_it_were_walked(reason: str) -> None:
    """Highest bids, marks, and when it was decided, to the last number."""
    event, edits, _ = WAYS[reason]
    source, settings = calms(1, (event, "none", event)), policy(**{**QUIET, **edits})
    assert source.end_ms
    there, found = world_of(source, settings, START, source.end_ms), list[list[bytes]]()
    for coasts in (True, False):

        def walk(
            law: Law, guard: Guard, state: State, columns: Columns, bars: Bars, journey: Journey, plan: Plan,
            tape: Tape, t: int, end: int, coasts: bool = coasts,
        ) -> int:  # fmt: skip
            for row in range(t, end) if not coasts else ():
                step_row(law, guard, state, columns, bars, journey, plan, tape, row)
            done = step_walk(law, guard, state, columns, bars, journey, plan, tape, t, end) if coasts else end
            found.append([one.tobytes() for one in state])
            return done

        with driven_by(walk):
            replay_world(there, settings)
    coasted, walked = found
    assert [name for name, one, two in zip(State._fields, coasted, walked, strict=True) if one != two] == []
