"""What a cycle asks of the venue, and what the modes without money make of a real one."""

import time

import pytest

from tests.live.conftest import Stage
from tests.live.faults import PROVING
from tests.live.stage import BAR_MS, MINUTE_MS, SETTLED_MS, Live, Venue, now_ms

FIXED = 8


def counting(venue: Venue) -> None:
    """A rule that does nothing, and counts."""
    venue.fault({"kind": "latency", "ms": 0, "path": "^/api/"})


def within_a_bar(live: Live) -> int:
    """Requests of a cycle of a bar that was looked at already."""
    for _ in range(3):
        live.cycle()
        before, bar = live.sim.fired(), (now_ms() - SETTLED_MS) // BAR_MS
        assert live.cycle().code == 0
        if (now_ms() - SETTLED_MS) // BAR_MS == bar:
            return live.sim.fired() - before
    raise AssertionError("a bar closed each time")


def test_each_fact_is_read_once_a_cycle(stage: Stage, venue: Venue) -> None:
    live = stage("BTC", "ETH", "SOL", "XRP")
    for product in ("BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"):  # a market that stands still
        venue.admin("price", product=product, path=[{"after_ms": -30 * MINUTE_MS, "price": "100.00"}])
    live.cycle()
    counting(venue)
    assert within_a_bar(live) <= FIXED + 4


def test_what_a_person_has_traded_since_our_newest_fill_is_not_looked_at_order_by_order(
    stage: Stage, venue: Venue
) -> None:
    """The venue is a quarter of an hour further, so that the newest orders are none of theirs."""
    live = stage("BTC")
    venue.risen()
    assert live.cycle().data["positions"] == 1
    venue.price("57400.00")
    assert live.cycle().data["positions"] == 0
    terms = {"market_market_ioc": {"quote_size": "9"}}
    for n in range(5):
        by_hand = {"client_order_id": f"by-hand-{n}", "product_id": "ETH-USD", "side": "BUY"}
        venue.admin("orders", **by_hand, order_configuration=terms)
    venue.admin("clock", advance_ms=15 * MINUTE_MS)
    one_by_one = {"kind": "latency", "ms": 0, "path": "/orders/historical/[0-9a-f]{8}-"}
    venue.fault({"kind": "clock_skew", "ms": 15 * MINUTE_MS, "path": "^(?!.*/time$)"}, one_by_one)
    before = looked_at_alone(venue)
    done = live.cycle()
    assert list(done.data["discrepancies"]) == ["USD"], done.err
    assert looked_at_alone(venue) == before


def looked_at_alone(venue: Venue) -> int:
    """How often an order was looked at by itself."""
    return int(venue.state()["faults"][-1]["fired"])


@pytest.mark.skipif(not PROVING, reason="waits for a bar to close: make prove-faults")
def test_when_a_bar_has_closed_its_candles_are_asked_for_too(stage: Stage, venue: Venue) -> None:
    live = stage("BTC", "ETH", "SOL", "XRP", policy__cycle__base_bar_min=1)
    for product in ("BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"):
        venue.admin("price", product=product, path=[{"after_ms": -30 * MINUTE_MS, "price": "100.00"}])
    live.cycle()
    counting(venue)
    began, minute = venue.fired(), (now_ms() - SETTLED_MS) // MINUTE_MS
    while (now_ms() - SETTLED_MS) // MINUTE_MS == minute:
        time.sleep(0.2)
    live.cycle()
    asked = venue.fired() - began
    assert FIXED < asked <= FIXED + 2 * 4


def test_a_dry_run_decides_on_the_real_market_and_needs_no_key(stage: Stage, venue: Venue) -> None:
    live = stage("BTC")
    live.configured(mode="DRY_RUN")
    venue.risen("BTC-USD")
    live.presenting(None)
    done = live.inside("run-cycle", "--equity", "5000", "--json")
    assert done.code == 0, done.err
    assert [(one["symbol"], one["role"]) for one in done.data["orders"]] == [("BTC-USD", "ENTRY")]
    assert done.data["placed"] == 0
    assert venue.state()["orders"] == []


def test_a_dry_run_with_a_key_knows_the_cash_and_the_fees(stage: Stage) -> None:
    live = stage("BTC")
    live.configured(mode="DRY_RUN")
    done = live.inside("run-cycle", "--json")
    assert (done.code, done.data["equity"]) == (0, "10000")


def test_paper_on_the_real_market_is_an_account_of_its_own(stage: Stage, venue: Venue) -> None:
    live = stage("BTC")
    live.configured(mode="PAPER")
    venue.risen("BTC-USD")
    live.presenting(None)
    first = live.inside("run-cycle", "--json")
    assert first.code == 0, first.err
    assert first.data["placed"] == 1
    assert venue.state()["orders"] == []
    again = live.inside("preview", "--json")
    assert again.code == 0, again.err


def test_where_nobody_answers_the_cycle_says_so(stage: Stage) -> None:
    live = stage("BTC")
    live.configured(mode="DRY_RUN", exchange__venue_url="http://127.0.0.1:9")
    live.presenting(None)
    done = live.inside("run-cycle", "--equity", "5000", "--json")
    assert done.code == 30
    assert "does not say what it lists: " in done.data["problem"]
    assert "cannot be reached" in done.data["problem"]


def test_a_pair_that_is_another_name_of_one_is_told_as_that_and_not_as_unlisted(stage: Stage) -> None:
    """The venue lists BTC-USDC, and its book is that of BTC-USD."""
    live = stage("BTC")
    live.configured(mode="DRY_RUN", exchange__quote="USDC")
    done = live.inside("preview")
    assert "BTC-USDC: it has no book but that of BTC-USD" in " ".join(done.out.split()), done.out


def test_why_an_order_ended_is_told_in_the_words_of_the_venue(stage: Stage) -> None:
    """Beside its words stands that there was no reason to reject the order."""
    live = stage("BTC", policy__exits__break_even_at_pct=1)
    live.sim.fault({"kind": "partial_fill", "fraction": "0.6", "side": "BUY", "count": 1})
    live.sim.risen()
    assert live.cycle().code == 0
    live.sim.price("61500.00")
    assert live.cycle().code == 0
    notes = {one["role"]: one["note"] for one in live.inside("orders", "--all", "--json").data["orders"] if one["note"]}
    assert notes == {"ENTRY": "the remainder found nobody", "STOP": "User requested cancel"}
