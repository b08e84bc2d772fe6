"""What Coinbase says, as values. Every set of words is open: one we do not know is UNKNOWN, never a fill, never an end.

Amounts are exact decimals as the venue wrote them; times are its own, in ms since the epoch.
"""

from decimal import Decimal
from enum import Enum, StrEnum
from typing import Self

from msgspec import Struct, field

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.fill import Side
from trader_core.domain.money import Base, Quote


class Word(StrEnum):
    """A word out of an open set. Every set has an UNKNOWN."""

    @classmethod
    def of(cls, text: str) -> Self:
        """The word itself, or UNKNOWN."""
        try:
            return cls(text)
        except ValueError:
            return cls("UNKNOWN")


class Status(Word):
    """What an order is. There is no word for half filled: that is OPEN with something filled."""

    PENDING = "PENDING"
    OPEN = "OPEN"
    QUEUED = "QUEUED"
    EDIT_QUEUED = "EDIT_QUEUED"
    CANCEL_QUEUED = "CANCEL_QUEUED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_over(self) -> bool:
        """It cannot fill any more. An unknown word is not the end of anything."""
        return self in (Status.FILLED, Status.CANCELLED, Status.EXPIRED, Status.FAILED)


WAITING = (Status.PENDING, Status.QUEUED, Status.EDIT_QUEUED, Status.CANCEL_QUEUED)  # live, and not in the OPEN list


class ProductStatus(Word):
    ONLINE = "online"
    OFFLINE = "offline"
    DELISTED = "delisted"
    UNKNOWN = "UNKNOWN"


class ProductType(Word):
    SPOT = "SPOT"
    FUTURE = "FUTURE"
    UNKNOWN = "UNKNOWN"


class Wallet(Word):
    """What kind of wallet holds an asset; only the first two can be traded from."""

    CRYPTO = "ACCOUNT_TYPE_CRYPTO"
    FIAT = "ACCOUNT_TYPE_FIAT"
    VAULT = "ACCOUNT_TYPE_VAULT"
    UNKNOWN = "UNKNOWN"


class TradeType(Word):
    FILL = "FILL"
    REVERSAL = "REVERSAL"
    CORRECTION = "CORRECTION"
    SYNTHETIC = "SYNTHETIC"
    UNKNOWN = "UNKNOWN"


class Liquidity(Word):
    MAKER = "MAKER"
    TAKER = "TAKER"
    UNKNOWN = "UNKNOWN"


class Shape(Word):
    """Which configuration an order was placed with."""

    MARKET = "market_market_ioc"
    LIMIT_IOC = "sor_limit_ioc"
    LIMIT_GTC = "limit_limit_gtc"
    LIMIT_GTD = "limit_limit_gtd"
    LIMIT_FOK = "limit_limit_fok"
    STOP_LIMIT_GTC = "stop_limit_stop_limit_gtc"
    STOP_LIMIT_GTD = "stop_limit_stop_limit_gtd"
    BRACKET_GTC = "trigger_bracket_gtc"
    BRACKET_GTD = "trigger_bracket_gtd"
    UNKNOWN = "UNKNOWN"


class Granularity(Enum):
    """The lengths of a candle that the venue has, in seconds."""

    ONE_MINUTE = 60
    FIVE_MINUTE = 300
    FIFTEEN_MINUTE = 900
    THIRTY_MINUTE = 1_800
    ONE_HOUR = 3_600
    TWO_HOUR = 7_200
    SIX_HOUR = 21_600
    ONE_DAY = 86_400


class Reason(StrEnum):
    """Why the venue refused, in words of ours."""

    FUNDS = "FUNDS"  # not enough of what the order needs
    WOULD_TAKE = "WOULD_TAKE"  # post-only, and it would have crossed the book
    PRICE = "PRICE"  # limit price: precision, or too far away
    SIZE = "SIZE"  # precision, too small or too large
    STOP = "STOP"  # stop price on the wrong side, or of the wrong precision
    PRODUCT = "PRODUCT"  # it cannot be traded now, or not at all, or not by us
    DUPLICATE = "DUPLICATE"  # the client order id is taken
    REQUEST = "REQUEST"  # the request makes no sense to the venue: a fault of ours
    KEY = "KEY"  # unknown key, or one that may not do this
    RATE = "RATE"  # too many requests
    GONE = "GONE"  # no such order, or it is over
    VENUE = "VENUE"  # a failure on the venue's side
    UNMAPPED = "UNMAPPED"  # a word we do not know


class ServerTime(Struct, frozen=True):
    at_ms: EpochMs


class ProductListing(Struct, frozen=True):
    """One product and the rules under which it trades."""

    product_id: str
    base: str
    quote: str
    kind: ProductType
    status: ProductStatus
    price_increment: Decimal
    base_increment: Decimal
    quote_increment: Decimal
    base_min: Decimal
    base_max: Decimal
    quote_min: Decimal
    quote_max: Decimal
    price: Decimal | None  # of the last trade
    volume_24h: Decimal | None  # in base
    quote_volume_24h: Decimal | None
    alias: str  # the product whose book this one shares; empty where it has its own
    alias_to: tuple[str, ...]  # products that share this one's book
    is_disabled: bool
    trading_disabled: bool
    cancel_only: bool
    limit_only: bool  # market orders are refused
    post_only: bool  # only post-only limits rest; nothing takes, so nothing can be sold at once
    auction_mode: bool  # orders rest, nothing matches
    view_only: bool  # this account may not trade it

    @property
    def why_closed(self) -> str:
        """Why no new order of any kind makes sense; empty where nothing speaks against one."""
        found = (
            (self.kind is not ProductType.SPOT, "it is no spot product"),
            (self.status is not ProductStatus.ONLINE, f"its status is {self.status}"),
            (self.is_disabled, "it is disabled"),
            (self.trading_disabled, "trading is disabled"),
            (self.cancel_only, "only cancels are accepted"),
            (self.post_only, "only orders that rest are accepted"),
            (self.auction_mode, "it is in an auction"),
            (self.view_only, "the account may only look at it"),
        )
        return "; ".join(why for holds, why in found if holds)


class Excluded(Struct, frozen=True):
    """A product that could not be read, and why: it is not traded."""

    product_id: str  # empty where not even that could be read
    why: str


class ProductPage(Struct, frozen=True):
    listings: tuple[ProductListing, ...]
    excluded: tuple[Excluded, ...]


class Level(Struct, frozen=True):
    price: Decimal
    size: Decimal  # in base, above zero


class Pricebook(Struct, frozen=True):
    """The resting orders of one product, best first on both sides."""

    product_id: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    at_ms: EpochMs


class CandleRow(Struct, frozen=True):
    """One bucket that was traded in; the venue leaves out those that were not."""

    open_ms: EpochMs
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal  # in base


class Account(Struct, frozen=True):
    """One wallet. An asset may have several. `available` is below zero where it is in debt."""

    uuid: str
    currency: str
    kind: Wallet
    available: Decimal
    hold: Decimal


class AccountPage(Struct, frozen=True):
    accounts: tuple[Account, ...]
    next_cursor: str  # empty on the last page


class FeeTier(Struct, frozen=True):
    """What the account pays, as a fraction of an order's value."""

    name: str
    maker: Decimal
    taker: Decimal


class OrderShape(Struct, frozen=True):
    """How an order was configured. A size or price that it does not have is None."""

    kind: Shape
    base_size: Base | None = None
    quote_size: Quote | None = None
    limit: Decimal | None = None
    stop: Decimal | None = None
    post_only: bool = False


class VenueOrder(Struct, frozen=True):
    """An order as the venue shows it. Its messages say nothing about its state; only `status` does."""

    order_id: str
    client_order_id: str
    product_id: str
    side: Side | None  # None: a word we do not know
    status: Status
    status_word: str  # as the venue wrote it
    shape: OrderShape
    filled_size: Base
    filled_value: Quote
    total_fees: Quote
    number_of_fills: int
    created_ms: EpochMs
    last_fill_ms: EpochMs | None
    settled: bool
    pending_cancel: bool
    reject_reason: str
    message: str  # why it was rejected or cancelled, for a person
    torn: tuple[str, ...] = ()  # fields that cannot be read: nothing stands there, and a zero is no amount

    @property
    def is_over(self) -> bool:
        return self.status.is_over


class OrderPage(Struct, frozen=True):
    orders: tuple[VenueOrder, ...]
    next_cursor: str  # empty on the last page


class FillRow(Struct, frozen=True):
    """One execution of ours. Quantity and price are above zero, or there is no row."""

    entry_id: str
    trade_id: str
    order_id: str
    product_id: str
    side: Side
    price: Decimal
    quantity: Base  # exact: where the venue gave the size in quote, what that buys at the price
    value: Quote  # exact: where the venue gave the size in quote, that size
    commission: Quote
    at_ms: EpochMs
    liquidity: Liquidity


class StrangeFill(Struct, frozen=True):
    """A row that is no plain fill: a reversal, a correction, or words we do not know. A person must look at it."""

    entry_id: str
    order_id: str
    product_id: str
    why: str


class FillPage(Struct, frozen=True):
    fills: tuple[FillRow, ...]
    strange: tuple[StrangeFill, ...]
    rows: int  # how many the venue sent
    next_cursor: str  # says nothing about whether there is more


class Refused(Struct, frozen=True):
    """Definitely not executed."""

    reason: Reason
    word: str  # the venue's own
    message: str


class Accepted(Struct, frozen=True):
    """The venue has the order. Its product may be another one than was asked for: an alias."""

    order_id: str
    client_order_id: str
    product_id: str


class Unreadable(Struct, frozen=True):
    """An answer that tells neither yes nor no."""

    why: str


CreateAnswer = Accepted | Refused | Unreadable


class CancelAnswer(Struct, frozen=True):
    """Accepted is a promise to cancel, not a cancel: a fill can still win."""

    order_id: str
    accepted: bool
    word: str


class Complaint(Struct, frozen=True):
    """What an answer other than 200 says, whatever its shape. `text` is cut, and never shown without its status."""

    word: str
    text: str = field(default="")


_REASONS = {
    Reason.FUNDS: "INSUFFICIENT_FUND INSUFFICIENT_FUNDS INVALID_LEDGER_BALANCE",
    Reason.WOULD_TAKE: "INVALID_LIMIT_PRICE_POST_ONLY",
    Reason.PRICE: "INVALID_LIMIT_PRICE INVALID_PRICE_PRECISION LIMIT_PRICE_TOO_FAR_FROM_MARKET INVALID_BRACKET_PRICES "
    "INVALID_NO_LIQUIDITY",
    Reason.SIZE: "INVALID_SIZE_PRECISION INVALID_BASE_SIZE_TOO_SMALL INVALID_BASE_SIZE_TOO_LARGE "
    "INVALID_QUOTE_SIZE_TOO_SMALL INVALID_QUOTE_SIZE_TOO_LARGE INVALID_QUOTE_SIZE_PRECISION "
    "INVALID_BASE_SIZE_PRECISION NON_NUMERIC_ORDER_SIZE INVALID_EDITED_SIZE CANNOT_EDIT_TO_BELOW_FILLED_SIZE",
    Reason.STOP: "STOP_PRICE_ABOVE_LAST_TRADE_PRICE STOP_PRICE_BELOW_LAST_TRADE_PRICE STOP_PRICE_ABOVE_LIMIT_PRICE "
    "STOP_PRICE_BELOW_LIMIT_PRICE INVALID_STOP_PRICE_PRECISION",
    Reason.PRODUCT: "INVALID_PRODUCT_ID ORDER_ENTRY_DISABLED INELIGIBLE_PAIR UNTRADABLE_PRODUCT GEOFENCING_RESTRICTION "
    "TRADING_DISABLED PRODUCT_TRADING_HALTED",
    Reason.DUPLICATE: "DUPLICATE_CLIENT_ORDER_ID",
    Reason.REQUEST: "UNSUPPORTED_ORDER_CONFIGURATION INVALID_ORDER_CONFIG INVALID_SIDE INVALID_REQUEST "
    "INVALID_ARGUMENT END_TIME_IS_IN_THE_PAST GTD_ORDERS_MUST_HAVE_END_TIME POST_ONLY_NOT_ALLOWED_WITH_FOK "
    "REDUCE_ONLY_NOT_ALLOWED_ON_SPOT_PRODUCTS ONLY_LIMIT_ORDER_EDITS_SUPPORTED INVALID_CANCEL_REQUEST "
    "INVALID_CANCEL_PRODUCT_ID",
    Reason.KEY: "PERMISSION_DENIED UNAUTHENTICATED NOT_ALLOWED_TO_CANCEL",
    Reason.RATE: "RATE_LIMIT_EXCEEDED RESOURCE_EXHAUSTED",
    Reason.GONE: "NOT_FOUND ORDER_NOT_FOUND UNKNOWN_CANCEL_ORDER ORDER_IS_FULLY_FILLED",
    Reason.VENUE: "UNKNOWN_FAILURE_REASON COMMANDER_REJECTED_NEW_ORDER COMMANDER_REJECTED_CANCEL_ORDER "
    "COMMANDER_REJECTED_EDIT_ORDER INTERNAL UNAVAILABLE DEADLINE_EXCEEDED",
}
_REASON_OF = {word: reason for reason, words in _REASONS.items() for word in words.split()}


def reason_of(word: str) -> Reason:
    """The venue's word in words of ours, as a new order's or as a preview's."""
    plain = word.upper().removeprefix("PREVIEW_")
    return _REASON_OF.get(plain, Reason.VENUE if not plain or says_nothing(plain) else Reason.UNMAPPED)


def says_nothing(word: str) -> bool:
    """Whether a reason is only the form's placeholder, which a success carries too."""
    plain = word.upper()
    return plain == "UNKNOWN" or (plain.startswith("UNKNOWN_") and plain.endswith("_REASON"))
