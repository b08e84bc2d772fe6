"""Every fault while a position is opened: one venue order at the most, its stop beside it, and never more than
intended."""

import pytest

from tests.live.conftest import Stage
from tests.live.faults import BTC, FAULTS, faults_at, strike
from tests.live.stage import Live
from trader_core.prove.checker import told_by

LET_GO = "not done 0"  # turned away, said so, and not repeated: what it was decided on is gone
SEEN = "done 0"
FATE = {
    **dict.fromkeys(FAULTS, SEEN),
    **dict.fromkeys(("429_json", "429_html", "expired_token", "unauthorized_text", "product_status", "delist"), LET_GO),
    **dict.fromkeys(("5xx_before", "hang_before", "maintenance_html"), "unknown 41"),
    "list_lag": "later 40",
    "repeat_cursor": "not done 30",
}


def protected(live: Live) -> bool:
    """Bought, and the stop for all of it at the venue."""
    checked = live.checked()
    return checked.held.get(BTC, 0) > 0 and list(checked.working.values()) == ["SELL"]


@pytest.mark.parametrize("kind", faults_at("entry"))
def test_an_entry_meets_a_fault(stage: Stage, kind: str) -> None:
    live = stage()
    live.sim.risen()
    assert strike(live, kind, "entry", protected) == FATE[kind]
    entries = [one for one, terms in told_by(live.journal).intents.items() if terms[2] == "ENTRY"]
    assert len(entries) <= 1
    assert all(told_by(live.journal).sends[one] == 1 for one in entries)
