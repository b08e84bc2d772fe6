"""Daily returns: whole UTC days, from close to close, and nothing where a day is missing."""

from random import Random

import numpy as np
import pytest

from tests.laws.make import policy
from tests.market.make import walks
from trader_core.domain.clocktime import DAY_MS
from trader_core.domain.values import replace
from trader_core.engine.columns import lookback_of
from trader_core.market.frame import Days, Frame
from trader_core.market.returns import daily_returns, days_before, days_of
from trader_core.rulebook.limits import Floats
from trader_core.rulebook.state import NO_RETURN


def by_hand(frame: Frame, column: int) -> dict[int, float]:
    """The return of each UTC day that lies in the frame whole, by its number."""
    closes: dict[int, int] = {}
    for row, closes_ms in enumerate(frame.closes_ms.tolist()):
        day = (closes_ms - 1) // DAY_MS
        whole = frame.first_ms <= day * DAY_MS and (day + 1) * DAY_MS <= frame.closes_ms[-1]
        if whole:
            closes.setdefault(day, 0)
            closes[day] = int(frame.close[row, column]) if frame.present[row, column] else closes[day]
    return {
        day: close / closes[day - 1] - 1.0 if closes.get(day - 1, 0) > 0 < close else NO_RETURN
        for day, close in closes.items()
    }


@pytest.mark.parametrize(("bar_min", "holes"), [(60, 0.0), (60, 0.6), (15, 0.05), (5, 0.0)])
def test_each_day_is_what_a_count_by_hand_finds(bar_min: int, holes: float) -> None:
    """Also where the frame begins and ends in the middle of a day, or of an hour."""
    per_day = 1440 // bar_min
    frame = walks(Random(bar_min), 6 * per_day + 5, bar_min, holes=holes)
    frame.present[per_day * 2 : per_day * 4, 1] = False  # a coin that is silent for two days
    for first in (0, 1, 3, per_day - 1):
        part = frame.part(first, frame.rows - first)
        (begin,), found = daily_returns(part)
        for column in range(len(part.symbols)):
            expected = by_hand(part, column)
            assert dict(enumerate(found[:, column].tolist(), int(begin))) == expected
    assert (found == NO_RETURN).any() and (found > -1).any()


@pytest.mark.parametrize("bar_min", [5, 60])
@pytest.mark.parametrize("windows", [(3, 2), (7, 9)])
def test_a_window_and_the_days_before_it_hold_every_day_that_is_asked_for(
    bar_min: int, windows: tuple[int, int]
) -> None:
    """To the bit, at whatever bar of a day it is looked at; also where the window alone holds them all."""
    var_days, cluster_days = windows
    settings = policy(
        policy__portfolio__var_window_days=var_days, policy__portfolio__cluster_window_days=cluster_days,
        strategies__rules__enabled=False, policy__cycle__base_bar_min=bar_min,
    )  # fmt: skip
    rows, per_day, count = lookback_of(settings), 1440 // bar_min, max(windows)
    frame = walks(Random(7), rows + (count + 4) * per_day, bar_min, holes=0.01)
    whole, known = daily_returns(frame), days_of(frame)
    longer = 0
    for row in range(rows + (count + 1) * per_day, frame.rows, 7):
        window = frame.part(row + 1 - rows, row + 1)
        days = days_before(settings, window.first_ms, int(window.closes_ms[-1]))
        before = Days(days.start, known.close[days.start - known.first : days.stop - known.first])
        live = daily_returns(replace(window, before=before))
        today = int(frame.closes_ms[row]) // DAY_MS
        assert newest(live, today, count).tobytes() == newest(whole, today, count).tobytes()
        longer += len(days) == 0
    assert longer == 0 or var_days == 3


def test_of_days_that_overlap_the_frames_own_count_and_a_day_between_is_unknown() -> None:
    frame = walks(Random(3), 24 * 4 + 5, 60, columns=1, holes=0.0)
    own = days_of(frame)
    early = Days(own.first - 3, np.array([[7], [8], [9], [10], [11]]))
    found = days_of(replace(frame, before=early))
    assert found.first == own.first - 3
    assert found.close[:, 0].tolist() == [7, 8, 9, *own.close[:, 0].tolist()]
    (_,), returns = daily_returns(replace(frame, before=replace(early, first=own.first - 7)))
    assert returns[:, 0].tolist()[5:8] == [NO_RETURN] * 3


def newest(told: tuple[np.ndarray, Floats], today: int, count: int) -> Floats:
    (begin,), found = told
    end = today - int(begin)
    assert end >= count
    return np.ascontiguousarray(found[end - count : end])


def test_less_than_a_day_has_none() -> None:
    _, found = daily_returns(walks(Random(1), 23, 60))
    assert found.shape[0] == 0
