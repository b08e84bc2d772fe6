"""Copies of an account and the way back from one, anchors of its journal, the units, a drill: through the program."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.beside import is_asked
from tests.cli.program import START, Done, Inside, Program
from tests.kill.scene import IDENTITY, NOT_ALMIGHTY
from tests.tampering import altered
from tests.world import write_config
from trader_core.domain.clocktime import DAY_MS, EpochMs
from trader_core.domain.facts import CashFlow
from trader_core.domain.grant import Revoked
from trader_core.domain.ids import OrderIdsOf
from trader_core.domain.money import Quote
from trader_core.kill.run import Wish, kill
from trader_core.ops.clock import host_ms
from trader_core.ops.lock import StateLock
from trader_core.store.backups import FOLDER, back_up
from trader_core.store.files import newest
from trader_core.store.grants import Permits
from trader_core.store.segments import digest_of_file
from trader_core.store.sqlite import SqliteStore
from trader_core.store.trials import Trial, Trials
from trader_core.upkeep import SKIPPED

KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class Drill:
    """A drill in a process of its own. Most of it is waiting, so it begins before all other tests and ends last."""

    program: Program
    running: "subprocess.Popen[str]"

    def ended(self) -> Done:
        out, err = self.running.communicate(timeout=120)
        return Done(self.running.returncode, out, err)


@pytest.fixture(scope="module", autouse=True)
def drill(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill | None]:
    """None where its test is not asked for."""
    if not is_asked(request, "test_a_drill_fires_the_guards_on_a_venue_of_its_own_and_leaves_nothing"):
        yield None
        return
    program = Program(tmp_path_factory.mktemp("drill"))
    write_config(program.home / "config", {"policy.orders.maker_ttl_bars": 0})  # what is bought at once has a stop
    begun = Drill(program, program.start("doctor", "--drill", "--json", "--config", program.home / "config"))
    yield begun
    begun.ended()


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Inside:
    """A paper account of 20 cycles, with orders."""
    program = Inside(tmp_path_factory.mktemp("traded"))
    assert program.paper("run", "--cycles", "20").code == 0
    return program


@pytest.fixture
def program(tmp_path: Path, traded: Inside) -> Inside:
    found = Inside(tmp_path)
    found.state.mkdir()
    for one in traded.state.iterdir():
        if one.is_file():
            (found.state / one.name).write_bytes(one.read_bytes())
    return found


def acted(program: Program, *words: str | Path, code: int = 0) -> dict[str, object]:
    done = program(*words, "--state", program.state, "--json")
    assert done.code == code, done.out + done.err
    return done.data


def intents(program: Inside) -> int:
    with sqlite3.connect(program.state / "paper.db") as db:
        (found,) = db.execute("SELECT count(*) FROM journal WHERE kind = 'intended'").fetchone()
    return int(found)


def entries(program: Inside) -> int:
    with sqlite3.connect(program.state / "paper.db") as db:
        rows = db.execute("SELECT body FROM journal WHERE kind = 'intended'").fetchall()
    return sum(json.loads(body)[1][2] == "ENTRY" for (body,) in rows)


def test_what_is_made_in_a_folder_that_others_may_look_into_is_for_its_owner_alone(tmp_path: Path) -> None:
    program, before = Program(tmp_path), os.umask(0o022)
    program.state.mkdir(mode=0o755)
    try:
        assert program.paper("run", "--cycles", "2").code == 0
        acted(program, "policy", "set", "risk.max_per_asset_pct=1", "--reason", "less of everything")
        acted(program, "incident", "start", "a look")
        acted(program, "backup")
    finally:
        os.umask(before)
    seen = [one.name for one in program.state.iterdir() if one.is_file() and one.stat().st_mode & 0o077]
    assert seen == []


def test_a_backup_that_names_no_account_copies_every_one(program: Inside) -> None:
    """The timer's names none. A dry run that goes on beside it kept the account with the money out of every copy."""
    dry = ("--mode", "DRY_RUN", "--venue", "simulated", "--state", program.state)
    assert program("run-cycle", *dry).code == 0
    made: Any = acted(program, "backup", "--keep", "1")
    assert [one["mode"] for one in (made, *made["backups"])] == ["DRY_RUN", "DRY_RUN", "PAPER"]
    for one in made["backups"]:
        assert acted(program, "restore", one["backup"], "--verify")["rows"] == one["rows"]
    alone: Any = acted(program, "backup", "--mode", "PAPER")
    assert [one["mode"] for one in alone["backups"]] == ["PAPER"]


def test_an_account_that_cannot_be_copied_keeps_no_other_from_it(program: Inside) -> None:
    dry = ("--mode", "DRY_RUN", "--venue", "simulated", "--state", program.state)
    assert program("run-cycle", *dry).code == 0
    file = program.state / "dry_run.db"
    content = bytearray(file.read_bytes())
    content[3 * 4096 : 6 * 4096] = b"\0" * (3 * 4096)
    file.write_bytes(content)
    done = program("backup", "--state", program.state)
    assert done.code == 13 and "dry_run.db" in done.err and "PAPER is copied" in done.err
    found: Any = acted(program, "backup", "--list")
    assert [one["mode"] for one in found["backups"]] == ["PAPER"]


def test_a_backup_is_whole_and_one_changed_byte_in_it_is_found(program: Inside) -> None:
    made = acted(program, "backup")
    place = Path(str(made["backup"]))
    assert {"paper.db", "paper.venue.db"} <= set(made["files"])  # type: ignore[call-overload]
    assert acted(program, "restore", place, "--verify")["rows"] == made["rows"]
    file = place / "paper.venue.db"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    done = program("restore", place, "--verify", "--state", program.state)
    assert done.code == 13 and "is not as it was copied" in done.err
    assert program("restore", place, "--yes", "--state", program.state).code == 13
    assert not (program.state / "archive").exists()


def garbled(path: Path) -> None:
    """A page in the middle of the file, as a bad disk leaves it: no row of the journal is in it."""
    with path.open("r+b") as file:
        file.seek(8_192)
        file.write(b"garbage")


@pytest.mark.parametrize("name", ["paper.db", "paper.venue.db"])
def test_a_damaged_page_is_found_before_anything_is_copied(program: Inside, name: str) -> None:
    garbled(program.state / name)
    done = program("backup", "--state", program.state)
    assert done.code == 13 and f"{name} is damaged" in done.err
    assert not (program.state / "backups").exists()


def test_a_damaged_page_of_the_state_is_found_by_who_verifies(program: Inside) -> None:
    garbled(program.state / "paper.db")
    for words in ("decisions", "verify"), ("audit", "verify"):
        done = program(*words, "--state", program.state)
        assert done.code == 13 and "paper.db is damaged" in done.err


def resealed(place: Path, name: str) -> None:
    """The page of a copy, as it would be had this file been like this when it was taken."""
    page = json.loads((place / "backup.json").read_text())
    page.pop("sha256")
    page["files"][name] = digest_of_file(place / name)
    page["sha256"] = sha256(json.dumps(page, sort_keys=True).encode()).hexdigest()
    (place / "backup.json").write_text(json.dumps(page))


def of_schema_5(state: Path) -> None:
    """As the version before had it, which moved nothing into closed files."""
    guards = "journal_is_not_changed", "inputs_are_not_deleted", "bars_are_not_deleted", "documents_are_not_deleted"
    changing = (f"CREATE TRIGGER {one} BEFORE UPDATE ON {one.partition('_')[0]} BEGIN SELECT 1; END" for one in guards)
    altered(state, "DROP TABLE shelved", "DROP TABLE segments", *changing, "PRAGMA user_version = 5")


def test_a_copy_of_a_broken_journal_is_no_copy(program: Inside) -> None:
    """It would be the newest, be taken for one that can be put back, and stand in the place of those that can."""
    good = Path(str(acted(program, "backup")["backup"]))
    altered(program.state / "paper.db", "UPDATE journal SET body = replace(body, '1', '2') WHERE seq = 20")
    for _ in range(2):
        done = program.paper("backup", "--keep", "2")
        assert (done.code, "hash chain breaks at row 20" in done.err) == (61, True), done.err
    listed = program.paper("backup", "--list", "--json").data["backups"]
    assert [one["backup"] for one in listed] == [str(good)]
    assert [one.name for one in good.parent.iterdir()] == [good.name]


def test_an_account_that_no_cycle_has_brought_up_to_date_is_copied_and_stays_as_it_is(program: Inside) -> None:
    of_schema_5(program.state / "paper.db")
    before = digest_of_file(program.state / "paper.db")
    place = Path(str(acted(program, "backup")["backup"]))
    assert digest_of_file(program.state / "paper.db") == before
    assert program("restore", place, "--verify", "--state", program.state).code == 0


def test_a_copy_that_an_older_version_took_is_proven_put_back_and_let_go_of_like_others(program: Inside) -> None:
    place = Path(str(acted(program, "backup")["backup"]))
    of_schema_5(place / "paper.db")
    resealed(place, "paper.db")
    files = sorted((one.name, one.stat().st_size) for one in place.iterdir())
    assert program("restore", place, "--verify", "--state", program.state).code == 0
    assert program("restore", place, "--yes", "--state", program.state).code == 0
    assert sorted((one.name, one.stat().st_size) for one in place.iterdir()) == files
    assert program("decisions", "verify", "--state", program.state).code == 0
    assert acted(program, "backup", "--keep", "1")["let_go"] == [str(place)]


@pytest.mark.parametrize("name", ["paper.db", "paper.venue.db"])
def test_a_copy_of_a_damaged_file_is_not_put_back(program: Inside, name: str) -> None:
    """One that an older program took: to the byte as it was copied, and damaged."""
    place = Path(str(acted(program, "backup")["backup"]))
    garbled(place / name)
    resealed(place, name)
    for how in "--verify", "--yes":
        done = program("restore", place, how, "--state", program.state)
        assert done.code == 13 and f"{name} is damaged" in done.err
    assert not (program.state / "archive").exists()


def test_a_folder_whose_page_is_missing_is_no_backup(program: Inside) -> None:
    place = Path(str(acted(program, "backup")["backup"]))
    (place / "backup.json").unlink()
    assert program("restore", place, "--verify", "--state", program.state).code == 13
    assert acted(program, "backup", "--list")["backups"] == []


def test_only_the_newest_copies_are_kept(program: Inside) -> None:
    first = acted(program, "backup", "--keep", "2")["backup"]
    acted(program, "backup", "--keep", "2")
    third = acted(program, "backup", "--keep", "2")
    assert third["let_go"] == [first]
    assert len(acted(program, "backup", "--list")["backups"]) == 2  # type: ignore[arg-type]


def test_copies_of_a_clock_that_was_ahead_let_go_of_none_that_is_made_now(program: Inside) -> None:
    """By their names they are the newest, and the copy that was just made would be the oldest."""
    files, shelf = newest(program.state, ("PAPER",)), program.state / FOLDER
    ahead = [str(back_up(files, shelf, EpochMs(host_ms() + days * DAY_MS)).place) for days in (400, 401)]
    first, second = (acted(program, "backup", "--keep", "1") for _ in range(2))
    assert (first["let_go"], second["let_go"]) == ([], [first["backup"]])
    listed = acted(program, "backup", "--list")["backups"]
    assert [one["backup"] for one in listed] == [second["backup"], *ahead]  # type: ignore[attr-defined]


def test_two_that_let_go_of_the_same_copies_at_once_both_do_their_work(
    program: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timer and a person: the other one is through before the first has taken anything away."""
    for _ in range(2):
        acted(program, "backup")
    whole, other = shutil.rmtree, list[Done]()

    def rmtree(path: Path, **how: Any) -> None:
        if not other:
            other.append(Done(-1, "", ""))
            other[0] = program("backup", "--keep", "2", "--state", program.state)
        whole(path, **how)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", rmtree)
        done = program("backup", "--keep", "1", "--state", program.state, "--json")
    assert (done.code, other[0].code) == (0, 0), done.err + other[0].err
    left: list[object] = acted(program, "backup", "--list")["backups"]  # type: ignore[assignment]
    assert len(left) <= 2 and len(list((program.state / "backups").iterdir())) == len(left)


def test_a_copy_of_another_account_in_the_same_place_is_never_let_go_of(tmp_path: Path) -> None:
    made = [tmp_path / name / "state" for name in "ab"]
    for state in made:
        state.mkdir(parents=True)
        store = SqliteStore(state / "live.db", {**IDENTITY, "instance": str(state)}, "digest")
        store.append(1, 0, [CashFlow(Quote(Decimal(100)), EpochMs(0), "opened", "0")])
        store.close()
    words: list[str | Path] = ["backup", "--to", tmp_path / "shelf", "--keep", "1"]
    first, other = (acted(Inside(state.parent), *words)["backup"] for state in made)
    again = acted(Inside(made[1].parent), *words)
    assert again["let_go"] == [other]
    listed = acted(Inside(tmp_path), "backup", "--list", "--to", tmp_path / "shelf")["backups"]
    assert [one["backup"] for one in listed] == [first, again["backup"]]  # type: ignore[attr-defined]


def test_a_damaged_copy_hides_no_other_and_keeps_none_from_being_let_go_of(program: Inside) -> None:
    damaged = Path(str(acted(program, "backup")["backup"]))
    second = acted(program, "backup")["backup"]
    (damaged / "backup.json").write_text("{}")
    done = program("backup", "--keep", "1", "--state", program.state, "--json")
    assert (done.code, done.data["let_go"]) == (0, [second]), done.out
    listed = program("backup", "--list", "--state", program.state, "--json")
    assert (listed.code, [one["backup"] for one in listed.data["backups"]]) == (0, [done.data["backup"]])
    for warnings in (done.document["warnings"], listed.document["warnings"]):
        assert [one.partition(" is no backup")[0] for one in warnings] == [str(damaged)]


def test_a_copy_that_cannot_be_finished_takes_no_room(tmp_path: Path, traded: Inside) -> None:
    """Or a disk that is full is filled a little more each day."""
    program = Program(tmp_path)
    shutil.copytree(traded.state, program.state)
    small = ["prlimit", f"--fsize={(program.state / 'paper.db').stat().st_size // 2}"]
    words = [*small, *START, "backup", "--state", str(program.state)]
    done = subprocess.run(words, cwd=tmp_path, env=program.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 13, done.stderr
    assert f"df -h {program.state / 'backups'})" in done.stderr, "what was begun is gone, and has no disk"
    assert list((program.state / "backups").iterdir()) == []


def test_a_restore_that_finds_no_room_takes_none_from_the_account_that_is_there(program: Inside) -> None:
    """The half of it filled the disk to its end: nobody could even read the account any more."""
    place = str(acted(program, "backup")["backup"])
    before = sorted(program.state.iterdir())
    small = ["prlimit", f"--fsize={(program.state / 'paper.db').stat().st_size // 2}"]
    words = [*small, *START, "restore", place, "--yes", "--state", str(program.state)]
    done = subprocess.run(words, env=program.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 13 and f"df -h {program.state})" in done.stderr, done.stderr
    assert [one for one in sorted(program.state.iterdir()) if one.suffix != ".lock"] == [
        one for one in before if one.suffix != ".lock"
    ]
    assert program("restore", place, "--yes", "--state", program.state).code == 0


def test_a_copy_can_be_put_back_from_where_nothing_may_be_written(program: Inside) -> None:
    """A snapshot, or a disk that is mounted for reading only."""
    place = Path(str(acted(program, "backup")["backup"]))
    place.chmod(0o500)
    words = [*NOT_ALMIGHTY, *START, "restore", str(place), "--yes", "--state", str(program.state)]
    done = subprocess.run(words, env=program.environment, capture_output=True, text=True, check=False)
    place.chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert program.paper("run", "--cycles", "1").code in (0, 21)


def test_a_copy_in_the_place_of_the_account_is_halted_until_a_person_has_looked(program: Inside) -> None:
    copy = acted(program, "backup")
    assert program.paper("run", "--cycles", "5").code == 0
    back = acted(program, "restore", str(copy["backup"]), "--yes")
    seen = acted(program, "status")
    assert seen["cycles"] == 20 and seen["halt_state"] == "TRIPPED"
    assert "reconcile first" in str(seen["halt_reason"])
    assert (Path(str(back["archived"])) / "paper.db").exists()
    bought = entries(program)
    assert program.paper("run", "--cycles", "20").code == 0
    assert entries(program) == bought
    assert acted(program, "decisions", "verify")["decisions"]


def test_no_order_id_of_the_lost_time_is_ever_used_again(program: Inside) -> None:
    copy, before = acted(program, "backup"), intents(program)
    acted(program, "restore", str(copy["backup"]), "--yes")
    reset = ("halt", "reset", "--mode", "PAPER", "--user", "me", "--reason", "compared with the venue", "--force")
    assert program(*reset, "--state", program.state).code == 0
    assert program.paper("run", "--cycles", "60").code == 0
    assert intents(program) > before
    ids = order_ids(program)
    of_old = {OrderIdsOf("PAPER-58")(n, 0) for n in range(1, before + SKIPPED + 1)}
    assert len([one for one in ids if one in of_old]) == before


def order_ids(program: Inside) -> list[str]:
    with sqlite3.connect(program.state / "paper.db") as db:
        rows = db.execute("SELECT body FROM journal WHERE kind = 'intended' ORDER BY seq").fetchall()
    return [json.loads(body)[0] for (body,) in rows]


def test_incidents_and_trials_move_to_another_machine_with_the_account(program: Inside, tmp_path: Path) -> None:
    """Where there are some already, they stay: they are newer."""
    acted(program, "incident", "start", "the first")
    Trials(program.state).note([Trial("data", EpochMs(0), EpochMs(1), "config", 1.0, 3, "backtest")])
    copy, there = Path(str(acted(program, "backup")["backup"])), tmp_path / "another"
    acted(program, "incident", "close", "it was nothing")
    for state, ended in ((there, False), (program.state, True)):
        done = program("restore", copy, "--yes", "--state", state, "--json")
        assert done.code == 0, done.err
        (told,) = program("incident", "list", "--state", state, "--json").data["incidents"]
        assert (told["title"], told["ended"] is not None) == ("the first", ended)
        assert [one.command for one in Trials(state).all()] == ["backtest"]


def test_a_damaged_registry_of_trials_keeps_no_copy_from_being_made(program: Inside) -> None:
    """Nor what takes one first: reconcile --apply."""
    (program.state / "trials.sqlite").write_text("not a database, but long enough to be taken for one at first sight")
    done = program("backup", "--state", program.state, "--json")
    assert done.code == 0, done.err
    (told,) = done.document["warnings"]
    assert "trials.sqlite cannot be read and is not in the copy: move it away" in told
    acted(program, "restore", done.data["backup"], "--yes")


def test_what_to_type_after_a_restore_works_as_it_is_copied(program: Inside) -> None:
    place = str(acted(program, "backup")["backup"])
    done = program("restore", place, "--yes", "--state", program.state)
    first, then = done.out.rpartition("next: trader ")[2].strip().split(", then trader ")
    assert first == f"reconcile --mode PAPER --venue simulated --state {program.state}"
    then, _, at_once = then.partition("\n  before the cooldown is over with ")
    for words in (first, f"{then.replace('TEXT', 'compared-with-the-venue')} {at_once}"):
        ended = program(*words.split())
        assert ended.code == 0, ended.err


def test_a_restore_tells_whether_leave_to_trade_real_money_is_there(tmp_path: Path) -> None:
    program = Inside(tmp_path)
    program.state.mkdir()
    store = SqliteStore(program.state / "live.db", {**IDENTITY, "instance": "x"}, "digest")
    store.append(1, 0, [CashFlow(Quote(Decimal(100)), EpochMs(0), "opened", "0")])
    store.close()
    Permits(program.state).append(Revoked(EpochMs(1), "a line of the record"), EpochMs(1))
    copy = str(acted(program, "backup")["backup"])
    here = program("restore", copy, "--yes", "--state", program.state)
    assert here.code == 0 and "leave to trade real money stayed as it is here" in here.out, here
    (program.state / "permits.db").unlink()
    gone = program("restore", copy, "--yes", "--state", program.state)
    venue = IDENTITY["venue"]
    arm = f"trader arm --mode LIVE --venue {venue} --state {program.state} --max-equity AMOUNT"
    assert gone.out.splitlines()[-1] == f"leave to trade real money is never restored; after the reset: {arm}"


def test_a_tightened_policy_outlives_a_restore(program: Inside) -> None:
    copy = acted(program, "backup")
    tighter = ("policy", "set", "risk.max_per_asset_pct=1", "--reason", "less of everything")
    acted(program, *tighter)
    acted(program, "restore", str(copy["backup"]), "--yes")
    assert "paper.policy.db" in {one.name for one in program.state.iterdir()}
    assert acted(program, "policy", "show")["version"] == 2


def test_a_policy_is_not_tightened_while_a_restore_replaces_it(
    program: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be in the archive alone, and in force nowhere."""
    copy = acted(program, "backup")
    tighter = ("policy", "set", "risk.max_per_asset_pct=1", "--reason", "less of everything")
    whole, beside = Path.rename, list[Done]()
    monkeypatch.setattr("trader_core.policies.WAIT_MS", 200)

    def rename(path: Path, target: Path) -> Path:
        if not beside:
            beside.append(program(*tighter, "--state", program.state))
        return whole(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        acted(program, "restore", str(copy["backup"]), "--yes")
    assert beside[0].code == 14 and "type this again" in beside[0].err, beside[0].out
    acted(program, *tighter)
    assert acted(program, "policy", "show")["version"] == 2


def test_a_tightened_policy_outlives_the_account_that_it_was_of(program: Inside) -> None:
    """The state is gone, so there is nothing to archive but that; its backup is gone too."""
    copy = acted(program, "backup")
    acted(program, "policy", "set", "risk.max_per_asset_pct=1", "--reason", "less of everything")
    for name in ("paper.db", "paper.venue.db", "paper.policy.json"):
        (program.state / name).unlink()
    done = program("restore", str(copy["backup"]), "--yes", "--state", program.state)
    assert "stayed as it is: paper.policy.db" in done.out
    assert acted(program, "policy", "show")["version"] == 2


def test_a_policy_of_which_only_the_second_copy_is_left_is_in_a_backup_too(program: Inside, tmp_path: Path) -> None:
    """The account has been under it: without it nobody knows what was tightened, and entries are refused for ever."""
    acted(program, "policy", "set", "risk.max_per_asset_pct=1", "--reason", "less of everything")
    assert program.paper("run", "--cycles", "1").code == 0
    for one in program.state.glob("paper.policy.db*"):
        one.unlink()
    copy = acted(program, "backup")
    there = Inside(tmp_path / "there")
    acted(there, "restore", str(copy["backup"]), "--yes")
    assert acted(there, "policy", "show")["version"] == 2


def test_where_both_copies_of_the_policy_are_lost_it_says_how_to_go_on_and_that_works(program: Inside) -> None:
    copy = acted(program, "backup")
    tighter = ("policy", "set", "risk.max_per_asset_pct=1", "--reason", "less of everything")
    acted(program, *tighter)
    assert program.paper("run", "--cycles", "1").code == 0
    for one in program.state.glob("paper.policy.*"):
        one.unlink()
    lost = program(*tighter, "--state", program.state)
    where = f"--state {program.state}"
    assert f"then trader restore {where} BACKUP; without a copy: trader liquidate {where}, then" in lost.err
    acted(program, "restore", str(copy["backup"]), "--yes")
    acted(program, *tighter)
    assert acted(program, "policy", "show")["version"] == 2


@pytest.mark.parametrize("seen", [False, True])
def test_a_kill_outlives_a_restore(program: Inside, seen: bool) -> None:
    """Of an older copy, with the file deleted: the row that says stop is archived, and so is the journal."""
    place = str(acted(program, "backup")["backup"])
    assert kill(Wish(str(program.state), offline="PAPER", reason="hacked"), lambda _: None).exit_code == 0
    if seen:
        assert program.paper("run-cycle").code == 21
    (program.state / "KILL_SWITCH").unlink()
    acted(program, "restore", place, "--yes")
    halt = acted(program, "halt", "show")
    assert (halt["state"], halt["trading"]) == ("KILLED", "HALTED")
    assert "hacked" in str(halt["reason"])
    assert program.paper("run", "--cycles", "5").code == 0
    assert acted(program, "halt", "show")["state"] == "KILLED"
    reset = ("halt", "reset", "--mode", "PAPER", "--user", "me", "--reason", "compared with the venue")
    assert program(*reset, "--state", program.state).code == 0


def test_a_pause_and_a_ban_outlive_a_restore(program: Inside) -> None:
    """Both are younger than the copy."""
    place = str(acted(program, "backup")["backup"])
    for words in (("pause", "--reason", "away"), ("bans", "add", "DOGE", "--hours", "48", "--reason", "hacked")):
        assert program(*words, "--mode", "PAPER", "--state", program.state).code == 0
    acted(program, "restore", place, "--yes")
    assert acted(program, "status")["paused"] == "away"
    (ban,) = program("bans", "list", "--state", program.state, "--json").data["bans"]
    assert (ban["asset"], ban["reason"]) == ("DOGE", "hacked")


def test_a_state_that_nobody_can_read_keeps_no_copy_away(program: Inside) -> None:
    place = str(acted(program, "backup")["backup"])
    (program.state / "paper.db").write_bytes(b"garbage" * 4_096)
    acted(program, "restore", place, "--yes")
    assert acted(program, "halt", "show")["state"] == "TRIPPED"


def test_nothing_is_put_back_unless_somebody_says_yes(program: Inside) -> None:
    copy = acted(program, "backup")
    done = program("restore", str(copy["backup"]), "--state", program.state)
    assert done.code == 2 and "nothing was restored" in done.err
    assert not (program.state / "archive").exists()


# --- the journal, for others -----------------------------------------------------------------------------------------


def test_an_anchor_finds_the_end_that_was_cut_off_a_journal(
    program: Inside, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "anchors"
    monkeypatch.setenv("TRADER_AUDIT_KEY", KEY)
    older = acted(program, "backup")
    assert program.paper("run", "--cycles", "3").code == 0
    acted(program, "audit", "anchor", "--to", kept)
    assert acted(program, "audit", "verify", "--anchors", kept)["anchors"] == 1
    acted(program, "restore", str(older["backup"]), "--yes")  # whole in itself, and shorter than what was anchored
    assert acted(program, "audit", "verify")["rows"]
    done = program("audit", "verify", "--anchors", kept, "--state", program.state)
    assert done.code == 61 and "of the journal is" in done.err


def test_an_anchor_holds_only_with_the_key_that_sealed_it(
    program: Inside, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "anchors"
    assert program("audit", "anchor", "--state", program.state).code == 11
    monkeypatch.setenv("TRADER_AUDIT_KEY", "short")
    assert program("audit", "anchor", "--state", program.state).code == 11
    monkeypatch.setenv("TRADER_AUDIT_KEY", KEY)
    acted(program, "audit", "anchor", "--to", kept)
    told = kept.read_text()
    assert KEY not in told
    kept.write_text(told.replace('"seq": ', '"seq": 1'))
    assert program("audit", "verify", "--anchors", kept, "--state", program.state).code == 61
    kept.write_text(told)
    monkeypatch.setenv("TRADER_AUDIT_KEY", KEY[::-1])
    assert program("audit", "verify", "--anchors", kept, "--state", program.state).code == 61
    monkeypatch.delenv("TRADER_AUDIT_KEY")
    assert program("audit", "verify", "--anchors", kept, "--state", program.state).code == 11


def test_the_exported_rows_hold_together_by_themselves(program: Inside, tmp_path: Path) -> None:
    out = tmp_path / "journal.jsonl"
    assert acted(program, "audit", "export", "--out", out)["rows"] == len(out.read_text().splitlines())
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert all(one["prev_hash"] == before["hash"] for before, one in pairwise(rows))
    assert program("audit", "export", "--out", out, "--state", program.state).code == 2  # it is there already


def test_anchors_that_are_not_there_are_a_wrong_word_and_no_broken_journal(program: Inside, tmp_path: Path) -> None:
    for name in (tmp_path / "nope", tmp_path):
        done = program("audit", "verify", "--anchors", name, "--state", program.state)
        assert done.code == 2 and f"--anchors {name} cannot be read" in done.err and "trader audit anchor" in done.err


@pytest.mark.parametrize(
    "change", [{"seal": "é" * 64}, {"seal": 5}, {"seal": "\ud800"}, {"seq": "1"}, {"at_ms": "soon"}, {"at_ms": 10**20}]
)
def test_an_anchor_that_somebody_wrote_into_holds_nothing(
    program: Inside, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: dict[str, Any]
) -> None:
    kept = tmp_path / "anchors"
    monkeypatch.setenv("TRADER_AUDIT_KEY", KEY)
    acted(program, "audit", "anchor", "--to", kept)
    kept.write_text(json.dumps({**json.loads(kept.read_text()), **change}))
    done = program("audit", "verify", "--anchors", kept, "--state", program.state)
    assert done.code == 61, done.err


def test_an_anchor_is_not_glued_to_half_a_line(
    program: Inside, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A crash, or `>>` on a disk that was full, leaves one: the anchors after it hold all the same."""
    kept = tmp_path / "anchors"
    monkeypatch.setenv("TRADER_AUDIT_KEY", KEY)
    acted(program, "audit", "anchor", "--to", kept)
    first = kept.read_text()
    kept.write_text(first + first[:40])
    second = str(acted(program, "audit", "anchor", "--to", kept)["line"])
    assert kept.read_text() == f"{first}{first[:40]}\n{second}\n"
    done = program("audit", "verify", "--anchors", kept, "--state", program.state)
    assert done.code == 61 and "line 2" in done.err and "cut off may be taken out" in done.err
    kept.write_text(f"{first}{second}")
    third = str(acted(program, "audit", "anchor", "--to", kept)["line"])
    assert kept.read_text() == f"{first}{second}\n{third}\n"
    assert acted(program, "audit", "verify", "--anchors", kept)["anchors"] == 3


def test_an_anchor_that_cannot_be_kept_is_told_as_of_every_file(
    program: Inside, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRADER_AUDIT_KEY", KEY)
    for place, why in ((tmp_path / "no" / "anchors", "No such file or directory"), (tmp_path, "Is a directory")):
        done = program("audit", "anchor", "--to", place, "--state", program.state)
        assert done.code == 2 and f"--to {place} cannot be written: {why}" in done.err
    kept = tmp_path / "anchors"
    kept.write_text("x" * 4_000_000 + "\n")
    for place, small in ((Path("/dev/full"), []), (kept, ["prlimit", "--fsize=4000100"])):
        words = [*small, *START, "audit", "anchor", "--to", str(place), "--state", str(program.state), "--json"]
        full = {**program.environment, "TRADER_AUDIT_KEY": KEY}
        ended = subprocess.run(words, cwd=tmp_path, env=full, capture_output=True, text=True, check=False)
        assert ended.returncode == 2 and f"--to {place} cannot be written" in ended.stderr
        assert f"{place} cannot be written" in json.loads(ended.stdout)["data"]["error"]["what"]
    assert kept.read_text() == "x" * 4_000_000 + "\n"


def test_an_anchor_goes_into_a_file_whose_folder_takes_no_other(program: Inside, tmp_path: Path) -> None:
    """The folder is somebody else's, who lets lines be added to this one file."""
    (tmp_path / "theirs").mkdir()
    kept = tmp_path / "theirs" / "anchors"
    kept.touch()
    kept.parent.chmod(0o555)
    words = [*NOT_ALMIGHTY, *START, "audit", "anchor", "--to", str(kept), "--state", str(program.state)]
    given = {**program.environment, "TRADER_AUDIT_KEY": KEY}
    ended = subprocess.run(words, cwd=tmp_path, env=given, capture_output=True, text=True, check=False)
    assert (ended.returncode, kept.read_text().splitlines()) == (0, ended.stdout.splitlines()[-1:]), ended.stderr


def test_an_anchor_is_of_the_account_that_was_named_where_there_are_several(
    program: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the one that was written last it was: another day another one, and the anchors of one broke the other."""
    monkeypatch.setenv("TRADER_AUDIT_KEY", KEY)
    dry = ("--mode", "DRY_RUN", "--venue", "simulated", "--state", program.state)
    assert program("run-cycle", *dry).code == 0
    for words in (("anchor", "--to", tmp_path / "anchors"), ("verify", "--anchors", tmp_path / "anchors")):
        done = program("audit", *words, "--state", program.state)
        assert done.code == 2 and "holds the accounts of DRY_RUN and PAPER" in done.err
        acted(program, "audit", *words, "--mode", "PAPER")
    acted(program, "audit", "verify")


def test_a_file_without_an_anchor_in_it_proves_nothing(program: Inside, tmp_path: Path) -> None:
    (tmp_path / "anchors").write_text("\n")
    done = program("audit", "verify", "--anchors", tmp_path / "anchors", "--state", program.state)
    assert done.code == 2 and "has no anchor in it" in done.err


# --- the units -------------------------------------------------------------------------------------------------------


def test_a_dry_run_prints_every_unit_and_writes_nothing(program: Inside, tmp_path: Path) -> None:
    folder = tmp_path / "units"
    done = program("install-units", "--dry-run", "--to", folder, "--state", program.state)
    assert done.code == 0 and not folder.exists()
    for name in ("trader-run-cycle.timer", "trader-kill.path", "trader.service"):
        assert f"# {folder / name} (new)" in done.out
    assert "systemctl daemon-reload" in done.out


def test_what_is_to_be_enabled_is_every_timer_there_is(program: Inside, tmp_path: Path) -> None:
    following = program("install-units", "--to", tmp_path / "units").out.partition("next:")[2]
    assert [one.name for one in (tmp_path / "units").glob("*.timer") if one.name not in following] == []


def test_a_program_that_the_machine_s_units_cannot_see_is_warned_of(
    program: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They see no home: each would end with 203 before it began."""
    for folder in ("opt", "root", "home"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "trader").write_text("#!/bin/sh\n")
        (tmp_path / folder / "trader").chmod(0o755)
    (tmp_path / "opt" / "linked").symlink_to(tmp_path / "home" / "trader")
    monkeypatch.setattr("trader_core.upkeep.UNSEEN", (tmp_path / "home", tmp_path / "root"))
    for name, seen in (("opt/trader", True), ("root/trader", False), ("home/trader", False), ("opt/linked", False)):
        words = ("install-units", "--dry-run", "--program", tmp_path / name, "--json")
        told = program(*words).document["warnings"]
        assert [str(tmp_path / name) in one for one in told] == ([] if seen else [True])
        assert program(*words, "--user").document["warnings"] == []
    told = program("install-units", "--dry-run", "--program", "/bin/true", "--config", tmp_path / "home", "--json")
    assert [str(tmp_path / "home") in one for one in told.document["warnings"]] == [True]


def test_a_program_that_cannot_be_started_gets_no_units(program: Inside, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("no program")
    for name in ("/nope", tmp_path, tmp_path / "mine"):
        done = program("install-units", "--user", "--to", tmp_path / "units", "--program", name)
        assert done.code == 2 and f"--program {name} is no file that can be started" in done.err
    assert not (tmp_path / "units").exists()
    (tmp_path / "mine").chmod(0o755)
    assert program("install-units", "--user", "--to", tmp_path / "units", "--program", tmp_path / "mine").code == 0


def test_units_name_a_program_by_its_whole_path(
    program: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd starts nothing that is named from where somebody stood."""
    ours = tmp_path / "trader"
    ours.write_text("#!/bin/sh\n")
    ours.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    done = program("install-units", "--dry-run", "--to", tmp_path, "--program", "trader")
    assert done.code == 0 and f"ExecStart={ours} run\n" in done.out


def test_units_are_written_once_and_told_as_the_same_the_second_time(program: Inside, tmp_path: Path) -> None:
    words = ("install-units", "--user", "--to", tmp_path / "units")
    assert {one["news"] for one in acted(program, *words)["units"]} == {"new"}  # type: ignore[attr-defined]
    assert f"TRADER_STATE={program.state}" in (tmp_path / "units" / "trader.service").read_text()
    (tmp_path / "units" / "trader.service").write_text("mine")
    again = {Path(one["path"]).name: one["news"] for one in acted(program, *words)["units"]}  # type: ignore[attr-defined]
    assert {name for name, news in again.items() if news != "same"} == {"trader.service"}


@pytest.mark.parametrize("runs", [False, True])
def test_the_timer_s_reconcile_is_green_where_there_is_no_account_yet_and_beside_a_loop(
    program: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: bool
) -> None:
    """A loop compares in each of its cycles, and holds the account: every hour a failure would be told of."""
    monkeypatch.setattr("trader_core.hand.WAIT_MS", 200)
    told = program("install-units", "--dry-run", "--json").data["units"]
    (unit,) = [one["text"] for one in told if str(one["path"]).endswith("trader-reconcile.service")]
    healthy = next(line for line in unit.splitlines() if line.startswith("SuccessExitStatus=")).partition("=")[2]
    with StateLock(program.state / "paper.lock"):
        state = program.state if runs else tmp_path / "none"
        done = program("reconcile", "--mode", "PAPER", "--venue", "simulated", "--state", state)
    assert done.code == (14 if runs else 13)
    assert str(done.code) in healthy.split()


def test_the_timer_s_look_at_the_key_is_green_where_no_order_is_ever_signed(program: Inside) -> None:
    """On paper it was told as a unit that failed, every day."""
    done = program("rotate-secrets", "--status", "--state", program.state, "--json")
    assert (done.code, done.data["entries_closed"]) == (0, None)
    write_config(program.home / "live", {"app.mode": "LIVE", "app.exchange.read_only": False})
    live = program("rotate-secrets", "--status", "--state", program.state, "--config", program.home / "live")
    assert live.code == 11


class Cut(BaseException):
    """As if the process had been killed."""


def test_a_restore_that_is_cut_short_forgets_nothing_and_no_account_begins_meanwhile(
    program: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each file that is moved, and once more at the second try."""
    shutil.rmtree(program.state)
    assert program.paper("run", "--cycles", "3").code == 0
    place, killed = str(acted(program, "backup")["backup"]), program.state.with_name("killed")
    acted(program, "policy", "set", "risk.max_per_asset_pct=1", "--reason", "less of everything")
    acted(program, "bans", "add", "ETH", "--reason", "hacked too", "--hours", "999")
    assert kill(Wish(str(program.state), offline="PAPER", reason="hacked"), lambda _: None).exit_code == 0
    (program.state / "KILL_SWITCH").unlink()
    program.state.rename(killed)
    seen = set[object]()
    for many in range(12):
        shutil.copytree(killed, program.state)
        restored_at_last(program, place, many, monkeypatch, seen)
        shutil.rmtree(program.state)
    assert seen == {13, 21, "cut short"}


def restored_at_last(
    program: Inside, place: str, many: int, monkeypatch: pytest.MonkeyPatch, seen: set[object]
) -> None:
    """Cut short before it has moved so many files and one more, then before half as many, then whole."""
    whole, left = Path.rename, [many]

    def rename(path: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise Cut
        return whole(path, target)

    def cut_short() -> bool:
        """Whether it was."""
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", rename)
            try:
                return bool(program("restore", place, "--yes", "--state", program.state).code)
            except Cut:
                return True

    for moved in (many, many // 2):
        left[0] = moved
        if cut_short():
            done = program.paper("run-cycle")
            assert done.code in (13, 21), done.out + done.err
            seen.add(done.code)
            seen |= {"cut short"} if "a restore was cut short" in done.err else set()
    acted(program, "restore", place, "--yes")
    assert list(program.state.glob("restoring.*")) == []
    halt = acted(program, "halt", "show")
    assert (halt["state"], "hacked" in str(halt["reason"])) == ("KILLED", True)
    assert [one["asset"] for one in acted(program, "bans", "list")["bans"]] == ["ETH"]  # type: ignore[attr-defined]
    assert acted(program, "policy", "show")["version"] == 2
    assert acted(program, "decisions", "verify")["decisions"]


# --- a drill ---------------------------------------------------------------------------------------------------------


def test_a_drill_fires_the_guards_on_a_venue_of_its_own_and_leaves_nothing(drill: Drill) -> None:
    done = drill.ended()
    assert (done.code, done.data["passed"]) == (0, True), done.out + done.err
    drills = {one["name"]: one for one in done.data["drills"]}
    assert {"stale data", "breaker", "kill: cancel", "kill: alert", "kill: detect", "oversize", "slot limit"} == {
        *drills
    }
    assert all(one["took_ms"] <= one["allowed_ms"] for one in drills.values() if one["allowed_ms"])
    assert not (drill.program.home / ".local" / "state").exists()
