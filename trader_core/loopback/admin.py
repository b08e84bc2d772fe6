"""What tests do to the venue behind the clients' back: faults, time, money, prices, flags. Loopback only, no key."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from trader_core.loopback.auth import key_of
from trader_core.loopback.calls import Answer, Call, told
from trader_core.loopback.faults import Plan
from trader_core.loopback.market import DAY_MS, Pin
from trader_core.loopback.numbers import on_step, parsed, steps, text
from trader_core.loopback.orders import No
from trader_core.loopback.products import Product
from trader_core.loopback.trouble import Misused
from trader_core.loopback.venue import Venue
from trader_core.loopback.wire import account_shape, fill_shape, order_shape, refused_shape

PIN_MS_MAX = 30 * 86_400_000
AHEAD_MS_MAX = 3_650 * DAY_MS
WALLETS_MAX = 2_000
PERMISSIONS = {"can_view": bool, "can_trade": bool, "can_transfer": bool, "portfolio_uuid": str, "portfolio_type": str}


def faults(venue: Venue, call: Call, plan: Plan) -> Answer:
    """{"replace": [..]}, {"add": [..]} or {"clear": true}; a GET tells the rules and how often each has fired."""
    body = call.document
    if call.method == "POST":
        if set(body) - {"replace", "add", "clear"} or not body:
            raise Misused("faults takes replace, add or clear")
        parts = [body.get("replace", []), body.get("add", [])]
        if not all(isinstance(part, list) for part in parts):
            raise Misused("faults are a list of rules")
        afresh = "replace" in body or bool(body.get("clear"))
        venue.faults.add([*parts[0], *parts[1]], venue.exchange.products, afresh)
    return told({"faults": [rule.told() for rule in venue.faults.rules]})


def clock(venue: Venue, call: Call, plan: Plan) -> Answer:
    """{"advance_ms": n} or {"set_ms": n}; orders meet what happens in between."""
    clock, body = venue.exchange.clock, call.document
    if call.method == "POST":
        ahead_ms = _whole(body, "set_ms") - clock.now_ms() if "set_ms" in body else _whole(body, "advance_ms")
        if ahead_ms > AHEAD_MS_MAX:
            raise Misused(f"time goes at most {AHEAD_MS_MAX} ms forward at once")
        clock.advance(ahead_ms)
        venue.exchange.advance()
    return told({"now_ms": clock.now_ms()})


def balances(venue: Venue, call: Call, plan: Plan) -> Answer:
    """{"USD": "500", ..} are totals from now on; {"wallets": n} adds empty wallets until there are n, for paging."""
    account, body = venue.exchange.account, call.document
    wallets = _whole(body, "wallets") if "wallets" in body else 0
    account.put({currency: _amount(body, currency) for currency in body if currency != "wallets"})
    for number in range(min(wallets, WALLETS_MAX) - len(account.wallets)):
        account.wallet(f"COIN{number:04d}")
    return told({"accounts": [account_shape(one, account) for one in account.wallets.values()]})


def deposit(venue: Venue, call: Call, plan: Plan) -> Answer:
    venue.exchange.account.deposit(_currency(call.document), _amount(call.document, "amount"))
    return told({"ok": True})


def withdraw(venue: Venue, call: Call, plan: Plan) -> Answer:
    venue.exchange.account.deposit(_currency(call.document), -_amount(call.document, "amount"))
    return told({"ok": True})


def volume(venue: Venue, call: Call, plan: Plan) -> Answer:
    """{"volume": "20000"}: the month's volume that the fee tier follows."""
    venue.exchange.account.volume = _amount(call.document, "volume")
    tier = venue.exchange.account.tier
    return told({"pricing_tier": tier.name, "maker_fee_rate": text(tier.maker), "taker_fee_rate": text(tier.taker)})


def price(venue: Venue, call: Call, plan: Plan) -> Answer:
    """{"product", "price"} with bid and ask if wanted; {"product", "path": [{"after_ms", "price"}, ..]};
    {"product", "release": true} lets the market go on."""
    body, now_ms = call.document, venue.exchange.clock.now_ms()
    product = venue.exchange.products.get(str(body.get("product")))
    if product is None:
        raise Misused("price names its product")
    if body.get("release"):
        pins = [Pin(now_ms, None)]
    elif isinstance(body.get("path"), list):
        pins = [_pin(product, _mapping(one), now_ms) for one in body["path"]]
        if [pin.from_ms for pin in pins] != sorted({pin.from_ms for pin in pins}):
            raise Misused("a path's times grow")
    else:
        pins = [_pin(product, body, now_ms)]
    venue.exchange.pin(product.product_id, pins)
    found = venue.exchange.prices(product)
    return told({} if found is None else {"bid": text(found.bid), "ask": text(found.ask), "last": text(found.last)})


def _pin(product: Product, body: Mapping[str, Any], now_ms: int) -> Pin:
    after_ms = _whole(body, "after_ms") if "after_ms" in body else 0
    if not -DAY_MS <= after_ms <= PIN_MS_MAX:
        raise Misused(f"after_ms is from {-DAY_MS} to {PIN_MS_MAX}")
    last, bid, ask = (_ticks(product, body, name) for name in ("price", "bid", "ask"))
    if (bid is None) != (ask is None) or (bid is not None and ask is not None and bid >= ask):
        raise Misused("bid and ask come together, the bid below")
    if last is None and bid is not None and ask is not None:
        last = (bid + ask) // 2
    if last is None:
        raise Misused("a pin has a price, or bid and ask")
    return Pin(now_ms + after_ms, last, bid, ask)


def _ticks(product: Product, body: Mapping[str, Any], name: str) -> int | None:
    given = body.get(name)
    value = parsed(str(given)) if given is not None else None
    if given is not None and (value is None or value <= 0 or not on_step(value, product.price_digits)):
        raise Misused(f"{name} is a price on the product's step")
    return None if value is None else steps(value, product.price_digits)


def product(venue: Venue, call: Call, plan: Plan) -> Answer:
    """{"product", "status", "flags": {"cancel_only": true}}."""
    body = call.document
    flags = {name: value is True for name, value in _mapping(body.get("flags") or {}).items()}
    venue.exchange.stand(str(body.get("product")), body.get("status"), flags)
    return told(venue.exchange.standing[str(body["product"])].said())


def permissions(venue: Venue, call: Call, plan: Plan) -> Answer:
    """{"can_transfer": true}, of one key with {"key": name}; also portfolio_uuid and portfolio_type."""
    body = dict(call.document)
    name = body.pop("key", None)
    if name is not None and name not in venue.keys:
        raise Misused("there is no such key")
    if not all(name in PERMISSIONS and isinstance(value, PERMISSIONS[name]) for name, value in body.items()):
        raise Misused(f"permissions are true or false, and a portfolio's are text: {', '.join(PERMISSIONS)}")
    granted = venue.exchange.account.permissions if name is None else venue.keys[name].permissions
    granted |= body
    return told(granted)


def keys(venue: Venue, call: Call, plan: Plan) -> Answer:
    """A key file's document is accepted from now on; {"remove": name} is not any more."""
    if "remove" in call.document:
        venue.keys.pop(str(call.document["remove"]), None)
    else:
        key = key_of(call.document)
        venue.keys[key.name] = key
    return told({"keys": sorted(venue.keys)})


def stranger(venue: Venue, call: Call, plan: Plan) -> Answer:
    """An order that somebody else puts into this account: the body of a create, any client_order_id."""
    body = call.document
    identity, wanted = str(body.get("client_order_id", "")), body.get("order_configuration")
    made = venue.exchange.create(identity, str(body.get("product_id")), str(body.get("side")), wanted)
    if isinstance(made, No):
        return told(refused_shape(made, wanted))
    return told({"order": order_shape(made, venue.exchange.account)})


def state(venue: Venue, call: Call, plan: Plan) -> Answer:
    """Everything the venue knows, as of now."""
    exchange, account = venue.exchange, venue.exchange.account
    exchange.advance()
    return told(
        {
            "now_ms": exchange.clock.now_ms(),
            "seed": exchange.seed,
            "accounts": [account_shape(one, account) for one in account.wallets.values()],
            "orders": [order_shape(one, account) for one in exchange.orders.values()],
            "fills": [fill_shape(one, account, False) for one in exchange.fills],
            "products": {name: one.said() for name, one in exchange.standing.items()},
            "permissions": account.permissions,
            "keys": sorted(venue.keys),
            "faults": [rule.told() for rule in venue.faults.rules],
        }
    )


def reset(venue: Venue, call: Call, plan: Plan) -> Answer:
    """A new account, no orders, no pins, no flags, no faults, and time as if it had never been moved."""
    venue.exchange.reset()
    venue.faults.clear()
    return told({"ok": True})


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Misused(f"{value!r} is no object")
    return value


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Misused(f"{name} is a whole number")
    return value


def _amount(body: Mapping[str, Any], name: str) -> Decimal:
    value = parsed(str(body.get(name)))
    if value is None or value < 0:
        raise Misused(f"{name} is an amount, as text")
    return value


def _currency(body: Mapping[str, Any]) -> str:
    value = body.get("currency")
    if not isinstance(value, str) or not value:
        raise Misused("currency is its code")
    return value
