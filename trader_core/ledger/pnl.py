"""What the account is worth and what it earned: figures derived from a book, never stored beside it."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from trader_core.domain.book import ZERO, Book


class Valuation(Struct, frozen=True):
    """The account at given prices, in quote. `cash + positions == equity`, and equity - flows == realised +
    unrealised, where unrealised takes off the fees already paid for what is held."""

    cash: Decimal
    positions: Decimal
    equity: Decimal
    flows: Decimal
    realised: Decimal
    unrealised: Decimal


def valuation(book: Book, prices: Mapping[str, Decimal]) -> Valuation | None:
    """None where the cash or the price of something held is unknown; what is delisted is worth nothing."""
    if book.cash is None or any(symbol not in prices for symbol in book.held):
        return None
    positions = sum((book.holdings[symbol].quantity * prices[symbol] for symbol in book.held), ZERO)
    paid = sum((h.cost + h.entry_fees for h in book.holdings.values()), ZERO)
    return Valuation(book.cash, positions, book.cash + positions, book.flows, book.realised, positions - paid)
