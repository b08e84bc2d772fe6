"""What is held, as a reader wants it: with its worth, its protection and its goal."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from trader_core.domain.book import Book, Holding
from trader_core.domain.clocktime import MINUTE_MS, EpochMs
from trader_core.domain.money import EXACT, GRAIN, quantise_up
from trader_core.domain.order import Role
from trader_core.execution.protection import naked_since

BPS = 10_000


class Position(Struct, frozen=True):
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
    fees: Decimal  # paid for what is held
    entry_price: Decimal  # average, to 1e-8 quote
    peak: Decimal | None  # highest bid since it was opened: what a trailing stop follows
    opened_ms: EpochMs
    sell_by_ms: EpochMs | None  # when it will have been held for so long as the strategy wants; None: for ever
    delisted: bool  # the venue does not list it any more: nothing of ours can sell it
    dust: bool  # less than the venue took at the newest mark: it stays until more is bought, or a person deals with it
    naked_min: int | None  # for how long nothing has protected it at the venue; None: something does, or it is dust


def positions(book: Book, prices: Mapping[str, Decimal]) -> tuple[Position, ...]:
    """Everything held, by symbol, also what a person has to sell."""
    return tuple(
        _position(book, symbol, book.holdings[symbol], prices.get(symbol))
        for symbol in sorted(book.held | book.stranded)
    )  # fmt: skip


def naked_minutes(book: Book) -> dict[str, int]:
    """Symbols that nothing protects at the venue, and for how many whole minutes at the newest cycle."""
    return {symbol: max(book.closed_ms - since, 0) // MINUTE_MS for symbol, since in naked_since(book).items()}


def _position(book: Book, symbol: str, held: Holding, price: Decimal | None) -> Position:
    value = None if price is None else held.quantity * price
    stop = book.working(symbol, Role.STOP)
    average = EXACT.divide(held.cost, held.quantity)
    return Position(
        symbol=symbol,
        strategy=held.strategy,
        quantity=held.quantity,
        cost=held.cost,
        price=price,
        value=value,
        unrealised=None if value is None else value - held.cost - held.entry_fees,
        stop=stop.approved.trigger if stop else None,
        target=quantise_up(average * (BPS + held.target_bps) / BPS, GRAIN) if held.target_bps else None,
        fees=held.entry_fees,
        entry_price=quantise_up(average, GRAIN),
        peak=held.peak or None,
        opened_ms=held.opened_ms,
        sell_by_ms=EpochMs(held.opened_ms + held.hold_ms) if held.hold_ms else None,
        delisted=symbol in book.delisted,
        dust=symbol in book.dust,
        naked_min=naked_minutes(book).get(symbol),
    )
