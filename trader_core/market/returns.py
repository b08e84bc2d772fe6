"""Daily returns of every instrument, by UTC day: what correlation and value at risk are measured on.

Simple returns, close over close: what a book of several loses on a day is then the weighted sum of theirs. A day's
close is the newest of its bars; of a day without a bar, and of the one after it, there is no return.
"""

from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import DAY_MS, HOUR_MS
from trader_core.market.frame import Days, Frame
from trader_core.rulebook.limits import Floats, Ints
from trader_core.rulebook.state import NO_RETURN, Columns

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

DAY_H = 24


def days_back(policy: "Settings") -> int:
    """Closes that the longest window of returns needs, the day before it too."""
    portfolio = policy.policy.portfolio
    return max(portfolio.var_window_days, portfolio.cluster_window_days) + 1


def days_before(policy: "Settings", first_ms: int, decision_ms: int) -> range:
    """The days whose closes a frame that begins at `first_ms` lacks for a decision, the one it begins in too."""
    return range(decision_ms // DAY_MS - days_back(policy), -(-first_ms // DAY_MS))


def days_of(frame: Frame) -> Days:
    """All that is known of days: those before the frame, and its own whole ones."""
    own, before = _own_days(frame.hourly), frame.before
    count = own.first - before.first
    if not len(before.close) or count <= 0:
        return own
    close = np.zeros((count + len(own.close), len(frame.symbols)), np.int64)
    close[: min(count, len(before.close))] = before.close[:count]
    close[count:] = own.close
    return Days(before.first, close)


def _own_days(hourly: Frame) -> Days:
    ahead = -hourly.first_ms % DAY_MS // HOUR_MS
    first, count = (hourly.first_ms + ahead * HOUR_MS) // DAY_MS, max(hourly.rows - ahead, 0) // DAY_H
    days = hourly.part(ahead, ahead + count * DAY_H)
    shape = (count, DAY_H, len(hourly.symbols))
    close = days.close.reshape(shape)
    if hourly.is_whole:
        return Days(first, close[:, -1])
    present = days.present.reshape(shape)
    newest = DAY_H - 1 - present[:, ::-1].argmax(axis=1)
    closes = np.where(present.any(axis=1), np.take_along_axis(close, newest[:, None], axis=1)[:, 0], 0)
    return Days(first, closes)


def daily_returns(frame: Frame) -> tuple[Ints, Floats]:
    """(the first day's number [1], returns [day, instrument]) of the days that are known; NO_RETURN where there is
    none."""
    days = days_of(frame)
    found = np.full(days.close.shape, NO_RETURN)
    before, after = days.close[:-1], days.close[1:]
    known = (before > 0) & (after > 0)
    found[1:][known] = after[known] / before[known] - 1.0
    return np.array([days.first], np.int64), found


def newest_returns(columns: Columns) -> Floats:
    """[row, instrument], that of the newest day that has closed at each row."""
    days = np.clip(columns.at_ms // DAY_MS - columns.first_day[0], 0, len(columns.returns))
    padded = np.concatenate([np.full((1, columns.close.shape[1]), NO_RETURN), columns.returns])
    return np.asarray(padded[days])
