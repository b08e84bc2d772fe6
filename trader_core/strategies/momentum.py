"""Buys a steady rise, and leaves when the whole window has turned into a fall."""

from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import HOUR_MS
from trader_core.domain.market import MARK_BARS
from trader_core.market.seen import Market
from trader_core.market.windows import all_known, back, complete, rows_in, signed_move, strided_sum
from trader_core.strategies.base import Proposals

if TYPE_CHECKING:
    from trader_core.settings.schema import Momentum, Settings

FULL_RISES = 3.0  # a rise of so many times the smallest is wholly convincing; the smallest is by a third


class MomentumStrategy:
    unit = "pct"  # the move over the window

    def lookback(self, parameters: "Momentum", policy: "Settings") -> int:
        """The window with its oldest close, and the age that close may have."""
        return rows_in(policy, parameters.window_h) + MARK_BARS

    def columns(self, market: Market, parameters: "Momentum") -> Proposals:
        hours, per_hour, shape = parameters.window_h, market.per_hour, market.frame.close.shape
        price = market.price
        move_pct = 100.0 * signed_move(price, back(price, hours * per_hour))
        rose = strided_sum(price > back(price, per_hour), hours, per_hour)
        known = complete(market.frame, hours * per_hour + 1, market.missing) & all_known(price, hours + 1, per_hour)
        steady = 100.0 * rose >= parameters.min_share_pct * hours
        rising = price >= back(price, market.per_15m)  # nothing is bought into a bar that falls
        enter = known & market.frame.present & (move_pct >= parameters.min_rise_pct) & steady & rising
        return Proposals(
            enter=enter.astype(np.int8),
            leave=(known & (move_pct < 0.0)).astype(np.int8),
            conviction=np.where(known, np.clip(move_pct / (FULL_RISES * parameters.min_rise_pct), 0.0, 1.0), 0.0),
            scale=np.ones(shape),
            stop_bps=np.full(shape, round(parameters.stop_pct * 100)),
            target_bps=np.full(shape, round(parameters.target_pct * 100)),
            hold_ms=np.full(shape, parameters.max_hold_h * HOUR_MS),
            value=np.where(known, move_pct, 0.0),
            limit=np.full(shape, parameters.min_rise_pct),
            known=known,
        )


momentum = MomentumStrategy()
