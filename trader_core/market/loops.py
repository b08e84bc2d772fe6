"""Loops over one instrument's bars, side by side in memory, that a compiler makes machine code of as they stand.

Where there is none, what calls them makes the same of whole arrays: nobody who looks at a window waits for a compiler.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from trader_core.rulebook.limits import Flags, Ints
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


LOOPS: tuple[Callable[..., None], ...] = (sum_moves, find_crossings, find_extremes)


def use_machine_code(compiled: dict[str, Any]) -> None:
    """From now on these, by the name of the loop that they were made of, are run in this process."""
    _MACHINE_CODE.update(compiled)


def machine_code(loop: Callable[..., None]) -> Any:
    """What was made of it; None where nothing was."""
    return _MACHINE_CODE.get(loop.__name__)


_MACHINE_CODE: dict[str, Any] = {}
