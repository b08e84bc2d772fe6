"""Lives of the program on one account at a venue that outlives them: each is a process of its own, forked warm.

A crash is `_exit` at a boundary: nothing is unwound, closed or flushed, as when the process is killed.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any

from trader_core.domain.errors import TraderError
from trader_core.prove.hooks import Boundaries, hook
from trader_core.prove.inside import Answer, VenueInside
from trader_core.prove.virtual import VirtualTime

CRASHED = 99
UNEXPECTED = 1
WAITED_S = 10  # how long who is not answered waits
OUTCOMES = (
    "acknowledged", "refused", "not connected", "accepted, no answer", "accepted, 503", "503", "accepted, cut short",
    "twice",
)  # fmt: skip
Act = Callable[[], int]  # a life's work; its exit code


@dataclass
class Strike:
    """What happens to requests of one kind, `left` times."""

    outcome: str
    path: str
    side: str  # of the order; '' for any
    left: int

    def hits(self, method: str, url: str, body: bytes) -> bool:
        asked = method == "POST" and url.endswith(self.path) and self.side.encode() in body
        self.left -= asked
        return asked and self.left >= 0


@dataclass(frozen=True)
class Ended:
    """How a life ended. `met` are its boundaries, as far as it could still tell."""

    code: int
    words: str = ""
    met: tuple[str, ...] = ()

    @property
    def crashed(self) -> bool:
        return self.code == CRASHED


class Serial(Executor):
    """Does at once what it is given: the order of boundaries is the same each time."""

    def __init__(self, *_: object) -> None:
        """However many hands it has."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        try:
            done.set_result(work(*given, **named))
        except Exception as failed:  # noqa: BLE001 - as any executor does
            done.set_exception(failed)
        return done


@dataclass
class Account:
    """A state directory, and the venue that has its money."""

    state: Path
    venue: VenueInside
    time: VirtualTime
    strike: Strike | None = None

    def live(
        self, act: Act, at: int = 0, then: Callable[[str], None] | None = None, failing: bool = False,
        kill_s: float = 0.0,
    ) -> Ended:  # fmt: skip
        """One life, from its start to its end or to boundary `at`; or until SIGKILL comes after so much real time."""
        ours, theirs = Pipe()
        child = os.fork()
        if not child:
            ours.close()
            _be(self, theirs, act, Boundaries(at, then or _die, failing))
        theirs.close()
        with _killed_after(kill_s, child):
            ended = self._served(ours)
            _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code in (CRASHED, -signal.SIGKILL):
            return Ended(CRASHED)
        return ended or Ended(UNEXPECTED, f"the life ended with {code} and no word")

    def _served(self, line: Connection) -> Ended | None:
        """Answer until the life has no more to ask."""
        with line:
            while True:
                try:
                    now_ns, kind, *told = line.recv()
                except (EOFError, ConnectionResetError):
                    return None
                self.time.reach(now_ns)
                if kind == "ended":
                    return Ended(*told)
                answer = self._answered(*told)
                with suppress(BrokenPipeError):  # whoever asked is gone
                    line.send(answer)

    def _answered(self, method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[Any, ...]:
        strike = self.strike
        outcome = strike.outcome if strike and strike.hits(method, url, body) else "acknowledged"
        if outcome == "not connected":
            return ("not connected",)
        if outcome == "refused":
            return ("answer", *_refusal(url))
        if outcome == "503":
            return ("answer", *_unavailable())
        said = self.venue.ask(method, url, headers, body)
        if outcome == "twice":
            said = self.venue.ask(method, url, headers, body)
        if outcome == "accepted, no answer":
            return ("no answer",)
        if outcome == "accepted, 503":
            return ("answer", *_unavailable())
        if outcome == "accepted, cut short":
            return ("answer", said[0], said[1], said[2][: len(said[2]) // 2])
        return ("answer", *said)


def _unavailable() -> Answer:
    return 503, {"content-type": "text/html"}, b"<html><body><h1>Service Unavailable</h1></body></html>"


def _refusal(url: str) -> Answer:
    """A definite no: an order is refused by its rules, a cancel as a request."""
    if url.endswith("/orders"):
        told = b'{"success":false,"error_response":{"error":"INVALID_LIMIT_PRICE","message":"refused",'
        told += b'"error_details":"","preview_failure_reason":"PREVIEW_INVALID_LIMIT_PRICE",'
        told += b'"new_order_failure_reason":"INVALID_LIMIT_PRICE"},"order_configuration":{}}'
        return 200, {"content-type": "application/json"}, told
    told = b'{"error":"INVALID_ARGUMENT","error_details":"refused","message":"refused"}'
    return 400, {"content-type": "application/json"}, told


@contextmanager
def _killed_after(seconds: float, child: int) -> Iterator[None]:
    """What was set to ring before rings later."""

    def strike(*_: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    if not seconds:
        yield
        return
    before, (left_s, _) = signal.signal(signal.SIGALRM, strike), signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left_s)
        signal.signal(signal.SIGALRM, before)


def _die(kind: str) -> None:
    os._exit(CRASHED)


def _be(account: Account, line: Connection, act: Act, boundaries: Boundaries) -> None:
    """The life itself. Never returns."""
    lock, time = Lock(), account.time

    def ask(*request: object) -> tuple[Any, ...]:
        with lock:
            line.send((time.now_ns, "ask", *request))
            told: tuple[Any, ...] = line.recv()
        if told[0] in ("not connected", "no answer"):
            time.sleep(WAITED_S)
        return told

    try:
        hook(str(account.state), boundaries, ask)
        code, words = act(), ""
    except TraderError as failed:
        code, words = failed.exit_code, failed.what
    except BaseException:  # noqa: BLE001 - whatever it was, it is told
        code, words = UNEXPECTED, traceback.format_exc()
    with lock:
        line.send((time.now_ns, "ended", code, words, tuple(boundaries.met)))
    sys.stderr.flush()
    os._exit(0)
