"""One cycle, the only place that orders effects: guard, observe, decide, record, send, report.

A quiet market, a halt or a failed reading never skips the guard or the record; it only closes what it must.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from trader_core.domain.account import Balance, External
from trader_core.domain.book import Book
from trader_core.domain.clocktime import MINUTE_MS, EpochMs
from trader_core.domain.decision import Decision
from trader_core.domain.errors import TooManyPages, VenueUnavailable
from trader_core.domain.facts import (
    CashObserved,
    CycleClosed,
    Filled,
    HaltChanged,
    Intended,
)
from trader_core.domain.halt import cooled_down, killed, switched
from trader_core.domain.money import Quote
from trader_core.domain.order import OrderStatus
from trader_core.engine.decide import decide
from trader_core.engine.journal import Journal
from trader_core.engine.observe import Snapshot, observe
from trader_core.engine.record import decision_facts
from trader_core.engine.send import send
from trader_core.engine.settle import fold_balances, fold_fills, fold_flows, fold_orders
from trader_core.execution.reconcile import delistings, externals, foreign_to
from trader_core.ledger.pnl import Valuation, valuation
from trader_core.ports import Ports

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


UNREADABLE = "the venue does not even say what it lists"


@dataclass(frozen=True)
class CycleReport:
    """What one cycle saw and did. `problem` names what could not be read; `decision` is None where nothing could."""

    cycle_id: int
    decision_ms: EpochMs
    decision: Decision | None
    placed: int
    fills: tuple[Filled, ...]
    externals: tuple[External, ...]
    prices: dict[str, Decimal]
    problem: str
    book: Book

    @property
    def valuation(self) -> Valuation | None:
        return valuation(self.book, self.prices)


@dataclass(frozen=True)
class View:
    """The world as one cycle read it. What could not be read is named; with any of it missing, entries are closed."""

    snapshot: Snapshot
    fills: tuple[Filled, ...]
    balances: tuple[Balance, ...]


def run_cycle(ports: Ports, policy: "Settings", journal: Journal, decision_ms: EpochMs) -> CycleReport:
    """Run the cycle of one decision time. Raises only what makes recording itself impossible."""
    guard(ports, policy, journal, decision_ms)
    try:
        view = look(ports, policy, journal, decision_ms)
    except VenueUnavailable:
        return _close(ports, journal, decision_ms, None, None, 0)
    decision = decide(view.snapshot, journal.book, policy)
    placed = act(ports, journal, decision)
    return _close(ports, journal, decision_ms, view, decision, placed)


def guard(ports: Ports, policy: "Settings", journal: Journal, decision_ms: EpochMs) -> None:
    """A kill request becomes a halt of our own, on disk, before anything else happens. A cooldown that is over arms
    again, unless account and venue do not agree."""
    book, machine, reason = journal.book, policy.policy.halt, ports.halts.kill_requested()
    unknown = any(one.status is OrderStatus.INTENDED for one in book.orders.values())
    halt = switched(book.halt, machine.enabled, decision_ms)
    halt = cooled_down(halt, bool(book.discrepancies) or unknown, machine.cooldown_min * MINUTE_MS, decision_ms)
    if reason:
        halt = killed(book.halt, reason, decision_ms)
    if halt != book.halt:
        journal.record(decision_ms, [HaltChanged(halt)])


def look(ports: Ports, policy: "Settings", journal: Journal, decision_ms: EpochMs) -> View:
    """The account first, then the market, each reading with a failure of its own.

    Raises VenueUnavailable where not even the instruments can be listed.
    """
    listed, problem = ports.reader.instruments(), ""
    fills: tuple[Filled, ...] = ()
    balances: tuple[Balance, ...] = ()
    if ports.trader is None:
        if ports.observed_equity is not None:
            journal.record(decision_ms, [CashObserved(Quote(ports.observed_equity), decision_ms)])
    else:
        try:
            fold_flows(ports, journal, decision_ms)
            fills = fold_fills(ports, journal, decision_ms)
            fold_orders(ports, journal, decision_ms)
            balances = fold_balances(ports, journal, decision_ms)
        except (VenueUnavailable, TooManyPages) as gap:
            problem = gap.what
    journal.record(decision_ms, delistings(journal.book, {one.symbol for one in listed}, decision_ms))
    book = journal.book
    foreign = foreign_to(book, balances, ports.account_quote)
    snapshot = observe(ports.reader, policy, listed, book.watched, foreign, decision_ms, problem)
    return View(snapshot, fills, balances)


def act(ports: Ports, journal: Journal, decision: Decision) -> int:
    """Write the decision and its orders down, then send them. Without a trader the decision is all there is."""
    at_ms = decision.decision_ms
    facts = decision_facts(journal.book, decision)
    if ports.trader is None:
        journal.record(at_ms, facts)
        return 0
    first = journal.book.intents + 1
    ids = [ports.order_id(first + n, 0) for n in range(len(decision.orders))]
    facts += [Intended(one, order, at_ms) for one, order in zip(ids, decision.orders, strict=True)]
    journal.record(at_ms, facts)
    return send(ports.trader, ports.halts, journal, decision.cancels, ids, at_ms)


def _close(
    ports: Ports, journal: Journal, at_ms: EpochMs, view: View | None, decision: Decision | None, placed: int
) -> CycleReport:
    cycle_id = journal.next_cycle
    fills = view.fills if view else ()
    problem = view.snapshot.problem if view else UNREADABLE
    refused = len(decision.refusals) if decision else 0
    closed = CycleClosed(at_ms, placed, refused, len(fills), problem, ports.clock.host_ms())
    journal.record(at_ms, [closed])
    prices = last_prices(view.snapshot) if view else {}
    foreign = externals(journal.book, view.balances, ports.account_quote, prices) if view else ()
    return CycleReport(cycle_id, at_ms, decision, placed, fills, foreign, prices, problem, journal.book)


def last_prices(snapshot: Snapshot) -> dict[str, Decimal]:
    """The closes that equity was marked at, in quote, where there is one."""
    close, _ = snapshot.frame.last_known
    return {one.symbol: int(close[-1, i]) * one.tick for i, one in enumerate(snapshot.instruments) if close[-1, i] > 0}
