"""The market as triggers and strategies see it: the frame, the policy, and what several of them need, made once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

import numpy as np

from trader_core.domain.clocktime import MINUTE_MS
from trader_core.domain.instrument import base_of
from trader_core.domain.once import once
from trader_core.market.frame import Frame
from trader_core.market.guards import Ranges
from trader_core.market.listing import Told, told
from trader_core.market.regime import Weather, column_of, regimes, weather
from trader_core.market.windows import Rolling, difference, enough, since
from trader_core.rulebook.codes import REGIMES, UNKNOWN
from trader_core.rulebook.limits import Floats, Ints

if TYPE_CHECKING:
    from trader_core.market.triggers import Found
    from trader_core.settings.schema import Settings, Signals


@dataclass(frozen=True, eq=False)
class Market:
    """A column's value at a row depends on the rows of its own lookback alone, all of them at or before that row.

    What the weather says it says once an hour, of whole UTC hours: `hour` leads from a row to its row there.
    """

    frame: Frame
    policy: "Settings"
    first: int  # rows before this one need not be right
    whole: Optional["Market"] = None  # what it is a part of, which knows the hours before this one too
    start: int = 0  # its first row there
    is_leg: bool = False  # a part whose prices and sums are its own

    def part(self, start: int, end: int, first: int) -> "Market":
        """Rows `start` to before `end`, of which those before `first` need not be right."""
        return Market(self.frame.part(start, end), self.policy, first - start, self, start)

    def leg(self, frame: Frame, start: int, first: int) -> "Market":
        """The part that `frame` is, from row `start` on: it takes nothing from the whole but what is told by the
        hour."""
        return Market(frame, self.policy, first - start, self, start, is_leg=True)

    @property
    def root(self) -> "Market":
        """What is no part of anything."""
        return self if self.whole is None else self.whole.root

    @property
    def _lender(self) -> Optional["Market"]:
        """Whose prices and sums these are."""
        return None if self.is_leg else self.whole

    @property
    def per_hour(self) -> int:
        """Base bars in an hour."""
        return self.frame.per_hour

    @property
    def per_15m(self) -> int:
        """Base bars in 15 minutes; one where a bar is longer."""
        return max(15 * MINUTE_MS // self.frame.bar_ms, 1)

    @property
    def signals(self) -> "Signals":
        return self.policy.signals

    @property
    def missing(self) -> int:
        """How many bars a window may miss and still be known."""
        return self.signals.windows.max_missing_bars

    @once
    def price(self) -> Ints:
        """[row, instrument], the last known close in ticks; 0 unknown."""
        return self.frame.last_known[0] if self._lender is None else self._rows(self._lender.price)

    @property
    def highest_close(self) -> int:
        return self.frame.highest_close if self.whole is None else self.whole.highest_close

    @once
    def told(self) -> Told:
        """The rows of what is told by the hour."""
        universe, bases = self.policy.universe, [base_of(symbol) for symbol in self.frame.symbols]
        discovered = set(bases) - set(universe.bases) if universe.discovery.enabled else set()
        return told(self.frame, np.array([base in discovered | {self.signals.regime.base} for base in bases], np.bool_))

    @once
    def hour(self) -> Ints:
        """[row], its row in what is told by the hour."""
        return self.told.at if self.whole is None else self._rows(self.whole.hour)

    @once
    def hourly(self) -> "Market":
        """The whole hours as a market of their own."""
        return hourly_of(self.frame, self.policy) if self.whole is None else self.whole.hourly

    @once
    def regimes(self) -> Ints:
        """[hour], of an hourly market, the confirmed regime."""
        return regimes(self)

    @once
    def weather(self) -> Weather:
        """What the regime is read from, of an hourly market."""
        return weather(self)

    @once
    def regime(self) -> Ints:
        """[hour], the confirmed regime; unknown while the asset that it is read from is not listed."""
        if self.whole is not None:
            return self.whole.regime
        found, symbols = self.told.of(self.hourly.regimes, UNKNOWN), self.frame.symbols
        column = column_of(symbols, self.signals.regime.base)
        return found if column < 0 else np.where(self.told.gone[:, column], UNKNOWN, found)

    @once
    def ranges(self) -> Ranges:
        """Of an hourly market."""
        return Ranges(self)

    @once
    def atr(self) -> Floats:
        """[hour, instrument], average true range of `signals.guards.atr_h` hours in ticks; -1 unknown."""
        return self.told.of(self.hourly.ranges.average, -1.0) if self.whole is None else self.whole.atr

    @property
    def triggers(self) -> "Found":
        from trader_core.market.triggers import find

        return find(self)

    def closes(self, length: int) -> Rolling:
        """Rolling sum of closes in ticks. A window with more absent bars than may be missing is not full."""
        if self.frame.is_whole:
            return Rolling(self._sums, length, length, since(self.frame.rows, length - 1))
        count = difference(self._counts, length)
        return Rolling(self._sums, length, count, enough(count, length, self.missing))

    def tier(self, i: int) -> int:
        """1 to 3, of instrument `i`."""
        return self.policy.universe.tier_of(base_of(self.frame.symbols[i]))

    def threshold(self, name: str) -> Floats:
        """[row, 1], the threshold of that name in each row's regime; the highest of all where that is unknown."""
        by_regime = [float(getattr(getattr(self.signals.thresholds, each), name)) for each in REGIMES[UNKNOWN + 1 :]]
        return np.array([max(by_regime), *by_regime])[self.regime[self.hour]][:, None]

    @once
    def _sums(self) -> Ints:
        return self.frame.close_sums if self._lender is None else self._befores(self._lender._sums)

    @once
    def _counts(self) -> Ints:
        return self.frame.counts if self._lender is None else self._befores(self._lender._counts)

    def _rows(self, values: Ints) -> Ints:
        return values[self.start : self.start + self.frame.rows]

    def _befores(self, sums: Ints) -> Ints:
        return sums[self.start : self.start + self.frame.rows + 1]


SHORT_CELLS = 1 << 16  # a window of more is a replay's, which looks once
_NEWEST: list[tuple[Frame, Market]] = []  # at most one: a window's whole hours, and the market of them


def hourly_of(frame: Frame, policy: "Settings") -> Market:
    """The whole hours as a market of their own: the same one, with all that was found in it, until an hour closes."""
    if frame.close.size > SHORT_CELLS:
        return Market(frame.hourly, policy, 0)
    hours = frame.whole_hours
    for known, market in _NEWEST:
        if market.policy is policy and known.is_same(hours):
            return market
    made = Market(frame.hourly, policy, 0)
    _NEWEST[:] = [(hours, made)]
    return made
