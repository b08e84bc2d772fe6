"""Two simple averages, long only: enter when the fast one crosses above the slow one, leave while it is not above."""

from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import HOUR_MS
from trader_core.market.frame import Frame
from trader_core.market.loops import find_crossings, machine_code
from trader_core.market.seen import Market
from trader_core.market.windows import Rolling, back
from trader_core.rulebook.limits import Flags, Floats, Ints
from trader_core.strategies.base import Measured, Proposals, Terms

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings, SmaCross

FULL_CONVICTION_BPS = 10.0
PRODUCT_MAX = 1 << 62


class SmaCrossStrategy:
    unit = "bps"  # fast average over slow average

    def lookback(self, parameters: "SmaCross", policy: "Settings") -> int:
        return parameters.slow_bars + 1

    def columns(self, market: Market, parameters: "SmaCross") -> Proposals:
        frame = market.frame
        fast, slow = market.closes(parameters.fast_bars), market.closes(parameters.slow_bars)
        full, fits = fast.full & slow.full, market.highest_close * fast.length * slow.length <= PRODUCT_MAX
        enter, leave = _crossings(frame, fast, slow, fits)

        def lead(rows: Ints | int, columns: Ints | slice) -> Floats:
            figure = 1e4 * (fast.mean_at(rows, columns) / np.maximum(slow.mean_at(rows, columns), 1.0) - 1.0)
            return np.where(_at(full, rows, columns), figure, 0.0)

        def measured(row: int) -> Measured:
            value = lead(row, slice(None))
            known = _at(full, row, slice(None)) & (_at(full, row - 1, slice(None)) if row else False)
            return Measured(value, np.zeros(value.shape), known & np.ones(value.shape, np.bool_))

        return Proposals(
            enter=enter,
            leave=leave,
            terms=lambda rows, columns: Terms(
                conviction=np.clip(lead(rows, columns) / FULL_CONVICTION_BPS, 0.0, 1.0),
                scale=1.0,
                stop_bps=round(parameters.stop_pct * 100),
                target_bps=round(parameters.target_pct * 100),
                hold_ms=parameters.max_hold_h * HOUR_MS,
            ),
            measured=measured,
        )


def _at(known: np.ndarray, rows: Ints | int, columns: Ints | slice) -> np.ndarray:
    """The cells of what is the same for all instruments, or not."""
    return known[rows, 0] if known.shape[1] == 1 else known[rows, columns]


def _crossings(frame: Frame, fast: Rolling, slow: Rolling, fits: bool) -> tuple[Flags, Flags]:
    """(where it enters, where it leaves), [row, instrument]."""
    find = machine_code(find_crossings)
    if not (find and fits and frame.is_whole):
        above, full = _above(fast, slow, fits), fast.full & slow.full
        known = full & back(full, 1)
        enters, leaves = known & frame.present & above & ~back(above, 1), known & ~above
        return enters.view(np.int8), leaves.view(np.int8)
    common = gcd(fast.length, slow.length)
    weights = fast.length, slow.length, slow.length // common, fast.length // common
    enter, leave = np.empty((2, len(frame.symbols), frame.rows), np.int8)
    for i in range(len(frame.symbols)):
        find(np.ascontiguousarray(fast.before[:, i]), *weights, enter[i], leave[i])
    return enter.T, leave.T


def _above(fast: Rolling, slow: Rolling, fits: bool) -> np.ndarray:
    """Whether one average is above the other: a tie is a tie on every machine, and no product comes near 64 bits.

    Where the products fit they are compared, else whole ticks and then what is left over.
    """
    if isinstance(fast.count, int) and isinstance(slow.count, int):
        common = gcd(fast.count, slow.count)
        if fits and fast.count == common:
            return np.asarray(fast.total * (slow.count // common) > slow.total)
    if fits:
        return np.asarray(fast.total * slow.count > slow.total * fast.count)
    whole, rest = np.divmod(fast.total, np.maximum(fast.count, 1))
    other, left = np.divmod(slow.total, np.maximum(slow.count, 1))
    return np.asarray((whole > other) | ((whole == other) & (rest * slow.count > left * fast.count)))


sma_cross = SmaCrossStrategy()
