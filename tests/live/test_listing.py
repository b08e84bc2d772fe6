"""What the venue lists of a coin that is held cannot be read for a while."""

import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.live.conftest import Stage
from tests.live.stage import CASH, Venue, venue_served

BTC = "BTC-USD"
SPOILT: dict[str, Any] = {}  # of the product's row, while a test says so
GONE: set[str] = set()  # where there is no such product


@contextmanager
def between(venue: Venue) -> Iterator[Venue]:
    """The same venue behind a door that spoils one product's row."""
    there = urlsplit(venue.url).netloc
    trust = ssl.create_default_context(cafile=venue.folder / "ca.pem")

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self.wire = http.client.HTTPSConnection(there, context=trust, timeout=20)

        def finish(self) -> None:
            self.wire.close()
            super().finish()

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            named = {name: value for name, value in self.headers.items() if name.lower() != "accept-encoding"}
            self.wire.request(self.command, self.path, body or None, named)
            answer = self.wire.getresponse()
            content = spoilt(answer.read()) if "/products?" in self.path else answer.read()
            status = 404 if {"from the list", "by name"} == GONE and f"/products/{BTC}" in self.path else answer.status
            self.send_response(status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "connection", "date", "server", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *said: object) -> None:
            return

    door = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(venue.folder / "server.pem", venue.folder / "server.key")
    door.socket = tls.wrap_socket(door.socket, server_side=True)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    try:
        yield Venue(f"https://127.0.0.1:{door.server_port}", venue.folder, venue.truth)
    finally:
        door.shutdown()
        door.server_close()


def spoilt(body: bytes) -> bytes:
    document = json.loads(body)
    listed = [one for one in document["products"] if one["product_id"] != BTC or "from the list" not in GONE]
    document["products"] = [one | (SPOILT if one["product_id"] == BTC else {}) for one in listed]
    return json.dumps(document).encode()


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with venue_served(tmp_path_factory.mktemp("venue")) as served, between(served) as door:
        yield door


@pytest.fixture
def unreadable() -> Iterator[None]:
    yield
    SPOILT.clear()
    GONE.clear()


@pytest.mark.usefixtures("unreadable")
def test_a_held_coin_whose_rules_cannot_be_read_for_a_while_is_not_taken_for_delisted(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    assert live.cycle().code == 0
    before = live.checked()
    SPOILT["base_min_size"] = ""
    done, found = live.cycle(), live.checked()
    assert (done.code, done.data["positions"], done.data["placed"], done.data["equity"]) == (30, 1, 0, None), done.err
    assert done.data["problem"] == f"{BTC}: it is held, and what the venue lists of it cannot be read"
    assert (found.wrong, found.held, found.working) == ((), before.held, before.working)
    SPOILT.clear()
    done = live.settled()
    assert (done.code, done.data["positions"], live.checked().working) == (0, 1, before.working), done.err
    live.sim.price("57400.00")
    done, found = live.settled(), live.checked()
    assert (done.code, done.data["positions"], bool(found.held[BTC]), found.wrong) == (0, 0, False, ()), done.err


@pytest.mark.usefixtures("unreadable")
def test_a_list_that_is_cut_short_delists_nothing_that_the_venue_knows_by_name(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    assert live.cycle().code == 0
    before = live.checked()
    GONE.add("from the list")
    done, found = live.cycle(), live.checked()
    assert (done.code, done.data["positions"], done.data["equity"], found.working) == (30, 1, None, before.working)
    live.sim.fault({"kind": "truncated_json", "path": f"/products/{BTC}$"})
    assert live.cycle().data["positions"] == 1, "nobody said that it is gone"
    live.sim.cleared()
    GONE.clear()
    assert live.settled().code == 0 and live.checked().held == before.held
    GONE.update({"from the list", "by name"})
    done = live.cycle()
    assert done.data["positions"] == 0 and "delisted" in live.inside("status", "--json").out, done.err


@pytest.mark.usefixtures("unreadable")
def test_what_was_delisted_and_sold_by_hand_can_be_written_off(stage: Stage) -> None:
    """It was worth nothing in every figure already: no mark of a loss moves, and the loss is realised."""
    live = stage()
    live.sim.risen()
    assert live.cycle().code == 0
    GONE.update({"from the list", "by name"})
    equity = Decimal(live.cycle().data["equity"])
    assert live.inside("reconcile", "--json").data["differences"] == [], "it is there still"
    live.sim.admin("balances", BTC="0")
    told = live.inside("reconcile", "--json")
    assert (told.code, [one["kind"] for one in told.data["differences"]]) == (40, ["missing coins"]), told.err
    assert live.inside("reconcile").out.rstrip().splitlines()[-2] == "1 difference found; that alone closes no entries"
    assert live.inside("reconcile", "--apply", "--json").code == 40, "nobody has said why"
    done = live.inside("reconcile", "--apply", "--reason", "sold elsewhere", "--json")
    assert done.code == 0, done.err
    assert done.data["differences"] == []
    status = live.inside("status", "--json").data
    assert (status["delisted"], Decimal(status["equity"])) == ([], equity)
    assert Decimal(status["realised"]) == Decimal(status["cash"]) - CASH
    assert live.inside("liquidate", "--yes").code == 0


@pytest.mark.usefixtures("unreadable")
def test_a_decision_whose_stop_ended_with_a_listing_is_over(stage: Stage) -> None:
    """The ledger ends what rests in it, and nothing more comes of that."""
    live = stage()
    live.sim.risen()
    assert live.cycle().code == 0
    GONE.update({"from the list", "by name"})
    assert live.cycle().data["positions"] == 0
    assert live.inside("orders", "--json").data["open"] == 0
    told: Any = live.inside("decisions", "show", "1", "--json").document["data"]
    (record,) = told
    (stop,) = [one["client_order_id"] for one in record["events"] if one["detail"] == "STOP STOP stop"]
    last = [one for one in record["events"] if one["client_order_id"] == stop][-1]
    assert (last["kind"], last["detail"]) == ("closed", "CANCELED: delisted")


@pytest.mark.usefixtures("unreadable")
def test_coarser_steps_of_a_coin_that_is_held_make_it_no_dearer(stage: Stage) -> None:
    """0.00571822 are held, and from now on only 0.005 of them can be sold: at the price that was paid, no loss."""
    live = stage()
    live.sim.risen()
    assert live.cycle().code == 0
    SPOILT["base_increment"] = "0.001"
    done, found = live.settled(), live.checked()
    assert (done.code, done.data["positions"], done.data["realised"]) == (0, 1, "0"), done.err
    assert (list(found.working.values()), found.wrong) == (["SELL"], ())


@pytest.mark.usefixtures("unreadable")
@pytest.mark.parametrize(
    "rules",
    [
        {"base_increment": "0.01"},
        {"base_min_size": "0.01", "price_increment": "0.1"},
        {"quote_min_size": "1000", "price_increment": "0.1"},
    ],
)
def test_what_the_venue_would_not_take_again_keeps_the_stop_that_it_has(stage: Stage, rules: dict[str, str]) -> None:
    """0.00571822 are held, which is less than the new step or the new smallest order; the price follows other steps."""
    live = stage()
    live.sim.risen()
    assert live.cycle().code == 0
    before = live.sim.open_orders()
    SPOILT.update(rules)
    done, found = live.settled(), live.checked()
    assert (done.code, done.data["positions"], done.data["placed"], found.wrong) == (0, 1, 0, ()), done.err
    assert live.sim.open_orders() == before and len(before) == 1
    (held,) = live.inside("positions", "--json").data["positions"]
    assert held["dust"] and f" {held['stop']} " in live.inside("positions").out
    live.sim.price("57000.00")
    done, found = live.settled(), live.checked()
    assert (done.data["positions"], bool(found.held[BTC]), found.wrong) == (0, False, ()), done.err


@pytest.mark.usefixtures("unreadable")
@pytest.mark.parametrize(("smallest", "bought"), [("320", True), ("335", False)])
def test_what_could_not_be_protected_is_not_bought(stage: Stage, smallest: str, bought: bool) -> None:
    """About 344 would be, with a stop that is an order of about 327."""
    live = stage()
    SPOILT["quote_min_size"] = smallest
    live.sim.risen()
    done, found = live.settled(), live.checked()
    assert (done.code, found.wrong, list(found.working.values())) == (0, (), ["SELL"] if bought else []), done.err
    told = live.inside("why", "BTC").out
    assert ("MIN_NOTIONAL" in told) is not bought, told
