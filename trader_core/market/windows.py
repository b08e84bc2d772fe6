"""Exact rolling tools: a value depends on its own window alone, so a live window and all of history agree.

Windows trail: they end at their row. Arrays are [row] or [row, instrument]. Sums are differences of integer prefix
sums, which may wrap and stay exact; extremes are found by doubling; nothing is carried on from where history began.
A price of 0 is unknown.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.once import once
from trader_core.market.frame import Frame
from trader_core.market.moves import sums_before
from trader_core.rulebook.limits import Floats, Ints

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

_NONE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Rolling:
    """Sums over the last `length` rows. `count` is the number of bars in them; `full` where enough are there."""

    before: Ints  # [row + 1, instrument], the sum of all rows before each
    length: int
    count: Ints | int  # one number where no bar is missing
    full: np.ndarray

    @once
    def total(self) -> Ints:
        return difference(self.before, self.length)

    def mean_at(self, rows: Ints | int, columns: Ints | slice) -> Floats:
        """By cell."""
        count = self.count if isinstance(self.count, int) else np.maximum(self.count[rows, columns], 1)
        begins = np.maximum(np.asarray(rows) + 1 - self.length, 0)
        return np.asarray((self.before[np.asarray(rows) + 1, columns] - self.before[begins, columns]) / count)


def rows_in(policy: "Settings", hours: int) -> int:
    """Base bars in so many hours."""
    return hours * 60 // policy.policy.cycle.base_bar_min


def rows_of_hours(policy: "Settings", hours: int) -> int:
    """Base bars that hold so many whole hours at any row: up to an hour less a bar of them does not count yet."""
    return rows_in(policy, hours + 1) - 1


def difference(sums: Ints, length: int) -> Ints:
    """[row, instrument], sum of the last `length` rows from the sums before each; of fewer at the start."""
    rows = len(sums) - 1
    if length == 0:
        return np.zeros_like(sums[1:])
    found = np.empty_like(sums[1:])
    np.subtract(sums[length:], sums[: max(rows + 1 - length, 0)], out=found[length - 1 :])
    np.subtract(sums[1 : min(length, rows + 1)], sums[0], out=found[: length - 1])
    return found


def since(rows: int, row: int) -> np.ndarray:
    """[row, 1], true from a row on."""
    found = np.ones((rows, 1), np.bool_)
    found[: max(row, 0)] = False
    return found


def complete(frame: Frame, length: int, max_missing: int) -> np.ndarray:
    """Where at most `max_missing` of the last `length` bars are absent, and the frame reaches back so far."""
    if frame.is_whole:
        return np.broadcast_to(since(frame.rows, length - 1), frame.close.shape)
    return enough(rolling_sum(frame.present, length), length, max_missing)


def enough(count: Ints, length: int, max_missing: int) -> np.ndarray:
    """Where so many of the last `length` bars are there, and the rows reach back so far."""
    found = np.asarray(count >= max(length - max_missing, 1))
    found[: length - 1] = False
    return found


def rolling_sum(values: np.ndarray, length: int) -> Ints:
    """Sum of the last `length` rows; of fewer at the start."""
    if values.ndim == 1:
        return rolling_sum(values[:, None], length)[:, 0]
    return difference(sums_before(values), length)


def strided_sum(values: np.ndarray, count: int, step: int) -> Ints:
    """values[t] + values[t - step] + ..., `count` terms; fewer at the start."""
    rows, rest = len(values), values.shape[1:]
    lead, blocks = count * step, count - (-rows // step)
    prefix = np.zeros((*rest, blocks * step), np.int64)
    prefix[..., lead : lead + rows] = values.T
    lanes = prefix.reshape(*rest, blocks, step)
    np.cumsum(lanes, axis=-2, out=lanes)
    return np.asarray(prefix[..., lead : lead + rows] - prefix[..., :rows], np.int64).T


def highest(values: Ints, length: int) -> Ints:
    """Highest of the last `length` rows; 0 where all of them are 0, which is no value."""
    best, reach = np.copy(values), 1
    while reach < length:
        step = min(reach, length - reach)
        best[step:] = np.maximum(best[step:], best[:-step])
        reach += step
    return best


def lowest(values: Ints, length: int) -> Ints:
    """Lowest of the last `length` rows that is not 0; 0 where all of them are."""
    best, reach = np.where(values == 0, _NONE, values), 1
    while reach < length:
        step = min(reach, length - reach)
        best[step:] = np.minimum(best[step:], best[:-step])
        reach += step
    return np.where(best == _NONE, 0, best)


def back(values: np.ndarray, rows: int, fill: int = 0) -> np.ndarray:
    """values[t - rows]; `fill` before the first."""
    shifted = np.empty_like(values)
    shifted[:rows] = fill
    if rows < len(values):
        shifted[rows:] = values[: len(values) - rows]
    return shifted


def newest(values: Ints, steps: int, step: int = 1) -> Ints:
    """The first that is not 0 of values[t], values[t - step], ... as far as `steps` steps back; 0 without one."""
    rows, rest = len(values), values.shape[1:]
    blocks = -(-rows // step)
    flat = np.zeros((blocks * step, *rest), np.int64)
    flat[:rows] = values
    lanes = flat.reshape(blocks, step, *rest)
    block = np.arange(blocks, dtype=np.int64).reshape(blocks, *[1] * (lanes.ndim - 1))
    found = np.maximum.accumulate(np.where(lanes != 0, block, 0), axis=0)
    picked = np.where(block - found <= steps, np.take_along_axis(lanes, found, axis=0), 0)
    return np.asarray(picked.reshape(flat.shape)[:rows], np.int64)


def deviation_by(total: Ints, squares: Ints, count: int) -> Floats:
    """Sample standard deviation of `count` moves, in their own unit, by their sum and that of their squares; exactly
    0 where all agree."""
    return np.asarray(np.sqrt((count * squares - total * total) / (count * (count - 1))))


def all_known(prices: Ints, count: int, step: int) -> np.ndarray:
    """Where prices[t], prices[t - step], ..., `count` of them, are all known."""
    begins = (count - 1) * step
    if prices.all():
        whole = np.arange(len(prices)) >= begins
        return np.broadcast_to(whole.reshape(-1, *[1] * (prices.ndim - 1)), prices.shape)
    known = np.asarray(strided_sum(prices == 0, count, step) == 0)
    known[:begins] = False
    return known
