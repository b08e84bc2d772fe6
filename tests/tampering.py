"""Another hand than trader's: it takes away what keeps rows as they are, and changes them."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from trader_core.domain.codec import from_json, to_json
from trader_core.domain.facts import FACTS, Fact
from trader_core.store.chain import Row, chained


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


def rewritten(path: Path, change: Callable[[Fact], Fact]) -> None:
    """The whole journal written anew with other facts, so that its chain holds again."""
    db = unguarded(sqlite3.connect(path))
    prev: Row | None = None
    for row in [Row(*one) for one in db.execute("SELECT * FROM journal ORDER BY seq").fetchall()]:
        body = to_json(change(from_json(FACTS[row.kind], row.body)))
        prev = chained(prev, row.cycle_id, row.at_ms, row.kind, body, row.config_digest)
        db.execute(
            "UPDATE journal SET body = ?, prev_hash = ?, hash = ? WHERE seq = ?", (*prev[4:5], *prev[6:], row.seq)
        )
    if prev:
        db.execute("UPDATE head SET seq = ?, hash = ?", (prev.seq, prev.hash))
    db.commit()
    db.close()
