"""A judgement holds for five seconds: what had to wait longer behind a slow order is judged again before it leaves."""

import re
import time
from threading import Thread

import pytest

from tests.live.conftest import Stage
from tests.live.test_scenarios import BTC, ORDERS, facts, waited
from trader_core.bootstrap import open_system
from trader_core.engine.run import cycles
from trader_core.settings.options import Options

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
    words = r"not sent: judged again (\S+) s after it was decided: HALTED"
    told = [re.fullmatch(words, one) for one in refused.values()]
    assert all(one and float(one[1]) > 5 for one in told), refused
    assert live.checked().wrong == ()


def test_a_purchase_that_waited_is_sent_where_nothing_has_changed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = stage("BTC", "ETH")
    monkeypatch.setattr("trader_core.engine.review.FRESH_MS", 500)
    live.sim.risen("BTC-USD", "ETH-USD")
    live.sim.fault({**SLOW, "ms": 600})
    done = live.cycle()
    live.sim.cleared()
    bought = {one["product_id"] for one in live.truth if one["kind"] == "order" and one["side"] == "BUY"}
    assert bought == {"BTC-USD", "ETH-USD"} and done.data["unprotected"] == [], done.err
    assert live.checked().wrong == ()


def test_a_clock_that_is_set_back_makes_no_judgement_fresh(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a minute, while the venue takes its time over the first of two, and leave to trade is taken back."""
    live, back, right = stage("BTC", "ETH"), list[int](), time.time_ns
    live.sim.risen("BTC-USD", "ETH-USD")
    live.sim.fault({**SLOW, "ms": 6_000})
    monkeypatch.setattr(time, "time_ns", lambda: right() - sum(back))

    def meddle() -> None:
        assert waited(lambda: [one for one in live.truth if one["kind"] == "order"], 20)
        disarming = live.start("disarm")
        disarming.communicate(timeout=30)
        assert disarming.returncode == 0
        back.append(60 * 10**9)

    meddler = Thread(target=meddle)
    meddler.start()
    live.cycle()
    meddler.join()
    live.sim.cleared()
    bought = [one["product_id"] for one in live.truth if one["kind"] == "order" and one["side"] == "BUY"]
    (why_not,) = [one[2] for one in facts(live.journal, "closed") if one[2].startswith("not sent")]
    assert (len(bought), why_not) == (1, "not sent: judged again because the clock was set back meanwhile: HALTED")


def test_a_clock_that_is_set_right_keeps_no_old_list_of_products(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that began an hour ahead read the list anew an hour later: a market that closed stayed open for it."""
    live, right = stage("BTC"), time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: right() + 3_600 * 10**9)
    with live.at_home(), open_system(Options(state=live.state, config=live.config, mode="LIVE")) as system:

        def cycle() -> None:
            next(cycles(system.ports, system.policy, system.journal, lambda: False, 1))

        cycle()
        assert not system.ports.reader.frozen()
        monkeypatch.undo()
        live.sim.admin("product", product=BTC, flags={"cancel_only": True})
        with live.at_home():
            cycle()
        assert system.ports.reader.frozen() == {BTC}


@pytest.fixture
def never_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every purchase is judged again: nobody has to wait for a slow order."""
    monkeypatch.setattr("trader_core.engine.review.FRESH_MS", -1)


@pytest.mark.usefixtures("never_fresh")
def test_a_purchase_that_is_judged_again_is_counted_once(stage: Stage) -> None:
    """The only one of its hour does not speak against itself."""
    live = stage("BTC", policy__pacing__max_entries_per_hour=1, policy__pacing__max_entries_per_cycle=1)
    live.sim.risen()
    done = live.cycle()
    assert (done.code, done.data["not_placed"], done.data["positions"]) == (0, [], 1), done.err


@pytest.mark.usefixtures("never_fresh")
def test_a_purchase_that_is_larger_than_allowed_by_now_does_not_leave(stage: Stage) -> None:
    """Each is as large as one asset may be; what the first has cost makes the account smaller."""
    live = stage("BTC", "ETH", policy__risk__max_per_asset_pct=3.5)
    live.sim.risen("BTC-USD", "ETH-USD")
    (why,) = [one["why_not"] for one in live.cycle().data["not_placed"]]
    assert why.endswith(": less is allowed now")
    assert len({one["product_id"] for one in live.sim.state()["orders"]}) == 1
