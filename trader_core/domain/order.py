"""Orders: what was approved, what became of it, and which moves are legal."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import IllegalMove
from trader_core.domain.fill import Fill, Side
from trader_core.domain.money import Base, Quote
from trader_core.domain.values import replace


class Role(StrEnum):
    """Why the order exists. At most one working order per instrument and role."""

    ENTRY = "ENTRY"
    EXIT = "EXIT"
    STOP = "STOP"


class OrderKind(StrEnum):
    MAKER = "MAKER"  # post-only limit, rests
    TAKER = "TAKER"  # limit, immediate or cancel
    STOP = "STOP"  # rests, becomes a market sell when the price falls to its trigger


class OrderStatus(StrEnum):
    INTENDED = "INTENDED"  # written down; the venue may or may not know it
    WORKING = "WORKING"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"  # the venue said no, or never heard of it


_OPEN = (OrderStatus.INTENDED, OrderStatus.WORKING)
_LEGAL = {
    OrderStatus.INTENDED: frozenset(OrderStatus) - {OrderStatus.INTENDED},
    OrderStatus.WORKING: frozenset(OrderStatus) - {OrderStatus.INTENDED},
    OrderStatus.FILLED: frozenset[OrderStatus](),
    OrderStatus.CANCELED: frozenset({OrderStatus.FILLED}),  # a fill that overtook its cancel
    OrderStatus.EXPIRED: frozenset({OrderStatus.FILLED}),
    OrderStatus.REJECTED: frozenset({OrderStatus.FILLED}),
}


class ApprovedOrder(Struct, frozen=True):
    """What a judge let pass. Only engine/decide builds one; no id is part of it."""

    symbol: str
    side: Side
    role: Role
    kind: OrderKind
    quantity: Base
    limit: Decimal  # worst price we accept, quote per base; zero for a stop
    trigger: Decimal  # where a stop fires; of an exit, where what finds no buyer must be protected; else zero
    reason: str  # "sma_cross", "fallback", or an exit's name
    strategy: str
    stop_bps: int  # distance of the protective stop below the average entry
    target_bps: int  # distance of the target above it; 0 is none
    hold_ms: int  # sold after so long; 0 is never
    tries: int  # how often the entry was repriced before
    expires_ms: EpochMs


class Order(Struct, frozen=True):
    """An approved order under its id, with what the venue has made of it so far."""

    client_order_id: str
    approved: ApprovedOrder
    placed_ms: EpochMs
    status: OrderStatus = OrderStatus.INTENDED
    filled: Base = Base(Decimal(0))
    filled_value: Quote = Quote(Decimal(0))
    closed_ms: EpochMs | None = None
    venue_order_id: str = ""  # the venue's own name for it; empty until the venue has told it
    sends: int = 1  # how often its bytes may have left
    payload: str = ""  # those bytes
    sent_ms: EpochMs = EpochMs(0)  # when it was written down, by this machine's clock

    @property
    def remaining(self) -> Base:
        return Base(self.approved.quantity - self.filled)

    @property
    def is_open(self) -> bool:
        return self.status in _OPEN


class OrderReport(Struct, frozen=True):
    """An order as the venue knows it. `filled` is None where it tells of fills at once; a refusal is `expected` where
    the market alone is the reason. `symbol` and `side` are empty where they are not told."""

    client_order_id: str
    status: OrderStatus
    reason: str
    at_ms: EpochMs
    venue_order_id: str = ""
    filled: Base | None = None
    expected: bool = False
    symbol: str = ""
    side: Side | None = None


def advance(order: Order, status: OrderStatus, at_ms: EpochMs) -> Order:
    """The order in its new status. Raises IllegalMove where the table has no such move."""
    if status is order.status:
        return order
    if status not in _LEGAL[order.status]:
        raise IllegalMove(order.client_order_id, order.status, status)
    closed = None if status is OrderStatus.WORKING else at_ms
    return replace(order, status=status, closed_ms=closed)


def named(order: Order, venue_order_id: str) -> Order:
    """The order under the venue's name for it, once that is known."""
    return replace(order, venue_order_id=venue_order_id) if venue_order_id else order


def with_fill(order: Order, fill: Fill) -> Order:
    """The order after one more fill; complete orders become FILLED."""
    filled = Base(order.filled + fill.quantity)
    filled_value = Quote(order.filled_value + fill.value)
    grown = replace(order, filled=filled, filled_value=filled_value)
    if grown.remaining > 0:
        return grown
    return advance(grown, OrderStatus.FILLED, fill.at_ms)
