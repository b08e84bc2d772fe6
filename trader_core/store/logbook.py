"""The logbook of a state directory: incidents and promotions, append-only and chained, whatever becomes of the rest."""

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from trader_core.domain.codec import from_json, to_json
from trader_core.domain.errors import JournalBroken, StateUnusable
from trader_core.domain.incident import (
    LOG_FACTS,
    LOG_KIND_OF,
    IncidentClosed,
    IncidentNoted,
    IncidentStarted,
    LogFact,
    Promoted,
)
from trader_core.store.chain import Row, chained
from trader_core.store.chained_file import checksum, rows_of
from trader_core.store.sqlite import as_state_error, at_once, connect, transaction

F = TypeVar("F", IncidentClosed, IncidentNoted, IncidentStarted, Promoted)
NAME = "logbook.db"
_TABLES = (
    """CREATE TABLE IF NOT EXISTS log (
    seq INTEGER PRIMARY KEY, cycle_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    config_digest TEXT NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL UNIQUE) STRICT""",
    """CREATE TABLE IF NOT EXISTS head (
    id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, checksum TEXT NOT NULL) STRICT""",
)


class Logbook:
    """Each call is a transaction of its own and waits for other processes. Raises StateUnusable."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / NAME

    def facts(self) -> tuple[LogFact, ...]:
        """Oldest first."""
        if not self.path.exists():
            return ()
        try:
            with closing(connect(self.path, create=False)) as db, as_state_error(self.path), at_once(db):
                return _facts_in(rows_of(db.execute, "log"))
        except JournalBroken as broken:
            raise self._broken() from broken

    def append(self, fact_after: Callable[[tuple[LogFact, ...]], F], at_ms: int) -> F:
        """What follows from the facts before it: nobody writes between these and it. On disk when this returns, or not
        at all; where it raises, there is no logbook that was none before."""
        if not self.path.exists():
            fact_after(())
        with closing(connect(self.path, create=True)) as db, as_state_error(self.path), transaction(db):
            for table in _TABLES:
                db.execute(table)
            try:
                rows = rows_of(db.execute, "log")
            except JournalBroken as broken:
                raise self._broken() from broken
            fact = fact_after(_facts_in(rows))
            row = chained(rows[-1] if rows else None, 0, at_ms, LOG_KIND_OF[type(fact)], to_json(fact), "")
            db.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            db.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (row.seq, checksum(row)))
            return fact

    def _broken(self) -> StateUnusable:
        return StateUnusable(
            f"the logbook {self.path} was changed by another hand than trader's", safe="nothing was written",
            remedy=f"keep {self.path.name} as it is, move it away, and begin another",
        )  # fmt: skip


def _facts_in(rows: Iterable[Row]) -> tuple[LogFact, ...]:
    return tuple(from_json(LOG_FACTS[row.kind], row.body) for row in rows)
