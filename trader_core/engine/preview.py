"""What the next cycle would do: the cycle without its last phases. It ends before anything could be sent."""

from typing import TYPE_CHECKING

from trader_core.engine.cycle import CycleReport, guard, look
from trader_core.engine.decide import decide
from trader_core.engine.journal import Journal
from trader_core.engine.policies import policy_in_force
from trader_core.engine.record import mark_facts
from trader_core.engine.stages import Stages
from trader_core.execution.reconcile import externals
from trader_core.ports import Ports

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


def preview(ports: Ports, policy: "Settings", journal: Journal) -> CycleReport | None:
    """The next cycle up to its decision, on a journal that is thrown away; None at the end of the market.

    Raises VenueUnavailable where the market cannot be read.
    """
    cycle_id = journal.next_cycle
    decision_ms = ports.clock.next_decision_ms(journal.book.closed_ms)
    if decision_ms is None:
        return None
    policy = policy_in_force(ports, policy, journal, decision_ms)
    guard(ports, journal, decision_ms)
    view = look(ports, policy, journal, decision_ms, Stages())
    decision = decide(view.snapshot, journal.book, policy)
    journal.record(decision_ms, mark_facts(decision))
    seen, prices = view.snapshot, view.snapshot.prices
    foreign = externals(journal.book, view.balances, ports.account_quote, prices)
    return CycleReport(
        cycle_id, decision_ms, decision, 0, view.fills, foreign, prices, seen.problem, journal.book, seen.told,
        problem_code=seen.problem_code,
    )  # fmt: skip
