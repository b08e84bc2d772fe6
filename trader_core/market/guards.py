"""Prices that are not believed and markets that are not traded, measured. What is unknown is below zero."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from trader_core.domain.clocktime import MINUTE_MS
from trader_core.domain.market import MARK_BARS
from trader_core.market.regime import YEAR
from trader_core.market.windows import all_known, back, complete, deviation_of, led, moves_ppm, rolling_sum, rows_in
from trader_core.rulebook.limits import Flags, Floats, Ints
from trader_core.rulebook.money import PPM
from trader_core.rulebook.state import FAR_OFF, INCOMPARABLE, NO_TICKS

if TYPE_CHECKING:
    from trader_core.market.seen import Market
    from trader_core.settings.schema import Settings

UNKNOWN = -1.0
NO_MEASURE = 1e6  # something over nothing: beyond every limit, and still a number
POINTS_AT_ONCE = 1 << 20  # of the windows whose medians are taken


@dataclass(frozen=True)
class Guards:
    """All [row, instrument], as in rulebook.state.Columns."""

    deviation: Floats
    outlier: Flags
    jump: Floats
    volatility: Floats
    atr_ratio: Floats


def guards_lookback(policy: "Settings") -> int:
    """Rows of the longest window, with those that show whether its oldest price is known."""
    signals = policy.signals.guards
    hours = max(signals.volatility_h, signals.atr_h + signals.atr_median_h - 1)
    return max(rows_in(policy, hours), signals.jump_bars + 1, signals.outlier_bars) + MARK_BARS


def guards(market: "Market") -> Guards:
    deviation, outlier = _outliers(market)
    return Guards(deviation, outlier, _jumps(market), _volatility(market), _atr_ratio(market))


def _outliers(market: "Market") -> tuple[Floats, Flags]:
    """A close far from the mean of those before it, on hardly any volume.

    Where the bar itself is absent there is no close to judge; the age of the last price speaks then.
    """
    signals = market.signals.guards
    length = signals.outlier_bars
    start = max(market.first - length, 0)
    frame = market.frame.since(start)
    count, closes, volumes = (back(rolling_sum(each, length), 1) for each in (frame.present, frame.close, frame.volume))
    known = frame.present & back(complete(frame, length, market.missing), 1) & (closes > 0)
    off = np.abs(frame.close * count - closes)
    deviation = np.where(known, 100.0 * np.divide(off, closes, out=np.zeros(off.shape), where=known), UNKNOWN)
    thin = 100.0 * frame.volume * count < signals.outlier_volume_pct * volumes
    nothing = (volumes == 0) & (frame.volume == 0)
    beyond = (deviation > signals.outlier_deviation_pct) & (thin | nothing)
    outlier = np.select([frame.present & ~known, frame.present & beyond], [INCOMPARABLE, FAR_OFF], 0).astype(np.int8)
    return led(deviation, start), led(outlier, start)


def _jumps(market: "Market") -> Floats:
    """The last bar's move in standard deviations of those before it; only bars of a minute show 60 seconds."""
    frame, count = market.frame, market.signals.guards.jump_bars
    if frame.bar_ms != MINUTE_MS:
        return np.full(frame.close.shape, NO_TICKS)
    moves = moves_ppm(market.price, 1)
    known = complete(frame, count + 2, market.missing) & all_known(market.price, count + 2, 1)
    return np.where(known, _ratio(np.abs(moves), back(deviation_of(moves, count, 1), 1), 0.0), UNKNOWN)


def _volatility(market: "Market") -> Floats:
    """Realised, percent a year."""
    hours, per_hour = market.signals.guards.volatility_h, market.per_hour
    deviation = deviation_of(moves_ppm(market.price, per_hour), hours, per_hour)
    return np.where(all_known(market.price, hours + 1, per_hour), 100.0 * YEAR / PPM * deviation, UNKNOWN)


def _atr_ratio(market: "Market") -> Floats:
    """Average true range as a part of the price, over the median of that. A market that never moves is as usual: 1."""
    known = market.atr >= 0.0
    share = np.divide(market.atr, market.price, out=np.full(known.shape, np.inf), where=known)
    median = medians(share, market.signals.guards.atr_median_h, market.per_hour, market.first)
    known &= np.isfinite(median)
    return np.where(known, _ratio(np.where(known, share, 0.0), np.where(known, median, 0.0), 1.0), UNKNOWN)


def medians(values: Floats, count: int, step: int, first: int) -> Floats:
    """The upper median of values[t], values[t - step], ..., `count` of them, in rows from `first` on.

    Infinite is unknown and counts as the highest, so where half of the points are unknown the median is infinite too.
    """
    rows, columns = values.shape
    blocks = -(-rows // step)
    lanes = np.full((blocks, step * columns), np.inf)
    lanes.reshape(blocks * step, columns)[:rows] = values
    found = np.full_like(lanes, np.inf)
    if blocks >= count and columns:
        windows = sliding_window_view(np.ascontiguousarray(lanes.T), count, axis=1)
        at_once = max(POINTS_AT_ONCE // (lanes.shape[1] * count), 1)
        for block in range(max(first // step, count - 1), blocks, at_once):
            here = windows[:, block - count + 1 : block - count + 1 + at_once]
            found[block : block + at_once] = np.partition(here, count // 2, axis=-1)[..., count // 2].T
    return found.reshape(blocks * step, columns)[:rows]


def _ratio(value: Floats | Ints, base: Floats, nothing: float) -> Floats:
    """value / base; `nothing` where both are zero."""
    over_zero = np.where(value > 0, NO_MEASURE, nothing)
    return np.divide(value, base, out=over_zero, where=base > 0)
