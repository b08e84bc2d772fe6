"""A reading that fails closes entries and nothing else: the cycle runs to its end, and says what it could not see."""

import pytest

from tests.live.conftest import Stage
from tests.live.faults import PROVING
from tests.live.stage import seen
from trader_core.prove.checker import told_by

API = "^/api/v3/brokerage"
READINGS = {
    "products": rf"{API}/products$",
    "candles": r"/candles$",
    "books": r"/product_book$",
    "accounts": r"/accounts$",
    "fees": r"/transaction_summary$",
    "orders": r"/orders/historical/batch$",
    "fills": r"/orders/historical/fills$",
}
KINDS = ("unauthorized_text", "5xx_before", "truncated_json")
CODE = {**dict.fromkeys(KINDS, 30), "unauthorized_text": 11}
MARKETS = ("candles", "books", "products")
PAIRS = [(one, kind) for one in MARKETS for kind in KINDS] if PROVING else [("candles", "unauthorized_text")]


def kinds_for(reading: str) -> tuple[str, ...]:
    """In the suite each reading fails in one way."""
    return KINDS if PROVING else (KINDS[list(READINGS).index(reading) % len(KINDS)],)


@pytest.mark.parametrize("reading", READINGS if PROVING else ["books", "accounts", "fills"])
def test_a_reading_that_fails_closes_entries_and_leaves_the_stop(stage: Stage, reading: str) -> None:
    live = stage()
    live.sim.risen()
    assert live.cycle().code == 0
    before = live.checked()
    for kind in kinds_for(reading):
        live.sim.fault({"kind": kind, "path": READINGS[reading], "count": 8})
        done = live.cycle()
        assert "Traceback" not in done.err
        assert live.sim.fired() > 0 or reading == "candles"  # of a bar that is known already, none is asked for
        if live.sim.fired() > 3:
            assert (kind, done.code) == (kind, CODE[kind]), done.err
            assert done.data["problem"]
        live.sim.cleared()
        assert live.checked() == before
        assert seen(live, [done]) == []
    assert live.settled().code == 0


@pytest.mark.parametrize(("reading", "kind"), PAIRS)
def test_without_a_market_nothing_is_bought(stage: Stage, reading: str, kind: str) -> None:
    live = stage()
    live.sim.risen()
    live.sim.fault({"kind": kind, "path": READINGS[reading]})
    done = live.cycle()
    assert done.code == CODE[kind], done.err
    assert done.data["problem"]
    assert told_by(live.journal).intents == {}


def test_a_venue_that_was_asked_too_often_is_told_from_one_that_is_away(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is asked for silence keeps it for a second at least, before each of its tries."""
    monkeypatch.setattr("trader_core.net.session.RETRIES", 1)
    live = stage()
    live.sim.risen()
    assert live.cycle().code == 0
    live.sim.fault({"kind": "429_json", "path": READINGS["accounts"]})
    done, by_hand = live.cycle(), live.inside("reconcile", "--json")
    live.sim.cleared()
    assert (done.code, by_hand.code) == (31, 31), done.err + by_hand.err
    assert (done.document["exit_name"], done.data["placed"]) == ("RATE_LIMITED", 0)
    assert done.data["problem"]


def test_a_key_that_is_refused_is_told_from_a_venue_that_is_away(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    assert live.cycle().code == 0
    live.sim.fault({"kind": "unauthorized_text", "path": READINGS["accounts"]})
    done, by_hand = live.cycle(), live.inside("reconcile", "--json")
    live.sim.cleared()
    assert (done.code, by_hand.code) == (11, 11), done.err + by_hand.err
    assert "look at the key" in by_hand.err


def test_a_venue_whose_time_has_left_ours_closes_entries_at_once(stage: Stage) -> None:
    """Also within the hour for which a sound reading of the clock is good."""
    live = stage()
    assert (live.state / "clock.json").exists()
    live.sim.risen()
    live.sim.fault({"kind": "clock_skew", "ms": 60_000})
    done = live.cycle()
    assert (done.code, told_by(live.journal).intents) == (12, {}), done.out
    assert "behind the venue" in done.data["objections"][0]
