"""The venue's official client, unchanged, makes the full round; every invariant of a venue is checked on the way."""

from decimal import Decimal
from typing import Any

import pytest
import requests
from coinbase.rest import RESTClient

from tests.loopback.served import Served


def client(served: Served, **other: Any) -> Any:
    key = {"api_key": served.key["name"], "api_secret": served.key["privateKey"]} | other
    made = RESTClient(base_url=served.address, **key)
    made.session.verify, made.session.trust_env = str(served.folder / "ca.pem"), False
    return made


def money(made: Any) -> dict[str, tuple[Decimal, Decimal]]:
    """(total, hold) by currency, by walking the pages one wallet at a time."""
    found, cursor = {}, None
    for _ in range(20):
        page = made.get_accounts(limit=1, cursor=cursor)
        (one,) = page.accounts
        hold = Decimal(one.hold["value"])
        found[one.currency] = (Decimal(one.available_balance["value"]) + hold, hold)
        cursor = page.cursor
        if not page.has_next:
            return found
    raise AssertionError("the pages have no end")


def total(made: Any, currency: str) -> Decimal:
    return money(made)[currency][0]


def test_market_data(either: Served) -> None:
    made = client(either)
    now_s = int(made.get_unix_time().epoch_seconds)
    listed = made.get_products()
    assert len(listed.products) == listed.num_products >= 16
    (one,) = made.get_products(product_ids=["ETH-USD"], product_type="SPOT").products
    step = Decimal(made.get_product("ETH-USD").price_increment)
    book = made.get_product_book("ETH-USD", limit=3)
    bids, asks = ([Decimal(level.price) for level in side] for side in (book.pricebook.bids, book.pricebook.asks))
    assert len(bids) == len(asks) == 3
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]
    assert all(price % step == 0 for price in bids + asks)
    assert Decimal(book.spread_absolute) == asks[0] - bids[0]
    assert made.get_best_bid_ask(["ETH-USD"]).pricebooks[0].product_id == one.product_id
    candles = made.get_candles("ETH-USD", str(now_s - 3_000), str(now_s), "ONE_MINUTE").candles
    starts = [int(candle.start) for candle in candles]
    assert starts == sorted(starts, reverse=True) and len(starts) >= 49 and all(at % 60 == 0 for at in starts)
    assert all(
        Decimal(c.low)
        <= min(Decimal(c.open), Decimal(c.close))
        <= max(Decimal(c.open), Decimal(c.close))
        <= Decimal(c.high)
        for c in candles
    )
    trades = made.get_market_trades("ETH-USD", limit=2).trades
    assert [int(trade.trade_id) for trade in trades] == sorted((int(t.trade_id) for t in trades), reverse=True)
    assert made.get_public_product("BTC-USD").alias_to == ["BTC-USDC"]
    assert RESTClient(base_url=either.address).base_url  # without a key the public twins are sent bare


def test_what_the_account_may_only_look_at_is_told_to_its_key_where_it_is_asked(either: Served) -> None:
    made = client(either)
    either.admin("product", {"product": "ETH-USD", "flags": {"view_only": True}})
    for asked in (True, False, None):
        (listed,) = made.get_products(product_ids=["ETH-USD"], get_tradability_status=asked).products
        single = made.get_product("ETH-USD", get_tradability_status=asked)
        assert listed.view_only is single.view_only is (asked is True)
    assert made.get_public_product("ETH-USD").view_only is False


@pytest.mark.parametrize(("seconds", "granularity", "word"), [(350 * 60, "ONE_MINUTE", "350"), (60, "TWO", "invalid")])
def test_what_no_candles_can_be_asked_for(either: Served, seconds: int, granularity: str, word: str) -> None:
    with pytest.raises(requests.HTTPError, match=word):
        client(either).get_candles("BTC-USD", str(1_700_000_000), str(1_700_000_000 + seconds), granularity)


def test_the_account(either: Served) -> None:
    made = client(either, rate_limit_headers=True)
    assert {name: total for name, (total, _) in money(made).items()} == {"USD": 100_000, "BTC": 2, "ETH": 20}
    whole = made.get_accounts(limit=250)
    assert whole.size == 3 and not whole.has_next
    assert made.get_account(whole.accounts[0].uuid).account.currency == whole.accounts[0].currency
    assert Decimal(made.get_transaction_summary().fee_tier["taker_fee_rate"]) == Decimal("0.012")
    allowed = made.get_api_key_permissions()
    assert (allowed.can_view, allowed.can_trade, allowed.can_transfer) == (True, True, False)
    assert allowed.portfolio_uuid in [one.uuid for one in made.get_portfolios().portfolios]
    assert allowed["rate_limit_limit"] == "30"


def test_a_resting_order_keeps_what_it_may_cost_and_gives_it_back(either: Served) -> None:
    made = client(either)
    before = money(made)
    price = str((Decimal(made.get_product("BTC-USD").price) * Decimal("0.8")).quantize(Decimal("0.01")))
    previewed = made.preview_limit_order_gtc_buy("BTC-USD", base_size="0.01", limit_price=price, post_only=True)
    assert previewed.errs == [] and Decimal(previewed.order_total) == Decimal(price) / 100 * Decimal("1.006")
    answer = made.limit_order_gtc_buy("mine", "BTC-USD", base_size="0.01", limit_price=price, post_only=True)
    order_id = answer.success_response["order_id"]
    order = made.get_order(order_id).order
    assert order.status == "OPEN" and Decimal(order.outstanding_hold_amount) == Decimal(previewed.order_total)
    assert money(made)["USD"] == (before["USD"][0], Decimal(order.outstanding_hold_amount))
    again = made.limit_order_gtc_buy("mine", "BTC-USD", base_size="0.01", limit_price=price, post_only=True)
    assert again.success_response["order_id"] == order_id
    assert len(made.list_orders(order_status=["OPEN"]).orders) == 1

    assert made.edit_order(order_id, size="0.02", price=price).success
    edited = made.get_order(order_id).order
    assert [one.size for one in edited.edit_history] == ["0.02"]
    assert (
        Decimal(edited.outstanding_hold_amount) == 2 * Decimal(order.outstanding_hold_amount) == money(made)["USD"][1]
    )

    gone, ghost = made.cancel_orders([order_id, "ghost"]).results
    assert gone.success and not ghost.success and ghost.failure_reason == "UNKNOWN_CANCEL_ORDER"
    assert made.get_order(order_id).order.status == "CANCELLED"
    assert money(made) == before


def fills_of(made: Any, order_id: str) -> list[Any]:
    """By the cursor, one fill a page."""
    found: list[Any] = []
    cursor = None
    for _ in range(100):
        page = made.get_fills(order_ids=[order_id], limit=1, cursor=cursor)
        found += page.fills
        cursor = page.cursor
        if not cursor:
            return found
    raise AssertionError("the pages have no end")


def balanced(made: Any, order_id: str, before: dict[str, tuple[Decimal, Decimal]], rate: Decimal) -> Any:
    """Checks an order against its fills, and both against the account; hands out the order."""
    order, fills, after = made.get_order(order_id).order, fills_of(made, order_id), money(made)
    assert order.status == "FILLED" and len(fills) == int(order.number_of_fills) > 0
    assert sum(Decimal(fill.size) for fill in fills) == Decimal(order.filled_size)
    assert sum(Decimal(fill.size) * Decimal(fill.price) for fill in fills) == Decimal(order.filled_value)
    assert (
        sum(Decimal(fill.commission) for fill in fills)
        == Decimal(order.total_fees)
        == Decimal(order.filled_value) * rate
    )
    sign = 1 if order.side == "BUY" else -1
    assert Decimal(order.total_value_after_fees) == Decimal(order.filled_value) + sign * Decimal(order.total_fees)
    base = order.product_id.split("-")[0]
    assert after[base][0] - before.get(base, (Decimal(0), Decimal(0)))[0] == sign * Decimal(order.filled_size)
    assert after["USD"][0] - before["USD"][0] == -sign * Decimal(order.total_value_after_fees)
    assert all(hold == 0 for _, hold in after.values())
    return order


def test_money_is_conserved_to_the_last_digit(either: Served) -> None:
    made = client(either)
    taker = Decimal(made.get_transaction_summary().fee_tier["taker_fee_rate"])
    before = money(made)
    bought = made.market_order_buy("", "SOL-USD", quote_size="25000").success_response["order_id"]
    order = balanced(made, bought, before, taker)
    assert int(order.number_of_fills) > 1 and order.size_in_quote
    assert Decimal(0) < Decimal(order.total_value_after_fees) <= 25_000
    before = money(made)
    sold = made.market_order_sell("", "BTC-USD", base_size="0.12345678").success_response["order_id"]
    assert Decimal(balanced(made, sold, before, taker).filled_size) == Decimal("0.12345678")
    before = money(made)
    price = str((Decimal(made.get_product("ETH-USD").price) * Decimal("1.01")).quantize(Decimal("0.01")))
    taken = made.limit_order_ioc_buy("", "ETH-USD", base_size="1.5", limit_price=price).success_response["order_id"]
    balanced(made, taken, before, taker)


def test_paging_of_orders_is_stable(either: Served) -> None:
    made = client(either)
    for number in range(5):
        made.limit_order_gtc_buy(f"page-{number}", "ETH-USD", base_size="0.1", limit_price=str(1_000 + number))
    first = made.list_orders(limit=2)
    made.limit_order_gtc_buy("page-late", "ETH-USD", base_size="0.1", limit_price="1200")
    second = made.list_orders(limit=2, cursor=first.cursor)
    third = made.list_orders(limit=2, cursor=second.cursor)
    names = [order.client_order_id for page in (first, second, third) for order in page.orders]
    assert names == [f"page-{number}" for number in (4, 3, 2, 1, 0)]
    assert (first.has_next, second.has_next, third.has_next) == (True, True, False)
    assert len(made.list_orders(product_ids=["BTC-USD"]).orders) == 0
    assert len(made.list_orders(order_ids=[first.orders[0].order_id]).orders) == 1


def test_refusals_move_nothing(either: Served) -> None:
    made = client(either)
    before = money(made)
    last = Decimal(made.get_product("BTC-USD").price)
    above, below = (str((last * Decimal(factor)).quantize(Decimal("0.01"))) for factor in ("1.1", "0.9"))
    down = "STOP_DIRECTION_STOP_DOWN"
    refused = {
        "PREVIEW_INSUFFICIENT_FUND": made.limit_order_gtc_buy("", "BTC-USD", base_size="9", limit_price=below),
        "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY": made.limit_order_gtc_buy(
            "", "BTC-USD", base_size="0.1", limit_price=above, post_only=True
        ),
        "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE": made.stop_limit_order_gtc_sell(
            "", "BTC-USD", base_size="0.1", limit_price=above, stop_price=above, stop_direction=down
        ),
        "PREVIEW_INVALID_PRICE_PRECISION": made.limit_order_gtc_buy(
            "", "BTC-USD", base_size="0.1", limit_price="50000.001"
        ),
        "PREVIEW_INVALID_SIZE_PRECISION": made.limit_order_gtc_buy(
            "", "DOGE-USD", base_size="100.01", limit_price="0.1"
        ),
        "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL": made.market_order_buy("", "BTC-USD", quote_size="0.5"),
        "PREVIEW_INVALID_LEDGER_BALANCE": made.market_order_buy("", "BTC-USDC", quote_size="50"),
    }
    for word, answer in refused.items():
        assert not answer.success and answer.error_response["preview_failure_reason"] == word
    assert money(made) == before and made.list_orders().orders == []
    previewed = made.preview_limit_order_gtc_buy("BTC-USD", base_size="9", limit_price=below)
    assert previewed.errs == ["PREVIEW_INSUFFICIENT_FUND"]


def test_nobody_else_is_let_in(either: Served, p256: Served, ed25519: Served) -> None:
    other = ed25519 if either is p256 else p256
    wrong = {"api_key": either.key["name"], "api_secret": other.key["privateKey"]}
    unknown = {"api_key": "organizations/a/apiKeys/b", "api_secret": either.key["privateKey"]}
    for credentials in (wrong, unknown):
        with pytest.raises(requests.HTTPError, match="401"):
            client(either, **credentials).get_accounts()
