"""Every fault while a position is opened: one venue order at the most, its stop beside it, and never more than
intended."""

import pytest

from tests.live.conftest import Stage
from tests.live.faults import BTC, FAULTS, ORDERS, faults_at, rule_of, strike
from tests.live.stage import Live
from tests.live.test_scenarios import facts
from trader_core.prove.checker import told_by

LET_GO = "not done"  # turned away, said so, and not repeated: what it was decided on is gone
SEEN = "done 0"
FATE = {
    **dict.fromkeys(FAULTS, SEEN),
    **dict.fromkeys(("429_json", "429_html"), f"{LET_GO} 31"),
    **dict.fromkeys(("expired_token", "unauthorized_text"), f"{LET_GO} 11"),
    **dict.fromkeys(("product_status", "delist"), f"{LET_GO} 0"),
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


AT_THE_DOOR = "not sent: the venue did not look at it: "
TURNED_AWAY = [
    ("product_status", 32, "refused: PRODUCT: "),
    ("unauthorized_text", 11, f"{AT_THE_DOOR}HTTP_401"),
    ("429_json", 31, AT_THE_DOOR),
]


@pytest.mark.parametrize(("kind", "code", "why"), TURNED_AWAY)
def test_a_purchase_that_is_turned_away_is_told_with_its_reason(stage: Stage, kind: str, code: int, why: str) -> None:
    live = stage()
    live.sim.risen()
    live.sim.fault({**rule_of(kind, "entry"), "method": "POST", "path": ORDERS})
    done = live.cycle()
    live.sim.cleared()
    (told,) = done.data["not_placed"]
    assert (done.code, told["symbol"], told["role"]) == (code, BTC, "ENTRY"), done.err
    assert told["why_not"].startswith(why)
    assert (done.data["placed"], done.data["problem"]) == (0, "")
    assert len(facts(live.journal, "send_failed")) == 1, "so many in a row trip the halt machine"
    assert live.cycle().code == 0


def test_a_person_reads_why_a_purchase_was_not_placed(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    live.sim.fault(rule_of("unauthorized_text", "entry"))
    done = live.inside("run-cycle")
    live.sim.cleared()
    assert done.code == 11 and "HTTP_401" in " ".join(done.out.split()), done.out


def test_what_is_made_good_in_the_same_cycle_is_no_failure(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    live.sim.fault({"kind": "429_json", "method": "POST", "path": ORDERS, "side": "SELL", "count": 1})
    done = live.cycle()
    live.sim.cleared()
    assert (done.code, done.data["not_placed"], done.data["unprotected"]) == (0, [], []), done.err
    assert protected(live)
