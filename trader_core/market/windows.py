"""Exact rolling tools: a value depends on its own window alone, so a live window and all of history agree.

Windows trail: they end at their row. Arrays are [row] or [row, instrument]. Sums are differences of integer prefix
sums, which may wrap and stay exact; extremes are found by doubling; nothing is carried on from where history began.
A price of 0 is unknown.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import HOUR_MS
from trader_core.market.frame import Frame
from trader_core.rulebook.limits import Floats, Ints
from trader_core.rulebook.money import PPM

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

MOVE_MAX = 4 * PPM  # a move saturates here, so that 720 of them, squared, added up and times 720 fit into 64 bits
_NONE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Rolling:
    """Sums over the last `length` rows. `count` is the number of bars in them; `full` where enough are there."""

    total: Ints
    count: Ints
    full: np.ndarray


def rows_in(policy: "Settings", hours: int) -> int:
    """Base bars in so many hours."""
    return hours * 60 // policy.policy.cycle.base_bar_min


def rolling_close(frame: Frame, length: int, max_missing: int) -> Rolling:
    """Rolling sum of closes in ticks. A window with more than `max_missing` absent bars is not full."""
    count = rolling_sum(frame.present, length)
    return Rolling(rolling_sum(frame.close, length), count, _enough(count, length, max_missing))


def complete(frame: Frame, length: int, max_missing: int) -> np.ndarray:
    """Where at most `max_missing` of the last `length` bars are absent, and the frame reaches back so far."""
    return _enough(rolling_sum(frame.present, length), length, max_missing)


def _enough(count: Ints, length: int, max_missing: int) -> np.ndarray:
    enough = np.asarray(count >= max(length - max_missing, 1))
    enough[: length - 1] = False
    return enough


def rolling_sum(values: np.ndarray, length: int) -> Ints:
    """Sum of the last `length` rows; of fewer at the start."""
    return strided_sum(values, length, 1)


def strided_sum(values: np.ndarray, count: int, step: int) -> Ints:
    """values[t] + values[t - step] + ..., `count` terms; fewer at the start."""
    rows, rest = len(values), values.shape[1:]
    lead, blocks = count * step, count - (-rows // step)
    prefix = np.zeros((blocks * step, *rest), np.int64)
    prefix[lead : lead + rows] = values
    lanes = prefix.reshape(blocks, step, *rest)
    np.cumsum(lanes, axis=0, out=lanes)
    return np.asarray(prefix[lead : lead + rows] - prefix[:rows], np.int64)


def highest(values: Ints, length: int) -> Ints:
    """Highest of the last `length` rows; 0 where all of them are 0, which is no value."""
    best, reach = values.copy(), 1
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
    shifted = np.full_like(values, fill)
    if rows < len(values):
        shifted[rows:] = values[: len(values) - rows]
    return shifted


def led(values: np.ndarray, rows: int) -> np.ndarray:
    """The values behind so many rows of zeros, which nobody asks about."""
    return np.concatenate([np.zeros((rows, *values.shape[1:]), values.dtype), values]) if rows else values


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


def signed_move(now: Ints, then: Ints) -> Floats:
    """The change as a fraction, a fall measured as the rise that would undo it; 0 where either is unknown.

    So the mirrored series, p -> K/p, moves by exactly the mirrored figure.
    """
    low, high = np.minimum(now, then), np.maximum(now, then)
    rise = np.divide(high, low, out=np.ones(low.shape), where=low > 0) - 1.0
    return np.where(now < then, -rise, rise)


def moves_ppm(prices: Ints, step: int) -> Ints:
    """Signed moves over `step` rows, rounded to ppm, at most MOVE_MAX: whole numbers, so that they add up exactly."""
    moves = np.rint(signed_move(prices, back(prices, step)) * PPM)
    return np.asarray(np.clip(moves, -MOVE_MAX, MOVE_MAX), np.int64)


def deviation_of(moves: Ints, count: int, step: int) -> Floats:
    """Sample standard deviation of `count` moves, `step` rows apart, in their own unit; exactly 0 where all agree."""
    total, squares = strided_sum(moves, count, step), strided_sum(moves * moves, count, step)
    return np.sqrt((count * squares - total * total) / (count * (count - 1)))


def all_known(prices: Ints, count: int, step: int) -> np.ndarray:
    """Where prices[t], prices[t - step], ..., `count` of them, are all known."""
    known = np.asarray(strided_sum(prices == 0, count, step) == 0)
    known[: (count - 1) * step] = False
    return known


def average_true_range(frame: Frame, hours: int, max_missing: int) -> Floats:
    """Mean of the true ranges of the last `hours` hours, in ticks; -1 unknown. An hour without a bar has none: 0."""
    per_hour = HOUR_MS // frame.bar_ms
    price = frame.last_known[0]
    before = back(price, per_hour)
    bottom = lowest(frame.low, per_hour)
    above = np.maximum(highest(frame.high, per_hour), before)
    below = np.where(bottom > 0, np.minimum(bottom, before), before)
    known = complete(frame, hours * per_hour, max_missing) & all_known(price, hours + 1, per_hour)
    return np.where(known, strided_sum(above - below, hours, per_hour) / hours, -1.0)
