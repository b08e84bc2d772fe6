"""A state that may not be written is never told to be moved away: it is told whose it is, and what mends that."""

import os
import pwd
import resource
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from trader_core.domain.errors import StateUnusable
from trader_core.ops.lock import StateLock
from trader_core.store.files import newest
from trader_core.store.sqlite import Identity, SqliteStore

IDENTITY: Identity = {"mode": "PAPER", "venue": "simulated"}


@pytest.fixture
def state() -> Iterator[Path]:
    """A state whose directory anybody may enter, under a name that a shell would take for two."""
    place = Path(tempfile.mkdtemp(prefix="a state "))
    place.chmod(0o755)
    SqliteStore(place / "paper.db", IDENTITY).close()
    yield place / "paper.db"
    place.chmod(0o755)
    shutil.rmtree(place)


@contextmanager
def another() -> Iterator[None]:
    """As nobody, where we are root: root may write whatever its permissions say."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(was)


def written(path: Path) -> None:
    """Opened, and a row of a cache deleted."""
    with closing(SqliteStore(path, IDENTITY)) as store, store.changing() as db:
        db.execute("DELETE FROM checkpoint")


def refused(path: Path) -> StateUnusable:
    with another(), pytest.raises(StateUnusable) as found:
        written(path)
    return found.value


@pytest.mark.parametrize("shut", ["the file", "the directory"])
def test_a_state_that_may_not_be_written_names_its_owner_and_stays(state: Path, shut: str) -> None:
    if shut == "the file":
        state.chmod(0o444)
        state.parent.chmod(0o777)
        place = state
    else:
        state.chmod(0o666)
        state.parent.chmod(0o555)
        place = state.parent
    found = refused(state)
    assert "paper.db" in found.what
    assert f"{place} belongs to {place.owner()}" in found.remedy
    assert f"chmod u+rw{'x' if place.is_dir() else ''} '{place}'" in found.remedy
    assert "move" not in found.remedy and "--state" not in found.remedy
    assert ("chown" in found.remedy) == (os.geteuid() == 0)


def test_a_lock_that_may_not_be_taken_leaves_the_account_where_it_is(state: Path) -> None:
    lock = state.with_suffix(".lock")
    lock.touch()
    lock.chmod(0o444)
    with another(), pytest.raises(StateUnusable) as found, StateLock(lock):
        pass
    assert f"who owns {state.parent}" in found.value.remedy and "--state" not in found.value.remedy


def test_a_state_that_another_process_holds_stays_where_it_is(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trader_core.store.sqlite.BUSY_TIMEOUT_MS", 20)
    with closing(sqlite3.connect(state, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StateUnusable) as found:
            written(state)
    assert "locked" in found.value.what
    assert f"fuser '{state}'" in found.value.remedy and found.value.remedy.endswith("leave the file where it is")


def test_where_there_is_no_room_for_a_new_state_nobody_waits_for_it(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for another process, which would be done at some time."""
    monkeypatch.setattr("trader_core.store.sqlite.BUSY_TIMEOUT_MS", 60_000)
    before, began_s = resource.getrlimit(resource.RLIMIT_FSIZE), time.monotonic()
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(StateUnusable) as found:
            written(state.with_name("live.db"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"make room on its disk, or mend that (df -h '{state.parent}')" in found.value.remedy
    assert time.monotonic() - began_s < 30


def test_a_log_that_comes_and_goes_keeps_nobody_from_finding_the_state(state: Path) -> None:
    """It is there while another process has the account open, and gone when that closes it."""
    log, done = state.with_name(f"{state.name}-wal"), Event()

    def coming_and_going() -> None:
        while not done.is_set():
            log.touch()
            log.unlink(missing_ok=True)

    other = Thread(target=coming_and_going)
    other.start()
    try:
        found = {newest(state.parent, ("PAPER",)).state for _ in range(400)}
    finally:
        done.set()
        other.join()
    assert found == {state}


def test_a_process_that_may_open_no_more_files_leaves_the_state_where_it_is(state: Path) -> None:
    """What is open stays usable: a limit of nothing would end what other threads of this process wait for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        with pytest.raises(StateUnusable) as found:
            written(state)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "ulimit -n" in found.value.remedy and found.value.remedy.endswith("leave the file where it is")


def test_what_is_no_file_at_all_is_named_as_before(state: Path) -> None:
    state.unlink()
    state.mkdir()
    with pytest.raises(StateUnusable) as found:
        SqliteStore(state, IDENTITY)
    assert found.value.remedy.startswith("move the file away")
