"""Everything that ever halted an account, in the order in which it happened."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Fact, HaltChanged, HaltReset
from trader_core.domain.halt import ARMED, Halt, Measure


@dataclass(frozen=True, slots=True)
class HaltEvent:
    """One move of the halt machine. `by` is the person who armed it; a trip and a kill say who in their reason."""

    at_ms: EpochMs
    state: str
    previous: str
    reason: str
    by: str
    host_user: str
    forced: bool
    until_ms: EpochMs | None
    causes: tuple[Measure, ...]
    measures: tuple[Measure, ...]  # all that was measured at a reset
    config_digest: str


def history_of(facts: Iterable[Fact]) -> tuple[HaltEvent, ...]:
    """Oldest first."""
    return tuple(_events(facts))


def _events(facts: Iterable[Fact]) -> Iterator[HaltEvent]:
    halt: Halt = ARMED
    for fact in facts:
        if isinstance(fact, HaltChanged | HaltReset):
            reset = fact if isinstance(fact, HaltReset) else None
            after = fact.halt
            yield HaltEvent(
                at_ms=reset.at_ms if reset else after.since_ms,
                state=after.state,
                previous=halt.state,
                reason=reset.reason if reset else after.reason,
                by=reset.user if reset else "",
                host_user=reset.host_user if reset else "",
                forced=reset.forced if reset else False,
                until_ms=after.until_ms,
                causes=reset.previous.causes if reset else after.causes,
                measures=reset.measures if reset else (),
                config_digest=reset.config_digest if reset else "",
            )
            halt = after
