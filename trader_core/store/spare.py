"""A small database beside the state, of which nothing is money: it may be deleted at any time, also beneath us."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from time import sleep

from trader_core.store.sqlite import file_at, make_private

_TURNS = 10


class SpareDatabase:
    """One file of such tables, made and opened when it is first asked for. It raises sqlite3.Error and OSError."""

    def __init__(self, path: Path, tables: Sequence[str], patience_ms: int) -> None:
        """`patience_ms` is how long another process's change is waited for."""
        self.path, self._tables, self._patience_ms = path, tables, patience_ms
        self._db: sqlite3.Connection | None = None
        self._file: int | None = None  # which one is open

    def opened(self) -> sqlite3.Connection:
        """Of the file that has that name now."""
        if self._db is not None and file_at(self.path) != self._file:
            self.close()
        if self._db is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            make_private(self.path)
            self._db = sqlite3.connect(
                self.path, timeout=self._patience_ms / 1_000, isolation_level=None, check_same_thread=False
            )
            self._prepare(self._db)
            self._file = file_at(self.path)
        return self._db

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _prepare(self, db: sqlite3.Connection) -> None:
        """A log that needs no sync: a crash loses figures, a power cut no file. Changing to it does not wait for other
        processes by itself."""
        for turn in range(_TURNS):
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
                for table in self._tables:
                    db.execute(table)
                return
            except sqlite3.OperationalError:
                if turn == _TURNS - 1:
                    raise
                sleep(self._patience_ms / 1_000 / _TURNS)
