"""One cycle, the only place that orders effects: guard, observe, decide, record, send, report.

A quiet market, a halt or a failed reading never skips the guard or the record; it only closes what it must.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from trader_core.domain.account import Balance, External
from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Decision
from trader_core.domain.errors import TooManyPages, VenueUnavailable
from trader_core.domain.facts import (
    CashFlow,
    CashObserved,
    CycleClosed,
    Decided,
    Fact,
    Filled,
    HaltChanged,
    Intended,
    Marked,
)
from trader_core.domain.halt import Halt, HaltState
from trader_core.domain.money import Quote
from trader_core.engine.decide import decide
from trader_core.engine.digest import decision_digest
from trader_core.engine.journal import Journal
from trader_core.engine.observe import Snapshot, all_balances, observe
from trader_core.engine.send import send
from trader_core.execution.reconcile import balance_facts, externals, order_facts
from trader_core.ledger.pnl import Valuation, valuation
from trader_core.ports import Ports

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


@dataclass(frozen=True)
class CycleReport:
    """What one cycle saw and did. `decision` is None where the market could not be read; `problem` says why."""

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
    """The world as one cycle read it."""

    snapshot: Snapshot
    fills: tuple[Filled, ...]
    balances: tuple[Balance, ...]


def run_cycle(ports: Ports, policy: "Settings", journal: Journal, decision_ms: EpochMs) -> CycleReport:
    """Run the cycle of one decision time. Raises only what makes recording itself impossible."""
    guard(ports, journal, decision_ms)
    try:
        view = look(ports, policy, journal, decision_ms)
    except (VenueUnavailable, TooManyPages) as gap:
        return _close(ports, journal, decision_ms, None, None, 0, gap.what)
    decision = decide(view.snapshot, journal.book, policy)
    placed = act(ports, journal, decision)
    return _close(ports, journal, decision_ms, view, decision, placed, "")


def guard(ports: Ports, journal: Journal, decision_ms: EpochMs) -> None:
    """A kill request becomes a halt of our own, on disk, before anything else happens."""
    reason = ports.halts.kill_requested()
    if reason and journal.book.halt.state is HaltState.ARMED:
        journal.record(decision_ms, [HaltChanged(Halt(HaltState.KILLED, reason, decision_ms))])


def look(ports: Ports, policy: "Settings", journal: Journal, decision_ms: EpochMs) -> View:
    """Read everything once, fold what is new, and name what differs."""
    snapshot = observe(ports.reader, policy, journal.book.held, decision_ms)
    if ports.trader is None:
        if ports.observed_equity is not None:
            journal.record(decision_ms, [CashObserved(Quote(ports.observed_equity), decision_ms)])
        return View(snapshot, (), ())
    fills = tuple(one for one in ports.reader.fills(journal.book.fill_cursor) if is_new(journal.book, one))
    balances = all_balances(ports.reader)
    if journal.book.cash is None:
        journal.record(decision_ms, [_first_deposit(balances, ports.account_quote, decision_ms)])
    journal.record(decision_ms, fills)
    open_ids = [order.client_order_id for order in journal.book.orders.values() if order.is_open]
    if open_ids:
        journal.record(decision_ms, order_facts(journal.book, ports.reader.orders(open_ids), decision_ms))
    journal.record(decision_ms, balance_facts(journal.book, balances, ports.account_quote, decision_ms))
    return View(snapshot, fills, balances)


def is_new(book: Book, told: Filled) -> bool:
    """A fill counts once, however often the venue tells it."""
    holding = book.holdings.get(told.fill.symbol)
    return holding is None or told.fill.trade_id not in holding.trades


def _first_deposit(balances: tuple[Balance, ...], quote: str, at_ms: EpochMs) -> Fact:
    cash = sum((balance.total for balance in balances if balance.asset == quote), Decimal(0))
    return CashFlow(Quote(cash), at_ms, "cash found when the account was opened")


def act(ports: Ports, journal: Journal, decision: Decision) -> int:
    """Write the decision and its orders down, then send them. Without a trader the decision is all there is."""
    at_ms = decision.decision_ms
    facts: list[Fact] = [Marked(at_ms, decision.equity)]
    if journal.book.decided_ms < at_ms:  # a cycle that a crash cut short has decided already
        facts.append(Decided(at_ms, decision_digest(decision), decision.judgements))
    if ports.trader is None:
        journal.record(at_ms, facts)
        return 0
    first = journal.book.intents + 1
    ids = [ports.order_id(first + n, 0) for n in range(len(decision.orders))]
    facts += [Intended(one, order, at_ms) for one, order in zip(ids, decision.orders, strict=True)]
    journal.record(at_ms, facts)
    return send(ports.trader, ports.halts, journal, decision.cancels, ids, at_ms)


def _close(
    ports: Ports, journal: Journal, at_ms: EpochMs, view: View | None, decision: Decision | None, placed: int,
    problem: str,
) -> CycleReport:  # fmt: skip
    cycle_id = journal.next_cycle
    fills = view.fills if view else ()
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
