"""A kill beside a live account: its row without its file, the way back, and what it sold."""

import subprocess
from decimal import Decimal

from tests.cli.program import START, Done
from tests.live.conftest import Stage
from tests.live.stage import MINUTE_MS, Live, Venue
from trader_core.bootstrap import open_system
from trader_core.engine.cycle import CycleReport
from trader_core.engine.monitor import is_due
from trader_core.engine.run import cycles
from trader_core.settings.options import Options


def kill(live: Live, *words: str) -> Done:
    done = subprocess.run(
        [*START, "kill", "--json", *words], env=live.environment, cwd=live.home, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


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
    reset = live.inside("halt", "reset", "--user", "me", "--reason", "the drill is over")
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
    decided = [one for one in live.inside("orders", "--all", "--json").data["orders"] if one["role"] == "ENTRY"]
    shadow = live.inside("shadow", "report", "--json").data
    assert shadow["orders"] == len(decided) == 1, "what a kill sold was decided on no quote"


def test_a_loop_beside_which_a_kill_sells_knows_of_it_and_rests_no_stop_on_what_is_not_ours(
    stage: Stage, venue: Venue
) -> None:
    """Its process goes on: it learns of the sale at its next look, as one that starts does."""
    live = stage("BTC")
    venue.risen("BTC-USD")
    assert live.settled().data["positions"] == 1
    venue.admin("deposit", currency="BTC", amount="0.5")
    with live.at_home(), open_system(Options(state=live.state, config=live.config, mode="LIVE")) as system:
        ports, policy, journal = system.ports, system.policy, system.journal

        def cycle() -> CycleReport:
            return next(cycles(ports, policy, journal, lambda: False, 1))

        assert cycle().book.held == {"BTC-USD"}
        assert not ports.emergencies()
        done = kill(live, "--flatten")
        assert done.code == 0, (done.out, done.err)
        assert is_due(ports, policy, journal), "nobody waits for the next bar"
        for _ in range(2):
            after = cycle()
            assert (after.placed, after.problem, after.book.discrepancies) == (0, "", {})
        assert not after.book.held and not ports.emergencies()
    assert venue.open_orders() == []
    held = {one["currency"]: Decimal(one["available_balance"]["value"]) for one in venue.state()["accounts"]}
    assert held["BTC"] == Decimal("0.5"), "what was not ours is still there"
    assert live.checked().wrong == ()
