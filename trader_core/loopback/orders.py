"""Orders as the venue keeps them, and what an `order_configuration` asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from trader_core.loopback.numbers import ZERO, parsed
from trader_core.loopback.products import Product

MARKET, LIMIT, STOP = "MARKET", "LIMIT", "STOP_LIMIT"
GTC, GTD = "GOOD_UNTIL_CANCELLED", "GOOD_UNTIL_DATE_TIME"
IOC, FOK = "IMMEDIATE_OR_CANCEL", "FILL_OR_KILL"
OPEN, FILLED, CANCELLED, EXPIRED = "OPEN", "FILLED", "CANCELLED", "EXPIRED"
UP, DOWN = "STOP_DIRECTION_STOP_UP", "STOP_DIRECTION_STOP_DOWN"
_KINDS = {
    "market_market_ioc": (MARKET, IOC),
    "sor_limit_ioc": (LIMIT, IOC),
    "limit_limit_gtc": (LIMIT, GTC),
    "limit_limit_gtd": (LIMIT, GTD),
    "limit_limit_fok": (LIMIT, FOK),
    "stop_limit_stop_limit_gtc": (STOP, GTC),
    "stop_limit_stop_limit_gtd": (STOP, GTD),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """One configuration, read. A size is base or quote and never both."""

    configuration: str
    order_type: str
    time_in_force: str
    base_size: Decimal | None
    quote_size: Decimal | None
    limit: Decimal | None
    stop: Decimal | None
    direction: str
    post_only: bool
    end_ms: int | None

    @property
    def rests(self) -> bool:
        return self.time_in_force in (GTC, GTD)


@dataclass(frozen=True, slots=True)
class No:
    """A refusal in the venue's words; an empty `reason` is one that only the preview's word tells."""

    preview: str
    reason: str = ""
    message: str = ""


def wish_of(configuration: object) -> Wish | No:
    """What is asked for, or why it cannot be understood."""
    if not isinstance(configuration, Mapping) or len(configuration) != 1:
        return No("PREVIEW_INVALID_ORDER_CONFIG", "INVALID_REQUEST", "an order has exactly one configuration")
    name, fields = next(iter(configuration.items()))
    if name not in _KINDS or not isinstance(fields, Mapping):
        return No("PREVIEW_INVALID_ORDER_CONFIG", "UNSUPPORTED_ORDER_CONFIGURATION", f"{name} is not supported")
    numbers: dict[str, Decimal | None] = {}
    for field_name in ("base_size", "quote_size", "limit_price", "stop_price"):
        given = fields.get(field_name)
        numbers[field_name] = None if given in (None, "") else parsed(given)
        if given not in (None, "") and numbers[field_name] is None:
            return No("PREVIEW_NON_NUMERIC_ORDER_SIZE", "INVALID_REQUEST", f"{field_name} is no number")
    end_ms = _end_ms(fields.get("end_time"))
    if name.endswith("gtd") and end_ms is None:
        return No("PREVIEW_INVALID_ORDER_CONFIG", "GTD_ORDERS_MUST_HAVE_END_TIME", "end_time is missing")
    order_type, lasting = _KINDS[name]
    wish = Wish(
        name, order_type, lasting, numbers["base_size"], numbers["quote_size"], numbers["limit_price"],
        numbers["stop_price"], str(fields.get("stop_direction", "")), fields.get("post_only") is True, end_ms,
    )  # fmt: skip
    return _shapeless(wish) or wish


def _end_ms(given: object) -> int | None:
    if not isinstance(given, str):
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        return None
    return None if moment.tzinfo is None else int(moment.timestamp() * 1_000)


def _shapeless(wish: Wish) -> No | None:
    """A configuration without what its kind needs."""
    if (wish.base_size is None) == (wish.quote_size is None):
        return No("PREVIEW_INVALID_ORDER_CONFIG", "INVALID_REQUEST", "an order has one size, in base or in quote")
    if wish.order_type != MARKET and (wish.limit is None or wish.base_size is None):
        return No("PREVIEW_INVALID_ORDER_CONFIG", "INVALID_REQUEST", "a limit order has base_size and limit_price")
    if wish.order_type == STOP and (wish.stop is None or wish.direction not in (UP, DOWN)):
        return No("PREVIEW_INVALID_ORDER_CONFIG", "INVALID_REQUEST", "a stop has stop_price and stop_direction")
    return None


@dataclass
class Order:
    """An accepted order, with the fee rates of that moment; `at_us` tells apart what came in one millisecond."""

    number: int
    order_id: str
    client_order_id: str
    product: Product
    side: str
    wish: Wish
    configuration: dict[str, Any]
    at_us: int
    status: str = OPEN
    size: Decimal | None = None  # base; None where the size is in quote
    limit: Decimal | None = None
    filled_size: Decimal = ZERO
    filled_value: Decimal = ZERO
    fees: Decimal = ZERO
    fills: int = 0
    hold: Decimal = ZERO
    maker: Decimal = ZERO
    taker: Decimal = ZERO
    last_fill_us: int | None = None
    triggered: bool = False
    cancel_message: str = ""
    edits: list[dict[str, str]] = field(default_factory=list)
    shapes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)  # (venue's ms, as it was told then)

    @property
    def buys(self) -> bool:
        return self.side == "BUY"

    @property
    def live(self) -> bool:
        return self.status == OPEN

    @property
    def remaining(self) -> Decimal:
        return ZERO if self.size is None else self.size - self.filled_size

    @property
    def waits(self) -> bool:
        """A stop that has not been reached."""
        return self.wish.order_type == STOP and not self.triggered

    @property
    def rate(self) -> Decimal:
        """The fee that its hold reckons with: the higher one, unless it can only ever be a maker."""
        return self.maker if self.wish.post_only else self.taker

    @property
    def held_currency(self) -> str:
        return self.product.quote if self.buys else self.product.base


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of ours. `value` is price x size; the fee is in quote."""

    number: int
    entry_id: str
    trade_id: str
    order: Order
    price: Decimal
    size: Decimal
    value: Decimal
    fee: Decimal
    maker: bool
    at_us: int
