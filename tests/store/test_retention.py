"""What is old leaves the state for closed files: every answer stays the same, nothing is ever between two places, and
what is not as it was written is found there too."""

# ruff: noqa: S608 - names of tables, from lists below

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from threading import Timer
from types import FrameType
from typing import Any

import pytest

from tests.cli.program import START, Inside
from tests.tampering import altered, unguarded
from tests.world import World, at, write_config
from trader_core import hindsight
from trader_core.bootstrap import open_system
from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import JournalBroken
from trader_core.domain.facts import CycleClosed, Decided, Moved, Paused, Resumed
from trader_core.engine.journal import Journal
from trader_core.engine.run import cycles
from trader_core.ledger.checkpoint import code_digest, to_text
from trader_core.ledger.fold import fold
from trader_core.ops.lock import StateLock
from trader_core.retention import retained
from trader_core.settings.options import Options
from trader_core.store.files import StateFiles
from trader_core.store.moving import DECISIONS_MAX, Needs, Span, due, move
from trader_core.store.segments import digest_of_file, rest_of
from trader_core.store.sqlite import SqliteStore

DAY = 96  # bars
MIDNIGHT = 2 * DAY - 1  # the bar that ends when the day begins of which the decisions stay
FIRST, SECOND, YOUNG = 8, 2, 6  # decisions in the first file, in the second, and in none
ASKED = (
    ("decisions", "list"), ("decisions", "show", "2"), ("decisions", "show", "9"), ("why", "--cycle", "2"),
    ("why", "--no-trade"), ("replay", "--all"), ("replay", "1"),
    ("what-if", "--set", "risk.max_open_positions=1", "9"), ("trades",), ("pnl",), ("positions",), ("orders",),
)  # fmt: skip


def options(home: Path) -> Options:
    return World(home).options(since_ms=None)


@pytest.fixture(scope="session")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An account that traded on the first day, around the second's end, and on the fourth; nothing was moved yet."""
    home = tmp_path_factory.mktemp("days")
    series: dict[str, Any] = {name: [base + (n // 2 * step) % 9 for n in range(4 * DAY)] for name, base, step in COINS}
    world = World(home).market(**series)
    world.configured(app__retention__decisions_days=1).run(limit=6)
    world.run(limit=8, since_ms=at(MIDNIGHT - 4))
    world.run(limit=2, since_ms=at(3 * DAY + 1))
    return home


COINS = (("BTC", 100, 4), ("ETH", 50, 5), ("SOL", 20, 7))


@pytest.fixture(scope="session")
def two_files(three_days: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same account with its old days in two files, of which the second's windows reach into the first."""
    home = tmp_path_factory.mktemp("moved") / "home"
    shutil.copytree(three_days, home)
    store = SqliteStore.writing(home / "state" / "paper.db", "")
    span = due(store, at(MIDNIGHT - 2))
    assert span
    move(store, Needs(store), span, (code_digest(), to_text(fold(list(store.facts())[: span.last]))))
    store.close()
    (found,) = retained(options(home))
    assert len(found.files) == 1 and not found.more and not found.missing
    return home


def test_what_a_person_did_while_the_clock_was_ahead_keeps_nothing_in_the_state(tmp_path: Path) -> None:
    """What is old is told by cycles: their time is the venue's."""
    series: dict[str, Any] = {name: [base + (n // 2 * step) % 9 for n in range(4 * DAY)] for name, base, step in COINS}
    world, ahead_ms = World(tmp_path).market(**series), at(400 * DAY)
    world.configured(app__retention__decisions_days=1).run(limit=3)
    with closing(SqliteStore.writing(world.state / "paper.db", "")) as store:
        Journal(store).record(ahead_ms, [Paused("the clock is off", ahead_ms), Resumed("nothing is wrong", ahead_ms)])
    world.run(limit=3)
    world.run(limit=2, since_ms=at(3 * DAY + 1))
    with closing(SqliteStore.writing(world.state / "paper.db", "")) as store:
        ends = [seq for (seq,) in store.query("SELECT seq FROM journal WHERE kind = 'cycle_closed' ORDER BY seq")]
    (found,) = retained(options(tmp_path))
    assert (len(ends), found.rows) == (8, ends[5])
    assert asked(Inside(tmp_path), "audit", "verify")["ok"]


@pytest.fixture
def moved(two_files: Path, tmp_path: Path) -> Inside:
    """A copy to be changed."""
    shutil.copytree(two_files, tmp_path, dirs_exist_ok=True)
    return Inside(tmp_path)


@pytest.fixture
def whole(three_days: Path, tmp_path: Path) -> Inside:
    """A copy of which nothing was moved yet."""
    shutil.copytree(three_days, tmp_path, dirs_exist_ok=True)
    return Inside(tmp_path)


def asked(program: Inside, *words: str) -> dict[str, Any]:
    config = ("--config", program.home / "config") if words[0] == "retain" else ()
    done = program(*words, "--state", program.state, *config, "--json")
    assert done.code == 0, done.out + done.err
    return done.document


def files(program: Inside) -> list[Path]:
    return sorted((program.state / "paper.segments").iterdir())


def rows(path: Path, sql: str) -> list[Any]:
    db = sqlite3.connect(path)
    found = db.execute(sql).fetchall()
    db.close()
    return found


# --- the same answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_every_answer_is_what_it_was(words: tuple[str, ...], three_days: Path, two_files: Path) -> None:
    before, after = asked(Inside(three_days), *words), asked(Inside(two_files), *words)
    for one in (before, after):
        for found in one["data"] if isinstance(one["data"], list) else [one["data"]]:
            for name in ("nearest_signal", "nearest_refusal"):  # their hints name the place
                (found.get(name) or {}).pop("command", None)
    assert before == after


def test_the_old_decisions_are_out_of_the_state_and_everything_else_is_as_it_was(
    three_days: Path, two_files: Path
) -> None:
    before, after = (home / "state" / "paper.db" for home in (three_days, two_files))
    told = "SELECT * FROM journal WHERE kind <> 'decided'"
    assert rows(before, told) == rows(after, told)
    empty = rows(after, "SELECT kind, count(*) FROM journal WHERE body = '' GROUP BY kind")
    assert empty == [("decided", FIRST + SECOND)]
    ((last,),) = rows(after, "SELECT max(last) FROM segments")
    assert rows(after, "SELECT count(*) FROM inputs") == [(YOUNG,)]
    assert rows(after, f"SELECT * FROM inputs WHERE seq <= {last}") == []
    bars = "SELECT count(*) FROM bars"
    assert rows(after, bars) < rows(before, bars), "what no later decision looks at is let go"
    assert rows(after, "SELECT count(*) FROM shelved")[0][0] > 0
    assert [one.stat().st_mode & 0o777 for one in files(Inside(two_files))] == [0o400] * 2


def test_everything_is_walked_in_its_file_too(three_days: Path, two_files: Path) -> None:
    before, after = (asked(Inside(home), "decisions", "verify")["data"] for home in (three_days, two_files))
    assert (before.pop("files"), after.pop("files")) == (0, 2)
    assert before == after
    assert asked(Inside(two_files), "audit", "verify")["data"]["missing"] == []


def test_the_book_needs_no_file(moved: Inside, three_days: Path) -> None:
    """Also where no checkpoint helps."""
    shutil.rmtree(moved.state / "paper.segments")
    books = []
    for home in (three_days, moved.home):
        with StateFiles(home / "state", "PAPER").reading() as store:
            books.append((Journal(store).book, fold(store.facts())))
    assert books[0] == books[1]


def test_the_account_goes_on_and_what_it_decides_then_is_replayed_to_the_byte(moved: Inside) -> None:
    assert len(World(moved.home).run(limit=2, since_ms=None)) == 2
    assert asked(moved, "replay", "--all")["data"]["identical"] == FIRST + SECOND + YOUNG + 2
    assert asked(moved, "decisions", "verify")["data"]["decisions"] == FIRST + SECOND + YOUNG + 2


def test_it_moves_beside_a_loop_that_trades_which_then_goes_on(whole: Inside) -> None:
    with open_system(options(whole.home)) as system:
        run = cycles(system.ports, system.policy, system.journal, lambda: False, 3)
        next(run)
        (found,) = asked(whole, "retain")["data"]["accounts"]
        assert found["files"]
        assert len(list(run)) == 2
    assert asked(whole, "replay", "--all")["data"]["identical"] == FIRST + SECOND + YOUNG + 3
    asked(whole, "decisions", "verify")


def test_what_is_written_while_it_moves_keeps_all_it_needs(two_files: Path, tmp_path: Path) -> None:
    """A cycle that ends after what stays was looked through, and before the state changes."""
    world = World(tmp_path)
    shutil.copytree(two_files / "data", world.data)
    world.configured(app__retention__decisions_days=1).run(limit=3)
    store = SqliteStore.writing(world.state / "paper.db", "")
    span, needs = due(store, at(9)), Needs(store)
    assert span
    world.run(limit=1, since_ms=None)
    move(store, needs, span, ("", ""))
    store.close()
    program = Inside(tmp_path)
    assert asked(program, "decisions", "verify")["data"]["decisions"] == 4
    (program.state / "paper.segments" / f"{span.first:09d}-{span.last:09d}.db").unlink()
    assert asked(program, "replay", "4")["data"]["identical"] == 1


def test_what_is_young_stays_and_so_does_everything_of_an_account_that_rests(moved: Inside) -> None:
    (found,) = asked(moved, "retain")["data"]["accounts"]
    assert (found["files"], found["rows"], found["before"]) == ([], 0, "2024-03-06T00:00:00Z")
    write_config(moved.home / "config", {})
    (found,) = asked(moved, "retain")["data"]["accounts"]
    assert found["before"] == "2023-12-08T00:00:00Z", "ninety days, as the rules want it"


def test_without_a_state_nothing_is_made(tmp_path: Path) -> None:
    done = Inside(tmp_path)("retain", "--state", tmp_path / "state")
    assert done.code == 13 and "there is no state" in done.err and not (tmp_path / "state").exists()


# --- files that are not there ----------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_told_by_whoever_needs_it_and_by_nobody_else(moved: Inside) -> None:
    gone = files(moved)[0]
    gone.unlink()
    verified = asked(moved, "decisions", "verify")
    assert verified["data"]["missing"] == [str(gone)] and verified["data"]["moved"] == FIRST
    assert str(gone) in verified["warnings"][0]
    assert str(gone) in asked(moved, "audit", "verify")["warnings"][0]
    found = asked(moved, "replay", "--all")
    assert (found["data"]["replayed"], found["data"]["away"]) == (YOUNG, FIRST + SECOND), "windows reach into it"
    assert found["data"]["identical"] == YOUNG and str(gone) in found["warnings"][0]
    for words in (("replay", "2"), ("what-if", "--set", "risk.max_open_positions=1", "2"), ("decisions", "show", "2")):
        done = moved(*words, "--state", moved.state)
        assert done.code == 13 and "which is not there" in done.err.replace("that is not", "which is not"), done.err
    listed = asked(moved, "decisions", "list")
    assert listed["data"]["away"] == FIRST and "not there" in listed["warnings"][0]
    assert {one["cycle"] for one in listed["data"]["decisions"]} == set(range(FIRST + 1, FIRST + SECOND + YOUNG + 1))
    why = moved("why", "BTC-USD", "--cycle", "2", "--state", moved.state)
    assert why.code == 0 and f"stands in {gone}, which is not there" in why.out
    assert asked(moved, "why", "--no-trade")["data"]["away"] == FIRST
    assert asked(moved, "why", "--no-trade", "--since", "2024-03-06")["data"]["away"] == 0
    exported = asked(moved, "decisions", "export", str(moved.home / "out"))
    assert (exported["data"]["written"] + exported["data"]["left"], exported["data"]["away"]) == (SECOND + YOUNG, FIRST)
    kept = asked(moved, "audit", "export", "--out", str(moved.home / "out.jsonl"))
    assert kept["data"]["rows"] == verified["data"]["rows"]
    assert World(moved.home).run(limit=1, since_ms=None)
    assert asked(moved, "retain")["warnings"]


def test_what_is_left_of_a_row_is_checked_while_its_file_is_not_there(moved: Inside) -> None:
    files(moved)[0].unlink()
    altered(moved.state / "paper.db", "UPDATE journal SET at_ms = at_ms + 1 WHERE kind = 'decided' AND cycle_id = 3")
    done = moved("decisions", "verify", "--state", moved.state)
    assert done.code == 61 and "or what is left of rows 1 to" in done.err


# --- one changed bit -------------------------------------------------------------------------------------------------

COLUMNS = {
    "segments": ("last", "first", "until_ms", "floor_ms", "hash", "digest", "rest"),
    "shelved": ("digest", "last"),
}


def verified(program: Inside) -> tuple[int, str]:
    done = program("decisions", "verify", "--state", program.state)
    return done.code, done.out + done.err


@pytest.mark.parametrize(("table", "column"), [(name, one) for name, some in COLUMNS.items() for one in some])
def test_a_changed_word_on_a_file_is_found(table: str, column: str, moved: Inside) -> None:
    db = unguarded(sqlite3.connect(moved.state / "paper.db", isolation_level=None))
    ((value,),) = db.execute(f"SELECT {column} FROM {table} LIMIT 1").fetchall()
    other = value + 1 if isinstance(value, int) else value[:-1] + ("0" if value[-1] != "0" else "1")
    db.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (other, value))
    db.close()
    assert verified(moved)[0] == 61


@pytest.mark.parametrize("table", ["segments", "shelved"])
def test_a_file_that_nobody_knows_of_any_more_is_found(table: str, moved: Inside) -> None:
    altered(moved.state / "paper.db", f"DELETE FROM {table}")
    assert verified(moved)[0] == 61


@pytest.mark.parametrize("which", [0, 1])
def test_one_changed_bit_of_a_file_is_found_by_whoever_reads_it(which: int, moved: Inside) -> None:
    file = files(moved)[which]
    content = bytearray(file.read_bytes())
    content[Random(which).randrange(len(content))] ^= 1
    file.chmod(0o600)
    file.write_bytes(content)
    for words in (("decisions", "verify"), ("audit", "verify"), ("replay", "--all"), ("decisions", "list")):
        done = moved(*words, "--state", moved.state)
        assert done.code == 61 and str(file) in done.err, words
    assert World(moved.home).run(limit=1, since_ms=None)


@pytest.mark.parametrize("table", ["journal", "inputs", "bars", "documents"])
def test_a_file_that_was_written_anew_is_found_also_where_its_digest_was_put_right(table: str, moved: Inside) -> None:
    """What is in it is held by the journal's own chain."""
    file = files(moved)[0]
    file.chmod(0o600)
    change = {"bars": "high = high + 1", "inputs": "body = x'00'"}.get(table, "body = body || ' '")
    altered(file, f"UPDATE {table} SET {change} WHERE rowid = (SELECT min(rowid) FROM {table})")
    with StateFiles(moved.state, "PAPER").reading() as store:
        segment = store.segments().listed[0]._replace(digest=digest_of_file(file))
        rest = rest_of(segment, (row for row in store.rows(0, segment.last) if not row.body))
    right = f"UPDATE segments SET digest = '{segment.digest}', rest = '{rest}' WHERE first = 1"
    altered(moved.state / "paper.db", right)
    code, words = verified(moved)
    assert code == 61 and "row 1 of segments" not in words and "its bytes are others" not in words


@pytest.mark.parametrize("deed", ["DELETE", "UPDATE bars SET high = high + 1, mark = mark", "INSERT"])
def test_candles_that_stayed_are_the_file_s_own(deed: str, moved: Inside) -> None:
    last = "(SELECT max(last) FROM segments)"
    where = f"WHERE seq = (SELECT max(seq) FROM bars WHERE seq <= {last})"
    sql = {
        "DELETE": f"DELETE FROM bars {where}",
        "INSERT": "INSERT INTO bars SELECT 'NEW-USD', open_ms, seq, open, high, low, close, volume, mark"
        f" FROM bars {where} LIMIT 1",
    }.get(deed, f"{deed} {where}")
    altered(moved.state / "paper.db", sql)
    assert verified(moved)[0] == 61


def test_a_checkpoint_in_a_file_that_is_no_fold_of_the_journal_is_named(many: SqliteStore, tmp_path: Path) -> None:
    span = due(many, DECISIONS_MAX)
    assert span
    move(many, Needs(many), span, (code_digest(), to_text(Book(cycles=1))))
    with pytest.raises(JournalBroken, match=r"the checkpoint in .*000000001-"):
        hindsight.verified(SqliteStore(tmp_path / "paper.db", None))


@pytest.mark.parametrize(
    "which",
    [
        "kind = 'decided' AND seq > (SELECT max(last) FROM segments)",
        "kind = 'cycle_closed' AND seq < (SELECT max(last) FROM segments)",
        "kind = 'marked'",
    ],
)
def test_a_row_without_a_body_that_no_file_explains_is_no_journal(which: str, moved: Inside) -> None:
    altered(
        moved.state / "paper.db",
        f"UPDATE journal SET body = '' WHERE seq = (SELECT max(seq) FROM journal WHERE {which})",
    )
    for words in (("decisions", "verify"), ("decisions", "list")):
        assert moved(*words, "--state", moved.state).code == 61
    altered(moved.state / "paper.db", "DELETE FROM checkpoint")
    assert moved("status", "--state", moved.state).code == 61


FORBIDDEN = (
    "UPDATE journal SET body = '' WHERE kind = 'decided' AND body <> ''",
    "UPDATE journal SET body = '' WHERE kind = 'filled'",
    "UPDATE journal SET body = '' WHERE kind = 'intended'",
    "UPDATE journal SET body = '', at_ms = 1 WHERE kind = 'decided'",
    "UPDATE journal SET body = 'x' WHERE body = ''",
    "DELETE FROM journal WHERE body = ''",
    "DELETE FROM inputs",
    "DELETE FROM bars",
    "DELETE FROM documents",
    "UPDATE segments SET digest = ''",
    "DELETE FROM segments",
    "UPDATE shelved SET last = last",
    "DELETE FROM shelved",
    "INSERT INTO segments SELECT last + 9, last + 2, until_ms, floor_ms, hash, digest, rest FROM segments",
)


@pytest.mark.parametrize("deed", FORBIDDEN)
def test_the_database_itself_lets_nothing_go_that_is_in_no_file(deed: str, two_files: Path) -> None:
    db = sqlite3.connect(two_files / "state" / "paper.db")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(deed)
    db.close()


@pytest.mark.parametrize("table", ["inputs", "documents"])
def test_before_anything_was_moved_it_lets_nothing_go_at_all(table: str, three_days: Path) -> None:
    db = sqlite3.connect(three_days / "state" / "paper.db")
    for deed in (f"DELETE FROM {table}", "UPDATE journal SET body = '' WHERE kind = 'decided'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(deed)
    db.close()


def test_what_is_not_as_it_was_written_is_not_moved(whole: Inside) -> None:
    altered(whole.state / "paper.db", "UPDATE bars SET high = high + 1 WHERE seq = (SELECT min(seq) FROM bars)")
    done = whole("retain", "--state", whole.state, "--config", whole.home / "config")
    assert done.code == 61
    assert rows(whole.state / "paper.db", "SELECT count(*) FROM segments") == [(0,)]
    assert rows(whole.state / "paper.db", "SELECT count(*) FROM journal WHERE body = ''") == [(0,)]


# --- a kill at every step --------------------------------------------------------------------------------------------

TOUCHES = {"chmod", "connect", "execute", "executemany", "fsync", "mkdir", "open", "rename", "replace", "unlink"}
KILLS = 10


def forked(act: Callable[[], None]) -> int:
    """The status of a process that did this, without any of the test's endings."""
    child = os.fork()
    if not child:
        try:
            act()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


def killed_before(home: Path, nth: int) -> int:
    """Move in a process that is killed before the nth call that may touch the disk; how it ended."""
    seen = 0

    def watch(frame: FrameType, event: str, called: Any) -> None:
        nonlocal seen
        if event == "c_call" and called.__name__ in TOUCHES:
            seen += 1
            if seen == nth:
                os.kill(os.getpid(), signal.SIGKILL)

    def act() -> None:
        sys.setprofile(watch)
        retained(options(home))

    return forked(act)


def touches_of(home: Path) -> int:
    """How many such calls one move has."""
    seen = []
    sys.setprofile(lambda frame, event, called: seen.append(called.__name__) if event == "c_call" else None)
    try:
        retained(options(home))
    finally:
        sys.setprofile(None)
    return sum(name in TOUCHES for name in seen)


def test_a_kill_at_any_step_loses_nothing_and_the_next_move_ends_it(three_days: Path, tmp_path: Path) -> None:
    shutil.copytree(three_days, tmp_path / "count")
    total = touches_of(tmp_path / "count")
    assert total > KILLS
    reference = facts(Inside(three_days))
    moved_at = set()
    for nth in sorted({round(1 + n * (total - 1) / (KILLS - 1)) for n in range(KILLS)}):
        home = tmp_path / str(nth)
        shutil.copytree(three_days, home)
        assert os.WIFSIGNALED(killed_before(home, nth)), nth
        with StateFiles(home / "state", "PAPER").reading() as store:
            assert not any(isinstance(fact, Moved) for _, fact in store.told())
            moved_at.add(bool(store.query("SELECT 1 FROM segments")))
        assert facts(Inside(home)) == reference
        assert verified(Inside(home))[0] == 0
        retained(options(home))
        assert facts(Inside(home)) == reference and verified(Inside(home))[0] == 0
        assert [one.suffix for one in files(Inside(home))] == [".db"]
        shutil.rmtree(home)
    assert moved_at == {False, True}, "before the transaction, and after it"


def facts(program: Inside) -> list[Any]:
    with StateFiles(program.state, "PAPER").reading() as store:
        return list(store.told())


# --- bounds ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> Iterator[SqliteStore]:
    """More decisions than go into one file, in one cycle each."""
    store = SqliteStore(tmp_path / "paper.db", {"mode": "PAPER"}, "digest")
    for n in range(1, DECISIONS_MAX + 20):
        store.append(n, n, [Decided(EpochMs(n), "d", ()), CycleClosed(EpochMs(n), 0, 0, 0, "", EpochMs(0))])
    yield store
    store.close()


def test_a_file_holds_so_many_decisions_and_the_next_goes_on_where_it_ends(many: SqliteStore) -> None:
    everything = list(many.told())
    first = due(many, DECISIONS_MAX + 10)
    assert first and (first.first, first.last) == (1, 1 + 2 * DECISIONS_MAX)
    move(many, Needs(many), first, ("", ""))
    second = due(many, DECISIONS_MAX + 10)
    assert second and (second.first, second.last) == (first.last + 1, first.last + 2 * 9)
    move(many, Needs(many), second, ("", ""))
    assert due(many, DECISIONS_MAX + 10) is None
    assert list(many.told()) == everything
    assert [fact for fact in many.facts() if not isinstance(fact, Decided)] == [
        fact for _, fact in everything if not isinstance(fact, Decided)
    ]


@pytest.mark.parametrize("bytes_max", [100_000, 200_000], ids=["the file", "the state"])
def test_a_disk_that_fills_meanwhile_is_told_and_what_was_begun_takes_no_room(bytes_max: int, whole: Inside) -> None:
    """A loop beside it writes to the same disk. The state's log is longer already than the file will be."""
    words = ("retain", "--state", str(whole.state), "--config", str(whole.home / "config"))
    full = ["prlimit", f"--fsize={bytes_max}", *START, *words]
    with closing(sqlite3.connect(whole.state / "paper.db", isolation_level=None)) as log:
        log.execute("CREATE TABLE much AS SELECT zeroblob(200000)")
        log.execute("DROP TABLE much")
        done = subprocess.run(full, cwd=whole.home, env=whole.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "make room on its disk" in done.stderr) == (13, True), done.stderr
    assert files(whole) == []
    assert asked(whole, "retain")["data"]["accounts"][0]["files"]


def test_a_cycle_is_moved_whole_or_not_at_all(tmp_path: Path) -> None:
    """One that began in time and came to its end later, after a crash."""
    with closing(SqliteStore(tmp_path / "paper.db", {"mode": "PAPER"}, "digest")) as store:
        store.append(1, 1, [Decided(EpochMs(1), "d", ())])
        store.append(1, 9, [CycleClosed(EpochMs(1), 0, 0, 0, "", EpochMs(0))])
        assert due(store, 5) is None
        assert due(store, 10) == Span(1, 3)


def test_files_of_another_account_in_the_same_place_are_left_alone(moved: Inside, three_days: Path) -> None:
    shutil.copy(three_days / "state" / "paper.db", moved.state / "paper.db")
    altered(moved.state / "paper.db", "UPDATE journal SET hash = hash || 'x' WHERE seq = 1")
    before = [one.read_bytes() for one in files(moved)]
    done = moved("retain", "--state", moved.state, "--config", moved.home / "config")
    assert done.code in (13, 61)
    assert [one.read_bytes() for one in files(moved)] == before


# --- copies ----------------------------------------------------------------------------------------------------------


def test_a_backup_has_the_files_shares_them_with_the_next_and_brings_them_back(moved: Inside) -> None:
    first, second = (Path(str(asked(moved, "backup")["data"]["backup"])) for _ in range(2))
    names = [f"paper.segments/{one.name}" for one in files(moved)]
    for name in names:
        assert (first / name).stat().st_ino == (second / name).stat().st_ino
        assert (first / name).stat().st_ino != (moved.state / name).stat().st_ino, "a copy is a copy"
    shutil.rmtree(moved.state / "paper.segments")
    asked(moved, "restore", str(second), "--yes")
    assert asked(moved, "decisions", "verify")["data"]["files"] == 2
    assert asked(moved, "replay", "1")["data"]["identical"] == 1
    (first / names[0]).chmod(0o600)
    (first / names[0]).write_bytes(b"")
    assert moved("restore", str(first), "--verify", "--state", moved.state).code == 13


def test_an_account_that_is_put_away_takes_its_files_along(moved: Inside) -> None:
    place = Path(asked(moved, "paper", "reset", "--yes")["data"]["archive"])
    assert not (moved.state / "paper.segments").exists()
    done = moved("decisions", "verify", "--state", place, "--json")
    assert (done.code, done.data["files"]) == (0, 2)


def test_who_replaces_the_account_waits_for_who_moves(whole: Inside) -> None:
    place = str(asked(whole, "backup")["data"]["backup"])
    for words in (("retain",), ("restore", place, "--yes")):
        held = StateLock(StateFiles(whole.state, "PAPER").moving)
        held.__enter__()
        began = time.monotonic()
        Timer(0.3, held.__exit__, (None, None, None)).start()
        asked(whole, *words)
        assert time.monotonic() - began > 0.25, "it has waited"
