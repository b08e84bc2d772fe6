"""Another hand than trader's: it takes away what keeps rows as they are, and changes them."""

import sqlite3
from pathlib import Path


def unguarded(db: sqlite3.Connection) -> sqlite3.Connection:
    """The database without the triggers that forbid changes."""
    for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")
    return db


def altered(path: Path, *statements: str) -> None:
    db = unguarded(sqlite3.connect(path, isolation_level=None))
    for statement in statements:
        db.execute(statement)
    db.close()
