"""The guards against their slow twins, and the cases that each exists for."""

from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.market import twins
from tests.market.make import cut, frame, market, policy, walks
from trader_core.market.frame import Frame
from trader_core.market.guards import (
    Ranges,
    day_ranges,
    deviations_at,
    guards_lookback,
    jumps_at,
    outliers,
    volatility_at,
)
from trader_core.market.seen import Market
from trader_core.rulebook.limits import Flags, Floats, Ints
from trader_core.settings.schema import Settings

SHORT = {"outlier_bars": 8, "jump_bars": 12, "atr_h": 2, "atr_median_h": 5, "volatility_h": 4}


def short(bar_min: int = 15, *, missing: int = 2, **changes: Any) -> Settings:
    edits = {f"signals__guards__{key}": value for key, value in {**SHORT, **changes}.items()}
    return policy(policy__cycle__base_bar_min=bar_min, signals__windows__max_missing_bars=missing, **edits)


@st.composite
def frames_of_prices(draw: st.DrawFn) -> Frame:
    """Mostly quiet, with leaps, absent bars and hardly any volume here and there."""
    random, rows = Random(draw(st.integers(0, 2**32))), draw(st.integers(1, 260))
    close, volume, holes = np.full((rows, 2), 100_000), np.zeros((rows, 2), np.int64), random.choice((0.0, 0.005, 0.1))
    for i in range(2):
        for t in range(rows):
            close[t, i] += random.randint(-40, 40) + (random.random() < 0.01) * random.choice((-9_000, 700, 9_000))
            volume[t, i] = random.choice((0, 100, 1_000))
            close[t, i] *= random.random() >= holes
    return frame(close, volume)


@dataclass(frozen=True)
class Doubts:
    """What is doubted bar by bar, in every cell."""

    deviation: Floats
    outlier: Flags
    jump: Floats


def doubts(here: Market) -> Doubts:
    shape = here.frame.close.shape
    rows, columns = (each.ravel() for each in np.indices(shape))
    deviation, jump = (of(here, rows, columns).reshape(shape) for of in (deviations_at, jumps_at))
    return Doubts(deviation, outliers(here), jump)


def doubted(close: object, volume: object = None, bar_min: int = 15, **changes: Any) -> Doubts:
    return doubts(market(frame(close, volume, bar_min=bar_min), short(bar_min, **changes)))


def volatility(hourly: Market) -> Floats:
    """Of all cells."""
    rows, columns = (each.ravel() for each in np.indices(hourly.frame.close.shape))
    return volatility_at(hourly, rows, columns).reshape(hourly.frame.close.shape)


def ratios(hourly: Market) -> Floats:
    """Of a market of hours, in every cell."""
    rows, columns = (each.ravel() for each in np.indices(hourly.frame.close.shape))
    return Ranges(hourly).ratios_at(rows, columns).reshape(hourly.frame.close.shape)


@pytest.mark.parametrize(
    ("bar_min", "seed", "missing"),
    [(1, 1, 2), (1, 2, 2), (5, 3, 2), (15, 4, 2), (60, 5, 2), (1, 6, 100), (15, 7, 5), (1, 8, 0)],
)
def test_doubts_are_their_slow_twins(bar_min: int, seed: int, missing: int) -> None:
    random = Random(seed)
    settings = short(bar_min, outlier_deviation_pct=2.0, outlier_volume_pct=30.0, missing=missing)
    seen = walks(random, 500, bar_min, holes=0.0 if seed == 8 else 0.01)
    found = doubts(market(seen, settings))
    for t, i in [(random.randrange(seen.rows), random.randrange(4)) for _ in range(150)]:
        deviation, outlier = twins.outlier(seen, t, i, settings)
        assert found.deviation[t, i] == pytest.approx(deviation)
        assert found.outlier[t, i] == outlier
        if bar_min == 1:
            assert found.jump[t, i] == pytest.approx(twins.jump(seen, t, i, settings))


@given(frames_of_prices(), st.integers(2, 40), st.sampled_from([0.01, 0.5, 3.0]), st.integers(0, 3), st.data())
@examples(40)
def test_no_outlier_hides_in_a_block_that_is_not_measured(
    seen: Frame, length: int, limit: float, missing: int, data: st.DataObject
) -> None:
    settings = short(missing=missing, outlier_bars=length, outlier_deviation_pct=limit, outlier_volume_pct=60.0)
    first = data.draw(st.integers(0, seen.rows - 1))
    found = outliers(market(seen, settings, first))
    for t in range(first, seen.rows):
        for i in range(len(seen.symbols)):
            assert found[t - first, i] == twins.outlier(seen, t, i, settings)[1]


@pytest.mark.parametrize(("seed", "missing"), [(1, 2), (2, 5), (3, 0)])
def test_the_weather_is_its_slow_twin(seed: int, missing: int) -> None:
    random, settings = Random(seed), short(60, missing=missing)
    hourly = market(walks(random, 400, 60, holes=0.003 * seed), settings).hourly
    wild, ratio, ranges = volatility(hourly), ratios(hourly), Ranges(hourly)
    for t, i in [(random.randrange(400), random.randrange(4)) for _ in range(150)]:
        assert wild[t, i] == pytest.approx(twins.volatility(hourly.frame, t, i, 4))
        assert ranges.average[t, i] == twins.atr(hourly.frame, t, i, settings)
        assert ratio[t, i] == pytest.approx(twins.atr_ratio(hourly.frame, t, i, settings))
        assert day_ranges(hourly.frame)[t, i] == pytest.approx(twins.day_range(hourly.frame, t, i))


@pytest.mark.parametrize("bar_min", [1, 15])
def test_walks_show_the_known_and_the_unknown_of_every_guard(bar_min: int) -> None:
    """Else the twins above would agree on little."""
    found = doubts(market(walks(Random(1), 500, bar_min), short(bar_min, outlier_deviation_pct=2.0)))
    hourly = market(walks(Random(2), 400, 60, holes=0.01), short(60)).hourly
    for figure in (found.deviation, volatility(hourly), ratios(hourly), day_ranges(hourly.frame)):
        assert 0.01 < (figure < 0).mean() < 0.95
    assert (found.jump == -1.0).any() and (found.jump > 1.0).any()
    known = found.deviation >= 0
    assert {0, 1} == set(found.outlier[known].tolist()) and {0, 1, 2} == set(found.outlier[~known].tolist())


@pytest.mark.parametrize("bar_min", [1, 5, 15, 60])
@pytest.mark.parametrize("holes", [0.0, 0.02, 0.5])
def test_no_guard_ever_is_no_number(bar_min: int, holes: float) -> None:
    """A comparison with one would open the gate."""
    here = market(walks(Random(3), 400, bar_min, holes=holes), short(bar_min))
    found, hourly = doubts(here), here.hourly
    for figure in (found.deviation, found.jump, volatility(hourly), ratios(hourly), day_ranges(hourly.frame)):
        assert np.isfinite(figure).all()
        assert np.isin(figure[figure < 0], [-1.0]).all()


STEADY, USUAL = [1000] * 8, [100] * 8


@pytest.mark.parametrize(
    ("close", "volume", "outlier"),
    [
        (1111, 9, 1),  # 11 % on 9 % of the usual volume
        (889, 9, 1),  # a fall as well
        (1100, 9, 0),  # 10 % is not beyond 10 %
        (1111, 10, 0),  # enough volume
        (1000, 0, 0),
    ],
)
def test_a_price_is_an_outlier_when_it_is_far_away_on_hardly_any_volume(close: int, volume: int, outlier: int) -> None:
    found = doubted([*STEADY, close], [*USUAL, volume])
    assert found.outlier[-1, 0] == outlier
    assert found.deviation[-1, 0] == pytest.approx(abs(close - 1000) / 10)


@pytest.mark.parametrize(("close", "outlier"), [(1_101, 1), (1_100, 0), (899, 1), (900, 0)])
@pytest.mark.parametrize("row", [64, 150, 191, 299])
def test_a_price_just_beyond_the_limit_is_found_wherever_it_stands(row: int, close: int, outlier: int) -> None:
    closes = [1000] * 300
    closes[row] = close
    found = doubted(closes, [0] * 300).outlier[:, 0]
    assert found[row] == outlier and found[8:].sum() == outlier


def test_nothing_after_nothing_does_not_back_a_price() -> None:
    assert doubted([*STEADY, 1200], [*[0] * 8, 0]).outlier[-1, 0] == 1
    assert doubted([*STEADY, 1200], [*[0] * 8, 1]).outlier[-1, 0] == 0


def test_a_close_with_too_little_before_it_is_not_believed() -> None:
    assert doubted([1000] * 8).outlier[-1, 0] == 2
    assert doubted([1000] * 9).outlier[-1, 0] == 0
    assert doubted([1000, 0, 0, *[1000] * 6]).outlier[-1, 0] == 0
    assert doubted([1000, 0, 0, 0, *[1000] * 5]).outlier[-1, 0] == 2


def test_an_absent_bar_has_no_close_to_judge() -> None:
    found = doubted([*STEADY, 1000, 0])
    assert (found.outlier[-1, 0], found.deviation[-1, 0]) == (0, -1.0)


def test_a_price_is_believed_no_more_for_the_silence_after_it() -> None:
    """It is the newest one for MARK_BARS, then there is none, and the next bar is judged by itself."""
    found = doubted([*STEADY, 1111, *[0] * 100, 1000], [*USUAL, 9, *[0] * 100, 100]).outlier[8:, 0]
    assert found.tolist() == [1] * 96 + [0] * 5 + [2]
    assert doubted([*STEADY[1:], 0]).outlier[-1, 0] == 2


WIGGLE = [1000 + n % 2 for n in range(13)]


def test_a_jump_is_measured_by_the_moves_before_it() -> None:
    usual = np.std([round(1e6 * twins.signed(b, a)) for a, b in pairwise(WIGGLE)], ddof=1)
    found = doubted([*WIGGLE, 1050], bar_min=1)
    assert found.jump[-1, 0] == pytest.approx(50_000 / usual)
    assert found.jump[-2, 0] == -1.0
    assert doubted([*WIGGLE, 950], bar_min=1).jump[-1, 0] == pytest.approx(1e6 * (1000 / 950 - 1) / usual, rel=1e-4)


def test_a_jump_is_unknown_where_a_price_of_its_window_is_or_too_many_bars_are_missing() -> None:
    assert doubted([1000, 0, *WIGGLE], bar_min=1).jump[-1, 0] > 0.0
    assert doubted([0, 0, *WIGGLE], bar_min=1).jump[-1, 0] == -1.0
    assert doubted([1000, 1000, *WIGGLE], bar_min=1, missing=0).jump[-1, 0] > 0.0
    assert doubted([1000, 0, *WIGGLE], bar_min=1, missing=0).jump[-1, 0] == -1.0


def test_where_nothing_ever_moved_any_move_is_a_jump() -> None:
    assert doubted([1000] * 14, bar_min=1).jump[-1, 0] == 0.0
    assert doubted([*[1000] * 13, 1001], bar_min=1).jump[-1, 0] == 1e6


def weather_of(close: object, **changes: Any) -> Market:
    """A market of hours that close so."""
    return market(frame(close, bar_min=60), short(60, **changes)).hourly


def test_a_market_that_never_moves_is_as_usual_and_one_that_awakes_is_beyond_it() -> None:
    still = [1000] * 10
    assert ratios(weather_of(still))[-1, 0] == 1.0
    assert ratios(weather_of([*still, 1010]))[-1, 0] == 1e6


def test_the_range_of_an_hour_starts_at_the_close_before_it() -> None:
    close = np.array([1000, 1000, 1100, 1090])
    seen = frame(close, high=close + 5, low=close - 7, bar_min=60)
    assert Ranges(market(seen, short(60)).hourly).average[-1, 0] == ((1105 - 1000) + (1100 - 1083)) / 2


def test_the_range_of_a_day_needs_ten_hours_that_have_one() -> None:
    close = np.array([1000] * 11)
    few, enough = (frame(close[:hours], high=close[:hours] + 20, bar_min=60) for hours in (10, 11))
    assert day_ranges(market(few, short(60)).hourly.frame)[-1, 0] == -1.0
    assert day_ranges(market(enough, short(60)).hourly.frame)[-1, 0] == pytest.approx(2.0)


@pytest.mark.parametrize("bar_min", [1, 5, 15])
@pytest.mark.parametrize(
    ("changes", "hours"), [({"volatility_h": 37}, 37 + 24), ({"atr_h": 30, "atr_median_h": 4}, 33 + 24), ({}, 24 + 24)]
)
def test_the_lookback_is_that_of_so_many_whole_hours_at_any_minute(
    bar_min: int, changes: dict[str, int], hours: int
) -> None:
    assert guards_lookback(short(bar_min, **changes)) == (hours + 1) * 60 // bar_min - 1


def test_the_lookback_of_a_jump_is_as_short_as_it_can_be() -> None:
    """Its first bar is the oldest price that counts, and no later bar makes up for it."""
    settings = short(1, missing=100, jump_bars=400)
    prices = 1000 + np.arange(401 + 96) % 2
    prices[1:96] = 0
    assert guards_lookback(settings) >= len(prices)
    whole = frame(prices, bar_min=1)
    live, shorter = (doubts(market(each, settings)).jump for each in (whole, cut(whole, 1, whole.rows)))
    assert live[-1, 0] > 0 > shorter[-1, 0]


def test_the_lookback_of_an_outlier_is_as_short_as_it_can_be() -> None:
    """Its first bar is one of those with which the close is compared that is the newest for as long as one may be."""
    settings = short(60, missing=0, outlier_bars=20)
    whole = frame([*[1000] * 20, 1111, *[0] * 95], [*[100] * 20, 9, *[0] * 95], bar_min=60)
    assert guards_lookback(settings) == whole.rows
    live, shorter = (outliers(market(each, settings, each.rows - 1)) for each in (whole, cut(whole, 1, whole.rows)))
    assert (live[-1, 0], shorter[-1, 0]) == (1, 2)


@pytest.mark.parametrize(("name", "hours"), [("volatility", 4 + 24), ("atr", 2 + 24), ("day_range", 24 + 24)])
def test_the_oldest_hour_that_counts_is_the_first_of_the_lookback(name: str, hours: int) -> None:
    """It alone has a price, and no later one makes up for it."""
    prices = np.zeros(hours, np.int64)
    prices[0], prices[24:] = 1000, 1000 + np.arange(hours - 24) % 3 * 10

    def last(close: Ints) -> float:
        hourly = weather_of(close, volatility_h=4, missing=0)
        ranges = day_ranges(hourly.frame)
        figures = {"volatility": volatility(hourly), "atr": Ranges(hourly).average, "day_range": ranges}
        return float(figures[name][-1, 0])

    assert last(prices) > 0
    assert last(prices) != last(prices[1:])
