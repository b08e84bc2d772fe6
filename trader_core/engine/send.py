"""Act on what was written down: cancels first, then orders, each outcome recorded before the next byte leaves."""

from collections.abc import Sequence

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import OutcomeUnknown, VenueUnavailable
from trader_core.domain.facts import Acknowledged, Closed, Fact
from trader_core.domain.order import Order, OrderReport, OrderStatus
from trader_core.engine.journal import Journal
from trader_core.ports import Halts, VenueTrader


def send(
    trader: VenueTrader, halts: Halts, journal: Journal, cancels: Sequence[str], ids: Sequence[str], now_ms: EpochMs
) -> int:
    """Cancel, then place the intents with these ids. Returns how many were placed.

    An order whose place could not be cleared, or that a kill overtook, is closed unsent. An order whose outcome is
    unknown stays as it is, fully reserved, until the venue has been asked.
    """
    blocked = {symbol for client_order_id in cancels if (symbol := _cancel(trader, journal, client_order_id))}
    placed = 0
    for client_order_id in ids:
        order = journal.book.orders[client_order_id]
        why_not = halts.kill_requested() or ("its predecessor could not be canceled" if _is_in(blocked, order) else "")
        if why_not:
            journal.record(now_ms, [Closed(client_order_id, OrderStatus.REJECTED, f"not sent: {why_not}", now_ms)])
        else:
            placed += _place(trader, journal, order)
    return placed


def _is_in(blocked: set[str], order: Order) -> bool:
    return order.approved.symbol in blocked


def _cancel(trader: VenueTrader, journal: Journal, client_order_id: str) -> str | None:
    """The symbol whose order is still not over, or None when the way is free."""
    order = journal.book.orders[client_order_id]
    try:
        report = trader.cancel(client_order_id)
    except (OutcomeUnknown, VenueUnavailable):
        return order.approved.symbol
    if report.status is OrderStatus.WORKING:
        return order.approved.symbol
    if report.status is not OrderStatus.FILLED:  # a fill overtook the cancel: it comes with the next reading
        journal.record(report.at_ms, [_outcome(report)])
        return None
    return order.approved.symbol


def _place(trader: VenueTrader, journal: Journal, order: Order) -> int:
    try:
        report = trader.place(order.client_order_id, order.approved)
    except (OutcomeUnknown, VenueUnavailable):
        return 0
    journal.record(report.at_ms, [_outcome(report)])
    return 1 if report.status is OrderStatus.WORKING else 0


def _outcome(report: OrderReport) -> Fact:
    if report.status is OrderStatus.WORKING:
        return Acknowledged(report.client_order_id, report.at_ms)
    return Closed(report.client_order_id, report.status, report.reason, report.at_ms)
