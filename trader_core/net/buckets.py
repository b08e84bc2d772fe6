"""How often we may ask. Token buckets, one per class of endpoint, shared by every process on this state.

Tokens are taken from the shared bucket in blocks, and a block is good for LEASE_MS: so all processes together never
send more than `burst + rate x (seconds + LEASE_MS)` in any span of seconds. From 80 % of the burst on, what is not
urgent is spread out at the rate at which tokens come back; from 90 % on exits are too; the last tenth is kept for
`kill`. A shared file that cannot be used never stops anybody: a bucket of this process alone takes its place.
"""

import json
from collections.abc import Callable, Mapping
from enum import IntEnum
from math import isfinite
from threading import Lock

from msgspec import Struct

from trader_core.domain.errors import RateLimited, StateUnusable
from trader_core.domain.values import replace
from trader_core.net.rows import LocalRows, Rows, Step, T

PREFIX = "bucket "  # of a row's key
BLOCK = 4  # tokens leased at once while there are plenty
LEASE_MS = 250
REST_MAX_MS = 60_000  # nobody is silent for longer, whatever the row says
TURNS_MAX = 1_000  # waits of one caller


class Urgency(IntEnum):
    """Whose tokens may be taken. Each class stops where the next one's reserve begins."""

    ROUTINE = 20  # % of the burst that must be left
    EXIT = 10
    KILL = 0


class Rule(Struct, frozen=True):
    """What one class of endpoints allows. `max_wait_s` is how long anybody waits for a token."""

    rate: float  # tokens a second
    burst: int
    max_wait_s: float = 10.0

    def floor(self, urgency: Urgency) -> float:
        return self.burst * urgency / 100


class Level(Struct, frozen=True):
    """A bucket at one moment. Until `rest_ms` the venue has asked for silence."""

    tokens: float
    at_ms: int
    rest_ms: int = 0


def filled(level: Level | None, rule: Rule, now_ms: int) -> Level:
    """The bucket now. A clock that went back adds nothing, and takes nothing away."""
    if level is None:
        return Level(float(rule.burst), now_ms)
    gained = max(0, now_ms - level.at_ms) * rule.rate / 1_000
    return replace(level, tokens=min(float(rule.burst), level.tokens + gained), at_ms=now_ms)


def take(level: Level, rule: Rule, weight: int, floor: float) -> tuple[Level, int]:
    """The bucket without `weight` tokens and 0; or as it was and the ms after which there are enough above the floor.

    Raises ValueError for a weight that the bucket can never hold.
    """
    if not 0 < weight <= rule.burst - floor:
        raise ValueError(f"a weight of {weight} in a bucket of {rule.burst}, of which {floor:g} are kept")
    left = level.tokens - weight
    if left >= floor - 1e-9:
        return replace(level, tokens=left), 0
    return level, max(1, round((floor - left) * 1_000 / rule.rate))


class _Lease(Struct, frozen=True):
    """Tokens of this process, good until then."""

    tokens: int = 0
    until_ms: int = 0


class Buckets:
    """One gate in front of every request. Thread-safe; nothing is locked while somebody waits."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        shared: Rows,
        pause: Callable[[float], None],
        host_ms: Callable[[], int],
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._rules, self._shared, self._pause, self._host_ms, self._warn = rules, shared, pause, host_ms, warn
        self._local = LocalRows()
        self._leases: dict[str, _Lease] = {}
        self._lock = Lock()

    def enter(self, bucket: str, urgency: Urgency, max_wait_s: float | None = None) -> float:
        """Wait until one request may go, and return how long that took, in s. Raises RateLimited, and then nothing
        was sent, where the wait would be longer than allowed."""
        rule, waited = self._rules[bucket], 0.0
        allowed = rule.max_wait_s if max_wait_s is None else min(max_wait_s, rule.max_wait_s)
        for _ in range(TURNS_MAX):
            wait_s = self._ask(bucket, rule, urgency) / 1_000
            if not wait_s:
                return waited
            if waited + wait_s > allowed:
                break
            self._pause(wait_s)
            waited += wait_s
        raise RateLimited(f"too many requests of class {bucket}: no token within {allowed:g} s", remedy="wait a moment")

    def rest(self, bucket: str, seconds: float) -> None:
        """The venue asked for silence: every process is silent, only `kill` is not."""
        now_ms = self._host_ms()
        until_ms = now_ms + round(seconds * 1_000)

        def step(old: str | None) -> tuple[str, None]:
            level = filled(_read(old, now_ms), self._rules[bucket], now_ms)
            return _written(replace(level, rest_ms=max(level.rest_ms, until_ms))), None

        with self._lock:
            self._leases.pop(bucket, None)
            self._change(bucket, step)

    def _ask(self, bucket: str, rule: Rule, urgency: Urgency) -> int:
        """0 with a token taken, or the ms to wait."""
        with self._lock:
            now_ms = self._host_ms()
            lease = self._leases.get(bucket, _Lease())
            is_fresh = lease.until_ms - LEASE_MS <= now_ms < lease.until_ms
            if is_fresh and lease.tokens:
                self._leases[bucket] = replace(lease, tokens=lease.tokens - 1)
                return 0
            wanted = BLOCK if is_fresh and urgency is Urgency.ROUTINE else 1  # more only for whoever used up the last
            taken, wait_ms = self._change(bucket, lambda old: _leased(old, rule, urgency, wanted, now_ms))
            self._leases[bucket] = _Lease(max(0, taken - 1), now_ms + LEASE_MS)
            return wait_ms

    def _change(self, bucket: str, step: Step[T]) -> T:
        """In the shared row, or where that fails, in our own."""
        try:
            return self._shared.change(f"{PREFIX}{bucket}", step)
        except StateUnusable as failed:
            self._warn(f"requests are counted by this process alone: {failed.what}")
            return self._local.change(bucket, step)


def _leased(old: str | None, rule: Rule, urgency: Urgency, wanted: int, now_ms: int) -> tuple[str, tuple[int, int]]:
    """Tokens taken for this process and the ms to wait. A block is taken only while half of the burst stays, so that
    what is over of it, which nobody gets back, makes nobody wait who stays below the rate."""
    level = filled(_read(old, now_ms), rule, now_ms)
    if urgency is not Urgency.KILL and level.rest_ms > now_ms:
        return _written(level), (0, level.rest_ms - now_ms)
    taken = wanted if level.tokens - wanted >= rule.burst / 2 else 1
    level, wait_ms = take(level, rule, taken, rule.floor(urgency))
    return _written(level), (0 if wait_ms else taken, wait_ms)


def used_shares(rows: Mapping[str, str], rules: Mapping[str, Rule], now_ms: int) -> dict[str, float]:
    """How much of each bucket's burst is used up, by its name, from their rows; of those that have a rule."""
    found: dict[str, float] = {}
    for key, text in rows.items():
        name = key.removeprefix(PREFIX)
        level = filled(_read(text, now_ms), rules[name], now_ms) if name in rules else None
        if level is not None:
            found[name] = 1 - max(level.tokens, 0.0) / rules[name].burst
    return found


def _read(text: str | None, now_ms: int) -> Level | None:
    """A row that cannot be read is an empty bucket: it fills at its rate."""
    if text is None:
        return None
    try:
        tokens, at_ms, rest_ms = json.loads(text)
        level = Level(float(tokens), int(at_ms), min(int(rest_ms), now_ms + REST_MAX_MS))
    except (ValueError, TypeError, OverflowError):
        return Level(0.0, now_ms)
    return level if isfinite(level.tokens) else Level(0.0, now_ms)


def _written(level: Level) -> str:
    return json.dumps([level.tokens, level.at_ms, level.rest_ms])
