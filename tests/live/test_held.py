"""A database of the state that another process holds for longer than it is waited for: it comes back by itself."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.cli.program import Inside
from tests.live.conftest import Stage
from tests.live.stage import Venue
from tests.live.test_rare import TARGET, opened
from trader_core.engine.cycle import run_cycle


@pytest.fixture(autouse=True)
def nobody_waits_for_a_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trader_core.store.sqlite.BUSY_TIMEOUT_MS", 200)
    monkeypatch.setattr("trader_core.venues.simulated.books.PATIENCE_S", 0.2)


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Nobody else reads or writes it."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize("words", [("run-cycle",), ("run", "--cycles", "1"), ("backup",), ("positions",)])
def test_a_journal_that_is_held_ends_with_14(stage: Stage, words: tuple[str, ...]) -> None:
    live = stage("BTC")
    assert live.cycle().code == 0
    with held(live.journal):
        done = live.inside(*words)
    assert done.code == 14 and "database is locked" in done.err and "fuser" in done.err, done.err
    assert live.cycle().code == 0


def test_permits_that_are_held_close_the_entries_of_a_loop_and_leave_its_exits(stage: Stage, venue: Venue) -> None:
    live = stage("BTC", **TARGET)
    venue.risen("BTC-USD")
    assert live.cycle().data["positions"] == 1
    venue.price("69000.00")
    with opened(live) as system, held(live.state / "permits.db"):
        report = run_cycle(system.ports, system.policy, system.journal, system.journal.book.closed_ms)
    assert [(one.exit_code, one.reduces) for one in report.objections] == [(14, True)], report.objections
    assert (report.placed, list(report.book.held)) == (1, [])


def test_a_simulated_venue_s_file_that_is_held_is_not_called_damaged(tmp_path: Path) -> None:
    program = Inside(tmp_path)
    words = ("run", "--mode", "PAPER", "--venue", "simulated", "--cycles", "1", "--state", tmp_path / "state")
    assert program(*words).code == 0
    (file,) = (tmp_path / "state").glob("*venue*.db")
    with held(file):
        done = program(*words)
    assert done.code == 14 and "damaged" not in done.err and str(file) in done.err, done.err
    assert program(*words).code == 0
