"""What went wrong for a person, from the moment that somebody took it on until it is over; and how far an account has
been let go on the way to real money.
"""

from collections.abc import Iterable

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import UsageError
from trader_core.domain.values import replace

STAGES = ("DRY_RUN", "PAPER", "TINY_LIVE", "LIVE")


class IncidentStarted(Struct, frozen=True):
    number: int
    title: str
    host_user: str
    at_ms: EpochMs


class IncidentNoted(Struct, frozen=True):
    number: int
    text: str
    host_user: str
    at_ms: EpochMs


class IncidentClosed(Struct, frozen=True):
    number: int
    text: str  # what it was, and what keeps it from coming again
    host_user: str
    at_ms: EpochMs


class Promoted(Struct, frozen=True):
    """The account may go on to that stage: everything that was asked for held then. `evidence` is what was seen."""

    stage: str
    evidence: tuple[tuple[str, str], ...]
    config_digest: str
    host_user: str
    at_ms: EpochMs


LogFact = IncidentStarted | IncidentNoted | IncidentClosed | Promoted
LOG_FACTS: dict[str, type[LogFact]] = {
    "incident_closed": IncidentClosed,
    "incident_noted": IncidentNoted,
    "incident_started": IncidentStarted,
    "promoted": Promoted,
}
LOG_KIND_OF = {fact: kind for kind, fact in LOG_FACTS.items()}


class Incident(Struct, frozen=True):
    """`ended_ms` is None while it lasts."""

    number: int
    title: str
    by: str
    started_ms: EpochMs
    ended_ms: EpochMs | None
    said: tuple[tuple[EpochMs, str, str], ...]  # when, who, what


def incidents(facts: Iterable[LogFact]) -> tuple[Incident, ...]:
    """Every one that was ever started, the oldest first."""
    found: dict[int, Incident] = {}
    for fact in facts:
        if isinstance(fact, IncidentStarted):
            found[fact.number] = Incident(fact.number, fact.title, fact.host_user, fact.at_ms, None, ())
        elif isinstance(fact, IncidentNoted | IncidentClosed):
            old = found[fact.number]
            said = (*old.said, (fact.at_ms, fact.host_user, fact.text))
            ended = fact.at_ms if isinstance(fact, IncidentClosed) else old.ended_ms
            found[fact.number] = replace(old, ended_ms=ended, said=said)
    return tuple(found.values())


def open_incident(found: Iterable[Incident], number: int | None) -> Incident:
    """The one that is meant: that number, or the only one that lasts. Raises UsageError."""
    lasting = [one for one in found if one.ended_ms is None]
    meant = [one for one in lasting if number in (None, one.number)]
    if len(meant) != 1:
        numbers = ", ".join(str(one.number) for one in lasting) or "none"
        what = f"incident {number} does not last" if number is not None else "it is not clear which incident is meant"
        raise UsageError(f"{what}; open: {numbers}", safe="nothing was written", remedy="trader incident list")
    return meant[0]


def stage_of(facts: Iterable[LogFact]) -> str:
    """How far the account has been let go; nowhere, where nobody ever promoted it."""
    return ([STAGES[0]] + [fact.stage for fact in facts if isinstance(fact, Promoted)])[-1]
