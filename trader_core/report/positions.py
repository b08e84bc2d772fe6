"""What is held, as a reader wants it: with its worth, its protection and its goal."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trader_core.domain.book import Book, Holding
from trader_core.domain.money import EXACT, GRAIN, quantise_up
from trader_core.domain.order import Role

BPS = 10_000


@dataclass(frozen=True, slots=True)
class Position:
    """One open position; amounts in quote. None is unknown, or there is none."""

    symbol: str
    strategy: str
    quantity: Decimal
    cost: Decimal  # without fees
    price: Decimal | None  # the close it is valued at
    value: Decimal | None
    unrealised: Decimal | None  # fees already paid taken off
    stop: Decimal | None  # trigger of the order that rests at the venue
    target: Decimal | None


def positions(book: Book, prices: Mapping[str, Decimal]) -> tuple[Position, ...]:
    """Everything held, by symbol."""
    return tuple(_position(book, symbol, book.holdings[symbol], prices.get(symbol)) for symbol in sorted(book.held))


def _position(book: Book, symbol: str, held: Holding, price: Decimal | None) -> Position:
    value = None if price is None else held.quantity * price
    stop = book.working(symbol, Role.STOP)
    return Position(
        symbol=symbol,
        strategy=held.strategy,
        quantity=held.quantity,
        cost=held.cost,
        price=price,
        value=value,
        unrealised=None if value is None else value - held.cost - held.entry_fees,
        stop=stop.approved.trigger if stop else None,
        target=_target(held),
    )


def _target(held: Holding) -> Decimal | None:
    """Average entry and the distance above it, rounded up to 1e-8 quote."""
    if not held.target_bps:
        return None
    average = EXACT.divide(held.cost, held.quantity)
    return quantise_up(average * (BPS + held.target_bps) / BPS, GRAIN)
