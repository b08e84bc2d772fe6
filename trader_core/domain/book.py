"""The ledger's picture of the account: a value, made only by folding facts."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from msgspec import Struct, field

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Waiting
from trader_core.domain.halt import ARMED, Halt
from trader_core.domain.money import Base, Quote
from trader_core.domain.order import Order, Role

ZERO = Decimal(0)


class Holding(Struct, frozen=True):
    """What the bot bought of one instrument. It stays, empty, after the position is closed."""

    quantity: Base = Base(ZERO)
    cost: Quote = Quote(ZERO)  # paid for the held quantity, fees apart
    entry_fees: Quote = Quote(ZERO)  # fees of the held quantity
    realised: Quote = Quote(ZERO)  # over all closed quantity, fees taken off
    flow: Quote = Quote(ZERO)  # what came in less what went out since it was flat, with fees
    strategy: str = ""
    stop_bps: int = 0
    target_bps: int = 0
    hold_ms: int = 0  # 0: for ever
    opened_ms: EpochMs = EpochMs(-1)  # first purchase since it was flat
    peak: Decimal = ZERO  # highest bid seen since then
    parted: bool = False  # a part was sold at its own target since then
    deferred: str = ""  # why it is to be sold once its market opens
    outcast_ms: EpochMs = EpochMs(-1)  # since when the universe has had no place for it
    trades: frozenset[str] = frozenset()  # every trade id ever folded: a fill counts once


class LastExit(Struct, frozen=True):
    """When and why the bot last sold an asset: what cooldowns are counted from."""

    at_ms: EpochMs
    reason: str
    won: bool  # it ended a position with a gain


class LastEntry(Struct, frozen=True):
    """When the bot last decided to buy an asset, and how often it added to it on that UTC day."""

    at_ms: EpochMs
    add_day: int = -1
    adds: int = 0


class Pacing(Struct, frozen=True):
    """What spacing, counts and streaks go by. An hour and a day are absolute numbers since the epoch."""

    hour: int = -1
    hour_entries: int = 0
    day: int = -1
    day_entries: int = 0
    entered_ms: EpochMs = EpochMs(-1)
    losing_streak: int = 0
    loss_ms: EpochMs = EpochMs(-1)  # newest position that ended without a gain


class Record(Struct, frozen=True):
    """What the positions that are over brought: of one instrument and strategy. What did not win has lost."""

    wins: int = 0
    losses: int = 0
    gained: Quote = Quote(ZERO)  # by those that won, all fees taken off
    lost: Quote = Quote(ZERO)  # by the others, as an amount


class Ban(Struct, frozen=True):
    """An asset that must not be bought for a while, and why."""

    reason: str
    since_ms: EpochMs
    until_ms: EpochMs


def record_key(symbol: str, strategy: str) -> str:
    return f"{symbol} {strategy}"


class Book(Struct, frozen=True):
    cash: Quote | None = None  # None: nobody has told us yet
    flows: Quote = Quote(ZERO)  # deposits less withdrawals
    holdings: Mapping[str, Holding] = field(default_factory=lambda: MappingProxyType({}))  # by symbol
    orders: Mapping[str, Order] = field(default_factory=lambda: MappingProxyType({}))  # open, and closed of late
    exits: Mapping[str, LastExit] = field(default_factory=lambda: MappingProxyType({}))  # by asset
    entries: Mapping[str, LastEntry] = field(default_factory=lambda: MappingProxyType({}))  # by asset
    pacing: Pacing = Pacing()
    records: Mapping[str, Record] = field(default_factory=lambda: MappingProxyType({}))  # by record_key
    bans: Mapping[str, Ban] = field(default_factory=lambda: MappingProxyType({}))  # by asset
    dust: frozenset[str] = frozenset()  # held at the newest mark, and less than the venue took at its price
    delisted: Mapping[str, EpochMs] = field(default_factory=lambda: MappingProxyType({}))  # held then; by symbol
    failures: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # strategy: what went wrong
    discrepancies: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # subject: what differs
    halt: Halt = ARMED
    failed: tuple[EpochMs, ...] = ()  # failures of the order path in a row, newest first
    stopped: tuple[EpochMs, ...] = ()  # positions that ended by their stop since the newest reset, newest first
    open_loss_ppm: int | None = None  # at the newest mark
    waiting: tuple[Waiting, ...] = ()  # for a free slot, the first comes first
    paused: str = ""  # why there are no entries for now
    day: int = -1  # UTC day of the newest mark
    day_open: Quote | None = None  # equity at the first mark of that day
    day_low: Quote | None = None  # the lowest since
    day_high: Quote | None = None  # the highest since
    week: int = -1  # the same of the week that begins on Monday 00:00 UTC
    week_open: Quote | None = None
    week_low: Quote | None = None
    high: Quote | None = None  # highest equity ever marked; flows move it in proportion
    equity: Quote | None = None  # at the newest mark
    last: Quote | None = None  # at the newest one that was known
    decided_ms: EpochMs = EpochMs(-1)  # newest decision
    closed_ms: EpochMs = EpochMs(-1)  # decision time of the newest cycle that ran to its end
    fill_cursor: str = ""  # newest fill read from the venue
    flow_cursor: str = ""  # newest deposit or withdrawal
    policy_version: int = 1  # newest one under which a decision was taken
    policy_digest: str = ""  # of its settings in force; '' while nothing but what is written ever was
    intents: int = 0  # orders ever intended; the next one's sequence number
    cycles: int = 0
    troubles: int = 0  # of these the newest in a row in which something of the venue could not be read

    def working(self, symbol: str, role: Role) -> Order | None:
        """The open order of that instrument and role, if any."""
        for order in self.orders.values():
            if order.is_open and order.approved.symbol == symbol and order.approved.role is role:
                return order
        return None

    @property
    def held(self) -> frozenset[str]:
        """Symbols of which the bot owns something that it can sell."""
        return frozenset(one for one, holding in self.holdings.items() if holding.quantity and one not in self.delisted)

    @property
    def stranded(self) -> frozenset[str]:
        """Symbols of which the bot owns something that the venue does not list any more: for a person to deal with."""
        return frozenset(one for one in self.delisted if one in self.holdings and self.holdings[one].quantity)

    @property
    def watched(self) -> frozenset[str]:
        """Symbols that need care whatever the universe says: held, or with an order open."""
        return self.held | {order.approved.symbol for order in self.orders.values() if order.is_open}

    @property
    def realised(self) -> Decimal:
        return sum((h.realised for h in self.holdings.values()), ZERO)
