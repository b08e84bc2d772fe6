"""Whether a dependency is worth asking. One breaker per dependency and direction, shared by every process.

Failures of the dependency count, its refusals do not: a venue that says no is well. An open breaker lets one probe
through when its time is over; the probe holds a lease, so a process that dies with it blocks nobody for long. Exits
have a breaker of their own that lets one attempt through every few seconds; `kill` asks none.
"""

import json
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from trader_core.domain.breaker import BreakerSeen, Condition
from trader_core.domain.errors import StateUnusable, Unreachable
from trader_core.domain.values import as_dict, replace
from trader_core.net.rows import LocalRows, Rows, Step, T


class Direction(StrEnum):
    """What a call is for. Whatever an exit needs to see counts as an exit."""

    ENTRIES = "entries"
    EXITS = "exits"


class Rule(Struct, frozen=True):
    """`open_ms` doubles with every failed probe up to `most_ms`; it is shaken by a tenth so that nobody probes in
    step."""

    failures: int  # in a row
    open_ms: int
    most_ms: int
    shake: float


RULES = {
    Direction.ENTRIES: Rule(failures=5, open_ms=60_000, most_ms=900_000, shake=0.1),
    Direction.EXITS: Rule(failures=10, open_ms=5_000, most_ms=5_000, shake=0.0),
}


class Health(Struct, frozen=True):
    """What is known of a dependency. Closed while `opened_ms` is None; a probe runs until `probe_ms`, 0 is none."""

    failures: int = 0
    opened_ms: int | None = None
    base_ms: int = 0  # how long it is open, before it is shaken
    until_ms: int = 0  # when it may be probed
    probe_ms: int = 0


CLOSED = Health()
PREFIX = "breaker "  # of a row's key


class Pass(Struct, frozen=True):
    """Leave to make one call; its outcome must be told."""

    dependency: str
    direction: Direction
    is_probe: bool


def asked(health: Health, now_ms: int, lease_ms: int) -> tuple[Health, int, bool]:
    """The breaker after the question, the ms to wait (0: go), and whether whoever goes is the probe."""
    if health.opened_ms is None:
        return health, 0, False
    ahead_ms = health.opened_ms - now_ms
    if ahead_ms > 0:  # the clock went back
        probe_ms = max(0, health.probe_ms - ahead_ms)
        health = replace(health, opened_ms=now_ms, until_ms=health.until_ms - ahead_ms, probe_ms=probe_ms)
    wait_ms = max(health.until_ms, health.probe_ms) - now_ms
    if wait_ms > 0:
        return health, wait_ms, False
    return replace(health, probe_ms=now_ms + lease_ms), 0, True


def told(health: Health, well: bool, is_probe: bool, rule: Rule, now_ms: int, chance: float) -> Health:
    """The breaker after an outcome. While it is open only a probe's counts: other calls began before it opened."""
    if health.opened_ms is not None and not is_probe:
        return health
    if well:
        return CLOSED
    if health.opened_ms is not None:
        return _opened(replace(health, base_ms=min(2 * health.base_ms, rule.most_ms)), rule, now_ms, chance)
    failures = health.failures + 1
    if failures < rule.failures:
        return replace(health, failures=failures)
    return _opened(replace(health, failures=failures, base_ms=rule.open_ms), rule, now_ms, chance)


def _opened(health: Health, rule: Rule, now_ms: int, chance: float) -> Health:
    """Open from now on; a chance of one half shakes nothing."""
    shaken = round(health.base_ms * (1 + rule.shake * (2 * chance - 1)))
    return replace(health, opened_ms=now_ms, until_ms=now_ms + shaken, probe_ms=0)


def named(key: str) -> str:
    """'coinbase-orders-entries', of a row."""
    return key.removeprefix(PREFIX).replace(" ", "-")


def seen(key: str, text: str, now_ms: int) -> BreakerSeen:
    """What a row says of its breaker."""
    try:
        health = _read(text)
    except (ValueError, TypeError):
        return BreakerSeen(named(key), Condition.UNREADABLE, 0, None, 0)
    wait_ms = asked(health, now_ms, 0)[1]
    condition = Condition.CLOSED if health.opened_ms is None else Condition.OPEN
    if health.opened_ms is not None and health.until_ms <= now_ms:
        condition = Condition.HALF_OPEN
    return BreakerSeen(named(key), condition, health.failures, health.opened_ms, wait_ms)


def closed_again(old: str | None) -> tuple[str, None]:
    """A person says that the dependency is well: the step that closes its breaker."""
    return _written(CLOSED), None


class Breakers:
    """All breakers of one state. Where their rows cannot be used, entries are refused and exits go on alone."""

    def __init__(
        self,
        shared: Rows,
        host_ms: Callable[[], int],
        chance: Callable[[], float],
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._shared, self._host_ms, self._chance, self._warn = shared, host_ms, chance, warn
        self._local = LocalRows()

    def enter(self, dependency: str, direction: Direction, lease_s: float) -> Pass:
        """Leave for one call that takes at most half of `lease_s`. Raises Unreachable: nothing was sent."""
        lease_ms = round(lease_s * 1_000)

        def step(old: str | None) -> tuple[str, tuple[int, bool]]:
            health, wait_ms, is_probe = asked(_read(old), self._host_ms(), lease_ms)
            return _written(health), (wait_ms, is_probe)

        wait_ms, is_probe = self._change(dependency, direction, step)
        if wait_ms:
            what = "no entry is" if direction is Direction.ENTRIES else "nothing is"
            raise Unreachable(
                f"{dependency} failed too often: {what} tried for another {-(-wait_ms // 1_000)} s",
                remedy="wait, or look at what is wrong with it",
            )
        return Pass(dependency, direction, is_probe)

    def tell(self, leave: Pass, well: bool | None) -> None:
        """How the call ended; None where it was never made, so that its probe is free again."""
        now_ms, rule, chance = self._host_ms(), RULES[leave.direction], self._chance()

        def step(old: str | None) -> tuple[str, None]:
            health = _read(old)
            if well is None:
                return _written(replace(health, probe_ms=0) if leave.is_probe else health), None
            return _written(told(health, well, leave.is_probe, rule, now_ms, chance)), None

        try:
            self._change(leave.dependency, leave.direction, step)
        except Unreachable as failed:  # the call is over: what came of it must not be lost to this
            self._warn(failed.what)

    def closed(self, dependency: str, direction: Direction) -> bool:
        """Whether a call would be tried now. Asking changes nothing."""

        def step(old: str | None) -> tuple[str, bool]:
            health = _read(old)
            return _written(health), asked(health, self._host_ms(), 0)[1] == 0

        try:
            return self._change(dependency, direction, step)
        except Unreachable:
            return False

    def _change(self, dependency: str, direction: Direction, step: Step[T]) -> T:
        key = f"{PREFIX}{dependency} {direction}"
        try:
            return self._shared.change(key, step)
        except (StateUnusable, ValueError, TypeError) as failed:
            what = failed.what if isinstance(failed, StateUnusable) else f"the row '{key}' cannot be read"
            if direction is Direction.ENTRIES:
                raise Unreachable(f"nobody knows whether {dependency} is well: {what}") from failed
            self._warn(f"the exits' breaker of {dependency} is this process's own: {what}")
            return self._local.change(key, step)


def _read(text: str | None) -> Health:
    """Raises ValueError or TypeError on a row that is not one: what is unreadable is not well."""
    if text is None:
        return CLOSED
    health = Health(**json.loads(text))
    numbers = (health.failures, health.base_ms, health.until_ms, health.probe_ms, health.opened_ms or 0)
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError("a breaker's row without whole numbers")
    return health


def _written(health: Health) -> str:
    return json.dumps(as_dict(health))
