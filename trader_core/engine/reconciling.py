"""Account against ledger, for a person: everything that differs, by kind, and what may be booked of it.

What is booked is cash as a deposit or withdrawal and coins as a withdrawal in kind, never as profit; orders that are
over are closed, and those that should be are canceled. Nothing is bought or sold, and what is not ours is not touched.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal

from msgspec import Struct

from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import OutcomeUnknown, VenueUnavailable
from trader_core.domain.facts import CashFlow, CoinsMoved, Fact, Filled
from trader_core.domain.fill import Side
from trader_core.domain.instrument import Instrument, base_of
from trader_core.domain.money import EXACT, GRAIN, Base, Quote, plain, quantise_up
from trader_core.domain.order import Order, OrderStatus, Role
from trader_core.engine.journal import Journal
from trader_core.engine.settle import settle
from trader_core.execution.flatten import Sale, sales
from trader_core.execution.reconcile import (
    Account,
    awaits_fills,
    difference_facts,
    differences,
    missing_coins,
    strange,
    undead,
)
from trader_core.ports import Ports

CASH, COINS, DUST, FILL, FLOW, LEDGER, LOST, PENDING, STOP, STRANGE, STRANGER, UNDEAD = (
    "cash", "missing coins", "dust", "fill", "flow", "ledger", "lost order", "unknown order", "missing stop",
    "strange fill", "stranger", "undead order",
)  # fmt: skip
WORTHLESS = Decimal("1e-18")  # a price has to be above zero; at this one 10^10 coins are worth 1e-8 quote
DOES = {
    CASH: "books it as a deposit or withdrawal",
    COINS: "writes the position down, with --reason",
    DUST: "gives it to its owner at the bid, with --reason: it is not the bot's any more",
    FILL: "books it",
    FLOW: "books it",
    LEDGER: "nothing: this is a bug",
    LOST: "closes it",
    PENDING: "waits: it is closed when the venue has not shown it for long enough",
    STOP: "nothing: the next cycle places it",
    STRANGE: "nothing: a person looks at it",
    STRANGER: "nothing: it is not ours",
    UNDEAD: "cancels it",
}


class Finding(Struct, frozen=True):
    """One thing in which account and ledger differ; None where it is no amount. `closes` entries while it lasts."""

    kind: str
    subject: str
    detail: str
    ledger: Decimal | None = None
    venue: Decimal | None = None
    closes: bool = False

    @property
    def does(self) -> str:
        """What applying does about it."""
        return DOES[self.kind]


def compare(ports: Ports, copy: Journal, at_ms: EpochMs, dust_bps: float | None = None) -> tuple[Finding, ...]:
    """Everything that differs, on a copy of the journal that is thrown away; with `dust_bps`, by which a sale may go
    below the bid, dust too. Raises VenueUnavailable, TooManyPages."""
    before = copy.book
    fills, account = settle(ports, copy, at_ms)
    found = [*_findings(before, copy.book, fills, account, ports)]
    for one in _dust(ports, copy.book, dust_bps):
        found.append(Finding(DUST, one.symbol, f"{plain(one.quantity)} held: {one.why_not}", one.quantity))
    return tuple(found)


def _dust(ports: Ports, book: Book, dust_bps: float | None) -> tuple[Sale, ...]:
    """What is held, can be sold at no price that there is now, and has no order open."""
    ordered = {one.approved.symbol for one in book.orders.values() if one.is_open}
    asked = sorted(book.held - ordered) if dust_bps is not None else []
    if not asked or dust_bps is None:
        return ()
    found = sales(book, ports.reader.instruments(), ports.reader.quotes(asked), (), dust_bps)
    return tuple(one for one in found if one.is_dust and one.bid is not None and one.symbol in asked)


def _findings(
    before: Book, after: Book, fills: tuple[Filled, ...], account: Account, ports: Ports
) -> Iterator[Finding]:
    quote = ports.account_quote
    for told in fills:
        one = told.fill
        detail = f"{one.side} {plain(one.quantity)} at {plain(one.price)}, fee {plain(one.fee)}, not in the ledger yet"
        yield Finding(FILL, one.symbol, detail)
    if after.flows != before.flows:
        yield Finding(FLOW, quote, "a deposit or withdrawal that is not in the ledger yet", before.flows, after.flows)
    yield from _orders(before, after, account)
    closing = differences(after, account, quote, ports.patience.cash)
    for subject, detail in closing.items():
        if subject == quote:
            theirs = next((one.total for one in account.balances if one.asset == quote), Decimal(0))
            yield Finding(CASH, quote, detail, after.cash, theirs, closes=True)
        elif subject == "ledger":
            yield Finding(LEDGER, subject, detail, closes=True)
        elif subject == "fills":
            yield Finding(STRANGE, subject, detail, closes=True)
    for base, (ours, theirs) in _missing(after, account).items():
        detail = f"the ledger has {plain(ours)} {base}, the venue {plain(theirs)}"
        yield Finding(COINS, base, detail, ours, theirs, closes=base in closing)
    for symbol in sorted(after.held - after.dust):
        covered = any(after.working(symbol, role) for role in (Role.STOP, Role.EXIT))
        if after.holdings[symbol].stop_bps and not covered:
            yield Finding(STOP, symbol, f"{plain(after.holdings[symbol].quantity)} held, and no stop rests")


def _orders(before: Book, after: Book, account: Account) -> Iterator[Finding]:
    for name, order in before.orders.items():
        now = after.orders[name]
        told = f"{order.approved.symbol} {order.approved.role}"
        if order.is_open and now.status is OrderStatus.INTENDED:
            yield Finding(PENDING, name, f"{told}: sent, and nobody knows whether it arrived", closes=True)
        elif order.status is OrderStatus.INTENDED and now.status is OrderStatus.WORKING:
            yield Finding(LOST, name, f"{told}: the venue has it")
        elif order.is_open and not now.is_open and now.status is not OrderStatus.FILLED:
            yield Finding(LOST, name, f"{told}: {order.status} in the ledger, {now.status} at the venue")
    for one in undead(after, account.marked):
        yield Finding(UNDEAD, one.client_order_id, f"{one.approved.symbol} {one.approved.role}: over, and yet it works")
    for stranger in strange(after, account.marked):
        detail = f"{stranger.status}: of a trader, and not in this ledger: another one uses this account"
        yield Finding(STRANGER, stranger.client_order_id, detail, closes=True)


class Applied(Struct, frozen=True):
    """What was done, in words."""

    done: tuple[str, ...]
    why_not: tuple[str, ...]


def settle_up(
    ports: Ports, journal: Journal, at_ms: EpochMs, reason: str, dust_bps: float | None = None
) -> Applied:  # fmt: skip
    """Fold what is late, close what is over, cancel what should be, then book the rest. Raises VenueUnavailable.

    Cash and coins are not booked while an order's fate is open: the difference may be a fill that has not been told.
    """
    _, account = settle(ports, journal, at_ms)
    late = undead(journal.book, account.marked)
    canceled, not_canceled = _canceled(ports, late)
    if late:
        _, account = settle(ports, journal, at_ms)
    pending = [one for one in journal.book.orders.values() if _is_pending(one, account)]
    pending = pending or _unheld(journal.book, account, ports.account_quote)
    if pending:
        names = ", ".join(one.client_order_id for one in pending)
        return Applied(canceled, (*not_canceled, f"cash and coins are not booked while orders are unknown: {names}"))
    facts, told = _booked(ports, journal.book, account, at_ms, reason)
    missing, dust = _missing(journal.book, account), _dust(ports, journal.book, dust_bps)
    wanting = [f"{base} is missing" for base in missing] + [f"{one.symbol} is dust" for one in dust]
    unsaid = [f"{what}: a person has to say why, with --reason" for what in wanting if not reason]
    if reason and not missing:
        given = [_given(journal.book, one, at_ms, reason) for one in dust]
        facts += given
        told += tuple(f"gave {plain(one.quantity)} of {one.symbol} to its owner at {plain(one.price)}" for one in given)
    journal.record(at_ms, facts)
    left = differences(journal.book, account, ports.account_quote, ports.patience.cash)
    journal.record(at_ms, difference_facts(journal.book, left, at_ms))
    return Applied((*canceled, *told), (*not_canceled, *unsaid))


def _canceled(ports: Ports, late: Sequence[Order]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(orders canceled, orders that could not be)."""
    done: list[str] = []
    for one in late:
        with suppress(OutcomeUnknown, VenueUnavailable):
            if ports.trader is not None:
                ports.trader.cancel(one)
                done.append(one.client_order_id)
    left = [one.client_order_id for one in late if one.client_order_id not in done]
    return tuple(f"canceled {one}" for one in done), tuple(f"{one} could not be canceled" for one in left)


def _is_pending(order: Order, account: Account) -> bool:
    report = account.reports.get(order.client_order_id)
    return order.status is OrderStatus.INTENDED or (
        order.is_open and report is not None and awaits_fills(order, report)
    )


def _unheld(book: Book, account: Account, quote: str) -> list[Order]:
    """Open orders for which the venue holds back less than they need: they are over, and no list says so yet."""
    hold = {one.asset: one.hold for one in account.balances}
    working = [one for one in book.orders.values() if one.status is OrderStatus.WORKING]
    needs: dict[str, Decimal] = {}
    for one in working:
        asset, amount = _needs(one, quote)
        needs[asset] = needs.get(asset, Decimal(0)) + amount
    return [one for one in working if needs[_needs(one, quote)[0]] > hold.get(_needs(one, quote)[0], Decimal(0))]


def _needs(order: Order, quote: str) -> tuple[str, Decimal]:
    """(asset, how much of it at the least) that an open order keeps."""
    if order.approved.side is Side.SELL:
        return base_of(order.approved.symbol), order.remaining
    return quote, EXACT.multiply(order.remaining, order.approved.limit)


def _missing(book: Book, account: Account) -> dict[str, tuple[Decimal, Decimal]]:
    """(ours, the venue's) of every coin of which the bot has more, also where it was written off."""
    return missing_coins(book, book.held | book.stranded, account.balances)


def _booked(
    ports: Ports, book: Book, account: Account, at_ms: EpochMs, reason: str
) -> tuple[list[Fact], tuple[str, ...]]:
    quote, facts, told = ports.account_quote, list[Fact](), list[str]()
    cash = next((one.total for one in account.balances if one.asset == quote), Decimal(0))
    extra = Decimal(0) if book.cash is None else cash - book.cash
    if extra and abs(extra) >= ports.patience.cash:
        facts.append(CashFlow(Quote(extra), at_ms, reason or "booked by reconcile", ""))
        told.append(f"booked a {'deposit' if extra > 0 else 'withdrawal'} of {plain(abs(extra))} {quote}")
    listed = {one.symbol: one for one in ports.reader.instruments()}
    for base, (ours, theirs) in _missing(book, account).items():
        if reason:
            moved = list(_written_down(ports, book, listed, base, ours - theirs, at_ms, reason))
            facts += moved
            told += [f"wrote {one.symbol} down by {plain(one.quantity)} at {plain(one.price)}" for one in moved]
    return facts, tuple(told)


def _written_down(
    ports: Ports, book: Book, listed: dict[str, Instrument], base: str, missing: Decimal, at_ms: EpochMs, reason: str
) -> Iterator[CoinsMoved]:
    """In whole lots: what is written down too much is not ours any more, and never sold."""
    for symbol in sorted(one for one in book.held | book.stranded if base_of(one) == base):
        held = book.holdings[symbol]
        lots = quantise_up(missing, listed[symbol].lot) if symbol in listed else missing
        part = min(lots, held.quantity)
        if part > 0:
            price = _price(ports, book, symbol)
            name = f"written-down-{book.intents}-{at_ms}-{symbol}"
            yield CoinsMoved(name, symbol, Side.SELL, Base(part), price, at_ms, reason)
        missing -= min(missing, part)


def _given(book: Book, dust: Sale, at_ms: EpochMs, reason: str) -> CoinsMoved:
    """A withdrawal in kind at the bid: neither gain nor loss but what the position had made of it."""
    name = f"given-{book.intents}-{at_ms}-{dust.symbol}"
    return CoinsMoved(name, dust.symbol, Side.SELL, Base(dust.quantity), dust.bid or GRAIN, at_ms, reason)


def _price(ports: Ports, book: Book, symbol: str) -> Decimal:
    """The bid; where nobody bids, what was paid; what was written off is worth nothing."""
    if symbol in book.stranded:
        return WORTHLESS
    held, quotes = book.holdings[symbol], dict[str, Decimal]()
    with suppress(VenueUnavailable):
        quotes = {name: top.bid for name, top in ports.reader.quotes([symbol]).items()}
    paid = EXACT.divide(held.cost, held.quantity).quantize(GRAIN)
    return quotes.get(symbol) or max(paid, GRAIN)
