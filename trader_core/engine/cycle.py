"""One cycle, the only place that orders effects: guard, observe, decide, record, send, report.

A quiet market, a halt or a failed reading never skips the guard or the record; it only closes what it must.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from trader_core.domain.account import Balance, External
from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Decision
from trader_core.domain.errors import OutcomeUnknown, TooManyPages, VenueUnavailable
from trader_core.domain.facts import CashObserved, CycleClosed, Filled, HaltChanged, Intended
from trader_core.domain.halt import killed
from trader_core.domain.money import Quote
from trader_core.domain.objection import Objection
from trader_core.domain.order import OrderReport
from trader_core.domain.values import replace
from trader_core.engine.decide import decide
from trader_core.engine.journal import Journal
from trader_core.engine.observe import Snapshot, Unread, delisted, observe
from trader_core.engine.policies import policy_in_force
from trader_core.engine.record import decision_facts, mark_facts
from trader_core.engine.review import Review
from trader_core.engine.send import Outcome, cancel, not_made, resend, send
from trader_core.engine.settle import settle
from trader_core.engine.stages import Stages
from trader_core.execution.protection import bans_of_unprotected
from trader_core.execution.reconcile import Account, externals, shut_in, stubborn, stuck_entries, undead
from trader_core.ledger.pnl import Valuation, valuation
from trader_core.ports import Ports, VenueTrader

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

Closing = Callable[[Book, Snapshot], frozenset[str]]  # what of all that is held a person wants sold now
Agreed = Callable[[Decision], None]  # raises PlanDrifted where this is not what a person agreed to


def nothing_closed(book: Book, snapshot: Snapshot) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True)
class CycleReport:
    """What one cycle saw and did. `problem` names what could not be read; `decision` is None where nothing could.

    Where a cycle went round more than once, the decision is the first one: entries are decided there alone.
    """

    cycle_id: int
    decision_ms: EpochMs
    decision: Decision | None
    placed: int
    fills: tuple[Filled, ...]
    externals: tuple[External, ...]
    prices: dict[str, Decimal]
    problem: str
    book: Book
    objections: tuple[Objection, ...] = ()
    ages_ms: Mapping[str, int] = field(default_factory=dict)  # of the quotes, by symbol
    problem_code: int = 0  # the highest exit code of what could not be read, or is left undone
    spent_ms: Mapping[str, float] = field(default_factory=dict, compare=False)  # by stage
    not_placed: tuple[Outcome, ...] = ()  # refused by the venue or not sent, and not made good in the same cycle

    @property
    def valuation(self) -> Valuation | None:
        return valuation(self.book, self.prices)


class View(Struct, frozen=True):
    """The world as one cycle read it. What could not be read is named; with any of it missing, entries are closed."""

    snapshot: Snapshot
    fills: tuple[Filled, ...]
    balances: tuple[Balance, ...]
    marked: tuple[OrderReport, ...]  # orders at the venue that bear our mark


def run_cycle(
    ports: Ports, policy: "Settings", journal: Journal, decision_ms: EpochMs, closing: Closing = nothing_closed,
    agreed: Agreed | None = None,
) -> CycleReport:  # fmt: skip
    """Run the cycle of one decision time. Raises only what makes recording itself impossible, and what `agreed` does.

    Where the venue fills at once, it goes round while anything was sent: what was bought gets its stop now.
    """
    spent, policy = Stages(), policy_in_force(ports, policy, journal, decision_ms)
    guard(ports, journal, decision_ms)
    spent.ends("guard")
    first: Decision | None = None
    fills: tuple[Filled, ...] = ()
    sent, left = list[Outcome](), list[str]()
    for _ in range(ports.patience.passes):
        try:
            view = look(ports, policy, journal, decision_ms, spent)
        except VenueUnavailable as gap:
            spent.ends("account")
            return _end(ports, journal, decision_ms, gap, first, sent, fills, spent)
        fills += view.fills
        snapshot = replace(view.snapshot, closing=closing(journal.book, view.snapshot))
        if agreed and first is None:
            agreed(decide(snapshot, journal.book, policy))
        again = mend(ports, ports.trader, journal, view, decision_ms) if ports.trader is not None else ()
        spent.ends("mend")
        decision = decide(snapshot, journal.book, policy)
        spent.ends("decide")
        first = first or decision
        tried = act(ports, policy, journal, snapshot, decision, spent)
        spent.ends("send")
        sent += [*(one for one in again if one.why_not), *tried]
        if not decision.cancels + tried and not any(one.placed for one in again):
            break
    else:
        if ports.patience.passes > 1:  # what was sent last has been answered since
            with suppress(VenueUnavailable):
                view = look(ports, policy, journal, decision_ms, spent)
                fills += view.fills
            left += stubborn(journal.book, decision.cancels)
    left += shut_in(journal.book, view.snapshot.frozen, view.snapshot.instruments)
    return _end(ports, journal, decision_ms, view, first, sent, fills, spent, left=left)


def guard(ports: Ports, journal: Journal, decision_ms: EpochMs) -> None:
    """A kill request becomes a halt of our own, on disk, before anything else happens."""
    halt, reason = journal.book.halt, ports.halts.kill_requested()
    if reason and killed(halt, reason, decision_ms) != halt:
        journal.record(decision_ms, [HaltChanged(killed(halt, reason, decision_ms))])


def look(ports: Ports, policy: "Settings", journal: Journal, decision_ms: EpochMs, spent: Stages) -> View:
    """The account first, then the market, each reading with a failure of its own.

    Raises VenueUnavailable where not even the instruments can be listed.
    """
    listed, missing = ports.reader.instruments(), list[Unread]()
    fills: tuple[Filled, ...] = ()
    account: Account | None = None
    if ports.trader is None:
        if ports.observed_equity is not None:
            journal.record(decision_ms, [CashObserved(Quote(ports.observed_equity), decision_ms)])
    else:
        try:
            fills, account = settle(ports, journal, decision_ms)
        except (VenueUnavailable, TooManyPages) as gap:
            missing.append(Unread(gap.what, gap.exit_code))
        spent.ends("account")
    journal.record(decision_ms, delisted(ports.reader, journal.book, listed, decision_ms))
    balances = tuple(account.balances) if account else ()
    snapshot = observe(ports, policy, listed, journal.book, balances, decision_ms, missing)
    spent.ends("market")
    return View(snapshot, fills, balances, tuple(account.marked) if account else ())


def mend(ports: Ports, trader: VenueTrader, journal: Journal, view: View, at_ms: EpochMs) -> tuple[Outcome, ...]:
    """What works at the venue and is over for us is canceled, and so is a purchase that rests where no order is taken;
    what sells and never arrived is sent once more, and returned; what nobody can protect is not bought again."""
    for order in undead(journal.book, view.marked):
        with suppress(OutcomeUnknown, VenueUnavailable):
            trader.cancel(order)
    cancel(trader, journal, stuck_entries(journal.book, view.snapshot.frozen), at_ms)
    outcomes = resend(trader, ports.clock, journal, at_ms)
    journal.record(at_ms, bans_of_unprotected(journal.book, at_ms))
    return outcomes


def act(
    ports: Ports, policy: "Settings", journal: Journal, snapshot: Snapshot, decision: Decision, spent: Stages
) -> tuple[Outcome, ...]:
    """Write the decision, what it was taken from and its orders down, then send them: what came of each order. Without
    a trader nothing is sent. A halt that moves is on disk by itself, before what follows from it."""
    at_ms, began_ms, rows, facts = decision.decision_ms, ports.clock.host_ms(), journal.rows, mark_facts(decision)
    if decision.halt is not None:
        journal.record(at_ms, facts)
        facts = []
    before = journal.book
    told, taken = decision_facts(journal, rows, snapshot, policy, decision)
    facts += told
    if ports.trader is None:
        journal.record(at_ms, facts, taken)
        spent.ends("record")
        return ()
    ids = [ports.order_id(before.intents + 1 + n, 0) for n in range(len(decision.orders))]
    for one, order in zip(ids, decision.orders, strict=True):
        facts.append(Intended(one, order, at_ms, ports.trader.payload(one, order), ports.clock.host_ms()))
    journal.record(at_ms, facts, taken)
    spent.ends("record")
    review = Review(ports, policy, journal, snapshot, before, tuple(facts), began_ms)
    return send(ports.trader, ports.halts, ports.clock, journal, decision.cancels, ids, at_ms, review)


def _end(
    ports: Ports, journal: Journal, at_ms: EpochMs, seen: View | VenueUnavailable, decision: Decision | None,
    sent: Sequence[Outcome], fills: tuple[Filled, ...], spent: Stages, left: Sequence[str] = (),
) -> CycleReport:  # fmt: skip
    cycle_id, placed = journal.next_cycle, sum(one.placed for one in sent)
    view = seen if isinstance(seen, View) else None
    code = seen.snapshot.problem_code if isinstance(seen, View) else seen.exit_code
    unread = seen.snapshot.problem if isinstance(seen, View) else f"the venue does not say what it lists: {seen.what}"
    problem = "; ".join(one for one in (unread, *left) if one)
    refused = len(decision.refusals) if decision else 0
    objections, prices = (view.snapshot.told, view.snapshot.prices) if view else ((), {})
    told = "; ".join([problem] * bool(problem) + [one.what for one in objections])
    journal.record(at_ms, [CycleClosed(at_ms, placed, refused, len(fills), told, ports.clock.host_ms(), bool(unread))])
    foreign = externals(journal.book, view.balances, ports.account_quote, prices) if view else ()
    return CycleReport(
        cycle_id, at_ms, decision, placed, fills, foreign, prices, problem, journal.book, objections,
        view.snapshot.ages_ms if view else {}, max(code, VenueUnavailable.exit_code if left else 0),
        spent.ended("close"), not_made(sent),
    )  # fmt: skip
