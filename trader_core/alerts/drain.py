"""The drainer: takes what waits in the outbox to its channels, beside each other, and tries again what failed.

One process per state directory does it; the lock is the kernel's. It wakes for escalations, which nobody raises again,
and ends by itself when nothing is due for a while. A notice is marked as taken after it was: one that is killed in
between is delivered twice, and never not at all.
"""

import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread
from time import monotonic

from trader_core.alerts.addresses import Addresses, Channel
from trader_core.alerts.channels import beat, send
from trader_core.alerts.outbox import BEAT, BEATEN, LINGER_MS, RETRY_MAX_MS, Job, Outbox
from trader_core.alerts.policy import Rules

LOOK_S = 0.25  # how often it looks whether somebody has told something
FIRST_RETRY_MS = 5_000
PRUNED_EVERY_S = 3_600.0
BEAT_AGAIN_S, BEAT_OLD_MS = 15.0, 5 * 60_000
Work = Callable[[int], None]  # something else to look at, at a moment


def retry_ms(tries: int) -> int:
    """How long after so many failed tries the next one is made."""
    return min(FIRST_RETRY_MS << min(tries - 1, 20), RETRY_MAX_MS)


@dataclass
class Drained:
    """What one drainer did."""

    delivered: int = 0
    failed: int = 0
    problems: dict[str, str] = field(default_factory=dict)  # by channel, the newest

    def add(self, other: "Drained") -> None:
        self.delivered, self.failed = self.delivered + other.delivered, self.failed + other.failed
        self.problems |= other.problems


@dataclass
class _Try:
    job: Job
    ended: "Future[str]"
    until_s: float


class Drainer:
    def __init__(
        self, outbox: Outbox, to: Addresses, rules: Rules, timeout_s: float, host_ms: Callable[[], int],
        look: Work = lambda now_ms: None,
    ) -> None:  # fmt: skip
        self._outbox, self._to, self._rules, self._timeout_s = outbox, to, rules, timeout_s
        self._host_ms, self._look = host_ms, look
        self._channels = {one.name: one for one in (*to.channels, *to.urgent)}
        self._busy: dict[str, _Try] = {}  # by channel: one message at a time, in order
        self._beating: Future[str] | None = None
        self._beat, self._beat_again_s = "", 0.0
        self._pruned_s = float("-inf")
        self.done = Drained()

    def run(self, pause: Callable[[float], object], given_up: Callable[[], bool], linger_ms: int = LINGER_MS) -> None:
        """Until nothing is due for `linger_ms`, or somebody has given up."""
        while not given_up():
            self.turn()
            if not self._busy and not self._beats_within(linger_ms) and not self._is_due_within(linger_ms):
                return
            pause(LOOK_S)

    def turn(self) -> None:
        """One look: what ended is written down, what is due is begun."""
        now_ms = self._host_ms()
        self._prune(now_ms)
        self._look(now_ms)
        self._outbox.advance(self._rules, now_ms)
        self._collect(now_ms)
        names = [one.name for one in self._to.channels]
        for job in self._outbox.jobs(names, [one.name for one in self._to.urgent], now_ms):
            if job.channel not in self._busy:
                self._busy[job.channel] = self._begun(job)
        self._beats()

    def _is_due_within(self, wait_ms: int) -> bool:
        tries = self._outbox.next_ms(self._channels) if self._channels else None
        ahead = [tries, self._outbox.wakes_ms(self._rules)]
        return any(at is not None and at <= self._host_ms() + wait_ms for at in ahead)

    def _begun(self, job: Job) -> _Try:
        channel = self._channels[job.channel]
        ended = _beside(channel.name, lambda: send(channel, job.notice, self._timeout_s))
        return _Try(job, ended, monotonic() + self._timeout_s)

    def _collect(self, now_ms: int) -> None:
        """One that does not end in time has failed; its thread is left behind and ends with its connection."""
        for name, one in list(self._busy.items()):
            if one.ended.done() or monotonic() >= one.until_s:
                slow = f"it did not answer within {self._timeout_s:g} s"
                problem = one.ended.result() if one.ended.done() else slow
                self._outbox.delivered(one.job, now_ms, problem, now_ms + retry_ms(one.job.tries + 1))
                self._note(name, problem)
                del self._busy[name]

    def _note(self, name: str, problem: str) -> None:
        if problem:
            self.done.failed += 1
            self.done.problems[name] = problem
        else:
            self.done.delivered += 1
            self.done.problems.pop(name, None)

    def _beats(self) -> None:
        """The newest sign of life is passed on once, and tried again while it is young."""
        if self._beating and self._beating.done():
            problem = self._beating.result()
            self._note("heartbeat", problem)
            if problem:
                self._beat_again_s = monotonic() + BEAT_AGAIN_S
            else:
                self._outbox.put({BEATEN: self._beat})
            self._beating = None
        newest = self._new_beat()
        if newest and not self._beating and (newest != self._beat or monotonic() >= self._beat_again_s):
            self._beat, well = newest, bool(json.loads(newest)["well"])
            self._beating = _beside("heartbeat", lambda: beat(self._to.heartbeat, well))

    def _beats_within(self, wait_ms: int) -> bool:
        """Whether a sign of life is on its way, or will be tried in that time."""
        newest, again_ms = self._new_beat(), (self._beat_again_s - monotonic()) * 1_000
        return newest is not None and (self._beating is not None or newest != self._beat or again_ms <= wait_ms)

    def _new_beat(self) -> str | None:
        """A sign of life that nobody was told of; an old one tells nothing."""
        newest = self._outbox.value(BEAT) if self._to.heartbeat else None
        if not newest or newest == self._outbox.value(BEATEN):
            return None
        return newest if self._host_ms() - json.loads(newest)["at_ms"] < BEAT_OLD_MS else None

    def _prune(self, now_ms: int) -> None:
        if monotonic() - self._pruned_s > PRUNED_EVERY_S:
            self._pruned_s = monotonic()
            self._outbox.prune(now_ms)


def _beside(name: str, work: Callable[[], str]) -> "Future[str]":
    """In a thread that nobody waits for at the end."""
    ended: Future[str] = Future()
    Thread(target=lambda: ended.set_result(work()), name=f"alerts: {name}", daemon=True).start()
    return ended


def tried(channels: tuple[Channel, ...], work: Callable[[Channel], str], wait_s: float) -> dict[str, tuple[str, int]]:
    """(what went wrong, in how many ms) of each channel, all at the same time."""
    began_s, took_ms = monotonic(), dict[str, int]()

    def timed(one: Channel) -> str:
        problem = work(one)
        took_ms[one.name] = round((monotonic() - began_s) * 1_000)
        return problem

    running = {one.name: _beside(one.name, lambda one=one: timed(one)) for one in channels}  # type: ignore[misc]
    found: dict[str, tuple[str, int]] = {}
    for name, ended in running.items():
        try:
            problem = ended.result(timeout=max(0.0, began_s + wait_s - monotonic()))
            found[name] = problem, took_ms[name]
        except TimeoutError:
            found[name] = f"it did not answer within {wait_s:g} s", round(wait_s * 1_000)
    return found
