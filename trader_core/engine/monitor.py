"""Between two cycles: whether something of what is held cannot wait for the next one.

It is the decision of a cycle, taken on quotes of what is held and on nothing else, and thrown away: no exit is judged
by another rule here. Nothing is written down and nothing sent; where something is due, a cycle does both.
"""

from typing import TYPE_CHECKING

from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Decision
from trader_core.domain.errors import TooManyPages, VenueUnavailable
from trader_core.domain.order import OrderStatus, Role
from trader_core.engine.decide import decide
from trader_core.engine.journal import Journal
from trader_core.engine.observe import observe, worth_of
from trader_core.engine.settle import new_fills, reports_of
from trader_core.execution.reconcile import order_facts
from trader_core.ports import Ports

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


def is_due(ports: Ports, written: "Settings", journal: Journal) -> bool:
    """Whether a cycle should run now: a kill has sold, an order has filled or is over, leave for a purchase that rests
    has ended, something is to be sold, a stop is not at the venue, or the halt machine would move. What cannot be read
    is no reason: the next look comes soon."""
    book = journal.book
    if ports.trader is None or book.closed_ms < 0 or not book.watched:
        return False
    if ports.emergencies():
        return True
    try:
        news = has_news(ports, book) or must_take_back(ports, book)
        return news or (bool(book.held) and must_act(ports, written, book))
    except (VenueUnavailable, TooManyPages):
        return False


def has_news(ports: Ports, book: Book) -> bool:
    """Whether the venue tells something of our orders that the book does not know."""
    asked = [order for order in book.orders.values() if order.is_open]
    ports.reader.read_account(asked, book.fill_cursor)
    if new_fills(ports.reader, book):
        return True
    reports, clock = reports_of(ports.reader, book), ports.clock
    news = order_facts(
        book, reports, book.closed_ms, host_ms=clock.host_ms(), seen_ms=clock.seen_ms(),
        unseen_ms=ports.patience.unseen_ms,
    )  # fmt: skip
    return bool(news)


def must_take_back(ports: Ports, book: Book) -> bool:
    """Whether a purchase rests for which there is no leave any more."""
    working = (one for one in book.orders.values() if one.status is OrderStatus.WORKING)
    rests = any(one.approved.role is Role.ENTRY for one in working)
    return rests and any(one.reduces for one in ports.objections(worth_of(book)))


def must_act(ports: Ports, written: "Settings", book: Book) -> bool:
    """Whether the decision on what is held, at its quotes of now, would do something that cannot wait."""
    at_ms = EpochMs(book.closed_ms)
    policy: Settings = ports.policies.in_force(written, at_ms, book.policy_version, ports.clock.seen_ms()).settings
    wanted = book.held | {one.symbol for one in ports.reader.instruments() if one.base == policy.signals.regime.base}
    listed = [one for one in ports.reader.instruments() if one.symbol in wanted]
    seen = observe(ports, policy, listed, book, (), at_ms)
    return is_urgent(decide(seen, book, policy), book)


def is_urgent(decision: Decision, book: Book) -> bool:
    """A sale, a stop that is missing, a word on a position, or a halt. A stop that is only to follow the price can
    wait: it protects as it stands."""
    moved = {
        book.orders[one].approved.symbol for one in decision.cancels if book.orders[one].approved.role is Role.STOP
    }
    sells = any(one.role is Role.EXIT for one in decision.orders)
    naked = any(one.role is Role.STOP and one.symbol not in moved for one in decision.orders)
    return sells or naked or bool(decision.remembered) or decision.halt is not None
