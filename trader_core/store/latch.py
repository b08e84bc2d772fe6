"""The row of `kill` in an account's database: a table beside the journal, and never a part of its chain.

A running loop holds the journal; this table any process may write, and the loop reads it before every order. Rows are
lifted, never deleted. Standard library only: `kill` comes here before anything is loaded that could be broken.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from trader_core.domain.errors import StateLocked, StateUnusable

DATABASES = ("live.db", "paper.db", "dry_run.db")  # every mode's
PRIMARY = 0xFF  # of SQLite's extended codes
HELD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
PATIENCE_S = 0.2  # how long a lock is waited for by who cannot wait
_TABLE = """CREATE TABLE IF NOT EXISTS latches (
    seq INTEGER PRIMARY KEY, reason TEXT NOT NULL, at_ms INTEGER NOT NULL, lifted_ms INTEGER, lifted TEXT) STRICT"""
_NOW_MS = "CAST(strftime('%s', 'now') AS INTEGER) * 1000"
_HAS = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
_STANDING = "SELECT seq, reason, at_ms FROM latches WHERE lifted_ms IS NULL ORDER BY seq"

Rows = Sequence[tuple[object, ...]]


class Latched:
    """The rows of one database that stand: when and why the first was written, and which is the last."""

    def __init__(self, rows: Rows) -> None:
        self.last = max((seq for seq, _, _ in rows if isinstance(seq, int)), default=0)
        self.reason = str(rows[0][1]) if rows else ""
        self.at_ms = rows[0][2] if rows and isinstance(rows[0][2], int) else 0

    def __bool__(self) -> bool:
        return self.last > 0


def databases(state: Path) -> tuple[Path, ...]:
    """The databases of the accounts that there are. Raises StateUnusable where nobody may look."""
    try:
        return tuple(path for name in DATABASES if (path := state / name).is_file())
    except OSError as refused:
        raise StateUnusable(f"{state} cannot be looked at: {refused.strerror}", remedy="ask who owns it") from None


def write_row(path: Path, reason: str, patience_s: float = PATIENCE_S) -> bool:
    """False where the database is no account's yet. Raises StateUnusable where the row cannot be written in time."""
    with _opened(path, "rw", patience_s) as db:
        if not _has(db, "journal"):
            return False
        db.execute("BEGIN IMMEDIATE")
        db.execute(_TABLE)
        db.execute(f"INSERT INTO latches (reason, at_ms) VALUES (?, {_NOW_MS})", (reason,))  # noqa: S608 - constant
        db.execute("COMMIT")
        return True


def read_row(path: Path, patience_s: float = PATIENCE_S) -> Latched:
    """What stands in this database. Raises StateUnusable."""
    with _opened(path, "ro", patience_s) as db:
        return Latched(db.execute(_STANDING).fetchall() if _has(db, "latches") else ())


def lift_rows(path: Path, last: int, reason: str, patience_s: float) -> None:
    """Up to the one that was seen: a kill that came after it stands. Raises StateUnusable."""
    with _opened(path, "rw", patience_s) as db:
        if _has(db, "latches"):
            lifted = f"UPDATE latches SET lifted_ms = {_NOW_MS}, lifted = ? WHERE lifted_ms IS NULL AND seq <= ?"  # noqa: S608
            db.execute(lifted, (reason, last))


def latched_in(query: Callable[..., Rows]) -> str | None:
    """Why the database behind `query` says stop, or None: for a loop that has it open already."""
    found = Latched(query(_STANDING) if query(_HAS, "latches") else ())
    return f"killed: {found.reason}" if found else None


def code_of(failed: sqlite3.Error) -> int:
    """SQLite's own, without what it adds to it."""
    return getattr(failed, "sqlite_errorcode", 0) & PRIMARY


def unusable(failed: sqlite3.Error) -> type[StateUnusable]:
    """What is held by another process for too long comes back by itself; nothing else does."""
    return StateLocked if code_of(failed) in HELD else StateUnusable


def _has(db: sqlite3.Connection, table: str) -> bool:
    return db.execute(_HAS, (table,)).fetchone() is not None


@contextmanager
def _opened(path: Path, mode: str, patience_s: float) -> Iterator[sqlite3.Connection]:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=patience_s, isolation_level=None)) as db:
            yield db
    except sqlite3.Error as failed:
        remedy = "look what holds it, and run it again"
        raise unusable(failed)(f"{path} cannot be used: {failed}", remedy=remedy) from None
