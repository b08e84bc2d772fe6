"""What the venue refuses, in its own words and in the order in which it looks."""

from dataclasses import dataclass
from decimal import Decimal

from trader_core.loopback.numbers import ZERO, on_step, units
from trader_core.loopback.orders import DOWN, MARKET, STOP, UP, No, Wish
from trader_core.loopback.products import Product, Standing

BASE_MAX_VALUE = 200_000_000  # quote; the largest size is what costs so much where the price hovers
QUOTE_MIN = Decimal(1)
QUOTE_MAX = Decimal(150_000_000)


@dataclass(frozen=True, slots=True)
class Prices:
    """Best prices and the last trade of a product, as decimals."""

    bid: Decimal
    ask: Decimal
    last: Decimal


def base_min(product: Product) -> Decimal:
    return units(1, product.base_digits)


def base_max(product: Product) -> Decimal:
    return Decimal(max(1, round(BASE_MAX_VALUE / product.price)))


def of_product(product: Product, standing: Standing, wish: Wish) -> No | None:
    """What the product's status and flags forbid."""
    flags = standing.flags
    if standing.status != "online":
        return No("PREVIEW_INVALID_PRODUCT_ID", "UNTRADABLE_PRODUCT", f"{product.product_id} is {standing.status}")
    if flags["trading_disabled"] or flags["is_disabled"]:
        return No("PREVIEW_TRADING_DISABLED", "TRADING_DISABLED", "trading is disabled")
    if flags["view_only"]:
        return No("PREVIEW_UNTRADABLE_PRODUCT", "UNTRADABLE_PRODUCT", "the account may not trade it")
    if flags["cancel_only"]:
        return No("PREVIEW_ORDER_ENTRY_DISABLED", "ORDER_ENTRY_DISABLED", "cancels only")
    if flags["limit_only"] and wish.order_type == MARKET:
        return No("PREVIEW_ORDER_ENTRY_DISABLED", "ORDER_ENTRY_DISABLED", "limit orders only")
    if flags["post_only"] and not wish.post_only:
        return No("PREVIEW_ORDER_ENTRY_DISABLED", "ORDER_ENTRY_DISABLED", "post-only orders only")
    if flags["auction_mode"] and (wish.post_only or not wish.rests):
        return No("PREVIEW_ORDER_ENTRY_DISABLED", "ORDER_ENTRY_DISABLED", "an auction takes resting orders only")
    return None


def of_sizes(product: Product, wish: Wish, buys: bool) -> No | None:
    """Steps and bounds."""
    if wish.quote_size is not None:
        return _of_quote_size(product, wish.quote_size, buys)
    size = wish.base_size or ZERO
    if size <= ZERO or size < base_min(product):
        return No("PREVIEW_INVALID_BASE_SIZE_TOO_SMALL", message="base size is too small")
    if not on_step(size, product.base_digits):
        return No("PREVIEW_INVALID_SIZE_PRECISION", "INVALID_SIZE_PRECISION", "base size is between two steps")
    if size > base_max(product):
        return No("PREVIEW_INVALID_BASE_SIZE_TOO_LARGE", message="base size is too large")
    for price, preview in (
        (wish.limit, "PREVIEW_INVALID_PRICE_PRECISION"),
        (wish.stop, "PREVIEW_INVALID_STOP_PRICE_PRECISION"),
    ):
        if price is not None and (price <= ZERO or not on_step(price, product.price_digits)):
            return No(preview, "INVALID_PRICE_PRECISION", "a price is between two steps")
    if wish.limit is not None and size * wish.limit < QUOTE_MIN:
        return No("PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL", message="the order is worth too little")
    return None


def _of_quote_size(product: Product, size: Decimal, buys: bool) -> No | None:
    if not buys:
        return No("PREVIEW_INVALID_ORDER_CONFIG", "UNSUPPORTED_ORDER_CONFIGURATION", "a market sale has base_size")
    if not on_step(size, product.quote_digits):
        return No("PREVIEW_INVALID_QUOTE_SIZE_PRECISION", message="quote size is between two steps")
    if size < QUOTE_MIN:
        return No("PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL", message="quote size is too small")
    if size > QUOTE_MAX:
        return No("PREVIEW_INVALID_QUOTE_SIZE_TOO_LARGE", message="quote size is too large")
    return None


def of_prices(wish: Wish, buys: bool, prices: Prices, now_ms: int) -> No | None:
    """What the market forbids."""
    if wish.end_ms is not None and wish.end_ms <= now_ms:
        return No("PREVIEW_INVALID_ORDER_CONFIG", "END_TIME_IS_IN_THE_PAST", "end_time is in the past")
    if wish.post_only and wish.limit is not None:
        crosses = wish.limit >= prices.ask if buys else wish.limit <= prices.bid
        message = "Post only limit order would cross the order book"
        return (
            No("PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY", "INVALID_LIMIT_PRICE_POST_ONLY", message) if crosses else None
        )
    if wish.order_type == STOP and wish.stop is not None and wish.limit is not None:
        return _of_stop(wish.stop, wish.limit, wish.direction, buys, prices.last)
    return None


def _of_stop(stop: Decimal, limit: Decimal, direction: str, buys: bool, last: Decimal) -> No | None:
    """A stop lies beyond the last trade, and its limit leaves room behind it. Only the preview's word tells."""
    if direction == UP and stop <= last:
        return No("PREVIEW_STOP_PRICE_BELOW_LAST_TRADE_PRICE")
    if direction == DOWN and stop >= last:
        return No("PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE")
    if buys and limit < stop:
        return No("PREVIEW_STOP_PRICE_ABOVE_LIMIT_PRICE")
    if not buys and limit > stop:
        return No("PREVIEW_STOP_PRICE_BELOW_LIMIT_PRICE")
    return None


def of_funds(available: Decimal | None, needed: Decimal) -> No | None:
    if available is None:
        return No("PREVIEW_INVALID_LEDGER_BALANCE", "INVALID_LEDGER_BALANCE", "account is not available")
    if available < needed:
        return No("PREVIEW_INSUFFICIENT_FUND", "INSUFFICIENT_FUND", "Insufficient balance in source account")
    return None
