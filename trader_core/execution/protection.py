"""What cannot be protected: a position whose stop the venue refuses. It is sold, and its asset not bought again."""

from trader_core.domain.book import Book
from trader_core.domain.clocktime import DAY_MS, EpochMs
from trader_core.domain.facts import Banned, Fact
from trader_core.domain.instrument import base_of
from trader_core.domain.order import OrderStatus, Role

REFUSALS_MAX = 3
BAN_MS = DAY_MS
REASON = f"its stop was refused {REFUSALS_MAX} times"


def unprotected(book: Book) -> frozenset[str]:
    """Symbols held whose newest stops, REFUSALS_MAX in a row, were all refused."""
    return frozenset(symbol for symbol in book.held if _refusals(book, symbol) >= REFUSALS_MAX)


def _refusals(book: Book, symbol: str) -> int:
    count = 0
    for order in book.orders.values():
        if order.approved.symbol == symbol and order.approved.role is Role.STOP:
            count = count + 1 if order.status is OrderStatus.REJECTED else 0
    return count


def bans_of_unprotected(book: Book, now_ms: EpochMs) -> tuple[Fact, ...]:
    assets = sorted({base_of(symbol) for symbol in unprotected(book)} - set(book.bans))
    return tuple(Banned(asset, REASON, now_ms, EpochMs(now_ms + BAN_MS)) for asset in assets)
