"""The account and its orders: what a key may see and do."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from trader_core.loopback.book import BUY
from trader_core.loopback.calls import Answer, Call, problem, told
from trader_core.loopback.chance import identity, share
from trader_core.loopback.exchange import NO_REASON
from trader_core.loopback.faults import Plan
from trader_core.loopback.numbers import parsed, shown, text
from trader_core.loopback.orders import OPEN, Fill, No, Order
from trader_core.loopback.venue import Venue
from trader_core.loopback.wire import (
    accepted_shape,
    account_shape,
    fill_shape,
    order_shape,
    refused_shape,
    summary_shape,
)

ACCOUNTS, ACCOUNTS_MAX = 49, 250
ORDERS, ORDERS_MAX = 100, 1_000
FILLS, FILLS_MAX = 100, 1_000
CANCELS_MAX = 100
T = TypeVar("T")


def key_permissions(venue: Venue, call: Call, plan: Plan) -> Answer:
    key = venue.key_of(call, plan)
    granted = {} if key is None else dict(venue.permissions(key))
    portfolio = {"portfolio_uuid": venue.exchange.account.portfolio, "portfolio_type": "DEFAULT"}
    return told(portfolio | granted)


def portfolios(venue: Venue, call: Call, plan: Plan) -> Answer:
    return told({"portfolios": [_portfolio(venue)]})


def portfolio(venue: Venue, call: Call, plan: Plan) -> Answer:
    account = venue.exchange.account
    if call.named["uuid"] != account.portfolio:
        return problem(404, "NOT_FOUND", "portfolio not found")
    positions = [
        {"asset": one.currency, "account_uuid": one.uuid, "total_balance_crypto": float(one.total)}
        for one in account.wallets.values()
    ]
    total = {"total_balance": {"value": text(venue.exchange.valued()), "currency": "USD"}}
    found = {"portfolio": _portfolio(venue), "portfolio_balances": total, "spot_positions": positions}
    return told({"breakdown": {**found, "perp_positions": [], "futures_positions": []}})


def _portfolio(venue: Venue) -> dict[str, Any]:
    return {"name": "Default", "uuid": venue.exchange.account.portfolio, "type": "DEFAULT", "deleted": False}


def accounts(venue: Venue, call: Call, plan: Plan) -> Answer:
    """The cursor is the next wallet's uuid."""
    account, limit = venue.exchange.account, call.whole("limit", ACCOUNTS, ACCOUNTS_MAX)
    wallets, cursor = list(account.wallets.values()), call.query.get("cursor", "")
    first = next((place for place, one in enumerate(wallets) if one.uuid == cursor), None) if cursor else 0
    if first is None:
        return problem(400, "INVALID_ARGUMENT", "invalid cursor")
    cut, more = wallets[first : first + limit], len(wallets) > first + limit
    onward = wallets[first + limit].uuid if more else ""
    if plan.has("repeat_cursor"):
        more, onward = True, cursor or cut[0].uuid
    shapes = [account_shape(one, account) for one in cut]
    return told({"accounts": shapes, "has_next": more, "cursor": onward, "size": len(shapes)})


def account(venue: Venue, call: Call, plan: Plan) -> Answer:
    owner = venue.exchange.account
    found = next((one for one in owner.wallets.values() if one.uuid == call.named["uuid"]), None)
    if found is None:
        return problem(404, "NOT_FOUND", "account not found")
    return told({"account": account_shape(found, owner)})


def transaction_summary(venue: Venue, call: Call, plan: Plan) -> Answer:
    return told(summary_shape(venue.exchange.account, venue.exchange.valued()))


# --- orders in -------------------------------------------------------------------------------------------------------


def create(venue: Venue, call: Call, plan: Plan) -> Answer:
    """A refusal is an HTTP 200; only a body that is no order at all is a 400."""
    body = call.document
    client_order_id, configuration = body.get("client_order_id"), body.get("order_configuration")
    if not isinstance(client_order_id, str) or not client_order_id:
        return problem(400, "INVALID_ARGUMENT", "client_order_id is required")
    if body.get("attached_order_configuration"):
        no = No("PREVIEW_INVALID_ORDER_CONFIG", "UNSUPPORTED_ORDER_CONFIGURATION", "attached orders are not supported")
        return told(refused_shape(no, configuration))
    product_id, side = str(body.get("product_id", "")), str(body.get("side", ""))
    made = venue.exchange.create(client_order_id, product_id, side, configuration, plan.part)
    return told(refused_shape(made, configuration) if isinstance(made, No) else accepted_shape(made))


def preview(venue: Venue, call: Call, plan: Plan) -> Answer:
    body = call.document
    side, configuration = str(body.get("side", "")), body.get("order_configuration")
    found = venue.exchange.preview(str(body.get("product_id", "")), side, configuration)
    sign = 1 if side == BUY else -1
    bid, ask = (text(found.prices.bid), text(found.prices.ask)) if found.prices else ("", "")
    return told(
        {
            "order_total": text(found.value + sign * found.fee),
            "commission_total": text(found.fee),
            "errs": list(found.errors),
            "warning": ["UNKNOWN"] if not found.errors else [],
            "quote_size": text(found.value),
            "base_size": text(found.base),
            "best_bid": bid,
            "best_ask": ask,
            "is_max": False,
            "order_margin_total": "0",
            "leverage": "0",
            "long_leverage": "0",
            "short_leverage": "0",
            "slippage": "0",
            "preview_id": identity(venue.exchange.clock.now_ms(), call.body),
            "current_liquidation_buffer": "0",
            "projected_liquidation_buffer": "0",
            "max_leverage": "",
            "pnl_configuration": None,
            "est_average_filled_price": text(shown(found.value, found.base)),
            "commission_detail_total": {"total_commission": text(found.fee)},
        }
    )


def edit(venue: Venue, call: Call, plan: Plan) -> Answer:
    body = call.document
    order_id = str(body.get("order_id", ""))
    refused = venue.exchange.edit(order_id, parsed(body.get("price")), parsed(body.get("size")))
    if refused is None:
        return told({"success": True, "success_response": {"order_id": order_id}, "errors": []})
    errors = [{"edit_failure_reason": refused[0], "preview_failure_reason": refused[1]}]
    return told({"success": False, "errors": errors})


def edit_preview(venue: Venue, call: Call, plan: Plan) -> Answer:
    """The decimals of a preview for the order as it would be."""
    body = call.document
    order = venue.exchange.orders.get(str(body.get("order_id", "")))
    price, size = parsed(body.get("price")), parsed(body.get("size"))
    if order is None or price is None or size is None:
        errors = [
            {"edit_failure_reason": "ORDER_NOT_FOUND", "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON"}
        ]
        return told({"errors": errors, "slippage": "0"})
    value = price * (size - order.filled_size)
    fee = value * order.rate
    figures = {"order_total": text(value + (fee if order.buys else -fee)), "commission_total": text(fee)}
    sizes = {"quote_size": text(value), "base_size": text(size), "average_filled_price": text(price)}
    return told({"errors": [], "slippage": "0", **figures, **sizes})


def batch_cancel(venue: Venue, call: Call, plan: Plan) -> Answer:
    """One result for each id that was sent, in an HTTP 200."""
    ids = call.document.get("order_ids")
    if not isinstance(ids, list) or not ids or len(ids) > CANCELS_MAX:
        return problem(400, "INVALID_ARGUMENT", f"order_ids is a list of 1 to {CANCELS_MAX} ids")
    lost = plan.has("cancel_lost_to_fill")
    found = [(str(one), venue.exchange.cancel(str(one), lost)) for one in ids]
    results = [{"success": why == NO_REASON, "failure_reason": why, "order_id": one} for one, why in found]
    return told({"results": results})


def close_position(venue: Venue, call: Call, plan: Plan) -> Answer:
    no = No("PREVIEW_INVALID_PRODUCT_ID", "INVALID_PRODUCT_ID", "only derivatives have positions to close")
    return told(refused_shape(no, {}))


def move_funds(venue: Venue, call: Call, plan: Plan) -> Answer:
    return problem(400, "INVALID_ARGUMENT", "there is one portfolio")


# --- orders out ------------------------------------------------------------------------------------------------------


def order(venue: Venue, call: Call, plan: Plan) -> Answer:
    venue.exchange.advance()
    found = venue.exchange.orders.get(call.named["order_id"])
    if found is None:
        return problem(404, "NOT_FOUND", f"order with this orderID was not found: {call.named['order_id']}")
    (shape,) = _told_orders(plan, [order_shape(found, venue.exchange.account)])
    return told({"order": shape})


def orders(venue: Venue, call: Call, plan: Plan) -> Answer:
    """Newest first; the cursor is the number of the last order on the page, so paging is stable while orders come."""
    statuses = [one.upper() for one in call.each("order_status")]
    if OPEN in statuses and len(set(statuses)) > 1:
        return problem(400, "INVALID_ARGUMENT", "OPEN cannot be combined with other statuses")
    venue.exchange.advance()
    limit, before = call.whole("limit", ORDERS, ORDERS_MAX), call.query.get("cursor", "")
    wanted = _wanted(call, statuses)
    found = [(one, shape) for one, shape in venue.exchange.listed_orders(plan.lag_ms) if wanted(one, shape)]
    cut, more = _cut(found, lambda pair: pair[0].number, before, limit)
    cursor = str(cut[-1][0].number) if cut else ""
    if plan.has("repeat_cursor") and cut:
        more, cursor = True, before or cursor
    shapes = _told_orders(plan, [shape for _, shape in cut])
    return told({"orders": shapes, "sequence": "0", "has_next": more, "cursor": cursor})


def _told_orders(plan: Plan, shapes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a torn order has in the place of a field is no text, no amount and no word."""
    found = [dict(one) for one in shapes]
    for rule in plan.each("torn_orders"):
        for shape in found:
            if rule.figures["order"] in ("", shape["order_id"]):
                shape[str(rule.figures["field"])] = ["?"]
    return found


def _sets(call: Call) -> dict[str, set[str]]:
    """What orders and fills are filtered by alike; an empty set is no filter."""
    return {
        "order_id": set(call.each("order_ids", "order_id")),
        "product_id": set(call.each("product_ids", "product_id")),
        "product_type": set(call.each("product_types", "product_type")) - {"UNKNOWN_PRODUCT_TYPE"},
        "order_type": set(call.each("order_types", "order_type")) - {"UNKNOWN_ORDER_TYPE"},
        "side": set(call.each("order_side")) - {"UNKNOWN_ORDER_SIDE"},
    }


def _wanted(call: Call, statuses: Sequence[str]) -> Callable[[Order, dict[str, Any]], bool]:
    """The filters of a list. Start and end do not apply to open orders."""
    sets = _sets(call) | {"status": set(statuses), "time_in_force": set(call.each("time_in_forces", "time_in_force"))}
    since_us, until_us = _micros(call.query.get("start_date", "")), _micros(call.query.get("end_date", ""))

    def wanted(one: Order, shape: dict[str, Any]) -> bool:
        if any(allowed and shape[name] not in allowed for name, allowed in sets.items()):
            return False
        if shape["status"] == OPEN:
            return True
        return (since_us is None or one.at_us >= since_us) and (until_us is None or one.at_us < until_us)

    return wanted


def fills(venue: Venue, call: Call, plan: Plan) -> Answer:
    """Newest first, without has_next; the cursor is empty on the last page."""
    sets = _sets(call)
    if sets["order_id"] and sets["product_id"]:
        return problem(400, "INVALID_ARGUMENT", "order_ids cannot be combined with product_ids")
    venue.exchange.advance()
    trades, limit = set(call.each("trade_ids")), call.whole("limit", FILLS, FILLS_MAX)
    since_us = _micros(call.query.get("start_sequence_timestamp", ""))
    until_us = _micros(call.query.get("end_sequence_timestamp", ""))

    def wanted(one: Fill) -> bool:
        order = one.order
        about = {
            "order_id": order.order_id, "product_id": order.product.product_id, "product_type": "SPOT",
            "order_type": order.wish.order_type, "side": order.side,
        }  # fmt: skip
        return (
            all(not allowed or about[name] in allowed for name, allowed in sets.items())
            and (not trades or one.trade_id in trades)
            and (since_us is None or one.at_us >= since_us)
            and (until_us is None or one.at_us <= until_us)
        )

    found, before = (
        [one for one in venue.exchange.listed_fills(plan.lag_ms) if wanted(one)],
        call.query.get("cursor", ""),
    )
    cut, more = _cut(found, lambda one: one.number, before, limit)
    cursor = str(cut[-1].number) if cut and more else ""
    if plan.has("repeat_cursor") and cut:
        cursor = before or str(cut[-1].number)
    return told({"fills": _told_fills(venue, plan, cut), "cursor": cursor})


def _told_fills(venue: Venue, plan: Plan, cut: Sequence[Fill]) -> list[dict[str, Any]]:
    told_twice = 2 if plan.has("duplicate_fills") else 1
    shapes = [fill_shape(one, venue.exchange.account, plan.has("fills_in_quote")) for one in cut] * told_twice
    for rule in plan.each("strange_fills"):
        for shape in shapes:
            if shape["product_id"] == rule.figures["product"]:
                shape["trade_type"] = str(rule.figures["word"])
    if plan.has("unordered_fills"):
        in_order = list(shapes)
        shapes.sort(key=lambda shape: share(venue.faults.seed, "unordered", shape["entry_id"]))
        if shapes == in_order:  # by chance
            shapes.reverse()
    return shapes


def _cut(found: Sequence[T], number: Callable[[T], int], before: str, limit: int) -> tuple[Sequence[T], bool]:
    """A page, and whether another one follows. `found` is newest first; a page begins below the cursor's number."""
    if before:
        below = int(before) if before.isascii() and before.isdigit() and len(before) < 10 else 0
        found = [one for one in found if number(one) < below]
    return found[:limit], len(found) > limit


def _micros(given: str) -> int | None:
    """RFC 3339 as microseconds; what is no time does not filter."""
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        return None
    return None if moment.tzinfo is None else round(moment.timestamp() * 1_000_000)
