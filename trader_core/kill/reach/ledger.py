"""What the live account's ledger says is ours, read beside a loop that may be writing it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from trader_core.domain.clocktime import SECOND_MS, EpochMs
from trader_core.domain.errors import StateUnusable
from trader_core.domain.instrument import base_of
from trader_core.domain.order import Order
from trader_core.kill.sales import turned_away
from trader_core.ledger.fold import fold
from trader_core.ops.clock import host_ms
from trader_core.store.sqlite import SqliteStore

LIVE = "live.db"
TURNS_UP_MS = 90 * SECOND_MS  # so long an order that arrived may be missing in every list
OVERLAP_MS = 600 * SECOND_MS  # lists are asked from so long before what is looked for


@dataclass(frozen=True)
class Ledger:
    """Positions by symbol, and our orders that were open when it was last written: our id, and the venue's or ''."""

    held: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    orders: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    unsure: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # of late, with no venue's name
    working: Mapping[str, Order] = field(default_factory=lambda: MappingProxyType({}))  # all of these
    names: frozenset[str] = frozenset()  # our ids of all orders ever
    trades: frozenset[str] = frozenset()  # every fill that is in `held`
    fills_ms: EpochMs = EpochMs(0)  # others are newer than this

    def by_base(self) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for symbol, quantity in self.held.items():
            found[base_of(symbol)] = found.get(base_of(symbol), Decimal(0)) + quantity
        return found


def read_ledger(state: Path | None) -> Ledger:
    """Raises StateUnusable or JournalBroken where it cannot be known."""
    path = state / LIVE if state else None
    try:
        there = path is not None and path.is_file()
    except OSError as refused:
        raise StateUnusable(f"the state directory cannot be looked at: {refused.strerror}") from None
    if path is None or not there:
        raise StateUnusable("there is no live account in this state directory")
    store = SqliteStore(path, None)
    try:
        book = fold(store.facts(judged=False))
    finally:
        store.close()
    held = {symbol: Decimal(one.quantity) for symbol, one in book.holdings.items() if one.quantity > 0}
    over = frozenset[str]()  # sales that a loop has taken in before the venue refused them
    with suppress(OSError):
        over = turned_away(path.parent)
    working = [one for one in book.orders.values() if one.is_open and one.client_order_id not in over]
    known = {one.client_order_id: one.venue_order_id for one in working}
    unsure = {
        one.client_order_id: f"{one.approved.side} {one.approved.symbol}"
        for one in working
        if not one.venue_order_id and host_ms() - one.sent_ms < TURNS_UP_MS * one.sends
    }
    trades = frozenset[str]().union(*(one.trades for one in book.holdings.values()))
    fills_ms = EpochMs(max(int(book.fill_cursor or host_ms()) - OVERLAP_MS, 0))
    if not book.fill_cursor:
        fills_ms = min([fills_ms, *(one.sent_ms for one in book.orders.values())])
    return Ledger(
        MappingProxyType(held), MappingProxyType(known), MappingProxyType(unsure),
        MappingProxyType({one.client_order_id: one for one in working}), frozenset(book.orders), trades, fills_ms,
    )  # fmt: skip
