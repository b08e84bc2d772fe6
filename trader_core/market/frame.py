"""The grid: one row per base bar, one column per instrument, int64 ticks and lots, and a mask for missing bars."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trader_core.domain.clocktime import HOUR_MS
from trader_core.domain.market import MARK_BARS, Candles
from trader_core.domain.once import once
from trader_core.domain.values import replace
from trader_core.market.moves import move_sums, sums_before
from trader_core.rulebook.limits import Ints
from trader_core.rulebook.state import Bars

MARK_HOURS = 24  # on the grid of hours a last price older than so many is no price any more
PARTS = ("open", "high", "low", "close", "volume", "present")


@dataclass(frozen=True, eq=False)
class Days:
    """Closes of whole UTC days in ticks, [day, instrument], from that day on; 0 where no bar closed in one."""

    first: int
    close: Ints


NO_DAYS = Days(0, np.zeros((0, 0), np.int64))


@dataclass(frozen=True, eq=False)
class Frame:
    """Closed bars from `first_ms` on, in steps of `bar_ms`, both multiples of the base bar on the epoch grid.

    Arrays are [row, instrument]; a bar the venue did not send has `present` False and zeros, never a guess. An
    instrument's bars lie side by side in memory.
    """

    symbols: tuple[str, ...]
    first_ms: int
    bar_ms: int
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    present: np.ndarray
    mark_bars: int = MARK_BARS  # a last price so many bars old is no price any more
    before: Days = NO_DAYS  # what is known of the days before its first whole one

    @once
    def is_whole(self) -> bool:
        """Whether no bar is missing."""
        return bool(self.present.all())

    @once
    def last_known(self) -> tuple[Ints, Ints]:
        """(close, age in milliseconds) of the newest present bar at each row; close 0 where it is too old."""
        if self.is_whole:
            return self.close, np.broadcast_to(np.int64(0), self.close.shape)
        return self._filled()

    def _filled(self) -> tuple[Ints, Ints]:
        """Absent bars in runs: each has the price of the bar before its run."""
        rows, shape = self.rows, self.close.T.shape
        absent = np.flatnonzero(~self.present.T)
        begins = (absent % rows == 0) | (np.diff(absent, prepend=-2) != 1)
        before = np.maximum.accumulate(np.where(begins, absent, 0)) - 1
        behind = np.where((before + 1) % rows == 0, self.mark_bars, np.minimum(absent - before, self.mark_bars))
        close, age_ms = np.array(self.close.T).ravel(), np.zeros(rows * len(self.symbols), np.int64)
        close[absent] = np.where(behind < self.mark_bars, close[before], 0)
        age_ms[absent] = behind * self.bar_ms
        return close.reshape(shape).T, age_ms.reshape(shape).T

    @once
    def highest_close(self) -> int:
        return int(self.close.max(initial=0))

    @once
    def close_sums(self) -> Ints:
        """[row + 1, instrument], what the closes before each row add up to."""
        return sums_before(self.close)

    @once
    def move_sums(self) -> tuple[Ints, Ints]:
        """[row + 1, instrument] each, what the moves of the last known close before each row add up to, in ppm, and
        their squares."""
        return move_sums(self.last_known[0])

    @once
    def unknown_sums(self) -> Ints:
        """[row + 1, instrument], how many rows before each have no last known close."""
        return sums_before(self.last_known[0] == 0)

    @once
    def counts(self) -> Ints:
        """[row + 1, instrument], how many bars before each row are present."""
        return sums_before(self.present)

    @once
    def true_ranges(self) -> tuple[Ints, np.ndarray]:
        """(ticks, whether it has one) of each bar's true range: the price before it counts too. A bar that is absent,
        or has no price before it, has none: 0."""
        price = self.last_known[0]
        before = np.zeros_like(price)
        before[1:] = price[:-1]
        measured, ticks = np.asarray(self.present & (before > 0)), np.maximum(self.high, before)
        ticks -= np.minimum(self.low, before)
        ticks[~measured] = 0
        return ticks, measured

    @property
    def rows(self) -> int:
        return int(self.close.shape[0])

    @once
    def closes_ms(self) -> Ints:
        """Closing time of each row: the moment from which it may be seen."""
        first_ms = self.first_ms + self.bar_ms
        return np.arange(first_ms, first_ms + self.rows * self.bar_ms, self.bar_ms, dtype=np.int64)

    @property
    def bars(self) -> Bars:
        return Bars(self.open, self.high, self.low, self.volume)

    @property
    def per_hour(self) -> int:
        return HOUR_MS // self.bar_ms

    @property
    def _ahead(self) -> int:
        """Rows of the hour that had begun before the frame did."""
        return -self.first_ms % HOUR_MS // self.bar_ms

    @once
    def hour(self) -> Ints:
        """[row], how many whole hours of the frame have closed at its close."""
        found = np.zeros(self.rows, np.int64)
        begun = found[self._ahead + self.per_hour - 1 :]
        whole, rest = divmod(len(begun), self.per_hour)
        begun[: whole * self.per_hour].reshape(whole, self.per_hour)[:] = np.arange(1, whole + 1)[:, None]
        begun[len(begun) - rest :] = whole + 1
        return found

    @property
    def whole_hours(self) -> "Frame":
        """The bars of whole hours alone."""
        count = max(self.rows - self._ahead, 0) // self.per_hour
        return self.part(self._ahead, self._ahead + count * self.per_hour)

    def is_same(self, other: "Frame") -> bool:
        """Whether both hold the same bars of the same time."""
        alike = (self.symbols, self.first_ms, self.bar_ms) == (other.symbols, other.first_ms, other.bar_ms)
        return alike and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in PARTS)

    @once
    def hourly(self) -> "Frame":
        """The whole hours in it as bars of an hour, whatever the base bar; parts of hours at either end are left out.

        An hour with any bar is present.
        """
        cut = self.whole_hours
        count = cut.rows // self.per_hour
        if self.per_hour == 1:
            return replace(cut, mark_bars=MARK_HOURS)
        shape = (len(self.symbols), count, self.per_hour)
        lanes = {name: getattr(cut, name).T.reshape(shape) for name in PARTS}
        present = lanes["present"].all(axis=2)
        opened, low, close = lanes["open"][:, :, 0], lanes["low"].min(axis=2), lanes["close"][:, :, -1]
        if not present.all():
            there = lanes["present"]
            low = np.where(there, lanes["low"], np.iinfo(np.int64).max).min(axis=2)
            newest = self.per_hour - 1 - there[:, :, ::-1].argmax(axis=2)
            opened, close = _picked(lanes["open"], there.argmax(axis=2)), _picked(lanes["close"], newest)
            present = there.any(axis=2)
            opened, low, close = (np.where(present, each, 0) for each in (opened, low, close))
        return Frame(
            symbols=self.symbols,
            first_ms=cut.first_ms,
            bar_ms=HOUR_MS,
            open=np.ascontiguousarray(opened).T,
            high=lanes["high"].max(axis=2).T,
            low=low.T,
            close=np.ascontiguousarray(close).T,
            volume=lanes["volume"].sum(axis=2).T,
            present=present.T,
            mark_bars=MARK_HOURS,
        )

    def part(self, first: int, end: int) -> "Frame":
        """The rows from `first` to before `end`, where they lie; without the days before them."""
        part = Frame(
            symbols=self.symbols,
            first_ms=self.first_ms + first * self.bar_ms,
            bar_ms=self.bar_ms,
            open=self.open[first:end],
            high=self.high[first:end],
            low=self.low[first:end],
            close=self.close[first:end],
            volume=self.volume[first:end],
            present=self.present[first:end],
            mark_bars=self.mark_bars,
        )
        if vars(self).get("is_whole"):
            vars(part).update(is_whole=True, closes_ms=self.closes_ms[first:end])
        return part


def side_by_side(frame: Frame, rows: Ints, columns: Ints, length: int) -> Frame:
    """By cell, the `length` bars up to it as an instrument of their own. Of a frame without a gap, and of cells that
    have so many: then a figure of that window at its last row is that of the cell."""
    at = columns * frame.rows + rows - np.arange(length - 1, -1, -1)[:, None]
    parts = [np.take(getattr(frame, name).T.reshape(-1), at) for name in PARTS[:-1]]
    present = np.ones((length, len(rows)), np.bool_)
    opened, high, low, close, volume = parts
    names = ("",) * len(rows)
    return Frame(names, frame.first_ms, frame.bar_ms, opened, high, low, close, volume, present, frame.mark_bars)


def build(candles: Mapping[str, Candles], first_ms: int, end_ms: int, bar_ms: int, before: Days = NO_DAYS) -> Frame:
    """A frame of the bars that open in [first_ms, end_ms). Bars off the grid or outside are left out."""
    shape = (len(candles), (end_ms - first_ms) // bar_ms)
    present = np.zeros(shape, np.bool_)
    opened, high, low, close, volume = columns = [np.zeros(shape, np.int64) for _ in range(5)]
    for i, one in enumerate(candles.values()):
        opens = np.asarray(one.open_ms, np.int64)
        kept, rows = _places(opens, first_ms, bar_ms, shape[1])
        present[i, rows] = True
        for column, values in zip(columns, (one.open, one.high, one.low, one.close, one.volume), strict=True):
            column[i, rows] = np.asarray(values, np.int64)[kept]
    return Frame(tuple(candles), first_ms, bar_ms, opened.T, high.T, low.T, close.T, volume.T, present.T, before=before)


def _places(opens: Ints, first_ms: int, bar_ms: int, rows: int) -> tuple[slice | np.ndarray, slice | np.ndarray]:
    """(which bars, their rows): slices where they stand on the grid without a gap, as they mostly do."""
    if len(opens) and (opens[0] - first_ms) % bar_ms == 0 and (np.diff(opens) == bar_ms).all():
        first = int(opens[0] - first_ms) // bar_ms
        from_row, to_row = min(max(first, 0), rows), min(max(first + len(opens), 0), rows)
        return slice(from_row - first, to_row - first), slice(from_row, to_row)
    row = (opens - first_ms) // bar_ms
    good = ((opens - first_ms) % bar_ms == 0) & (row >= 0) & (row < rows)
    return good, row[good]


def _picked(lanes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Of each hour the bar at that place."""
    return np.take_along_axis(lanes, at[:, :, None], axis=2)[:, :, 0]
