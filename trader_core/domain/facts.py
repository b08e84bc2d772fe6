"""Everything that can happen to the account, one frozen class each. The journal holds nothing else."""

from decimal import Decimal

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Judgement, Peak, Waiting
from trader_core.domain.fill import Fill, Side
from trader_core.domain.halt import Halt, Measure
from trader_core.domain.money import Base, Quote
from trader_core.domain.order import ApprovedOrder, OrderStatus


class Opened(Struct, frozen=True):
    """First fact of a state: what this state is for."""

    identity: tuple[tuple[str, str], ...]


class CashFlow(Struct, frozen=True):
    """A deposit (above zero) or a withdrawal."""

    amount: Quote
    at_ms: EpochMs
    note: str
    cursor: str  # where to go on reading; empty where it was not read


class CoinsMoved(Struct, frozen=True):
    """Coins that came into the bot's hands (BUY) or left them (SELL) without a trade, because a person says so: a
    deposit or a withdrawal in kind at that price, neither gain nor loss."""

    name: str  # no two have the same
    symbol: str
    side: Side
    quantity: Base
    price: Decimal  # above zero
    at_ms: EpochMs
    reason: str


class CashObserved(Struct, frozen=True):
    """Cash as a reader reports it, where the bot cannot trade and so has no ledger of its own."""

    amount: Quote
    at_ms: EpochMs


class Marked(Struct, frozen=True):
    """Equity at a decision time; None where a price is missing. The first of a UTC day or week opens its loss window.
    `peaks` are the highest bids of positions, where they rose; the open loss is that of the losing ones alone;
    `dust` is held and less than the venue takes."""

    decision_ms: EpochMs
    equity: Quote | None
    peaks: tuple[Peak, ...]
    open_loss_ppm: int | None = None  # of the equity, rounded down
    dust: tuple[str, ...] = ()


class Decided(Struct, frozen=True):
    """A decision was taken for this time; its entries are never decided again, also after a crash."""

    decision_ms: EpochMs
    digest: str
    judgements: tuple[Judgement, ...]
    inputs: str = ""  # digest of the record of what it was taken from; empty where none was kept


class Moved(Decided, frozen=True):
    """All that is left of a decision whose particulars stand in a closed file, as long as that is not there: nothing
    is known of its judgements. No journal holds one."""

    file: str = ""


class Intended(Struct, frozen=True):
    """An order was written down. Only after this is on disk may it be sent."""

    client_order_id: str
    approved: ApprovedOrder
    at_ms: EpochMs
    payload: str = ""  # the very bytes that are sent; empty where the venue is in this process
    host_ms: EpochMs = EpochMs(0)  # when, by this machine's clock


class Acknowledged(Struct, frozen=True):
    client_order_id: str
    at_ms: EpochMs
    venue_order_id: str = ""


class Resent(Struct, frozen=True):
    """The same bytes under the same id are about to leave once more: whether they arrived before, nobody knows."""

    client_order_id: str
    at_ms: EpochMs


class Leaving(Struct, frozen=True):
    """An order that was written down a while ago is about to leave only now."""

    client_order_id: str
    at_ms: EpochMs
    host_ms: EpochMs  # when, by this machine's clock


class Closed(Struct, frozen=True):
    """The venue reports an order as over: canceled, expired or rejected."""

    client_order_id: str
    status: OrderStatus
    reason: str
    at_ms: EpochMs


class Filled(Struct, frozen=True):
    fill: Fill
    cursor: str  # where to go on reading


class SendFailed(Struct, frozen=True):
    """The order path failed: nobody was reached, no answer came, or the venue refused what it should have taken."""

    client_order_id: str
    why: str
    at_ms: EpochMs


class HaltChanged(Struct, frozen=True):
    """The halt machine moved: by itself, by a trip, an acknowledgement or a kill."""

    halt: Halt


class HaltReset(Struct, frozen=True):
    """A person has armed the machine again: who, why, out of what, and with which figures before them."""

    halt: Halt  # from now on
    user: str
    host_user: str  # whom the operating system takes them for
    reason: str
    forced: bool
    previous: Halt
    measures: tuple[Measure, ...]
    config_digest: str
    at_ms: EpochMs


class Paused(Struct, frozen=True):
    """Somebody wants no entries for now."""

    reason: str
    at_ms: EpochMs


class Resumed(Struct, frozen=True):
    reason: str
    at_ms: EpochMs


class Banned(Struct, frozen=True):
    """An asset must not be bought until then."""

    asset: str
    reason: str
    at_ms: EpochMs
    until_ms: EpochMs


class BanLifted(Struct, frozen=True):
    asset: str
    reason: str
    at_ms: EpochMs


class Delisted(Struct, frozen=True):
    """The venue has stopped listing something we hold. It is worth nothing to us until a person has dealt with it."""

    symbol: str
    at_ms: EpochMs


class StrategyFailed(Struct, frozen=True):
    """A strategy could not be computed; it proposes nothing until it can be again."""

    strategy: str
    detail: str
    at_ms: EpochMs


class StrategyRecovered(Struct, frozen=True):
    strategy: str
    at_ms: EpochMs


class DiscrepancyFound(Struct, frozen=True):
    """The venue and the ledger differ on `subject`. Entries stay closed until it is gone."""

    subject: str
    detail: str
    at_ms: EpochMs


class DiscrepancyGone(Struct, frozen=True):
    subject: str
    at_ms: EpochMs


class QueueChanged(Struct, frozen=True):
    """Who waits for a free slot now, and what became of those that do not any more."""

    waiting: tuple[Waiting, ...]  # the first comes first
    left: tuple[tuple[str, str], ...]  # symbol, why
    at_ms: EpochMs


class Remembered(Struct, frozen=True):
    """What is to be kept of a position beside its price: why it is to be sold once its market opens (empty: it is
    not), and since when the universe has had no place for it (-1: it has)."""

    symbol: str
    deferred: str
    outcast_ms: EpochMs
    at_ms: EpochMs


class Restored(Struct, frozen=True):
    """The account is an older copy of itself. Intents that were numbered after that copy are not known to it: their
    numbers, and the order ids that come from them, must never be used again."""

    backup: str
    skipped: int
    at_ms: EpochMs  # of this machine


class PolicyApplied(Struct, frozen=True):
    """From here on decisions are taken under this version of the policy, and settings in force of this digest."""

    version: int
    digest: str
    at_ms: EpochMs


class CycleClosed(Struct, frozen=True):
    """The one record that a cycle ran to its end."""

    decision_ms: EpochMs
    placed: int
    refused: int
    fills: int
    problem: str  # why entries were not even judged; empty in a healthy cycle
    host_ms: EpochMs
    troubled: bool = False  # something of the venue could not be read


Fact = (
    Opened | CashFlow | CoinsMoved | CashObserved | Marked | Decided | Intended | Acknowledged | Resent | Leaving
    | Closed | Filled | SendFailed | HaltChanged | HaltReset | Paused | Resumed | Banned | BanLifted | Delisted
    | StrategyFailed | StrategyRecovered | DiscrepancyFound | DiscrepancyGone | QueueChanged
    | Remembered | Restored | PolicyApplied | CycleClosed
)  # fmt: skip

FACTS: dict[str, type[Fact]] = {
    "acknowledged": Acknowledged,
    "ban_lifted": BanLifted,
    "banned": Banned,
    "cash_flow": CashFlow,
    "cash_observed": CashObserved,
    "closed": Closed,
    "coins_moved": CoinsMoved,
    "cycle_closed": CycleClosed,
    "decided": Decided,
    "delisted": Delisted,
    "discrepancy_found": DiscrepancyFound,
    "discrepancy_gone": DiscrepancyGone,
    "filled": Filled,
    "halt_changed": HaltChanged,
    "halt_reset": HaltReset,
    "intended": Intended,
    "leaving": Leaving,
    "marked": Marked,
    "opened": Opened,
    "paused": Paused,
    "queue_changed": QueueChanged,
    "policy_applied": PolicyApplied,
    "remembered": Remembered,
    "resent": Resent,
    "restored": Restored,
    "resumed": Resumed,
    "send_failed": SendFailed,
    "strategy_failed": StrategyFailed,
    "strategy_recovered": StrategyRecovered,
}
KIND_OF = {fact: kind for kind, fact in FACTS.items()}
