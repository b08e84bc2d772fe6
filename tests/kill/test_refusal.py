"""What a flatten takes for a refusal: only what says that nothing was sold is written down as that."""

from decimal import Decimal
from pathlib import Path
from time import monotonic

import pytest

from tests.net.wire import Clock, http, reply, serving
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
    clock = Clock()
    with serving(*(reply(200, payload(one)) for one in BEFORE), reply(200, answer)) as server:
        client = CoinbaseClient(http(server.url, clock), KEY, clock.now_s, Urgency.KILL)
        selling = Flattening(client, tmp_path, Progress(), monotonic() + 5)
        selling.run({"BTC-USD": Decimal("0.01")})
    (told,) = selling.unsold
    assert told.startswith("0.01 BTC-USD not sold: refused: ")
    assert len(sales(tmp_path)) == may_have_sold
