"""The commands: files with the right modes, one line when ready, a clean end, no answer to strangers, the truth."""

import json
import os
import signal
import socket
import stat
import threading
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jwt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from tests.loopback.served import API, Served, limit, market, serving, trader

MINUTE_MS = 60_000
DAY_MS = 86_400_000
START_MS = 1_700_000_000_000 // DAY_MS * DAY_MS


@pytest.mark.parametrize(("words", "alg"), [((), "-----BEGIN EC PRIVATE KEY-----"), (("--ed25519",), "")])
def test_cert_writes_what_is_needed_and_hides_what_is_secret(tmp_path: Path, words: Any, alg: str) -> None:
    done = trader("sim", "cert", tmp_path / "tls", "--json", *words)
    assert done.returncode == 0 and len(json.loads(done.stdout)["data"]["files"]) == 4
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()}
    assert modes == {"ca.pem": 0o644, "server.pem": 0o644, "server.key": 0o600, "api-key.json": 0o600}
    key = json.loads((tmp_path / "tls" / "api-key.json").read_text())
    assert set(key) == {"name", "privateKey"} and key["privateKey"].startswith(alg)
    assert ("organizations/" in key["name"]) == bool(alg) and (alg or len(key["privateKey"]) == 88)
    assert key["privateKey"] not in done.stdout + done.stderr


def test_cert_never_touches_a_key_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "api-key.json").write_text("mine")
    done = trader("sim", "cert", tmp_path)
    assert done.returncode == 2 and "was not made here" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["api-key.json"]
    assert (tmp_path / "api-key.json").read_text() == "mine"


def test_cert_makes_a_new_key_of_its_own(tmp_path: Path) -> None:
    assert trader("sim", "cert", tmp_path).returncode == 0
    first = (tmp_path / "api-key.json").read_text()
    assert trader("sim", "cert", tmp_path).returncode == 0
    assert (tmp_path / "api-key.json").read_text() != first


@pytest.mark.parametrize("words", [
    ("--realtime", "--data", "x"), ("--from", "2024-01-01"), ("--data", "nowhere"), ("--tls", "nowhere"),
    ("--faults", "nowhere"), ("--truth", "nowhere/x"), ("--key", "nowhere"),
    ("--data", "data", "--speed", "nan"), ("--realtime", "--speed", "inf"), ("--realtime", "--speed", "60"),
])  # fmt: skip
def test_what_cannot_be_served(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = trader("sim", "serve", "--port", "0", *words)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = trader("sim", "serve", "--port", port)
    assert done.returncode == 2 and port in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_while_a_client_waits(tmp_path: Path, number: int) -> None:
    with serving(tmp_path, "--realtime", tls=False) as served:
        served.fault("hang_before", path="/time$")
        waiting = threading.Thread(target=_ask, args=(served,))
        waiting.start()
        while not served.admin("faults")["faults"][0]["fired"]:
            time.sleep(0.01)
        os.kill(served.process.pid, number)
        _, errors = served.process.communicate(timeout=10)
        waiting.join()
    assert served.process.returncode == 0 and errors == ""


def _ask(served: Served) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{served.url}{API}/time", timeout=10)


# --- who is calling --------------------------------------------------------------------------------------------------


def _status(served: Served, token: str, path: str = "/accounts") -> int:
    answer = served.session.get(f"{served.url}{API}{path}", headers={"Authorization": f"Bearer {token}"})
    if answer.status_code == 401:
        assert answer.text.strip() == "Unauthorized" and answer.headers["content-type"].startswith("text/plain")
    return answer.status_code


def test_a_token_is_for_one_path_one_host_one_time(venue: Served) -> None:
    path, now_s = f"{API}/accounts", int(time.time())
    assert _status(venue, venue.token("GET", path)) == 200
    assert _status(venue, venue.token("GET", path, uris=[f"GET {venue.address}{path}"], uri="")) == 200
    wrong = [
        venue.token("POST", path),
        venue.token("GET", f"{API}/orders"),
        venue.token("GET", path, uri=f"GET api.coinbase.com{path}"),
        venue.token("GET", path, uri=f"GET http://{venue.address}{path}"),
        venue.token("GET", path, sub="organizations/a/apiKeys/b"),
        venue.token("GET", path, nbf=now_s + 60, exp=now_s + 180),
        venue.token("GET", path, nbf=now_s - 180, exp=now_s - 60),
        venue.token("GET", path, exp=now_s + 1_000),
        venue.token("GET", path, uri=[f"GET {venue.address}{path}"]),
        venue.token("GET", path, uris=[[f"GET {venue.address}{path}"]]),
        venue.token("GET", path)[:-4] + "AAAA",
        jwt.encode({"sub": venue.key["name"]}, "x" * 32, headers={"kid": venue.key["name"]}),
        "garbage",
        "",
    ]
    assert [_status(venue, token) for token in wrong] == [401] * len(wrong)


def test_what_a_key_may_not(venue: Served) -> None:
    venue.admin("permissions", {"can_trade": False, "can_transfer": True})
    answer = venue.call("POST", "/orders", {"client_order_id": "x"})
    assert answer.status_code == 403 and '"error_details":"Missing required scopes"' in answer.text
    assert venue.get("/key_permissions")["can_transfer"] is True


def test_a_key_comes_and_goes(venue: Served, ed25519: Served) -> None:
    assert ed25519.key["name"] in venue.admin("keys", ed25519.key)["keys"]
    assert venue.admin("keys", {"remove": ed25519.key["name"]})["keys"] == [venue.key["name"]]


def test_without_tls_the_scheme_may_stand_in_the_token(p256: Served) -> None:
    with serving(p256.folder, "--key", p256.folder / "api-key.json", tls=False) as plain:
        path = f"{API}/accounts"
        for uri in (f"GET {plain.address}{path}", f"GET {plain.url}{path}"):
            assert _status(plain, plain.token("GET", path, uri=uri)) == 200


def test_a_body_on_a_get_is_read(venue: Served) -> None:
    for _ in range(3):  # on one kept connection
        assert venue.session.get(f"{venue.url}{API}/time", json={}).status_code == 200


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"null", b"[" * 100_000, b'{"client_order_id": 5}'])
def test_a_body_that_is_no_order_is_refused(venue: Served, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {venue.token('POST', f'{API}/orders')}"}
    answer = venue.session.post(f"{venue.url}{API}/orders", data=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_ARGUMENT")


def test_unknown_paths_and_orders(venue: Served) -> None:
    assert venue.call("GET", "/nothing").json()["error"] == "NOT_FOUND"
    assert venue.call("GET", "/orders/historical/ghost").status_code == 404
    answer = venue.call("GET", "/orders/historical/batch", order_status=["OPEN", "FILLED"])
    assert answer.status_code == 400 and "OPEN" in answer.text


def test_orders_and_fills_are_filtered_alike(venue: Served) -> None:
    bought, sold = (venue.create(side, side, market(base_size="0.001")) for side in ("BUY", "SELL"))
    for query, found in (
        ({"order_side": "BUY"}, [bought]), ({"order_side": "SELL"}, [sold]), ({"product_type": "SPOT"}, [sold, bought]),
        ({"product_type": "FUTURE"}, []), ({"product_types": "FUTURE"}, []), ({"order_types": "LIMIT"}, []),
        ({"order_types": ["LIMIT", "MARKET"]}, [sold, bought]), ({"order_ids": bought}, [bought]),
        ({"product_ids": ["BTC-USDC", "ETH-USD"]}, []),
    ):  # fmt: skip
        for path, name in (("batch", "orders"), ("fills", "fills")):
            told = venue.get(f"/orders/historical/{path}", **query)[name]
            assert [one["order_id"] for one in told] == found, (path, query)


def test_what_cannot_be_edited(venue: Served) -> None:
    venue.fault("partial_fill", fraction="0.5", count=1)
    half = venue.create("half", "BUY", limit("0.1", "30000"))
    taken = venue.create("taken", "BUY", market(quote_size="20"))
    before = venue.money()
    wanted = {
        "CANNOT_EDIT_TO_BELOW_FILLED_SIZE": (half, "0.04", "30000"),
        "INVALID_EDITED_SIZE": (half, None, "30000"),
        "ORDER_NOT_FOUND": (taken, "1", "30000"),
    }
    for word, (order_id, size, price) in wanted.items():
        answer = venue.post("/orders/edit", {"order_id": order_id, "price": price, "size": size})
        assert answer["success"] is False and answer["errors"][0]["edit_failure_reason"] == word
    for price, size, word in (
        ("90000", "0.1", "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY"), ("30000", "9", "PREVIEW_INSUFFICIENT_FUND"),
    ):  # fmt: skip
        answer = venue.post("/orders/edit", {"order_id": half, "price": price, "size": size})
        assert answer["errors"][0]["preview_failure_reason"] == word
    assert venue.money() == before and venue.order(half)["edit_history"] == []
    assert venue.post("/orders/edit", {"order_id": half, "price": "30000", "size": "0.05"})["success"] is True
    assert venue.order(half)["status"] == "FILLED" and venue.money()["USD"][1] == 0


def test_an_edit_trades_only_where_a_new_order_would(venue: Served) -> None:
    """Each order rests far below, and is given a price at which it would be filled at once."""
    for place, (flag, word, status) in enumerate([
        ("trading_disabled", "PREVIEW_TRADING_DISABLED", "OPEN"),
        ("cancel_only", "PREVIEW_ORDER_ENTRY_DISABLED", "OPEN"),
        ("auction_mode", "", "FILLED"),
    ]):  # fmt: skip
        resting = venue.create(f"rests {place}", "BUY", limit("0.01", "30000", post_only=False))
        venue.admin("product", {"product": "BTC-USD", "flags": {flag: True}})
        answer = venue.post("/orders/edit", {"order_id": resting, "price": "90000", "size": "0.01"})
        assert [one["preview_failure_reason"] for one in answer["errors"]] == ([word] if word else [])
        assert answer["success"] is (word == "") and venue.order(resting)["status"] == "OPEN"
        venue.admin("product", {"product": "BTC-USD", "flags": {flag: False}})
        venue.admin("price", {"product": "BTC-USD", "price": "60000"})
        assert venue.order(resting)["status"] == status


# --- what tests may do -----------------------------------------------------------------------------------------------


def test_prices_move_at_once(venue: Served) -> None:
    bought = venue.create("dip", "BUY", limit("0.5", "50000"))
    stop = {"stop_limit_stop_limit_gtc": {
        "base_size": "0.1", "stop_price": "49000", "limit_price": "48000",
        "stop_direction": "STOP_DIRECTION_STOP_DOWN"}}  # fmt: skip
    kept = venue.create("stop", "SELL", stop)
    assert venue.order(kept)["trigger_status"] == "STOP_PENDING"
    said = venue.admin("price", {"product": "BTC-USD", "bid": "49900", "ask": "49950"})
    assert said == {"bid": "49900", "ask": "49950", "last": "49925"}
    assert venue.order(bought)["status"] == "FILLED" and venue.order(bought)["average_filled_price"] == "50000"
    assert venue.get("/orders/historical/fills", order_ids=bought)["fills"][0]["liquidity_indicator"] == "MAKER"
    venue.admin("price", {"product": "BTC-USD", "price": "48900"})
    order = venue.order(kept)
    assert (order["trigger_status"], order["status"]) == ("STOP_TRIGGERED", "FILLED")
    assert 48_000 <= float(order["average_filled_price"]) < 48_900
    assert venue.get("/products/BTC-USDC")["price"] == "48900"


def test_middle_and_spread_are_those_of_the_levels_that_are_shown(venue: Served) -> None:
    """Our own order between the others is the best bid, on the product and on its other name."""
    venue.admin("price", {"product": "BTC-USD", "bid": "50000", "ask": "50010"})
    venue.create("best", "BUY", limit("0.01", "50006"))
    for product in ("BTC-USD", "BTC-USDC"):
        told = venue.get("/product_book", product_id=product, limit=1)
        assert [one["price"] for side in ("bids", "asks") for one in told["pricebook"][side]] == ["50006", "50010"]
        assert (told["mid_market"], told["spread_absolute"], told["last"]) == ("50008", "4", "50005")
        assert told["spread_bps"].startswith("0.79987202")


def test_a_path_of_prices_is_walked_and_seen_in_the_candles(venue: Served) -> None:
    path = [{"after_ms": 61_000, "price": "55000"}, {"after_ms": 62_000, "price": "70000"}]
    venue.admin("price", {"product": "BTC-USD", "price": "60000"})
    venue.admin("price", {"product": "BTC-USD", "path": path})
    now_ms = venue.admin("clock", {"advance_ms": 70_000})["now_ms"]
    query = {"start": str(now_ms // 1_000 - 180), "end": str(now_ms // 1_000), "granularity": "ONE_MINUTE"}
    candles = venue.get("/products/BTC-USD/candles", **query)["candles"]
    assert max(float(one["high"]) for one in candles) == 70_000 and candles[0]["close"] == "70000"
    assert 55_000 in [float(one["low"]) for one in candles]


def test_what_happened_since_the_last_look_has_its_own_time(tmp_path: Path, p256: Served) -> None:
    """Two coins fall one after the other in an hour that goes by at once; each fill and each change tells when."""
    falls = (("BTC-USD", 50_000, 600), ("BTC-USD", 45_000, 1_800), ("ETH-USD", 2_000, 1_200))
    truth = tmp_path / "truth.jsonl"
    with serving(p256.folder, "--realtime", "--truth", truth) as served:
        asked = [served.create(f"{price}", "BUY", limit("0.01", f"{price}"), product) for product, price, _ in falls]
        for product in ("BTC-USD", "ETH-USD"):
            path = [{"after_ms": s * 1_000, "price": f"{price - 100}"} for one, price, s in falls if one == product]
            served.admin("price", {"product": product, "path": path})
        began_s = served.admin("clock")["now_ms"] / 1_000
        served.admin("clock", {"advance_ms": 3_600_000})
        told = [json.loads(line) for line in truth.read_text().splitlines()]
        for order_id, (_, _, after_s) in zip(asked, falls, strict=True):
            times = {one["at"] for one in told if one["order_id"] == order_id and one["kind"] != "order"}
            assert len(times) == 2 and served.order(order_id)["last_fill_time"] in times
            assert all(abs(datetime.fromisoformat(at).timestamp() - began_s - after_s) < 10 for at in times)


def test_an_order_of_a_stranger(venue: Served) -> None:
    body = {"client_order_id": "theirs", "product_id": "ETH-USD", "side": "SELL"}
    venue.admin("orders", body | {"order_configuration": limit("1", "5000")})
    assert [one["client_order_id"] for one in venue.get("/orders/historical/batch")["orders"]] == ["theirs"]


def test_money_comes_and_goes(venue: Served) -> None:
    venue.admin("deposit", {"currency": "USD", "amount": "50.5"})
    venue.admin("withdraw", {"currency": "BTC", "amount": "1"})
    venue.admin("balances", {"SOL": "3", "wallets": 300})
    money = venue.money()
    assert (money["USD"][0], money["BTC"][0], money["SOL"][0]) == (Decimal("100050.5"), Decimal(1), Decimal(3))
    assert len(venue.get("/accounts", limit=250)["accounts"]) == 250
    assert venue.get("/accounts", limit=250)["has_next"] is True
    gone = venue.session.post(f"{venue.url}/admin/withdraw", json={"currency": "BTC", "amount": "9"})
    assert gone.status_code == 400 and venue.money()["BTC"][0] == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("balances", {"ETH": "5", "USD": "-1"}),
        ("balances", {"ETH": "5", "USD": "10"}),  # an order keeps more
        ("balances", {"ETH": "5", "wallets": "many"}),
        ("withdraw", {"currency": "SOL", "amount": "1"}),
        ("product", {"product": "BTC-USD", "status": "asleep", "flags": {"cancel_only": True}}),
        ("permissions", {"can_trade": "no"}),
        ("permissions", {"can_view": False, "can_fly": True}),
        ("faults", {"replace": [{"kind": "no such kind"}]}),
        ("faults", {"replace": [], "add": [{"kind": "latency"}]}),
        ("faults", {"clear": True, "add": {}}),
        ("clock", {"set_ms": 1_800_000_000_000_000}),  # microseconds
        ("price", {"product": "BTC-USD", "path": [{"after_ms": 0, "price": "50000"}, {"after_ms": 0, "price": "1"}]}),
    ],
)
def test_what_makes_no_sense_changes_nothing(venue: Served, path: str, body: dict[str, Any]) -> None:
    venue.fault("fills_in_quote", product="ETH-USD")
    venue.create("rests", "BUY", limit("0.01", "30000"))
    before = venue.admin("state")
    answer = venue.session.post(f"{venue.url}/admin/{path}", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "MISUSED")
    after = venue.admin("state")
    assert 0 <= after.pop("now_ms") - before.pop("now_ms") < 60_000 and after == before


def test_the_fee_tier_follows_the_volume(venue: Served) -> None:
    assert venue.admin("volume", {"volume": "1000"})["taker_fee_rate"] == "0.0075"
    order = venue.order(venue.create("cheap", "BUY", market(base_size="0.01")))
    assert float(order["total_fees"]) == pytest.approx(float(order["filled_value"]) * 0.0075)


def test_an_order_ends_when_its_time_is_over(venue: Served) -> None:
    now_s = venue.admin("clock")["now_ms"] // 1_000
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s + 20))
    fields = {"base_size": "0.01", "limit_price": "30000", "end_time": end, "post_only": True}
    order_id = venue.create("timed", "BUY", {"limit_limit_gtd": fields})
    venue.admin("clock", {"advance_ms": 18_000})
    assert venue.order(order_id)["status"] == "OPEN"
    venue.admin("clock", {"advance_ms": 4_000})
    assert venue.order(order_id)["status"] == "EXPIRED" and venue.money()["USD"][1] == 0


def test_the_truth_has_every_order_change_and_fill_and_nothing_else(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    truth.write_text('{"kind":"before"}\n')
    assert trader("sim", "cert", tmp_path).returncode == 0
    with serving(tmp_path, "--truth", truth) as served:
        rests = served.create("rests", "BUY", limit("0.01", "30000"))
        served.create("refused", "BUY", limit("9", "30000"))
        served.create("rests", "BUY", limit("0.01", "30000"))
        served.post("/orders/batch_cancel", {"order_ids": [rests, rests, "ghost"]})
        served.create("bought", "BUY", market(quote_size="20"))
        fills = served.admin("state")["fills"]
        served.process.kill()
    lines = [json.loads(line) for line in truth.read_text().splitlines()]
    told = [(one["kind"], one.get("client_order_id", ""), one.get("state", "")) for one in lines]
    assert told == [
        ("before", "", ""), ("order", "rests", ""), ("state", "rests", "cancelled"), ("order", "bought", ""),
        ("fill", "bought", ""), ("state", "bought", "filled"),
    ]  # fmt: skip
    assert [one["entry_id"] for one in lines if one["kind"] == "fill"] == [one["entry_id"] for one in fills]


# --- replay ----------------------------------------------------------------------------------------------------------


def _folder(tmp_path: Path, minutes: int = 600) -> Path:
    """A rising market in minutes: bar n opens at 100 + n / 10."""
    ts = START_MS + np.arange(minutes, dtype=np.int64) * MINUTE_MS
    opened = 100 + np.arange(minutes) / 10
    columns = {"open": opened, "high": opened + 0.3, "low": opened - 0.2, "close": opened + 0.1}
    table = {"ts": pa.array(ts, pa.timestamp("ms", "UTC")), **columns, "volume": np.full(minutes, 50.0)}
    folder = tmp_path / "data" / "BTC-USD"
    folder.mkdir(parents=True)
    pq.write_table(pa.table(table), folder / "1m.parquet")
    return folder.parent


def test_a_replay_stands_still_until_it_is_told(tmp_path: Path, p256: Served) -> None:
    words = ("--data", _folder(tmp_path), "--from", _text(START_MS + 300 * MINUTE_MS), "--speed", "0")
    with serving(p256.folder, *words) as served:
        assert int(served.get("/time")["epochMillis"]) == START_MS + 300 * MINUTE_MS
        assert served.get("/products/BTC-USD")["price"] == "130"
        assert [one["product_id"] for one in served.get("/products")["products"]] == ["BTC-USD", "BTC-USDC"]
        asked = served.create("above", "SELL", limit("1", "133"))
        served.admin("clock", {"advance_ms": 10 * MINUTE_MS})
        assert served.order(asked)["status"] == "OPEN"
        start = (START_MS + 300 * MINUTE_MS) // 1_000
        query = {"start": str(start), "end": str(start + 660), "granularity": "FIVE_MINUTE"}
        newest, second, third = served.get("/products/BTC-USD/candles", **query)["candles"]
        assert newest == {
            "start": str(start + 600), "low": "131", "high": "131", "open": "131", "close": "131", "volume": "12.5",
        }  # fmt: skip
        assert (third["open"], third["low"], third["high"], third["close"]) == ("130", "129.8", "130.7", "130.5")
        assert third["volume"] == second["volume"] == "250"
        served.admin("clock", {"advance_ms": 60 * MINUTE_MS})
        order = served.order(asked)
        assert (order["status"], order["average_filled_price"]) == ("FILLED", "133")
        backwards = served.session.post(f"{served.url}/admin/clock", json={"set_ms": START_MS})
        assert backwards.status_code == 400


def test_where_nothing_was_traded_there_is_no_candle_and_no_trade(tmp_path: Path, p256: Served) -> None:
    """The third and the fourth minute are missing, and the second has no volume."""
    folder = _folder(tmp_path, 6)
    table = pq.read_table(folder / "BTC-USD" / "1m.parquet").to_pydict()
    table["volume"][1] = 0.0
    kept = {name: [column[row] for row in (0, 1, 4, 5)] for name, column in table.items()}
    pq.write_table(pa.table(kept), folder / "BTC-USD" / "1m.parquet")
    first_s = START_MS // 1_000
    asked = {"start": str(first_s), "end": str(first_s + 600), "granularity": "ONE_MINUTE"}
    words = ("--data", folder, "--from", _text(START_MS), "--to", _text(START_MS + 10 * MINUTE_MS), "--speed", "0")
    with serving(p256.folder, *words) as served:
        for at_s, minutes, newest in ((30, [0], 30), (70, [0], 45), (150, [1, 0], 45), (245, [4, 1, 0], 240)):
            served.admin("clock", {"set_ms": START_MS + at_s * 1_000})
            candles = served.get("/products/BTC-USD/candles", **asked)["candles"]
            assert [int(one["start"]) - first_s for one in candles] == [60 * minute for minute in minutes]
            trades = served.get("/products/BTC-USD/ticker", limit=3)["trades"]
            assert len(trades) == 3 and all(float(one["size"]) > 1 for one in trades)
            assert datetime.fromisoformat(trades[0]["time"]).timestamp() - first_s == newest


def test_the_newest_trade_is_at_the_price_that_was_just_put_there(venue: Served) -> None:
    for price in ("60000", "61000"):
        venue.admin("price", {"product": "BTC-USD", "price": price})
        newest = venue.get("/products/BTC-USD/ticker", limit=3)["trades"]
        assert newest[0]["price"] == price == venue.get("/products/BTC-USD")["price"]
        assert len({one["trade_id"] for one in newest}) == 3


def test_a_replay_has_a_speed_and_an_end(tmp_path: Path, p256: Served) -> None:
    end_ms = START_MS + 302 * MINUTE_MS
    words = ("--data", _folder(tmp_path), "--from", _text(START_MS + 300 * MINUTE_MS), "--to", _text(end_ms))
    with serving(p256.folder, *words, "--speed", "600") as served:
        for _ in range(100):
            if served.admin("clock")["now_ms"] == end_ms:
                break
            time.sleep(0.02)
        assert int(served.get("/time")["epochMillis"]) == end_ms


def _text(at_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms / 1_000))
