"""From published rows to integer bars: what is unsound is dropped and named, nothing is repaired or filled."""

from decimal import Decimal
from typing import Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trader_core.candles.files import Ints, Rows
from trader_core.domain.clocktime import DAY_MS
from trader_core.domain.money import EXACT, GRAIN

Mask = NDArray[np.bool_]

DIGITS_MAX = 10
FIRST_BARS = 1_000  # that tell how many decimals there are, but for few
PRICE_TICKS_MAX = 2**53  # beyond it a float64 no longer names one tick
VOLUME_LOTS_MAX = 2**56  # a bar's volume saturates here, so that sums stay far below 2^62
FAULTS = ("", "off_grid", "no_price", "bad_ohlc", "no_volume")  # what `faults` finds, by number
_ROUNDING = 4 * np.finfo(np.float64).eps  # a decimal that went through a few float operations


class Bars(Struct, frozen=True):
    """Integer columns, oldest first: `open_ms`, prices in ticks, volume in lots."""

    open_ms: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints

    def __len__(self) -> int:
        return len(self.open_ms)

    def columns(self) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
        return self.open_ms, self.open, self.high, self.low, self.close, self.volume

    def take(self, rows: Ints | Mask | slice) -> Self:
        return type(self)(*(column[rows] for column in self.columns()))


class Cleaned(Struct, frozen=True):
    """The sound bars of one span, and the opening times of what was dropped."""

    bars: Bars
    bad_ms: Ints
    duplicate_ms: Ints
    was_unsorted: bool


def sound(rows: Rows, step_ms: int) -> Mask:
    """A bar is sound when it lies on its grid, is finite and above zero, and low <= open, close <= high."""
    lowest, highest = np.minimum(rows.open, rows.close), np.maximum(rows.open, rows.close)
    shaped = (rows.low > 0) & (rows.low <= lowest) & (rows.high >= highest) & np.isfinite(rows.high)
    mask: Mask = shaped & (rows.volume >= 0) & (rows.ts % step_ms == 0)
    return mask


def faults(rows: Rows, step_ms: int) -> NDArray[np.int64]:
    """Why each bar is unsound, the first reason of FAULTS that holds; 0 for a sound one whose volume is finite."""
    prices = np.stack((rows.open, rows.high, rows.low, rows.close))
    lowest, highest = np.minimum(rows.open, rows.close), np.maximum(rows.open, rows.close)
    reasons = [
        rows.ts % step_ms != 0,
        np.any(~((prices > 0) & np.isfinite(prices)), axis=0),
        (rows.low > lowest) | (rows.high < highest),
        ~((rows.volume >= 0) & np.isfinite(rows.volume)),
    ]
    return np.select(reasons, range(1, len(FAULTS)), 0).astype(np.int64)


def price_digits(rows: Rows, step_ms: int) -> int:
    """The decimals of the finest price step in the file's sound bars, at most 10.

    What is written with few decimals is written with more, so nobody is asked for fewer than the first bars have.
    """
    mask, digits = sound(rows, step_ms), 0
    columns = [column[mask] for column in (rows.open, rows.high, rows.low, rows.close)]
    for column in (*(column[:FIRST_BARS] for column in columns), *columns):
        digits = _digits_of(column, digits)
    return digits


def _digits_of(prices: NDArray[np.float64], least: int) -> int:
    """The decimals that all of them need, and no fewer than `least`."""
    left = prices
    for digits in range(least, DIGITS_MAX):
        scale = 10.0**digits
        left = left[np.abs(np.rint(left * scale) / scale - left) > _ROUNDING * left]
        if not len(left):
            return digits
    return DIGITS_MAX


def steps_of(digits: int) -> tuple[Decimal, Decimal]:
    """Tick and lot; one tick times one lot is exactly 1e-8 quote."""
    tick = Decimal(1).scaleb(-digits)
    return tick, EXACT.divide(GRAIN, tick)


def clean(rows: Rows, first_ms: int, until_ms: int, step_ms: int, digits: int) -> Cleaned:
    """The rows that open in [first_ms, until_ms) as integers: sorted, each time once (the first), sound ones only."""
    inside = np.flatnonzero((rows.ts >= first_ms) & (rows.ts < until_ms))
    unsorted = bool(np.any(np.diff(rows.ts[inside]) < 0))
    order = inside[np.argsort(rows.ts[inside], kind="stable")]
    repeated = np.r_[False, np.diff(rows.ts[order]) == 0] if len(order) else np.zeros(0, np.bool_)
    kept = order[~repeated]
    good = sound(rows, step_ms)[kept] & (rows.high[kept] * 10.0**digits < PRICE_TICKS_MAX)
    bars = _integers(rows, kept[good], digits)
    visible = bars.low > 0
    bad_ms = np.sort(np.r_[rows.ts[kept[~good]], bars.open_ms[~visible]])
    return Cleaned(bars.take(visible), bad_ms, rows.ts[order[repeated]], unsorted)


def resample(bars: Bars, bar_ms: int) -> Bars:
    """Finer bars into bars of the epoch grid: first open, highest, lowest, last close, volumes added.

    A bar without a finer one inside stays absent. Columns come back read-only.
    """
    grid = bars.open_ms // bar_ms * bar_ms
    starts = np.flatnonzero(np.r_[True, grid[1:] != grid[:-1]]) if len(grid) else np.zeros(0, np.int64)
    if len(starts):
        volume = np.minimum(np.add.reduceat(bars.volume, starts), VOLUME_LOTS_MAX)
        high, low = np.maximum.reduceat(bars.high, starts), np.minimum.reduceat(bars.low, starts)
        lasts = np.r_[starts[1:], len(grid)] - 1
        bars = Bars(grid[starts], bars.open[starts], high, low, bars.close[lasts], volume)
    for column in bars.columns():
        column.setflags(write=False)
    return bars


def newest_of_days(open_ms: Ints, days: range) -> Ints:
    """The place of the newest bar of each of these UTC days; -1 where none opened in one."""
    ends = np.searchsorted(open_ms, np.arange(days.start, days.stop + 1) * DAY_MS)
    return np.where(np.diff(ends) > 0, ends[1:] - 1, -1)


def day_closes(open_ms: Ints, close: Ints, days: range) -> Ints:
    """The newest close of each of these UTC days; 0 where no bar opened in one."""
    newest = newest_of_days(open_ms, days)
    return np.append(close, 0)[newest] * (newest >= 0)


def _integers(rows: Rows, index: Ints, digits: int) -> Bars:
    def ticks(prices: NDArray[np.float64]) -> Ints:
        return np.rint(prices[index] * 10.0**digits).astype(np.int64)

    lots = np.minimum(np.floor(rows.volume[index] * 10.0 ** (8 - digits)), float(VOLUME_LOTS_MAX)).astype(np.int64)
    return Bars(rows.ts[index], ticks(rows.open), ticks(rows.high), ticks(rows.low), ticks(rows.close), lots)
