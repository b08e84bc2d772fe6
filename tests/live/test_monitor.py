"""Between two cycles: what is held is looked at by the running loop, and left by the rules of a cycle, long before the
next bar closes."""

import signal
import time
from decimal import Decimal

import pytest

from tests.live.conftest import Stage
from tests.live.faults import PROVING
from tests.live.stage import BAR_MS, SETTLED_MS, Live, now_ms
from tests.live.test_scenarios import BTC, facts, roles, waited
from trader_core.keyring import client_of, key_in_force
from trader_core.settings.load import load

SCENE_MS = 20_000
PROMPT_S = 15
EXITS = {"strategies__sma_cross__stop_pct": 2, "strategies__sma_cross__target_pct": 5}


def bought(live: Live) -> Live:
    """A position in BTC at about 60600, early enough in a bar for a scene to be over before its end."""
    while not SETTLED_MS < now_ms() % BAR_MS < BAR_MS - SCENE_MS:
        time.sleep(0.5)
    at_ms = now_ms()
    begun_ms = at_ms // BAR_MS * BAR_MS
    path = [
        {"after_ms": begun_ms - at_ms - 6 * BAR_MS, "price": "60000.00"},
        {"after_ms": begun_ms - at_ms - BAR_MS // 2, "price": "60600.00"},
    ]
    live.sim.admin("price", product=BTC, path=path)
    done = live.cycle()
    assert (done.code, done.data["positions"], done.data["unprotected"]) == (0, 1, []), done.err
    return live


def without_its_stop(live: Live) -> None:
    """Somebody cancels it at the venue."""
    (stop,) = live.sim.open_orders()
    with live.at_home():
        client_of(load(live.config), live.state, key_in_force(load(live.config), live.state)).cancel([stop["order_id"]])
    assert live.sim.open_orders() == []


@pytest.mark.parametrize(("price", "reason"), [("59000.00", "stop"), *([("64000.00", "target")] if PROVING else [])])
def test_a_price_beyond_an_exit_between_two_cycles_sells_the_position_at_once(
    price: str, reason: str, stage: Stage
) -> None:
    """The stop of two percent stands in the program alone, as the target does: somebody canceled it at the venue."""
    live = bought(stage(policy__cycle__monitor_s=2, **EXITS))
    before = facts(live.journal, "cycle_closed")
    running = live.start("run")
    try:
        without_its_stop(live)
        live.sim.price(price)
        began = time.monotonic()
        assert waited(lambda: live.checked().held[BTC] == 0 and roles(live, "EXIT"), PROMPT_S)
        assert time.monotonic() - began < PROMPT_S
        assert waited(lambda: len(facts(live.journal, "cycle_closed")) > len(before), 10)
    finally:
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=20)
    closed = {one[0] for one in facts(live.journal, "cycle_closed")}
    assert len(closed) == 1, f"no bar has closed: {err}"
    (exit_,) = [one for one in facts(live.journal, "intended") if one[1][2] == "EXIT"]
    assert exit_[1][7] == reason
    told = live.inside("why", "--symbol", BTC, "--json")
    assert reason in told.out
    assert live.checked().wrong == () and Decimal(live.checked().held[BTC]) == 0


@pytest.mark.skipif(not PROVING, reason="waits for what runs between two cycles: make prove-faults")
def test_a_stop_that_is_gone_from_the_venue_is_there_again_before_the_next_bar(stage: Stage) -> None:
    live = bought(stage(policy__cycle__monitor_s=1, **EXITS))
    running = live.start("run")
    try:
        without_its_stop(live)
        assert waited(live.sim.open_orders, PROMPT_S), "placed anew"
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=20)
    assert len({one[0] for one in facts(live.journal, "cycle_closed")}) == 1
    assert (live.checked().wrong, list(live.checked().working.values())) == ((), ["SELL"])


def test_a_loop_that_starts_while_the_venue_is_down_waits_and_cares_for_what_is_held_once_it_answers(
    stage: Stage,
) -> None:
    live = bought(stage(policy__cycle__monitor_s=1, **EXITS))
    without_its_stop(live)
    live.sim.fault({"kind": "5xx_before"})
    running = live.start("run")
    try:
        assert running.stderr is not None
        told = next((line for line in running.stderr if "waits until it answers" in line), "it ended")
        assert "503" in told and running.poll() is None, told
        assert "a start or a cycle broke off" in live.inside("alerts", "list").out
        live.sim.price("59000.00")
        live.sim.cleared()
        assert waited(lambda: live.checked().held[BTC] == 0, 2 * PROMPT_S)
    finally:
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=20)
    assert running.returncode == 143, err


def test_why_of_a_cycle_that_decided_nothing_names_the_one_that_did(stage: Stage) -> None:
    """A cycle between two closes judges no entry, and is the newest one there is."""
    live = bought(stage())
    assert live.cycle().data["cycle"] == 2
    hint = "trader why --cycle 1"
    assert f"it took no decision of its own; the newest before it: {hint}" in live.inside("why").out
    asked = live.inside("why", "BTC")
    assert asked.code == 2 and "cycle 2 knows no BTC; it knows nothing, for it took no decision of its own" in asked.err
    assert "trader why BTC --cycle 1" in asked.err
    assert "passed every gate; proposed by sma_cross" in live.inside("why", "BTC", "--cycle", "1").out
    assert "no decision of its own" not in live.inside("why", "--cycle", "1").out
