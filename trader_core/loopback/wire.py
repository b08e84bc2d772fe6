"""What the venue says: every answer's shape. Lists are never null, numbers are text unless the venue sends numbers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trader_core.loopback import checks
from trader_core.loopback.accounts import Account, Wallet
from trader_core.loopback.book import Level
from trader_core.loopback.market import Rows
from trader_core.loopback.numbers import ZERO, quotient_down, shown, text, units
from trader_core.loopback.orders import CANCELLED, EXPIRED, FILLED, Fill, No, Order
from trader_core.loopback.products import FIAT, Product, Standing, long_name

UNKNOWN_ORDER_REASON = "UNKNOWN_FAILURE_REASON"


def moment(at_us: int) -> str:
    """RFC 3339 with microseconds."""
    seconds, micros = divmod(at_us, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


def time_shape(now_ms: int) -> dict[str, str]:
    iso = f"{datetime.fromtimestamp(now_ms // 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"iso": iso, "epochSeconds": str(now_ms // 1_000), "epochMillis": str(now_ms)}


def product_shape(
    product: Product, standing: Standing, price: Decimal, before: Decimal, volume: Decimal, turnover: Decimal
) -> dict[str, Any]:
    """`before` is the price of a day ago."""
    change = shown((price - before) * 100, before) if before else ZERO
    tick = text(units(1, product.price_digits))
    return {
        "product_id": product.product_id,
        "price": text(price),
        "price_percentage_change_24h": text(change),
        "volume_24h": text(volume),
        "volume_percentage_change_24h": "0",
        "base_increment": text(units(1, product.base_digits)),
        "quote_increment": text(units(1, product.quote_digits)),
        "quote_min_size": text(checks.QUOTE_MIN),
        "quote_max_size": text(checks.QUOTE_MAX),
        "base_min_size": text(checks.base_min(product)),
        "base_max_size": text(checks.base_max(product)),
        "base_name": product.name,
        "quote_name": long_name(product.quote),
        "watched": False,
        "new": False,
        **standing.said(),
        "product_type": "SPOT",
        "quote_currency_id": product.quote,
        "base_currency_id": product.base,
        "fcm_trading_session_details": None,
        "mid_market_price": "",
        "alias": product.alias,
        "alias_to": list(product.alias_to),
        "base_display_symbol": product.base,
        "quote_display_symbol": product.quote,
        "price_increment": tick,
        "display_name": product.product_id,
        "product_venue": "CBE",
        "approximate_quote_24h_volume": text(turnover),
        "new_at": "2023-01-01T00:00:00Z",
        "best_bid_price": "",
        "best_ask_price": "",
    }


def levels_shape(levels: Sequence[Level], product: Product) -> list[dict[str, str]]:
    return [
        {"price": text(units(one.price, product.price_digits)), "size": text(units(one.lots, product.base_digits))}
        for one in levels
    ]


def book_shape(product: Product, bids: Sequence[Level], asks: Sequence[Level], now_ms: int) -> dict[str, Any]:
    return {
        "product_id": product.product_id,
        "bids": levels_shape(bids, product),
        "asks": levels_shape(asks, product),
        "time": moment(now_ms * 1_000),
    }


def book_figures(bid: Decimal, ask: Decimal, last: Decimal) -> dict[str, str]:
    middle = (bid + ask) / 2
    return {
        "last": text(last),
        "mid_market": text(middle),
        "spread_bps": text(shown((ask - bid) * 10_000, middle)),
        "spread_absolute": text(ask - bid),
    }


def candles_shape(rows: Rows, product: Product) -> list[dict[str, str]]:
    """Newest first; the start is epoch seconds as text."""
    columns = (rows.ts, rows.low, rows.high, rows.open, rows.close, rows.volume)
    found = []
    for ts, low, high, opened, close, volume in zip(*(column.tolist() for column in columns), strict=True):
        prices = [text(units(ticks, product.price_digits)) for ticks in (low, high, opened, close)]
        names = ("low", "high", "open", "close")
        traded = text(units(volume, product.base_digits))
        found.append({"start": str(ts // 1_000), **dict(zip(names, prices, strict=True)), "volume": traded})
    return found[::-1]


def account_shape(wallet: Wallet, account: Account) -> dict[str, Any]:
    made = moment(wallet.created_ms * 1_000)
    return {
        "uuid": wallet.uuid,
        "name": f"{wallet.currency} Wallet",
        "currency": wallet.currency,
        "available_balance": {"value": text(wallet.available), "currency": wallet.currency},
        "default": wallet.currency == "USD",
        "active": True,
        "created_at": made,
        "updated_at": made,
        "deleted_at": None,
        "type": "ACCOUNT_TYPE_FIAT" if wallet.currency in FIAT else "ACCOUNT_TYPE_CRYPTO",
        "ready": True,
        "hold": {"value": text(wallet.hold), "currency": wallet.currency},
        "retail_portfolio_id": account.portfolio,
        "platform": "ACCOUNT_PLATFORM_CONSUMER",
    }


def summary_shape(account: Account, total_balance: Decimal) -> dict[str, Any]:
    """Volumes and fees are JSON numbers here, as the venue sends them."""
    tier, volume, fees = account.tier, float(account.volume + account.traded), float(account.fees)
    return {
        "total_volume": volume,
        "total_fees": fees,
        "fee_tier": {
            "pricing_tier": tier.name,
            "usd_from": text(tier.volume_from) if tier.volume_from else "",
            "usd_to": "" if tier.volume_to is None else text(tier.volume_to),
            "taker_fee_rate": text(tier.taker),
            "maker_fee_rate": text(tier.maker),
            "aop_from": "",
            "aop_to": "",
            "volume_types_and_range": [],
        },
        "margin_rate": None,
        "goods_and_services_tax": None,
        "advanced_trade_only_volume": volume,
        "advanced_trade_only_fees": fees,
        "coinbase_pro_volume": 0,
        "coinbase_pro_fees": 0,
        "total_balance": text(total_balance),
        "has_promo_fee": False,
    }


def order_shape(order: Order, account: Account) -> dict[str, Any]:
    done = order.status in (FILLED, CANCELLED, EXPIRED)
    signed = order.fees if order.buys else -order.fees
    average = shown(order.filled_value, order.filled_size)
    return {
        "order_id": order.order_id,
        "product_id": order.product.product_id,
        "user_id": account.user,
        "order_configuration": order.configuration,
        "side": order.side,
        "client_order_id": order.client_order_id,
        "status": order.status,
        "time_in_force": order.wish.time_in_force,
        "created_time": moment(order.at_us),
        "completion_percentage": _completion(order),
        "filled_size": text(order.filled_size),
        "average_filled_price": text(average),
        "fee": "",
        "number_of_fills": str(order.fills),
        "filled_value": text(order.filled_value),
        "pending_cancel": False,
        "size_in_quote": order.size is None,
        "total_fees": text(order.fees),
        "size_inclusive_of_fees": order.size is None,
        "total_value_after_fees": text(order.filled_value + signed) if order.fills else "0",
        "trigger_status": _trigger(order),
        "order_type": order.wish.order_type,
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "settled": done and order.fills > 0,
        "product_type": "SPOT",
        "reject_message": "",
        "cancel_message": order.cancel_message,
        "order_placement_source": "RETAIL_ADVANCED",
        "outstanding_hold_amount": text(order.hold),
        "is_liquidation": False,
        "last_fill_time": None if order.last_fill_us is None else moment(order.last_fill_us),
        "edit_history": list(order.edits),
        "leverage": "",
        "margin_type": "UNKNOWN_MARGIN_TYPE",
        "retail_portfolio_id": account.portfolio,
        "originating_order_id": "",
        "attached_order_id": "",
        "attached_order_configuration": None,
    }


def _completion(order: Order) -> str:
    if order.status == FILLED:
        return "100.00"
    if not order.fills:
        return "0"
    whole = order.size if order.size is not None else order.wish.quote_size
    part = order.filled_size if order.size is not None else order.filled_value + order.fees
    return text(units(int(quotient_down(part * 10_000, whole or part)), 2))


def _trigger(order: Order) -> str:
    if order.wish.stop is None:
        return "INVALID_ORDER_TYPE"
    return "STOP_TRIGGERED" if order.triggered else "STOP_PENDING"


def fill_shape(fill: Fill, account: Account, in_quote: bool) -> dict[str, Any]:
    """`in_quote`: the size of a quote-sized order's fill is told in quote, as the venue may."""
    told_in_quote = in_quote and fill.order.size is None
    return {
        "entry_id": fill.entry_id,
        "trade_id": fill.trade_id,
        "order_id": fill.order.order_id,
        "trade_time": moment(fill.at_us)[:-4] + "Z",
        "trade_type": "FILL",
        "price": text(fill.price),
        "size": text(fill.value if told_in_quote else fill.size),
        "commission": text(fill.fee),
        "product_id": fill.order.product.product_id,
        "sequence_timestamp": moment(fill.at_us),
        "liquidity_indicator": "MAKER" if fill.maker else "TAKER",
        "size_in_quote": told_in_quote,
        "user_id": account.user,
        "side": fill.order.side,
        "retail_portfolio_id": account.portfolio,
        "fillSource": "FILL_SOURCE_CLOB",
        "commission_detail_total": {"total_commission": text(fill.fee)},
    }


def accepted_shape(order: Order) -> dict[str, Any]:
    return {
        "success": True,
        "success_response": {
            "order_id": order.order_id,
            "product_id": order.product.product_id,
            "side": order.side,
            "client_order_id": order.client_order_id,
            "attached_order_id": "",
        },
        "order_configuration": order.configuration,
    }


def refused_shape(no: No, configuration: Any) -> dict[str, Any]:
    """Missing funds and stops name no new_order_failure_reason; the venue does not either."""
    word = no.reason or UNKNOWN_ORDER_REASON
    response = {"error": word, "message": no.message, "error_details": "", "preview_failure_reason": no.preview}
    if no.reason and no.reason != "INSUFFICIENT_FUND":
        response["new_order_failure_reason"] = no.reason
    echoed = configuration if isinstance(configuration, dict) else {}
    return {"success": False, "error_response": response, "order_configuration": echoed}
