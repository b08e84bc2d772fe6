"""Damaged files, lost outputs and absurd figures: each its own answer, never a traceback, never a new start."""

import json
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.program import ROOT, START, Program
from tests.kill.scene import NOT_ALMIGHTY
from tests.tampering import altered
from trader_core.domain.clocktime import parse_utc

CYCLES = ("--cycles", "3")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a paper account after a day."""
    program = Program(tmp_path_factory.mktemp("begun"))
    assert program.paper("run", "--cycles", "30").code == 0
    return program.state


@pytest.fixture
def program(begun: Path, tmp_path: Path) -> Program:
    """A program beside a copy of that state."""
    shutil.copytree(begun, tmp_path / "state")
    return Program(tmp_path)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 // 4096 * 4096])


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, tuple[str, Callable[[Path], object], int, str]] = {
    "the journal is changed": (
        "paper.db",
        lambda p: altered(p, "UPDATE journal SET body = replace(body, '1', '2') WHERE seq = 9"), 61, "chain",
    ),
    "a row is missing": ("paper.db", lambda p: altered(p, "DELETE FROM journal WHERE seq = 9"), 61, "row 10"),
    "the schema is newer": ("paper.db", lambda p: altered(p, "PRAGMA user_version = 99"), 13, "newer trader"),
    "it is another's": ("paper.db", lambda p: altered(p, "PRAGMA application_id = 7"), 13, "not a state of trader"),
    "it is no database": ("paper.db", lambda p: p.write_bytes(b"nothing of the kind" * 999), 13, "not a database"),
    "half of it is gone": ("paper.db", truncated, 13, "damaged"),
    "it is gone": ("paper.db", Path.unlink, 13, "paper.db is missing"),
    "the halt is forged": (
        "paper.db", lambda p: altered(p, "INSERT INTO halt VALUES (1, '[\"ARMED\",\"\",0]', 'x')"), 13, "checksum",
    ),
    "the venue's file is gone": ("paper.venue.db", Path.unlink, 13, "paper.venue.db is missing"),
    "the venue's file is empty": ("paper.venue.db", lambda p: p.write_bytes(b""), 13, "is empty"),
    "half the venue's file is gone": ("paper.venue.db", truncated, 13, "paper.venue.db is damaged"),
    "the venue's time is a word": (
        "paper.venue.db", lambda p: altered(p, "UPDATE meta SET value = 'noon' WHERE key = 'now_ms'"), 13, "damaged",
    ),
    "the lock is a folder": ("paper.lock", directory, 13, "cannot be opened"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_state_is_refused_with_its_own_words(program: Program, what: str) -> None:
    name, spoil, code, words = DAMAGE[what]
    spoil(program.state / name)
    done = program.paper("run", *CYCLES, "--json")
    assert done.code == code, done.err
    assert words in done.err
    assert "Traceback" not in done.err
    assert (done.document["ok"], done.document["exit_code"]) == (False, code)
    assert done.document["data"]["error"]["safe"]


READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def test_a_disk_that_is_mounted_read_only_is_named_and_nobody_is_told_to_change_rights(program: Program) -> None:
    """Where a process may mount something for itself alone."""
    alone = ["unshare", "--mount", "--map-root-user", "sh", "-c", READ_ONLY, str(program.state)]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")

    def told(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*alone, *START, *words, "--state", str(program.state)],
            cwd=program.home, env=program.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    program("alerts", "raise", "something is wrong", "--state", program.state)
    for words in (("status",), ("alerts", "list"), ("run", "--mode", "PAPER", "--venue", "simulated", *CYCLES)):
        done = told(*words)
        assert done.returncode == 13 and "ead-only" in done.stderr and "chmod" not in done.stderr, done.stderr
        assert "mount" in done.stderr and "another place" not in done.stderr, "a new account knows of no position"
        assert "away" not in done.stderr
    killed = told("kill", "--mode", "PAPER")
    assert killed.returncode == 50 and "end its process" in killed.stdout and "make the file" not in killed.stdout
    assert program("status", "--state", program.state).code == 0


@pytest.mark.parametrize(
    "words", [("status",), ("preview",), ("alerts", "list"), ("pause", "--reason", "it looks odd")]
)
def test_a_state_that_this_user_may_not_look_into_is_told_whose_it_is(program: Program, words: Sequence[str]) -> None:
    """Nothing in it could be mended: it is another user's, or its directory lost its rights."""
    state = program.state.rename(program.home / "a state")
    state.chmod(0)
    try:
        done = subprocess.run(
            [*NOT_ALMIGHTY, *START, *words, "--mode", "PAPER", "--venue", "simulated", "--state", str(state)],
            cwd=program.home, env=program.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        state.chmod(0o700)
    assert done.returncode == 13 and "Permission denied" in done.stderr
    assert f"next: {state} belongs to {state.owner()}, who may not write it: chmod u+rwx '{state}'" in done.stderr


@pytest.mark.parametrize("words", [("preview", "--out"), ("export", "--csv"), ("reconcile", "--plan")])
def test_a_full_disk_under_a_file_that_is_asked_for_is_told_as_that(program: Program, words: tuple[str, str]) -> None:
    done = program.paper(*words, "/dev/full")
    assert done.code == 2 and "cannot be written: No space left on device" in done.err
    assert "next: make room on its disk (df -h /dev), or name a file on another" in done.err


def test_a_first_start_that_was_cut_short_is_a_new_start(tmp_path: Path) -> None:
    """The file is there, and not a table in it."""
    program = Program(tmp_path)
    program.state.mkdir()
    db = sqlite3.connect(program.state / "paper.db")
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    assert program("status", "--state", program.state).code == 13
    assert program.paper("run", *CYCLES).code == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--from", "1960-01-01"], 2, "outside the years 1970 to 2199"),
        (["--from", "9999-12-31T23:30"], 2, "outside the years 1970 to 2199"),
        (["--equity", "99999999999999"], 2, "from 0 to 1000000000"),
        (["--data", "nowhere"], 23, "there is no folder nowhere"),
    ],
)
def test_absurd_figures_are_told_what_is_possible(tmp_path: Path, words: list[str], code: int, told: str) -> None:
    done = Program(tmp_path).paper("run", *CYCLES, *words)
    assert (done.code, "Traceback" in done.err) == (code, False)
    assert told in done.err


def test_a_start_between_two_bars_is_the_next_bar(tmp_path: Path) -> None:
    done = Program(tmp_path).paper("run", *CYCLES, "--from", "2024-08-01T00:07:00Z", "--json")
    assert done.data["from"] == "2024-08-01T00:15:00Z"
    assert parse_utc(done.data["to"]) - parse_utc(done.data["from"]) == 2 * 15 * 60_000


@pytest.mark.parametrize("output", ["closed", "full"])
def test_a_lost_output_is_no_traceback(program: Program, output: str) -> None:
    words = [*START, "status", "--state", str(program.state)]
    redirected = {"closed": 'exec "$@" >&-', "full": 'exec "$@" >/dev/full'}[output]
    done = subprocess.run(
        ["bash", "-c", redirected, "trader", *words],
        cwd=program.home, env=program.environment, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if output == "closed" else 13)


def test_what_a_cycle_found_outranks_a_lost_output(program: Program) -> None:
    assert program("halt", "trip", "--reason", "a storm is on its way", "--state", program.state).code == 0
    words = [*START, "run-cycle", "--mode", "PAPER", "--venue", "simulated", "--state", str(program.state)]
    done = subprocess.run(
        ["bash", "-c", 'exec "$@" >/dev/full', "trader", *words],
        cwd=program.home, env=program.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 21, done.stderr


LOST = {"full": 'exec "$@" {}>/dev/full', "without a reader": 'exec "$@" {}> >(true)'}


@pytest.mark.parametrize("output", LOST)
@pytest.mark.parametrize("stream", [1, 2])
def test_what_went_wrong_is_told_by_whichever_output_is_left(tmp_path: Path, output: str, stream: int) -> None:
    program = Program(tmp_path)
    words = [*START, "status", "--state", str(program.state), "--json"]
    done = subprocess.run(
        ["bash", "-c", LOST[output].format(stream), "trader", *words],
        cwd=program.home, env=program.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 13 and "Traceback" not in done.stderr
    told = done.stderr if stream == 1 else done.stdout
    assert f"there is no state in {program.state}" in told


def test_a_loop_goes_on_where_nobody_hears_what_it_says_beside_its_work(program: Program) -> None:
    words = [*START, "run", "--mode", "PAPER", "--venue", "simulated", "--state", str(program.state), *CYCLES]
    done = subprocess.run(
        ["bash", "-c", 'exec "$@" 2>/dev/full', "trader", *words, "--log", "json", "--json"],
        cwd=program.home, env=program.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert json.loads(done.stdout)["data"]["cycles"] == 3


def test_a_kill_in_the_first_moments_never_leaves_a_state_that_cannot_go_on(tmp_path: Path) -> None:
    """Killed at several moments of the very first start, each in a place of its own."""
    for n in range(6):
        program = Program(tmp_path / str(n))
        program.home.mkdir()
        words = ("run", "--mode", "PAPER", "--venue", "simulated", "--state", program.state, "--cycles", "5")
        running = program.start(*words)
        try:
            running.wait(0.3 + 0.08 * n)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
        running.communicate()
        again = program.paper("run", *CYCLES)
        assert again.code == 0, again.err


def test_status_shows_the_mode_that_is_asked_for(program: Program) -> None:
    assert program("status", "--mode", "PAPER", "--state", program.state).code == 0
    assert program("status", "--mode", "DRY_RUN", "--state", program.state).code == 13


def test_a_venue_that_cannot_be_reached_is_30_and_says_what_to_type(tmp_path: Path) -> None:
    program = Program(tmp_path)
    config = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    app = config / "app.yaml"
    app.write_text(app.read_text().replace('venue_url: ""', 'venue_url: "https://127.0.0.1:9"'))
    done = program("preview", "--mode", "PAPER", "--venue", "coinbase", "--state", program.state)
    assert (done.code, done.out) == (30, "") and "127.0.0.1:9" in done.err
    safe, following = done.err.splitlines()[-2:]
    assert safe == "  safe now: nothing was sent"
    again = f"trader check-clock --mode PAPER --venue coinbase --state {program.state}"
    assert following == f"  next: {again}, then: trader runbook show venue-down"
    assert program("runbook", "show", "venue-down").code == 0


def test_an_account_of_another_mode_is_named_where_the_one_asked_for_is_not_there(program: Program) -> None:
    told = f"there is no DRY_RUN account in {program.state}, but one of PAPER"
    for words in (("reconcile",), ("status", "--mode", "DRY_RUN"), ("backup", "--mode", "DRY_RUN")):
        done = program(*words, "--state", program.state)
        assert done.code == 13 and told in done.err and "next: --mode PAPER" in done.err
    done = program("doctor", "--state", program.state)
    assert "there is no DRY_RUN account, but one of PAPER" in done.out
    assert "next: trader doctor --mode PAPER" in done.out
