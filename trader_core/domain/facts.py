"""Everything that can happen to the account, one frozen class each. The journal holds nothing else."""

from dataclasses import dataclass

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Judgement
from trader_core.domain.fill import Fill
from trader_core.domain.halt import Halt
from trader_core.domain.money import Quote
from trader_core.domain.order import ApprovedOrder, OrderStatus


@dataclass(frozen=True, slots=True)
class Opened:
    """First fact of a state: what this state is for."""

    identity: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CashFlow:
    """A deposit (above zero) or a withdrawal."""

    amount: Quote
    at_ms: EpochMs
    note: str


@dataclass(frozen=True, slots=True)
class CashObserved:
    """Cash as a reader reports it, where the bot cannot trade and so has no ledger of its own."""

    amount: Quote
    at_ms: EpochMs


@dataclass(frozen=True, slots=True)
class Marked:
    """Equity at a decision time; None where a price is missing. The first of a UTC day opens its loss window."""

    decision_ms: EpochMs
    equity: Quote | None


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision was taken for this time; its entries are never decided again, also after a crash."""

    decision_ms: EpochMs
    digest: str
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True)
class Intended:
    """An order was written down. Only after this is on disk may it be sent."""

    client_order_id: str
    approved: ApprovedOrder
    at_ms: EpochMs


@dataclass(frozen=True, slots=True)
class Acknowledged:
    client_order_id: str
    at_ms: EpochMs


@dataclass(frozen=True, slots=True)
class Closed:
    """The venue reports an order as over: canceled, expired or rejected."""

    client_order_id: str
    status: OrderStatus
    reason: str
    at_ms: EpochMs


@dataclass(frozen=True, slots=True)
class Filled:
    fill: Fill
    cursor: str  # where to go on reading


@dataclass(frozen=True, slots=True)
class HaltChanged:
    halt: Halt


@dataclass(frozen=True, slots=True)
class DiscrepancyFound:
    """The venue and the ledger differ on `subject`. Entries stay closed until it is gone."""

    subject: str
    detail: str
    at_ms: EpochMs


@dataclass(frozen=True, slots=True)
class DiscrepancyGone:
    subject: str
    at_ms: EpochMs


@dataclass(frozen=True, slots=True)
class CycleClosed:
    """The one record that a cycle ran to its end."""

    decision_ms: EpochMs
    placed: int
    refused: int
    fills: int
    problem: str  # why entries were not even judged; empty in a healthy cycle
    host_ms: EpochMs


Fact = (
    Opened | CashFlow | CashObserved | Marked | Decided | Intended | Acknowledged | Closed | Filled | HaltChanged
    | DiscrepancyFound | DiscrepancyGone | CycleClosed
)  # fmt: skip

FACTS: dict[str, type[Fact]] = {
    "acknowledged": Acknowledged,
    "cash_flow": CashFlow,
    "cash_observed": CashObserved,
    "closed": Closed,
    "cycle_closed": CycleClosed,
    "decided": Decided,
    "discrepancy_found": DiscrepancyFound,
    "discrepancy_gone": DiscrepancyGone,
    "filled": Filled,
    "halt_changed": HaltChanged,
    "intended": Intended,
    "marked": Marked,
    "opened": Opened,
}
KIND_OF = {fact: kind for kind, fact in FACTS.items()}
