"""Every fault while a position is closed: sold once and whole, or the run says that it is not."""

import pytest

from tests.live.conftest import Stage
from tests.live.faults import BTC, FAULTS, faults_at, strike
from tests.live.stage import Live

FATE = {
    **dict.fromkeys(FAULTS, "done 0"),
    **dict.fromkeys(("429_json", "429_html", "expired_token", "unauthorized_text", "partial_fill"), "later 42"),
    **dict.fromkeys(("5xx_before", "maintenance_html"), "unknown 41"),
    "list_lag": "done 40",
    "repeat_cursor": "done 30",
    "product_status": "not done 30",
    "delist": "not done 42",
}


def flat(live: Live) -> bool:
    checked = live.checked()
    return not checked.held[BTC] and not checked.working


def fallen(live: Live) -> Live:
    """A position is held, and its price has gone to where it is left."""
    live.sim.risen()
    done = live.cycle()
    assert (done.code, done.data["positions"]) == (0, 1), done.err
    live.sim.price("95000.00")
    return live


def test_an_exit_that_the_venue_never_looked_at_waits_for_no_other_decision(stage: Stage) -> None:
    """It was not refused: what counts refusals does not count it."""
    assert strike(fallen(stage()), "429_json", "exit", flat) == FATE["429_json"] == "later 42"


@pytest.mark.parametrize("kind", [one for one in faults_at("exit") if one != "429_json"])
def test_an_exit_meets_a_fault(stage: Stage, kind: str) -> None:
    live = fallen(stage())
    assert strike(live, kind, "exit", flat) == FATE[kind]
    if kind == "product_status":  # the stop stays where it is
        assert list(live.checked().working.values()) == ["SELL"]
