"""What the program tells a person to type acts on the account that they meant, as it is copied."""

import shlex
from pathlib import Path

import pytest

from cli.again import typed
from cli.options import Shared
from tests.cli.program import Inside


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inside:
    """A paper account in a place that is named, with a space in it, and another one where commands find theirs."""
    monkeypatch.setenv("TRADER_STATE", str(tmp_path / "usual"))
    program = Inside(tmp_path / "other place")
    for place in (tmp_path / "usual", program.state):
        assert program("run", "--mode", "PAPER", "--venue", "simulated", "--cycles", "3", "--state", place).code == 0
    return program


def here(program: Inside, *words: str) -> str:
    done = program(*words, "--mode", "PAPER", "--venue", "simulated", "--state", program.state)
    return done.out + done.err


def told(text: str, command: str) -> list[str]:
    """The words of that command as they are told, to the end of its line."""
    (line,) = [one for one in text.splitlines() if f"trader {command}" in one]
    return shlex.split(line.partition(f"trader {command}")[2])


def states(program: Inside) -> tuple[str, str]:
    named, usual = (program("halt", "show", "--json", *where) for where in (("--state", program.state), ()))
    return named.data["state"], usual.data["state"]


def test_the_way_out_of_a_halt_leads_out_of_that_halt(two: Inside) -> None:
    here(two, "halt", "trip", "--reason", "a rehearsal of mine")
    assert two("halt", "trip", "--reason", "something is really wrong").code == 0
    words = [*told(here(two, "status"), "halt reset")[:-1], "it was a rehearsal"]
    assert two("halt", "reset", *words, "--force").code == 0
    assert states(two) == ("ARMED", "TRIPPED")


def test_what_to_ask_why_is_of_the_account_that_was_looked_at(two: Inside) -> None:
    """Another mode's account in the same place is newer."""
    dry = ("--mode", "DRY_RUN", "--venue", "simulated", "--equity", "1000")
    assert two("run", *dry, "--cycles", "3", "--state", two.state).code == 0
    hints = [one for one in here(two, "why", "--no-trade").splitlines() if one.startswith("  trader why")]
    assert hints
    for hint in hints:
        assert two(*shlex.split(hint)[1:]).out.startswith("PAPER on the simulated venue")


@pytest.mark.parametrize("command", [("status",), ("halt", "show")])
def test_the_way_back_from_a_kill_that_no_cycle_has_seen_is_one_line_and_leads_back(
    two: Inside, command: tuple[str, ...]
) -> None:
    for place in (two.state, two.home.parent / "usual"):
        (place / "KILL_SWITCH").touch()
    words = told(here(two, *command), "halt reset")
    assert words[-4:] == ["--user", "NAME", "--reason", "TEXT"]
    words[-1] = "it was a rehearsal"
    assert two("halt", "reset", *words, "--force").code == 0
    assert not (two.state / "KILL_SWITCH").exists() and (two.home.parent / "usual" / "KILL_SWITCH").exists()


def test_what_a_refused_reset_says_to_type_resets_that_account(two: Inside) -> None:
    here(two, "halt", "trip", "--reason", "a rehearsal of mine")
    two("halt", "trip", "--reason", "something is really wrong")
    words = told(here(two, "halt", "reset", "--reason", "too short a user"), "halt reset")
    assert two("halt", "reset", *words, "--force").code == 0
    assert states(two) == ("ARMED", "TRIPPED")


def test_a_pause_is_ended_where_it_was_made(two: Inside) -> None:
    words = told(here(two, "pause", "--reason", "holidays"), "resume")
    assert told(here(two, "status"), "resume") == words
    two("pause", "--reason", "holidays")
    assert two("resume", *words).code == 0
    assert "PAUSED" not in here(two, "status") and "PAUSED" in two("status").out


SAID = Shared(state="/a b", mode="LIVE", venue="coinbase")
WORDS = "--mode LIVE --venue coinbase --state '/a b'"


@pytest.mark.parametrize(
    ("text", "as_typed"),
    [
        ("trader halt show, then trader halt reset", f"trader halt show {WORDS}, then trader halt reset {WORDS}"),
        ("at once: trader kill, trader policy set", f"at once: trader kill {WORDS}, trader policy set {WORDS}"),
        ("trader run begins it", f"trader run {WORDS} begins it"),
        ("trader halt reset --mode PAPER", "trader halt reset --venue coinbase --state '/a b' --mode PAPER"),
        ("trader init --state DIR, or", "trader init --mode LIVE --venue coinbase --state DIR, or"),
        ("run trader as who owns it", "run trader as who owns it"),
        ("trader runbook show venue-down", "trader runbook show venue-down"),
    ],
)  # fmt: skip
def test_every_command_in_a_text_has_what_was_said_once(text: str, as_typed: str) -> None:
    assert typed(text, SAID) == as_typed
    assert typed(text, Shared()) == text
