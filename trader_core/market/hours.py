"""What is measured once an hour, of whole UTC hours: the same whatever the base bar, at whatever minute it is asked.

Arrays are [hour] or [hour, instrument], the rows of market.listing.Told. Before the first whole hour nothing is known.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trader_core.market.guards import UNKNOWN, Ranges, day_ranges, volatility
from trader_core.market.listing import Told
from trader_core.market.universe import volumes
from trader_core.rulebook.limits import Flags, Floats, Ints

if TYPE_CHECKING:
    from trader_core.market.seen import Market


@dataclass(frozen=True)
class Hours:
    """As in rulebook.state.Columns."""

    regime: Ints
    day_cents: Ints  # traded in the last 24 hours, 1/100 quote
    eligible: Flags
    volatility: Floats
    day_range: Floats
    atr_ratio: Floats  # unknown where it has not been asked for
    ranges: Ranges
    told: Told

    def ask(self, at: Ints, columns: Ints) -> None:
        """See that `atr_ratio` holds what is so in these cells. Medians cost more than all the rest together."""
        asked = np.zeros(self.atr_ratio.T.shape, np.bool_)
        asked[columns, at] = (self.told.hour[at] > 0) & (self.atr_ratio[at, columns] < 0.0)
        column, row = np.divmod(np.flatnonzero(asked), len(self.atr_ratio))
        self.atr_ratio[row, column] = self.ranges.ratios_at(self.told.hour[row] - 1, column)


def hours_of(market: "Market", grains_per_unit: Floats) -> Hours:
    """`grains_per_unit` is 1e-8 quote in one tick times one lot, by instrument."""
    traded, ranges, told = volumes(market, grains_per_unit), market.hourly.ranges, market.told
    return Hours(
        regime=market.regime,
        day_cents=traded.day_cents,
        eligible=traded.eligible,
        volatility=told.of(volatility(market.hourly), UNKNOWN),
        day_range=told.of(day_ranges(market.hourly.frame), UNKNOWN),
        atr_ratio=np.full(traded.day_cents.shape[::-1], UNKNOWN).T,
        ranges=ranges,
        told=told,
    )
