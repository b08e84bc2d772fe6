"""The permits of a state directory: every grant, revocation and change of key, append-only and chained.

A file of its own and not a part of the live journal: a grant is written before there is a journal, is revoked while a
run holds that journal or after it was damaged, and a rotation belongs to the key and not to an account.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from trader_core.domain.codec import from_json, to_json
from trader_core.domain.errors import JournalBroken, StateUnusable
from trader_core.domain.grant import PERMIT_FACTS, PERMIT_KIND_OF, PermitFact
from trader_core.store.chain import chained
from trader_core.store.chained_file import checksum, rows_of
from trader_core.store.sqlite import as_state_error, at_once, connect, make_directory, transaction

NAME = "permits.db"
_TABLES = (
    """CREATE TABLE IF NOT EXISTS permits (
    seq INTEGER PRIMARY KEY, cycle_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    config_digest TEXT NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL UNIQUE) STRICT""",
    """CREATE TABLE IF NOT EXISTS head (
    id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, checksum TEXT NOT NULL) STRICT""",
)
_WORDS = "nothing is signed; exits that rest at the venue stay there"


class Permits:
    """Each call is a transaction of its own and waits for other processes. Raises StateUnusable where the file cannot
    be used or is not as it was written: a permission that cannot be read is none."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def path(self) -> Path:
        return self._directory / NAME

    def facts(self) -> tuple[PermitFact, ...]:
        """Oldest first; none where nothing was ever permitted."""
        if not self.path.exists():
            return ()
        with self._told(), closing(connect(self.path, create=False)) as db, as_state_error(self.path), at_once(db):
            return tuple(from_json(PERMIT_FACTS[row.kind], row.body) for row in rows_of(db.execute, "permits"))

    def append(self, fact: PermitFact, at_ms: int) -> None:
        """On disk when this returns, or not at all. Refused on a file that is not as it was written."""
        make_directory(self._directory)
        with self._told(), closing(connect(self.path, create=True)) as db, as_state_error(self.path), transaction(db):
            for table in _TABLES:
                db.execute(table)
            rows = rows_of(db.execute, "permits")
            row = chained(rows[-1] if rows else None, 0, at_ms, PERMIT_KIND_OF[type(fact)], to_json(fact), "")
            db.execute("INSERT INTO permits VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            db.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (row.seq, checksum(row)))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What went wrong in the words of a permission."""
        try:
            yield
        except JournalBroken as broken:
            raise StateUnusable(
                f"the permits in {self.path} were changed by another hand than trader's",
                safe=_WORDS,
                remedy=f"look into it; move {self.path.name} away, then trader rotate-secrets and trader arm again",
            ) from broken
        except StateUnusable as failed:
            failed.safe = _WORDS
            raise
