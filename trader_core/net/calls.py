"""Every request that was made, by class of endpoint, with what came of it and how long it took: for whoever measures.

Classes and outcomes are few and known beforehand: nothing of a request, its numbers or its answer is in them.
"""

from collections.abc import Callable
from threading import Lock

from msgspec import Struct

from trader_core.domain.errors import Lost, Unreachable

OK, REFUSED, AUTH, NOT_FOUND, RATE_LIMIT = "ok", "refused", "auth", "not_found", "rate_limit"
SERVER_ERROR, NO_ANSWER, UNREACHABLE, THROTTLED = "server_error", "no_answer", "unreachable", "throttled"
OUTCOMES = (OK, REFUSED, AUTH, NOT_FOUND, RATE_LIMIT, SERVER_ERROR, NO_ANSWER, UNREACHABLE, THROTTLED)
ERRORS = (
    AUTH,
    RATE_LIMIT,
    SERVER_ERROR,
    NO_ANSWER,
    UNREACHABLE,
)  # a refusal is an answer; what was throttled never left
OTHER = "other"  # an endpoint that nobody has named
KEPT = 5_000  # between two cycles; more than that are counted by nobody

Told = Callable[[str, str, float], None]  # endpoint, outcome, ms from the first byte to the last; 0 where none left


def untold(endpoint: str, outcome: str, ms: float) -> None:
    """Where nobody measures."""


def outcome_of(ended: int | Unreachable | Lost) -> str:
    """Of the status of an answer that parsed, or of what went wrong instead."""
    if not isinstance(ended, int):
        return UNREACHABLE if isinstance(ended, Unreachable) else NO_ANSWER
    known = {401: AUTH, 403: AUTH, 404: NOT_FOUND, 429: RATE_LIMIT}
    return known.get(ended, SERVER_ERROR if ended >= 500 else REFUSED if ended >= 400 else OK)


class Call(Struct, frozen=True):
    """One request; `at_ms` is when it was over, by this machine's clock."""

    endpoint: str
    outcome: str
    ms: float
    at_ms: int


class Calls:
    """What was asked since somebody took stock last. Thread-safe. Whoever waits for a sign of life sets `ended`, which
    is called after each of them, by whichever thread."""

    def __init__(self, host_ms: Callable[[], int]) -> None:
        self._host_ms, self._lock = host_ms, Lock()
        self._kept: list[Call] = []
        self.ended: Callable[[], None] = lambda: None

    def __call__(self, endpoint: str, outcome: str, ms: float) -> None:
        self.ended()
        with self._lock:
            if len(self._kept) < KEPT:
                self._kept.append(Call(endpoint, outcome, ms, self._host_ms()))

    def taken(self) -> tuple[Call, ...]:
        """Oldest first; from now on they are somebody else's."""
        with self._lock:
            found, self._kept = tuple(self._kept), []
        return found
