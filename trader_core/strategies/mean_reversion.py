"""Buys far below the mean and sells at it. It is the one strategy that buys a fall, so its exits follow the range."""

from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import HOUR_MS
from trader_core.domain.market import MARK_BARS
from trader_core.market.seen import Market
from trader_core.market.windows import complete, rolling_sum, rows_in
from trader_core.rulebook.limits import Floats, Ints
from trader_core.strategies.base import Measured, Proposals, Terms

if TYPE_CHECKING:
    from trader_core.settings.schema import MeanReversion, Settings

FULL_SIGMAS = 3.0  # so many times the entry's distance is wholly convincing; the entry's own is by a third
STILL = 1e-5  # a deviation below this part of the mean is none: a market that stands still is at its mean
STOP_BPS_MAX, TARGET_BPS_MAX = 9_900, 100_000


class MeanReversionStrategy:
    unit = "sigma"  # below the mean

    def lookback(self, parameters: "MeanReversion", policy: "Settings") -> int:
        """The window of the closes; the newest one may have an age."""
        return max(rows_in(policy, parameters.window_h), MARK_BARS)

    def columns(self, market: Market, parameters: "MeanReversion") -> Proposals:
        rows = parameters.window_h * market.per_hour
        known = complete(market.frame, rows, market.missing) & (market.price > 0)
        below = np.where(known, _sigmas_below(market, rows), 0.0)
        ranged = (market.atr > 0.0)[market.hour]
        return Proposals(
            enter=(known & (below >= parameters.entry_sigma) & market.frame.present & ranged).view(np.int8),
            leave=(known & (below <= 0.0)).view(np.int8),
            terms=lambda rows, columns: Terms(
                conviction=np.clip(below[rows, columns] / (FULL_SIGMAS * parameters.entry_sigma), 0.0, 1.0),
                scale=1.0,
                stop_bps=np.minimum(_bps_at(market, parameters.stop_atr, rows, columns), STOP_BPS_MAX),
                target_bps=np.minimum(_bps_at(market, parameters.target_atr, rows, columns), TARGET_BPS_MAX),
                hold_ms=parameters.max_hold_h * HOUR_MS,
            ),
            measured=lambda row: Measured(below[row], np.full(known[row].shape, parameters.entry_sigma), known[row]),
        )


def _sigmas_below(market: Market, rows: int) -> Floats:
    """How far the close is below the mean of its window's closes, in their standard deviations."""
    frame = market.frame
    count = np.maximum(rolling_sum(frame.present, rows), 1)
    closes = np.where(frame.present, frame.close, 0).astype(np.float64)
    mean = _trailing_sum(closes, rows, market.per_hour) / count
    variance = _trailing_sum(closes * closes, rows, market.per_hour) / count - mean * mean
    deviation = np.sqrt(np.maximum(variance, 0.0))
    moves = deviation > STILL * mean
    return np.divide(mean - market.price, deviation, out=np.zeros(mean.shape), where=moves)


def _trailing_sum(values: Floats, rows: int, block: int) -> Floats:
    """Sum of the last `rows` rows by way of blocks. Each window adds in one order: by age, whatever came before."""
    return _sum_by_age(_sum_by_age(values, block, 1), rows // block, block)


def _sum_by_age(values: Floats, count: int, step: int) -> Floats:
    total = np.copy(values)
    for age in range(step, count * step, step):
        total[age:] += values[:-age]
    return total


def _bps_at(market: Market, ranges: float, rows: Ints, columns: Ints) -> Ints:
    """By cell, so many average true ranges in bps of the close, rounded down to the nearer exit; at least 1."""
    reach, price = 1e4 * ranges * market.atr[market.hour[rows], columns], market.price[rows, columns]
    figure = np.divide(reach, price, out=np.zeros(reach.shape), where=price > 0)
    return np.clip(np.floor(figure), 1, TARGET_BPS_MAX).astype(np.int64)


mean_reversion = MeanReversionStrategy()
