"""Live is a replay of one window: what the law looks at depends on no more past than the lookback, and on no future."""

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.make import BAR_MS, START, TinyMarket, instrument, policy
from tests.laws.markets import HISTORY, LIVELY, markets
from tests.laws.worlds import Array
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS
from trader_core.domain.values import replace
from trader_core.engine.columns import columns_of, lookback_of
from trader_core.engine.law import costs_of
from trader_core.engine.observe import closes_of
from trader_core.engine.replay import Replayed, replay
from trader_core.market.frame import Frame, build
from trader_core.market.returns import newest_returns
from trader_core.rulebook.costs import ask_of, bid_of
from trader_core.rulebook.state import Columns
from trader_core.settings.schema import Settings

GARBAGE = (0, 1, -1, 2**62, -(2**62), 2**63 - 1, -(2**63))
LONG_REPORT = "ignore::hypothesis.errors.HypothesisWarning"  # of a failure that prints a whole market
BY_STRATEGY = ("enter", "leave", "conviction", "scale", "stop_bps", "target_bps", "hold_ms")
TERMS = BY_STRATEGY[2:]
BY_HOUR = ("regime", "day_range")
BY_ASKED = ("eligible", "depth", "deviation", "jump", "volatility", "atr_ratio", "trading")
BARS = 60
PAIR = (instrument("BTC-USD", floor="1"), instrument("ETH-USD", "0.01", "0.00000001", "1"))
LONG = (instrument("BTC-USD", floor="1"), instrument("DOGE-USD"), instrument("PUPPY-USD"))
ALL_DAY_MS = START + BARS * BAR_MS
ALL: dict[str, Any] = {
    **LIVELY,
    "signals__windows__max_missing_bars": 1,
    "signals__guards__outlier_deviation_pct": 1,
    "signals__guards__outlier_volume_pct": 100,
    "signals__regime__trend_h": 5,
    "signals__regime__confirm_h": 2,
    "signals__regime__recall_h": 3,
    "universe__discovery__enabled": True,
    "universe__discovery__max_assets": 1,
    "universe__hysteresis__enter_h": 2,
    "universe__hysteresis__leave_h": 2,
    "universe__hysteresis__recall_h": 4,
    "universe__tiers__tier_2_rotational__min_day_volume_quote": 100_000,
    "universe__tiers__tier_3_event_driven__min_day_volume_quote": 100_000,
}
EVERYTHING: Settings = policy(**ALL)
CROSS: Settings = policy(
    **{
        **LIVELY,
        **{f"strategies__{name}__enabled": name == "sma_cross" for name in ("rules", "momentum", "mean_reversion")},
        "policy__risk__max_day_loss_pct": 50,
        "signals__windows__max_missing_bars": 1,
    }
)


def of_bars(bar_min: int) -> Settings:
    """Bars of an hour are too coarse for the rules."""
    edits = {"policy__cycle__base_bar_min": bar_min, "strategies__rules__enabled": bar_min < 60}
    return policy(**ALL | edits)


def frame_of(source: TinyMarket, first_ms: int, end_ms: int) -> Frame:
    series = {one: source.candles(one, first_ms, end_ms) for one in source.series}
    days = range(source.first_ms // DAY_MS, min(-(-first_ms // DAY_MS), end_ms // DAY_MS))
    before = closes_of(days, [source.day_closes(one, days) for one in source.series])
    return build(series, first_ms, end_ms, source.bar_ms, before)


def row_of(columns: Columns, row: int, *, asked: bool) -> dict[str, bytes]:
    """Each column at one row, to the last bit; what is told only where it is asked for: of the whole row or of its
    entries."""
    at, found = columns.asked[row], dict[str, Array]()
    entered = columns.enter[:, at] != 0
    for name, each in columns._asdict().items():
        if name in BY_HOUR:
            found[name] = each[columns.hour[row]]
        elif name in BY_STRATEGY:
            found[name] = each[:, row if name == "leave" else at]
        elif name == "returns":
            found[name] = newest_returns(columns)[row]
        elif name not in ("hour", "asked", "first_day"):
            found[name] = each[at if name in BY_ASKED else row]
        if name in TERMS:
            found[name] = np.where(entered, found[name], 0)
        elif name in BY_ASKED:
            found[name] = np.where(asked | entered.any(axis=0), found[name], 0.0)
    return {name: np.ascontiguousarray(each).tobytes() for name, each in found.items()}


@pytest.mark.parametrize(("bar_min", "number"), [(1, 10), (5, 12), (15, 15), (60, 15)])
@pytest.mark.filterwarnings(LONG_REPORT)
def test_a_live_window_knows_what_all_of_history_knows_and_every_column_of_it_speaks(bar_min: int, number: int) -> None:
    """Also where it begins or ends in the middle of an hour."""
    settings, bar_ms = of_bars(bar_min), bar_min * MINUTE_MS
    lookback = lookback_of(settings)
    first_ms, end_of_all = START - 2 * lookback * bar_ms, START + BARS * bar_ms
    spoken: dict[str, set[bytes]] = {name: set() for name in Columns._fields}

    @given(markets(LONG, BARS, bar_ms, 2 * lookback), st.sets(st.integers(1, BARS), min_size=3, max_size=3))
    @examples(number)
    def holds(source: TinyMarket, ends: set[int]) -> None:
        whole = columns_of(frame_of(source, first_ms, end_of_all), LONG, settings).columns
        for row in range(0, 2 * lookback, 23):
            for name, content in row_of(whole, row, asked=False).items():
                spoken[name].add(whole.jump[whole.asked[row]].tobytes() if name == "jump" else content)
        for end in (START + bar * bar_ms for bar in ends):
            cut = columns_of(frame_of(source, first_ms, end), LONG, settings, (end - first_ms) // bar_ms - 1).columns
            live = columns_of(frame_of(source, end - lookback * bar_ms, end), LONG, settings, lookback - 1).columns
            assert row_of(live, -1, asked=False) == row_of(whole, (end - first_ms) // bar_ms - 1, asked=False)
            assert row_of(live, -1, asked=True) == row_of(cut, -1, asked=True)

    holds()
    silent = {name for name, contents in spoken.items() if len(contents) < 2} - {
        "hour",
        "asked",
        "funding_ppm",
        "first_day",
        "trading",
        "shut",
    }
    assert silent == ({"jump"} if bar_min > 1 else set()), f"the same at every row, which proves nothing: {silent}"


def poisoned(rows: Array, from_ms: int, random: Random) -> Array:
    """The same bars with garbage of every size in whatever opens at `from_ms` or later."""
    bad = rows.copy()
    later = bad[:, 0] >= from_ms
    bad[later, 1:] = np.array([random.choice(GARBAGE) for _ in range(5 * int(later.sum()))], np.int64).reshape(-1, 5)
    return bad


def poisoned_market(source: TinyMarket, from_ms: int, seed: int) -> TinyMarket:
    random = Random(seed)
    return replace(source, series={one: poisoned(rows, from_ms, random) for one, rows in source.series.items()})


@pytest.mark.filterwarnings("ignore:overflow|invalid value|divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings(LONG_REPORT)
@given(markets(LONG, BARS), st.integers(1, BARS - 1), st.integers(0, 2**32))
@examples(12)
def test_poisoned_bars_of_the_future_change_no_earlier_row(source: TinyMarket, bar: int, seed: int) -> None:
    from_ms, first_ms = START + bar * BAR_MS, START - HISTORY * BAR_MS
    both = (source, poisoned_market(source, from_ms, seed))
    sound, bad = (columns_of(frame_of(each, first_ms, ALL_DAY_MS), LONG, EVERYTHING).columns for each in both)
    for row in range(HISTORY + bar):
        assert row_of(sound, row, asked=False) == row_of(bad, row, asked=False)


@pytest.mark.parametrize("close", [1, 60_000_00, 9_000_000_000_000, 10**13, 2**53])
def test_bid_and_ask_of_a_column_are_the_law_s_own_at_any_price(close: int) -> None:
    ticks = np.full((1, 1), close, np.int64)
    frame = Frame(("BTC-USD",), START, BAR_MS, ticks, ticks, ticks, ticks, ticks, np.ones((1, 1), np.bool_))
    columns, costs = columns_of(frame, PAIR[:1], CROSS).columns, costs_of(CROSS)
    assert columns.bid[0, 0] == bid_of(costs, close)
    assert columns.ask[0, 0] == ask_of(costs, close)


def before(done: Replayed, end_ms: int) -> tuple[object, ...]:
    """What was decided and done before a time; a decision of that time itself is left out."""
    return (
        [one for one in done.verdicts if one.decision_ms < end_ms],
        [one for one in done.orders if one.decision_ms < end_ms],
        [one for one in done.fills if one.at_ms < end_ms],
        [one for one in done.equity if one[0] < end_ms],
    )


@pytest.mark.filterwarnings(LONG_REPORT)
def test_a_replay_does_not_look_ahead() -> None:
    traded = 0

    @given(markets(PAIR, BARS), st.integers(5, BARS - 1), st.integers(0, 2**32))
    @examples(20)
    def holds(source: TinyMarket, bar: int, seed: int) -> None:
        """The walk to T is the beginning of the walk beyond T, over a market that is garbage from T on."""
        nonlocal traded
        t_ms, end_ms = START + bar * BAR_MS, START + BARS * BAR_MS
        prefix = replay(source, CROSS, START, t_ms)
        sane = replay(source, CROSS, START, end_ms)
        wild = replay(harsh_market(source, t_ms, seed), CROSS, START, end_ms)
        ends = t_ms - BAR_MS  # the last decision that saw only sound bars, and the fills before it
        assert before(wild, t_ms)[:2] == before(sane, t_ms)[:2] == (list(prefix.verdicts), list(prefix.orders))
        assert before(wild, ends)[2:] == before(sane, ends)[2:] == before(prefix, ends)[2:]
        assert before(wild, t_ms)[3] == list(prefix.equity)
        traded += len(prefix.fills)

    holds()
    assert traded > 20


def harsh_market(source: TinyMarket, from_ms: int, seed: int) -> TinyMarket:
    """Bars that a market could show, and that have nothing to do with the ones before."""
    random: Any = Random(seed)
    series = {one: rows.copy() for one, rows in source.series.items()}
    for rows in series.values():
        for n in np.flatnonzero(rows[:, 0] >= from_ms).tolist():
            rows[n, 1:5] = random.choice((4_000, 5_000, 9_000))
            rows[n, 5] = random.choice((0, 1, 2**40))
    return replace(source, series=series)
