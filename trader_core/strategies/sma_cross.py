"""Two simple averages, long only: enter when the fast one crosses above the slow one, leave while it is not above."""

from typing import TYPE_CHECKING

import numpy as np

from trader_core.market.frame import Frame
from trader_core.market.windows import rolling_close
from trader_core.strategies.base import Proposals, Terms

if TYPE_CHECKING:
    from trader_core.settings.schema import SmaCross

FULL_CONVICTION_BPS = 10.0


class SmaCrossStrategy:
    unit = "bps"  # fast average over slow average

    def lookback(self, parameters: "SmaCross") -> int:
        return parameters.slow_bars + 1

    def terms(self, parameters: "SmaCross") -> Terms:
        return Terms(round(parameters.stop_pct * 100), round(parameters.target_pct * 100))

    def columns(self, frame: Frame, parameters: "SmaCross", max_missing: int) -> Proposals:
        """Averages are compared as integer cross products, so a tie is a tie on every machine."""
        fast = rolling_close(frame, parameters.fast_bars, max_missing)
        slow = rolling_close(frame, parameters.slow_bars, max_missing)
        full = fast.full & slow.full
        above = fast.total * slow.count > slow.total * fast.count
        known = full.copy()
        known[1:] &= full[:-1]
        known[:1] = False
        was_above = np.zeros_like(above)
        was_above[1:] = above[:-1]
        here = known & frame.present
        with np.errstate(divide="ignore", invalid="ignore"):
            lead = 1e4 * ((fast.total * slow.count) / (slow.total * fast.count) - 1.0)
        lead = np.where(full, lead, 0.0)
        return Proposals(
            enter=(here & above & ~was_above).astype(np.int8),
            leave=(known & ~above).astype(np.int8),
            conviction=np.clip(lead / FULL_CONVICTION_BPS, 0.0, 1.0),
            value=lead,
            limit=np.zeros_like(lead),
            known=known,
        )


sma_cross = SmaCrossStrategy()
