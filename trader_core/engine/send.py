"""Act on what was written down, instrument by instrument: cancels, then orders, each outcome recorded at once."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import OutcomeUnknown, Unreachable, VenueRefused, VenueUnavailable
from trader_core.domain.facts import Acknowledged, Closed, Fact, Leaving, Resent, SendFailed
from trader_core.domain.fill import Side
from trader_core.domain.halt import Trading
from trader_core.domain.order import ApprovedOrder, Order, OrderReport, OrderStatus, Role
from trader_core.engine.journal import Journal
from trader_core.execution.reconcile import awaits_fills
from trader_core.ports import Clock, Halts, VenueTrader

PREDECESSOR = "its predecessor could not be canceled"
LATE_MS = 5_000  # what leaves later than this after it was written down is written down as leaving
Against = Callable[[Order], str]  # why this purchase must not leave now


class Outcome(Struct, frozen=True):
    """What came of an order at once. `why_not` is empty where it was placed, or nobody knows; `exit_code` is of a
    failure: not of a kill, of another judgement, or of a market that moved."""

    order: ApprovedOrder
    placed: bool = False
    why_not: str = ""
    exit_code: int = 0


def not_made(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """What was not placed, and not made good by a later order of its kind."""
    last = {(one.order.symbol, one.order.role): one for one in outcomes}
    return tuple(one for one in last.values() if one.why_not)


def send(
    trader: VenueTrader, halts: Halts, clock: Clock, journal: Journal, cancels: Sequence[str], ids: Sequence[str],
    now_ms: EpochMs, against: Against,
) -> tuple[Outcome, ...]:  # fmt: skip
    """Cancel, then place the intents with these ids. Returns what came of each.

    A purchase that cannot be canceled holds back purchases, and a sale sales: a position never loses its stop for want
    of an answer about an entry.

    A kill that comes in between leaves every instrument as it stands: what has not been begun is closed unsent, but
    a sale whose predecessor is canceled already still goes out. The next cycle knows of the kill and sees to stops;
    what it decided in that knowledge is sent.
    """
    orders = journal.book.orders
    outcomes: list[Outcome] = []
    for symbol in dict.fromkeys(orders[one].approved.symbol for one in (*cancels, *ids)):
        killed = _news_of_a_kill(halts, journal)
        stuck: set[Side] = set()
        for one in cancels:
            side = orders[one].approved.side
            if not killed and orders[one].approved.symbol == symbol and side not in stuck:
                stuck |= set() if _cancel(trader, journal, one, now_ms) else {side}
        for one in ids:
            if orders[one].approved.symbol == symbol:
                why_not = killed or (PREDECESSOR if orders[one].approved.side in stuck else "")
                outcomes.append(_place(trader, halts, clock, journal, one, why_not, now_ms, against))
    return tuple(outcomes)


def cancel(trader: VenueTrader, journal: Journal, cancels: Sequence[str], now_ms: EpochMs) -> None:
    """Try each purchase, also under a kill: that would cancel them too."""
    for one in cancels:
        _cancel(trader, journal, one, now_ms)


def _news_of_a_kill(halts: Halts, journal: Journal) -> str:
    """Why to stop, where that was not known yet when the decision was taken."""
    return "" if journal.book.halt.trading is Trading.HALTED else halts.kill_requested() or ""


def _cancel(trader: VenueTrader, journal: Journal, client_order_id: str, now_ms: EpochMs) -> bool:
    """Whether the order is over now and may be replaced."""
    try:
        report = trader.cancel(journal.book.orders[client_order_id])
    except (OutcomeUnknown, VenueUnavailable) as failed:
        journal.record(now_ms, [SendFailed(client_order_id, f"not canceled: {failed.what}", now_ms)])
        return False
    order = journal.book.orders[client_order_id]
    if report.status in (OrderStatus.WORKING, OrderStatus.FILLED) or awaits_fills(order, report):
        return False  # a fill that overtook the cancel comes with the next reading
    journal.record(report.at_ms, [_outcome(report)])
    return True


def _place(
    trader: VenueTrader, halts: Halts, clock: Clock, journal: Journal, client_order_id: str, why_not: str,
    now_ms: EpochMs, against: Against,
) -> Outcome:  # fmt: skip
    """An order whose outcome is unknown stays as it is, fully reserved, until the venue has been asked."""
    order = journal.book.orders[client_order_id]
    if not why_not and order.approved.side is Side.BUY:
        why_not = _news_of_a_kill(halts, journal) or against(order)
    if why_not:
        told = f"not sent: {why_not}"
        journal.record(now_ms, [Closed(client_order_id, OrderStatus.REJECTED, told, now_ms)])
        return Outcome(order.approved, why_not=told)
    return _sent(trader, clock, journal, order, now_ms)


def resend(trader: VenueTrader, clock: Clock, journal: Journal, now_ms: EpochMs) -> tuple[Outcome, ...]:
    """Send once more, byte for byte and under the same id, what sells and may never have arrived. Returns what came of
    each.

    Arrived before, the venue says so again; a purchase is never repeated: what it was decided on is gone.
    """
    standing, outcomes = journal.book.halt.trading is Trading.HALTED, list[Outcome]()
    for order in tuple(journal.book.orders.values()):
        lost = order.status is OrderStatus.INTENDED and order.sends == 1
        wanted = order.approved.role is Role.STOP or (order.approved.role is Role.EXIT and not standing)
        if lost and wanted and _is_free(trader, journal, order, standing, now_ms):
            journal.record(now_ms, [Resent(order.client_order_id, now_ms)])
            outcomes.append(_sent(trader, clock, journal, journal.book.orders[order.client_order_id], now_ms))
    return tuple(outcomes)


def _is_free(trader: VenueTrader, journal: Journal, sale: Order, standing: bool, now_ms: EpochMs) -> bool:
    """Whether what it sells is still held, and no stop of before keeps it: that one is canceled first, as for a sale
    that is sent for the first time. After a kill it stays as it stands."""
    book, symbol = journal.book, sale.approved.symbol
    if symbol not in book.holdings or book.holdings[symbol].quantity < sale.remaining:
        return False
    names = list(book.orders)
    before = [book.orders[one] for one in names[: names.index(sale.client_order_id)]]
    stops = [one for one in before if one.is_open and one.approved.symbol == symbol and one.approved.role is Role.STOP]
    return not (standing and stops) and all(_cancel(trader, journal, one.client_order_id, now_ms) for one in stops)


def _sent(trader: VenueTrader, clock: Clock, journal: Journal, order: Order, now_ms: EpochMs) -> Outcome:
    """An order that never left is closed; one whose outcome nobody knows stays, fully reserved, until the venue has
    been asked. Failures are counted: so many in a row trip the halt machine. How long the venue may take to show it
    counts from when it left."""
    if clock.host_ms() - order.sent_ms > LATE_MS:
        journal.record(now_ms, [Leaving(order.client_order_id, now_ms, clock.host_ms())])
    word, code = "refused: ", VenueRefused.exit_code
    try:
        report = trader.place(order.client_order_id, order.approved, order.payload)
    except Unreachable as denied:
        status = OrderStatus.REJECTED if order.approved.side is Side.BUY else OrderStatus.CANCELED  # nobody refused it
        report = OrderReport(order.client_order_id, status, f"not sent: {denied.what}", order.placed_ms)
        word, code = "", denied.exit_code
    except (OutcomeUnknown, VenueUnavailable) as failed:
        journal.record(now_ms, [SendFailed(order.client_order_id, f"no answer: {failed.what}", now_ms)])
        return Outcome(order.approved)
    placed = report.status is OrderStatus.WORKING
    # that what was sent before is turned away now says nothing of the first time
    news: list[Fact] = [_outcome(report)] if order.sends == 1 or placed else []
    if not placed and not report.expected:
        news.append(SendFailed(order.client_order_id, report.reason, now_ms))
    journal.record(report.at_ms, news)
    if placed:
        return Outcome(order.approved, placed=True)
    return Outcome(order.approved, why_not=word + report.reason, exit_code=0 if report.expected else code)


def _outcome(report: OrderReport) -> Fact:
    if report.status is OrderStatus.WORKING:
        return Acknowledged(report.client_order_id, report.at_ms, report.venue_order_id)
    return Closed(report.client_order_id, report.status, report.reason, report.at_ms)
