"""The ledger's picture of the account: a value, made only by folding facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.halt import ARMED, Halt
from trader_core.domain.money import Base, Quote
from trader_core.domain.order import Order, Role

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Holding:
    """What the bot bought of one instrument. It stays, empty, after the position is closed."""

    quantity: Base = Base(ZERO)
    cost: Quote = Quote(ZERO)  # paid for the held quantity, fees apart
    entry_fees: Quote = Quote(ZERO)  # fees of the held quantity
    realised: Quote = Quote(ZERO)  # over all closed quantity, fees taken off
    strategy: str = ""
    stop_bps: int = 0
    target_bps: int = 0
    trades: frozenset[str] = frozenset()  # every trade id ever folded: a fill counts once


@dataclass(frozen=True, slots=True)
class LastExit:
    """When and why the bot last sold an asset: what cooldowns are counted from."""

    at_ms: EpochMs
    reason: str


@dataclass(frozen=True, slots=True)
class Book:
    cash: Quote | None = None  # None: nobody has told us yet
    flows: Quote = Quote(ZERO)  # deposits less withdrawals
    holdings: Mapping[str, Holding] = field(default_factory=lambda: MappingProxyType({}))  # by symbol
    orders: Mapping[str, Order] = field(default_factory=lambda: MappingProxyType({}))  # open, and closed of late
    exits: Mapping[str, LastExit] = field(default_factory=lambda: MappingProxyType({}))  # by asset
    discrepancies: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # subject: what differs
    halt: Halt = ARMED
    day: int = -1  # UTC day of the newest mark
    day_open: Quote | None = None  # equity at the first mark of that day
    equity: Quote | None = None  # at the newest mark
    decided_ms: EpochMs = EpochMs(-1)  # newest decision
    closed_ms: EpochMs = EpochMs(-1)  # decision time of the newest cycle that ran to its end
    fill_cursor: str = ""  # newest fill read from the venue
    intents: int = 0  # orders ever intended; the next one's sequence number
    cycles: int = 0

    def working(self, symbol: str, role: Role) -> Order | None:
        """The open order of that instrument and role, if any."""
        for order in self.orders.values():
            if order.is_open and order.approved.symbol == symbol and order.approved.role is role:
                return order
        return None

    @property
    def held(self) -> frozenset[str]:
        """Symbols of which the bot owns something."""
        return frozenset(symbol for symbol, holding in self.holdings.items() if holding.quantity)

    @property
    def watched(self) -> frozenset[str]:
        """Symbols that need care whatever the universe says: held, or with an order open."""
        return self.held | {order.approved.symbol for order in self.orders.values() if order.is_open}

    @property
    def realised(self) -> Decimal:
        return sum((h.realised for h in self.holdings.values()), ZERO)
