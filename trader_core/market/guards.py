"""Prices that are not believed and markets that are not traded, measured. What is unknown is below zero.

Prices are doubted bar by bar. Volatility and ranges are of whole hours: their market is an hourly one.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from trader_core.domain.market import MARK_BARS
from trader_core.domain.once import once
from trader_core.market.frame import MARK_HOURS, Frame
from trader_core.market.loops import find_deviations, find_extremes, find_jumps, find_ranges, machine_code
from trader_core.market.regime import YEAR
from trader_core.market.windows import (
    all_known,
    complete,
    deviation_by,
    rolling_sum,
    rows_of_hours,
)
from trader_core.rulebook.limits import Flags, Floats, Ints
from trader_core.rulebook.money import PPM
from trader_core.rulebook.state import FAR_OFF, INCOMPARABLE

if TYPE_CHECKING:
    from trader_core.market.seen import Market
    from trader_core.settings.schema import Settings

UNKNOWN = -1.0
NO_MEASURE = 1e6  # something over nothing: beyond every limit, and still a number
POINTS_AT_ONCE = 1 << 18  # of the windows that are looked at together
LANE = 8  # rows whose medians are looked for together
BLOCK_MIN = 32  # rows that are cleared of outliers together
MANY = 8  # blocks that are looked at as one at first
DAY_H, DAY_RANGES_MIN = 24, 10  # the range of a day, and how many of its hours must have one
SURE = 1.0 - 1e-9  # so much of a limit that no rounding of a screen clears what the measure would not


def guards_lookback(policy: "Settings") -> int:
    """Rows of the longest window, with those that show whether its oldest price is known."""
    signals = policy.signals.guards
    hours = max(signals.volatility_h, signals.atr_h + signals.atr_median_h - 1, DAY_H) + MARK_HOURS
    return max(rows_of_hours(policy, hours), signals.jump_bars + 1 + MARK_BARS, signals.outlier_bars + MARK_BARS)


# --- bar by bar ------------------------------------------------------------------------------------------------------


def outliers(market: "Market") -> Flags:
    """[row, instrument] from `market.first` on: a close far from the mean of those before it, on hardly any volume.

    Where the bar itself is absent its price is that of a bar before, and what was to be said of that one holds on.
    """
    if market.frame.is_whole:
        return _judged(market, market.first).T
    first = max(market.first - MARK_BARS + 1, 0)
    found, present = _judged(market, first), market.frame.present[first:].T
    for i in np.flatnonzero(found.any(axis=1) & ~present.all(axis=1)):
        found[i] = _held(found[i], present[i])
    return found[:, market.first - first :].T


def _held(flags: Flags, present: np.ndarray) -> Flags:
    """[row], the flag of the newest bar that is there, for as long as its price counts."""
    rows = np.arange(len(flags))
    newest = np.maximum.accumulate(np.where(present, rows, -MARK_BARS))
    return np.where(rows - newest < MARK_BARS, flags[np.maximum(newest, 0)], 0).astype(np.int8)


def _judged(market: "Market", begin: int) -> Flags:
    """[instrument, row] from `begin` on, of the bars that are there.

    Measured are only blocks in which a close could be that far from another, a bar is missing, or history is short.
    """
    length = market.signals.guards.outlier_bars
    start, size = max(begin - outliers_lead(length), 0), max(length, BLOCK_MIN)
    frame, first = market.frame.part(start, market.frame.rows), begin - start
    found, limit_pct = (
        np.zeros((len(frame.symbols), frame.rows - first), np.int8),
        market.signals.guards.outlier_deviation_pct,
    )
    column, block = _in_doubt(frame, limit_pct, length, size)
    asked = (block + 1) * size > first
    column, block = column[asked, None], block[asked, None]
    at_once = POINTS_AT_ONCE // (size + length) + 1
    for n in range(0, len(block), at_once):
        columns, rows = column[n : n + at_once], block[n : n + at_once] * size + np.arange(size)
        flags = _flags(market, frame, columns, rows[:, :1] + np.arange(-length, size))
        meant = (rows >= first) & (rows < frame.rows)
        found[np.broadcast_to(columns, rows.shape)[meant], rows[meant] - first] = flags[meant]
    return found


def outliers_lead(length: int) -> int:
    """Rows in front with which blocks begin where they are asked for; `length` of them would do."""
    return MANY * max(length, BLOCK_MIN)


def _in_doubt(frame: Frame, limit_pct: float, length: int, size: int) -> tuple[Ints, Ints]:
    """(instrument, block of `size` rows) of all but those that are clear; first of many together."""
    many = _doubted(frame, limit_pct, length, MANY * size)
    if not many[:, -(-length // (MANY * size)) : frame.rows // (MANY * size)].any():
        beside = np.arange(many.shape[1] * MANY) < -(-frame.rows // size)
        column, block = np.nonzero(np.repeat(many, MANY, axis=1) & beside)
    else:
        column, block = np.nonzero(_doubted(frame, limit_pct, length, size))
    return column, block


def _doubted(frame: Frame, limit_pct: float, length: int, size: int) -> np.ndarray:
    """[instrument, block of `size` rows]: all but those whose closes, with the `length` before, are that near."""
    whole, lead = frame.rows // size, -(-length // size)
    doubted = np.ones((len(frame.symbols), -(-frame.rows // size)), np.bool_)
    if whole > lead:
        low, high = _extremes(frame.close, whole, size)
        lowest, highest = low[:, lead:].copy(), high[:, lead:].copy()
        for block in range(lead):
            np.minimum(lowest, low[:, block : block - lead], out=lowest)
            np.maximum(highest, high[:, block : block - lead], out=highest)
        clear = (lowest > 0) & (100.0 * (highest - lowest) <= SURE * limit_pct * lowest)
        doubted[:, lead:whole] = ~clear
    return doubted


def _extremes(close: Ints, blocks: int, size: int) -> tuple[Ints, Ints]:
    """[instrument, block], the lowest and the highest close of each `size` rows."""
    find = machine_code(find_extremes)
    if not find:
        lanes = close[: blocks * size].T.reshape(-1, blocks, size)
        return lanes.min(axis=2), lanes.max(axis=2)
    low, high = np.empty((2, close.shape[1], blocks), np.int64)
    for i in range(close.shape[1]):
        find(np.ascontiguousarray(close[:, i]), size, low[i], high[i])
    return low, high


def _flags(market: "Market", frame: Frame, columns: Ints, rows: Ints) -> Flags:
    """What is to be said of the bars of each window behind its first `outlier_bars`."""
    signals = market.signals.guards
    length, at = signals.outlier_bars, (np.clip(rows, 0, frame.rows - 1), columns)
    present, close, volume = frame.present[at], frame.close[at], frame.volume[at]
    count, closes, volumes = (_before(each, length) for each in (present, close, volume))
    present, close, volume = present[:, length:], close[:, length:], volume[:, length:]
    known = present & (count >= max(length - market.missing, 1)) & (closes > 0) & (rows[:, length:] >= length)
    thin = 100.0 * volume * count < signals.outlier_volume_pct * volumes
    nothing = (volumes == 0) & (volume == 0)
    beyond = (_deviation_pct(close, count, closes, known) > signals.outlier_deviation_pct) & (thin | nothing)
    return np.where(known, np.where(beyond, FAR_OFF, 0), np.where(present, INCOMPARABLE, 0)).astype(np.int8)


def _before(lanes: np.ndarray, length: int) -> Ints:
    """[lane, row - length], sums of the `length` values before each."""
    sums = np.zeros((lanes.shape[0], lanes.shape[1] + 1), np.int64)
    np.cumsum(lanes, axis=1, out=sums[:, 1:])
    return np.asarray(sums[:, length:-1] - sums[:, : -1 - length])


def _deviation_pct(close: Ints, count: Ints | int, closes: Ints, known: np.ndarray) -> Floats:
    off = np.abs(close * count - closes)
    return np.where(known, 100.0 * np.divide(off, closes, out=np.zeros(off.shape), where=known), UNKNOWN)


def deviations_at(market: "Market", rows: Ints, columns: Ints) -> Floats:
    """By cell, the close's distance from the mean of those before it, in percent."""
    frame, length = market.frame, market.signals.guards.outlier_bars
    find = machine_code(find_deviations)
    if find and frame.is_whole:
        found = np.empty(len(rows))
        find(_by_place(frame.close_sums), rows, _places(frame, rows, columns), length, found)
        return found
    begins = np.maximum(rows - length, 0)
    closes = frame.close_sums[rows, columns] - frame.close_sums[begins, columns]
    known = frame.present[rows, columns] & (rows >= length) & (closes > 0)
    if frame.is_whole:
        return _deviation_pct(frame.close[rows, columns], length, closes, known)
    count = frame.counts[rows, columns] - frame.counts[begins, columns]
    known &= count >= max(length - market.missing, 1)
    return _deviation_pct(frame.close[rows, columns], count, closes, known)


def jumps_at(market: "Market", rows: Ints, columns: Ints) -> Floats:
    """By cell, the last bar's move in standard deviations of those before it."""
    frame, count = market.frame, market.signals.guards.jump_bars
    find = machine_code(find_jumps)
    if find and frame.is_whole:
        found, (sums, squares) = np.empty(len(rows)), map(_by_place, frame.move_sums)
        find(sums, squares, rows, _places(frame, rows, columns), count, NO_MEASURE, found)
        return found
    begins = np.maximum(rows - count, 0)
    total, squared = (sums[rows, columns] - sums[begins, columns] for sums in frame.move_sums)
    moves = np.abs(frame.move_sums[0][rows + 1, columns] - frame.move_sums[0][rows, columns])
    known = rows > count
    if not frame.is_whole:
        oldest = np.maximum(begins - 1, 0)
        there = frame.counts[rows + 1, columns] - frame.counts[oldest, columns]
        unknown = frame.unknown_sums[rows + 1, columns] - frame.unknown_sums[oldest, columns]
        known &= (there >= max(count + 2 - market.missing, 1)) & (unknown == 0)
    return np.where(known, _ratio(moves, deviation_by(total, squared, count), 0.0), UNKNOWN)


def _by_place(sums: Ints) -> Ints:
    """What is known before each row, an instrument's behind another's."""
    return sums.T.reshape(-1)


def _places(frame: Frame, rows: Ints, columns: Ints) -> Ints:
    """By cell, where that of its row is there."""
    return columns * (frame.rows + 1) + rows


# --- hour by hour ----------------------------------------------------------------------------------------------------


def volatility_at(market: "Market", rows: Ints, columns: Ints) -> Floats:
    """By cell, realised, percent a year."""
    frame, hours = market.frame, market.signals.guards.volatility_h
    if not frame.rows:
        return np.full(rows.shape, UNKNOWN)
    oldest = np.maximum(rows - hours, 0)
    total, squared = (sums[rows + 1, columns] - sums[oldest + 1, columns] for sums in frame.move_sums)
    unknown = 0 if frame.is_whole else frame.unknown_sums[rows + 1, columns] - frame.unknown_sums[oldest, columns]
    known = (rows >= hours) & (np.asarray(unknown) == 0)
    return np.where(known, 100.0 * YEAR / PPM * deviation_by(total, squared, hours), UNKNOWN)


def day_ranges(hourly: Frame) -> Floats:
    """Mean true range of the last 24 hours in percent of the price; -1 where too few of them have one."""
    find = machine_code(find_ranges)
    if find and hourly.is_whole:
        shares, ranges = np.empty((len(hourly.symbols), hourly.rows)), np.empty(hourly.rows, np.int64)
        for i, own in enumerate(shares):
            high, low, close = (np.ascontiguousarray(each[:, i]) for each in (hourly.high, hourly.low, hourly.close))
            find(high, low, close, DAY_H, DAY_RANGES_MIN, ranges, own)
        return shares.T
    price, (ticks, measured) = hourly.last_known[0], hourly.true_ranges
    count = rolling_sum(measured[:, :1] if hourly.is_whole else measured, DAY_H)
    known = (count >= DAY_RANGES_MIN) & (price > 0)
    found = 100.0 * rolling_sum(ticks, DAY_H)
    found /= np.maximum(count * price, 1)
    found[~known] = UNKNOWN
    return np.asarray(found, np.float64)


@dataclass(frozen=True)
class Ranges:
    """The true ranges of an hourly market: how far it went in an hour from the lowest to the highest price, the one
    before it included. All arrays are [row, instrument]."""

    market: "Market"

    @once
    def average(self) -> Floats:
        """Mean of the last `atr_h` hours, in ticks; -1 unknown."""
        market, hours = self.market, self.market.signals.guards.atr_h
        known = complete(market.frame, hours, market.missing) & all_known(market.price, hours + 1, 1)
        return np.where(known, rolling_sum(market.frame.true_ranges[0], hours) / hours, UNKNOWN)

    def ratios_at(self, rows: Ints, columns: Ints) -> Floats:
        """By cell, the average as a part of the price over the median of that. A market that never moves is as usual:
        1."""
        share = self.share[rows, columns]
        median = medians_at(self.share, self.market.signals.guards.atr_median_h, rows, columns)
        known = np.isfinite(share) & np.isfinite(median)
        return np.where(known, _ratio(np.where(known, share, 0.0), np.where(known, median, 0.0), 1.0), UNKNOWN)

    @once
    def share(self) -> Floats:
        """The average as a part of the price; infinite where it is unknown."""
        share = self.average / np.maximum(self.market.price, 1)
        share[self.average < 0.0] = np.inf
        return share


def medians_at(values: Floats, count: int, rows: Ints, columns: Ints) -> Floats:
    """The upper median of the `count` values up to each cell.

    Infinite is unknown and counts as the highest, so where half of them are unknown the median is infinite too; so it
    is where the values do not reach back so far.
    """
    found = np.full(rows.shape, np.inf)
    if len(values) < count:
        return found
    dense = 2 * len(rows) > values.size and count >= 4 * LANE
    some, at_once = (
        (_medians_in_lanes, POINTS_AT_ONCE // LANE) if dense else (_medians_one_by_one, POINTS_AT_ONCE // count)
    )
    for n in range(0, len(rows), max(at_once, 1)):
        row, column = rows[n : n + at_once], columns[n : n + at_once]
        found[n : n + at_once] = np.where(row >= count - 1, some(values, count, row, column), np.inf)
    return found


def _medians_one_by_one(values: Floats, count: int, rows: Ints, columns: Ints) -> Floats:
    there = sliding_window_view(values, count, axis=0)[np.maximum(rows - count + 1, 0), columns]
    there.partition(count // 2, axis=-1)
    return there[:, count // 2]


def _medians_in_lanes(values: Floats, count: int, rows: Ints, columns: Ints) -> Floats:
    """The same where many are asked for. The windows of LANE rows in a row have all but LANE - 1 values in common: of
    those, once sorted, only LANE can be a median of any, and it is that of these and of the window's own others."""
    lane, place = np.unique(columns * len(values) + rows // LANE * LANE, return_inverse=True)
    column, row = lane // len(values), lane % len(values)
    padded = np.concatenate(
        [np.full((count, values.shape[1]), np.inf), values, np.full((LANE, values.shape[1]), np.inf)]
    )
    common = sliding_window_view(padded, count - LANE + 1, axis=0)[row + LANE, column]
    common.sort(axis=-1)
    middle = common[:, count // 2 - LANE + 1 : count // 2 + 1]
    before, behind = (sliding_window_view(padded, LANE - 1, axis=0)[at, column] for at in (row + 1, row + count + 1))
    others = sliding_window_view(np.concatenate([before, behind], axis=1), LANE - 1, axis=1)[place, rows % LANE]
    both = np.concatenate([middle[place], others], axis=1)
    both.partition(LANE - 1, axis=-1)
    return both[:, LANE - 1]


def _ratio(value: Floats | Ints, base: Floats, nothing: float) -> Floats:
    """value / base; `nothing` where both are zero."""
    over_zero = np.where(value > 0, NO_MEASURE, nothing)
    return np.divide(value, base, out=over_zero, where=base > 0)
