"""Loops over one instrument's bars, side by side in memory, that a compiler makes machine code of as they stand.

Where there is none, what calls them makes the same of whole arrays: nobody who looks at a window waits for a compiler.
"""

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np

from trader_core.rulebook.costs import bar_cents
from trader_core.rulebook.limits import Flags, Floats, Ints
from trader_core.rulebook.money import PPM

MOVE_MAX = 4 * PPM  # a move saturates here, so that 720 of them, squared, added up and times 720 fit into 64 bits


def sum_moves(prices: Ints, sums: Ints, squares: Ints) -> None:
    """[row + 1] each, what the moves over one row before each add up to, in ppm, and their squares: moves.move_sums."""
    sums[:2], squares[:2] = 0, 0
    for t in range(1, prices.shape[0]):
        now, then = float(prices[t]), float(prices[t - 1])
        low = min(now, then)
        moved = np.rint((now - then) / low * PPM) if low > 0.0 else 0.0
        sums[t + 1] = int(min(max(moved, -MOVE_MAX), MOVE_MAX))
    total, squared = 0, 0
    for t in range(1, prices.shape[0]):
        move = sums[t + 1]
        total, squared = total + move, squared + move * move
        sums[t + 1], squares[t + 1] = total, squared


def find_crossings(sums: Ints, fast: int, slow: int, wide: int, narrow: int, enter: Flags, leave: Flags) -> None:
    """[row], where the mean of `fast` closes comes above that of `slow`, and where it is not above, from the sums of
    the closes before each row. The sum of the fast one counts `wide` times, of the slow one `narrow` times."""
    full = max(fast, slow) - 1
    now, ago, long_ago = sums[full + 1 :], sums[full + 1 - fast :], sums[full + 1 - slow :]
    under, enters = leave[full:], enter[full:]
    for k in range(under.shape[0]):
        under[k] = (now[k] - ago[k]) * wide <= (now[k] - long_ago[k]) * narrow
    for k in range(1, under.shape[0]):
        enters[k] = under[k - 1] & (1 - under[k])
    enter[: full + 1], leave[: full + 1] = 0, 0


def find_extremes(prices: Ints, size: int, low: Ints, high: Ints) -> None:
    """[block], the lowest and the highest price of each `size` rows."""
    for block in range(low.shape[0]):
        some = prices[block * size : block * size + size]
        lowest = highest = some[0]
        for k in range(size):
            lowest, highest = min(lowest, some[k]), max(highest, some[k])
        low[block], high[block] = lowest, highest


def sum_cents(lots: Ints, ticks: Ints, grains_per_unit: float, length: int, cents: Ints, sums: Ints) -> None:
    """[row], what was traded in each bar, in 1/100 quote, and in the `length` rows that it ends."""
    total = 0
    for t in range(lots.shape[0]):
        cents[t] = int(bar_cents(float(lots[t]), float(ticks[t]), grains_per_unit))
        total += cents[t] - (cents[t - length] if t >= length else 0)
        sums[t] = total


def find_ranges(high: Ints, low: Ints, prices: Ints, length: int, least: int, ranges: Ints, shares: Floats) -> None:
    """[row], the true range of each bar, and the mean of the `length` that it ends in percent of its price; -1 where
    fewer than `least` have one."""
    total, before = 0, 0
    for t in range(prices.shape[0]):
        ranges[t] = max(high[t], before) - min(low[t], before) if before > 0 else 0
        total += ranges[t] - (ranges[t - length] if t >= length else 0)
        count, before = min(t, length), prices[t]
        shares[t] = 100.0 * total / (count * before) if count >= least and before > 0 else -1.0


def find_deviations(sums: Ints, rows: Ints, places: Ints, length: int, found: Floats) -> None:
    """[cell], guards.deviations_at, from the sums of the closes before each row, an instrument's behind another's;
    `places` is where in those the row of each cell is."""
    for n in range(rows.shape[0]):
        at, ago = places[n], min(length, rows[n])
        before, close = sums[at] - sums[at - ago], sums[at + 1] - sums[at]
        off = float(abs(close * length - before))
        found[n] = 100.0 * (off / before) if ago == length and before > 0 else -1.0


def find_jumps(sums: Ints, squares: Ints, rows: Ints, places: Ints, count: int, most: float, found: Floats) -> None:
    """[cell], guards.jumps_at, from those of the moves and of their squares; `most` is something over nothing."""
    for n in range(rows.shape[0]):
        at, ago = places[n], min(count, rows[n])
        total, squared, move = sums[at] - sums[at - ago], squares[at] - squares[at - ago], sums[at + 1] - sums[at]
        deviation = sqrt((count * squared - total * total) / (count * (count - 1)))
        measured = float(abs(move)) / deviation if deviation > 0.0 else most if move != 0 else 0.0
        found[n] = measured if rows[n] > count else -1.0


LOOPS: tuple[Callable[..., None], ...] = (
    sum_moves, find_crossings, find_extremes, sum_cents, find_ranges, find_deviations, find_jumps,
)  # fmt: skip


def use_machine_code(compiled: dict[str, Any]) -> None:
    """From now on these, by the name of the loop that they were made of, are run in this process."""
    _MACHINE_CODE.update(compiled)


def machine_code(loop: Callable[..., None]) -> Any:
    """What was made of it; None where nothing was."""
    return _MACHINE_CODE.get(loop.__name__)


_MACHINE_CODE: dict[str, Any] = {}
