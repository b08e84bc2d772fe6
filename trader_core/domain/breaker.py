"""A dependency's health as a person sees it. A halt is our permission to take risk; a breaker is none."""

from enum import StrEnum

from msgspec import Struct


class Condition(StrEnum):
    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"  # its time is over: one probe may go, or is under way
    UNREADABLE = "UNREADABLE"  # entries are refused, and exits go on alone


class BreakerSeen(Struct, frozen=True):
    """One breaker as it stands. `probe_ms` is how long until it may be probed, 0 where that is now."""

    name: str
    condition: Condition
    failures: int
    opened_ms: int | None
    probe_ms: int
