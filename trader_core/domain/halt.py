"""A halt is our own permission to take risk; it outlives the process that tripped it."""

from dataclasses import dataclass
from enum import StrEnum

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import GateClosed


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


@dataclass(frozen=True, slots=True)
class Halt:
    """`reason` names who or what, and why. `until_ms` is the end of a cooldown."""

    state: HaltState
    reason: str
    since_ms: EpochMs
    until_ms: EpochMs | None = None
    trips: int = 0  # so far
    resets: int = 0

    @property
    def trading(self) -> Trading:
        return _TRADING[self.state]


ARMED = Halt(HaltState.ARMED, "", EpochMs(0))


def killed(halt: Halt, reason: str, at_ms: EpochMs) -> Halt:
    """From everywhere. A second kill adds nothing."""
    if halt.state is HaltState.KILLED:
        return halt
    return Halt(HaltState.KILLED, reason, at_ms, None, halt.trips + 1, halt.resets)


def tripped(halt: Halt, reason: str, at_ms: EpochMs) -> Halt:
    """A trip on top of a trip adds its cause and keeps the first one's time; a kill is more than a trip."""
    if halt.state is HaltState.KILLED:
        raise _refused("trip", halt, "a kill is in force, which allows even less")
    if halt.state is HaltState.TRIPPED:
        return Halt(halt.state, f"{halt.reason}; {reason}", halt.since_ms, None, halt.trips, halt.resets)
    return Halt(HaltState.TRIPPED, reason, at_ms, None, halt.trips + 1, halt.resets)


def acknowledged(halt: Halt, cooldown_ms: int, at_ms: EpochMs) -> Halt:
    """Somebody has seen the trip: the cooldown counts from the trip, not from the acknowledgement."""
    if halt.state is not HaltState.TRIPPED:
        raise _refused("acknowledge", halt, "only a trip can be")
    until = EpochMs(max(halt.since_ms + cooldown_ms, at_ms))
    return Halt(HaltState.COOLING_DOWN, halt.reason, halt.since_ms, until, halt.trips, halt.resets)


def reset(halt: Halt, reason: str, at_ms: EpochMs) -> Halt:
    """Armed again, because a person says so and says why."""
    if halt.state in (HaltState.ARMED, HaltState.DISABLED):
        raise _refused("reset", halt, "nothing is halted")
    return Halt(HaltState.ARMED, f"reset: {reason}", at_ms, None, halt.trips, halt.resets + 1)


def cooled_down(halt: Halt, still_wrong: bool, cooldown_ms: int, now_ms: EpochMs) -> Halt:
    """Armed again by time, unless something still speaks against it: then the cooldown is extended by itself."""
    if halt.state is not HaltState.COOLING_DOWN or halt.until_ms is None or now_ms < halt.until_ms:
        return halt
    if still_wrong:
        longer = EpochMs(max(halt.until_ms + cooldown_ms, now_ms + 1))
        return Halt(halt.state, halt.reason, halt.since_ms, longer, halt.trips, halt.resets)
    return Halt(HaltState.ARMED, "the cooldown is over", now_ms, None, halt.trips, halt.resets)


def switched(halt: Halt, enabled: bool, at_ms: EpochMs) -> Halt:
    """What the policy says of the machine itself. A halt in force is never relaxed by that."""
    if halt.state is HaltState.ARMED and not enabled:
        return Halt(HaltState.DISABLED, "halt.enabled is false", at_ms, None, halt.trips, halt.resets)
    if halt.state is HaltState.DISABLED and enabled:
        return Halt(HaltState.ARMED, "halt.enabled is true", at_ms, None, halt.trips, halt.resets)
    return halt


def _refused(what: str, halt: Halt, why: str) -> GateClosed:
    since = f" ({halt.reason})" if halt.reason else ""
    return GateClosed(
        f"cannot {what}: the halt machine is {halt.state}{since}; {why}",
        safe="nothing was changed",
        remedy="trader halt show",
    )
