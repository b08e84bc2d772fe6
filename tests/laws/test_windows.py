"""Windows are exact: what is known at a row depends on its own lookback alone, not on more past nor on any future."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.make import BAR_MS, START, TinyMarket, instrument, policy
from tests.laws.markets import markets
from tests.laws.worlds import Array
from trader_core.engine.columns import Opinions, columns_of, lookback_of
from trader_core.engine.law import costs_of
from trader_core.engine.replay import Replayed, replay
from trader_core.market.frame import Frame, build
from trader_core.rulebook.costs import ask_of, bid_of
from trader_core.settings.schema import Settings
from trader_core.strategies import STRATEGIES

SYMBOLS = ("BTC-USD", "ETH-USD")
GARBAGE = (0, 1, -1, 2**62, -(2**62), 2**63 - 1, -(2**63))
MISSING_MAX = 1
LONG_REPORT = "ignore::hypothesis.errors.HypothesisWarning"  # of a failure that prints a whole market

# Every strategy in the registry, with parameters that make its lookback short or long. A new one must be added here.
PARAMETERS: Mapping[str, tuple[dict[str, int], ...]] = {
    "sma_cross": (
        {"fast_bars": 2, "slow_bars": 3},
        {"fast_bars": 10, "slow_bars": 50},
        {"fast_bars": 99, "slow_bars": 150},
    ),
}
CASES = [(name, n) for name in STRATEGIES for n in range(len(PARAMETERS[name]))]


def parameters(name: str, n: int) -> Any:
    edits: dict[str, Any] = {f"strategies__{name}__{key}": value for key, value in PARAMETERS[name][n].items()}
    return getattr(policy(signals__windows__max_missing_bars=MISSING_MAX, **edits).strategies, name)


@st.composite
def frames(draw: st.DrawFn, bars: int = 320) -> Frame:
    """Closes of any size, up to sums that wrap around int64, with few or many holes."""
    random = Random(draw(st.integers(0, 2**64 - 1)))
    top = draw(st.sampled_from([20, 10**6, 2**53, 2**62]))
    holes = draw(st.sampled_from([0.0, 0.02, 0.3, 0.97]))
    shape = (bars, len(SYMBOLS))
    present = np.array([random.random() >= holes for _ in range(bars * len(SYMBOLS))]).reshape(shape)
    close = np.array([random.randint(max(top // 2, 1), top) for _ in range(present.size)], np.int64).reshape(shape)
    close = np.where(present, close, 0)
    return Frame(SYMBOLS, START, BAR_MS, close, close, close, close, close, present)


def cut(frame: Frame, first: int, end: int) -> Frame:
    """Rows first..end-1 as a frame of their own, as a live cycle would read them."""
    parts = {name: getattr(frame, name)[first:end] for name in ("open", "high", "low", "close", "volume", "present")}
    return Frame(frame.symbols, frame.first_ms + first * frame.bar_ms, frame.bar_ms, **parts)


def rows_of(opinion: Any, row: int) -> list[bytes]:
    """Each column of a named thing at one row, to the last bit."""
    return [np.ascontiguousarray(getattr(opinion, name)[row]).tobytes() for name in opinion.__dataclass_fields__]


@pytest.mark.parametrize(("name", "n"), CASES)
def test_a_live_window_of_a_strategy_knows_what_all_of_history_knows(name: str, n: int) -> None:
    strategy, chosen = STRATEGIES[name], parameters(name, n)
    lookback = strategy.lookback(chosen)
    seen: set[bool] = set()

    @given(frames(), st.data())
    @examples(40)
    def holds(frame: Frame, data: st.DataObject) -> None:
        with np.errstate(over="ignore"):
            whole = strategy.columns(frame, chosen, MISSING_MAX)
            for row in data.draw(st.lists(st.integers(lookback - 1, frame.rows - 1), min_size=1, max_size=6)):
                window = strategy.columns(cut(frame, row + 1 - lookback, row + 1), chosen, MISSING_MAX)
                assert rows_of(window, -1) == rows_of(whole, row)
                seen.update(whole.known[row].tolist())

    holds()
    assert seen == {True, False}, "windows with and without an opinion must both have been tried"


@pytest.mark.parametrize(("name", "n"), CASES)
def test_one_row_less_than_the_lookback_would_not_be_enough(name: str, n: int) -> None:
    """Else the window test above could be passed by a lookback that is far too long."""
    strategy, chosen = STRATEGIES[name], parameters(name, n)
    lookback = strategy.lookback(chosen)
    close = np.arange(1_000, 1_000 + 2 * lookback, dtype=np.int64).repeat(2).reshape(-1, 2)
    frame = Frame(SYMBOLS, START, BAR_MS, close, close, close, close, close, np.ones_like(close, np.bool_))
    assert strategy.columns(cut(frame, 0, lookback), chosen, 0).known[-1].all()
    assert not strategy.columns(cut(frame, 1, lookback), chosen, 0).known[-1].any()


@given(frames(), st.data())
@examples(40)
def test_the_last_known_price_needs_no_more_than_the_lookback(frame: Frame, data: st.DataObject) -> None:
    lookback = lookback_of(policy())
    row = data.draw(st.integers(lookback - 1, frame.rows - 1))
    whole, window = frame.last_known, cut(frame, row + 1 - lookback, row + 1).last_known
    for full, live in zip(whole, window, strict=True):
        assert full[row].tobytes() == live[-1].tobytes()


def same_rows(one: Opinions, two: Opinions, rows: int) -> bool:
    """Both know the same at the first rows."""
    by_strategy = [(getattr(one.proposals[name], part)[:rows], getattr(two.proposals[name], part)[:rows])
                   for name in one.proposals for part in one.proposals[name].__dataclass_fields__]  # fmt: skip
    flags = [(getattr(one.columns, part)[:, :rows], getattr(two.columns, part)[:, :rows])
             for part in ("enter", "leave", "conviction")]  # fmt: skip
    prices = [(getattr(one.columns, part)[:rows], getattr(two.columns, part)[:rows])
              for part in ("at_ms", "close", "bid", "ask", "age_ms")]  # fmt: skip
    return all(a.tobytes() == b.tobytes() for a, b in by_strategy + flags + prices)


def poisoned(rows: Array, from_ms: int, random: Random) -> Array:
    """The same bars with garbage of every size in whatever opens at `from_ms` or later."""
    bad = rows.copy()
    later = bad[:, 0] >= from_ms
    bad[later, 1:] = np.array([random.choice(GARBAGE) for _ in range(5 * int(later.sum()))], np.int64).reshape(-1, 5)
    return bad


def poisoned_market(source: TinyMarket, from_ms: int, seed: int) -> TinyMarket:
    random = Random(seed)
    return replace(source, series={one: poisoned(rows, from_ms, random) for one, rows in source.series.items()})


def frame_of(source: TinyMarket, first_ms: int, end_ms: int) -> Frame:
    return build({one: source.candles(one, first_ms, end_ms) for one in source.series}, first_ms, end_ms, BAR_MS)


BARS = 60
PAIR = (instrument("BTC-USD", floor="1"), instrument("ETH-USD", "0.01", "0.00000001", "1"))
LIVELY: Settings = policy(
    policy__sizing__position_pct=25.0,
    policy__risk__max_per_asset_pct=25.0,
    policy__risk__max_total_at_risk_pct=50.0,
    signals__windows__max_missing_bars=1,
    strategies__sma_cross__fast_bars=2,
    strategies__sma_cross__slow_bars=5,
    strategies__sma_cross__stop_pct=1.0,
    strategies__sma_cross__target_pct=3.0,
)


@pytest.mark.filterwarnings("ignore:overflow|invalid value|divide by zero:RuntimeWarning")
@given(markets(PAIR, BARS), st.integers(1, BARS - 1), st.integers(0, 2**32))
@examples(40)
def test_poisoned_bars_of_the_future_change_no_earlier_row(source: TinyMarket, bar: int, seed: int) -> None:
    from_ms = START + bar * BAR_MS
    first_ms, end_ms = START - 100 * BAR_MS, START + BARS * BAR_MS
    both = (source, poisoned_market(source, from_ms, seed))
    sound, bad = (columns_of(frame_of(each, first_ms, end_ms), LIVELY) for each in both)
    assert same_rows(sound, bad, 100 + bar)


@pytest.mark.parametrize("close", [1, 60_000_00, 9_000_000_000_000, 10**13, 2**53])
def test_bid_and_ask_of_a_column_are_the_law_s_own_at_any_price(close: int) -> None:
    ticks = np.full((1, 1), close, np.int64)
    frame = Frame(("BTC-USD",), START, BAR_MS, ticks, ticks, ticks, ticks, ticks, np.ones((1, 1), np.bool_))
    columns, costs = columns_of(frame, LIVELY).columns, costs_of(LIVELY)
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
    @examples(25)
    def holds(source: TinyMarket, bar: int, seed: int) -> None:
        """The walk to T is the beginning of the walk beyond T, over a market that is garbage from T on."""
        nonlocal traded
        t_ms, end_ms = START + bar * BAR_MS, START + BARS * BAR_MS
        prefix = replay(source, LIVELY, START, t_ms)
        sane = replay(source, LIVELY, START, end_ms)
        wild = replay(harsh_market(source, t_ms, seed), LIVELY, START, end_ms)
        ends = t_ms - BAR_MS  # the last decision that saw only sound bars, and the fills before it
        assert before(wild, t_ms)[:2] == before(sane, t_ms)[:2] == (list(prefix.verdicts), list(prefix.orders))
        assert before(wild, ends)[2:] == before(sane, ends)[2:] == before(prefix, ends)[2:]
        assert before(wild, t_ms)[3] == list(prefix.equity)
        traded += len(prefix.fills)

    holds()
    assert traded > 20


def harsh_market(source: TinyMarket, from_ms: int, seed: int) -> TinyMarket:
    """Bars that a market could show, and that have nothing to do with the ones before."""
    random = Random(seed)
    series = {one: rows.copy() for one, rows in source.series.items()}
    for rows in series.values():
        for n in np.flatnonzero(rows[:, 0] >= from_ms).tolist():
            rows[n, 1:5] = random.choice((4_000, 5_000, 9_000))
            rows[n, 5] = random.choice((0, 1, 2**40))
    return replace(source, series=series)
