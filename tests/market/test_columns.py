"""All columns together: the same for a live window as for all of history, blind to the future, and hard to break."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

from tests.market.make import FOUR, STRATEGIES, cut, frame, instruments, policy, walks
from trader_core import strategies
from trader_core.domain.values import replace
from trader_core.engine import columns as engine
from trader_core.engine import legs
from trader_core.engine.columns import Memo, Opinions, columns_of, lookback_of, with_quotes
from trader_core.engine.law import costs_of
from trader_core.market.frame import Frame
from trader_core.market.returns import newest_returns
from trader_core.market.seen import Market
from trader_core.rulebook.codes import REGIMES
from trader_core.rulebook.costs import ask_of, bid_of, depth_of
from trader_core.rulebook.state import Columns
from trader_core.settings.schema import TIERS, Settings
from trader_core.strategies.base import Measured, Proposals, Terms

BY_STRATEGY = ("enter", "leave", "conviction", "scale", "stop_bps", "target_bps", "hold_ms")
TERMS = ("conviction", "scale", "stop_bps", "target_bps", "hold_ms")
BY_HOUR = ("regime", "day_range")
BY_ASKED = ("eligible", "depth", "deviation", "jump", "volatility", "atr_ratio", "trading")
UNKNOWN_FIGURES = ("volatility", "atr_ratio", "day_range")


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
        "hysteresis__recall_h": 8,
        "hysteresis__enter_h": 2,
        "near_threshold__volume_pct": 80.0,
        "discovery__enabled": True,
        "discovery__max_assets": 1,
        **floors,
    }
    edits = {
        "policy__cycle__base_bar_min": bar_min,
        "policy__portfolio__cluster_window_days": 2,
        "policy__portfolio__var_window_days": 2,
        **{f"signals__{key}": value for key, value in signals.items()},
        **{f"universe__{key}": value for key, value in universe.items()},
    }
    return policy(*enabled, **{**edits, **changes})


def by_row(columns: Columns, name: str) -> np.ndarray:
    """[strategy, row, instrument] of what a strategy says."""
    found: np.ndarray = getattr(columns, name)
    return found if name == "leave" else found[:, columns.asked]


def bytes_of(columns: Columns, row: int, *, asked: bool) -> dict[str, bytes]:
    """Every column at one row, to the last bit; what is only told where it is asked for, where it is."""
    found: dict[str, np.ndarray] = {}
    for name, each in columns._asdict().items():
        if name in BY_HOUR:
            found[name] = each[columns.hour[row]]
        elif name in BY_ASKED:
            found[name] = each[columns.asked[row]]
        elif name in BY_STRATEGY:
            found[name] = each[:, row if name == "leave" else columns.asked[row]]
        elif name == "returns":
            found[name] = newest_returns(columns)[row]
        elif name not in ("hour", "asked", "first_day"):
            found[name] = each[row]
    entered = columns.enter[:, columns.asked[row]] != 0
    for name in TERMS:
        found[name] = np.where(entered, found[name], 0)
    for name in BY_ASKED:
        found[name] = np.where(asked | entered.any(axis=0), found[name], 0.0)
    return {name: np.ascontiguousarray(each).tobytes() for name, each in found.items()}


def measured_bytes(opinions: Opinions) -> dict[str, list[bytes]]:
    """What is told of the last row, for `why`."""
    return {name: [each.tobytes() for each in vars(one).values()] for name, one in opinions.measured.items()}


@pytest.mark.parametrize(("bar_min", "seed"), [(1, 1), (5, 2), (15, 3), (15, 4), (60, 5)])
def test_a_live_window_knows_to_the_bit_what_all_of_history_knows(bar_min: int, seed: int) -> None:
    """Also a window that begins in the middle of an hour."""
    enabled = STRATEGIES if bar_min < 60 else STRATEGIES[1:]
    settings, random, pairs = quick(bar_min, *enabled), Random(seed), instruments()
    rows = lookback_of(settings)
    history = walks(random, rows + 500, bar_min, holes=0.003)
    whole = columns_of(history, pairs, settings)
    assert whole.failures == {}
    for row in random.sample(range(rows - 1, history.rows), 12):
        window = columns_of(cut(history, row + 1 - rows, row + 1), pairs, settings, first=rows - 1)
        ends = columns_of(cut(history, 0, row + 1), pairs, settings, first=row)
        assert bytes_of(window.columns, -1, asked=False) == bytes_of(whole.columns, row, asked=False)
        assert bytes_of(window.columns, -1, asked=True) == bytes_of(ends.columns, -1, asked=True)
        assert measured_bytes(window) == measured_bytes(ends) and set(window.measured) == set(enabled)


@pytest.mark.parametrize("bar_min", [1, 5, 15])
def test_rows_from_the_first_asked_for_are_those_of_all(bar_min: int) -> None:
    settings, random, pairs = quick(bar_min, *STRATEGIES), Random(bar_min), instruments()
    history = walks(random, lookback_of(settings) + 100, bar_min, holes=0.003)
    whole = columns_of(history, pairs, settings)
    for first in (1, 40, 97, history.rows - 60, history.rows - 1):
        part = columns_of(history, pairs, settings, first)
        for row in {first, first + 1, history.rows - 30, history.rows - 1} & set(range(first, history.rows)):
            assert bytes_of(part.columns, row, asked=False) == bytes_of(whole.columns, row, asked=False)


@pytest.mark.parametrize(("bar_min", "holes"), [(1, 0.003), (1, 0.0), (15, 0.003)])
def test_parts_and_memos_show_no_seam(bar_min: int, holes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many parts as rows allow, and a memo that knows another policy's windows."""
    settings, pairs = quick(bar_min, *STRATEGIES), instruments()
    history = walks(Random(bar_min), 4000, bar_min, holes=holes)
    whole = columns_of(history, pairs, settings)
    memo = Memo()
    for edits in ({"strategies__sma_cross__fast_bars": 7}, {"signals__guards__jump_bars": 30}, {}):
        columns_of(history, pairs, quick(bar_min, *STRATEGIES, **edits), memo=memo)
    monkeypatch.setattr(engine, "TILE_CELLS", 1)
    monkeypatch.setattr(engine, "LOOKBACKS_IN_TILE", 1)
    for known in (None, memo):
        other = columns_of(history, pairs, settings, memo=known)
        assert (other.cells == whole.cells).all() and len(whole.cells) > 10
        for row in range(0, history.rows, 7):
            assert bytes_of(other.columns, row, asked=False) == bytes_of(whole.columns, row, asked=False)


@pytest.mark.parametrize(("bar_min", "gaps"), [(1, 0.003), (1, 0.0), (15, 0.01), (60, 0.01)])
def test_a_leg_knows_to_the_bit_what_all_of_history_knows(
    bar_min: int, gaps: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no more in front of it than windows reach back, over stretches without a bar."""
    settings, pairs = quick(bar_min, *STRATEGIES), instruments()
    history = walks(Random(bar_min), 2500, bar_min, holes=gaps)
    whole, first = columns_of(history, pairs, settings).columns, engine.rows_before(settings)
    for name, value in (("LEG_CELLS", 4 * 40), ("CELLS_WORTH_LEGS", 0), ("LEADS_IN_LEG", 0), ("GRID", 1)):
        monkeypatch.setattr(legs, name, value)
    seen = list[int]()
    for leg in legs.Legs(Market(history, settings, first), pairs, None, (), is_one=False):
        for row in range(leg.first, len(leg.bars.open)):
            own, other = (
                bytes_of(one, at, asked=False) for one, at in ((leg.opinions.columns, row), (whole, leg.start + row))
            )
            assert [name for name in own if name != "returns" and own[name] != other[name]] == [], leg.start + row
            seen.append(leg.start + row)
    assert seen == list(range(first, history.rows)) and len(seen) > 500


def test_what_a_maker_is_judged_by_again_is_told_too() -> None:
    """Repriced after its time, and taken after that: deviation, jump and quiet are those of these bars."""
    edits = {"policy__orders__maker_ttl_bars": 3, "policy__orders__maker_max_reprices": 2}
    settings, pairs = quick(1, "sma_cross", **edits), instruments()
    history = walks(Random(7), 3000, 1, holes=0.001)
    columns = columns_of(history, pairs, settings).columns
    rows, pair = (each[-40:] for each in np.nonzero(by_row(columns, "enter")[0]))
    for row, i in zip(rows.tolist(), pair.tolist(), strict=True):
        for later in (row + 3, row + 6, row + 9):
            if later < history.rows:
                live = columns_of(cut(history, 0, later + 1), pairs, settings, first=later).columns
                for name in BY_ASKED:
                    judged, then = (getattr(each, name)[each.asked[later], i] for each in (columns, live))
                    assert judged == then, name


def test_what_nobody_asks_for_is_unknown_and_would_close() -> None:
    columns = columns_of(walks(Random(7), 3000, 1), instruments(), quick(1)).columns
    assert not columns.asked.any()
    assert set(columns.jump.flat) == set(columns.atr_ratio.flat) == set(columns.volatility.flat) == {-1.0}
    assert set(columns.eligible.flat) == set(columns.depth.flat) == {0}
    assert not columns_of(walks(Random(7), 300, 1), instruments(), quick(1)).cells.size


def test_terms_that_never_differ_stand_beside_those_that_do() -> None:
    """Each strategy's own, wherever it enters; the rules' differ by trigger."""
    settings = quick(15, *STRATEGIES)
    columns = columns_of(walks(Random(3), 1500, 15, holes=0.003), instruments(), settings).columns
    bought = columns.enter != 0
    assert all(each[bought].all() for each in (columns.scale, columns.stop_bps, columns.target_bps, columns.hold_ms))
    place, cross = list(strategies.STRATEGIES).index("sma_cross"), settings.strategies.sma_cross
    assert set(columns.stop_bps[place][bought[place]]) == {round(cross.stop_pct * 100)}
    assert set(columns.scale[place][bought[place]]) == {1.0} < set(columns.scale[bought])


@pytest.mark.parametrize("bar_min", [5, 15])
def test_the_shipped_windows_are_exact_too(bar_min: int) -> None:
    settings, pairs = policy("rules", policy__cycle__base_bar_min=bar_min), instruments(FOUR[:2])
    rows = lookback_of(settings)
    history = walks(Random(bar_min), rows + 200, bar_min, 2, holes=0.0003)
    for row in (rows - 1, rows + 100, rows + 199):
        window = columns_of(cut(history, row + 1 - rows, row + 1), pairs, settings, first=rows - 1)
        ends = columns_of(cut(history, 0, row + 1), pairs, settings, first=row)
        assert bytes_of(window.columns, -1, asked=True) == bytes_of(ends.columns, -1, asked=True)


@pytest.mark.parametrize(
    ("key", "value", "rows"),
    [
        ("signals__regime__recall_h", 80, (6 + 1 + 80 + 24 + 1) * 4 - 1),
        ("signals__guards__volatility_h", 90, (90 + 24 + 1) * 4 - 1),
        ("universe__hysteresis__recall_h", 96, (24 + 2 + 96 + 1) * 4 - 1),
    ],
)
def test_the_lookback_is_that_of_the_longest_window(key: str, value: int, rows: int) -> None:
    assert lookback_of(quick(15, **{key: value})) == rows


def test_a_strategy_has_a_say_in_the_lookback_while_it_is_enabled() -> None:
    slow = {"strategies__sma_cross__slow_bars": 1000}
    assert lookback_of(quick(15, "sma_cross", **slow)) > 1000 > lookback_of(quick(15, **slow))


def test_the_walks_show_what_is_known_and_what_is_not() -> None:
    """Else windows would agree on little."""
    every = [
        columns_of(walks(Random(seed), 1500, 15, holes=0.003), instruments(), quick(15, *STRATEGIES)).columns
        for seed in (3, 4, 5, 6)
    ]
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
    sound = columns_of(history, pairs, settings).columns
    for row in random.sample(range(history.rows - 200, history.rows), 3):
        bad = columns_of(poisoned(history, row, random), pairs, settings).columns
        for before in (0, 1, row // 2, row - 60, row - 2, row - 1):
            assert bytes_of(bad, before, asked=False) == bytes_of(sound, before, asked=False)


class Broken:
    unit = "%"

    def lookback(self, parameters: Any, policy: Settings) -> int:
        return 1

    def columns(self, market: Market, parameters: Any) -> Proposals:
        raise KeyError("a figure that is not there")


class Askew(Broken):
    """Right but for one of its columns or terms."""

    def __init__(self, **wrong: Any) -> None:
        self.wrong = wrong

    def columns(self, market: Market, parameters: Any) -> Proposals:
        shape, wrong = market.frame.close.shape, self.wrong
        flags = {name: wrong.get(name, np.ones(shape, np.int8)) for name in ("enter", "leave")}
        terms = Terms(**{name: wrong.get(name, 1) for name in TERMS})
        nothing = Measured(*(np.ones(shape[1]) for _ in range(3)))
        return Proposals(**flags, terms=lambda rows, columns: terms, measured=lambda row: nothing)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Puts a strategy in the place of `momentum`."""
    return lambda strategy: monkeypatch.setitem(strategies.STRATEGIES, "momentum", strategy)


CASES = [
    (Broken(), "KeyError: 'a figure that is not there'"),
    (Askew(enter=np.ones((3, 3))), "ValueError: the shape of enter"),
    (Askew(conviction=np.full(1200, np.nan)), "ValueError: a conviction or a scale is no number"),
    (Askew(scale=np.inf), "ValueError: a conviction or a scale is no number"),
    (Askew(stop_bps=0), "ValueError: an entry without a stop"),
]


@pytest.mark.parametrize(("strategy", "message"), CASES)
def test_a_strategy_that_breaks_stops_itself_alone(broken: Callable[[Any], None], strategy: Any, message: str) -> None:
    seen, settings = walks(Random(3), 300), quick(15, *STRATEGIES)
    sane = columns_of(seen, instruments(), settings)
    broken(strategy)
    found = columns_of(seen, instruments(), settings)
    assert found.failures == {"momentum": message}
    place = [name for name in strategies.STRATEGIES if name in STRATEGIES].index("momentum")
    for name in BY_STRATEGY:
        assert not by_row(found.columns, name)[place].any()
        now, then = (np.delete(by_row(each.columns, name), place, axis=0) for each in (found, sane))
        assert np.array_equal(now, then)
    assert sane.columns.enter.any() and sane.failures == {}


def test_without_strategies_or_instruments_there_is_nothing_to_say() -> None:
    nobody = columns_of(walks(Random(1), 50), instruments(), quick(15)).columns
    assert nobody.enter.shape == (0, 1, 4) and nobody.leave.shape == (0, 50, 4)
    nothing = columns_of(frame(np.zeros((50, 0)), symbols=()), (), quick(15, "rules"))
    assert nothing.columns.close.shape == (50, 0) and nothing.failures == {}


@pytest.mark.parametrize("close", [1, 60_000_00, 9_000_000_000_000, 10**13, 2**53])
def test_a_replay_assumes_the_law_s_own_book_around_the_last_close(close: int) -> None:
    ticks = [close] * 96 + [0]
    costs, seen = costs_of(quick(15)), frame(ticks, [5_000_000] * 97)
    found = columns_of(seen, instruments(FOUR[:1]), quick(15), 96)
    columns = found.columns
    assert columns.bid[-1, 0] == bid_of(costs, close)
    assert columns.ask[-1, 0] == ask_of(costs, close)
    day_cents = found.hours.volumes.day_cents[-1:, 0].astype(np.float64)
    assert columns.depth[columns.asked[-1], 0] == depth_of(costs, day_cents)[0] > 0
    assert columns.age_ms[-1, 0] == 15 * 60_000
    early = columns_of(cut(seen, 0, 95), instruments(FOUR[:1]), quick(15), 94).columns
    assert early.depth[early.asked[-1], 0] == 0, "less than a day is no day"


def test_where_the_price_is_unknown_there_is_no_book() -> None:
    """A minute's price is too old after 96 of them, while the day still counts its volume."""
    seen = frame([1000] * 1440 + [0] * 96, [10**6] * 1536, bar_min=1)
    found = columns_of(seen, instruments(FOUR[:1]), quick(1))
    assert found.hours.volumes.day_cents[-1, 0] > 0
    assert found.columns.bid[-1, 0] == found.columns.ask[-1, 0] == 0
    assert found.columns.bid[-2, 0] > 0


def test_real_quotes_replace_one_row_of_the_book_and_nothing_else() -> None:
    columns = columns_of(walks(Random(3), 300), instruments(), quick(15), 299).columns
    bid, ask, depth, age_ms = (np.array([n, n + 1, n + 2, 0]) for n in (100, 200, 300, 10**6))
    found = with_quotes(columns, 299, bid, ask, depth, age_ms)
    for name, quoted, row in (("bid", bid, 299), ("ask", ask, 299), ("depth", depth, columns.asked[299])):
        assert getattr(found, name)[row].tolist() == quoted.tolist()
        assert np.array_equal(getattr(found, name)[:row], getattr(columns, name)[:row])
    assert found.age_ms[299].tolist() == np.maximum(columns.age_ms[299], age_ms).tolist()
    rest = set(columns._fields) - {"bid", "ask", "depth", "age_ms"}
    assert all(getattr(found, name) is getattr(columns, name) for name in rest)
