"""The policy store on disk: who comes second is told so, what is damaged is not believed, and nothing is lost."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trader_core.domain.book import Book
from trader_core.domain.clocktime import HOUR_MS, MINUTE_MS, EpochMs
from trader_core.domain.errors import PlanDrifted, StateUnusable
from trader_core.domain.policy import PolicyChange, PolicyVersion
from trader_core.domain.values import replace
from trader_core.ops.clock import host_ms
from trader_core.policies import PolicyWatch, place_at
from trader_core.settings.load import load
from trader_core.settings.locate import defaults
from trader_core.store.files import StateFiles
from trader_core.store.policies import PolicyStore

SHIPPED = load(defaults())
POSITIONS = "policy.risk.max_open_positions"
NOW = EpochMs(10**12)


def made(version: int, value: int = 2, who: str = "somebody") -> PolicyVersion:
    change = PolicyChange(POSITIONS, "6", str(value), None)
    return PolicyVersion(version, NOW, NOW, who, "a test", (change,))


@pytest.fixture
def store(tmp_path: Path) -> PolicyStore:
    return PolicyStore(tmp_path, "PAPER")


def spoil(path: Path) -> None:
    for one in path.parent.glob(f"{path.name}*"):
        one.write_bytes(b"what is this?")


def test_without_a_store_there_is_what_is_written(store: PolicyStore) -> None:
    assert (store.read().version, store.read().versions, store.read().note) == (1, (), "")
    assert not store.path.exists(), "looking makes no file"


def test_versions_come_back_as_they_were_made(store: PolicyStore) -> None:
    for version in (2, 3, 4):
        assert store.append(made(version)) == ""
    assert store.read().versions == tuple(made(version) for version in (2, 3, 4))


def test_of_two_writers_who_expect_the_same_version_one_gets_the_next_and_one_is_told(store: PolicyStore) -> None:
    """V22: both saw version 7."""
    for version in range(2, 8):
        store.append(made(version))

    def write(who: str) -> str:
        try:
            PolicyStore(store.path.parent, "PAPER").append(made(8, who=who))
        except PlanDrifted as conflict:
            return f"{conflict.exit_code} {conflict.what}"
        return who

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(write, ("Ada", "Bob")))
    (won,) = [one for one in told if one in ("Ada", "Bob")]
    (lost,) = [one for one in told if one != won]
    assert lost == "22 POLICY_CONFLICT: the policy is at version 8, and this change is of version 7"
    assert [one.author for one in store.read().versions[6:]] == [won]


def test_rows_can_be_neither_changed_nor_removed(store: PolicyStore) -> None:
    store.append(made(2))
    with sqlite3.connect(store.path) as db:
        for statement in ("UPDATE policy SET body = '{}'", "DELETE FROM policy"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)
    db.close()


def test_a_damaged_store_is_read_from_its_backup_and_says_so(store: PolicyStore) -> None:
    store.append(made(2)), store.append(made(3))
    spoil(store.path)
    found = store.read()
    assert (found.version, found.note.startswith("the policy is read from paper.policy.json")) == (3, True)
    with pytest.raises(StateUnusable):
        store.append(made(4))
    assert store.path.read_bytes() == b"what is this?", "repaired in memory alone"


@pytest.mark.parametrize("size", [13, 6_000], ids=["no database", "half of one"])
def test_who_changes_a_damaged_store_is_told_how_it_comes_back(store: PolicyStore, size: int) -> None:
    """A restore leaves a policy that is there as it is."""
    store.append(made(2)), store.append(made(3))
    content = store.path.read_bytes()
    store.path.write_bytes(content[:size] if size > 100 else b"what is this?")
    with pytest.raises(StateUnusable, match="is damaged") as told:
        store.append(made(4))
    assert told.value.remedy == f"move {store.path} away: the next trader policy set restores it from paper.policy.json"
    store.path.rename(store.path.with_suffix(".away"))
    store.append(made(4))
    assert [one.version for one in store.read().versions] == [2, 3, 4]
    for one in (store.path, store.backup):
        spoil(one)
    with pytest.raises(StateUnusable, match="is damaged") as told:
        store.append(made(5))
    assert told.value.remedy == store.way_back


def test_a_store_that_is_gone_or_behind_is_brought_up_to_its_backup(store: PolicyStore) -> None:
    store.append(made(2))
    behind = {one: one.read_bytes() for one in store.path.parent.glob("paper.policy.db*")}
    store.append(made(3))
    for one in store.path.parent.glob("paper.policy.db*"):
        one.unlink()
    assert store.read().version == 3
    for one, content in behind.items():
        one.write_bytes(content)
    assert store.read().version == 3 and "its backup version 3" in store.read().note
    with pytest.raises(PlanDrifted):
        store.append(made(3))
    store.append(made(4))
    assert [one.version for one in store.read().versions] == [2, 3, 4]
    assert store.read().note == ""


def test_a_store_that_its_newer_backup_does_not_go_on_from_says_how_it_comes_back(store: PolicyStore) -> None:
    """Somebody put another copy in its place: what counts is the backup, and whoever looks again finds the same."""
    store.append(made(2))
    other = {one: one.read_bytes() for one in store.path.parent.glob("paper.policy.db*")}
    for one in store.path.parent.glob("paper.policy.*"):
        one.unlink()
    store.append(made(2, 3)), store.append(made(3))
    for one, content in other.items():
        one.write_bytes(content)
    assert store.read().version == 3
    with pytest.raises(StateUnusable, match="does not go on from") as told:
        store.append(made(4))
    assert told.value.remedy == f"move {store.path} away: the next trader policy set restores it from paper.policy.json"
    store.path.unlink()
    store.append(made(4))
    assert store.read().versions == (made(2, 3), made(3), made(4))


@pytest.mark.parametrize("how", ["cut", "edited", "no json", "wrong seal"])
def test_a_damaged_backup_is_not_believed(store: PolicyStore, how: str) -> None:
    store.append(made(2)), store.append(made(3))
    content = json.loads(store.backup.read_text())
    if how == "cut":
        content["rows"].pop()
    elif how == "edited":
        content["rows"][1][4] = content["rows"][1][4].replace('"2"', '"9"')
    elif how == "wrong seal":
        content["sha256"] = "0" * 64
    store.backup.write_text("{" if how == "no json" else json.dumps(content))
    assert store.read().version == 3 and "backup" in store.read().note
    spoil(store.path)
    with pytest.raises(StateUnusable, match="nor can its backup"):
        store.read()
    for one in store.path.parent.glob("paper.policy.db*"):
        one.unlink()
    with pytest.raises(StateUnusable, match="it is not there"):
        store.read()


@pytest.mark.parametrize("statement", [
    "UPDATE policy SET body = replace(body, '\"2\"', '\"9\"')", "DELETE FROM policy WHERE seq = 2",
    "DELETE FROM policy WHERE seq = 1", "UPDATE head SET seq = 1",
])  # fmt: skip
def test_another_hand_is_noticed(store: PolicyStore, statement: str) -> None:
    store.append(made(2)), store.append(made(3))
    store.backup.unlink()
    with sqlite3.connect(store.path) as db:
        db.execute("DROP TRIGGER kept")
        db.execute("DROP TRIGGER there")
        db.execute(statement)
    db.close()
    assert PolicyStore(store.path.parent, "LIVE").read().version == 1
    with pytest.raises(StateUnusable, match="another hand"):
        store.read()


def test_a_backup_that_cannot_be_written_keeps_no_version_away(store: PolicyStore) -> None:
    store.backup.with_name("paper.policy.json.new").mkdir()
    assert "cannot be written" in store.append(made(2))
    assert store.read().version == 2


# --- a run that reads it again and again -----------------------------------------------------------------------------


def test_a_watch_sees_a_new_version_at_once_and_keeps_the_last_one_while_it_grows_old(store: PolicyStore) -> None:
    watch = PolicyWatch(store)

    def positions(minutes: int, known: int = 1) -> tuple[int, int, int]:
        at_ms = EpochMs(NOW + minutes * MINUTE_MS)
        found = watch.in_force(SHIPPED, at_ms, known)
        return found.settings.policy.risk.max_open_positions, found.version, watch.age(at_ms).age_ms // MINUTE_MS

    assert positions(0) == (6, 1, 0)
    store.append(made(2, 3))
    assert positions(1) == (3, 2, 0)
    for one in (store.path, store.backup):
        spoil(one)
    assert [positions(minutes, 2) for minutes in (5, 11, 12)] == [(3, 2, 4), (3, 2, 10), (3, 2, 11)]
    assert "cannot be read" in watch.age(NOW).problem
    anew = PolicyWatch(store)
    assert anew.in_force(SHIPPED, NOW, 2).settings is SHIPPED, "exits go on by what is written"
    assert anew.age(NOW).age_ms == NOW, "and it is as old as time"


def test_an_account_on_the_wall_clock_is_never_before_its_newest_cycle(tmp_path: Path) -> None:
    """Whose clock was set back sees what a cycle sees, and not what was over by then."""
    closed_ms = EpochMs(host_ms() + HOUR_MS)
    loose = PolicyChange(POSITIONS, "6", "9", EpochMs(closed_ms - MINUTE_MS))
    PolicyStore(tmp_path, "LIVE").append(PolicyVersion(2, NOW, NOW, "somebody", "a test", (loose,)))
    place = place_at(SHIPPED, StateFiles(tmp_path, "LIVE"), "wall, 900000 ms", replace(Book(), closed_ms=closed_ms))
    assert (place.now_ms, place.in_force.policy.risk.max_open_positions) == (closed_ms, 6)


def test_a_store_that_lost_what_the_account_has_seen_is_not_believed(store: PolicyStore) -> None:
    watch = PolicyWatch(store)
    assert watch.in_force(SHIPPED, NOW, 3).version == 3
    assert watch.age(NOW).age_ms == NOW
    assert "at version 1, and the account has seen version 3" in watch.age(NOW).problem


def test_a_store_that_lost_what_the_watch_itself_has_read_is_not_believed(store: PolicyStore) -> None:
    """Between two cycles of a loop: the account has not seen it yet."""
    store.append(made(2, 3))
    watch = PolicyWatch(store)
    assert watch.in_force(SHIPPED, NOW, 1).version == 2
    for one in store.path.parent.glob("paper.policy.*"):
        one.unlink()
    found = watch.in_force(SHIPPED, EpochMs(NOW + MINUTE_MS), 1)
    assert (found.settings.policy.risk.max_open_positions, found.version) == (3, 2)
    assert watch.age(EpochMs(NOW + MINUTE_MS)).age_ms == MINUTE_MS
    assert "at version 1, and the account has seen version 2" in watch.age(NOW).problem


def test_a_value_that_the_schema_no_longer_takes_is_not_in_force(store: PolicyStore) -> None:
    store.append(made(2, 5_000))
    watch = PolicyWatch(store)
    change = PolicyChange(POSITIONS, "6", "-4", None)
    store.append(PolicyVersion(3, NOW, NOW, "", "", (change,)))
    assert watch.in_force(SHIPPED, NOW, 1).settings is SHIPPED
    assert watch.age(NOW).age_ms == NOW
