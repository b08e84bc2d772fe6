"""The grid: one row per base bar, one column per instrument, int64 ticks and lots, and a mask for missing bars."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from trader_core.domain.market import MARK_BARS, Candles
from trader_core.rulebook.limits import Ints
from trader_core.rulebook.state import Bars


@dataclass(frozen=True)
class Frame:
    """Closed bars from `first_ms` on, in steps of `bar_ms`, both multiples of the base bar on the epoch grid.

    Arrays are [row, instrument]; a bar the venue did not send has `present` False and zeros, never a guess.
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

    @cached_property
    def last_known(self) -> tuple[Ints, Ints]:
        """(close, age in bars) of the newest present bar at each row; close 0 where it is MARK_BARS old or more."""
        row = np.arange(self.rows, dtype=np.int64)[:, None]
        newest = np.maximum.accumulate(np.where(self.present, row, np.int64(-MARK_BARS)), axis=0)
        age = np.minimum(row - newest, MARK_BARS)
        picked = np.take_along_axis(self.close, np.maximum(newest, 0), axis=0)
        return np.where(age < MARK_BARS, picked, 0), age

    @property
    def rows(self) -> int:
        return int(self.close.shape[0])

    @property
    def closes_ms(self) -> Ints:
        """Closing time of each row: the moment from which it may be seen."""
        return self.first_ms + self.bar_ms * (1 + np.arange(self.rows, dtype=np.int64))

    @property
    def bars(self) -> Bars:
        return Bars(self.open, self.high, self.low, self.volume)

    def since(self, row: int) -> "Frame":
        """The same without the rows before that one."""
        names = ("open", "high", "low", "close", "volume", "present")
        later = {name: getattr(self, name)[row:] for name in names}
        return replace(self, first_ms=self.first_ms + row * self.bar_ms, **later)


def build(candles: Mapping[str, Candles], first_ms: int, end_ms: int, bar_ms: int) -> Frame:
    """A frame of the bars that open in [first_ms, end_ms). Bars off the grid or outside are left out."""
    rows, symbols = (end_ms - first_ms) // bar_ms, tuple(candles)
    shape = (rows, len(symbols))
    present = np.zeros(shape, np.bool_)
    opened, high, low, close, volume = (np.zeros(shape, np.int64) for _ in range(5))
    if symbols:
        column = np.repeat(np.arange(len(symbols)), [len(one.open_ms) for one in candles.values()])
        offset = _joined(one.open_ms for one in candles.values()) - first_ms
        row = offset // bar_ms
        good = (offset % bar_ms == 0) & (row >= 0) & (row < rows)
        at = (row[good], column[good])
        present[at] = True
        opened[at] = _joined(one.open for one in candles.values())[good]
        high[at] = _joined(one.high for one in candles.values())[good]
        low[at] = _joined(one.low for one in candles.values())[good]
        close[at] = _joined(one.close for one in candles.values())[good]
        volume[at] = _joined(one.volume for one in candles.values())[good]
    return Frame(symbols, first_ms, bar_ms, opened, high, low, close, volume, present)


def _joined(columns: Iterable[Sequence[int]]) -> Ints:
    return np.concatenate([np.asarray(one, np.int64) for one in columns])
