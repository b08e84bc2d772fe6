"""What is measured once an hour, of whole UTC hours: the same whatever the base bar, at whatever minute it is asked.

Arrays are [hour] or [hour, instrument], the rows of market.listing.Told. Before the first whole hour nothing is known.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.once import once
from trader_core.domain.values import replace
from trader_core.market.frame import side_by_side
from trader_core.market.guards import UNKNOWN, day_ranges, volatility_at
from trader_core.market.listing import Told
from trader_core.market.returns import daily_returns
from trader_core.market.universe import Volumes, volumes
from trader_core.rulebook.limits import Flags, Floats, Ints

if TYPE_CHECKING:
    from trader_core.market.seen import Market


WORTH_CUTTING = 8  # what is measured of all hours serves other legs too


@dataclass(frozen=True)
class Hours:
    """As in rulebook.state.Columns, and what else is asked of a whole hour, by cells of (row there, instrument)."""

    market: "Market"
    volumes: Volumes

    @property
    def told(self) -> Told:
        return self.market.told

    @property
    def regime(self) -> Ints:
        return self.market.regime

    @property
    def eligible(self) -> Flags:
        return self.volumes.eligible

    @once
    def atr_ratio(self) -> Floats:
        """[whole hour, instrument], those that have been asked for; others are unknown."""
        return np.full((len(self.market.frame.symbols), max(self.market.hourly.frame.rows, 1)), UNKNOWN).T

    @once
    def day_range(self) -> Floats:
        return self.told.of(day_ranges(self.market.hourly.frame), UNKNOWN)

    @once
    def daily(self) -> tuple[Ints, Floats]:
        return daily_returns(self.market.frame)

    def day_cents_at(self, at: Ints, columns: Ints) -> Ints:
        """Traded in the last 24 hours, 1/100 quote."""
        return self._at(self.volumes.day_cents, 0, at, columns)

    def restless_at(self, at: Ints, columns: Ints) -> tuple[Floats, Floats]:
        """(realised volatility in percent a year, average true range over its median)."""
        hours = self.told.hour[at]
        rows = np.maximum(hours - 1, 0)
        market, row, column = self._windows(rows, columns)
        if market is not self.market.hourly:
            ratio = market.ranges.ratios_at(row, column)
        else:
            ratio = self._ratios(hours, rows, columns)
        found = volatility_at(market, row, column), ratio
        wild, quiet = (np.where(hours > 0, each, UNKNOWN) for each in found)
        return wild, quiet

    def _ratios(self, hours: Ints, rows: Ints, columns: Ints) -> Floats:
        """Medians cost more than all the rest together: each is looked for once, here or by a replay before."""
        known = self.atr_ratio  # another thread may put its own in the place of this one
        asked = np.zeros(known.T.shape, np.bool_)
        asked[columns, rows] = (hours > 0) & (known[rows, columns] < 0.0)
        column, row = np.divmod(np.flatnonzero(asked), max(len(known), 1))
        known[row, column] = self.market.hourly.ranges.ratios_at(row, column)
        return known[rows, columns]

    def _windows(self, rows: Ints, columns: Ints) -> tuple["Market", Ints, Ints]:
        """(market of hours, rows, columns): where the windows of the cells are less than all hours there are, and none
        is missing, a market of those windows alone."""
        hourly, guards = self.market.hourly, self.market.signals.guards
        length = max(guards.volatility_h, guards.atr_h + guards.atr_median_h) + 1
        less = 0 < len(rows) * length * WORTH_CUTTING < hourly.frame.close.size
        if not less or not hourly.frame.is_whole or rows.min() < length - 1:
            return hourly, rows, columns
        windows = side_by_side(hourly.frame, rows, columns, length)
        return replace(hourly, frame=windows), np.full(len(rows), length - 1), np.arange(len(rows))

    def _at(self, values: np.ndarray, unknown: float, at: Ints, columns: Ints) -> np.ndarray:
        """Of values by whole hour."""
        hours = self.told.hour[at]
        if not len(values):
            return np.full(hours.shape, unknown, values.dtype)
        return np.where(hours > 0, values[np.maximum(hours - 1, 0), columns], unknown).astype(values.dtype)


def hours_of(market: "Market", grains_per_unit: Floats) -> Hours:
    """`grains_per_unit` is 1e-8 quote in one tick times one lot, by instrument."""
    return Hours(market, volumes(market, grains_per_unit))
