"""How far prices moved, measured so that a mirrored market, each price p become K/p, shows the mirrored figure.

Arrays are [row] or [row, instrument]; a price of 0 is unknown.
"""

import numpy as np

from trader_core.rulebook.limits import Floats, Ints
from trader_core.rulebook.money import PPM

MOVE_MAX = 4 * PPM  # a move saturates here, so that 720 of them, squared, added up and times 720 fit into 64 bits
ROWS_AT_ONCE = 1 << 16


def signed_move(now: Ints, then: Ints) -> Floats:
    """The change as a fraction, a fall measured as the rise that would undo it; 0 where either is unknown.

    So the mirrored series, p -> K/p, moves by exactly the mirrored figure.
    """
    low, high = np.minimum(now, then), np.maximum(now, then)
    rise = np.divide(high, low, out=np.ones_like(low, np.float64), where=low > 0) - 1.0
    return np.where(now < then, -rise, rise)


def moves_ppm(prices: Ints, step: int) -> Ints:
    """Signed moves over `step` rows, rounded to ppm, at most MOVE_MAX: whole numbers, so that they add up exactly.

    As by signed_move; written so that nothing is computed twice and little is kept.
    """
    moves = np.zeros_like(prices)
    now, then = prices[step:].astype(np.float64), prices[: max(len(prices) - step, 0)].astype(np.float64)
    low, high = np.minimum(now, then), np.maximum(now, then)
    np.subtract(now, then, out=now)
    if low.all():
        np.divide(high, low, out=high)
    else:
        np.divide(high, low, out=high, where=low > 0)
        high[low <= 0] = 1.0
    high -= 1.0
    high *= PPM
    np.rint(high, out=high)
    np.minimum(high, MOVE_MAX, out=high)
    moves[step:] = np.copysign(high, now, out=high)
    return moves


def sums_before(values: np.ndarray) -> Ints:
    """[row + 1, instrument], what the rows before each add up to. It may wrap; differences stay exact."""
    sums = np.empty((values.shape[1], values.shape[0] + 1), np.int64)
    sums[:, 0] = 0
    np.cumsum(values.T, axis=1, out=sums[:, 1:])
    return sums.T


def move_sums(prices: Ints) -> tuple[Ints, Ints]:
    """[row + 1, instrument] each, what the moves over one row before each add up to, and their squares."""
    rows, columns = prices.shape
    sums, squares = (np.zeros((columns, rows + 1), np.int64) for _ in range(2))
    for start in range(1, rows, ROWS_AT_ONCE):
        for i in range(columns):
            moves = moves_ppm(prices[start - 1 : start + ROWS_AT_ONCE, i], 1)[1:]
            sums[i, start + 1 : start + 1 + len(moves)] = moves
            np.multiply(moves, moves, out=squares[i, start + 1 : start + 1 + len(moves)])
    for each in (sums, squares):
        np.cumsum(each, axis=1, out=each)
    return sums.T, squares.T
