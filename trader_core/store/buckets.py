"""`buckets.db`: how often the venue was asked and how well it answered, shared by every process on this state.

Nothing in it is money. It may be deleted at any time; while it cannot be used, callers count for themselves.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TypeVar

from trader_core.domain.errors import StateUnusable
from trader_core.store.spare import SpareDatabase
from trader_core.store.sqlite import transaction

NAME = "buckets.db"
PATIENCE_MS = 1_000  # how long another process's change is waited for
AGAIN_S = 10.0  # after a failure the file is left alone for so long
_TABLE = "CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT"
_WRITE = "INSERT INTO rows VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
T = TypeVar("T")


class SharedRows:
    """Rows of text that change one at a time, whoever changes them. Every failure is StateUnusable, and soon."""

    def __init__(self, directory: Path, patience_ms: int = PATIENCE_MS) -> None:
        self._spare = SpareDatabase(directory / NAME, [_TABLE], patience_ms)
        self._lock = Lock()
        self._failed = ""
        self._again_s = 0.0

    def change(self, key: str, step: Callable[[str | None], tuple[str, T]]) -> T:
        """Apply `step` to the row's text, None where there is none, and return its answer."""
        with self._lock, self._as_state_error():
            db = self._spare.opened()
            with transaction(db):
                found = db.execute("SELECT value FROM rows WHERE key = ?", (key,)).fetchone()
                old = found[0] if found else None
                new, answer = step(old)
                if new != old:
                    db.execute(_WRITE, (key, new))
            return answer

    def starting_with(self, prefix: str) -> dict[str, str]:
        """Every row whose key begins so; none where nobody has counted anything yet."""
        if not self._spare.path.exists():
            return {}
        with self._lock, self._as_state_error():
            found = self._spare.opened().execute("SELECT key, value FROM rows ORDER BY key").fetchall()
            return {key: value for key, value in found if key.startswith(prefix)}

    def close(self) -> None:
        with self._lock:
            self._spare.close()

    @contextmanager
    def _as_state_error(self) -> Iterator[None]:
        """What fails once is not tried again at once: a locked file costs one wait, not one for every request."""
        if monotonic() < self._again_s:
            raise self._unusable()
        try:
            yield
        except (sqlite3.Error, OSError) as failed:
            self._failed, self._again_s = str(failed), monotonic() + AGAIN_S
            self._spare.close()
            raise self._unusable() from failed

    def _unusable(self) -> StateUnusable:
        return StateUnusable(
            f"{self._spare.path} cannot be used: {self._failed}",
            remedy=f"if it stays so, delete {self._spare.path}; it holds counts and nothing else",
        )
