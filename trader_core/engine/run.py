"""The loop around cycles: from the last closed one to the end of the market, the limit, or a request to stop."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from trader_core.domain.clocktime import EpochMs
from trader_core.engine.cycle import Agreed, CycleReport, run_cycle
from trader_core.engine.journal import Journal
from trader_core.engine.monitor import is_due
from trader_core.ports import Ports

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

Tell = Callable[[CycleReport, int], None]  # of a cycle that ran to its end, and how many ms it took; never raises


def nobody(report: CycleReport, took_ms: int) -> None:
    """Is told."""


def cycles(
    ports: Ports, policy: "Settings", journal: Journal, stop: Callable[[], bool], limit: int | None = None,
    tell: Tell = nobody,
) -> Iterator[CycleReport]:  # fmt: skip
    """Run and yield cycles, each told of first. `stop` is asked between cycles only: one that began is finished and
    recorded.

    A cycle that a crash cut short comes again at its own time, under its own number; so does one for which something
    of what is held cannot wait until the next bar has closed.
    """
    done = 0
    while (limit is None or done < limit) and not stop():
        decision_ms = ports.clock.next_decision_ms(journal.book.closed_ms, stop, lambda: is_due(ports, policy, journal))
        if decision_ms is None:
            return
        yield told_cycle(ports, policy, journal, decision_ms, tell)
        done += 1


def told_cycle(
    ports: Ports, policy: "Settings", journal: Journal, decision_ms: EpochMs, tell: Tell, agreed: Agreed | None = None
) -> CycleReport:
    """One cycle, of which is told once everything of it is on disk."""
    began_ms = ports.clock.host_ms()
    with journal.acted_on():
        report = run_cycle(ports, policy, journal, decision_ms, agreed=agreed)
    tell(report, ports.clock.host_ms() - began_ms)
    return report
