"""T1 and the way back: a kill beside a live account, its row without its file, and what it sold."""

import json
import subprocess
import time
from decimal import Decimal

from tests.cli.program import START, Done
from tests.live.conftest import Stage
from tests.live.stage import MINUTE_MS, Live, Venue

SEES_S = 1.0  # a loop that waits has seen a kill within so long
CYCLE_S = 12.0  # and has lived a cycle by then, on a busy machine


def kill(live: Live, *words: str) -> Done:
    done = subprocess.run(
        [*START, "kill", "--json", *words], env=live.environment, cwd=live.home, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def resting(live: Live, venue: Venue) -> list[str]:
    return [one["side"] for one in venue.open_orders()]


def test_t1_a_waiting_loop_sees_a_kill_and_takes_back_its_entries(stage: Stage, venue: Venue) -> None:
    live = stage("BTC", "ETH", "SOL", policy__orders__maker_ttl_bars=9)
    venue.risen("BTC-USD", "ETH-USD", "SOL-USD")
    words = [*START, "run", "--json"]
    running = subprocess.Popen(words, env=live.environment, cwd=live.home, stdout=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 40
        while len(resting(live, venue)) < 3 and time.monotonic() < until:
            time.sleep(0.2)
        assert resting(live, venue) == ["BUY"] * 3
        (live.state / "KILL_SWITCH").write_text("by hand")
        until = time.monotonic() + SEES_S + CYCLE_S
        while resting(live, venue) and time.monotonic() < until:
            time.sleep(0.1)
        assert resting(live, venue) == []
        assert running.poll() is None, "the loop goes on, halted"
    finally:
        running.terminate()
        told, _ = running.communicate(timeout=30)
    assert json.loads(told)["data"]["trading"] == "HALTED"
    assert live.checked().wrong == ()
    (live.state / "KILL_SWITCH").unlink()
    assert live.cycle().code == 21, "a halt survives the file and the restart"


def test_the_row_alone_still_says_stop_and_a_reset_is_the_way_back(stage: Stage, venue: Venue) -> None:
    live = stage("BTC")
    venue.admin("price", product="BTC-USD", path=[{"after_ms": -30 * MINUTE_MS, "price": "60000.00"}])
    assert live.cycle().code == 0
    done = kill(live, "--reason", "a drill")
    assert done.code == 0, done.err
    (live.state / "KILL_SWITCH").unlink()
    venue.risen("BTC-USD")
    after = live.cycle()
    assert after.code == 21
    assert "killed" in after.data["halt_reason"]
    assert venue.state()["orders"] == []
    reset = live.inside("halt", "reset", "--reason", "the drill is over")
    assert reset.code == 0, reset.err
    last = live.cycle()
    assert (last.code, last.data["trading"]) == (0, "ACTIVE")


def test_a_protective_stop_survives_a_kill_and_flatten_sells_all_that_is_ours(stage: Stage, venue: Venue) -> None:
    live = stage("BTC")
    venue.risen("BTC-USD")
    assert live.settled().data["positions"] == 1
    assert kill(live).code == 0
    assert [one["side"] for one in venue.open_orders()] == ["SELL"], "its stop"
    venue.admin("deposit", currency="BTC", amount="0.5")
    done = kill(live, "--flatten")
    assert done.code == 0, (done.out, done.err)
    assert venue.open_orders() == []
    after = live.settled()
    assert after.code == 21, after.data
    assert (after.data["positions"], after.data["unknown_orders"], after.data["discrepancies"]) == (0, 0, {})
    held = {one["currency"]: Decimal(one["available_balance"]["value"]) for one in venue.state()["accounts"]}
    assert held["BTC"] == Decimal("0.5"), "what was not ours is still there"
    assert live.checked().wrong == ()
