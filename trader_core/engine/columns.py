"""Everything that depends on the market alone, computed for all rows of a frame and read at one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.market import MARK_BARS
from trader_core.engine.law import costs_of, enabled_strategies
from trader_core.market.frame import Frame
from trader_core.rulebook.limits import Ints
from trader_core.rulebook.money import PPM
from trader_core.rulebook.state import Columns
from trader_core.strategies import STRATEGIES
from trader_core.strategies.base import Proposals

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


@dataclass(frozen=True)
class Opinions:
    """The columns of the law, and beside them each strategy's own, which say what an opinion was measured by."""

    columns: Columns
    proposals: dict[str, Proposals]


def lookback_of(policy: "Settings") -> int:
    """Rows that must stand before and at a decision for it to be the same as with all of history."""
    needs = [STRATEGIES[name].lookback(getattr(policy.strategies, name)) for name in enabled_strategies(policy)]
    return max([MARK_BARS, *needs])


def columns_of(frame: Frame, policy: "Settings") -> Opinions:
    """Bid and ask stand around the last known close, as the cost model assumes; a live cycle puts the quotes there."""
    missing = policy.signals.windows.max_missing_bars
    proposals = {
        name: STRATEGIES[name].columns(frame, getattr(policy.strategies, name), missing)
        for name in enabled_strategies(policy)
    }
    close, age_bars = frame.last_known
    half = costs_of(policy).half_spread_ppm
    columns = Columns(
        at_ms=frame.closes_ms,
        close=close,
        bid=_scaled(close, PPM - half),
        ask=-_scaled(-close, PPM + half),
        age_ms=age_bars * frame.bar_ms,
        enter=_stack([one.enter for one in proposals.values()], frame, np.int8),
        leave=_stack([one.leave for one in proposals.values()], frame, np.int8),
        conviction=_stack([one.conviction for one in proposals.values()], frame, np.float64),
    )
    return Opinions(columns, proposals)


def _scaled(ticks: Ints, ppm: int) -> Ints:
    """floor(ticks * ppm / 1e6), exact also where the product would not fit into 64 bits."""
    return np.asarray(ticks // PPM * ppm + ticks % PPM * ppm // PPM, np.int64)


def _stack(parts: list[np.ndarray], frame: Frame, kind: type) -> np.ndarray:
    return np.stack(parts) if parts else np.zeros((0, *frame.close.shape), kind)


def with_quotes(columns: Columns, row: int, bid: Ints, ask: Ints, age_ms: Ints) -> Columns:
    """The columns with one row's prices replaced by real quotes."""
    bids, asks, ages = columns.bid.copy(), columns.ask.copy(), columns.age_ms.copy()
    bids[row], asks[row], ages[row] = bid, ask, np.maximum(ages[row], age_ms)
    return columns._replace(bid=bids, ask=asks, age_ms=ages)
