"""Two simple averages, long only: enter when the fast one crosses above the slow one, leave while it is not above."""

from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import HOUR_MS
from trader_core.market.seen import Market
from trader_core.market.windows import Rolling, back, rolling_close
from trader_core.rulebook.limits import Floats
from trader_core.strategies.base import Proposals

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings, SmaCross

FULL_CONVICTION_BPS = 10.0


class SmaCrossStrategy:
    unit = "bps"  # fast average over slow average

    def lookback(self, parameters: "SmaCross", policy: "Settings") -> int:
        return parameters.slow_bars + 1

    def columns(self, market: Market, parameters: "SmaCross") -> Proposals:
        frame, shape = market.frame, market.frame.close.shape
        fast = rolling_close(frame, parameters.fast_bars, market.missing)
        slow = rolling_close(frame, parameters.slow_bars, market.missing)
        full = fast.full & slow.full
        above = _above(fast, slow)
        known = full & back(full, 1)
        lead = np.where(full, 1e4 * (_mean(fast) / np.maximum(_mean(slow), 1.0) - 1.0), 0.0)
        return Proposals(
            enter=(known & frame.present & above & ~back(above, 1)).astype(np.int8),
            leave=(known & ~above).astype(np.int8),
            conviction=np.clip(lead / FULL_CONVICTION_BPS, 0.0, 1.0),
            scale=np.ones(shape),
            stop_bps=np.full(shape, round(parameters.stop_pct * 100)),
            target_bps=np.full(shape, round(parameters.target_pct * 100)),
            hold_ms=np.full(shape, parameters.max_hold_h * HOUR_MS),
            value=lead,
            limit=np.zeros(shape),
            known=known,
        )


def _mean(sums: Rolling) -> Floats:
    return np.asarray(sums.total / np.maximum(sums.count, 1))


def _above(fast: Rolling, slow: Rolling) -> np.ndarray:
    """Whether one average is above the other, in whole numbers of ticks and then by what is left over: a tie is a tie
    on every machine, and no product comes near 64 bits."""
    whole, rest = np.divmod(fast.total, np.maximum(fast.count, 1))
    other, left = np.divmod(slow.total, np.maximum(slow.count, 1))
    return np.asarray((whole > other) | ((whole == other) & (rest * slow.count > left * fast.count)))


sma_cross = SmaCrossStrategy()
