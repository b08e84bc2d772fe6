"""Beside a running loop: what a person writes into the account while it waits, and that it is acted on at once."""

import signal
import socket
import time
from itertools import takewhile
from pathlib import Path
from subprocess import PIPE, Popen

from tests.cli.program import START
from tests.live.conftest import Stage
from tests.live.stage import ARM, BAR_MS, PORTFOLIO, SETTLED_MS, Live, now_ms
from tests.live.test_scenarios import facts, waited
from trader_core.bootstrap import open_system
from trader_core.engine.cycle import CycleReport
from trader_core.engine.run import cycles
from trader_core.ops.lock import StateLock, holder_of
from trader_core.settings.options import Options

WHY = ("--reason", "the exchange talks of an outage")
PROMPT_S = 15
SCENE_MS = 25_000


def resting(live: Live) -> "Popen[str]":
    """A loop that waits for the next bar, over a purchase that rests."""
    while not SETTLED_MS < now_ms() % BAR_MS < BAR_MS - SCENE_MS:
        time.sleep(0.5)
    live.sim.risen()
    assert live.cycle().data["placed"] == 1
    running = live.start("run")
    assert waited(
        lambda: holder_of(live.state / "live.lock") and not holder_of(live.state / "live.turn.lock"), PROMPT_S
    )
    assert len(live.sim.open_orders()) == 1
    return running


def ended(running: "Popen[str]") -> tuple[int, str]:
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=20)
    return running.returncode, err


def test_a_pause_beside_a_running_loop_takes_back_what_rests_before_the_next_bar(stage: Stage) -> None:
    live = stage("BTC", policy__orders__maker_ttl_bars=9, policy__cycle__monitor_s=1)
    running = resting(live)
    try:
        done = live.inside("pause", *WHY)
        assert done.code == 0, done.err
        assert waited(lambda: not live.sim.open_orders(), PROMPT_S), "canceled"
        closed = len(facts(live.journal, "cycle_closed"))
        assert live.inside("bans", "list").code == 0
        assert live.inside("halt", "trip", *WHY).code == 0
        assert waited(lambda: len(facts(live.journal, "cycle_closed")) > closed, PROMPT_S), "known at once"
        assert live.inside("run-cycle").code == 14, "but cycles are the loop's alone"
    finally:
        code, err = ended(running)
    assert code == 143, err
    assert len({one[0] for one in facts(live.journal, "cycle_closed")}) == 1, "no bar has closed"
    assert live.inside("decisions", "verify").code == 0
    assert live.checked().wrong == ()


def test_leave_that_ends_beside_a_running_loop_takes_back_what_rests_before_the_next_bar(stage: Stage) -> None:
    live = stage("BTC", policy__orders__maker_ttl_bars=9, policy__cycle__monitor_s=1)
    running = resting(live)
    try:
        assert live.inside("disarm", *WHY).code == 0
        assert waited(lambda: not live.sim.open_orders(), PROMPT_S), "canceled"
    finally:
        code, err = ended(running)
    assert code == 143, err
    assert len({one[0] for one in facts(live.journal, "cycle_closed")}) == 1, "no bar has closed"
    assert live.checked().wrong == ()


def test_a_person_who_stands_still_in_the_middle_of_writing_keeps_no_cycle_waiting(stage: Stage) -> None:
    """Whatever holds the turn: the loop waits for it as long as for anybody, and goes on."""
    live = stage("BTC", policy__orders__maker_ttl_bars=9, policy__cycle__monitor_s=1)
    running = resting(live)
    try:
        with StateLock(live.state / "live.turn.lock", 5_000):
            live.sim.price("60400.00")
            assert waited(lambda: facts(live.journal, "filled"), PROMPT_S), "booked, and its stop placed"
    finally:
        code, err = ended(running)
    assert code == 143, err
    assert live.checked().wrong == ()


def test_the_status_says_that_a_loop_goes_on_with_the_files_of_its_start(stage: Stage) -> None:
    live = stage("BTC")
    assert live.cycle().code == 0
    assert live.inside("status", "--json").document["warnings"] == []
    live.edits["policy.risk.max_day_loss_pct"] = 1
    changed = live.configured().inside("status")
    assert "limit -1 %" in changed.out
    assert "the newest cycle went by other files than these, and a loop that runs goes on with" in changed.err
    (live.config / "policy.yaml").write_text("risk: {max_day_")
    torn = live.inside("status")
    assert "entries are refused" not in torn.out + torn.err, "a loop that runs may buy"
    assert "a loop that runs goes on with the files that it read at its start" in torn.err


def test_a_loop_that_began_while_the_venue_was_away_asks_again_what_the_key_may_do(stage: Stage) -> None:
    """As after a night without a network: nobody has to start it anew."""
    live = stage("BTC")
    assert live.cycle().code == 0, "the account is begun"
    live.sim.fault(*({"kind": "truncated_json", "path": path} for path in (r"/key_permissions$", r"/products$")))
    with live.at_home(), open_system(Options(state=live.state, config=live.config, mode="LIVE")) as system:

        def cycle() -> CycleReport:
            return next(cycles(system.ports, system.policy, system.journal, lambda: False, 1))

        assert cycle().decision is None
        live.sim.cleared()
        live.sim.fault({"kind": "truncated_json", "path": r"/key_permissions$"})
        assert ["permissions are unknown" in one.what for one in cycle().objections] == [True]
        live.sim.cleared()
        live.sim.permit(can_transfer=True)
        assert [(one.exit_code, one.reduces) for one in cycle().objections] == [(11, True)]
        live.sim.permit(can_transfer=False, portfolio_uuid="theirs")
        assert [(one.exit_code, one.reduces) for one in cycle().objections] == [(11, True)]
        live.sim.permit(portfolio_uuid=PORTFOLIO)
        assert cycle().objections == ()


def test_a_loop_beside_a_rotation_says_that_it_signs_with_the_old_key(stage: Stage) -> None:
    live = stage("BTC")
    live.sim.risen()
    with live.at_home(), open_system(Options(state=live.state, config=live.config, mode="LIVE")) as system:
        live.presenting(live.key, live.new_key("fresh"))
        rotated = live.inside("rotate-secrets", "--stage", "--verify", "--activate")
        assert "a loop that runs" in rotated.out
        assert live.inside(*ARM).code == 0
        report = next(cycles(system.ports, system.policy, system.journal, lambda: False, 1))
        first, *_ = report.objections
        assert (report.placed, first.exit_code, "start it anew" in first.what) == (0, 11, True)
    assert live.cycle().data["objections"] == [], "who begins now signs with the new one"


def test_a_slow_venue_does_not_make_a_loop_look_dead(stage: Stage, tmp_path: Path) -> None:
    """A manager that hears nothing for three minutes ends it in the middle of the cycle, and of every one after it."""
    live = stage("BTC")
    live.sim.risen()
    live.sim.fault({"kind": "latency", "ms": 200})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        listened = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        running = Popen(
            [*START, "run", "--cycles", "1"],
            cwd=live.home, env={**live.environment, **listened}, stdout=PIPE, stderr=PIPE, text=True,
        )  # fmt: skip
        heard = list(takewhile(lambda one: "STOPPING" not in one, iter(lambda: manager.recv(4096).decode(), "")))
        running.communicate(timeout=20)
    cycle = next(n for n, one in enumerate(heard) if one.startswith("STATUS=cycle"))
    assert heard[:cycle].count("WATCHDOG=1") > 3, heard
