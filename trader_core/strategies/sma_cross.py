"""Two simple averages, long only: enter when the fast one crosses above the slow one, leave while it is not above."""

from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import HOUR_MS
from trader_core.market.seen import Market
from trader_core.market.windows import Rolling, back
from trader_core.rulebook.limits import Floats, Ints
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
        full = fast.full & slow.full
        above = _above(fast, slow, market.highest_close * parameters.fast_bars * parameters.slow_bars <= PRODUCT_MAX)
        known = full & back(full, 1)

        def lead(rows: Ints | int, columns: Ints | slice) -> Floats:
            figure = 1e4 * (_mean_at(fast, rows, columns) / np.maximum(_mean_at(slow, rows, columns), 1.0) - 1.0)
            return np.where(_at(full, rows, columns), figure, 0.0)

        def measured(row: int) -> Measured:
            value = lead(row, slice(None))
            return Measured(value, np.zeros(value.shape), _at(known, row, slice(None)) & np.ones(value.shape, np.bool_))

        return Proposals(
            enter=(known & frame.present & above & ~back(above, 1)).view(np.int8),
            leave=(known & ~above).view(np.int8),
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


def _mean_at(sums: Rolling, rows: Ints | int, columns: Ints | slice) -> Floats:
    count = sums.count if isinstance(sums.count, int) else np.maximum(sums.count[rows, columns], 1)
    return np.asarray(sums.total[rows, columns] / count)


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
