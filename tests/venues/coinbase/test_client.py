"""The client against recorded answers, and against a server that answers badly."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import responses

from tests.net.wire import Act, Clock, Server, hang, http, reply, reset, serving, unused_port
from tests.shared import ROOT
from tests.venues.coinbase.keys import ELLIPTIC, KEY, NAME, SEC1, long_lines
from tests.venues.coinbase.payloads import changed, payload
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import (
    GateClosed,
    KeyRefused,
    KeyUnusable,
    Lost,
    RateLimited,
    TooManyPages,
    TraderError,
    Unreachable,
    VenuePayload,
    VenueRefused,
    VenueUnavailable,
)
from trader_core.domain.fill import Side
from trader_core.domain.money import Base
from trader_core.net.breaker import Direction
from trader_core.net.buckets import Urgency
from trader_core.ports import PAGES_MAX
from trader_core.venues.coinbase.bodies import BaseSize, LimitIoc, order_body
from trader_core.venues.coinbase.client import FILLS_LIMIT, OFFICIAL, CoinbaseClient
from trader_core.venues.coinbase.sign import ApiKey
from trader_core.venues.coinbase.venue import all_accounts
from trader_core.venues.coinbase.words import Accepted, CancelAnswer, Granularity, Reason, Refused

API = f"{OFFICIAL}/api/v3/brokerage"
SIZE = BaseSize(Base(Decimal("0.1")))
BODY = order_body("3a7b42c6", "SOL-USD", Side.BUY, LimitIoc(SIZE, Decimal(100)))
ENTRIES, EXITS = Direction.ENTRIES, Direction.EXITS
UNAUTHORIZED = reply(401, b"Unauthorized\n", content_type="text/plain")
TIME = reply(200, json.dumps({"iso": "", "epochSeconds": "1700000500", "epochMillis": "1700000500000"}).encode())
YES = reply(200, payload("create_order_success_limit_post_only"))


def client(
    url: str = OFFICIAL, key: ApiKey | None = KEY, clock: Clock | None = None, urgency: Urgency = Urgency.ROUTINE
) -> CoinbaseClient:
    time = clock or Clock()
    return CoinbaseClient(http(url, time), key, time.now_s, urgency)


def served(name: str, path: str, method: str = responses.GET) -> None:
    responses.add(method, f"{API}{path}", body=payload(name))


def asked(number: int = -1) -> tuple[str, dict[str, list[str]]]:
    """Path and query of a request that was sent."""
    parts = urlsplit(str(responses.calls[number].request.url))
    return parts.path.removeprefix("/api/v3/brokerage"), parse_qs(parts.query)


def claims(text: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(
        text.removeprefix("Bearer "),
        ELLIPTIC.public_key(),
        ["ES256"],
        options={"verify_exp": False, "verify_nbf": False},
    )
    return found


# --- reading ---------------------------------------------------------------------------------------------------------

READS: list[tuple[str, str, Callable[[CoinbaseClient], object]]] = [
    ("server_time", "/time", lambda one: one.server_time()),
    ("key_permissions", "/key_permissions", lambda one: one.permissions()),
    ("products_list_doc_flags", "/products", lambda one: one.products()),
    ("product_btc_usd", "/products/BTC-USD", lambda one: one.product("BTC-USD")),
    ("product_book_5_levels", "/product_book", lambda one: one.book("BTC-USD", 5)),
    (
        "candles_one_day",
        "/products/BTC-USD/candles",
        lambda one: one.candles("BTC-USD", Granularity.ONE_DAY, 1_643_500_800, 1_643_673_600),
    ),
    ("accounts_list_two", "/accounts", lambda one: one.accounts("a cursor")),
    ("transaction_summary_intro2", "/transaction_summary", lambda one: one.fee_tier()),
    ("order_open_limit_gtc", "/orders/historical/1", lambda one: one.order("1")),
    ("orders_list_open_and_filled", "/orders/historical/batch", lambda one: one.orders_open()),
    ("orders_list_open_and_filled", "/orders/historical/batch", lambda one: one.orders_since(EpochMs(0))),
    ("fills_two", "/orders/historical/fills", lambda one: one.fills_since(EpochMs(1_500))),
    ("fills_two", "/orders/historical/fills", lambda one: one.fills_of(["1", "2"])),
]


@responses.activate
@pytest.mark.parametrize(("name", "path", "read"), READS)
def test_every_reading_call_asks_the_right_address_with_a_token_for_it(
    name: str, path: str, read: Callable[[CoinbaseClient], object]
) -> None:
    served(name, path)
    assert read(client())
    assert asked()[0] == path
    sent = responses.calls[0].request.headers.get("Authorization")
    if path == "/time":
        assert sent is None
    else:
        found = claims(str(sent))
        assert found["uri"] == f"GET api.coinbase.com/api/v3/brokerage{path}" and found["sub"] == NAME


@responses.activate
def test_queries_repeat_the_key_and_times_are_written_as_the_venue_wants() -> None:
    for name, path, read in READS:
        responses.reset()
        served(name, path)
        read(client())
        query = asked()[1]
        if path == "/products":
            assert query == {"product_type": ["SPOT"], "get_tradability_status": ["true"]}
        elif path == "/orders/historical/fills":
            since, of = {"start_sequence_timestamp": ["1970-01-01T00:00:01.500Z"]}, {"order_ids": ["1", "2"]}
            assert query in [{**since, "limit": ["100"]}, {**of, "limit": ["100"]}]
        elif path.endswith("candles"):
            assert query == {"start": ["1643500800"], "end": ["1643673600"], "granularity": ["ONE_DAY"]}
        elif path == "/accounts":
            assert query == {"limit": ["250"], "cursor": ["a cursor"]}


@responses.activate
def test_orders_are_asked_for_by_name_fifty_at_a_time() -> None:
    names = [f"order-{n}" for n in range(120)]
    served("orders_list_open_and_filled", "/orders/historical/batch")
    client().orders_named(names)
    queries = [asked(n)[1]["order_ids"] for n in range(len(responses.calls))]
    assert queries == [names[:50], names[50:100], names[100:]]


@responses.activate
def test_without_a_key_the_public_twins_are_asked_and_nothing_is_signed() -> None:
    one = client(key=None)
    served("server_time", "/time")
    served("products_list_doc_flags", "/market/products")
    served("product_btc_usd", "/market/products/BTC-USD")
    served("product_book_5_levels", "/market/product_book")
    served("candles_one_day", "/market/products/BTC-USD/candles")
    assert one.server_time() and one.products() and one.product("BTC-USD") and one.book("BTC-USD", 5)
    assert len(one.candles("BTC-USD", Granularity.ONE_DAY, 1_643_500_800, 1_643_673_600)) == 2
    assert not any("Authorization" in call.request.headers for call in responses.calls)
    assert asked(1)[1] == {"product_type": ["SPOT"]}
    for read in (one.permissions, one.accounts, one.fee_tier, one.orders_open):
        with pytest.raises(KeyUnusable):
            read()
    for send in (lambda: one.create(BODY, ENTRIES), lambda: one.cancel(["1"])):
        with pytest.raises(KeyUnusable):
            send()
    assert len(responses.calls) == 5


@responses.activate
def test_candles_of_the_public_twin_on_request() -> None:
    served("candles_one_day", "/market/products/BTC-USD/candles")
    assert client().candles("BTC-USD", Granularity.ONE_DAY, 1_643_500_800, 1_643_673_600, public=True)
    assert "Authorization" not in responses.calls[0].request.headers


@responses.activate
def test_only_closed_candles_inside_the_window_are_believed() -> None:
    """A bucket is closed two seconds after its end, by the venue's clock and not by ours."""
    rows = [
        {"start": str(start), "low": "1", "high": "1", "open": "1", "close": "1", "volume": "1"}
        for start in range(1_699_999_740, 1_700_000_101, 60)
    ]
    responses.add(responses.GET, f"{API}/products/X-USD/candles", json={"candles": rows})
    clock = Clock(now_ms=1_700_000_041_999)
    one = client(clock=clock)

    def opened() -> list[int]:
        found = one.candles("X-USD", Granularity.ONE_MINUTE, 1_699_999_800, 1_700_000_100)
        return [row.open_ms // 1_000 for row in found]

    assert opened() == [1_699_999_800, 1_699_999_860, 1_699_999_920]
    clock.now_ms += 1
    assert opened() == [1_699_999_800, 1_699_999_860, 1_699_999_920, 1_699_999_980]
    one.offset_ms = -1
    assert opened() == [1_699_999_800, 1_699_999_860, 1_699_999_920]


def test_more_candles_than_one_call_has_are_refused() -> None:
    for start, end in ((0, 301 * 60), (60, 0)):
        with pytest.raises(ValueError, match="candles"):
            client().candles("X-USD", Granularity.ONE_MINUTE, start, end)


def test_the_clock_is_read_in_the_middle_of_the_round_trip_and_tokens_carry_it() -> None:
    clock = Clock(now_ms=1_700_000_000_000)

    def slow(connection: Any) -> None:
        clock.now_ms += 400
        connection.sendall(TIME)

    with serving(slow, reply(200, payload("key_permissions"))) as server:
        one = client(server.url, clock=clock)
        assert one.server_time().at_ms == 1_700_000_500_000
        assert one.offset_ms == 499_800
        assert one.venue_ms() == 1_700_000_500_200
        one.permissions()
        found = claims(server.requests[-1].headers["authorization"])
    assert (found["nbf"], found["exp"]) == (1_700_000_500, 1_700_000_620)
    assert found["uri"] == f"GET {server.url.removeprefix('http://')}/api/v3/brokerage/key_permissions"


def test_a_clock_that_is_told_at_the_second_try_is_read_in_the_middle_of_that_one() -> None:
    """What was waited for before it left is no part of the way."""
    clock = Clock(now_ms=1_700_000_000_000)

    def lost(connection: Any) -> None:
        clock.now_ms += 10_000

    def told(connection: Any) -> None:
        clock.now_ms += 400
        connection.sendall(reply(200, json.dumps({"epochMillis": str(clock.now_ms - 200)}).encode()))

    with serving(lost, told) as server:
        one = client(server.url, clock=clock)
        one.server_time()
        assert (len(server.requests), one.offset_ms) == (2, 0)


# --- pages -----------------------------------------------------------------------------------------------------------


def order_page(ids: list[str], cursor: str, has_next: bool) -> bytes:
    document = json.loads(payload("orders_list_filled_has_next"))
    rows = [document["orders"][0] | {"order_id": one} for one in ids]
    return reply(200, json.dumps({"orders": rows, "has_next": has_next, "cursor": cursor}).encode())


def fill_page(ids: range, cursor: str, **more: object) -> bytes:
    row = json.loads(payload("fills_two"))["fills"][0]
    rows = [row | {"entry_id": f"{one:04}"} | more for one in ids]
    return reply(200, json.dumps({"fills": rows, "cursor": cursor}).encode())


def test_orders_are_read_to_the_last_page_and_each_once() -> None:
    pages = (order_page(["1", "2"], "A", True), order_page(["2", "3"], "B", True), order_page(["4"], "C", False))
    with serving(*pages) as server:
        assert [one.order_id for one in client(server.url).orders_open()] == ["1", "2", "3", "4"]
    assert ["cursor=" in request.target for request in server.requests] == [False, True, True]
    assert all("order_status=OPEN" in request.target for request in server.requests)


def test_a_wallet_that_moves_between_two_pages_counts_once() -> None:
    first, last = (json.loads(payload("accounts_list_two")) for _ in range(2))
    first |= {"has_next": True, "cursor": "A"}
    last["accounts"] = last["accounts"][1:]
    with serving(*(reply(200, json.dumps(one).encode()) for one in (first, last))) as server:
        found = [one.uuid for one in all_accounts(client(server.url))]
    assert found == [one["uuid"] for one in first["accounts"]]


def test_live_orders_that_are_not_open_have_a_list_of_their_own() -> None:
    with serving(order_page(["1"], "", False)) as server:
        client(server.url).orders_waiting()
    wanted = parse_qs(urlsplit(server.requests[0].target).query)["order_status"]
    assert wanted == ["PENDING", "QUEUED", "EDIT_QUEUED", "CANCEL_QUEUED"]


def test_a_cursor_that_repeats_is_an_error_and_no_end() -> None:
    with serving(order_page(["1"], "A", True)) as server, pytest.raises(VenuePayload, match="repeats"):
        client(server.url).orders_open()
    assert len(server.requests) == 2
    with serving(fill_page(range(FILLS_LIMIT), "A")) as server, pytest.raises(VenuePayload, match="repeats"):
        client(server.url).fills_since(EpochMs(0))


def test_pages_without_end_have_one() -> None:
    pages = [order_page([str(number)], f"c{number}", True) for number in range(PAGES_MAX + 5)]
    with serving(*pages) as server, pytest.raises(TooManyPages):
        client(server.url).orders_open()
    assert len(server.requests) == PAGES_MAX


def test_fills_are_read_until_a_page_is_short_each_once_and_oldest_first() -> None:
    new = fill_page(range(FILLS_LIMIT, 2 * FILLS_LIMIT), "A", trade_time="2024-01-15T10:31:00Z")
    with serving(new, fill_page(range(FILLS_LIMIT), "B"), fill_page(range(3), "C")) as server:
        fills, strange = client(server.url).fills_since(EpochMs(0))
    assert [one.entry_id for one in fills] == [f"{number:04}" for number in range(2 * FILLS_LIMIT)]
    assert strange == ()
    assert len(server.requests) == 3


def test_one_fill_in_two_ways_is_not_believed() -> None:
    pages = (fill_page(range(FILLS_LIMIT), "A"), fill_page(range(1), "B", price="1"))
    with serving(*pages) as server, pytest.raises(VenuePayload, match="two ways"):
        client(server.url).fills_since(EpochMs(0))


def test_rows_that_are_no_fills_are_handed_on() -> None:
    with serving(reply(200, changed("fills_two", trade_type="CORRECTION"))) as server:
        fills, strange = client(server.url).fills_since(EpochMs(0))
    assert (len(fills), len(strange)) == (1, 1)


# --- sending ---------------------------------------------------------------------------------------------------------


def test_an_order_is_sent_once_as_it_is() -> None:
    with serving(YES) as server:
        answer = client(server.url).create(BODY, ENTRIES)
    assert isinstance(answer, Accepted) and answer.product_id == "SOL-USDC"
    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/api/v3/brokerage/orders", BODY)
    assert request.headers["content-type"] == "application/json"


UNCERTAIN: dict[str, bytes | Act] = {
    "503": reply(503, b"busy"),
    "500": reply(500, b"{}"),
    "408": reply(408),
    "409": reply(409, b"{}"),
    "302": reply(302, location="/"),
    "204": reply(204),
    "201": reply(201, payload("create_order_success_limit_post_only")),
    "hang": hang(0.5),
    "reset": reset(),
    "truncated": reset(YES[:-20]),
    "half json": reply(200, payload("create_order_success_limit_post_only")[:-20]),
    "html": reply(200, b"<html>maintenance</html>"),
    "empty": reply(200),
    "yes and no": reply(200, b'{"success": false, "success_response": {"order_id": "1"}}'),
    "yes without an id": reply(200, b'{"success": true, "success_response": null}'),
}


@pytest.mark.parametrize("kind", UNCERTAIN)
@pytest.mark.parametrize("direction", Direction)
def test_an_order_whose_fate_is_uncertain_is_lost_and_not_sent_again(kind: str, direction: Direction) -> None:
    with serving(UNCERTAIN[kind]) as server:
        with pytest.raises(Lost) as lost:
            client(server.url).create(BODY, direction)
        assert len(server.requests) == 1
    assert lost.value.exit_code == 41


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(400, b'{"error": "INVALID_ARGUMENT", "message": "no"}'), Reason.REQUEST),
        (reply(403, b'{"error": "PERMISSION_DENIED", "error_details": "Missing required scopes"}'), Reason.KEY),
        (reply(404, b"<html>"), Reason.REQUEST),
        (reply(429, payload("http_429_rate_limit_v2")), Reason.RATE),
        (reply(429, b"<html>too many</html>"), Reason.RATE),
        (reply(200, payload("create_order_error_insufficient_fund")), Reason.FUNDS),
        (reply(200, payload("create_order_error_post_only_cross")), Reason.WOULD_TAKE),
    ],
)
def test_an_order_that_was_turned_away_is_not_lost(answer: bytes, reason: Reason) -> None:
    with serving(answer) as server:
        refused = client(server.url).create(BODY, ENTRIES)
    assert isinstance(refused, Refused) and refused.reason is reason
    assert len(server.requests) == 1


def test_nobody_there_means_that_the_order_was_not_sent() -> None:
    with pytest.raises(Unreachable):
        client(f"http://127.0.0.1:{unused_port()}").create(BODY, ENTRIES)


def test_a_token_that_is_refused_is_made_anew_once_by_the_venues_clock() -> None:
    with serving(UNAUTHORIZED, TIME, YES) as server:
        assert isinstance(client(server.url).create(BODY, ENTRIES), Accepted)
    first, clock, again = server.requests
    assert clock.target.endswith("/time") and "authorization" not in clock.headers
    assert first.body == again.body == BODY
    tokens = [claims(one.headers["authorization"])["nbf"] for one in (first, again)]
    assert tokens == [1_700_000_000, 1_700_000_500]


def test_a_token_that_is_refused_twice_was_not_executed() -> None:
    with serving(UNAUTHORIZED, TIME, UNAUTHORIZED) as server:
        refused = client(server.url).create(BODY, ENTRIES)
    assert isinstance(refused, Refused) and refused.reason is Reason.KEY
    assert len(server.requests) == 3


def test_a_token_that_is_refused_and_then_no_answer_is_lost() -> None:
    """That the clock cannot be read either changes nothing."""
    with serving(UNAUTHORIZED, UNAUTHORIZED, reply(503)) as server, pytest.raises(Lost):
        client(server.url).create(BODY, ENTRIES)
    assert [request.method for request in server.requests] == ["POST", "GET", "POST"]


def test_cancels_are_answered_one_by_one_in_the_order_asked() -> None:
    body = json.dumps(
        {
            "results": [
                {"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": "2"},
                {"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": "1"},
            ]
        }
    ).encode()
    with serving(reset(), reply(503), reply(200, body)) as server:
        found = client(server.url).cancel(["1", "2", "3"])
    assert found == (
        CancelAnswer("1", True, "UNKNOWN_CANCEL_FAILURE_REASON"),
        CancelAnswer("2", False, "UNKNOWN_CANCEL_ORDER"),
        CancelAnswer("3", False, "NO_ANSWER"),
    )
    assert [request.body for request in server.requests] == [b'{"order_ids":["1","2","3"]}'] * 3


STRANGE = (reply(503), reply(200, b"<html>"), reply(200, b'{"results": null}'), reply(409), reply(422))


@pytest.mark.parametrize("answer", STRANGE)
def test_a_cancel_without_an_answer_is_lost(answer: bytes) -> None:
    with serving(answer) as server, pytest.raises(Lost):
        client(server.url).cancel(["1"])


# --- what a reading call may raise -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (UNAUTHORIZED, KeyRefused, 11),
        (reply(403, b'{"error": "PERMISSION_DENIED"}'), KeyRefused, 11),
        (reply(404, b'{"error": "NOT_FOUND"}'), VenueRefused, 32),
        (reply(400, b'{"error": "INVALID_ARGUMENT", "message": "candles < 350"}'), VenueRefused, 32),
        (reply(429, b"<html>"), RateLimited, 31),
        (reply(500, b"<html>"), VenueUnavailable, 30),
        (reply(302, location="/"), VenueUnavailable, 30),
        (reply(200, b"Unauthorized"), VenuePayload, 30),
        (reset(), VenueUnavailable, 30),
    ],
)
def test_an_answer_that_is_none_has_a_name_and_an_exit_code(
    answer: bytes | Act, kind: type[TraderError], code: int
) -> None:
    with serving(answer) as server, pytest.raises(kind) as caught:
        client(server.url).fee_tier()
    assert (type(caught.value), caught.value.exit_code) == (kind, code)


def test_an_order_that_nobody_knows_is_none() -> None:
    for answer in (reply(404, b"<html>"), reply(400, b'{"error": "NOT_FOUND"}'), reply(200, b'{"order": null}')):
        with serving(answer) as server:
            assert client(server.url).order("1") is None
    with serving(reply(400, b'{"error": "INVALID_ARGUMENT"}')) as server, pytest.raises(VenueRefused):
        client(server.url).order("1")


# --- breakers and urgency --------------------------------------------------------------------------------------------


def creates(one: CoinbaseClient, server: Server, times: int, direction: Direction = ENTRIES) -> int:
    """How many of so many orders reached the server."""
    before = len(server.requests)
    for _ in range(times):
        try:
            one.create(BODY, direction)
        except (Lost, Unreachable):
            continue
    return len(server.requests) - before


INFRA = reply(200, b'{"success": false, "error_response": {"error": "UNKNOWN_FAILURE_REASON"}}')
FUNDS = reply(200, payload("create_order_error_insufficient_fund"))


@pytest.mark.parametrize(("answer", "reached"), [(INFRA, 5), (FUNDS, 8), (reply(503), 5), (reply(400, b"{}"), 8)])
def test_five_failures_of_the_venue_close_entries_and_its_refusals_do_not(answer: bytes, reached: int) -> None:
    """V29, and exits have a breaker of their own."""
    with serving(answer) as server:
        one = client(server.url)
        assert creates(one, server, 8) == reached
        assert creates(one, server, 3, EXITS) == 3


def test_exits_and_cancels_need_not_wait_where_entries_do() -> None:
    """24 of 30 tokens are for everybody; the next three are for what leaves."""
    with serving(YES) as server:
        clock = Clock()
        one = client(server.url, clock=clock)
        assert (creates(one, server, 24), clock.waits) == (24, [])
        assert (creates(one, server, 2, EXITS), clock.waits) == (2, [])
        with pytest.raises(Lost):  # this server has no answer to a cancel
            one.cancel(["an-order"])
        assert clock.waits == []
        assert creates(one, server, 1) == 1 and clock.waits


def test_kill_asks_no_breaker() -> None:
    with serving(reply(503)) as server:
        clock = Clock()
        out = http(server.url, clock)
        creates(CoinbaseClient(out, KEY, clock.now_s), server, 8)
        assert creates(CoinbaseClient(out, KEY, clock.now_s, Urgency.KILL), server, 20, ENTRIES) == 20


# --- where and with what ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["https://evil.example", "http://api.coinbase.com", "https://api.coinbase.com:444"])
def test_nothing_is_ever_signed_for_another_host(url: str) -> None:
    with pytest.raises(GateClosed):
        client(url)
    assert not client(url, key=None).has_key


ECHOES = [
    SEC1.encode(),
    SEC1.replace("\n", "\\n").encode(),
    json.dumps({"error": "x", "message": SEC1}).encode(),
    b"x" * 175 + long_lines(SEC1)[0].encode(),
    json.dumps({"errors": [{"id": SEC1, "message": SEC1}]}).encode(),
]


@pytest.mark.parametrize("echo", ECHOES)
def test_the_key_shows_in_nothing_that_can_be_printed(echo: bytes) -> None:
    """Not even where the other side sends it back to us."""
    with serving(reply(401, echo), TIME, reply(403, echo)) as server:
        one = client(server.url)
        with pytest.raises(KeyRefused) as caught:
            one.permissions()
        sent = [request.headers.get("authorization", "").removeprefix("Bearer ") for request in server.requests]
        server.script = [reply(400, echo)]
        refused = one.create(BODY, ENTRIES)
    shown = f"{one} {one!r} {vars(one)} {caught.value} {caught.value!r} {caught.value.remedy} {refused}"
    assert not any(piece in shown for line in long_lines(SEC1) for piece in (line, line[:20], line[-20:]))
    assert not any(token in shown for token in sent if token)


def test_threads_share_one_client() -> None:
    with serving(reply(200, payload("transaction_summary_intro2"))) as server:
        one, found = client(server.url), list[object]()
        threads = [threading.Thread(target=lambda: found.append(one.fee_tier())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 8 and len(set(map(str, found))) == 1


def test_looking_at_the_client_loads_no_library_that_only_sending_needs() -> None:
    look = "import sys, trader_core.venues.coinbase.client as c; print([m for m in sys.modules if m in c_])"
    code = look.replace("c_", "('requests', 'urllib3', 'jwt', 'cryptography', 'sqlite3')")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
