"""How far this machine's clock is from the true time, as others tell it."""

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs


class ClockAnswer(Struct, frozen=True):
    """What one source says. `offset_ms` is its time less ours; None, and why, where it did not answer."""

    source: str
    offset_ms: float | None
    uncertainty_ms: float | None
    problem: str = ""


class ClockReading(Struct, frozen=True):
    """All sources together. `problem` is '' only where real money may trade on this clock."""

    measured_ms: EpochMs
    offset_ms: float | None  # of the servers that agree
    uncertainty_ms: float | None
    servers: tuple[ClockAnswer, ...]
    venue: ClockAnswer | None  # None: a venue without a clock of its own
    problem: str
