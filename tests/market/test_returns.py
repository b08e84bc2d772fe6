"""Daily returns: whole UTC days, from close to close, and nothing where a day is missing."""

from random import Random

import numpy as np
import pytest

from tests.laws.make import policy
from tests.market.make import cut, walks
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS
from trader_core.market.frame import Frame
from trader_core.market.returns import daily_returns, returns_lookback
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
        part = cut(frame, first, frame.rows - first)
        (begin,), found = daily_returns(part.hourly)
        for column in range(len(part.symbols)):
            expected = by_hand(part, column)
            assert dict(enumerate(found[:, column].tolist(), int(begin))) == expected
    assert (found == NO_RETURN).any() and (found > -1).any()


@pytest.mark.parametrize("bar_min", [5, 60])
def test_the_lookback_holds_every_day_of_the_window(bar_min: int) -> None:
    """To the bit, at whatever bar of a day it is looked at."""
    rules = {"strategies__rules__enabled": False, "policy__cycle__base_bar_min": bar_min}
    settings = policy(policy__portfolio__var_window_days=3, policy__portfolio__cluster_window_days=2, **rules)
    rows, per_day = returns_lookback(settings), 1440 // bar_min
    frame = walks(Random(7), rows + 2 * per_day, bar_min, holes=0.01)
    whole = daily_returns(frame.hourly)
    for row in range(rows, frame.rows, 7):
        live = daily_returns(cut(frame, row + 1 - rows, row + 1).hourly)
        today = int(frame.closes_ms[row]) // DAY_MS
        assert newest(live, today, 3).tobytes() == newest(whole, today, 3).tobytes()
    assert frame.bar_ms == bar_min * MINUTE_MS


def newest(told: tuple[np.ndarray, Floats], today: int, count: int) -> Floats:
    (begin,), found = told
    end = today - int(begin)
    assert end >= count
    return np.ascontiguousarray(found[end - count : end])


def test_less_than_a_day_has_none() -> None:
    _, found = daily_returns(walks(Random(1), 23, 60).hourly)
    assert found.shape[0] == 0
