"""The market as triggers and strategies see it: the frame, the policy, and what several of them need, made once."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import HOUR_MS, MINUTE_MS
from trader_core.domain.instrument import base_of
from trader_core.market.frame import Frame
from trader_core.market.regime import regimes
from trader_core.market.windows import average_true_range
from trader_core.rulebook.codes import REGIMES, UNKNOWN
from trader_core.rulebook.limits import Floats, Ints

if TYPE_CHECKING:
    from trader_core.market.triggers import Found
    from trader_core.settings.schema import Settings, Signals


@dataclass(frozen=True)
class Market:
    """A column's value at a row depends on the rows of its own lookback alone, all of them at or before that row."""

    frame: Frame
    policy: "Settings"
    first: int  # rows before this one need not be right

    @property
    def per_hour(self) -> int:
        """Base bars in an hour."""
        return HOUR_MS // self.frame.bar_ms

    @property
    def per_15m(self) -> int:
        """Base bars in 15 minutes."""
        return 15 * MINUTE_MS // self.frame.bar_ms

    @property
    def signals(self) -> "Signals":
        return self.policy.signals

    @property
    def missing(self) -> int:
        """How many bars a window may miss and still be known."""
        return self.signals.windows.max_missing_bars

    @property
    def price(self) -> Ints:
        """[row, instrument], the last known close in ticks; 0 unknown."""
        return self.frame.last_known[0]

    @cached_property
    def regime(self) -> Ints:
        """[row], the confirmed regime."""
        return regimes(self)

    @cached_property
    def triggers(self) -> "Found":
        from trader_core.market.triggers import find

        return find(self)

    @cached_property
    def atr(self) -> Floats:
        """[row, instrument], average true range of `signals.guards.atr_h` hours in ticks; -1 unknown."""
        return average_true_range(self.frame, self.signals.guards.atr_h, self.missing)

    def tier(self, i: int) -> int:
        """1 to 3, of instrument `i`."""
        return self.policy.universe.tier_of(base_of(self.frame.symbols[i]))

    def threshold(self, name: str) -> Floats:
        """[row, 1], the threshold of that name in each row's regime; the highest of all where that is unknown."""
        by_regime = [float(getattr(getattr(self.signals.thresholds, each), name)) for each in REGIMES[UNKNOWN + 1 :]]
        return np.array([max(by_regime), *by_regime])[self.regime][:, None]
