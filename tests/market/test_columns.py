"""All columns together: the same for a live window as for all of history, blind to the future, and hard to break."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from tests.market.make import FOUR, STRATEGIES, cut, frame, instruments, policy, walks
from trader_core import strategies
from trader_core.engine.columns import Opinions, columns_of, lookback_of, with_quotes
from trader_core.engine.law import costs_of
from trader_core.market.frame import Frame
from trader_core.market.seen import Market
from trader_core.rulebook.codes import REGIMES
from trader_core.rulebook.costs import ask_of, bid_of, depth_of
from trader_core.settings.schema import TIERS, Settings
from trader_core.strategies.base import Proposals

BY_STRATEGY = ("enter", "leave", "conviction", "scale", "stop_bps", "target_bps", "hold_ms")
UNKNOWN_FIGURES = ("deviation", "volatility", "atr_ratio")


def quick(bar_min: int, *enabled: str, **changes: Any) -> Settings:
    """Windows of hours instead of weeks, and floors that the walks are sometimes above."""
    signals = {
        "regime__trend_h": 6,
        "regime__confirm_h": 2,
        "regime__recall_h": 3,
        "regime__crash_fall_pct": 4.0,
        "regime__crash_volatility_pct": 200.0,
        "regime__bull_rise_pct": 1.0,
        "regime__bear_fall_pct": 1.0,
        "guards__jump_bars": 10,
        "guards__atr_h": 2,
        "guards__atr_median_h": 5,
        "guards__volatility_h": 5,
    }
    floors = {f"tiers__{tier}__min_day_volume_quote": 50_000 for tier in TIERS}
    universe = {
        "hysteresis__recall_bars": 8,
        "near_threshold__volume_pct": 80.0,
        "discovery__enabled": True,
        "discovery__max_assets": 1,
        **floors,
    }
    edits = {
        "policy__cycle__base_bar_min": bar_min,
        **{f"signals__{key}": value for key, value in signals.items()},
        **{f"universe__{key}": value for key, value in universe.items()},
    }
    return policy(*enabled, **{**edits, **changes})


def bytes_of(opinions: Opinions, row: int) -> dict[str, bytes]:
    """Every column and every proposal at one row, to the last bit."""
    columns = opinions.columns
    found = {name: each[:, row] if name in BY_STRATEGY else each[row] for name, each in columns._asdict().items()}
    for strategy, proposals in opinions.proposals.items():
        found |= {f"{strategy}.{name}": each[row] for name, each in vars(proposals).items()}
    return {name: np.ascontiguousarray(each).tobytes() for name, each in found.items()}


@pytest.mark.parametrize(("bar_min", "seed"), [(1, 1), (5, 2), (15, 3), (15, 4)])
def test_a_live_window_knows_to_the_bit_what_all_of_history_knows(bar_min: int, seed: int) -> None:
    settings, random, pairs = quick(bar_min, *STRATEGIES), Random(seed), instruments()
    rows = lookback_of(settings)
    history = walks(random, rows + 500, bar_min, holes=0.003)
    whole = columns_of(history, pairs, settings)
    assert whole.failures == {}
    for row in random.sample(range(rows - 1, history.rows), 12):
        window = columns_of(cut(history, row + 1 - rows, row + 1), pairs, settings, first=rows - 1)
        assert bytes_of(window, -1) == bytes_of(whole, row)


@pytest.mark.parametrize("bar_min", [1, 5, 15])
def test_rows_from_the_first_asked_for_are_those_of_all(bar_min: int) -> None:
    settings, random, pairs = quick(bar_min, *STRATEGIES), Random(bar_min), instruments()
    history = walks(random, lookback_of(settings) + 100, bar_min, holes=0.003)
    whole = columns_of(history, pairs, settings)
    for first in (1, 40, 97, history.rows - 60, history.rows - 1):
        part = columns_of(history, pairs, settings, first)
        for row in {first, first + 1, history.rows - 30, history.rows - 1} & set(range(first, history.rows)):
            assert bytes_of(part, row) == bytes_of(whole, row)


@pytest.mark.parametrize("bar_min", [5, 15])
def test_the_shipped_windows_are_exact_too(bar_min: int) -> None:
    settings, pairs = policy("rules", policy__cycle__base_bar_min=bar_min), instruments(FOUR[:2])
    rows = lookback_of(settings)
    history = walks(Random(bar_min), rows + 200, bar_min, 2, holes=0.0003)
    whole = columns_of(history, pairs, settings)
    for row in (rows - 1, rows + 100, rows + 199):
        window = columns_of(cut(history, row + 1 - rows, row + 1), pairs, settings, first=rows - 1)
        assert bytes_of(window, -1) == bytes_of(whole, row)


@pytest.mark.parametrize(
    ("key", "value", "rows"),
    [
        ("signals__regime__recall_h", 80, (6 + 1 + 80) * 4 + 96),
        ("signals__guards__volatility_h", 90, 90 * 4 + 96),
        ("universe__hysteresis__recall_bars", 672, 96 + 2 + 672),
    ],
)
def test_the_lookback_is_that_of_the_longest_window(key: str, value: int, rows: int) -> None:
    assert lookback_of(quick(15, **{key: value})) == rows


def test_a_strategy_has_a_say_in_the_lookback_while_it_is_enabled() -> None:
    slow = {"strategies__sma_cross__slow_bars": 1000}
    assert lookback_of(quick(15, "sma_cross", **slow)) > 1000 > lookback_of(quick(15, **slow))


def test_the_walks_show_what_is_known_and_what_is_not() -> None:
    """Else windows would agree on little."""
    every = [columns_of(walks(Random(seed), 900, 15, holes=0.003), instruments(), quick(15)).columns for seed in (3, 4)]
    for name in UNKNOWN_FIGURES:
        assert {True, False} == {bool(each) for one in every for each in (getattr(one, name) >= 0).flat}
    assert {each for one in every for each in one.regime.tolist()} == set(range(len(REGIMES)))
    assert {int(each) for one in every for each in one.eligible.flat} == {0, 1, 2}


def poisoned(sound: Frame, row: int, random: Random) -> Frame:
    """The same frame with garbage in it from that row on."""
    parts = {name: getattr(sound, name).copy() for name in ("open", "high", "low", "close", "volume", "present")}
    for each in parts.values():
        garbage = [random.choice((0, 1, 10**5, 2**40, 2**50)) for _ in range(each[row:].size)]
        each[row:] = np.reshape(garbage, each[row:].shape)
    return replace(sound, **parts)


@pytest.mark.parametrize("bar_min", [1, 5, 15])
def test_poisoned_bars_of_the_future_change_no_earlier_row(bar_min: int) -> None:
    settings, random, pairs = quick(bar_min, *STRATEGIES), Random(bar_min), instruments()
    history = walks(random, lookback_of(settings) + 200, bar_min, holes=0.003)
    sound = columns_of(history, pairs, settings)
    for row in random.sample(range(history.rows - 200, history.rows), 3):
        bad = columns_of(poisoned(history, row, random), pairs, settings)
        for before in (0, 1, row // 2, row - 60, row - 2, row - 1):
            assert bytes_of(bad, before) == bytes_of(sound, before)


class Broken:
    unit = "%"

    def lookback(self, parameters: Any, policy: Settings) -> int:
        return 1

    def columns(self, market: Market, parameters: Any) -> Proposals:
        raise KeyError("a figure that is not there")


class Askew(Broken):
    """Right but for one of its columns."""

    def __init__(self, **wrong: Any) -> None:
        self.wrong = wrong

    def columns(self, market: Market, parameters: Any) -> Proposals:
        shape = market.frame.close.shape
        ones = {name: np.ones(shape) for name in Proposals.__dataclass_fields__}
        return Proposals(**{**ones, **self.wrong})


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Puts a strategy in the place of `momentum`."""
    return lambda strategy: monkeypatch.setitem(strategies.STRATEGIES, "momentum", strategy)


CASES = [
    (Broken(), "KeyError: 'a figure that is not there'"),
    (Askew(enter=np.ones((3, 3))), "ValueError: the shape of enter"),
    (Askew(conviction=np.full((300, 4), np.nan)), "ValueError: a conviction or a scale is no number"),
    (Askew(scale=np.full((300, 4), np.inf)), "ValueError: a conviction or a scale is no number"),
]


@pytest.mark.parametrize(("strategy", "message"), CASES)
def test_a_strategy_that_breaks_stops_itself_alone(broken: Callable[[Any], None], strategy: Any, message: str) -> None:
    seen, settings = walks(Random(3), 300), quick(15, *STRATEGIES)
    sane = columns_of(seen, instruments(), settings)
    broken(strategy)
    found = columns_of(seen, instruments(), settings)
    assert found.failures == {"momentum": message}
    place = list(found.proposals).index("momentum")
    for name in BY_STRATEGY:
        assert not getattr(found.columns, name)[place].any()
        others = (np.delete(getattr(each.columns, name), place, axis=0) for each in (found, sane))
        assert np.array_equal(*others)
    assert not found.proposals["momentum"].known.any()
    assert sane.columns.enter.any() and sane.failures == {}


def test_without_strategies_or_instruments_there_is_nothing_to_say() -> None:
    nobody = columns_of(walks(Random(1), 50), instruments(), quick(15)).columns
    assert nobody.enter.shape == (0, 50, 4)
    nothing = columns_of(frame(np.zeros((50, 0)), symbols=()), (), quick(15, "rules"))
    assert nothing.columns.close.shape == (50, 0) and nothing.failures == {}


@pytest.mark.parametrize("close", [1, 60_000_00, 9_000_000_000_000, 10**13, 2**53])
def test_a_replay_assumes_the_law_s_own_book_around_the_last_close(close: int) -> None:
    ticks = [close] * 95 + [0]
    found, costs = columns_of(frame(ticks, [5_000_000] * 96), instruments(FOUR[:1]), quick(15)), costs_of(quick(15))
    columns = found.columns
    assert columns.bid[-1, 0] == bid_of(costs, close)
    assert columns.ask[-1, 0] == ask_of(costs, close)
    assert columns.depth[-1, 0] == depth_of(costs, found.day_cents[-1:, 0].astype(np.float64))[0] > 0
    assert columns.age_ms[-1, 0] == 15 * 60_000
    assert columns.depth[-2, 0] == 0, "less than a day is no day"


def test_where_the_price_is_unknown_nothing_rests_in_the_book() -> None:
    """A minute's price is too old after 96 of them, while the day still counts its volume."""
    seen = frame([1000] * 1440 + [0] * 96, [10**6] * 1536, bar_min=1)
    found = columns_of(seen, instruments(FOUR[:1]), quick(1))
    assert found.day_cents[-1, 0] > 0
    assert found.columns.depth[-1, 0] == found.columns.bid[-1, 0] == found.columns.ask[-1, 0] == 0
    assert found.columns.depth[-2, 0] > 0


def test_real_quotes_replace_one_row_of_the_book_and_nothing_else() -> None:
    columns = columns_of(walks(Random(3), 300), instruments(), quick(15)).columns
    bid, ask, depth, age_ms = (np.array([n, n + 1, n + 2, 0]) for n in (100, 200, 300, 10**6))
    found = with_quotes(columns, 299, bid, ask, depth, age_ms)
    for name, quoted in (("bid", bid), ("ask", ask), ("depth", depth)):
        assert getattr(found, name)[299].tolist() == quoted.tolist()
        assert np.array_equal(getattr(found, name)[:299], getattr(columns, name)[:299])
    assert found.age_ms[299].tolist() == np.maximum(columns.age_ms[299], age_ms).tolist()
    rest = set(columns._fields) - {"bid", "ask", "depth", "age_ms"}
    assert all(getattr(found, name) is getattr(columns, name) for name in rest)
