"""Take in what the venue says of our account: cash flows, fills, what became of orders, and balances, in that order."""

from trader_core.domain.account import Balance
from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Filled
from trader_core.engine.journal import Journal
from trader_core.engine.observe import all_balances
from trader_core.execution.reconcile import balance_facts, order_facts
from trader_core.ports import Ports


def fold_flows(ports: Ports, journal: Journal, decision_ms: EpochMs) -> None:
    journal.record(decision_ms, ports.reader.flows(journal.book.flow_cursor))


def fold_fills(ports: Ports, journal: Journal, decision_ms: EpochMs) -> tuple[Filled, ...]:
    fills = tuple(one for one in ports.reader.fills(journal.book.fill_cursor) if is_new(journal.book, one))
    journal.record(decision_ms, fills)
    return fills


def fold_orders(ports: Ports, journal: Journal, decision_ms: EpochMs) -> None:
    open_ids = [order.client_order_id for order in journal.book.orders.values() if order.is_open]
    if open_ids:
        journal.record(decision_ms, order_facts(journal.book, ports.reader.orders(open_ids), decision_ms))


def fold_balances(ports: Ports, journal: Journal, decision_ms: EpochMs) -> tuple[Balance, ...]:
    balances = all_balances(ports.reader)
    journal.record(decision_ms, balance_facts(journal.book, balances, ports.account_quote, decision_ms))
    return balances


def is_new(book: Book, told: Filled) -> bool:
    """A fill counts once, however often the venue tells it."""
    holding = book.holdings.get(told.fill.symbol)
    return holding is None or told.fill.trade_id not in holding.trades
