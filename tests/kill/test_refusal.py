"""What a flatten takes for a refusal: only what says that nothing was sold is written down as that."""

import json
import socket
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.net.wire import Act, Clock, http, reply, serving
from tests.venues.coinbase.keys import KEY
from tests.venues.coinbase.payloads import payload
from trader_core.kill.reach.flatten import Flattening
from trader_core.kill.run import Progress
from trader_core.kill.sales import sales
from trader_core.net.buckets import Urgency
from trader_core.venues.coinbase.client import CoinbaseClient

BEFORE = ("accounts_list_two", "product_btc_usd_2026", "product_book_5_levels")
FUNDS = payload("create_order_error_insufficient_fund")
ITS_OWN = b'{"success": false, "error_response": {"error": "%s"}}'


@pytest.mark.parametrize(
    ("answer", "may_have_sold"),
    [(FUNDS, 0), *((ITS_OWN % word, 1) for word in (b"DEADLINE_EXCEEDED", b"UNKNOWN_FAILURE_REASON"))],
    ids=["funds", "late", "unknown"],
)
def test_a_refusal_for_the_venues_own_reasons_says_nothing_of_what_was_sold(
    tmp_path: Path, answer: bytes, may_have_sold: int
) -> None:
    (told,) = flattened(tmp_path, *map(payload, BEFORE), answer)
    assert told.startswith("0.01 BTC-USD not sold: refused: ")
    assert len(sales(tmp_path)) == may_have_sold


def test_a_wallet_in_debt_keeps_no_other_from_being_sold(tmp_path: Path) -> None:
    accounts, *others = map(payload, BEFORE)
    document = json.loads(accounts)
    document["accounts"][1]["available_balance"]["value"] = "-0.01"
    (told,) = flattened(tmp_path, json.dumps(document).encode(), *others, FUNDS)
    assert told.startswith("0.01 BTC-USD not sold: refused: ")


TAKEN = b'{"error": "DUPLICATE_CLIENT_ORDER_ID", "message": "the id is taken"}'
REFUSALS = {
    "funds": reply(200, FUNDS),
    "taken": reply(200, ITS_OWN % b"DUPLICATE_CLIENT_ORDER_ID"),
    "taken_400": reply(400, TAKEN),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_that_the_second_sending_is_refused_says_nothing_of_the_first(tmp_path: Path, refusal: bytes) -> None:
    """The first one sold, its answer was lost, and the list shows it a moment later."""
    clock, progress = Clock(), Progress()
    with serving() as server:

        def shown(wrap: Callable[[dict[str, Any]], dict[str, Any]]) -> Act:
            def act(connection: socket.socket) -> None:
                (sent, *_) = (json.loads(one.body) for one in server.requests if one.method == "POST")
                order = json.loads(payload("order_open_limit_gtc"))["order"]
                told = {"client_order_id": sent["client_order_id"], "status": "FILLED", "filled_size": "0.01"}
                connection.sendall(reply(200, json.dumps(wrap(order | told)).encode()))

            return act

        def listed(order: dict[str, Any]) -> dict[str, Any]:
            return {"orders": [order], "has_next": False}

        nothing, book = reply(200, b'{"orders": [], "has_next": false}'), reply(200, payload(BEFORE[-1]))
        server.script += [reply(200, payload(one)) for one in BEFORE]
        server.script += [reply(503), nothing, refusal, nothing, shown(listed), shown(lambda order: {"order": order})]
        server.script.append(book)
        client = CoinbaseClient(http(server.url, clock), KEY, clock.now_s, Urgency.KILL)
        selling = Flattening(client, tmp_path, progress, monotonic() + 5)
        selling.run({"BTC-USD": Decimal("0.01")})
    assert selling.unsold == []
    assert [one["quantity"] for one in progress.sold] == ["0.01"]
    assert len([one for one in server.requests if one.method == "POST"]) == 2


def flattened(state: Path, *answers: bytes) -> list[str]:
    """What a flatten of 0.01 BTC could not sell, by these answers."""
    clock = Clock()
    with serving(*(reply(200, one) for one in answers)) as server:
        client = CoinbaseClient(http(server.url, clock), KEY, clock.now_s, Urgency.KILL)
        selling = Flattening(client, state, Progress(), monotonic() + 5)
        selling.run({"BTC-USD": Decimal("0.01")})
    return selling.unsold
