"""Where an account stands, from its book alone: no market is asked."""

import re
from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs, day_index
from trader_core.domain.halt import Halt
from trader_core.domain.order import Order, OrderStatus
from trader_core.report.positions import Position, naked_minutes, positions

_BAR = re.compile(r"(\d+) ms\b")


class OpenOrder(Struct, frozen=True):
    """One order that the venue may still fill."""

    symbol: str
    role: str
    kind: str
    status: str
    quantity: Decimal
    filled: Decimal
    limit: Decimal | None
    trigger: Decimal | None
    client_order_id: str


class Status(Struct, frozen=True):
    """`restart_safe`: no order's fate is unknown, so a new process knows all that this one knew."""

    cycles: int
    last_decision_ms: EpochMs
    equity: Decimal | None
    cash: Decimal | None
    realised: Decimal
    day_loss_pct: float | None
    day_low_loss_pct: float | None  # at the day's lowest mark: what the limit of the day is held against
    positions: int
    open_positions: tuple[Position, ...]
    open_orders: tuple[OpenOrder, ...]
    halt: Halt
    discrepancies: Mapping[str, str]
    restart_safe: bool
    longest_naked_min: int | None  # of what is held with no stop at the venue; None: all of it is protected
    dust: tuple[str, ...]


def status(book: Book) -> Status:
    """Equity is the newest mark; positions carry no value, because nobody asked for a price."""
    held = positions(book, {})
    orders = [order for order in book.orders.values() if order.is_open]
    return Status(
        cycles=book.cycles,
        last_decision_ms=book.closed_ms,
        equity=book.equity,
        cash=book.cash,
        realised=book.realised,
        day_loss_pct=_day_loss_pct(book, book.equity),
        day_low_loss_pct=_day_loss_pct(book, book.day_low),
        positions=len(held),
        open_positions=held,
        open_orders=tuple(_open_order(order) for order in sorted(orders, key=lambda one: one.approved.symbol)),
        halt=book.halt,
        discrepancies=dict(book.discrepancies),
        longest_naked_min=max(naked_minutes(book).values(), default=None),
        dust=tuple(one.symbol for one in held if one.dust),
        restart_safe=not any(order.status is OrderStatus.INTENDED for order in orders),
    )


def next_decision_ms(book: Book, clock: str) -> EpochMs | None:
    """When the next cycle is due, by the clock that the state was opened for: 'virtual, 900000 ms'. None before the
    first cycle, and where the clock does not say how long a bar is."""
    found = _BAR.search(clock)
    return EpochMs(book.closed_ms + int(found[1])) if found and book.closed_ms >= 0 else None


def is_virtual(clock: str) -> bool:
    """Whether the account's time is the market's own, and not that of a wall clock."""
    return clock.startswith("virtual")


def _day_loss_pct(book: Book, mark: Decimal | None) -> float | None:
    """Loss from the first mark of the newest day to this one, in percent of it; below zero is a gain."""
    if book.day_open is None or mark is None or not book.day_open or day_index(book.closed_ms) != book.day:
        return None
    return round(float(100 * (book.day_open - mark) / book.day_open), 4)


def _open_order(order: Order) -> OpenOrder:
    terms = order.approved
    return OpenOrder(
        symbol=terms.symbol,
        role=terms.role.value,
        kind=terms.kind.value,
        status=order.status.value,
        quantity=terms.quantity,
        filled=order.filled,
        limit=terms.limit or None,
        trigger=terms.trigger or None,
        client_order_id=order.client_order_id,
    )
