"""Closed files: spans of a journal as they were, with what their decisions were taken from. One never changes.

The journal says which there are and what each must be, so a file that is another one is found; one that is not there is
told, and everything that does not need it goes on.
"""

import os
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, NamedTuple

from trader_core.domain.errors import JournalBroken, StateUnusable
from trader_core.domain.facts import KIND_OF, Decided
from trader_core.store.chain import Row

COLUMNS = {
    "journal": "seq INTEGER PRIMARY KEY, cycle_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,"
    " body TEXT NOT NULL, config_digest TEXT NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL",
    "inputs": "seq INTEGER PRIMARY KEY, body BLOB NOT NULL",
    "bars": "symbol TEXT NOT NULL, open_ms INTEGER NOT NULL, seq INTEGER NOT NULL, open INTEGER NOT NULL,"
    " high INTEGER NOT NULL, low INTEGER NOT NULL, close INTEGER NOT NULL, volume INTEGER NOT NULL,"
    " mark INTEGER NOT NULL, PRIMARY KEY (seq, symbol, open_ms)",
    "documents": "digest TEXT PRIMARY KEY, body TEXT NOT NULL",
    "identity": "key TEXT PRIMARY KEY, value TEXT NOT NULL",
    "checkpoint": "seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, code TEXT NOT NULL, body TEXT NOT NULL",
}
DECIDED = KIND_OF[Decided]
Rows = Sequence[Sequence[Any]]


class Segment(NamedTuple):
    """What the journal knows of one file: rows `first` to `last`, the time and the hash of the last.

    Candles in it that open before `floor_ms` were let go. `digest` is the file's, and `rest` that of all this and of
    what stayed in the journal of the rows that lost their bodies.
    """

    last: int
    first: int
    until_ms: int
    floor_ms: int
    hash: str
    digest: str
    rest: str

    @property
    def name(self) -> str:
        return f"{self.first:09d}-{self.last:09d}.db"


class Segments:
    """The files of one journal, in their folder; one is open at a time."""

    def __init__(self, folder: Path, listed: Iterable[Segment]) -> None:
        self.folder, self.listed = folder, tuple(listed)
        self._open: tuple[Segment, sqlite3.Connection | None] | None = None

    @property
    def last(self) -> int:
        """The newest row that is in one of them; 0 where none is."""
        return self.listed[-1].last if self.listed else 0

    @property
    def missing(self) -> tuple[Segment, ...]:
        return tuple(one for one in self.listed if not self.path(one).is_file())

    def of(self, seq: int) -> Segment | None:
        """The one in which that row is; they follow each other without a gap."""
        n = bisect_left(self.listed, seq, key=lambda one: one.last)
        return self.listed[n] if n < len(self.listed) else None

    def path(self, segment: Segment) -> Path:
        return self.folder / segment.name

    def ask(self, segment: Segment, sql: str, *values: object) -> list[tuple[Any, ...]] | None:
        """Rows of a reading query; None where the file is not there. Raises JournalBroken where it is another one."""
        if self._open is None or self._open[0] != segment:
            self.close()
            self._open = segment, self._opened(segment)
        db = self._open[1]
        return None if db is None else db.execute(sql, values).fetchall()

    def filled(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows with the bodies that were moved, where their files are there. Raises JournalBroken."""
        segment: Segment | None = None
        whole: Mapping[int, Row] | None = None
        for row in rows:
            if row.seq > self.last:
                yield row
                continue
            if segment is None or row.seq > segment.last:
                segment = self.of(row.seq)
                found = self.ask(segment, "SELECT * FROM journal") if segment else None
                whole = None if found is None else {one[0]: Row(*one) for one in found}
            if whole is not None and segment is not None:
                kept = whole.get(row.seq)
                left = kept._replace(body="") if kept and row.kind == DECIDED and not row.body else kept
                if kept is None or row != left:
                    raise another(self.path(segment), f"its row {row.seq} is not the journal's")
                row = kept
            yield row

    def close(self) -> None:
        if self._open is not None and self._open[1] is not None:
            self._open[1].close()
        self._open = None

    def _opened(self, segment: Segment) -> sqlite3.Connection | None:
        path = self.path(segment)
        try:
            digest = digest_of_file(path)
        except FileNotFoundError:
            return None
        except OSError as failed:
            raise StateUnusable(f"{path} cannot be read: {failed.strerror}") from failed
        if digest != segment.digest:
            raise another(path, "its bytes are others")
        return reading(path)


def another(path: Path, why: str) -> JournalBroken:
    return JournalBroken(
        f"{path} is not as it was written: {why}",
        safe="nothing was changed and nothing was sent; the account itself does not need that file",
        remedy="put the file back from a backup, or take it away: then it is told as missing",
    )


def rest_of(segment: Segment, rows: Iterable[Row]) -> str:
    """What `rest` must be where these are the rows that lost their bodies."""
    told = sha256("\x1f".join(map(str, segment[:-1])).encode())
    for row in rows:
        told.update("\x1f".join(map(str, (*row[:4], *row[5:]))).encode() + b"\x1e")
    return told.hexdigest()


def digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def reading(path: Path) -> sqlite3.Connection:
    """A file that nobody changes any more: no lock is taken, and nothing is made beside it."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)


def write(path: Path, tables: Mapping[str, Rows]) -> str:
    """The whole file under its name and on disk, or none, which takes no room; its digest. Raises sqlite3's errors and
    OSError."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with ExitStack() as undo:
        undo.callback(beside.unlink, missing_ok=True)
        with closing(sqlite3.connect(beside, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("BEGIN")
            for name, columns in COLUMNS.items():
                db.execute(f"CREATE TABLE {name} ({columns}) STRICT")
                rows = tables[name]
                if rows:
                    db.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608
            db.execute("COMMIT")
        beside.chmod(0o400)
        _synced(beside)
        digest = digest_of_file(beside)
        beside.replace(path)
        _synced(path.parent)
    return digest


def _synced(path: Path) -> None:
    place = os.open(path, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
