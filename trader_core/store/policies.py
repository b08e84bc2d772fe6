"""The policy store of an account: every version after the written one, append-only and chained, and a backup of it.

A file of its own beside the journal, for a person changes the policy while a run holds that journal. After each commit
the whole of it is written to a JSON file, by way of a temporary one. Of the two the one with the newest version that is
as it was written counts.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec import Struct

from trader_core.domain.codec import from_json, to_json
from trader_core.domain.errors import JournalBroken, PlanDrifted, StateUnusable
from trader_core.domain.policy import WRITTEN, PolicyVersion
from trader_core.store.chain import Row, chained, verified
from trader_core.store.chained_file import checksum, rows_of
from trader_core.store.sqlite import as_state_error, at_once, connect, transaction

SCHEMA = "trader.policy-backup/v1"
KIND = "policy"
_TABLES = (
    """CREATE TABLE IF NOT EXISTS policy (
    seq INTEGER PRIMARY KEY, cycle_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    config_digest TEXT NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL UNIQUE) STRICT""",
    """CREATE TABLE IF NOT EXISTS head (
    id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, checksum TEXT NOT NULL) STRICT""",
    "CREATE TRIGGER IF NOT EXISTS kept BEFORE UPDATE ON policy BEGIN SELECT RAISE(ABORT, 'append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS there BEFORE DELETE ON policy BEGIN SELECT RAISE(ABORT, 'append-only'); END",
)
_SAFE = "entries are refused while it cannot be read; exits and stops go on"


class Reading(Struct, frozen=True):
    """The versions after the written one, oldest first; `note` says what was wrong with the file or its backup, and
    `alone` why the file has no second copy though nothing is wrong with it."""

    versions: tuple[PolicyVersion, ...]
    note: str = ""
    alone: str = ""

    @property
    def version(self) -> int:
        return self.versions[-1].version if self.versions else WRITTEN


class PolicyStore:
    """Each call is a transaction of its own and waits for other processes."""

    def __init__(self, directory: Path, mode: str) -> None:
        self._directory, self._mode = directory, mode

    @property
    def path(self) -> Path:
        return self._directory / f"{self._mode.lower()}.policy.db"

    @property
    def backup(self) -> Path:
        return self._directory / f"{self._mode.lower()}.policy.json"

    @property
    def way_back(self) -> str:
        """What to type where neither file has what the account has seen."""
        return (
            f"restore {self.path.name} or {self.backup.name} from a copy; or move what is left of both away, then "
            "trader restore BACKUP; without a copy: trader liquidate, then another --state DIR"
        )

    def read(self) -> Reading:
        """The newest version that is as it was written. Raises StateUnusable where one is bad and the other is bad or
        not there: what was in it nobody knows. The backup is written last and looked at first, so that it is never
        ahead only because somebody writes meanwhile."""
        kept, torn = _tried(self._kept)
        rows, broken = _tried(self._rows)
        if (rows is None and not kept) or (kept is None and not rows):
            broken, torn = broken or "it is not there", torn or "it is not there"
            what = f"the policy store cannot be read: {broken}; nor can its backup: {torn}"
            raise StateUnusable(what, safe=_SAFE, remedy=self.way_back)
        if kept is not None and (rows is None or len(kept) > len(rows)):
            why = broken if rows is None else f"it has {_many(rows)} and its backup {_many(kept)}"
            return Reading(_versions(kept), f"the policy is read from {self.backup.name}: {why}")
        note = f"the backup of the policy is not used: {torn}" if kept is None else ""
        alone = f"{self.backup.name} has {_many(kept)} of it" if kept is not None and kept != rows else ""
        return Reading(_versions(rows or ()), note, alone)

    def append(self, made: PolicyVersion) -> str:
        """On disk when this returns, or not at all; returns why its backup could not be written, '' where it was.

        Raises PlanDrifted where it is not the version that follows, and StateUnusable where the file is not as it was
        written, or not what its newer backup goes on from. A file that is gone or behind is brought up to its backup
        first.
        """
        kept, _ = _tried(self._kept)
        remedy = f"move {self.path} away: the next trader policy set restores it from {self.backup.name}"
        remedy = remedy if kept else self.way_back
        with (
            closing(connect(self.path, create=True, remedy=remedy)) as db,
            as_state_error(self.path, remedy),
            transaction(db),
        ):
            for statement in _TABLES:
                db.execute(statement)
            rows = self._sound(lambda: rows_of(db.execute, "policy"), remedy)
            missing = (kept or [])[len(rows) :]
            if missing and (kept or [])[: len(rows)] != rows:
                what = f"{self.backup.name}, which counts, is newer and does not go on from {self.path.name}"
                raise StateUnusable(what, safe="nothing was changed", remedy=remedy)
            found = len(rows) + len(missing) + WRITTEN
            if made.version != found + 1:
                raise PlanDrifted(
                    f"POLICY_CONFLICT: the policy is at version {found}, and this change is of version "
                    f"{made.version - 1}", safe="nothing was changed", remedy="trader policy show, then again",
                )  # fmt: skip
            last = (rows + missing)[-1] if rows or missing else None
            row = chained(last, 0, made.at_ms, KIND, to_json(made), "")
            db.executemany("INSERT INTO policy VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [*missing, row])
            db.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (row.seq, checksum(row)))
        return self._backed_up([*rows, *missing, row])

    def _rows(self) -> list[Row]:
        if not self.path.exists():
            return []
        with closing(connect(self.path, create=False)) as db, as_state_error(self.path), at_once(db):
            rows = self._sound(lambda: rows_of(db.execute, "policy"), self.way_back)
            _versions(rows)
        return rows

    def _sound(self, read: Callable[[], list[Row]], remedy: str) -> list[Row]:
        try:
            return read()
        except JournalBroken as broken:
            what = f"{self.path} was changed by another hand than trader's"
            raise StateUnusable(what, safe=_SAFE, remedy=remedy) from broken

    def _kept(self) -> list[Row]:
        if not self.backup.exists():
            return []
        try:
            if not self.backup.is_file():
                raise ValueError("it is no plain file")
            found = json.loads(self.backup.read_text(encoding="utf-8"))
            rows = list(verified(Row(*one) for one in found["rows"]))
            if (found["schema"], found["version"], found["sha256"]) != _seal(rows):
                raise JournalBroken("its end is missing")
            _versions(rows)
        except (OSError, ValueError, KeyError, TypeError, JournalBroken) as broken:
            raise StateUnusable(f"{self.backup.name} is not as it was written") from broken
        return rows

    def _backed_up(self, rows: Sequence[Row]) -> str:
        """Written beside it, on disk, then put in its place."""
        schema, version, sha256 = _seal(rows)
        content: dict[str, Any] = {"schema": schema, "version": version, "sha256": sha256, "rows": rows}
        beside = self.backup.with_name(f"{self.backup.name}.new")
        try:
            with open(beside, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.backup)
        except OSError as failed:
            return f"the policy's backup {self.backup} cannot be written: {failed.strerror}"
        return ""


def _seal(rows: Sequence[Row]) -> tuple[str, int, str]:
    return SCHEMA, len(rows) + WRITTEN, rows[-1].hash if rows else ""


def _many(rows: Sequence[Row]) -> str:
    return f"version {len(rows) + WRITTEN}"


def _versions(rows: Sequence[Row]) -> tuple[PolicyVersion, ...]:
    return tuple(from_json(PolicyVersion, row.body) for row in rows)


def _tried(read: Callable[[], list[Row]]) -> tuple[list[Row] | None, str]:
    try:
        return read(), ""
    except StateUnusable as broken:
        return None, broken.what
