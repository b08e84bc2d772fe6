"""halt, pause, bans, paper and plans: what a person may change, with a reason, and what the next cycle makes of it."""

import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.program import ROOT, Inside


@pytest.fixture
def program(tmp_path: Path) -> Inside:
    return Inside(tmp_path)


def ran(program: Inside, cycles: int) -> dict[str, object]:
    done = program.paper("run", "--cycles", str(cycles), "--json")
    assert done.code == 0, done.err
    return done.data


def acted(program: Inside, *words: str) -> dict[str, object]:
    """A command about the state; it must succeed."""
    done = program(*words, "--state", program.state, "--json")
    assert done.code == 0, done.err
    return done.data


def refused(program: Inside, code: int, *words: str) -> str:
    done = program(*words, "--state", program.state)
    assert done.code == code, done.out + done.err
    return done.err


def test_a_trip_reduces_a_cooldown_ends_it_and_a_kill_needs_a_reset(program: Inside) -> None:
    ran(program, 20)
    assert acted(program, "halt", "show")["state"] == "ARMED"
    assert "nothing is halted" in refused(
        program, 20, "halt", "reset", "--user", "me", "--reason", "why not, after all"
    )
    tripped = acted(program, "halt", "trip", "--reason", "news of a hack")
    assert (tripped["state"], tripped["trading"], tripped["trips"]) == ("TRIPPED", "REDUCING", 1)
    while_tripped = ran(program, 30)
    assert while_tripped["refusals_by_verdict"].keys() == {"HALTED"}  # type: ignore[attr-defined]
    acknowledged = acted(program, "halt", "ack")
    assert acknowledged["state"] == "COOLING_DOWN"
    ran(program, 1)
    assert acted(program, "halt", "show")["state"] == "ARMED", "15 minutes after the trip, at the next cycle"
    (program.state / "KILL_SWITCH").touch()
    ran(program, 1)
    (program.state / "KILL_SWITCH").unlink()
    ran(program, 1)
    assert acted(program, "halt", "show")["state"] == "KILLED", "deleting the file gives nothing back"
    assert "a kill is in force" in refused(program, 20, "halt", "trip", "--reason", "more")
    armed = acted(program, "halt", "reset", "--user", "me", "--reason", "the drill is over")
    assert (armed["state"], armed["reason"], armed["resets"]) == ("ARMED", "reset: the drill is over", 1)


def test_what_the_status_says_to_type_while_a_halt_cools_down_arms_at_once(program: Inside) -> None:
    ran(program, 1)
    acted(program, "halt", "trip", "--reason", "news of a hack")
    acted(program, "halt", "ack")
    told = program("status", "--state", program.state).out
    at_once = next(line for line in told.splitlines() if "to go on at once: " in line).partition(": trader ")[2]
    words = [{"NAME": "me", "TEXT": "it was none of ours"}.get(word, word) for word in at_once.split()]
    assert acted(program, *words)["state"] == "ARMED"


def test_a_pause_closes_entries_until_somebody_resumes(program: Inside) -> None:
    ran(program, 10)
    assert "nothing is paused" in refused(program, 20, "resume", "--reason", "bored")
    assert "reason is empty" in refused(program, 2, "pause", "--reason", " ")
    acted(program, "pause", "--reason", "the exchange has maintenance")
    paused = ran(program, 40)
    assert paused["refusals_by_verdict"].keys() == {"PAUSED"}  # type: ignore[attr-defined]
    status = program("status", "--state", program.state)
    assert "the exchange has maintenance" in status.out
    assert acted(program, "resume", "--reason", "it is over")["was"] == "the exchange has maintenance"
    assert ran(program, 40)["orders"] != 0


def test_who_stops_entries_is_kept_by_no_configuration_and_who_gives_them_back_is(program: Inside) -> None:
    """A typing mistake in a file beside a loop that goes on trading with the one that it has read."""
    ran(program, 10)
    config = program.home / "config"
    shutil.copytree(ROOT / "config", config)
    app = config / "app.yaml"
    app.write_text(app.read_text(encoding="utf-8").replace("\nmode:", "\nmodus:"), encoding="utf-8")
    acted(program, "pause", "--reason", "the exchange has maintenance", "--config", str(config))
    tripped = acted(program, "halt", "trip", "--reason", "news of a hack", "--config", str(config))
    assert (tripped["mode"], tripped["state"]) == ("PAPER", "TRIPPED")
    named = ("--user", "me", "--reason", "it is over", "--config", str(config))
    for words in (("resume", *named[2:]), ("halt", "ack", *named[4:]), ("halt", "reset", *named)):
        assert "modus is not a known key" in refused(program, 10, *words)
    assert ran(program, 10)["refusals_by_verdict"].keys() == {"HALTED"}  # type: ignore[attr-defined]
    acted(program, "audit", "verify")


def test_a_ban_lasts_its_hours_and_can_be_lifted(program: Inside) -> None:
    ran(program, 1)
    added = acted(program, "bans", "add", "doge", "--reason", "rug pull", "--hours", "2")
    assert added["bans"] == [
        {"asset": "DOGE", "reason": "rug pull", "since": "2024-01-01T00:00:00Z", "until": "2024-01-01T02:00:00Z"}
    ]
    acted(program, "bans", "add", "ETH", "--reason", "exploit")
    assert [one["asset"] for one in acted(program, "bans", "list")["bans"]] == ["DOGE", "ETH"]  # type: ignore
    assert "banned: DOGE, ETH" in refused(program, 2, "bans", "lift", "BTC", "--reason", "never was")
    acted(program, "bans", "lift", "ETH", "--reason", "fixed")
    strange = program("bans", "add", "DOG", "--reason", "typed in haste", "--hours", "1", "--state", program.state)
    assert strange.code == 0 and "DOG " in strange.out
    assert "warning: no tier of the universe names DOG, which is banned now; did you mean DOGE?" in strange.err
    ran(program, 12)
    assert acted(program, "bans", "list")["bans"] == [], "two hours of the market's time are over"
    over = refused(program, 2, "bans", "lift", "DOGE", "--reason", "fixed")
    assert "DOGE is not banned; banned: none" in over, "a ban that has ended is none"


def test_cash_that_comes_and_goes_is_neither_gain_nor_loss(program: Inside) -> None:
    before = ran(program, 5)
    free = Decimal(str(acted(program, "paper", "deposit", "10000")["free"]))
    assert f"only {free} USD are free" in refused(program, 20, "paper", "withdraw", str(free + 1))
    acted(program, "paper", "withdraw", "9000")
    loss = acted(program, "status")["day_loss_pct"]
    after = ran(program, 1)
    booked = Decimal(str(after["cash"])) - Decimal(str(before["cash"]))
    assert -400 < booked - 1000 <= 0, "what came in less what went out, but for the next fill"
    assert after["discrepancies"] == {}
    assert abs(Decimal(str(acted(program, "status")["day_loss_pct"])) - Decimal(str(loss))) < Decimal("0.1")


def test_where_no_account_is_on_paper_its_cash_is_not_moved_by_naming_another(program: Inside) -> None:
    done = program("run", "--cycles", "1", "--mode", "DRY_RUN", "--venue", "simulated", "--state", program.state)
    assert done.code == 0, done.err
    for words in (("reset", "--yes"), ("deposit", "5"), ("withdraw", "5")):
        told = refused(program, 13, "paper", *words)
        assert "no PAPER account" in told and "but one of DRY_RUN" in told
        assert "--mode" not in told and "--state DIR" in told


def test_a_reset_keeps_the_old_account_and_begins_a_new_one(program: Inside) -> None:
    ran(program, 3)
    for words in (("reset", "--yes"), ("deposit", "5"), ("withdraw", "5")):
        assert "LIVE is no paper account" in refused(program, 2, "paper", *words, "--mode", "LIVE")
    assert f"paper reset --state {program.state} --yes" in refused(program, 2, "paper", "reset")
    acted(program, "halt", "trip", "--reason", "a look")
    assert "the paper account is TRIPPED (a look), and a new one would not be" in refused(
        program, 20, "paper", "reset", "--yes"
    )
    acted(program, "halt", "reset", "--user", "me", "--reason", "it was a look", "--force")
    archive = Path(str(acted(program, "paper", "reset", "--yes")["archive"]))
    assert {one.name for one in archive.iterdir()} >= {"paper.db", "paper.venue.db"}
    assert program("status", "--state", program.state).code == 13
    assert ran(program, 2)["cycles_recorded"] == 2
    assert "continuing" in program.paper("run", "--cycles", "1").err


def test_a_plan_says_what_it_was_made_of(program: Inside) -> None:
    ran(program, 2)
    told = program.paper("preview", "--out", program.home / "plan.json", "--json")
    plan = json.loads((program.home / "plan.json").read_text())
    assert (plan["schema"], plan["mode"], plan["after_cycle"]) == ("trader.plan/v1", "PAPER", 2)
    assert len(plan["config_digest"]) == len(plan["decision_digest"]) == 64
    assert (plan["decision_time"], plan["expires_time"]) == ("2024-01-01T00:30:00Z", "2024-01-01T00:45:00Z")
    assert plan["orders"] == told.data["orders"]
    assert ran(program, 1)["cycles_recorded"] == 3, "a preview leaves nothing behind"


def test_a_person_waits_for_a_cycle_and_not_for_ever(program: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running loop owns its state; the command says so and changes nothing."""
    monkeypatch.setattr("trader_core.desk.WAIT_MS", 500)
    ran(program, 1)
    loop = program.start("run", "--mode", "PAPER", "--venue", "simulated", "--state", str(program.state))
    try:
        assert loop.stdout and loop.stdout.readline()
        assert "is running on" in refused(program, 14, "pause", "--reason", "now")
    finally:
        loop.terminate()
        loop.communicate()
    assert acted(program, "halt", "show")["state"] == "ARMED"
