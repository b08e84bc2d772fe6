"""Daily returns of every instrument, by UTC day: what correlation and value at risk are measured on.

Simple returns, close over close: what a book of several loses on a day is then the weighted sum of theirs. A day's
close is the newest of its bars; of a day without a bar, and of the one after it, there is no return.
"""

from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import DAY_MS, HOUR_MS
from trader_core.market.frame import Frame
from trader_core.market.windows import rows_of_hours
from trader_core.rulebook.limits import Floats, Ints
from trader_core.rulebook.state import NO_RETURN, Columns

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

DAY_H = 24


def returns_lookback(policy: "Settings") -> int:
    """Rows of the longest window of days, of the day before it, and of the one that has begun."""
    portfolio = policy.policy.portfolio
    return rows_of_hours(policy, DAY_H * (max(portfolio.var_window_days, portfolio.cluster_window_days) + 2))


def daily_returns(hourly: Frame) -> tuple[Ints, Floats]:
    """(the first whole day's number [1], returns [day, instrument]) of whole hours; NO_RETURN where there is none."""
    ahead = -hourly.first_ms % DAY_MS // HOUR_MS
    first_day, count = (hourly.first_ms + ahead * HOUR_MS) // DAY_MS, max(hourly.rows - ahead, 0) // DAY_H
    days = hourly.part(ahead, ahead + count * DAY_H)
    shape = (count, DAY_H, len(hourly.symbols))
    present, close = days.present.reshape(shape), days.close.reshape(shape)
    newest = DAY_H - 1 - present[:, ::-1].argmax(axis=1)
    closes = np.where(present.any(axis=1), np.take_along_axis(close, newest[:, None], axis=1)[:, 0], 0)
    found = np.full(closes.shape, NO_RETURN)
    before, known = closes[:-1], (closes[:-1] > 0) & (closes[1:] > 0)
    found[1:][known] = closes[1:][known] / before[known] - 1.0
    return np.array([first_day], np.int64), found


def newest_returns(columns: Columns) -> Floats:
    """[row, instrument], that of the newest day that has closed at each row."""
    days = np.clip(columns.at_ms // DAY_MS - columns.first_day[0], 0, len(columns.returns))
    padded = np.concatenate([np.full((1, columns.close.shape[1]), NO_RETURN), columns.returns])
    return np.asarray(padded[days])
