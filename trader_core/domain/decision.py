"""One cycle's decision, with the numbers behind every yes and no."""

from decimal import Decimal

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.halt import Halt
from trader_core.domain.money import Quote
from trader_core.domain.order import ApprovedOrder


class GateRow(Struct, frozen=True):
    """One measured condition: `value` against `limit` in `unit`. `margin` is the room left before the gate
    closes, below zero when it has closed. None is unknown."""

    gate: str
    value: float | None
    limit: float | None
    margin: float | None
    unit: str
    verdict: str  # "OK" or the code of the refusal


class Judgement(Struct, frozen=True):
    """What became of one instrument in one cycle."""

    symbol: str
    outcome: str  # "OK", a verdict code, or the stage at which it went no further
    detail: str
    rows: tuple[GateRow, ...]


class Peak(Struct, frozen=True):
    """The highest bid that a position has seen."""

    symbol: str
    price: Decimal


class Reminder(Struct, frozen=True):
    """What is to be kept of a position: why it is to be sold once its market opens, and since when the universe has
    had no place for it."""

    symbol: str
    deferred: str
    outcast_ms: EpochMs


class Waiting(Struct, frozen=True):
    """A proposal that waits for a free slot, with the terms of its strategy; whose prices are those of its turn."""

    symbol: str
    strategy: str
    conviction_ppm: int
    scale_ppm: int  # of the tier's position
    stop_bps: int
    target_bps: int
    hold_ms: int
    since_ms: EpochMs


class Decision(Struct, frozen=True):
    """Pure outcome of `decide`: what to cancel, what to place, and why. Carries no ids of new orders."""

    decision_ms: EpochMs
    equity: Quote | None
    judgements: tuple[Judgement, ...]
    cancels: tuple[str, ...]  # client order ids
    orders: tuple[ApprovedOrder, ...]
    peaks: tuple[Peak, ...]  # highest bids of what is held, where they rose
    regime: str  # in force, with its numbers
    failures: tuple[tuple[str, str], ...]  # strategies that could not be computed, with the reason
    open_loss_ppm: int | None = None  # of the losing positions together, of the equity
    halt: Halt | None = None  # the halt machine from now on, where it has moved
    waiting: tuple[Waiting, ...] = ()  # for a free slot, after this decision
    remembered: tuple[Reminder, ...] = ()  # of what is held, where it is another one than before
    dust: tuple[str, ...] = ()  # symbols of which less is held than the venue takes at this price

    @property
    def refusals(self) -> tuple[Judgement, ...]:
        """Proposals that a gate turned down."""
        return tuple(j for j in self.judgements if j.outcome.isupper() and j.outcome != "OK")
