"""How far prices moved, measured so that a mirrored market, each price p become K/p, shows the mirrored figure.

Arrays are [row] or [row, instrument]; a price of 0 is unknown.
"""

import numpy as np

from trader_core.market.loops import MOVE_MAX, machine_code, sum_moves
from trader_core.rulebook.limits import Floats, Ints
from trader_core.rulebook.money import PPM

CELLS_AT_ONCE = 1 << 15  # what is made of so many stays in a core's cache


def signed_move(now: Ints, then: Ints) -> Floats:
    """The change as a fraction, a fall measured as the rise that would undo it; 0 where either is unknown.

    So the mirrored series, p -> K/p, moves by exactly the mirrored figure.
    """
    low, high = np.minimum(now, then), np.maximum(now, then)
    rise = np.where(low > 0, high / np.maximum(low, 1) - 1.0, 0.0)
    return np.where(now < then, -rise, rise)


def moves_ppm(prices: Ints, step: int) -> Ints:
    """Signed moves over `step` rows, rounded to ppm, at most MOVE_MAX: whole numbers, so that they add up exactly.

    The move of signed_move, from the difference of both prices.
    """
    moves, floats = np.zeros_like(prices), prices.astype(np.float64)
    now, then = floats[step:], floats[: max(len(prices) - step, 0)]
    low, moved = np.minimum(now, then), np.subtract(now, then)
    if low.all():
        np.divide(moved, low, out=moved)
    else:
        moved[low <= 0] = 0.0
        np.divide(moved, low, out=moved, where=low > 0)
    moved *= PPM
    np.rint(moved, out=moved)
    moves[step:] = np.clip(moved, -MOVE_MAX, MOVE_MAX, out=moved)
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
    sums, squares = (np.empty((columns, rows + 1), np.int64) for _ in range(2))
    sum_all = machine_code(sum_moves)
    if sum_all and columns <= rows:
        for i in range(columns):
            sum_all(np.ascontiguousarray(prices[:, i]), sums[i], squares[i])
        return sums.T, squares.T
    sums[:, :2], squares[:, :2] = 0, 0
    width = max(CELLS_AT_ONCE // max(rows, 1), 1)
    for some in (slice(begin, begin + width) for begin in range(0, columns, width)):
        for start in range(1, rows, CELLS_AT_ONCE):
            moves = moves_ppm(prices[start - 1 : start + CELLS_AT_ONCE, some], 1).T
            end = start + moves.shape[1]
            moves[:, 0] = sums[some, start]
            np.cumsum(moves, axis=1, out=sums[some, start:end])
            np.multiply(moves, moves, out=moves)
            moves[:, 0] = squares[some, start]
            np.cumsum(moves, axis=1, out=squares[some, start:end])
    return sums.T, squares.T
