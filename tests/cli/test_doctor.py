"""doctor on a live account that is well, and with one thing after the other broken: it names it, and what to type."""

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Done, Inside
from tests.cli.rehearsal import MAY, Rehearsal, Sim
from tests.ops.ntp import NtpServer, ntp_servers
from tests.tampering import altered
from trader_core.domain.clocktime import DAY_MS, EpochMs
from trader_core.domain.facts import Acknowledged, CycleClosed, DiscrepancyFound, Fact, Filled, Intended, PolicyApplied
from trader_core.domain.fill import Fill, Side
from trader_core.domain.money import Base, Quote
from trader_core.domain.order import ApprovedOrder, OrderKind, Role
from trader_core.domain.values import replace
from trader_core.engine.journal import Journal
from trader_core.net.breaker import Breakers, Direction
from trader_core.ops.clock import host_ms
from trader_core.store.backups import FOLDER, back_up
from trader_core.store.buckets import SharedRows
from trader_core.store.files import StateFiles
from trader_core.store.sqlite import SqliteStore

ARM = ("arm", "--max-equity", "10000000", "--expires", "24h", "--yes")
FEW = {  # coins, whose candles are soon fetched
    "universe.tiers.tier_1_core.bases": ["BTC", "ETH"], "universe.tiers.tier_2_rotational.bases": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def servers() -> Iterator[list[NtpServer]]:
    with ntp_servers(0, 0, 0) as found:
        yield found


@pytest.fixture(scope="module")
def well(sim: Sim, servers: list[NtpServer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of a live account that has run a cycle and was backed up."""
    live = Rehearsal(tmp_path_factory.mktemp("well"), sim, servers, edits=dict(FEW)).configured()
    live.presenting(live.key).rotated()
    for words in (ARM, ("run-cycle",), ("backup",)):
        done = live.inside(*words)
        assert done.code == 0, done.err
    return live.state


@dataclass
class Patient:
    """A copy of that account, to be made ill."""

    live: Rehearsal

    @property
    def state(self) -> Path:
        return self.live.state

    def examined(self, *words: str) -> Done:
        return self.live.inside("doctor", "--json", *words)

    def recorded(self, *facts: Fact) -> None:
        with_store = SqliteStore.writing(self.state / "live.db", "")
        journal = Journal(with_store)
        journal.record(EpochMs(max(journal.book.closed_ms, 0)), list(facts))
        with_store.close()


@pytest.fixture
def patient(well: Path, sim: Sim, servers: list[NtpServer], tmp_path: Path) -> Iterator[Patient]:
    live = Rehearsal(tmp_path, sim, servers, edits=dict(FEW)).configured()
    live.presenting(live.key)
    shutil.copytree(well, live.state)
    yield Patient(live)
    sim.permit(**MAY)
    for server in servers:
        server.skew_ms = 0.0
    live.state.chmod(0o700)


def failures(done: Done) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in done.data["checks"] if one["status"] == "FAIL"}


def test_what_is_well_is_told_to_be(patient: Patient) -> None:
    done = patient.examined()
    assert (done.code, failures(done)) == (0, {}), done.out
    assert len(done.data["checks"]) >= 14
    assert {one["status"] for one in done.data["checks"]} <= {"OK", "WARN"}
    quiet = patient.live.inside("doctor", "--gate")
    assert (quiet.code, quiet.out) == (0, "")


ENTRY = ApprovedOrder(
    "BTC-USD", Side.BUY, Role.ENTRY, OrderKind.TAKER, Base(Decimal("0.01")), Decimal(60_000), Decimal(0), "signal",
    "rules", 800, 1500, 0, 0, EpochMs(0),
)  # fmt: skip


def unknown_order(patient: Patient) -> None:
    patient.recorded(Intended("7adeca5e-0000", ENTRY, EpochMs(host_ms()), "", EpochMs(host_ms())))


def naked_position(patient: Patient) -> None:
    now, one = EpochMs(host_ms()), "7adeca5e-0001"
    fill = Fill(
        trade_id="t1", client_order_id=one, symbol="BTC-USD", side=Side.BUY, price=Decimal(60_000),
        quantity=Base(Decimal("0.01")), value=Quote(Decimal(600)), fee=Quote(Decimal(1)), at_ms=now,
    )  # fmt: skip
    patient.recorded(Intended(one, ENTRY, now, "", now), Acknowledged(one, now), Filled(fill, "c1"))


def old_cycle(patient: Patient, by_ms: int = DAY_MS) -> None:
    """The same account as it would be had no cycle run since yesterday."""
    from tests.tampering import rewritten

    def older(fact: Fact) -> Fact:

        return replace(fact, decision_ms=EpochMs(fact.decision_ms - by_ms)) if isinstance(fact, CycleClosed) else fact

    rewritten(patient.state / "live.db", older)
    altered(patient.state / "live.db", "DELETE FROM checkpoint")


def open_breaker(patient: Patient) -> None:
    rows = SharedRows(patient.state)
    breakers = Breakers(rows, host_ms, lambda: 0.5)
    for _ in range(10):
        try:
            leave = breakers.enter("coinbase", Direction.ENTRIES, 10)
        except Exception:  # noqa: BLE001 - it is open
            break
        breakers.tell(leave, False)
    rows.close()


def old_backup(patient: Patient) -> None:
    shutil.rmtree(patient.state / FOLDER)
    back_up(StateFiles(patient.state, "LIVE"), patient.state / FOLDER, EpochMs(host_ms() - 2 * DAY_MS))


def backup_of_tomorrow(patient: Patient) -> None:
    shutil.rmtree(patient.state / FOLDER)
    back_up(StateFiles(patient.state, "LIVE"), patient.state / FOLDER, EpochMs(host_ms() + DAY_MS))


def unheard(patient: Patient) -> None:
    """A kill that was tried to be told of an hour ago, to somebody who does not listen."""
    dead = "json://127.0.0.1:9/"
    patient.live.given["TRADER_ALERT_URLS"] = dead
    patient.live.inside("alerts", "raise", "the machine is on fire")
    patient.live.inside("alerts", "drain", "--once")
    with closing(sqlite3.connect(patient.state / "alerts.db", isolation_level=None)) as db:
        db.execute("UPDATE notices SET made_ms = made_ms - 3600000")


def typo(patient: Patient) -> None:
    file = patient.live.config / "app.yaml"
    file.write_text(file.read_text() + "\nmodus: LIVE\n")


def torn_page(patient: Patient) -> None:
    file = patient.state / "live.db"
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    content[4096 * 2 : 4096 * 4] = b"\x5a" * 8192
    file.write_bytes(content)


def changed_row(patient: Patient) -> None:
    altered(patient.state / "live.db", "UPDATE journal SET body = replace(body, '0', '1') WHERE seq = 3")


def folder_for_lock(patient: Patient) -> None:
    (patient.state / "live.lock").unlink()
    (patient.state / "live.lock").mkdir()


def elsewhere(patient: Patient) -> None:
    patient.live.configured(exchange__venue_url="https://127.0.0.1:9")


def skewed(patient: Patient) -> None:
    for server in patient.live.servers:
        server.skew_ms = 5_000.0


ILLS: dict[str, tuple[str, Callable[[Patient], object], str]] = {
    "a typo in the configuration": ("configuration", typo, "validate-config"),
    "a policy store that is none": (
        "policy store", lambda one: (one.state / "live.policy.db").write_bytes(b"x" * 4096), "restore live.policy.db",
    ),
    "a policy store that was lost": (
        "policy store", lambda one: one.recorded(PolicyApplied(3, "", EpochMs(0))), "restore live.policy.db",
    ),
    "a directory that others may enter": ("state directory", lambda one: one.state.chmod(0o755), "chmod 700"),
    "a torn state": ("state", torn_page, "backup"),
    "a row that was changed": ("journal", changed_row, "trader restore"),
    "a lock that is none": (
        "lock", folder_for_lock, "mend it",
    ),
    "the kill file": ("kill switch", lambda one: (one.state / "KILL_SWITCH").touch(), "halt reset"),
    "a trip": ("halt", lambda one: one.live.inside("halt", "trip", "--reason", "just to see"), "halt reset"),
    "an unknown order": ("orders", unknown_order, "trader reconcile"),
    "a difference to the venue": (
        "ledger", lambda one: one.recorded(DiscrepancyFound("cash", "1 is missing", EpochMs(0))), "trader reconcile",
    ),
    "a position without a stop": ("stops", naked_position, "trader liquidate"),
    "a timer that stands still": ("cycle", old_cycle, "systemctl status"),
    "a cycle of tomorrow": ("cycle", lambda one: old_cycle(one, -DAY_MS), "trader check-clock"),
    "a breaker that is open": ("breakers", open_breaker, "breaker list"),
    "a clock that is wrong": ("clock", skewed, "check-clock"),
    "a venue that is not there": ("venue", elsewhere, "network"),
    "no key": ("key", lambda one: one.live.presenting(None), "key"),
    "a key that may transfer": (
        "permissions", lambda one: one.live.sim.permit(**{**MAY, "can_transfer": True}), "key",
    ),
    "a grant that was taken back": ("grant", lambda one: one.live.inside("disarm", "--reason", "enough"), "trader arm"),
    "an alert that reaches nobody": ("alerts", unheard, "alerts test"),
    "no backup since the day before yesterday": ("backup", old_backup, "trader backup"),
    "no backup but one of tomorrow": ("backup", backup_of_tomorrow, "trader backup"),
}  # fmt: skip


@pytest.mark.parametrize("ill", ILLS)
def test_what_is_broken_is_named_with_what_to_type(patient: Patient, ill: str) -> None:
    name, broken, remedy = ILLS[ill]
    broken(patient)
    done = patient.examined()
    found = failures(done)
    assert done.code == 20 and name in found, done.out
    assert found[name]["remedy"] and remedy in found[name]["remedy"], found[name]
    assert done.data["failed"] == len(found)


def test_beside_files_that_cannot_be_read_what_does_not_need_them_is_looked_at(patient: Patient) -> None:
    """The account that was written last is meant: its orders, stops and state are what matters then."""
    typo(patient)
    (patient.state / "KILL_SWITCH").touch()
    done = patient.examined()
    assert failures(done).keys() >= {"configuration", "kill switch"}
    well = {one["name"] for one in done.data["checks"] if one["status"] == "OK"}
    assert well >= {"state directory", "disk", "state", "journal", "lock", "halt", "orders", "ledger", "stops"}, well


def test_what_to_type_names_the_account_that_was_looked_at(tmp_path: Path) -> None:
    """As it is copied: without it another account would be acted on."""
    program = Inside(tmp_path)
    assert program.paper("run-cycle").code == 0
    assert program.paper("halt", "trip", "--reason", "just to see").code == 0
    account = f" --mode PAPER --venue simulated --state {program.state}"
    remedies = {one["name"]: one["remedy"] for one in program.paper("doctor", "--json").data["checks"] if one["remedy"]}
    assert {"halt", "backup"} <= remedies.keys()
    typed = [one for told in remedies.values() for one in re.findall(r"trader [a-z][^;,:]*", told)]
    assert typed and all(account in one for one in typed), remedies
    (reset,) = re.findall(r"trader (halt reset[^;]*); before the cooldown is over with (--force)", remedies["halt"])
    words = [*reset[0].replace("TEXT", "looked-at-it-all").split(), reset[1]]
    assert program(*words).code == 0


@pytest.mark.parametrize("left", [0, 1])
def test_a_policy_whose_second_copy_is_gone_or_old_is_pointed_out(patient: Patient, left: int) -> None:
    """Nothing is wrong with the file: whoever loses that too would learn it too late."""
    tighter = ("policy", "set", "--reason", "less of everything")
    backup, older = patient.state / "live.policy.json", list[bytes]()
    for cap in (2, 1):
        assert patient.live.inside(*tighter, f"risk.max_per_asset_pct={cap}").code == 0
        older.append(backup.read_bytes())
    backup.unlink()
    if left:
        backup.write_bytes(older[0])
    done = patient.examined()
    (found,) = [one for one in done.data["checks"] if one["name"] == "policy store"]
    told = f"version 3, and live.policy.json has version {1 + left} of it"
    assert (found["status"], found["detail"]) == ("WARN", told)
    assert "trader policy set" in found["remedy"] and "policy store" not in failures(done)


def test_v45_a_check_that_cannot_run_has_failed_and_nothing_is_armed(patient: Patient) -> None:
    elsewhere(patient)
    found = failures(patient.examined())
    assert {"venue", "permissions", "grant"} <= found.keys(), found
    assert patient.live.inside("disarm", "--reason", "armed anew").code == 0
    assert patient.live.inside(*ARM).code == 12, "nobody knows the venue's time"
    assert "grant" in failures(patient.examined())


def test_a_service_that_waits_is_told_what_fails_and_nothing_else(patient: Patient) -> None:
    (patient.state / "KILL_SWITCH").touch()
    told = patient.live.inside("doctor", "--gate")
    assert told.code == 20 and "kill switch" in told.out and "disk" not in told.out


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """On a disk of a megabyte of its own, where this machine lets us have one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        done = Inside(tmp_path)("doctor", "--json", "--state", place, "--mode", "PAPER", "--venue", "simulated")
        assert done.code == 20 and failures(done)["disk"]["remedy"] == "make room, or move the state"
    finally:
        subprocess.run(["umount", place], check=True)


def test_before_the_first_cycle_what_is_missing_is_no_failure(tmp_path: Path) -> None:
    program = Inside(tmp_path)
    program.state.mkdir(mode=0o700)
    done = program.paper("doctor", "--json")
    assert (done.code, done.data["failed"]) == (0, 0)
    remedy = f"trader run-cycle --mode PAPER --venue simulated --state {program.state}"
    assert remedy in {one["remedy"] for one in done.data["checks"]}
    assert program(*remedy.split()[1:]).code == 0, "as it is copied"


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a paper account that has run two cycles."""
    program = Inside(tmp_path_factory.mktemp("traded"))
    assert program.paper("run", "--cycles", "2").code == 0
    return program.state


@pytest.mark.parametrize("lost", ["paper.db, gone", "paper.db, empty", "paper.venue.db, gone", "both, gone"])
def test_half_an_account_is_told_in_the_words_of_its_next_cycle(lost: str, traded: Path, tmp_path: Path) -> None:
    program = Inside(tmp_path)
    shutil.copytree(traded, program.state)
    for name in ("paper.db", "paper.venue.db") if lost.startswith("both") else (lost.partition(",")[0],):
        (program.state / name).unlink()
    if lost.endswith("empty"):
        (program.state / "paper.db").touch()
    refused = program.paper("run-cycle", "--json")
    assert refused.code == 13
    words = refused.data["error"]["what"]
    done, gate = program.paper("doctor", "--json"), program.paper("doctor", "--gate")
    assert done.code == 20 and failures(done)["state"]["detail"] == words
    assert gate.code == 20 and "".join(words.split()) in "".join(gate.out.split())
    if not lost.startswith("paper.venue"):
        seen = program("status", "--state", program.state, "--json")
        assert (seen.code, seen.data["error"]["what"]) == (13, words)
