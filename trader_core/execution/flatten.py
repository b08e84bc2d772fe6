"""What of the positions can be sold now, at which price at the worst, and why the rest cannot. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal

from msgspec import Struct

from trader_core.domain.book import Book
from trader_core.domain.instrument import Instrument
from trader_core.domain.market import TopOfBook
from trader_core.domain.money import EXACT, plain
from trader_core.domain.order import OrderStatus, Role
from trader_core.rulebook.exits import is_sellable, lowest_sale
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import State

BPS = 10_000


class Sale(Struct, frozen=True):
    """One position. `worst` is the price below which nothing is sold; None where nobody bids."""

    symbol: str
    quantity: Decimal
    bid: Decimal | None
    worst: Decimal | None
    is_dust: bool  # less than the venue trades: it stays
    why_not: str  # why it cannot be sold now; empty where it can

    @property
    def is_open(self) -> bool:
        """Whether it is still to be sold: dust never is."""
        return not self.is_dust


def sales(
    book: Book,
    listed: Iterable[Instrument],
    quotes: Mapping[str, TopOfBook],
    frozen: Collection[str],
    band_bps: float,
) -> tuple[Sale, ...]:
    """Everything that the bot owns, by symbol."""
    instruments = {one.symbol: one for one in listed}
    return tuple(
        _sale(symbol, book.holdings[symbol].quantity, instruments.get(symbol), quotes.get(symbol), frozen, band_bps)
        for symbol in sorted(book.held | book.stranded)
    )


def _sale(
    symbol: str,
    quantity: Decimal,
    instrument: Instrument | None,
    quote: TopOfBook | None,
    frozen: Collection[str],
    band_bps: float,
) -> Sale:
    if instrument is None:
        return Sale(symbol, quantity, None, None, False, "the venue does not list it any more: sell it by hand")
    bid = quote.bid if quote and quote.bid > 0 else None
    worst = None if bid is None else EXACT.multiply(bid, 1 - Decimal(str(band_bps)) / BPS)
    sellable = whole_lots(quantity, instrument.lot)
    floor = f"less than the venue's smallest order of {plain(instrument.min_notional)} {instrument.quote}"
    if sellable <= 0 or (worst is not None and sellable * worst < instrument.min_notional):
        return Sale(symbol, quantity, bid, worst, True, f"dust: {floor}")
    why_not = "the market takes no order now" if symbol in frozen else "" if bid is not None else "nobody bids"
    return Sale(symbol, quantity, bid, worst, False, why_not)


def dust(
    law: Law, state: State, bids: Sequence[int], symbols: Sequence[str], held: Collection[str]
) -> tuple[str, ...]:  # fmt: skip
    """What is held, has a bid, and is less than the venue takes at the lowest price that an exit would sell at."""
    found = []
    for i, (symbol, bid) in enumerate(zip(symbols, bids, strict=True)):
        if symbol in held and bid > 0 and not is_sellable(law, i, int(state.lots[i]), lowest_sale(law, bid)):
            found.append(symbol)
    return tuple(sorted(found))


def whole_lots(quantity: Decimal, lot: Decimal) -> Decimal:
    """What of a quantity can be sold."""
    return EXACT.multiply(EXACT.divide(quantity, lot).to_integral_value(ROUND_FLOOR), lot)


def on_their_way(book: Book) -> tuple[str, ...]:
    """Symbols in which an order that buys or sells may still fill, or nobody knows of one. Stops are not among them."""
    return tuple(
        one.approved.symbol
        for one in book.orders.values()
        if one.is_open and (one.approved.role is not Role.STOP or one.status is OrderStatus.INTENDED)
    )
