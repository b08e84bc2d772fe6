"""Everything that depends on the market alone, computed for all rows of a frame and read at one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.instrument import Instrument
from trader_core.domain.market import MARK_BARS
from trader_core.engine.law import costs_of, enabled_strategies
from trader_core.market.frame import Frame
from trader_core.market.guards import guards, guards_lookback
from trader_core.market.regime import regime_lookback
from trader_core.market.seen import Market
from trader_core.market.universe import volume_lookback, volumes
from trader_core.rulebook.costs import depth_of
from trader_core.rulebook.limits import Ints
from trader_core.rulebook.money import PPM
from trader_core.rulebook.state import Columns
from trader_core.strategies import STRATEGIES
from trader_core.strategies.base import Proposals

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Opinions:
    """The columns of the law, and beside them what they were made of, for `why`."""

    columns: Columns
    proposals: dict[str, Proposals]
    failures: dict[str, str]  # strategy -> what went wrong; it proposes nothing
    market: Market
    day_cents: Ints  # [hour, instrument], traded in the last 24 hours, 1/100 quote
    busy: Ints  # [n], rows in which some strategy enters, in order


def lookback_of(policy: "Settings") -> int:
    """Rows that must stand before and at a decision for it to be the same as with all of history."""
    needs = [STRATEGIES[name].lookback(getattr(policy.strategies, name), policy) for name in enabled_strategies(policy)]
    return max(MARK_BARS, regime_lookback(policy), guards_lookback(policy), volume_lookback(policy), *needs)


def columns_of(frame: Frame, instruments: tuple[Instrument, ...], policy: "Settings", first: int = 0) -> Opinions:
    """Rows before `first` need not be right. `instruments` are the frame's, in its order.

    Bid, ask and depth are those that the cost model assumes around the last known close and for the last day's
    volume; a live cycle puts the book there.
    """
    market, costs = Market(frame, policy, first), costs_of(policy)
    proposals, failures = _proposals(market)
    by_strategy, shape = list(proposals.values()), frame.close.shape
    seen, close, age_bars = guards(market), *frame.last_known
    traded = volumes(market, np.array([float(one.grains_per_unit) for one in instruments]))
    depth = depth_of(costs, traded.day_cents.astype(np.float64)).astype(np.int64)
    columns = Columns(
        at_ms=frame.closes_ms,
        hour=np.arange(frame.rows, dtype=np.int64),
        funding_ppm=np.broadcast_to(np.int64(0), shape),
        close=close,
        bid=_scaled(close, PPM - costs.half_spread_ppm),
        ask=-_scaled(-close, PPM + costs.half_spread_ppm),
        depth=np.where(close > 0, depth, 0),
        age_ms=age_bars * frame.bar_ms,
        regime=market.regime,
        eligible=traded.eligible,
        deviation=seen.deviation,
        outlier=seen.outlier,
        jump=seen.jump,
        volatility=seen.volatility,
        atr_ratio=seen.atr_ratio,
        day_range=np.broadcast_to(-1.0, shape),
        enter=_stack([one.enter for one in by_strategy], shape, np.int8),
        leave=_stack([one.leave for one in by_strategy], shape, np.int8),
        conviction=_stack([one.conviction for one in by_strategy], shape, np.float64),
        scale=_stack([one.scale for one in by_strategy], shape, np.float64),
        stop_bps=_stack([one.stop_bps for one in by_strategy], shape, np.int64),
        target_bps=_stack([one.target_bps for one in by_strategy], shape, np.int64),
        hold_ms=_stack([one.hold_ms for one in by_strategy], shape, np.int64),
    )
    busy = np.flatnonzero(columns.enter.any(axis=(0, 2)))
    return Opinions(columns, proposals, failures, market, traded.day_cents, busy)


def _proposals(market: Market) -> tuple[dict[str, Proposals], dict[str, str]]:
    """What each strategy proposes, and what went wrong in those that broke: one that breaks stops itself alone."""
    proposals: dict[str, Proposals] = {}
    failures: dict[str, str] = {}
    for name in enabled_strategies(market.policy):
        try:
            proposals[name] = STRATEGIES[name].columns(market, getattr(market.policy.strategies, name))
            _check(proposals[name], market)
        except Exception as broken:  # noqa: BLE001
            proposals[name] = _nothing(market.frame.close.shape)
            failures[name] = f"{type(broken).__name__}: {broken}"
    return proposals, failures


def _check(proposals: Proposals, market: Market) -> None:
    """A comparison with a figure that is none would open a gate, so such a figure is a failure; so is an entry that
    nothing would protect."""
    wrong = [name for name, each in vars(proposals).items() if each.shape != market.frame.close.shape]
    figures = proposals.conviction[market.first :], proposals.scale[market.first :]
    if wrong or not all(np.isfinite(each).all() for each in figures):
        raise ValueError(f"the shape of {', '.join(wrong)}" if wrong else "a conviction or a scale is no number")
    if np.any((proposals.enter != 0) & (proposals.stop_bps <= 0)):
        raise ValueError("an entry without a stop")


def _nothing(shape: Shape) -> Proposals:
    """No opinion on anything."""
    flags, figures = np.zeros(shape, np.int8), np.zeros(shape, np.int64)
    floats, known = np.zeros(shape), np.zeros(shape, np.bool_)
    return Proposals(
        enter=flags, leave=flags, conviction=floats, scale=floats, stop_bps=figures, target_bps=figures,
        hold_ms=figures, value=floats, limit=floats, known=known,
    )  # fmt: skip


def _stack(parts: list[np.ndarray], shape: Shape, kind: type) -> np.ndarray:
    return np.stack(parts).astype(kind, copy=False) if parts else np.zeros((0, *shape), kind)


def _scaled(ticks: Ints, ppm: int) -> Ints:
    """floor(ticks * ppm / 1e6), exact also where the product would not fit into 64 bits."""
    return np.asarray(ticks // PPM * ppm + ticks % PPM * ppm // PPM, np.int64)


def with_quotes(columns: Columns, row: int, bid: Ints, ask: Ints, depth: Ints, age_ms: Ints) -> Columns:
    """The columns with one row's book replaced by the real one."""
    bids, asks, depths, ages = (each.copy() for each in (columns.bid, columns.ask, columns.depth, columns.age_ms))
    bids[row], asks[row], ages[row] = bid, ask, np.maximum(ages[row], age_ms)
    depths[columns.hour[row]] = depth
    return columns._replace(bid=bids, ask=asks, depth=depths, age_ms=ages)
