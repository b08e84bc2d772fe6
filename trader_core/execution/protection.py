"""What nothing protects: for how long, and a position whose stop the venue refuses. That one is sold, and its asset not
bought again."""

from collections.abc import Iterable

from trader_core.domain.book import Book
from trader_core.domain.clocktime import DAY_MS, EpochMs
from trader_core.domain.facts import Banned, Fact
from trader_core.domain.instrument import base_of
from trader_core.domain.order import Order, OrderKind, OrderStatus, Role

REFUSALS_MAX = 3
BAN_MS = DAY_MS
REASON = f"its stop was refused {REFUSALS_MAX} times"


def naked_since(book: Book) -> dict[str, EpochMs]:
    """Symbols held for which neither a stop nor an exit is known to be at the venue, and since when at the longest:
    their purchase, or the end of what protected them. Dust is not: the venue takes no order for it."""
    guards = [one for one in book.orders.values() if one.approved.role is not Role.ENTRY]
    covered = {one.approved.symbol for one in guards if _protects(one, max(book.decided_ms, book.closed_ms))}
    return {
        symbol: EpochMs(max(_ended(guards, symbol), book.holdings[symbol].opened_ms))
        for symbol in sorted(book.held - covered - book.dust)
    }


def _protects(order: Order, at_ms: EpochMs) -> bool:
    """Whether it may still sell. One that takes at once or not at all is over with its bar, though nobody could be
    asked what became of it."""
    is_there = order.is_open and order.status is not OrderStatus.INTENDED
    return is_there and (order.approved.kind is not OrderKind.TAKER or at_ms < order.approved.expires_ms)


def _ended(guards: Iterable[Order], symbol: str) -> int:
    """When the newest of these orders ended; 0 where none did of late. What the venue refused protected nothing, and
    neither did what was over when it began: it never left."""
    refused = (OrderStatus.INTENDED, OrderStatus.REJECTED)
    stood = (one for one in guards if one.status not in refused and one.closed_ms != one.placed_ms)
    there = (one for one in stood if one.approved.symbol == symbol)
    return max((one.approved.expires_ms if one.closed_ms is None else one.closed_ms for one in there), default=0)


def unprotected(book: Book) -> frozenset[str]:
    """Symbols held whose newest stops, REFUSALS_MAX in a row, were all refused."""
    return frozenset(symbol for symbol in book.held if _refused_stops(book, symbol) >= REFUSALS_MAX)


def _refused_stops(book: Book, symbol: str) -> int:
    count = 0
    for order in book.orders.values():
        if order.approved.symbol == symbol and order.approved.role is Role.STOP:
            count = count + 1 if order.status is OrderStatus.REJECTED else 0
    return count


def unsellable(book: Book, decision_ms: EpochMs) -> frozenset[str]:
    """Symbols held whose newest exits, REFUSALS_MAX in a row, were all refused, the last of them since this decision's
    time: with the next one they are tried again."""
    found = ((symbol, _refused_exits(book, symbol)) for symbol in book.held)
    return frozenset(symbol for symbol, ends in found if len(ends) >= REFUSALS_MAX and ends[-1] >= decision_ms)


def _refused_exits(book: Book, symbol: str) -> list[int]:
    """When the newest exits were refused, one after the other. What still waited for the stop before it to be canceled
    was not."""
    ends, waits = list[int](), False
    for order in book.orders.values():
        if order.approved.symbol == symbol and order.approved.role is Role.STOP:
            waits = order.is_open
        elif order.approved.symbol == symbol and order.approved.role is Role.EXIT and not waits:
            ends = [*ends, order.closed_ms or 0] if order.status is OrderStatus.REJECTED else []
    return ends


def bans_of_unprotected(book: Book, now_ms: EpochMs) -> tuple[Fact, ...]:
    """Of those that no ban of before still covers."""
    in_force = {asset for asset, ban in book.bans.items() if now_ms < ban.until_ms}
    assets = sorted({base_of(symbol) for symbol in unprotected(book)} - in_force)
    return tuple(Banned(asset, REASON, now_ms, EpochMs(now_ms + BAN_MS)) for asset in assets)
