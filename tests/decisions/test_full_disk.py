"""Journal before trade: what cannot be written down is not sent."""

import resource
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from tests.cli.program import START, Program

FILE_BYTES_MAX = 300_000  # less than the first record, which has all candles of the window; more than the venue's own


def run(program: Program, full: bool) -> "subprocess.CompletedProcess[str]":
    """One cycle, on a disk that is full at FILE_BYTES_MAX."""

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))

    words = ["run", "--mode", "PAPER", "--venue", "simulated", "--state", str(program.state), "--cycles", "1"]
    return subprocess.run(
        [*START, *words], cwd=program.home, env=program.environment, capture_output=True, text=True, timeout=60,
        check=False, preexec_fn=fill if full else None,
    )  # fmt: skip


def counted(path: Path, sql: str) -> int:
    db = sqlite3.connect(path)
    ((found,),) = db.execute(sql).fetchall()
    db.close()
    return int(found)


def test_a_decision_that_cannot_be_written_down_whole_sends_nothing(tmp_path: Path) -> None:
    program = Program(tmp_path)
    failed = run(program, full=True)
    assert failed.returncode == 13, failed.stderr
    assert "paper.db cannot be used" in failed.stderr
    assert "make room on its disk" in failed.stderr and "leave the file where it is" in failed.stderr
    orders, decided = (
        "SELECT count(*) FROM orders",
        "SELECT count(*) FROM journal WHERE kind IN ('decided', 'intended')",
    )
    assert counted(program.state / "paper.venue.db", orders) == 0
    assert counted(program.state / "paper.db", "SELECT count(*) FROM journal WHERE kind = 'cash_flow'") == 1
    assert counted(program.state / "paper.db", decided) == 0, "it came as far as that, and no further"
    assert counted(program.state / "paper.db", "SELECT count(*) FROM bars") == 0
    went = run(program, full=False)
    assert went.returncode == 0, went.stderr
    assert counted(program.state / "paper.venue.db", orders) > 0, "the same cycle, on a disk with room"
    assert counted(program.state / "paper.db", "SELECT count(*) FROM inputs") == 1


def test_a_venue_that_cannot_be_written_down_is_not_called_damaged(tmp_path: Path) -> None:
    """Nobody is told to begin a new account because of a full disk."""
    program = Program(tmp_path)
    assert run(program, full=False).returncode == 0
    with closing(sqlite3.connect(program.state / "paper.venue.db", isolation_level=None)) as log:
        log.execute("CREATE TABLE much AS SELECT zeroblob(400000)")  # its log is as long as a file may be
        failed = run(program, full=True)
        log.execute("DROP TABLE much")
    assert failed.returncode == 13 and "paper.venue.db cannot be used" in failed.stderr, failed.stderr
    assert "make room on its disk" in failed.stderr and "new account" not in failed.stderr
    assert run(program, full=False).returncode == 0
