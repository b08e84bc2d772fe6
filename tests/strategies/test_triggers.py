"""Triggers: what they measure, that a mirrored market mirrors them, and that a live window knows what history knows."""

from collections import Counter
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.strategies import twin
from tests.strategies.make import (
    LIVELY,
    PARTS,
    PRICE,
    SYMBOLS,
    THREE,
    WICKS,
    arrays,
    bits,
    frame_of,
    frames,
    live,
    mirrored,
    policy,
    steady,
    valley,
)
from trader_core.domain.values import replace
from trader_core.market.frame import Frame
from trader_core.market.seen import Market
from trader_core.market.triggers import Found, find, triggers_lookback
from trader_core.rulebook.codes import REGIMES, UNKNOWN
from trader_core.settings.schema import Settings

KINDS = ("price_move", "volume_spike", "breakout", "reversal", "momentum")
GARBAGE = (0, 1, -1, 2**62, -(2**62), 2**63 - 1, -(2**63))
NO_REGIME = ("ETH-USD", "DOGE-USD")  # without the asset that the regime is read from
SOME = policy(**LIVELY)


def found_in(frame: Frame, settings: Settings) -> Found:
    return find(Market(frame, settings, 0))


def test_the_order_of_kinds_is_the_order_of_their_blocks() -> None:
    blocks = [name for name in type(SOME.strategies.rules).model_fields if name in KINDS]
    assert list(found_in(steady([[PRICE] * 5], ["BTC-USD"]), SOME).kinds) == blocks == list(KINDS)


def test_a_mirrored_market_mirrors_every_trigger() -> None:
    fired: Counter[tuple[str, int]] = Counter()

    @given(mirrored(bars=230, symbols=NO_REGIME))
    @examples(30)
    def holds(pair: tuple[Frame, Frame]) -> None:
        there, back = (found_in(frame, SOME) for frame in pair)
        assert np.array_equal(there.known, back.known)
        assert np.array_equal(there.qualifiers, back.qualifiers)
        for name in KINDS:
            one, other = there.kinds[name], back.kinds[name]
            assert np.array_equal(one.fired, -other.fired), name
            assert np.array_equal(one.change, -other.change), name
            assert np.array_equal(one.strength, other.strength), name
            assert np.array_equal(one.confidence, other.confidence), name
            fired.update((name, way) for way in (1, -1) for _ in range(int((one.fired == way).sum())))

    holds()
    assert all(fired[name, way] > 10 for name in KINDS for way in (1, -1)), fired


def test_every_trigger_equals_its_slow_twin() -> None:
    seen: Counter[object] = Counter()

    @given(st.sampled_from([(15, 2), (5, 2), (15, 30)]), st.data())
    @examples(50)
    def holds(bar_min_and_volume_h: tuple[int, int], data: st.DataObject) -> None:
        bar_min, volume_h = bar_min_and_volume_h
        settings = policy(bar_min, **LIVELY | {"signals__triggers__volume_h": volume_h})
        bars = triggers_lookback(settings) + 60
        frame = data.draw(frames(bars, bar_min))
        rows = data.draw(st.lists(st.integers(bars - 160, bars - 1), min_size=12, max_size=20))
        market = Market(frame, settings, 0)
        for column in range(len(SYMBOLS)):
            series = twin.Series(frame, settings, column)
            for row in rows:
                compare(market, twin.Cell(series, row), column, seen)

    holds()
    assert all(seen[name, way] for name in KINDS for way in (1, 0, -1)), seen
    assert all(seen["regime", regime] for regime in range(UNKNOWN + 1, len(REGIMES))), seen
    assert all(seen["qualifiers", count] for count in (1, 2, 3)), seen
    assert seen["known", True] and seen["known", False], seen


def compare(market: Market, cell: twin.Cell, column: int, seen: Counter[object]) -> None:
    found, at, known, regime = (
        market.triggers,
        (cell.row, column),
        cell.known(),
        int(market.regime[market.hour[cell.row]]),
    )
    limits = getattr(SOME.signals.thresholds, REGIMES[regime] if regime else "crash")  # the strictest in LIVELY
    assert bool(found.known[at]) is known
    for name, expected_of in twin.TWINS.items():
        one = found.kinds[name]
        expected = twin.silenced(cell, limits, expected_of(cell, limits)) if known else twin.NOTHING
        assert int(one.fired[at]) == expected[0], name
        measured = (one.change[at], one.strength[at], one.confidence[at])
        assert measured == pytest.approx(expected[1:], rel=1e-12), name
        seen.update([(name, expected[0])])
    way = int(found.kinds["reversal"].fired[at])
    count = twin.qualifiers(cell, way > 0) if way else 0
    assert int(found.qualifiers[at]) == count
    seen.update([("regime", regime), ("known", known), ("qualifiers", count)])


@pytest.mark.parametrize("bar_min", [1, 5, 15])
def test_a_live_window_of_the_triggers_knows_what_all_of_history_knows(bar_min: int) -> None:
    settings = policy(bar_min, **LIVELY)
    lookback = triggers_lookback(settings)
    seen: set[bool] = set()

    @given(frames(lookback + 120, bar_min, THREE, holed=1), st.data())
    @examples({1: 12, 5: 15, 15: 25}[bar_min])
    def holds(frame: Frame, data: st.DataObject) -> None:
        whole = found_in(frame, settings)
        for row in data.draw(st.lists(st.integers(lookback - 1, frame.rows - 1), min_size=1, max_size=8)):
            assert bits(find(live(frame, settings, row, lookback)), -1) == bits(whole, row)
            seen.update(whole.known[row].tolist())

    holds()
    assert seen == {True, False}


@given(frames(bars=240), st.integers(100, 239), st.integers(0, 2**32))
@examples(25)
def test_a_poisoned_future_changes_no_earlier_row(frame: Frame, row: int, seed: int) -> None:
    random = Random(seed)
    parts = {name: getattr(frame, name).copy() for name in PARTS}
    for name, part in parts.items():
        rest = part[row:]
        choices = (False, True) if name == "present" else GARBAGE
        rest[:] = np.array([random.choice(choices) for _ in range(rest.size)]).reshape(rest.shape)
    bad = replace(frame, **parts)
    sound = found_in(frame, SOME)
    with np.errstate(all="ignore"):
        poisoned = found_in(bad, SOME)
    for one, other in zip(arrays(sound), arrays(poisoned), strict=True):
        assert one[:row].tobytes() == other[:row].tobytes()


@given(frames(bars=240), st.integers(0, 239))
@examples(25)
def test_what_is_not_asked_about_is_not_known(frame: Frame, first: int) -> None:
    whole, part = found_in(frame, SOME), find(Market(frame, SOME, first))
    for one, other in zip(arrays(whole), arrays(part), strict=True):
        assert one[first:].tobytes() == other[first:].tobytes()
        assert not other[:first].any()


ONE = ["ETH-USD"]
STRICT = policy(**{key: value for key, value in LIVELY.items() if key.startswith("signals__regime")})
FLAT = [PRICE] * 120


def last(found: Found, name: str) -> tuple[float, ...]:
    one = found.kinds[name]
    return tuple(float(part[-1, 0]) for part in (one.fired, one.change, one.strength, one.confidence))


def away(pct: float) -> int:
    """The price that is that signed move away."""
    return round(PRICE * (1 + pct / 100) if pct >= 0 else PRICE / (1 - pct / 100))


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ([3.49], (0, 0.0, 0.0, 0.0)),
        ([3.51], (1, 0.0351, 0.6, 0.70)),
        ([3, 5, 6.9, 7.01], (1, 0.0701, 0.7, 0.75)),
        ([1, 2, 3, 7.01], (1, 0.0701, 0.8, 0.85)),
        ([5, 9, 12, 7.5], (0, 0.0, 0.0, 0.0)),  # 4 % down within the last bar: no rise is bought into that
        ([5, 9, 10, 7.5], (1, 0.075, 0.7, 0.75)),  # a little down: the hour alone counts
        ([3.51, 3.51], (0, 0.0, 0.0, 0.0)),
    ],
)
def test_a_price_move_is_signed_and_of_15_or_60_minutes(way: int, path: list[float], expected: list[float]) -> None:
    """An unknown regime takes the strictest thresholds: 3.5 % and 7 %."""
    found = found_in(steady([FLAT + [away(way * pct) for pct in path]], ONE), STRICT)
    fired, change, strength, confidence = expected
    assert last(found, "price_move") == pytest.approx((way * fired, way * change, strength, confidence), abs=1e-6)


@pytest.mark.parametrize("way", [1, -1])
def test_a_price_that_is_back_has_not_moved(way: int) -> None:
    """The reference saw a move in any of the last bars, and lost its sign."""
    found = found_in(steady([[*FLAT, away(way * 20), PRICE, PRICE, PRICE, PRICE, PRICE]], ONE), STRICT)
    assert last(found, "price_move")[0] == 0


@pytest.mark.parametrize(("way", "name"), [(1, "high"), (-1, "low")])
@pytest.mark.parametrize(("beyond", "fires"), [(-1, False), (0, False), (1, True)])
def test_a_breakout_needs_the_previous_extreme_to_be_broken(way: int, name: str, beyond: int, fires: bool) -> None:
    frame = steady([[*FLAT, PRICE + way * (500 + beyond)]], ONE)
    edge = getattr(frame, name).copy()
    edge[-50], edge[-1] = PRICE + way * 500, PRICE + way * 10_000  # the bar's own extreme is no hurdle
    found = found_in(replace(frame, **{name: edge}), STRICT)
    assert last(found, "breakout")[0] == (way if fires else 0)


def test_a_breakout_forgets_what_is_older_than_its_hours() -> None:
    frame = steady([[*FLAT, PRICE + 501]], ONE)
    for age, fires in ((96, False), (97, True)):
        highs = frame.high.copy()
        highs[-1 - age] = PRICE + 10_000
        assert bool(last(found_in(replace(frame, high=highs), STRICT), "breakout")[0]) is fires


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize(
    ("volume", "pct", "expected"),
    [
        (1_990, 2.5, (0, 0.0, 0.0)),
        (2_500, 2.5, (1, 0.5, 0.625)),
        (9_000, 2.5, (1, 1.0, 1.0)),
        (9_000, 1.99, (0, 0.0, 0.0)),
    ],
)
def test_a_volume_spike_points_where_the_price_went(
    way: int, volume: int, pct: float, expected: tuple[float, ...]
) -> None:
    frame = steady([FLAT + [away(way * pct * n / 4) for n in (1, 2, 3, 4)]], ONE)
    volumes = frame.volume.copy()
    volumes[-4:] = volume
    fired, _, strength, confidence = last(found_in(replace(frame, volume=volumes), STRICT), "volume_spike")
    assert (way * fired, strength, confidence) == pytest.approx(expected)


def test_volumes_as_large_as_they_may_be_do_not_wrap() -> None:
    settings = policy(**LIVELY | {"signals__triggers__volume_h": 168})
    closes = [PRICE] * 900 + [away(n) for n in (1, 2, 3, 4)]
    frame = steady([closes], ONE, volume=2**56 * 2 // 5)
    volumes = frame.volume.copy()
    volumes[-4:] = 2**56
    one = last(found_in(replace(frame, volume=volumes), settings), "volume_spike")
    assert one[0] == 1 and one[2:] == pytest.approx((0.5, 0.625))


def test_an_instrument_without_volume_has_no_spike() -> None:
    frame = steady([FLAT + [away(n) for n in (1, 2, 3, 4)]], ONE, volume=0)
    assert last(found_in(frame, STRICT), "volume_spike")[0] == 0


def test_every_close_of_the_window_must_be_known() -> None:
    """An instrument is listed: for the first window's length no two missing bars are forgiven, there is no price."""
    closes = np.array([[PRICE] * 140], np.int64).T
    present = np.arange(140)[:, None] >= 20
    found = found_in(frame_of(closes, closes, closes, closes, present, symbols=ONE), SOME)
    assert np.flatnonzero(found.known[:, 0])[0] == 20 + 96 - 1


@pytest.mark.parametrize(("missing", "known"), [(0, True), (2, True), (3, False)])
def test_a_window_with_too_many_holes_is_unknown_and_fires_nothing(missing: int, known: bool) -> None:
    closes = np.array([[*FLAT, away(10)]], np.int64).T
    present = np.ones(closes.shape, np.bool_)
    present[-60 : -60 + missing] = False
    volumes = np.full(closes.shape, 7, np.int64)
    found = found_in(frame_of(closes, closes, closes, volumes, present, symbols=ONE), STRICT)
    assert bool(found.known[-1, 0]) is known
    assert bool(last(found, "price_move")[0]) is known


@pytest.mark.parametrize(
    ("wicks", "count"),
    [((), 2), (WICKS, 3), ((8,), 2), ((45, 60), 3), ((46, 60), 2), ((8, 52), 3), ((8, 53), 2), ((1, 20), 2)],
)
def test_a_reversal_counts_what_speaks_for_it(wicks: tuple[int, ...], count: int) -> None:
    """Above its mean price and well above the low of three hours; never a cross; rising lows only where two pivots
    are confirmed and recent."""
    settings = policy(signals__triggers__breakout_h=48)
    found = found_in(valley(NO_REGIME, wicks), settings)
    fired, change, strength, confidence = last(found, "reversal")
    assert (fired, confidence) == (1, 0.6)
    assert change == pytest.approx(0.07, abs=1e-6) and strength == pytest.approx(0.35, abs=1e-5)
    assert found.qualifiers[-1].tolist() == [count, count]


def test_a_steady_rise_is_momentum_with_full_confidence() -> None:
    closes = [round(PRICE * (1 + 0.0004 * n)) for n in range(140)]
    assert all(now > then for then, now in pairwise(closes))
    fired, change, strength, confidence = last(found_in(steady([closes], ONE), STRICT), "momentum")
    assert (fired, confidence) == (1, 1.0)
    assert strength == pytest.approx(change * 10)
    assert change == pytest.approx(closes[-1] / closes[-97] - 1)
