"""Every kind of misbehaviour, seen from the client's side of the wire."""

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.loopback.served import API, Served, limit, market, serving
from trader_core.loopback.faults import KINDS

FAR = limit("0.01", "30000")  # rests
SHORT_S = 0.5


def test_latency(venue: Served) -> None:
    venue.fault("latency", ms=300, jitter=50, path="/time$")
    began = time.monotonic()
    venue.get("/time")
    assert 0.3 <= time.monotonic() - began < 2


def test_an_order_may_be_accepted_after_the_client_has_given_up(venue: Served) -> None:
    venue.fault("latency", ms=400, method="POST", path="/orders$")
    with pytest.raises(requests.ReadTimeout):
        venue.call("POST", "/orders", _body("late"), timeout_s=0.1)
    assert venue.orders() == []
    _until(lambda: len(venue.orders()) == 1)


def _body(identity: str, configuration: dict[str, Any] = FAR) -> dict[str, Any]:
    return {
        "client_order_id": identity, "product_id": "BTC-USD", "side": "BUY", "order_configuration": configuration,
    }  # fmt: skip


def _until(true: Callable[[], bool]) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError("it never came true")


BEFORE = {
    "429_json": (429, "rate_limit_exceeded"),
    "429_html": (429, "<html>"),
    "5xx_before": (503, "<html>"),
    "expired_token": (401, "Unauthorized"),
    "unauthorized_text": (401, "Unauthorized"),
    "maintenance_html": (503, "maintenance"),
}


@pytest.mark.parametrize("kind", BEFORE)
def test_a_call_that_is_never_looked_at(venue: Served, kind: str) -> None:
    venue.fault(kind, method="POST", count=1)
    answer = venue.call("POST", "/orders", _body("refused"))
    assert answer.status_code == BEFORE[kind][0] and BEFORE[kind][1] in answer.text
    assert venue.orders() == []
    assert venue.call("POST", "/orders", _body("refused")).json()["success"] is True


def test_the_server_names_its_delay(venue: Served) -> None:
    venue.fault("429_html", retry_after=7)
    assert venue.call("GET", "/accounts").headers["retry-after"] == "7"


def test_accepted_and_then_an_error(venue: Served) -> None:
    venue.fault("5xx_after", path="/orders$", status=502)
    assert venue.call("POST", "/orders", _body("kept")).status_code == 502
    (order,) = venue.orders()
    assert (order["client_order_id"], order["status"]) == ("kept", "OPEN")


@pytest.mark.parametrize(("kind", "accepted"), [("hang_after", 1), ("hang_before", 0)])
def test_no_answer(venue: Served, kind: str, accepted: int) -> None:
    venue.fault(kind, path="/orders$")
    with pytest.raises(requests.ReadTimeout):
        venue.call("POST", "/orders", _body("silent"), timeout_s=SHORT_S)
    assert len(venue.orders()) == accepted


def test_reset_in_the_middle_of_the_body(venue: Served) -> None:
    venue.fault("reset_mid_body", path="/orders$")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        venue.call("POST", "/orders", _body("torn"))
    assert len(venue.orders()) == 1


def test_a_whole_answer_of_half_a_document(venue: Served) -> None:
    venue.fault("truncated_json", path="/orders$")
    answer = venue.call("POST", "/orders", _body("cut"))
    assert answer.status_code == 200 and answer.text.startswith('{"success"')
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert len(venue.orders()) == 1


@pytest.mark.parametrize("configuration", [market(quote_size="100"), market(base_size="0.02"), limit("0.02", "30000")])
def test_a_part_is_filled(venue: Served, configuration: dict[str, Any]) -> None:
    venue.fault("partial_fill", fraction="0.25")
    order = venue.order(venue.create("part", "BUY", configuration))
    spent = Decimal(order["filled_value"]) + Decimal(order["total_fees"])
    whole = Decimal(configuration.get("market_market_ioc", {}).get("quote_size", "0"))
    rests = "limit_limit_gtc" in configuration
    assert order["status"] == ("OPEN" if rests else "CANCELLED")
    assert (Decimal("24.99") < spent <= 25) if whole else Decimal(order["filled_size"]) == Decimal("0.005")
    assert Decimal(order["outstanding_hold_amount"]) == (Decimal("0.015") * 30_000 * Decimal("1.006") if rests else 0)


def test_a_cancel_that_lost_to_a_fill(venue: Served) -> None:
    order_id = venue.create("raced", "BUY", FAR)
    venue.fault("cancel_lost_to_fill")
    (result,) = venue.post("/orders/batch_cancel", {"order_ids": [order_id]})["results"]
    assert result["success"] is True
    order = venue.order(order_id)
    assert (order["status"], order["filled_size"]) == ("FILLED", "0.01")


def test_lists_lag_behind(venue: Served) -> None:
    old = venue.create("old", "BUY", FAR)
    venue.admin("clock", {"advance_ms": 30_000})
    venue.fault("list_lag", ms=20_000)
    venue.post("/orders/batch_cancel", {"order_ids": [old]})
    new = venue.create("new", "BUY", market(quote_size="50"))
    listed = {one["order_id"]: one["status"] for one in venue.get("/orders/historical/batch")["orders"]}
    assert listed == {old: "OPEN"} and venue.get("/orders/historical/fills")["fills"] == []
    assert venue.order(new)["status"] == "FILLED"
    venue.admin("clock", {"advance_ms": 20_001})
    listed = {one["order_id"]: one["status"] for one in venue.get("/orders/historical/batch")["orders"]}
    assert listed == {old: "CANCELLED", new: "FILLED"} and venue.get("/orders/historical/fills")["fills"]


def _several_fills(venue: Served) -> list[str]:
    """Entry ids, newest first."""
    venue.admin("balances", {"USD": "1000000000"})
    for number in range(4):
        venue.create(f"fills-{number}", "BUY", market(quote_size="10"))
    return [one["entry_id"] for one in venue.get("/orders/historical/fills")["fills"]]


def test_fills_come_twice(venue: Served) -> None:
    entries = _several_fills(venue)
    venue.fault("duplicate_fills")
    assert sorted(one["entry_id"] for one in venue.get("/orders/historical/fills")["fills"]) == sorted(2 * entries)


def test_fills_come_in_any_order(venue: Served) -> None:
    entries = [*_several_fills(venue), *_several_fills(venue)]
    venue.fault("unordered_fills")
    told = [one["entry_id"] for one in venue.get("/orders/historical/fills")["fills"]]
    assert sorted(told) == sorted(set(entries)) and told != sorted(told, key=entries.index)


def test_fills_of_one_product_are_told_as_something_else(venue: Served) -> None:
    _several_fills(venue)
    for product, word in (("ETH-USD", "FILL"), ("BTC-USD", "CORRECTION")):
        venue.fault("strange_fills", product=product)
        assert {one["trade_type"] for one in venue.get("/orders/historical/fills")["fills"]} == {word}


def test_an_order_is_torn_in_lists_and_alone(venue: Served) -> None:
    torn, whole = (str(venue.create(name, "BUY", FAR)) for name in ("torn", "whole"))
    venue.fault("torn_orders", field="total_fees", order=torn)
    told = {one["order_id"]: one["total_fees"] for one in venue.get("/orders/historical/batch")["orders"]}
    assert (told[torn], told[whole]) == (["?"], "0")
    assert venue.get(f"/orders/historical/{torn}")["order"]["total_fees"] == ["?"]


def test_a_fill_is_told_in_quote(venue: Served) -> None:
    order = venue.order(venue.create("quote", "BUY", market(quote_size="50")))
    venue.fault("fills_in_quote")
    (fill,) = venue.get("/orders/historical/fills", order_ids=order["order_id"])["fills"]
    assert fill["size_in_quote"] is True and Decimal(fill["size"]) == Decimal(order["filled_value"])
    assert Decimal(fill["size"]) / Decimal(fill["price"]) == Decimal(order["filled_size"])


@pytest.mark.parametrize("path", ["/accounts", "/orders/historical/batch", "/orders/historical/fills"])
def test_a_cursor_repeats(venue: Served, path: str) -> None:
    _several_fills(venue)
    venue.fault("repeat_cursor")
    first = venue.get(path, limit=1)["cursor"]
    assert first and venue.get(path, limit=1, cursor=first)["cursor"] == first


def test_a_product_is_flipped(venue: Served) -> None:
    venue.fault("product_status", product="BTC-USD", flags={"cancel_only": True}, method="POST", nth=2)
    kept = venue.create("before", "BUY", FAR)
    assert venue.create("after", "BUY", FAR)["new_order_failure_reason"] == "ORDER_ENTRY_DISABLED"
    assert venue.get("/products/BTC-USD")["cancel_only"] is True
    assert venue.post("/orders/batch_cancel", {"order_ids": [kept]})["results"][0]["success"] is True


def test_a_product_is_delisted(venue: Served) -> None:
    kept = venue.create("gone", "BUY", FAR)
    venue.fault("delist", product="BTC-USD")
    assert venue.get("/products/BTC-USD")["status"] == "delisted"
    assert venue.order(kept)["status"] == "CANCELLED"
    assert venue.create("none", "BUY", FAR)["new_order_failure_reason"] == "UNTRADABLE_PRODUCT"


def test_the_clock_is_wrong(venue: Served) -> None:
    venue.fault("clock_skew", ms=300_000, count=2)
    skewed = int(venue.session.get(f"{venue.url}{API}/time").json()["epochMillis"])
    assert abs(skewed - time.time() * 1_000 - 300_000) < 5_000
    assert venue.call("GET", "/accounts").status_code == 401  # its token ended minutes ago, in the venue's eyes
    assert venue.call("GET", "/accounts").status_code == 200


def test_real_limits(venue: Served) -> None:
    venue.fault("rate_limit", per_s=0.001, burst=3)
    assert [venue.call("GET", "/accounts").status_code for _ in range(5)] == [200, 200, 200, 429, 429]


RULES: list[tuple[dict[str, Any], list[int]]] = [
    ({"nth": 2}, [1]),
    ({"nth": [1, 3]}, [0, 2]),
    ({"after": 2}, [2, 3]),
    ({"count": 2}, [0, 1]),
    ({"after": 1, "count": 1}, [1]),
    ({"for_ms": 0}, []),
    ({"product": "BTC-USD"}, [0, 1, 2, 3]),
    ({"product": "ETH-USD"}, []),
    ({"match": {"side": "BUY", "method": "POST"}}, [0, 1, 2, 3]),
    ({"side": "SELL"}, []),
    ({"method": "GET"}, []),
    ({"path": "batch_cancel"}, []),
]


@pytest.mark.parametrize(("when", "hit"), RULES)
def test_when_a_rule_fires(venue: Served, when: dict[str, Any], hit: list[int]) -> None:
    venue.fault("5xx_before", **when)
    codes = [venue.call("POST", "/orders/preview", _body("")).status_code for _ in range(4)]
    assert [place for place, code in enumerate(codes) if code == 503] == hit
    if hit:
        assert venue.admin("faults")["faults"][0]["fired"] == len(hit)


def test_chance_is_the_seeds(tmp_path: Path) -> None:
    rules = tmp_path / "faults.yaml"
    rules.write_text("faults:\n  - {kind: 5xx_before, probability: 0.5, path: /time$}\n")

    def run(seed: int) -> list[int]:
        with serving(tmp_path, "--faults", rules, "--seed", str(seed), tls=False) as one:
            return [one.session.get(f"{one.url}{API}/time").status_code for _ in range(24)]

    first = run(1)
    assert run(1) == first != run(2) and set(first) == {200, 503}


WRONG: list[Any] = [
    {}, {"add": [{"kind": "nothing"}]}, {"add": [{"kind": "latency"}]}, {"add": [{"kind": "latency", "ms": "1"}]},
    {"add": [{"kind": "list_lag", "ms": 60_001}]}, {"add": [{"kind": "partial_fill", "fraction": "2"}]},
    {"add": [{"kind": "5xx_before", "wrong": 1}]}, {"add": [{"kind": "5xx_before", "path": "("}]},
    {"add": [{"kind": "delist", "product": "NO-USD"}]}, {"add": [{"kind": "5xx_before", "match": {"who": "me"}}]},
    {"add": [{"kind": "product_status", "product": "BTC-USD", "flags": {"strange": True}}]}, {"remove": []},
]  # fmt: skip


@pytest.mark.parametrize("body", WRONG)
def test_a_rule_that_makes_no_sense_is_refused(venue: Served, body: Any) -> None:
    answer = venue.session.post(f"{venue.url}/admin/faults", json=body)
    assert answer.status_code == 400 and answer.json()["message"]
    assert venue.admin("faults")["faults"] == []


def test_every_kind_is_tried_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []
