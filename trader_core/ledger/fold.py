"""apply(book, fact) -> Book: the ledger's one writer. Fills are the only thing that moves a position.

Money stays on the 1e-8 grid with the rulebook's roundings, so the integer State and this book are one truth.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from types import MappingProxyType
from typing import Any, TypeVar

from trader_core.domain.book import Book, Holding, LastExit
from trader_core.domain.clocktime import DAY_MS, EpochMs, day_index
from trader_core.domain.facts import (
    Acknowledged,
    CashFlow,
    CashObserved,
    Closed,
    CycleClosed,
    Decided,
    DiscrepancyFound,
    DiscrepancyGone,
    Fact,
    Filled,
    HaltChanged,
    Intended,
    Marked,
    Opened,
)  # fmt: skip
from trader_core.domain.fill import Fill, Side
from trader_core.domain.instrument import base_of
from trader_core.domain.money import EXACT, GRAIN, Base, Quote
from trader_core.domain.order import ApprovedOrder, Order, OrderStatus, advance, with_fill

K = TypeVar("K")
V = TypeVar("V")
FORGET_AFTER_MS = DAY_MS  # closed orders are kept so long for fills that come late


def fold(facts: Iterable[Fact], book: Book | None = None) -> Book:
    """Every fact in order. Raises IllegalMove where an order is asked for a move it does not have."""
    book = book or Book()
    for fact in facts:
        book = apply(book, fact)
    return book


def apply(book: Book, fact: Fact) -> Book:
    """The book after one more fact."""
    return _CASES[type(fact)](book, fact)


def _opened(book: Book, fact: Opened) -> Book:
    return book


def _cash_flow(book: Book, fact: CashFlow) -> Book:
    """A flow is neither gain nor loss: the day's opening equity moves with it."""
    moved = None if book.day_open is None else Quote(book.day_open + fact.amount)
    cash = Quote((book.cash or Decimal(0)) + fact.amount)
    return replace(book, cash=cash, flows=Quote(book.flows + fact.amount), day_open=moved)


def _cash_observed(book: Book, fact: CashObserved) -> Book:
    return replace(book, cash=fact.amount)


def _marked(book: Book, fact: Marked) -> Book:
    kept = {
        key: order for key, order in book.orders.items()
        if order.closed_ms is None or fact.decision_ms - order.closed_ms < FORGET_AFTER_MS
    }  # fmt: skip
    orders = book.orders if len(kept) == len(book.orders) else MappingProxyType(kept)
    day = day_index(fact.decision_ms)
    if fact.equity is None or day == book.day:
        return replace(book, orders=orders, equity=fact.equity)
    return replace(book, orders=orders, equity=fact.equity, day=day, day_open=fact.equity)


def _decided(book: Book, fact: Decided) -> Book:
    return replace(book, decided_ms=fact.decision_ms)


def _intended(book: Book, fact: Intended) -> Book:
    order = Order(fact.client_order_id, fact.approved, fact.at_ms)
    return replace(book, orders=_with(book.orders, order.client_order_id, order), intents=book.intents + 1)


def _acknowledged(book: Book, fact: Acknowledged) -> Book:
    return _move(book, fact.client_order_id, OrderStatus.WORKING, fact.at_ms)


def _closed(book: Book, fact: Closed) -> Book:
    return _move(book, fact.client_order_id, fact.status, fact.at_ms)


def _filled(book: Book, fact: Filled) -> Book:
    """Once per trade id, whenever and however often it is told."""
    fill = fact.fill
    holding = book.holdings.get(fill.symbol, Holding())
    cursor = max(book.fill_cursor, fact.cursor, key=lambda text: (len(text), text))
    if fill.trade_id in holding.trades:
        return replace(book, fill_cursor=cursor)
    order = book.orders.get(fill.client_order_id)
    terms = order.approved if order else None
    grown = _bought(holding, fill, terms) if fill.side is Side.BUY else _sold(holding, fill)
    cash = Quote((book.cash or Decimal(0)) + (-fill.value if fill.side is Side.BUY else fill.value) - fill.fee)
    exits = book.exits
    newest = exits.get(base_of(fill.symbol))
    if fill.side is Side.SELL and (newest is None or fill.at_ms >= newest.at_ms):  # told late, it is not the newest
        exits = _with(exits, base_of(fill.symbol), LastExit(fill.at_ms, terms.reason if terms else ""))
    orders = _with(book.orders, order.client_order_id, _grown(order, fill)) if order else book.orders
    holdings = _with(book.holdings, fill.symbol, replace(grown, trades=holding.trades | {fill.trade_id}))
    return replace(book, cash=cash, holdings=holdings, orders=orders, exits=exits, fill_cursor=cursor)


def _bought(holding: Holding, fill: Fill, terms: ApprovedOrder | None) -> Holding:
    if holding.quantity == 0 and terms:
        holding = replace(holding, strategy=terms.strategy, stop_bps=terms.stop_bps, target_bps=terms.target_bps)
    grown = replace(
        holding,
        quantity=Base(holding.quantity + fill.quantity),
        cost=Quote(holding.cost + fill.value),
        entry_fees=Quote(holding.entry_fees + fill.fee),
    )
    return _settled(grown)


def _sold(holding: Holding, fill: Fill) -> Holding:
    """Cost and fees leave in proportion, rounded down; the last sale takes what is left."""
    cost, fees = _part(holding.cost, fill, holding), _part(holding.entry_fees, fill, holding)
    left = replace(
        holding,
        quantity=Base(holding.quantity - fill.quantity),
        cost=Quote(holding.cost - cost),
        entry_fees=Quote(holding.entry_fees - fees),
        realised=Quote(holding.realised + fill.value - fill.fee - cost - fees),
    )
    return _settled(left)


def _settled(holding: Holding) -> Holding:
    """A flat position has no cost left: what a purchase told after its own sale still carries is realised."""
    if holding.quantity != 0:
        return holding
    realised = Quote(holding.realised - holding.cost - holding.entry_fees)
    nothing = Quote(Decimal(0))
    return Holding(realised=realised, cost=nothing, entry_fees=nothing, trades=holding.trades)


def _part(amount: Decimal, fill: Fill, holding: Holding) -> Decimal:
    if fill.quantity >= holding.quantity:
        return amount
    return EXACT.divide(EXACT.multiply(amount, fill.quantity), holding.quantity).quantize(GRAIN, ROUND_FLOOR, EXACT)


def _grown(order: Order, fill: Fill) -> Order:
    if order.status is OrderStatus.INTENDED:
        order = advance(order, OrderStatus.WORKING, fill.at_ms)  # it filled, so it arrived
    return with_fill(order, fill)


def _halt_changed(book: Book, fact: HaltChanged) -> Book:
    return replace(book, halt=fact.halt)


def _discrepancy_found(book: Book, fact: DiscrepancyFound) -> Book:
    return replace(book, discrepancies=_with(book.discrepancies, fact.subject, fact.detail))


def _discrepancy_gone(book: Book, fact: DiscrepancyGone) -> Book:
    left = {subject: detail for subject, detail in book.discrepancies.items() if subject != fact.subject}
    return replace(book, discrepancies=MappingProxyType(left))


def _cycle_closed(book: Book, fact: CycleClosed) -> Book:
    return replace(book, cycles=book.cycles + 1, closed_ms=fact.decision_ms)


def _move(book: Book, client_order_id: str, status: OrderStatus, at_ms: EpochMs) -> Book:
    """An order's next status. A report that comes after the order is complete changes nothing."""
    order = book.orders.get(client_order_id)
    if order is None or order.status is OrderStatus.FILLED:
        return book
    return replace(book, orders=_with(book.orders, client_order_id, advance(order, status, at_ms)))


def _with(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return MappingProxyType({**mapping, key: value})


_CASES: dict[type[Fact], Callable[[Book, Any], Book]] = {
    Acknowledged: _acknowledged,
    CashFlow: _cash_flow,
    CashObserved: _cash_observed,
    Closed: _closed,
    CycleClosed: _cycle_closed,
    Decided: _decided,
    DiscrepancyFound: _discrepancy_found,
    DiscrepancyGone: _discrepancy_gone,
    Filled: _filled,
    HaltChanged: _halt_changed,
    Intended: _intended,
    Marked: _marked,
    Opened: _opened,
}
