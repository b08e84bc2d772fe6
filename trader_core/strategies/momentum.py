"""Buys a steady rise, and leaves when the whole window has turned into a fall."""

from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import HOUR_MS
from trader_core.domain.market import MARK_BARS
from trader_core.market.moves import signed_move
from trader_core.market.seen import Market
from trader_core.market.windows import all_known, back, complete, rows_in, strided_sum
from trader_core.rulebook.limits import Floats, Ints
from trader_core.strategies.base import Measured, Proposals, Terms

if TYPE_CHECKING:
    from trader_core.settings.schema import Momentum, Settings

FULL_RISES = 3.0  # a rise of so many times the smallest is wholly convincing; the smallest is by a third


class MomentumStrategy:
    unit = "pct"  # the move over the window

    def lookback(self, parameters: "Momentum", policy: "Settings") -> int:
        """The window with its oldest close, and the age that close may have."""
        return rows_in(policy, parameters.window_h) + MARK_BARS

    def columns(self, market: Market, parameters: "Momentum") -> Proposals:
        hours, per_hour = parameters.window_h, market.per_hour
        price = market.price
        move_pct = 100.0 * signed_move(price, back(price, hours * per_hour))
        rose = strided_sum(price > back(price, per_hour), hours, per_hour)
        known = complete(market.frame, hours * per_hour + 1, market.missing) & all_known(price, hours + 1, per_hour)
        steady = 100.0 * rose >= parameters.min_share_pct * hours
        rising = price >= back(price, market.per_15m)  # nothing is bought into a bar that falls
        enter = known & market.frame.present & (move_pct >= parameters.min_rise_pct) & steady & rising

        def seen_pct(rows: Ints | int, columns: Ints | slice) -> Floats:
            return np.where(known[rows, columns], move_pct[rows, columns], 0.0)

        return Proposals(
            enter=enter.view(np.int8),
            leave=(known & (move_pct < 0.0)).view(np.int8),
            terms=lambda rows, columns: Terms(
                conviction=np.clip(seen_pct(rows, columns) / (FULL_RISES * parameters.min_rise_pct), 0.0, 1.0),
                scale=1.0,
                stop_bps=round(parameters.stop_pct * 100),
                target_bps=round(parameters.target_pct * 100),
                hold_ms=parameters.max_hold_h * HOUR_MS,
            ),
            measured=lambda row: Measured(
                value=seen_pct(row, slice(None)),
                limit=np.full(known[row].shape, parameters.min_rise_pct),
                known=known[row],
            ),
        )


momentum = MomentumStrategy()
