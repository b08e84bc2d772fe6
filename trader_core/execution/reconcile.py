"""Compare the venue with the ledger. Pure: what differs is named, nothing is merged."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from trader_core.domain.account import Balance, External
from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Acknowledged, Closed, Delisted, DiscrepancyFound, DiscrepancyGone, Fact
from trader_core.domain.instrument import base_of
from trader_core.domain.money import plain
from trader_core.domain.order import OrderReport, OrderStatus
from trader_core.ledger.laws import broken_laws


def order_facts(book: Book, reports: Mapping[str, OrderReport], now_ms: EpochMs) -> tuple[Fact, ...]:
    """What the venue's word makes of our open orders. Fills must be folded first.

    An intent the venue has never seen was never sent and is closed; it is not sent again. A working order that the
    venue does not know any more is over too: a lost stop is placed anew, a lost purchase is not.
    """
    facts: list[Fact] = []
    for order in book.orders.values():
        if not order.is_open:
            continue
        report = reports.get(order.client_order_id)
        if report is None and order.status is OrderStatus.INTENDED:
            facts.append(Closed(order.client_order_id, OrderStatus.REJECTED, "the venue never saw it", now_ms))
        elif report is None:
            facts.append(Closed(order.client_order_id, OrderStatus.CANCELED, "the venue does not know it", now_ms))
        elif report.status is OrderStatus.FILLED:
            continue  # its fills are on their way
        elif report.status is OrderStatus.WORKING:
            if order.status is OrderStatus.INTENDED:
                facts.append(Acknowledged(order.client_order_id, report.at_ms))
        else:
            facts.append(Closed(order.client_order_id, report.status, report.reason, report.at_ms))
    return tuple(facts)


def balance_facts(book: Book, balances: Sequence[Balance], quote: str, now_ms: EpochMs) -> tuple[Fact, ...]:
    """Discrepancies that appeared, changed or went away, by asset. More coins than ours are external, not one."""
    found = {"ledger": "; ".join(laws)} if (laws := broken_laws(book)) else {}
    at_venue = {balance.asset: balance.total for balance in balances}
    cash = at_venue.get(quote, Decimal(0))
    if book.cash is not None and cash != book.cash:
        found[quote] = f"the ledger has {plain(book.cash)} {quote}, the venue {plain(cash)}"
    for asset, ours in held_by_asset(book).items():
        theirs = at_venue.get(asset, Decimal(0))
        if theirs < ours:
            found[asset] = f"the ledger has {plain(ours)} {asset}, the venue {plain(theirs)}"
    news: list[Fact] = [
        DiscrepancyFound(subject, detail, now_ms)
        for subject, detail in found.items()
        if book.discrepancies.get(subject) != detail
    ]
    news += [DiscrepancyGone(subject, now_ms) for subject in book.discrepancies if subject not in found]
    return tuple(news)


def delistings(book: Book, listed: Collection[str], now_ms: EpochMs) -> tuple[Fact, ...]:
    """What we hold and the venue lists no more. A venue that lists nothing at all has not answered: no such fact."""
    return tuple(Delisted(symbol, now_ms) for symbol in sorted(book.held) if listed and symbol not in listed)


def held_by_asset(book: Book) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for symbol in book.held:
        held[base_of(symbol)] = held.get(base_of(symbol), Decimal(0)) + book.holdings[symbol].quantity
    return held


def externals(
    book: Book, balances: Sequence[Balance], quote: str, prices: Mapping[str, Decimal]
) -> tuple[External, ...]:
    """Coins at the venue beyond what the bot bought, with their value where the venue has a price."""
    out: list[External] = []
    for asset, extra in foreign_to(book, balances, quote).items():
        price = prices.get(f"{asset}-{quote}")
        out.append(External(asset, extra, None if price is None else extra * price))
    return tuple(out)


def foreign_to(book: Book, balances: Sequence[Balance], quote: str) -> dict[str, Decimal]:
    """How much of each coin is at the venue beyond what the bot bought, by asset."""
    ours = held_by_asset(book)
    extra = {one.asset: one.total - ours.get(one.asset, Decimal(0)) for one in balances if one.asset != quote}
    return {asset: extra[asset] for asset in sorted(extra) if extra[asset] > 0}
