"""Every fault while a resting purchase is canceled: it is gone, or it was filled and has its stop."""

import pytest

from tests.live.conftest import Stage
from tests.live.faults import CANCELS, FAULTS, ORDERS, faults_at, strike
from tests.live.stage import Live

FATE = {**dict.fromkeys(FAULTS, "done 21"), "repeat_cursor": "done 30"}


def without_purchases(live: Live) -> bool:
    """Nothing is being bought any more, and what was bought has its stop."""
    checked = live.checked()
    sides = list(checked.working.values())
    return sides == (["SELL"] if any(checked.held.values()) else [])


def killed(live: Live) -> Live:
    """A purchase that rests, and an order to stop."""
    live.sim.risen()
    done = live.cycle()
    assert (done.code, done.data["placed"], done.data["positions"]) == (0, 1, 0), done.err
    (live.state / "KILL_SWITCH").touch()
    return live


@pytest.mark.parametrize("kind", faults_at("cancel"))
def test_a_cancel_meets_a_fault(stage: Stage, kind: str) -> None:
    live = killed(stage(policy__orders__maker_ttl_bars=9))
    assert strike(live, kind, "cancel", without_purchases) == FATE[kind]
    assert without_purchases(live)


def test_a_cancel_that_never_gets_through_is_told(stage: Stage) -> None:
    """Half of the purchase was filled, its stop was not taken at first, and is placed now all the same."""
    live = stage(policy__orders__maker_ttl_bars=9)
    live.sim.risen()
    live.sim.fault(
        {"kind": "partial_fill", "fraction": "0.5", "side": "BUY", "count": 1},
        {"kind": "unauthorized_text", "method": "POST", "path": ORDERS, "side": "SELL"},
    )
    done = live.cycle()
    assert (done.data["positions"], list(live.checked().working.values())) == (1, ["BUY"]), done.err
    (live.state / "KILL_SWITCH").touch()
    live.sim.fault({"kind": "expired_token", "method": "POST", "path": CANCELS})
    done = live.cycle()
    assert (done.code, done.data["problem"]) == (30, "BTC-USD: its ENTRY is not canceled")
    assert (sorted(live.checked().working.values()), live.checked().wrong) == (["BUY", "SELL"], ())
    live.sim.cleared()
    assert live.cycle().code == 21
    assert without_purchases(live)
