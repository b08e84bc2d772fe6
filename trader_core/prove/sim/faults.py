"""A venue that misbehaves: the simulated one behind a reader and a trader to which things happen.

What happens depends on the seed, the venue's time and the subject alone, never on how often somebody asked before: so a
program that restarts meets the same venue. What the venue itself did is in its own books, whatever was told of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from trader_core.domain.account import BalancePage
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import OutcomeUnknown, RateLimited, Unreachable, VenuePayload, VenueUnavailable
from trader_core.domain.facts import CashFlow, Filled
from trader_core.domain.market import Candles, TopOfBook
from trader_core.domain.money import Base
from trader_core.domain.order import ApprovedOrder, Order, OrderReport, OrderStatus
from trader_core.domain.values import replace
from trader_core.ports import Clock, Ports, VenueReader, VenueTrader
from trader_core.prove.sim.dice import Dice

OUTAGE_BARS = 40  # there is one in each so many bars
OFTEN, SELDOM, RARE = 0.15, 0.05, 0.02
LATE_BARS = 3  # within which a fill is told
SENT_BARS = 3  # within which a send that timed out arrives
UNSEEN_BARS = 4  # after which one that nobody has seen was never there
SKEW_MS = 3_600_000
ZERO = Decimal(0)


class Died(BaseException):
    """The process ended here; nothing catches it but who started it."""


@dataclass
class Weather:
    """What may happen now. `sends` wait to arrive; it outlives the program, as a network does."""

    dice: Dice
    features: frozenset[str]
    bar_ms: int
    now_ms: Callable[[], int] = lambda: 0
    quiet: bool = False  # nothing happens any more: the life is over, and is to settle
    sends: list[tuple[int, tuple[str, ApprovedOrder, str]]] = field(default_factory=list)  # and when they arrive
    happened: dict[str, int] = field(default_factory=dict)
    died: set[tuple[object, ...]] = field(default_factory=set)  # where it did: the next one gets past it

    def strikes(self, feature: str, share: float, *words: object) -> bool:
        if self.quiet or feature not in self.features or not self.dice.falls(share, feature, self.now_ms(), *words):
            return False
        self.happened[feature] = self.happened.get(feature, 0) + 1
        return True

    @property
    def is_out(self) -> bool:
        """The venue answers nobody for a bar or some."""
        bar, length = divmod(self.now_ms() // self.bar_ms, OUTAGE_BARS)
        begins = self.dice.whole(0, OUTAGE_BARS - 1, "outage", bar)
        lasts = self.dice.whole(1, 4, "lasts", bar)
        return not self.quiet and "outages" in self.features and begins <= length < begins + lasts

    def look(self, *words: object) -> None:
        """Raises VenueUnavailable where there is no answer."""
        if self.is_out:
            raise VenueUnavailable("the venue is out")
        if self.strikes("unread markets", SELDOM, *words):
            raise self.dice.one_of(
                (VenueUnavailable("no answer"), RateLimited("too many requests"), VenuePayload("half of it", "$")),
                "how", self.now_ms(), *words,
            )  # fmt: skip


class Reader:
    """A VenueReader in that weather."""

    def __init__(self, inner: VenueReader, trader: VenueTrader, weather: Weather) -> None:
        self._inner, self._trader, self._weather = inner, trader, weather

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read_account(self, asked: Sequence[Order], fill_cursor: str) -> None:
        """What was on its way may have arrived by now."""
        weather = self._weather
        due = [one for one in weather.sends if weather.quiet or one[0] <= weather.now_ms()]
        for one in due:
            weather.sends.remove(one)
            self._trader.place(*one[1])
        self._inner.read_account(asked, fill_cursor)

    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles:
        self._weather.look("candles", symbol)
        return self._inner.candles(symbol, since_ms, until_ms)

    def day_closes(self, symbol: str, days: range) -> Sequence[int]:
        self._weather.look("closes", symbol)
        return self._inner.day_closes(symbol, days)

    def quotes(self, symbols: Sequence[str]) -> dict[str, TopOfBook]:
        """Some are missing; some are of an hour ago, and far from the market; some say that they will be."""
        self._weather.look("quotes")
        found = self._inner.quotes(symbols)
        for symbol in list(found):
            if self._weather.strikes("stale quotes", SELDOM, "missing", symbol):
                del found[symbol]
            elif self._weather.strikes("stale quotes", SELDOM, "old", symbol):
                old = found[symbol]
                hours = self._weather.dice.whole(-1, 5, "hours", self._weather.now_ms(), symbol)
                found[symbol] = replace(old, at_ms=EpochMs(old.at_ms - hours * SKEW_MS))
        return found

    def balances(self, cursor: str) -> BalancePage:
        self._weather.look("balances")
        return self._inner.balances(cursor)

    def flows(self, cursor: str) -> tuple[CashFlow, ...]:
        self._weather.look("flows")
        return self._inner.flows(cursor)

    def fills(self, cursor: str) -> tuple[Filled, ...]:
        """Those of the last bars may not be told yet; those before the cursor may be told again."""
        self._weather.look("fills")
        again = 4 if self._weather.strikes("repeated fills", OFTEN, "again") else 0
        found = self._inner.fills(str(max(int(cursor or 0) - again, 0)))
        told = (
            len(found) if not self._late else next((n for n, one in enumerate(found) if self._is_late(one)), len(found))
        )
        return found[:told] + (found[:told] if again else ())

    @property
    def _late(self) -> bool:
        return "late fills" in self._weather.features and not self._weather.quiet

    def _is_late(self, told: Filled) -> bool:
        weather = self._weather
        bars = weather.dice.whole(-6, LATE_BARS, "late", told.fill.trade_id)
        return weather.now_ms() < told.fill.at_ms + max(bars, 0) * weather.bar_ms

    def orders(self, asked: Sequence[Order]) -> dict[str, OrderReport]:
        """Where fills are told late, each order tells how much of it is filled, as such venues do."""
        self._weather.look("orders")
        found = self._inner.orders(asked)
        if not self._late:
            return found
        filled = dict.fromkeys(found, Base(ZERO))
        for one in self._inner.fills(""):
            if one.fill.client_order_id in filled:
                filled[one.fill.client_order_id] = Base(filled[one.fill.client_order_id] + one.fill.quantity)
        return {ours: replace(one, filled=filled[ours]) for ours, one in found.items()}


class Trader:
    """A VenueTrader in that weather."""

    def __init__(self, inner: VenueTrader, weather: Weather) -> None:
        self._inner, self._weather = inner, weather

    def payload(self, client_order_id: str, order: ApprovedOrder) -> str:
        return self._inner.payload(client_order_id, order)

    def place(self, client_order_id: str, order: ApprovedOrder, payload: str) -> OrderReport:
        weather = self._weather
        self._dies("before", client_order_id)
        if weather.is_out:
            raise Unreachable("the venue is out")
        if weather.strikes("rejects", OFTEN, client_order_id):
            return OrderReport(client_order_id, OrderStatus.REJECTED, "no", EpochMs(weather.now_ms()))
        if weather.strikes("lost sends", SELDOM, "never", client_order_id):
            raise OutcomeUnknown("it timed out, and never arrived")
        if weather.strikes("late sends", OFTEN, client_order_id):
            bars = weather.dice.whole(1, SENT_BARS, "arrives", client_order_id)
            weather.sends.append((weather.now_ms() + bars * weather.bar_ms, (client_order_id, order, payload)))
            raise OutcomeUnknown("it timed out, and is on its way")
        report = self._inner.place(client_order_id, order, payload)
        self._dies("after", client_order_id)
        if weather.strikes("lost sends", SELDOM, "answer", client_order_id):
            raise OutcomeUnknown("it timed out, and has arrived")
        return report

    def cancel(self, order: Order) -> OrderReport:
        weather, ours = self._weather, order.client_order_id
        self._dies("cancel", ours)
        if weather.is_out:
            raise Unreachable("the venue is out")
        if weather.strikes("lost cancels", OFTEN, "never", ours):
            raise VenueUnavailable("the cancel timed out, and never arrived")
        report = self._inner.cancel(order)
        if weather.strikes("lost cancels", OFTEN, "answer", ours):
            raise OutcomeUnknown("the cancel timed out, and has arrived")
        return report

    def _dies(self, *words: object) -> None:
        at = (self._weather.now_ms(), *words)
        if at not in self._weather.died and self._weather.strikes("crashes", RARE, *words):
            self._weather.died.add(at)
            raise Died(*words)


class Skewed:
    """A clock of a machine that goes by the venue's time, and where clocks jump, hours from it now and then."""

    def __init__(self, inner: Clock, weather: Weather) -> None:
        self._inner, self._weather = inner, weather

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def host_ms(self) -> Callable[[], EpochMs]:
        return self._told

    def _told(self) -> EpochMs:
        now_ms, weather = self._weather.now_ms(), self._weather
        if weather.strikes("clock", OFTEN, "jump"):
            return EpochMs(now_ms + weather.dice.whole(-48, 48, "skew", now_ms) * SKEW_MS)
        return EpochMs(now_ms)


def in_weather(ports: Ports, trader: VenueTrader, weather: Weather) -> Ports:
    weather.now_ms = ports.clock.seen_ms
    reader = cast("VenueReader", Reader(ports.reader, trader, weather))
    clock = cast("Clock", Skewed(ports.clock, weather))
    patience = replace(ports.patience, unseen_ms=UNSEEN_BARS * weather.bar_ms)
    return replace(ports, reader=reader, trader=Trader(trader, weather), clock=clock, patience=patience)
