"""A halt is our own permission to take risk; it outlives the process that tripped it.

What moves the machine by itself is a rule, `rulebook/halts.py`; here is what a person moves, and what it all means.
"""

from enum import StrEnum

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import GateClosed
from trader_core.domain.values import replace

REASON_CHARS_MIN = 10  # of a reset: less says nothing
OPERATOR = "operator"  # the cause of a trip by hand


class HaltState(StrEnum):
    ARMED = "ARMED"
    DISABLED = "DISABLED"  # the policy has switched the machine off: nothing trips by itself
    TRIPPED = "TRIPPED"  # by an operator or an evaluator
    COOLING_DOWN = "COOLING_DOWN"  # acknowledged; armed again when the time is over and nothing speaks against it
    KILLED = "KILLED"  # the kill file was seen; deleting it does not re-arm


class Trading(StrEnum):
    """What a cycle may send."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"  # no entry, resting ones are canceled; exits and stops go on until everything is flat
    HALTED = "HALTED"  # no entry and no exit; resting entries are canceled, protective stops kept in place


_TRADING = {
    HaltState.ARMED: Trading.ACTIVE,
    HaltState.DISABLED: Trading.ACTIVE,
    HaltState.TRIPPED: Trading.REDUCING,
    HaltState.COOLING_DOWN: Trading.REDUCING,
    HaltState.KILLED: Trading.HALTED,
}


class Measure(Struct, frozen=True):
    """What an evaluator measured, against its limit. None is unknown, or was not measured."""

    name: str
    value: float | None
    limit: float | None
    unit: str


class Halt(Struct, frozen=True):
    """`reason` names who or what, and why; `causes` are those of a trip, as measured then, the headline first.
    `until_ms` is the end of a cooldown. What was `seen` is the loss at the newest reset, and its UTC day."""

    state: HaltState
    reason: str
    since_ms: EpochMs
    until_ms: EpochMs | None = None
    trips: int = 0  # so far
    resets: int = 0
    causes: tuple[Measure, ...] = ()
    seen_day: int = -1
    seen_day_ppm: int = 0
    seen_open_ppm: int = 0

    @property
    def trading(self) -> Trading:
        return _TRADING[self.state]


ARMED = Halt(HaltState.ARMED, "", EpochMs(0))


def killed(halt: Halt, reason: str, at_ms: EpochMs) -> Halt:
    """From everywhere. A second kill adds nothing."""
    if halt.state is HaltState.KILLED:
        return halt
    moved = replace(halt, state=HaltState.KILLED, reason=reason, since_ms=at_ms, until_ms=None, causes=())
    return replace(moved, trips=halt.trips + 1)


def tripped(halt: Halt, reason: str, at_ms: EpochMs) -> Halt:
    """By a person. A trip on top of a trip adds its cause and keeps the first one's time; a kill is more than that."""
    if halt.state is HaltState.KILLED:
        raise _refused("trip", halt, "a kill is in force, which allows even less")
    by_hand = Measure(OPERATOR, None, None, "")
    causes = halt.causes if by_hand in halt.causes else (*halt.causes, by_hand)
    if halt.state is HaltState.TRIPPED:
        return replace(halt, reason=f"{halt.reason}; {reason}", causes=causes)
    moved = replace(halt, state=HaltState.TRIPPED, reason=reason, since_ms=at_ms, until_ms=None, causes=causes)
    return replace(moved, trips=halt.trips + 1)


def acknowledged(halt: Halt, cooldown_ms: int, at_ms: EpochMs) -> Halt:
    """Somebody has seen the trip: the cooldown counts from the trip, not from the acknowledgement."""
    if halt.state is not HaltState.TRIPPED:
        raise _refused("acknowledge", halt, "only a trip can be")
    return replace(halt, state=HaltState.COOLING_DOWN, until_ms=EpochMs(max(halt.since_ms + cooldown_ms, at_ms)))


class Seen(Struct, frozen=True):
    """The losses that a person has before them at a reset, on a UTC day; 0 where unknown."""

    day: int
    day_ppm: int
    open_ppm: int


def reset(halt: Halt, reason: str, at_ms: EpochMs, seen: Seen) -> Halt:
    """Armed again, because a person says so and says why. The losses are not forgotten: they were seen."""
    if halt.state in (HaltState.ARMED, HaltState.DISABLED):
        raise _refused("reset", halt, "nothing is halted")
    return Halt(
        HaltState.ARMED, f"reset: {reason}", at_ms, None, halt.trips, halt.resets + 1,
        seen_day=seen.day, seen_day_ppm=seen.day_ppm, seen_open_ppm=seen.open_ppm,
    )  # fmt: skip


def _refused(what: str, halt: Halt, why: str) -> GateClosed:
    since = f" ({halt.reason})" if halt.reason else ""
    return GateClosed(
        f"cannot {what}: the halt machine is {halt.state}{since}; {why}",
        safe="nothing was changed",
        remedy="trader halt show",
    )
