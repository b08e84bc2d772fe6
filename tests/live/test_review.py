"""A judgement holds for five seconds: what had to wait longer behind a slow order is judged again before it leaves."""

from tests.live.conftest import Stage
from tests.live.test_scenarios import ORDERS, facts, waited

SLOW = {"kind": "latency", "ms": 5_600, "phase": "after", "method": "POST", "path": ORDERS, "count": 1}


def test_a_purchase_that_waited_is_judged_by_what_holds_when_it_leaves(stage: Stage) -> None:
    """Three are decided at once; while the venue takes its time over the first, leave to trade is taken back."""
    live = stage("BTC", "ETH", "SOL")
    live.sim.risen("BTC-USD", "ETH-USD", "SOL-USD")
    live.sim.fault(SLOW)
    running = live.start("run-cycle")
    assert waited(lambda: [one for one in live.truth if one["kind"] == "order"], 20)
    assert live.inside("disarm").code == 0
    running.communicate(timeout=30)
    live.sim.cleared()
    entries = [one[0] for one in facts(live.journal, "intended") if one[1][2] == "ENTRY"]
    bought = [one["product_id"] for one in live.truth if one["kind"] == "order" and one["side"] == "BUY"]
    refused = {one[0]: one[2] for one in facts(live.journal, "closed") if "judged again" in one[2]}
    assert len(entries) == 3 and len(bought) == 1 and set(refused) == set(entries[1:]), refused
    assert all("not sent: judged again 5." in one and one.endswith(": HALTED") for one in refused.values()), refused
    assert live.checked().wrong == ()


def test_a_purchase_that_waited_is_sent_where_nothing_has_changed(stage: Stage) -> None:
    live = stage("BTC", "ETH")
    live.sim.risen("BTC-USD", "ETH-USD")
    live.sim.fault(SLOW)
    done = live.cycle()
    live.sim.cleared()
    bought = {one["product_id"] for one in live.truth if one["kind"] == "order" and one["side"] == "BUY"}
    assert bought == {"BTC-USD", "ETH-USD"} and done.data["unprotected"] == [], done.err
    assert live.checked().wrong == ()
