"""Every fault of the venue at every step: whatever breaks, one venue order per intent, all of them ours, and the
ledger is the venue's."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.live.conftest import Stage
from tests.live.stage import Live, wait_for_room

ORDERS, CANCELS, LISTS = r"/orders$", r"/orders/batch_cancel$", r"/orders/historical/(batch|fills)$"
SENT = {"entry": ORDERS, "exit": ORDERS, "cancel": CANCELS}
BTC = "BTC-USD"

# kind: its figures, and whether it strikes the sending call of the step; the others strike wherever they are at home
FAULTS: dict[str, tuple[dict[str, Any], bool]] = {
    "latency": ({"ms": 700, "jitter": 300, "phase": "after"}, True),
    "429_json": ({}, True),
    "429_html": ({}, True),
    "rate_limit": ({"per_s": 1, "burst": 1}, True),
    "5xx_before": ({}, True),
    "5xx_after": ({}, True),
    "hang_before": ({"count": 1}, True),
    "hang_after": ({"count": 1}, True),
    "reset_mid_body": ({}, True),
    "truncated_json": ({}, True),
    "expired_token": ({}, True),
    "unauthorized_text": ({}, True),
    "maintenance_html": ({}, True),
    "partial_fill": ({"fraction": "0.4"}, False),
    "cancel_lost_to_fill": ({}, False),
    "list_lag": ({"ms": 60_000}, False),
    "duplicate_fills": ({}, False),
    "unordered_fills": ({}, False),
    "fills_in_quote": ({}, False),
    "repeat_cursor": ({}, False),
    "product_status": ({"product": BTC, "flags": {"cancel_only": True}}, False),
    "delist": ({"product": BTC}, False),
    "clock_skew": ({"ms": 30_000}, False),
}


def _enter(live: Live) -> None:
    live.sim.risen()


def _hold(live: Live) -> None:
    """A position with its stop; the price is where the target is."""
    live.sim.risen()
    done = live.cycle()
    assert (done.code, done.data["positions"]) == (0, 1), done.err
    live.sim.price("95000.00")


def _rest(live: Live) -> None:
    """A purchase that rests, and an order to stop."""
    live.sim.risen()
    done = live.cycle()
    assert (done.code, done.data["placed"], done.data["positions"]) == (0, 1, 0), done.err
    (live.state / "KILL_SWITCH").touch()


BEFORE: dict[str, Callable[[Live], None]] = {"entry": _enter, "exit": _hold, "cancel": _rest}
CELLS = [(kind, step) for kind in FAULTS for step in BEFORE]


@pytest.mark.parametrize(("kind", "step"), CELLS, ids=[f"{kind}-{step}" for kind, step in CELLS])
def test_after_any_fault_the_ledger_is_the_venue(stage: Stage, kind: str, step: str) -> None:
    live = stage(policy__orders__maker_ttl_bars=9) if step == "cancel" else stage()
    BEFORE[step](live)
    figures, sending = FAULTS[kind]
    live.sim.fault({"kind": kind, **figures, **({"method": "POST", "path": SENT[step]} if sending else {})})
    struck = live.cycle()
    assert "Traceback" not in struck.err
    before = live.checked()
    print(struck.code, struck.data.get("error"), before)
    live.sim.cleared()
    after = live.settled()
    checked = live.checked()
    print(after.code, after.data, checked)
    assert checked.wrong == ()
    assert "BUY" not in checked.working.values()
