"""What Coinbase was recorded to say, and what it may say instead."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.coinbase.payloads import OTHERS, PARSERS, Parser, changed, files, payload
from trader_core.domain.clocktime import rfc3339
from trader_core.domain.errors import VenuePayload, VenueUnavailable
from trader_core.domain.fill import Side
from trader_core.venues.coinbase import parse
from trader_core.venues.coinbase.words import (
    Accepted,
    CancelAnswer,
    Complaint,
    FeeTier,
    FillRow,
    Level,
    Liquidity,
    ProductStatus,
    ProductType,
    Reason,
    Refused,
    Shape,
    Status,
    Unreadable,
    Wallet,
    reason_of,
)


def test_every_recorded_payload_is_read() -> None:
    found = files()
    assert sorted(found) == sorted([*PARSERS, *OTHERS])
    for name, parser in PARSERS.items():
        assert parser(payload(name)) is not None


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("parser", list(dict.fromkeys(PARSERS.values())))
def test_an_answer_to_another_question_is_a_named_error(name: str, parser: Parser) -> None:
    if parser is parse.created:
        assert isinstance(parser(payload(name)), Unreadable)
    elif parser is not parse.complaint:
        with pytest.raises(VenuePayload):
            parser(payload(name))


# --- recorded --------------------------------------------------------------------------------------------------------


def test_a_fill() -> None:
    page = parse.fills(payload("fills_spot_taker_sell"))
    (fill,) = page.fills
    assert fill == FillRow(
        entry_id="dc7424ac5193601ae273cf704ece1667987d8c0b1077faa5fe3213e8e9efbd30",
        trade_id="19fc7eee-f4b4-40a7-8104-033da1db5311",
        order_id="01b6e467-b659-432f-9490-c7cefe949564",
        product_id="ADA-USDT",
        side=Side.SELL,
        price=Decimal("0.392"),
        quantity=fill.quantity,
        value=fill.value,
        commission=fill.commission,
        at_ms=fill.at_ms,
        liquidity=Liquidity.TAKER,
    )
    assert [fill.quantity, fill.value, fill.commission] == [Decimal(10), Decimal("3.92"), Decimal("0.03136")]
    assert rfc3339(fill.at_ms) == "2023-11-26T10:19:47.504Z"
    assert (page.rows, page.strange, page.next_cursor) == (1, (), "114994851")


def test_a_size_in_quote_becomes_the_coins_it_buys() -> None:
    """T6: the fill of a quote-sized purchase. The value is what the venue said, to the last digit."""
    body = changed("fills_two", size_in_quote=True, size="24.8508946322067594", price="3076.92", side="BUY")
    fill = parse.fills(body).fills[0]
    assert fill.value == Decimal("24.8508946322067594")
    assert abs(fill.quantity * fill.price - fill.value) < Decimal("1e-24")
    assert fill.quantity.quantize(Decimal("1e-8")) == Decimal("0.00807655")


def test_orders() -> None:
    (filled,) = parse.orders(payload("orders_list_filled_has_next")).orders
    assert (filled.status, filled.is_over, filled.settled, filled.number_of_fills) == (Status.FILLED, True, True, 3)
    assert (filled.filled_value, filled.total_fees) == (Decimal("11157.2014914"), Decimal("11.1572014914"))
    assert filled.shape.kind is Shape.LIMIT_GTC and filled.shape.post_only
    assert filled.shape.limit == Decimal("24442.5")
    rest = parse.order(payload("order_open_limit_gtc"))
    assert rest is not None and not rest.is_over and rest.last_fill_ms is None
    assert (rest.shape.base_size, rest.side) == (Decimal("0.00125758"), Side.BUY)
    assert parse.order(b'{"order": null}') is None


def test_pages_go_on_by_has_next_alone() -> None:
    assert parse.orders(payload("orders_list_filled_has_next")).next_cursor == "474305825"
    body = payload("orders_list_filled_has_next").replace(b'"has_next": true', b'"has_next": false')
    assert parse.orders(body).next_cursor == ""
    for empty in (b'""', b"null"):
        with pytest.raises(VenuePayload, match="cursor"):
            parse.orders(payload("orders_list_filled_has_next").replace(b'"474305825"', empty))


def test_answers_to_an_order() -> None:
    assert parse.created(payload("create_order_success_limit_post_only")) == Accepted(
        "e5ed0e4f-3c86-4bec-818a-707fee427180", "3a7b42c6-cc12-4932-98ba-33fd8ddb60a0", "SOL-USDC"
    )
    assert isinstance(parse.created(payload("create_order_doc_all_configs")), Accepted)
    refusals = {
        "create_order_error_insufficient_fund": (Reason.FUNDS, "PREVIEW_INSUFFICIENT_FUND"),
        "create_order_error_post_only_cross": (Reason.WOULD_TAKE, "INVALID_LIMIT_PRICE_POST_ONLY"),
        "create_order_error_stop_above_last": (Reason.STOP, "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE"),
    }
    for name, expected in refusals.items():
        refused = parse.created(payload(name))
        assert isinstance(refused, Refused) and (refused.reason, refused.word) == expected


ID = {"order_id": "1", "client_order_id": "2", "product_id": "BTC-USD"}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        None,
        "success",
        {"success": None},
        {"success": "true", "success_response": ID},
        {"success": 1, "success_response": ID},
        {"success": True},
        {"success": True, "success_response": None},
        {"success": True, "success_response": {}},
        {"success": True, "success_response": {"order_id": ""}},
        {"success": True, "success_response": {"order_id": 5}},
        {"success": True, "success_response": {"order_id": "\ud800"}},
        {"success": False, "success_response": ID},
    ],
)
def test_an_answer_that_says_neither_yes_nor_no_is_unreadable(answer: object) -> None:
    assert isinstance(parse.created(json.dumps(answer).encode()), Unreadable)


def test_a_key_that_stands_there_twice_says_nothing() -> None:
    yes = payload("create_order_success_limit_post_only")
    assert isinstance(parse.created(yes), Accepted)
    twice = yes.replace(b'"success": true,', b'"success": false, "success": true,')
    assert twice != yes and isinstance(parse.created(twice), Unreadable)


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff\xfe", b"NaN", b'{"success": true', b'{"a":1,"a":2}'])
def test_bytes_that_are_no_json_are_unreadable(body: bytes) -> None:
    assert isinstance(parse.created(body), Unreadable)
    with pytest.raises(VenuePayload, match=r"\$"):
        parse.fills(body)


@pytest.mark.parametrize(
    ("error", "reason", "word"),
    [
        ({"error": "INSUFFICIENT_FUND"}, Reason.FUNDS, "INSUFFICIENT_FUND"),
        ({"error": "UNKNOWN_FAILURE_REASON"}, Reason.VENUE, "UNKNOWN_FAILURE_REASON"),
        ({"preview_failure_reason": "PREVIEW_NEW_IN_2027"}, Reason.UNMAPPED, "PREVIEW_NEW_IN_2027"),
        ({"new_order_failure_reason": "DUPLICATE_CLIENT_ORDER_ID"}, Reason.DUPLICATE, "DUPLICATE_CLIENT_ORDER_ID"),
        ({"new_order_failure_reason": 5, "error": "INVALID_SIDE"}, Reason.REQUEST, "INVALID_SIDE"),
        ({}, Reason.VENUE, ""),
        (None, Reason.VENUE, ""),
        ("no", Reason.VENUE, ""),
    ],
)
def test_a_refusal_is_told_by_the_first_word_that_says_something(error: object, reason: Reason, word: str) -> None:
    refused = parse.created(json.dumps({"success": False, "error_response": error}).encode())
    assert isinstance(refused, Refused) and (refused.reason, refused.word) == (reason, word)


def test_cancels() -> None:
    assert parse.cancelled(payload("cancel_success")) == (
        CancelAnswer("31d8810d-41dc-4321-b734-0a44495294a2", True, "UNKNOWN_CANCEL_FAILURE_REASON"),
    )


def test_the_account() -> None:
    page = parse.accounts(payload("accounts_list_two"))
    assert [(one.currency, one.kind, one.available + one.hold) for one in page.accounts] == [
        ("BTC", Wallet.CRYPTO, Decimal("1.23956789")),
        ("USD", Wallet.FIAT, Decimal("10450.50")),
    ]
    assert parse.fee_tier(payload("transaction_summary_intro2")) == FeeTier(
        "Intro 2", Decimal("0.0035"), Decimal("0.0075")
    )
    assert parse.permissions(payload("key_permissions")).can_transfer
    assert parse.server_time(payload("server_time")).at_ms == 1_738_308_285_753


def test_products_and_every_flag() -> None:
    (doc,) = parse.products(payload("products_list_doc_flags")).listings
    assert doc.kind is ProductType.UNKNOWN and doc.why_closed
    assert doc.cancel_only and doc.limit_only and doc.post_only and doc.auction_mode and doc.view_only
    listing = parse.product(payload("product_btc_usd_2026"))
    assert (listing.status, listing.alias_to, listing.why_closed) == (ProductStatus.ONLINE, ("BTC-USDC",), "")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("is_disabled", True),
        ("trading_disabled", True),
        ("cancel_only", True),
        ("auction_mode", True),
        ("view_only", True),
        ("status", "delisted"),
        ("status", "a new word"),
        ("status", ""),
        ("product_type", "FUTURE"),
        ("product_type", None),
    ],
)
def test_a_product_that_is_not_simply_open_says_why(field: str, value: object) -> None:
    document = json.loads(payload("product_btc_usd")) | {field: value}
    assert parse.product(json.dumps(document).encode()).why_closed


@pytest.mark.parametrize("field", ["cancel_only", "post_only", "limit_only", "price_increment", "base_min_size"])
def test_a_product_without_a_rule_is_excluded_and_takes_no_other_with_it(field: str) -> None:
    good = json.loads(payload("product_btc_usd"))
    bad = {name: value for name, value in good.items() if name != field} | {"product_id": "BAD-USD"}
    page = parse.products(json.dumps({"products": [bad, good, 7]}).encode())
    assert [one.product_id for one in page.listings] == ["BTC-USD"]
    assert [one.product_id for one in page.excluded] == ["BAD-USD", ""]
    assert field in page.excluded[0].why


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"Unauthorized\n", Complaint("", "Unauthorized")),
        (b"", Complaint("", "")),
        (b"<html><head><title>429 Too Many</title></head></html>", Complaint("", "429 Too Many")),
        (b'{"error": "NOT_FOUND", "error_details": "gone", "message": ""}', Complaint("NOT_FOUND", "gone")),
        (b'{"errors": [{"id": "x", "message": "y\\u001b[31m"}]}', Complaint("x", "y [31m")),
        (b'{"errors": [7]}', Complaint("", '{"errors": [7]}')),
        (b"\xff\xfe{", Complaint("", "\ufffd\ufffd{")),
        (b"[1, 2]", Complaint("", "[1, 2]")),
    ],
)
def test_a_complaint_in_any_shape(body: bytes, expected: Complaint) -> None:
    assert parse.complaint(body) == expected


def test_a_complaint_is_cut() -> None:
    assert len(parse.complaint(b"x" * 100_000).text) == 200


# --- what must not pass ----------------------------------------------------------------------------------------------

NO_AMOUNTS: list[Any] = [
    None, "", " 1", "1 ", "1_000", "\u0661", "NaN", "Infinity", "-Infinity", "0x1", "1e", ".5", "5.", "--1", True, [],
    {}, "1" * 50, "1e99", "9" * 19, 1e30, "1,5",
]  # fmt: skip


@pytest.mark.parametrize("value", [*NO_AMOUNTS, "0", "-1", "0.0", 0, -1])
@pytest.mark.parametrize("field", ["price", "size"])
def test_no_fill_without_a_price_and_a_size_above_zero(field: str, value: object) -> None:
    with pytest.raises(VenuePayload, match=field):
        parse.fills(changed("fills_two", **{field: value}))


@pytest.mark.parametrize("value", [*NO_AMOUNTS, "-0.01"])
def test_no_fill_without_its_commission(value: object) -> None:
    with pytest.raises(VenuePayload, match="commission"):
        parse.fills(changed("fills_two", commission=value))


@pytest.mark.parametrize(("field", "value"), [("trade_type", "REVERSAL"), ("trade_type", "x"), ("side", "HOLD")])
def test_what_is_no_plain_fill_is_kept_apart(field: str, value: str) -> None:
    page = parse.fills(changed("fills_two", **{field: value}))
    assert (len(page.fills), page.rows) == (1, 2)
    assert value in page.strange[0].why


def test_a_fill_without_an_entry_id_is_known_by_order_and_trade() -> None:
    page = parse.fills(changed("fills_two", entry_id=""))
    assert page.fills[0].entry_id == "0000-000000-000000/1111-11111-111111"


@pytest.mark.parametrize("word", ["UNKNOWN_ORDER_STATUS", "PARTIALLY_FILLED", "filled", "\u0424"])
def test_a_status_we_do_not_know_is_not_the_end_of_an_order(word: str) -> None:
    order = parse.orders(changed("orders_list_filled_has_next", status=word)).orders[0]
    assert (order.status, order.is_over, order.status_word) == (Status.UNKNOWN, False, word)


@pytest.mark.parametrize(
    "configuration",
    [None, {}, [], {"new_kind": {}}, {"limit_limit_gtc": None}, {"limit_limit_gtc": {}, "sor_limit_ioc": {}}],
)
def test_a_configuration_we_do_not_know_is_unknown(configuration: object) -> None:
    body = changed("orders_list_filled_has_next", order_configuration=configuration)
    assert parse.orders(body).orders[0].shape.kind is Shape.UNKNOWN


@pytest.mark.parametrize("rate", ["-0.001", "0.1", "1.2", "", None, "x"])
def test_a_fee_that_is_none_is_not_believed(rate: object) -> None:
    document = json.loads(payload("transaction_summary_intro2"))
    document["fee_tier"]["taker_fee_rate"] = rate
    with pytest.raises(VenuePayload, match="taker_fee_rate"):
        parse.fee_tier(json.dumps(document).encode())


def test_a_permission_that_is_not_told_is_not_guessed() -> None:
    document = json.loads(payload("key_permissions"))
    for value in (None, "false", 0):
        with pytest.raises(VenuePayload, match="can_transfer"):
            parse.permissions(json.dumps(document | {"can_transfer": value}).encode())


def test_a_time_in_seconds_may_be_cut_or_rounded() -> None:
    for seconds, millis in (("1738308285", "1738308285999"), ("1738308286", "1738308285753")):
        told = json.dumps({"epochSeconds": seconds, "epochMillis": millis})
        assert parse.server_time(told.encode()).at_ms == int(millis)


@pytest.mark.parametrize("millis", ["1738308285", "1738308285753000", "99999999999999999", "0"])
def test_a_time_that_is_told_in_two_ways_is_none(millis: str) -> None:
    document = json.loads(payload("server_time")) | {"epochMillis": millis}
    with pytest.raises(VenuePayload, match="epochMillis"):
        parse.server_time(json.dumps(document).encode())


def test_a_balance_in_another_currency_is_not_believed() -> None:
    body = changed("accounts_list_two", hold={"value": "1", "currency": "ETH"})
    with pytest.raises(VenuePayload, match="currency"):
        parse.accounts(body)


def test_a_wallet_may_be_in_debt_and_nothing_holds_less_than_nothing() -> None:
    page = parse.accounts(changed("accounts_list_two", available_balance={"value": "-0.01", "currency": "BTC"}))
    assert page.accounts[0].available == Decimal("-0.01")
    with pytest.raises(VenuePayload, match="below zero"):
        parse.accounts(changed("accounts_list_two", hold={"value": "-0.01", "currency": "BTC"}))


@pytest.mark.parametrize(
    "change", [{"low": "39000"}, {"high": "1"}, {"open": "0"}, {"close": "-1"}, {"volume": "-1"}, {"start": "1.5"}]
)
def test_a_candle_that_cannot_be_is_not_believed(change: dict[str, str]) -> None:
    with pytest.raises(VenuePayload, match="candles"):
        parse.candles(changed("candles_one_day", **change))


def test_one_bucket_may_be_told_twice_but_not_in_two_ways() -> None:
    rows = json.loads(payload("candles_one_day"))["candles"]
    assert len(parse.candles(json.dumps({"candles": [*rows, rows[0]]}).encode())) == 2
    with pytest.raises(VenuePayload, match="twice"):
        parse.candles(json.dumps({"candles": [*rows, rows[0] | {"volume": "1"}]}).encode())


TIMES = {
    "2023-11-26T10:19:47Z": "2023-11-26T10:19:47Z",
    "2023-11-26T10:19:47.5Z": "2023-11-26T10:19:47.500Z",
    "2023-11-26T10:19:47.507999999Z": "2023-11-26T10:19:47.507Z",
    "2023-11-26T10:19:47.507001+00:00": "2023-11-26T10:19:47.507Z",
}
NO_TIMES = [
    "", None, 5, "2023-11-26", "2023-11-26T10:19:47", "2023-11-26T10:19:47+01:00", "2023-02-30T10:19:47Z",
    "2023-11-26T25:19:47Z", "1900-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "\u0662023-11-26T10:19:47Z",
]  # fmt: skip


@pytest.mark.parametrize("text", TIMES)
def test_a_time_is_cut_to_the_millisecond(text: str) -> None:
    order = parse.orders(changed("orders_list_filled_has_next", created_time=text)).orders[0]
    assert rfc3339(order.created_ms) == TIMES[text]


@pytest.mark.parametrize("text", NO_TIMES)
def test_no_time_is_guessed(text: object) -> None:
    with pytest.raises(VenuePayload, match="created_time"):
        parse.orders(changed("orders_list_filled_has_next", created_time=text))


def test_the_error_is_one_that_the_engine_knows() -> None:
    assert issubclass(VenuePayload, VenueUnavailable)


# --- books -----------------------------------------------------------------------------------------------------------


def test_a_book_is_sorted_best_first_and_what_is_gone_is_left_out() -> None:
    document = json.loads(payload("product_book_5_levels"))
    document["pricebook"]["bids"].reverse()
    document["pricebook"]["asks"].append({"price": "68930", "size": "0"})
    book = parse.book(json.dumps(document).encode())
    assert book.bids[0] == Level(Decimal("68923.66"), Decimal("0.17189468"))
    assert len(book.asks) == 5


@pytest.mark.parametrize("bid", ["68923.67", "70000"])
def test_sides_that_meet_are_no_price(bid: str) -> None:
    document = json.loads(payload("product_book_5_levels"))
    document["pricebook"]["bids"][0]["price"] = bid
    assert parse.top_of(parse.book(json.dumps(document).encode())) is None


@pytest.mark.parametrize("side", ["bids", "asks"])
def test_an_empty_side_is_no_price(side: str) -> None:
    document = json.loads(payload("product_book_5_levels"))
    document["pricebook"][side] = []
    assert parse.top_of(parse.book(json.dumps(document).encode())) is None


cents = st.decimals(min_value="0.01", max_value="90000", places=2)
levels = st.lists(st.tuples(cents, cents), min_size=1, max_size=12)


@given(levels, levels)
def test_depth_is_what_rests_within_20_bps_of_the_middle(
    bids: list[tuple[Decimal, Decimal]], asks: list[tuple[Decimal, Decimal]]
) -> None:
    def rows(side: list[tuple[Decimal, Decimal]]) -> list[dict[str, str]]:
        return [{"price": str(price), "size": str(size)} for price, size in side]

    book = {"product_id": "X-USD", "bids": rows(bids), "asks": rows(asks), "time": "2024-01-01T00:00:00Z"}
    top = parse.top_of(parse.book(json.dumps({"pricebook": book}).encode()))
    bid, ask = max(price for price, _ in bids), min(price for price, _ in asks)
    if bid >= ask:
        assert top is None
        return
    assert top is not None and (top.bid, top.ask) == (bid, ask)
    near = [price * size for price, size in (*bids, *asks) if abs(2 * price - bid - ask) * 500 <= bid + ask]
    assert top.depth == sum(near)


@pytest.mark.parametrize("word", ["PREVIEW_INSUFFICIENT_FUND", "insufficient_fund", "INSUFFICIENT_FUNDS"])
def test_a_reason_is_the_same_as_a_previews(word: str) -> None:
    assert reason_of(word) is Reason.FUNDS
