"""Every fault of the venue against one step of an order's life; tests of each step are in a file of their own."""

import os
from collections.abc import Callable
from typing import Any

from tests.live.stage import Live, seen
from trader_core.prove.checker import told_by

BTC = "BTC-USD"
ORDERS, CANCELS = r"/orders$", r"/orders/batch_cancel$"
SENT = {"entry": ORDERS, "exit": ORDERS, "cancel": CANCELS}
TWICE = {"count": 2}  # a cancel is asked for again by itself: once it is through, the rest goes its way

# kind: its figures, and whether it strikes the sending call of the step; the others strike where they are at home
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
    "clock_skew": ({"ms": 8_000}, False),
}
PROVING = os.environ.get("TRADER_PROVE") == "faults"  # `make prove-faults`: every fault at every step
HERE = {  # what strikes in the suite
    "entry": ("5xx_after", "truncated_json", "partial_fill"),
    "exit": ("5xx_before", "reset_mid_body", "product_status"),
    "cancel": ("cancel_lost_to_fill", "delist"),
}
BEHIND = (30, 40, 41, 42)  # codes with which a run says that the ledger may be behind the venue


def faults_at(step: str) -> tuple[str, ...]:
    return tuple(FAULTS) if PROVING else HERE[step]


def rule_of(kind: str, step: str) -> dict[str, Any]:
    figures, sending = FAULTS[kind]
    at = {"method": "POST", "path": SENT[step]} if sending else {}
    often = TWICE if sending and step == "cancel" and kind != "latency" else {}
    return {"kind": kind, **often, **figures, **at}


def strike(live: Live, kind: str, step: str, reached: Callable[[Live], bool]) -> str:
    """Run a cycle under the fault and some more without it, and check all that must hold. Returns how it went: 'done'
    at once or 'later', 'unknown' where it is still waited for, and 'not done'; with the struck cycle's code."""
    live.sim.fault(rule_of(kind, step))
    struck = live.cycle()
    assert "Traceback" not in struck.err
    assert seen(live, [struck]) == []
    before, at_once = live.checked(), reached(live)
    assert before.wrong == () or struck.code in BEHIND, (struck.code, before)
    assert not before.unresolved or struck.code == 41
    live.sim.cleared()
    live.settled()
    after = live.checked()
    assert after.wrong == ()
    assert at_once or reached(live) or after.unresolved or _why_not(live) or struck.code in BEHIND, struck.out
    if after.unresolved:
        return f"unknown {struck.code}"
    return f"{'done' if at_once else 'later' if reached(live) else 'not done'} {struck.code}"


def _why_not(live: Live) -> list[str]:
    """Why orders were not placed or are over, or why there was none, as the journal has it."""
    told = told_by(live.journal)
    return [one for one in (*told.notes, told.excluded.get(BTC, "")) if one]
