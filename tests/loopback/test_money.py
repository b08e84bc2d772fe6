"""Laws of the exchange, for any sequence of orders: money is conserved to the last digit, and holds are what they say.

Another bookkeeping, made here from the fills alone, must come to the same account.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, localcontext
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trader_core.loopback.accounts import START
from trader_core.loopback.clock import Clock
from trader_core.loopback.exchange import NO_REASON, Exchange, Market
from trader_core.loopback.market import DAY_MS, Generated, Pin
from trader_core.loopback.orders import No
from trader_core.loopback.products import listed
from trader_core.loopback.truth import Truth

NOON_MS = 1_700_000_000_000 // DAY_MS * DAY_MS + DAY_MS // 2
PRODUCTS = ("BTC-USD", "ETH-USD", "DOGE-USD", "SHIB-USD")


def exchange(seed: int = 1) -> Exchange:
    products = listed()
    paths = {name: Generated(seed, one, NOON_MS) for name, one in products.items() if not one.alias}
    return Exchange(seed, Clock(NOON_MS, speed=0), Market(products, paths), Truth(None))


@contextmanager
def digits() -> Iterator[None]:
    with localcontext() as context:
        context.prec = 120
        yield


@st.composite
def orders(draw: st.DrawFn) -> tuple[str, str, dict[str, Any], Decimal | None]:
    """(product, side, configuration, part): mostly near the market, some beyond the means."""
    product, side = draw(st.sampled_from(PRODUCTS)), draw(st.sampled_from(("BUY", "SELL")))
    one = listed()[product]
    near = draw(st.integers(900, 1_100))
    price = Decimal(str(one.price)) * near / 1_000
    limit = str(price.quantize(Decimal(1).scaleb(-one.price_digits)))
    value = draw(st.one_of(st.integers(1, 30_000), st.integers(30_000, 150_000)))
    size = str((value / price).quantize(Decimal(1).scaleb(-one.base_digits)))
    kind = draw(st.sampled_from(("market", "quote", "ioc", "gtc", "maker", "fok", "stop")))
    down = "STOP_DIRECTION_STOP_DOWN" if side == "SELL" else "STOP_DIRECTION_STOP_UP"
    configurations: dict[str, dict[str, Any]] = {
        "market": {"market_market_ioc": {"base_size": size}},
        "quote": {"market_market_ioc": {"quote_size": str(value)}},
        "ioc": {"sor_limit_ioc": {"base_size": size, "limit_price": limit}},
        "gtc": {"limit_limit_gtc": {"base_size": size, "limit_price": limit}},
        "maker": {"limit_limit_gtc": {"base_size": size, "limit_price": limit, "post_only": True}},
        "fok": {"limit_limit_fok": {"base_size": size, "limit_price": limit}},
        "stop": {"stop_limit_stop_limit_gtc": {
            "base_size": size, "limit_price": limit, "stop_price": limit, "stop_direction": down}},
    }  # fmt: skip
    return product, side, configurations[kind], draw(st.sampled_from((None, None, Decimal("0.3"), Decimal("0.7"))))


actions = st.lists(
    st.one_of(
        orders(),
        st.integers(0, 20),  # cancel that order
        st.tuples(st.integers(0, 20), st.integers(900, 1_100)),  # give that order another price and half its size
        st.floats(0.9, 1.1).map(lambda share: ("price", share)),
        st.just("time"),
    ),
    min_size=1,
    max_size=14,
)


def act(venue: Exchange, action: Any, number: int) -> None:
    known = list(venue.orders.values())
    if isinstance(action, int):
        order = known[action % len(known)] if known else None
        if order is not None:
            was = order.live
            assert (venue.cancel(order.order_id) == NO_REASON) == was
    elif action == "time":
        venue.clock.advance(90_000)
        venue.advance()
    elif action[0] == "price":
        for product in PRODUCTS:
            one = listed()[product]
            venue.pin(product, [Pin(venue.clock.now_ms(), round(one.price * 10**one.price_digits * action[1]))])
    elif isinstance(action[0], int):
        edited(venue, action, known)
    else:
        product, side, configuration, part = action
        before = {name: one.total for name, one in venue.account.wallets.items()}
        made = venue.create(f"order {number}", product, side, configuration, part)
        if isinstance(made, No):
            assert {name: one.total for name, one in venue.account.wallets.items()} == before
        else:
            assert venue.create(f"order {number}", product, side, configuration) is made


def edited(venue: Exchange, action: tuple[int, int], known: list[Any]) -> None:
    order = known[action[0] % len(known)] if known else None
    if order is not None and order.size is not None:
        one = order.product
        price = (Decimal(str(one.price)) * action[1] / 1_000).quantize(Decimal(1).scaleb(-one.price_digits))
        size = (order.size / 2).quantize(Decimal(1).scaleb(-one.base_digits))
        venue.edit(order.order_id, price, size)


def check(venue: Exchange) -> None:
    """The account from the fills alone, the holds from the orders alone, each order from its own fills."""
    totals = dict(START)
    for fill in venue.fills:
        sign, order = (1 if fill.order.buys else -1), fill.order
        totals[order.product.base] = totals.get(order.product.base, Decimal(0)) + sign * fill.size
        totals[order.product.quote] -= sign * fill.price * fill.size + fill.fee
        assert fill.fee == fill.price * fill.size * (order.maker if fill.maker else order.taker)
        assert fill.size > 0 and fill.price > 0
        if order.limit is not None and not order.edits:
            assert fill.price <= order.limit if order.buys else fill.price >= order.limit
    assert {name: one.total for name, one in venue.account.wallets.items()} == totals
    holds = dict.fromkeys(venue.account.wallets, Decimal(0))
    for order in venue.orders.values():
        mine = [fill for fill in venue.fills if fill.order is order]
        assert (order.filled_size, order.fills) == (sum(fill.size for fill in mine), len(mine))
        assert (order.filled_value, order.fees) == (sum(f.value for f in mine), sum(f.fee for f in mine))
        assert order.size is None or order.filled_size <= order.size
        if order.wish.quote_size is not None:
            assert order.filled_value + order.fees <= order.wish.quote_size
        assert order.live == (order.status == "OPEN") and (order.live or order.hold == 0)
        holds[order.held_currency] += order.hold
        if order.live and order.limit is not None and not order.buys:
            assert order.hold == order.remaining
        elif order.live and order.limit is not None:
            assert order.hold == order.remaining * order.limit * (1 + order.rate)
    assert {name: one.hold for name, one in venue.account.wallets.items()} == holds
    assert all(one.available >= 0 and one.hold >= 0 for one in venue.account.wallets.values())


@settings(max_examples=60, deadline=None)
@given(actions)
def test_money_is_conserved(script: list[Any]) -> None:
    venue = exchange()
    with digits():
        for number, action in enumerate(script):
            act(venue, action, number)
            check(venue)
        free = {name: one.total for name, one in venue.account.wallets.items()}
        for order in list(venue.orders.values()):
            venue.cancel(order.order_id)
        check(venue)
        assert {name: one.available for name, one in venue.account.wallets.items()} == free


@settings(max_examples=40, deadline=None)
@given(st.integers(100, 40_000_000), st.sampled_from(PRODUCTS))
def test_an_amount_buys_what_it_pays_for_and_not_one_lot_more(cents: int, product: str) -> None:
    venue = exchange()
    venue.account.put({"USD": Decimal(10_000_000)})
    amount = Decimal(cents) / 100
    with digits():
        order = venue.create("x", product, "BUY", {"market_market_ioc": {"quote_size": str(amount)}})
        assert not isinstance(order, No) and order.status in ("FILLED", "CANCELLED")
        left = amount - order.filled_value - order.fees
        lot = Decimal(1).scaleb(-order.product.base_digits)
        dearest = max(fill.price for fill in venue.fills)
        assert left >= 0
        assert order.status == "CANCELLED" or left < dearest * lot * (1 + order.taker) * Decimal("1.01")


def test_what_is_taken_is_gone_until_the_market_moves_on() -> None:
    venue = exchange()
    product = venue.products["ETH-USD"]
    first = venue.book(product).side("SELL", NOON_MS)[:2]
    size = str(Decimal(first[0].lots).scaleb(-product.base_digits))
    bought = venue.create("a", "ETH-USD", "BUY", {"market_market_ioc": {"base_size": size}})
    assert not isinstance(bought, No) and bought.fills == 1
    assert venue.book(product).side("SELL", NOON_MS)[0] == first[1]
    venue.clock.advance(5_000)
    assert len(venue.book(product).side("SELL", NOON_MS + 5_000)) == 50


def test_all_or_nothing() -> None:
    venue = exchange()
    fields = {"base_size": "19", "limit_price": str(round(venue.prices(venue.products["ETH-USD"]).ask, 2))}  # type: ignore[union-attr]
    more = venue.create("a", "ETH-USD", "BUY", {"limit_limit_fok": fields})
    assert not isinstance(more, No) and (more.status, more.fills) == ("CANCELLED", 0)
    some = venue.create("b", "ETH-USD", "BUY", {"sor_limit_ioc": fields})
    assert not isinstance(some, No) and some.status == "CANCELLED" and 0 < some.filled_size < 19
