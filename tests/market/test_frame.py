"""The grid: candles put on it, last known prices, and its whole hours, each against plain loops."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.market import twins
from tests.market.make import FOUR, START, walks
from trader_core.domain.clocktime import HOUR_MS, MINUTE_MS
from trader_core.domain.market import Candles
from trader_core.domain.values import replace
from trader_core.market.frame import PARTS, Frame, build

BASE_BARS = (1, 5, 15, 60)


@st.composite
def holed(draw: st.DrawFn) -> Frame:
    """Bars of any length with few or many holes, from any bar of an hour on."""
    random, bar_min = Random(draw(st.integers(0, 2**32))), draw(st.sampled_from(BASE_BARS))
    whole = walks(random, draw(st.integers(1, 400)), bar_min, 2, holes=draw(st.sampled_from([0.0, 0.002, 0.05, 0.5])))
    return whole.part(draw(st.integers(0, whole.rows - 1)), whole.rows)


@given(holed(), st.sampled_from([96, 24, 3]))
@examples(60)
def test_the_last_known_close_is_that_of_the_newest_bar_until_it_is_too_old(frame: Frame, mark_bars: int) -> None:
    seen = replace(frame, mark_bars=mark_bars)
    close, age_ms = seen.last_known
    for t in range(frame.rows):
        for i in range(2):
            ages = [age for age in range(min(t + 1, mark_bars)) if frame.present[t - age, i]]
            assert close[t, i] == (frame.close[t - ages[0], i] if ages else 0)
            assert age_ms[t, i] == frame.bar_ms * (ages[0] if ages else mark_bars)


@given(holed())
@examples(60)
def test_hours_are_the_bars_in_them_and_parts_of_hours_are_left_out(frame: Frame) -> None:
    hourly, expected = frame.hourly, twins.hours(frame)
    assert hourly.first_ms % HOUR_MS == 0 and hourly.bar_ms == HOUR_MS and hourly.rows == len(expected)
    for name, part in zip(PARTS[:-1], range(5), strict=True):
        found = getattr(hourly, name).tolist()
        assert found == [[bars[part] for bars in hour] for hour in expected]
    assert hourly.present.tolist() == [[bars[1] > 0 for bars in hour] for hour in expected]


@given(holed())
@examples(60)
def test_a_row_s_hour_is_the_newest_that_has_closed_by_then(frame: Frame) -> None:
    for closes_ms, hour in zip(frame.closes_ms.tolist(), frame.hour.tolist(), strict=True):
        assert hour == sum(begins + HOUR_MS <= closes_ms for begins in range(frame.hourly.first_ms, closes_ms, HOUR_MS))


def columns_of(opens: list[int]) -> Candles:
    """Every figure says which bar it is of."""
    return Candles(opens, *([one // MINUTE_MS % 10**6 * 10 + n for one in opens] for n in range(1, 6)))


@given(st.integers(-30, 30), st.integers(0, 60), st.sampled_from([0, 0, 1, 7]), st.integers(0, 2**32))
@examples(120)
def test_a_frame_has_every_bar_of_its_grid_and_no_other(first: int, count: int, off_ms: int, seed: int) -> None:
    """Bars that are sorted, complete and on the grid take a shorter way there."""
    random, bar_ms, rows = Random(seed), 5 * MINUTE_MS, 25
    opens = [START + (first + n) * bar_ms for n in range(count)]
    if seed % 3 == 0:
        opens = [one for one in opens if random.random() < 0.9]
    if seed % 5 == 0 and opens:
        opens[random.randrange(len(opens))] += off_ms
    frame = build({one: columns_of(opens) for one in FOUR[:2]}, START, START + rows * bar_ms, bar_ms)
    there = {(one - START) // bar_ms: one for one in opens if (one - START) % bar_ms == 0}
    for t in range(rows):
        figures = [int(getattr(frame, name)[t, 1]) for name in PARTS[:-1]]
        assert bool(frame.present[t, 1]) is (t in there)
        assert figures == [there[t] // MINUTE_MS % 10**6 * 10 + n if t in there else 0 for n in range(1, 6)]


@pytest.mark.parametrize("bar_min", BASE_BARS)
def test_an_instrument_s_rows_lie_side_by_side(bar_min: int) -> None:
    frame = build({one: columns_of([START]) for one in FOUR}, START, START + HOUR_MS * 30, bar_min * MINUTE_MS)
    for each in (*(getattr(frame, name) for name in PARTS), *frame.last_known, frame.close_sums, frame.hourly.close):
        assert each.strides[0] == each.itemsize
    assert not frame.is_whole and np.array_equal(frame.counts[-1], [1] * 4)
