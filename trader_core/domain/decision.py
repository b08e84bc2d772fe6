"""One cycle's decision, with the numbers behind every yes and no."""

from dataclasses import dataclass
from decimal import Decimal

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.money import Quote
from trader_core.domain.order import ApprovedOrder


@dataclass(frozen=True, slots=True)
class GateRow:
    """One measured condition: `value` against `limit` in `unit`. `margin` is the room left before the gate
    closes, below zero when it has closed. None is unknown."""

    gate: str
    value: float | None
    limit: float | None
    margin: float | None
    unit: str
    verdict: str  # "OK" or the code of the refusal


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one instrument in one cycle."""

    symbol: str
    outcome: str  # "OK", a verdict code, or the stage at which it went no further
    detail: str
    rows: tuple[GateRow, ...]


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest bid that a position has seen."""

    symbol: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Decision:
    """Pure outcome of `decide`: what to cancel, what to place, and why. Carries no ids of new orders."""

    decision_ms: EpochMs
    equity: Quote | None
    judgements: tuple[Judgement, ...]
    cancels: tuple[str, ...]  # client order ids
    orders: tuple[ApprovedOrder, ...]
    peaks: tuple[Peak, ...]  # highest bids of what is held, where they rose
    regime: str  # in force, with its numbers
    failures: tuple[tuple[str, str], ...]  # strategies that could not be computed, with the reason
    dust: tuple[str, ...] = ()  # symbols of which less is held than the venue takes at this price

    @property
    def refusals(self) -> tuple[Judgement, ...]:
        """Proposals that a gate turned down."""
        return tuple(j for j in self.judgements if j.outcome.isupper() and j.outcome != "OK")
