"""Each request is told of once, by what came of it; a call that is repeated is told of as often as it was made."""

import inspect
import re
import time
from contextlib import suppress

import pytest

from tests.net.wire import SHORT, Act, Clock, reply, reset, serving, unused_port
from trader_core.domain.errors import TraderError
from trader_core.net.breaker import Breakers
from trader_core.net.buckets import Buckets, Rule
from trader_core.net.calls import KEPT, OUTCOMES, Calls
from trader_core.net.rows import LocalRows
from trader_core.net.session import Http
from trader_core.settings.schema import CallBudgets
from trader_core.venues.coinbase import client
from trader_core.venues.coinbase.endpoints import ENDPOINTS, endpoint_of


def told(url: str, times: int = 1, burst: int = 30) -> list[tuple[str, str]]:
    """Endpoint and outcome of every request that so many calls made."""
    clock, rows = Clock(), LocalRows()
    calls = Calls(clock.host_ms)
    rules = {"public": Rule(rate=0.001, burst=burst, max_wait_s=1.0)}
    out = Http(
        url, ca_bundle=None, timeouts=SHORT, buckets=Buckets(rules, rows, clock.pause, clock.host_ms),
        breakers=Breakers(rows, clock.host_ms, lambda: 0.5), pause=clock.pause, chance=lambda: 1.0,
        host_ms=clock.host_ms, told=calls,
    )  # fmt: skip
    for _ in range(times):
        with suppress(TraderError):
            out.send("GET", "/x", bucket="public", breaker=None, idempotent=True, endpoint="quotes")
    found = calls.taken()
    assert calls.taken() == ()
    assert all(one.ms >= 0 and one.at_ms >= Clock.now_ms for one in found)
    return [(one.endpoint, one.outcome) for one in found]


@pytest.mark.parametrize(
    ("acts", "outcomes"),
    [
        ([reply(200, b"{}")], ["ok"]),
        ([reply(503), reply(200, b"{}")], ["server_error", "ok"]),
        ([reply(400)], ["refused"]),
        ([reply(401)], ["auth"]),
        ([reply(403)], ["auth"]),
        ([reply(404)], ["not_found"]),
        ([reply(429), reply(200)], ["rate_limit", "ok"]),
        ([reset()], ["no_answer"] * 4),
    ],
)
def test_what_came_of_a_request_is_one_word(acts: list[bytes | Act], outcomes: list[str]) -> None:
    with serving(*acts) as server:
        assert told(server.url) == [("quotes", one) for one in outcomes]
        assert len(server.requests) == len(outcomes)


def test_nobody_there_and_no_leave_of_our_own_are_told_apart() -> None:
    assert told(f"http://127.0.0.1:{unused_port()}") == [("quotes", "unreachable")] * 4
    with serving(reply(200)) as server:
        assert told(server.url, times=12, burst=10)[-1] == ("quotes", "throttled")
        assert len(server.requests) < 12


def test_the_time_of_an_answer_is_the_answers_alone() -> None:
    def slow(connection: object) -> None:
        time.sleep(0.1)

    with serving(slow, reply(200)) as server:
        clock = Clock()
        calls, rows = Calls(clock.host_ms), LocalRows()
        out = Http(
            server.url, ca_bundle=None, timeouts=SHORT,
            buckets=Buckets({"public": Rule(rate=5, burst=20)}, rows, clock.pause, clock.host_ms),
            breakers=Breakers(rows, clock.host_ms, lambda: 0.5), pause=clock.pause, chance=lambda: 1.0,
            host_ms=clock.host_ms, told=calls,
        )  # fmt: skip
        out.send("GET", "/x", bucket="public", breaker=None, idempotent=True)
    first, second = calls.taken()
    assert clock.waits == [1.0]
    assert 100 <= first.ms < 1_000
    assert second.ms < 1_000


def test_calls_that_nobody_takes_stock_of_have_a_bound() -> None:
    calls = Calls(lambda: 1)
    for _ in range(KEPT + 10):
        calls("quotes", "ok", 1.0)
    assert len(calls.taken()) == KEPT


def paths_asked() -> set[str]:
    """Those in the client's source, but for the head of the public twins."""
    source = inspect.getsource(client.CoinbaseClient)
    found = set(re.findall(r'"(/[a-z_/]+)"', source)) | {"/products/BTC-USD", "/products/BTC-USD/candles"}
    assert len(found) > 10
    return found - {"/market"}


def test_every_path_that_the_client_asks_for_has_a_name() -> None:
    for path in paths_asked():
        assert endpoint_of(path) != "other", path
        assert endpoint_of(f"/market{path}") == endpoint_of(path)
    assert endpoint_of("/orders/historical/4a7c") == "order"
    assert endpoint_of("/somewhere/else") == "other"
    assert len(set(ENDPOINTS)) == len(ENDPOINTS)
    assert len(set(OUTCOMES)) == len(OUTCOMES)


def test_every_budget_of_a_call_is_one_of_a_call_that_is_made() -> None:
    budgets = {name.removesuffix("_ms") for name in CallBudgets.model_fields}
    assert budgets - {"other"} <= {endpoint_of(path) for path in paths_asked()}
    assert endpoint_of("/product_book") == "quotes"
