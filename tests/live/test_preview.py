"""What a preview says stands against entries is what the cycle after it says."""

from collections.abc import Callable

import pytest

from tests.live.conftest import Stage
from tests.live.stage import Live
from tests.ops.ntp import NtpServer


def unread(live: Live, servers: list[NtpServer]) -> None:
    live.sim.fault({"kind": "unauthorized_text", "path": r"/accounts$"})


def late(live: Live, servers: list[NtpServer]) -> None:
    (live.state / "clock.json").unlink()
    for server in servers:
        server.skew_ms = 300.0


def disarmed(live: Live, servers: list[NtpServer]) -> None:
    assert live.inside("disarm", "--reason", "a rehearsal of it").code == 0


@pytest.mark.parametrize("trouble", [unread, late, disarmed])
def test_what_closes_entries_is_told_before_as_in_the_cycle(
    stage: Stage, servers: list[NtpServer], trouble: Callable[[Live, list[NtpServer]], None]
) -> None:
    live = stage()
    live.sim.risen()
    trouble(live, servers)
    ahead, told = live.inside("preview", "--json"), live.inside("preview")
    cycle = live.cycle()
    live.sim.cleared()
    assert cycle.data["problem"] or cycle.data["objections"]
    assert (ahead.data["problem"], ahead.data["objections"]) == (cycle.data["problem"], cycle.data["objections"])
    assert "not read: " in told.out or "no entries: " in told.out
    assert ahead.code == told.code == (cycle.code if cycle.data["problem"] else 0)


@pytest.mark.parametrize("words", [("preview",), ("liquidate", "--yes"), ("reconcile",)])
def test_another_bar_is_another_account_for_what_looks_ahead_too_and_the_remedy_works(
    stage: Stage, words: tuple[str, ...]
) -> None:
    """Nobody is told to take away the file that knows what is held."""
    live = stage()
    live.sim.risen()
    assert live.cycle().data["positions"] == 1
    live.edits["policy.cycle.base_bar_min"] = 5
    live.configured()
    ahead, cycle = live.inside(*words), live.inside("run-cycle")
    assert (ahead.code, ahead.err) == (cycle.code, cycle.err) and cycle.code == 13
    assert "cycle.base_bar_min is 15 there and 5 here" in cycle.err and "move" not in cycle.err
    live.edits["policy.cycle.base_bar_min"] = 15
    live.configured()
    assert live.inside(*words).code == 0


def test_what_is_excluded_for_one_reason_is_told_in_one_breath(stage: Stage) -> None:
    """A venue lists hundreds that are in no tier: each had a line of its own."""
    page = " ".join(stage("BTC").inside("preview").out.split())
    assert " and 3 more: in no tier of the universe" in page
    assert page.count("no tier") == 1


@pytest.mark.parametrize("mode", ["DRY_RUN", "PAPER"])
def test_who_only_looks_makes_no_directory_where_a_state_was_named_wrongly(stage: Stage, mode: str) -> None:
    live = stage()
    live.sim.risen()
    missing = live.home / "sttae"
    for words in (("risk", "var"), ("gate", "explain", "BTC"), ("preview",)):
        done = live.inside(*words, "--mode", mode, "--state", missing)
        assert (done.code, missing.exists()) == (0, False), done.err
        assert words == ("preview",) or f"there is no {mode} account in {missing}" in done.err
