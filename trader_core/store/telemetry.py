"""`telemetry.db`: what cycles and calls took, over the borders of processes, since a timer starts one for each cycle.

Nothing in it is money and nothing is decided by it. It may be deleted at any time; while it cannot be used, cycles go
on unmeasured. Its size has a bound: counts by name, and the newest samples of each operation.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from trader_core.domain.errors import StateUnusable
from trader_core.domain.telemetry import BOUNDS_MS, NEWEST, Batch, Histogram, Measured, Sample, Series
from trader_core.store.spare import SpareDatabase
from trader_core.store.sqlite import remedy_of, transaction

NAME = "telemetry.db"
PATIENCE_MS = 100  # a cycle waits no longer for another process
_TABLES = (
    "CREATE TABLE IF NOT EXISTS counts (mode TEXT, series TEXT, value REAL NOT NULL, PRIMARY KEY (mode, series))"
    " STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS durations (mode TEXT, operation TEXT, total_ms REAL NOT NULL, counts TEXT NOT NULL,"
    " PRIMARY KEY (mode, operation)) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS samples (mode TEXT, operation TEXT, slot INTEGER, ms REAL NOT NULL,"
    " at_ms INTEGER NOT NULL, PRIMARY KEY (mode, operation, slot)) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS levels (mode TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
)
_COUNT = "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value"


class TelemetryStore:
    """One state directory's figures. Every failure is StateUnusable, and soon."""

    def __init__(self, directory: Path, patience_ms: int = PATIENCE_MS) -> None:
        self._spare = SpareDatabase(directory / NAME, _TABLES, patience_ms)

    def add(self, mode: str, news: Batch) -> None:
        """All of it in one transaction."""
        with self._as_state_error():
            db = self._spare.opened()
            with transaction(db):
                db.executemany(_COUNT, [(mode, _key(series), by) for series, by in news.counts.items()])
                _add_samples(db, mode, news.samples)
                db.execute("INSERT OR REPLACE INTO levels VALUES (?, ?, ?)", (mode, news.at_ms, _text(news.levels)))

    def measured(self, mode: str) -> Measured:
        """Nothing where nothing was ever measured."""
        if not self._spare.path.exists():
            return Measured()
        with self._as_state_error():
            db = self._spare.opened()
            counts = db.execute("SELECT series, value FROM counts WHERE mode = ? ORDER BY series", (mode,))
            durations = db.execute("SELECT operation, total_ms, counts FROM durations WHERE mode = ?", (mode,))
            level = db.execute("SELECT at_ms, body FROM levels WHERE mode = ?", (mode,)).fetchone()
            return Measured(
                at_ms=level[0] if level else 0,
                counts={_series(key): value for key, value in counts},
                durations={one: _histogram(total_ms, told) for one, total_ms, told in durations},
                levels=_levels(level[1]) if level else {},
            )

    def levels(self, mode: str) -> dict[Series, float]:
        """Those of the newest cycle that was measured."""
        if not self._spare.path.exists():
            return {}
        with self._as_state_error():
            found = self._spare.opened().execute("SELECT body FROM levels WHERE mode = ?", (mode,)).fetchone()
            return _levels(found[0]) if found else {}

    def newest(self, mode: str, operation: str, most: int = NEWEST) -> tuple[float, ...]:
        """Durations in ms, the newest first; at most so many."""
        if not self._spare.path.exists():
            return ()
        with self._as_state_error():
            db = self._spare.opened()
            made = _made(db, mode, operation)
            asked = "SELECT slot, ms FROM samples WHERE mode = ? AND operation = ?"
            if most < NEWEST:
                wanted = [str((made - n) % NEWEST) for n in range(1, most + 1)]
                asked += f" AND slot IN ({', '.join(wanted)})"
            found = db.execute(asked, (mode, operation)).fetchall()
            found.sort(key=lambda row: (made - 1 - row[0]) % NEWEST)
            return tuple(ms for _, ms in found[:most])

    def close(self) -> None:
        self._spare.close()

    @contextmanager
    def _as_state_error(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError) as failed:
            self.close()
            gone = f"if it stays so, delete {self._spare.path}; it holds figures and nothing else"
            raise StateUnusable(
                f"{self._spare.path} cannot be used: {failed}",
                safe="cycles go on, and are not measured",
                remedy=remedy_of(failed, self._spare.path, gone),
            ) from failed


def _add_samples(db: sqlite3.Connection, mode: str, samples: Sequence[Sample]) -> None:
    """Each operation's samples take the places of its oldest ones."""
    for name in dict.fromkeys(one.operation for one in samples):
        kept, row = Histogram(), _row(db, mode, name)
        if row:
            kept = _histogram(*row)
        for one in samples:
            if one.operation == name:
                values = (mode, name, kept.count % NEWEST, one.ms, one.at_ms)
                db.execute("INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?, ?)", values)
                kept = kept.with_one(one.ms)
        db.execute(
            "INSERT OR REPLACE INTO durations VALUES (?, ?, ?, ?)", (mode, name, kept.total_ms, json.dumps(kept.counts))
        )


def _made(db: sqlite3.Connection, mode: str, operation: str) -> int:
    row = _row(db, mode, operation)
    return _histogram(*row).count if row else 0


def _row(db: sqlite3.Connection, mode: str, operation: str) -> tuple[float, str] | None:
    asked = "SELECT total_ms, counts FROM durations WHERE mode = ? AND operation = ?"
    found: tuple[float, str] | None = db.execute(asked, (mode, operation)).fetchone()
    return found


def _histogram(total_ms: float, told: str) -> Histogram:
    """One with other bounds than ours is of another version: it begins anew."""
    counts = tuple(json.loads(told))
    return Histogram(total_ms, counts) if len(counts) == len(BOUNDS_MS) + 1 else Histogram()


def _key(series: Series) -> str:
    return json.dumps(series)


def _series(key: str) -> Series:
    name, labels = json.loads(key)
    return name, tuple((one, value) for one, value in labels)


def _text(levels: Mapping[Series, float]) -> str:
    return json.dumps([[series, value] for series, value in levels.items()])


def _levels(text: str) -> dict[Series, float]:
    return {(name, tuple((one, value) for one, value in labels)): level for (name, labels), level in json.loads(text)}
