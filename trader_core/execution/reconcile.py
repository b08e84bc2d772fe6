"""Compare the venue with the ledger. Pure: what differs is named, nothing is merged."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trader_core.domain.account import Balance, External
from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Acknowledged, Closed, Delisted, DiscrepancyFound, DiscrepancyGone, Fact
from trader_core.domain.fill import Side
from trader_core.domain.instrument import Exclusion, Instrument, base_of
from trader_core.domain.money import plain
from trader_core.domain.order import Order, OrderReport, OrderStatus, Role
from trader_core.ledger.laws import broken_laws

LOST = {
    OrderStatus.INTENDED: (OrderStatus.REJECTED, "the venue never saw it"),
    OrderStatus.WORKING: (OrderStatus.CANCELED, "the venue does not know it"),
}


@dataclass(frozen=True)
class Account:
    """What one look at the account found: our orders by id, all that bear our mark, every balance, and what is told of
    our orders that is no plain fill, in words."""

    reports: Mapping[str, OrderReport]
    marked: Sequence[OrderReport]
    balances: Sequence[Balance]
    odd: Sequence[str] = ()


def is_ours(book: Book, client_order_id: str, symbol: str = "", side: Side | None = None) -> bool:
    """Whether what the venue tells under this id is what was written down under it: of that coin, whatever the name of
    its product, and of that side. Two that run copies of one account give their orders the same ids."""
    order = book.orders.get(client_order_id)
    return (
        order is not None
        and base_of(symbol) in ("", base_of(order.approved.symbol))
        and side in (None, order.approved.side)
    )


def order_facts(
    book: Book, reports: Mapping[str, OrderReport], now_ms: EpochMs, *, host_ms: int = 0, seen_ms: int = 0,
    unseen_ms: int = 0,
) -> tuple[Fact, ...]:  # fmt: skip
    """What the venue's word makes of our open orders. Fills must be folded first.

    An intent that the venue has never seen, and would show by now, was never sent and is closed; it is not sent again.
    One that was sent twice is waited for twice as long: the second time was before the first wait was over. The wait
    is over by this machine's clock and by the venue's time: either may be set meanwhile.
    A working order that the venue does not know any more, and is not so young that it may not know it yet, is over too:
    a lost stop is placed anew, a lost purchase is not. What has fills that have not been told yet stays open until they
    have.
    """
    facts: list[Fact] = []
    for order in book.orders.values():
        report = reports.get(order.client_order_id)
        if not order.is_open:
            continue
        if report is None:
            waited_ms = min(host_ms - order.sent_ms, seen_ms - order.placed_ms)
            if max(waited_ms, 0) >= unseen_ms * order.sends:
                facts.append(Closed(order.client_order_id, *LOST[order.status], now_ms))
        else:
            if order.status is OrderStatus.INTENDED and report.status is not OrderStatus.REJECTED:
                facts.append(Acknowledged(order.client_order_id, report.at_ms, report.venue_order_id))
            if report.status not in (OrderStatus.WORKING, OrderStatus.FILLED) and not awaits_fills(order, report):
                facts.append(Closed(order.client_order_id, report.status, report.reason, report.at_ms))
    return tuple(facts)


def awaits_fills(order: Order, report: OrderReport) -> bool:
    """Whether the venue counts more as filled than it has told of."""
    if report.filled is None:
        return report.status is OrderStatus.FILLED
    return report.filled > order.filled


def differences(book: Book, account: Account, quote: str, least_cash: Decimal) -> dict[str, str]:
    """What is not as the ledger has it, by subject. More coins than ours are external, no difference."""
    found = {"ledger": "; ".join(laws)} if (laws := broken_laws(book)) else {}
    strangers = [one.client_order_id for one in strange(book, account.marked)]
    if strangers:
        found["orders"] = f"{', '.join(strangers[:3])}: not ours, and yet of a trader: another one uses this account"
    if account.odd:
        found["fills"] = "; ".join(account.odd[:3])
    at_venue = {balance.asset: balance.total for balance in account.balances}
    cash = at_venue.get(quote, Decimal(0))
    if book.cash is not None and cash != book.cash and abs(cash - book.cash) >= least_cash:
        found[quote] = f"the ledger has {plain(book.cash)} {quote}, the venue {plain(cash)}"
    for asset, (ours, theirs) in missing_coins(book, book.held, account.balances).items():
        found[asset] = f"the ledger has {plain(ours)} {asset}, the venue {plain(theirs)}"
    return found


def missing_coins(
    book: Book, symbols: Iterable[str], balances: Iterable[Balance]
) -> dict[str, tuple[Decimal, Decimal]]:
    """(ours, the venue's) of each asset of which we have more in these symbols."""
    at_venue = {one.asset: one.total for one in balances}
    both = {asset: (ours, at_venue.get(asset, Decimal(0))) for asset, ours in by_asset(book, symbols).items()}
    return {asset: (ours, theirs) for asset, (ours, theirs) in both.items() if theirs < ours}


def difference_facts(book: Book, found: Mapping[str, str], now_ms: EpochMs) -> tuple[Fact, ...]:
    """Discrepancies that appeared, changed or went away, by subject."""
    news: list[Fact] = [
        DiscrepancyFound(subject, detail, now_ms)
        for subject, detail in found.items()
        if book.discrepancies.get(subject) != detail
    ]
    news += [DiscrepancyGone(subject, now_ms) for subject in book.discrepancies if subject not in found]
    return tuple(news)


def strange(book: Book, marked: Iterable[OrderReport]) -> list[OrderReport]:
    """What bears our mark, and is nothing that we have written down."""
    return [one for one in marked if not is_ours(book, one.client_order_id, one.symbol, one.side)]


def undead(book: Book, marked: Sequence[OrderReport]) -> tuple[Order, ...]:
    """Orders that are over for the ledger and yet work at the venue: what came later than anybody waited for."""
    others = strange(book, marked)
    working = {one.client_order_id for one in marked if one.status is OrderStatus.WORKING and one not in others}
    return tuple(one for one in book.orders.values() if not one.is_open and one.client_order_id in working)


def stuck_entries(book: Book, frozen: Collection[str]) -> tuple[str, ...]:
    """Purchases that rest in a market that takes no order: when it opens again, what they were decided on is gone."""
    working = [one for one in book.orders.values() if one.status is OrderStatus.WORKING]
    return tuple(
        one.client_order_id for one in working if one.approved.role is Role.ENTRY and one.approved.symbol in frozen
    )


def stubborn(book: Book, cancels: Collection[str]) -> tuple[str, ...]:
    """Orders that were to be canceled and may still be filled, in words."""
    left = (book.orders[one] for one in cancels if one in book.orders and book.orders[one].is_open)
    return tuple(f"{one.approved.symbol}: its {one.approved.role} is not canceled" for one in left)


def shut_in(book: Book, frozen: Collection[str], instruments: Iterable[Instrument]) -> tuple[str, ...]:
    """What is held and nothing we decide can sell, in words: its market takes no order, or nobody knows its rules."""
    closed, unread = book.held & frozenset(frozen), book.held - {one.symbol for one in instruments}
    return (
        *(f"{one}: it is held, and its market takes no order" for one in sorted(closed)),
        *(f"{one}: it is held, and what the venue lists of it cannot be read" for one in sorted(unread - closed)),
    )


def delistings(
    book: Book, listed: Collection[Instrument], excluded: Iterable[Exclusion], now_ms: EpochMs
) -> tuple[Delisted, ...]:
    """What we hold and the venue lists no more: what it lists and nobody can read is not among that. A venue that lists
    nothing at all has not answered: no such fact."""
    there = {one.symbol for one in listed} | {one.symbol for one in excluded}
    return tuple(Delisted(symbol, now_ms) for symbol in sorted(book.held - there)) if listed else ()


def by_asset(book: Book, symbols: Iterable[str]) -> dict[str, Decimal]:
    """How much of each asset the bot has in these symbols."""
    held: dict[str, Decimal] = {}
    for symbol in sorted(symbols):
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
    ours = by_asset(book, book.held)
    extra = {one.asset: one.total - ours.get(one.asset, Decimal(0)) for one in balances if one.asset != quote}
    return {asset: extra[asset] for asset in sorted(extra) if extra[asset] > 0}
