"""Market data: time, products, books, candles, trades. The same under /market without a key."""

from decimal import Decimal
from typing import Any

from trader_core.loopback.book import BUY, SELL, Level
from trader_core.loopback.calls import Answer, Call, problem, told
from trader_core.loopback.chance import bits
from trader_core.loopback.faults import Plan
from trader_core.loopback.market import DAY_MS, MINUTE_MS
from trader_core.loopback.numbers import ZERO, steps, text, units
from trader_core.loopback.products import Product
from trader_core.loopback.venue import Venue
from trader_core.loopback.wire import book_figures, book_shape, candles_shape, moment, product_shape, time_shape

GRANULARITIES = {
    "ONE_MINUTE": MINUTE_MS,
    "FIVE_MINUTE": 5 * MINUTE_MS,
    "FIFTEEN_MINUTE": 15 * MINUTE_MS,
    "THIRTY_MINUTE": 30 * MINUTE_MS,
    "ONE_HOUR": 60 * MINUTE_MS,
    "TWO_HOUR": 120 * MINUTE_MS,
    "SIX_HOUR": 360 * MINUTE_MS,
    "ONE_DAY": DAY_MS,
}
BUCKETS_MAX = 350
BOOK_LEVELS = 50
TRADES_MAX = 1_000
_SECONDS_MAX = 4_000_000_000


def time(venue: Venue, call: Call, plan: Plan) -> Answer:
    return told(time_shape(venue.exchange.clock.now_ms() + plan.skew_ms))


def products(venue: Venue, call: Call, plan: Plan) -> Answer:
    """`num_products` counts what is listed here; futures there are none."""
    wanted = call.each("product_ids", "product_id")
    spot = call.query.get("product_type", "SPOT") in ("SPOT", "UNKNOWN_PRODUCT_TYPE", "")
    found = [one for one in venue.exchange.products.values() if spot and (not wanted or one.product_id in wanted)]
    offset = call.whole("offset", 0, 10_000)
    cut = found[offset : offset + call.whole("limit", len(found) or 1, 10_000)]
    rows = [_shape(venue, call, one) for one in cut]
    return told({"products": rows, "num_products": len(found), "pagination": None})


def product(venue: Venue, call: Call, plan: Plan) -> Answer:
    found = venue.exchange.products.get(call.named["product_id"])
    return problem(404, "NOT_FOUND", "product not found") if found is None else told(_shape(venue, call, found))


def _shape(venue: Venue, call: Call, one: Product) -> dict[str, Any]:
    """What the account may only look at is told to its key, and where it is asked for."""
    exchange = venue.exchange
    asked = "/market/" not in call.path and call.query.get("get_tradability_status", "").lower() == "true"
    now_ms, book = exchange.clock.now_ms(), exchange.book(one)
    last, before = book.feed.price(now_ms) or 0, book.feed.price(now_ms - DAY_MS) or 0
    lots, value = exchange.last_day(one)
    turnover = units(value, one.base_digits + one.price_digits).quantize(Decimal("0.01"))
    shape = product_shape(
        one, exchange.standing[one.product_id], book.price(last), book.price(before), units(lots, one.base_digits),
        turnover,
    )  # fmt: skip
    return shape if asked else shape | {"view_only": False}


def product_book(venue: Venue, call: Call, plan: Plan) -> Answer:
    found = venue.exchange.products.get(call.query.get("product_id", ""))
    if found is None:
        return problem(404, "NOT_FOUND", "product not found")
    exchange = venue.exchange
    now_ms, prices = exchange.clock.now_ms(), exchange.prices(found)
    count = call.whole("limit", BOOK_LEVELS, BOOK_LEVELS)
    bids, asks = _side(venue, found, BUY, count), _side(venue, found, SELL, count)
    figures = {}
    if prices is not None and bids and asks:
        best_bid, best_ask = (units(side[0].price, found.price_digits) for side in (bids, asks))
        figures = book_figures(best_bid, best_ask, prices.last)
    return told({"pricebook": book_shape(found, bids, asks, now_ms), **figures})


def _side(venue: Venue, product: Product, side: str, count: int) -> list[Level]:
    """What rests there, our own orders among the others."""
    exchange = venue.exchange
    levels = exchange.book(product).side(side, exchange.clock.now_ms(), count)
    ours: dict[int, int] = {}
    for order in exchange.resting(product):
        if order.side == side and order.limit is not None and not order.waits:
            ticks = steps(order.limit, product.price_digits)
            ours[ticks] = ours.get(ticks, 0) + steps(order.remaining, product.base_digits)
    if not ours:
        return levels
    sizes = {level.price: level.lots for level in levels}
    merged = {price: sizes.get(price, 0) + ours.get(price, 0) for price in sizes.keys() | ours.keys()}
    return [Level(price, merged[price]) for price in sorted(merged, reverse=side == BUY)][:count]


def best_bid_ask(venue: Venue, call: Call, plan: Plan) -> Answer:
    wanted = call.each("product_ids", "product_id") or list(venue.exchange.products)
    found = [venue.exchange.products[name] for name in wanted if name in venue.exchange.products]
    now_ms = venue.exchange.clock.now_ms()
    books = [book_shape(one, _side(venue, one, BUY, 1), _side(venue, one, SELL, 1), now_ms) for one in found]
    return told({"pricebooks": books})


def candles(venue: Venue, call: Call, plan: Plan) -> Answer:
    """Buckets that open in [start, end]; the newest may be unfinished."""
    found = venue.exchange.products.get(call.named["product_id"])
    step_ms = GRANULARITIES.get(call.query.get("granularity", ""))
    if found is None:
        return problem(404, "NOT_FOUND", "product not found")
    if step_ms is None:
        return problem(400, "INVALID_ARGUMENT", "granularity argument is invalid")
    since_s, until_s = _seconds(call.query.get("start", "")), _seconds(call.query.get("end", ""))
    if since_s is None or until_s is None or until_s < since_s:
        return problem(400, "INVALID_ARGUMENT", "start and end argument are invalid")
    if (until_s - since_s) * 1_000 // step_ms >= BUCKETS_MAX:
        message = f"number of candles requested should be less than {BUCKETS_MAX}"
        return problem(400, "INVALID_ARGUMENT", message)
    feed, now_ms = venue.exchange.book(found).feed, venue.exchange.clock.now_ms()
    rows = feed.candles(step_ms, since_s * 1_000, until_s * 1_000 + 1, now_ms)
    shapes = candles_shape(rows, found)
    return told({"candles": shapes[: call.whole("limit", BUCKETS_MAX, BUCKETS_MAX)]})


def _seconds(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


def ticker(venue: Venue, call: Call, plan: Plan) -> Answer:
    """Trades of a day where the price may have moved and something was traded, newest first, numbered by their time."""
    found = venue.exchange.products.get(call.named["product_id"])
    if found is None:
        return problem(404, "NOT_FOUND", "product not found")
    exchange = venue.exchange
    prices, feed, now_ms = exchange.prices(found), exchange.book(found).feed, exchange.clock.now_ms()
    trades: list[dict[str, str]] = []
    most = call.whole("limit", 100, TRADES_MAX)
    since_s, until_s = _seconds(call.query.get("start", "")) or 0, _seconds(call.query.get("end", "")) or _SECONDS_MAX
    until_ms = min(now_ms, until_s * 1_000)
    for at_ms in feed.moves(until_ms):
        last = feed.price(at_ms)
        if last is None or at_ms < max(since_s * 1_000, until_ms - DAY_MS) or len(trades) == most:
            break
        lots = feed.path.volume(at_ms)
        if lots:
            trades.append(_trade(found, at_ms, last, lots))
    bid, ask = (ZERO, ZERO) if prices is None else (prices.bid, prices.ask)
    return told({"trades": trades, "best_bid": text(bid), "best_ask": text(ask)})


def _trade(product: Product, at_ms: int, last: int, lots: int) -> dict[str, str]:
    side = "BUY" if bits(product.canonical, at_ms)[0] % 2 else "SELL"
    return {
        "trade_id": str(at_ms),
        "product_id": product.product_id,
        "price": text(units(last, product.price_digits)),
        "size": text(units(lots, product.base_digits)),
        "time": moment(at_ms * 1_000),
        "side": side,
        "bid": "",
        "ask": "",
        "exchange": "coinbase",
    }
