"""Asking until there is an answer. Patience has one limit, the time that is left."""

from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import TypeVar

from trader_core.domain.errors import NotAsked, OutcomeUnknown, RateLimited, TraderError, VenueUnavailable

BESIDE_S = 0.75  # an answer that takes longer is asked for once more, beside the first
SOONER = 0.6  # the next of them comes so much sooner
BESIDE_LEAST_S = 0.15
BESIDE_MAX = 12  # questions on their way at the same time
PAUSE_S = 0.1  # after a failure
WORKERS = 8

T = TypeVar("T")


class OutOfTime(VenueUnavailable):
    """There was no answer until the time was over."""


def insist(ask: Callable[[], T], until_s: float) -> T:
    """The first answer. What must not be done twice must not be asked for here. Raises OutOfTime, or at once what no
    patience mends."""
    outcomes: SimpleQueue[tuple[T] | TraderError] = SimpleQueue()
    running, failed, next_s, every_s = 0, "", monotonic(), BESIDE_S
    while True:
        now_s = monotonic()
        if now_s >= until_s:
            raise OutOfTime(failed or "it did not answer")
        if running < BESIDE_MAX and (not running or now_s >= next_s):
            Thread(target=_asking(ask, outcomes), daemon=True).start()
            running, next_s, every_s = running + 1, now_s + every_s, max(BESIDE_LEAST_S, every_s * SOONER)
        try:
            outcome = outcomes.get(timeout=max(0.01, min(next_s, until_s) - monotonic()))
        except Empty:
            continue
        if isinstance(outcome, tuple):
            return outcome[0]
        running -= 1
        if not isinstance(outcome, VenueUnavailable | OutcomeUnknown):
            raise outcome
        late = isinstance(outcome, RateLimited | NotAsked) or monotonic() >= until_s
        if not failed or not late:  # it is what came before that says what is wrong
            failed = outcome.what
        sleep(max(0.0, min(PAUSE_S, until_s - monotonic())))


def _asking(ask: Callable[[], T], outcomes: "SimpleQueue[tuple[T] | TraderError]") -> Callable[[], None]:
    def work() -> None:
        try:
            outcomes.put((ask(),))
        except TraderError as failed:
            outcomes.put(failed)

    return work


def beside(calls: Iterable[Callable[[], T]]) -> Sequence[T]:
    """All of them at the same time, WORKERS at most; the answers in order. Raises what the first of them raised."""
    waiting = list(calls)
    answers: list[T | TraderError | None] = [None] * len(waiting)
    queue: SimpleQueue[int] = SimpleQueue()
    for number in range(len(waiting)):
        queue.put(number)

    def work() -> None:
        while True:
            try:
                number = queue.get_nowait()
            except Empty:
                return
            try:
                answers[number] = waiting[number]()
            except TraderError as failed:
                answers[number] = failed

    threads = [Thread(target=work, daemon=True) for _ in range(min(WORKERS, len(waiting)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found: list[T] = []
    for one in answers:
        if isinstance(one, TraderError):
            raise one
        found.append(one)  # type: ignore[arg-type]
    return found
