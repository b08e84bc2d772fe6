"""Take in what a kill has sold beside us, and what the venue says of our account: cash flows, fills, what became of
orders, and balances, in that order."""

from collections.abc import Mapping

from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Filled
from trader_core.domain.fill import Fill
from trader_core.domain.order import OrderReport
from trader_core.domain.values import replace
from trader_core.engine.adopt import adopt
from trader_core.engine.journal import Journal
from trader_core.engine.observe import all_balances
from trader_core.execution.reconcile import Account, difference_facts, differences, is_ours, order_facts
from trader_core.ports import Ports, VenueReader


def settle(ports: Ports, journal: Journal, decision_ms: EpochMs) -> tuple[tuple[Filled, ...], Account]:
    """(new fills, the account). What differs is looked at again, as often as the venue may need, before it is believed:
    a fill between two readings looks like a difference.

    Raises VenueUnavailable or TooManyPages.
    """
    fills, account, found = _looked(ports, journal, decision_ms)
    for _ in range(ports.patience.looks - 1):
        if not found:
            break
        more, account, found = _looked(ports, journal, decision_ms)
        fills += more
    journal.record(decision_ms, difference_facts(journal.book, found, decision_ms))
    return fills, account


def _looked(
    ports: Ports, journal: Journal, decision_ms: EpochMs
) -> tuple[tuple[Filled, ...], Account, Mapping[str, str]]:
    """(new fills, the account, what differs), of one reading. A kill's sales are known before it: what they leave is
    nothing that a stop may rest on."""
    adopt(journal, ports.emergencies(), decision_ms)
    asked = [order for order in journal.book.orders.values() if order.is_open]
    ports.reader.read_account(asked, journal.book.fill_cursor)
    journal.record(decision_ms, ports.reader.flows(journal.book.flow_cursor))
    fills = fold_fills(ports, journal, decision_ms)
    account = read_orders(ports, journal, decision_ms)
    return fills, account, differences(journal.book, account, ports.account_quote, ports.patience.cash)


def fold_fills(ports: Ports, journal: Journal, decision_ms: EpochMs) -> tuple[Filled, ...]:
    """Fills of our orders alone: what somebody traded by hand is not ours, and shows in the balances. A venue may fill
    an order under another name of its product; it is of what was ordered."""
    fills = new_fills(ports.reader, journal.book)
    journal.record(decision_ms, fills)
    return fills


def new_fills(reader: VenueReader, book: Book) -> tuple[Filled, ...]:
    told = [one for one in reader.fills(book.fill_cursor) if _is_ordered(book, one.fill)]
    ours = (_as_ordered(book, one) for one in told)
    return tuple({one.fill.trade_id: one for one in ours if is_new(book, one)}.values())


def reports_of(reader: VenueReader, book: Book) -> dict[str, OrderReport]:
    """The venue's word on our open orders. Another order under the id of one is no word on it."""
    asked = [order for order in book.orders.values() if order.is_open]
    found = reader.orders(asked) if asked else {}
    return {name: one for name, one in found.items() if is_ours(book, name, one.symbol, one.side)}


def read_orders(ports: Ports, journal: Journal, decision_ms: EpochMs) -> Account:
    reports, clock = reports_of(ports.reader, journal.book), ports.clock
    news = order_facts(
        journal.book, reports, decision_ms, host_ms=clock.host_ms(), seen_ms=clock.seen_ms(),
        unseen_ms=ports.patience.unseen_ms,
    )  # fmt: skip
    journal.record(decision_ms, news)
    return Account(reports, ports.reader.marked(), all_balances(ports.reader), ports.reader.oddities())


def _is_ordered(book: Book, fill: Fill) -> bool:
    return is_ours(book, fill.client_order_id, fill.symbol, fill.side)


def _as_ordered(book: Book, told: Filled) -> Filled:
    symbol = book.orders[told.fill.client_order_id].approved.symbol
    return told if told.fill.symbol == symbol else replace(told, fill=replace(told.fill, symbol=symbol))


def is_new(book: Book, told: Filled) -> bool:
    """A fill counts once, however often the venue tells it."""
    holding = book.holdings.get(told.fill.symbol)
    return holding is None or told.fill.trade_id not in holding.trades
