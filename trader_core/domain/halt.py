"""A halt is our own permission to take risk; it outlives the process that tripped it."""

from dataclasses import dataclass
from enum import StrEnum

from trader_core.domain.clocktime import EpochMs


class HaltState(StrEnum):
    ARMED = "ARMED"
    KILLED = "KILLED"  # the kill file was seen; deleting it does not re-arm


class Trading(StrEnum):
    """What a cycle may send."""

    ACTIVE = "ACTIVE"
    HALTED = "HALTED"  # no entry and no exit; resting entries are canceled, protective stops kept in place


@dataclass(frozen=True, slots=True)
class Halt:
    state: HaltState
    reason: str
    since_ms: EpochMs

    @property
    def trading(self) -> Trading:
        return Trading.ACTIVE if self.state is HaltState.ARMED else Trading.HALTED


ARMED = Halt(HaltState.ARMED, "", EpochMs(0))
