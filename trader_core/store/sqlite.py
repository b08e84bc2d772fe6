"""One SQLite file per mode: the chained journal and its projections. Nothing is on disk by halves."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import sha256
from importlib import resources
from pathlib import Path
from shlex import quote
from time import monotonic, sleep
from typing import Any

from trader_core.domain.clocktime import MINUTE_MS, EpochMs
from trader_core.domain.codec import from_json, to_json
from trader_core.domain.errors import JournalBroken, StateLocked, StateUnusable
from trader_core.domain.facts import FACTS, KIND_OF, CycleClosed, Decided, Fact, HaltChanged, HaltReset, Moved, Opened
from trader_core.domain.inputs import Bar, Taken
from trader_core.settings.owner import kept_from_us, mended
from trader_core.store.chain import Row, chained, verified
from trader_core.store.latch import HELD, code_of, unusable
from trader_core.store.segments import DECIDED, Segment, Segments

Identity = dict[str, str]
APPLICATION_ID = 0x74726164  # "trad"
BUSY_TIMEOUT_MS = 5_000
STEP_S = 0.02  # between two tries of what does not wait by itself
OLDEST_SCHEMA = 2  # journals of the first schema cannot be read: their facts said less
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)  # and waiting makes none
MAY_NOT = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN)
_RESTORE = "restore it from a backup; limits are never reset to defaults"
_ELSE = "move the file away, or name another place with --state DIR"
_STAYS = "leave the file where it is"
NO_END = (1 << 63) - 1
_BARS = (
    "SELECT symbol, open_ms, open, high, low, close, volume FROM bars "
    "WHERE symbol = ? AND open_ms >= ? AND open_ms < ? ORDER BY open_ms, seq"
)
_COLUMNS = "seq, cycle_id, at_ms, kind, body, config_digest, prev_hash, hash"
_NEWEST = (
    "SELECT newest.*, head.seq, head.hash FROM (SELECT 1) "
    "LEFT JOIN (SELECT * FROM journal ORDER BY seq DESC LIMIT 1) AS newest LEFT JOIN head"
)


class SqliteStore:
    """The journal in a file. Raises StateUnusable where the file is not a state, or is another's."""

    def __init__(self, path: Path, identity: Identity | None, config_digest: str = "") -> None:
        """Open or, given an identity, create. Without an identity the file is opened for reading only."""
        self._path, self._digest = path, config_digest
        if identity is not None:
            check_not_lost(path)
        with ExitStack() as undo:
            self._db = connect(path, create=identity is not None)
            undo.callback(self._db.close)
            with as_state_error(path):
                _migrate(self._db, path, writable=identity is not None)
                self._head = self._read_head()
                if identity is not None:
                    self._claim(identity)
                    _mark_begun(path)
                _check_halt(self._db, path)
            undo.pop_all()

    @classmethod
    def writing(cls, path: Path, config_digest: str) -> "SqliteStore":
        """An existing state, whatever it was opened for, to be written on."""
        with closing(cls(path, None)) as kept:
            identity = kept.identity()
        if not identity:
            raise StateUnusable(f"{path} was never begun", remedy="trader run begins it")
        return cls(path, identity, config_digest)

    def append(self, cycle_id: int, at_ms: int, facts: Iterable[Fact], taken: Taken | None = None) -> None:
        """One transaction with synchronous=FULL: on disk when this returns, or not at all. Raises StateLocked where
        another process has written behind what was read."""
        head = self._head
        with as_state_error(self._path), transaction(self._db):
            for fact in facts:
                head = chained(head, cycle_id, at_ms, KIND_OF[type(fact)], to_json(fact), self._digest)
                self._insert(head)
                _project(self._db, cycle_id, fact)
                if taken and isinstance(fact, Decided):
                    _take(self._db, head.seq, taken)
            _note_head(self._db, head)
        self._head = head

    def _insert(self, row: Row) -> None:
        try:
            self._db.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        except sqlite3.IntegrityError as taken:
            if taken.sqlite_errorname != "SQLITE_CONSTRAINT_PRIMARYKEY":
                raise
            raise StateLocked(
                f"another trader has written to {self._path} meanwhile", safe="nothing of this was written",
                remedy="type it again",
            ) from taken  # fmt: skip

    def facts(self, after: int = 0, judged: bool = True) -> Iterator[Fact]:
        """What folds to the book: decisions whose bodies were moved say no more than that they were taken, and without
        `judged`, for who only folds, none does. What is appended next goes on behind what was read."""
        with as_state_error(self._path):
            for row in verified(self.rows(after), self._before(after), self._is_moved):
                if self._head is None or row.seq > self._head.seq:
                    self._head = row
                yield _fact(row) if judged or row.kind != DECIDED else _taken(row)

    def newest(self) -> int:
        """The number of the row that was written last; 0 before the first."""
        ((seq,),) = self.query("SELECT coalesce(max(seq), 0) FROM journal")
        return int(seq)

    def told(self, after: int = 0) -> Iterator[tuple[Row, Fact]]:
        """Every row with its fact, verified, after the row with that number; those that were moved from their files,
        as far as these are there."""
        with as_state_error(self._path), closing(self.segments()) as segments:
            for row in verified(segments.filled(self.rows(after)), self._before(after), self._is_moved):
                yield row, _fact(row, segments)

    def segments(self) -> Segments:
        """The closed files of this journal, to be closed again."""
        listed = self.query("SELECT last, first, until_ms, floor_ms, hash, digest, rest FROM segments ORDER BY last")
        return Segments(folder_of(self._path), map(Segment._make, listed))

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Everything that is read inside is of one moment, whoever writes meanwhile. For a store that only reads."""
        with as_state_error(self._path), at_once(self._db):
            yield

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, for what the triggers allow beside `append`."""
        with as_state_error(self._path), transaction(self._db):
            yield self._db

    def _before(self, after: int) -> Row | None:
        return next(self.rows(after - 1, after), None) if after else None

    def _is_moved(self, row: Row) -> bool:
        ((covered,),) = self.query("SELECT coalesce(max(last), 0) FROM segments")
        return row.kind == DECIDED and row.seq <= covered

    def rows(self, after: int = 0, last: int = NO_END) -> Iterator[Row]:
        """The journal as stored, oldest first, not yet verified."""
        asked = f"SELECT {_COLUMNS} FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq"  # noqa: S608 - constant text
        with as_state_error(self._path):
            for row in self._db.execute(asked, (after, last)):
                yield Row(*row)

    def bars(self, symbol: str, since_ms: int, until_ms: int) -> Iterator[Bar]:
        """Candles that were written down, in the order of time; of several words on one the newest comes last."""
        return map(Bar._make, self.query(_BARS, symbol, since_ms, until_ms))

    def remembered(self, code: str) -> tuple[int, str] | None:
        """The newest checkpoint, if it is whole, that code's, and of this very journal."""
        kept = self.query("SELECT seq, hash, code, body, checksum FROM checkpoint")
        found = kept[0] if kept else None
        if not found or found[2] != code or found[4] != checksum_of(found[:4]):
            return None
        row = next(self.rows(found[0] - 1, found[0]), None)
        return (found[0], found[3]) if row and row.hash == found[1] else None

    def remember(self, code: str, book: str) -> None:
        """Keep the book of the journal as it stands: a cache, in a transaction of its own."""
        if self._head is not None:
            kept = (self._head.seq, self._head.hash, code, book)
            with as_state_error(self._path), transaction(self._db):
                row = (*kept, checksum_of(kept))
                self._db.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?, ?, ?, ?)", row)

    def identity(self) -> Identity:
        return dict(self.query("SELECT key, value FROM identity ORDER BY key"))

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a reading query."""
        with as_state_error(self._path):
            return self._db.execute(sql, values).fetchall()

    def check_pages(self) -> None:
        """Raises StateUnusable where a page of the file is not as SQLite writes them."""
        with as_state_error(self._path):
            _check_pages(self._db)

    def close(self) -> None:
        self._db.close()

    def _read_head(self) -> Row | None:
        """The newest row, in one look with what is noted of it. Raises JournalBroken where that is another row."""
        *row, seq, noted = self._db.execute(_NEWEST).fetchone()
        newest = None if row[0] is None else Row(*row)
        if (seq, noted) != (newest.seq, newest.hash) if newest else seq is not None:
            raise JournalBroken(
                f"the journal's newest rows are missing: row {seq} was written last, and it ends at row"
                f" {newest.seq if newest else 0}, or that is not as it was written",
                safe="nothing was read into the account and nothing was sent",
                remedy="restore the state from a backup, or start a new one with --state DIR",
            )
        return newest

    def _claim(self, identity: Identity) -> None:
        """A new file takes the identity; an old one must already have it."""
        ours = self.identity()
        if not ours:
            with transaction(self._db):
                self._db.executemany("INSERT INTO identity VALUES (?, ?)", sorted(identity.items()))
                head = chained(None, 0, 0, "opened", to_json(Opened(tuple(sorted(identity.items())))), self._digest)
                self._db.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?)", head)
                _note_head(self._db, head)
            self._head = head
        else:
            self.check_identity(identity)

    def check_identity(self, identity: Identity) -> None:
        """Raises StateUnusable where this state was opened for something else."""
        ours = self.identity()
        if ours != identity:
            differs = ", ".join(
                _differs(key, ours.get(key, "unset"), identity.get(key, "unset"))
                for key in sorted(ours.keys() | identity.keys())
                if ours.get(key) != identity.get(key)
            )
            raise StateUnusable(
                f"{self._path} belongs to another account: {differs}",
                remedy=f"set that as it is there, or name another place with --state DIR; {_STAYS}",
            )


def _differs(key: str, there: str, here: str) -> str:
    (kind, _, bar), (ours, _, other) = (one.removesuffix(" ms").partition(", ") for one in (there, here))
    if key == "clock" and kind == ours and bar.isdecimal() and other.isdecimal():
        key, there, here = "cycle.base_bar_min", *(str(int(one) // MINUTE_MS) for one in (bar, other))
    return f"{key} is {there} there and {here} here"


def _fact(row: Row, segments: Segments | None = None) -> Fact:
    if row.body:
        return from_json(FACTS[row.kind], row.body)
    found = segments.of(row.seq) if segments else None
    return _taken(row, str(segments.path(found)) if segments and found else "")


def _taken(row: Row, file: str = "") -> Fact:
    return Moved(EpochMs(row.at_ms), "", (), "", file)


def folder_of(path: Path) -> Path:
    """Where the closed files of a state are."""
    return path.with_suffix(".segments")


def check_pages(path: Path) -> None:
    """Of any database that is ours. Raises StateUnusable where a page of it is not as SQLite writes them."""
    with closing(connect(path, create=False)) as db, as_state_error(path):
        _check_pages(db)


def _check_pages(db: sqlite3.Connection) -> None:
    ((told,),) = db.execute("PRAGMA quick_check(1)")
    if told != "ok":
        raise sqlite3.DatabaseError(" ".join(told.split()))


def copy_database(source: Path, place: Path) -> None:
    """A copy of a whole database as it stands now, also while somebody writes. It is one file without a log, so that it
    can be read where nothing may be written. Raises StateUnusable."""
    with as_state_error(place), closing(connect(source, create=False)) as db, closing(sqlite3.connect(place)) as copy:
        db.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def upgrade(path: Path) -> None:
    """Bring a state up to this schema; one that is there already stays as it is."""
    with closing(connect(path, create=True)) as db, as_state_error(path):
        _migrate(db, path, writable=True)


def is_older(path: Path) -> bool:
    """Whether a state lacks tables of this schema. Raises StateUnusable where it cannot be read."""
    with closing(connect(path, create=False)) as db, as_state_error(path):
        (version,) = db.execute("PRAGMA user_version").fetchone()
        return OLDEST_SCHEMA <= int(version) < len(_migrations())


def upgrade_copy(path: Path) -> None:
    """The same for a copy of a state, which stays one file without a log."""
    if is_older(path):
        with closing(sqlite3.connect(path, isolation_level=None)) as db, as_state_error(path):
            _migrate(db, path, writable=True)


def mark_of(path: Path) -> Path:
    """Stands beside a state that was begun, so that one that is lost is not taken for one that never was."""
    return path.with_name(f"{path.name}.begun")


def aside_of(path: Path) -> str:
    """How the name of a place begins in which a state is made ready that is to come here."""
    return f"restoring.{path.stem}."


def check_not_lost(path: Path) -> None:
    """Limits and positions of an account whose rows are gone must not begin anew by themselves."""
    if not path.exists() and any(path.parent.glob(f"{aside_of(path)}*")):
        raise StateUnusable(
            f"{path} is missing: a restore was cut short",
            safe="nothing was sent; what was there before is under archive/",
            remedy="trader restore DIR --yes, once more",
        )
    if mark_of(path).exists() and (not path.exists() or is_blank(path)):
        raise StateUnusable(
            f"{path} is {'empty' if path.exists() else 'missing'}, and its account was begun",
            safe="nothing was sent; positions, orders and losses of that account are not known",
            remedy="trader restore, or start a new account with --state DIR",
        )


def _mark_begun(path: Path) -> None:
    """Where it cannot be made, nothing is lost but this."""
    if not mark_of(path).exists():
        with suppress(OSError):
            mark_of(path).touch(mode=0o600)


def is_blank(path: Path) -> bool:
    """Whether the file is a database without a single table."""
    db = connect(path, create=False)
    try:
        with as_state_error(path):
            return not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    finally:
        db.close()


def file_at(path: Path) -> int | None:
    """Which file has that name now; None: none has. One that was moved away or deleted beneath a connection still
    takes whatever is written, and nobody ever reads it."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


@contextmanager
def at_once(db: sqlite3.Connection) -> Iterator[None]:
    """Everything that is read inside is of one moment, whoever writes meanwhile."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


@contextmanager
def as_state_error(path: Path, remedy: str = _RESTORE) -> Iterator[None]:
    """SQLite's and the decoder's complaints in our own words, and the remedy where the file is damaged. One that
    another process holds for too long is StateLocked."""
    try:
        yield
    except sqlite3.OperationalError as failed:
        raise unusable(failed)(f"{path} cannot be used: {failed}", remedy=remedy_of(failed, path)) from failed
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError) as failed:
        raise StateUnusable(f"{path} is damaged: {failed}", remedy=remedy) from failed


def remedy_of(failed: Exception, path: Path, otherwise: str = _ELSE) -> str:
    """A file that is only out of reach stays where it is: what it holds is not in another one."""
    code = code_of(failed) if isinstance(failed, sqlite3.OperationalError) else None
    place = kept_from_us(path) if code in MAY_NOT else None
    if place is not None:
        return mended(place)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return f"look who owns {path} and what is beside it (ls -l), mend that with chown or chmod u+rw; leave it there"
    if code in HELD:
        return f"look what holds it (fuser {quote(str(path))}), and run it again; {_STAYS}"
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return f"make room on its disk, or mend that (df -h {quote(str(path.parent))}), and run it again; {_STAYS}"
    if code == sqlite3.SQLITE_CANTOPEN and path.is_file():
        beside = f"what lies beside it (ls -l {quote(str(path.parent))})"
        return f"look at ulimit -n and at {beside}, and run it again; {_STAYS}"
    return otherwise


def make_private(path: Path) -> None:
    """A new file is for its owner alone, whatever the umask and the folder; SQLite's logs beside it are then, too. One
    that is there is not opened: that would take its locks from this process."""
    with suppress(OSError):  # who opens it says why there can be none
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def make_directory(directory: Path) -> None:
    """That of a state, for its user alone. Raises StateUnusable where there can be none."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as failed:
        raise StateUnusable(
            f"the state directory {directory} cannot be made: {failed.strerror}", remedy="name another with --state DIR"
        ) from failed


def connect(path: Path, create: bool, remedy: str = _RESTORE) -> sqlite3.Connection:
    """`remedy` is for a file that is damaged."""
    if not create and not path.exists():
        raise StateUnusable(f"there is no state at {path}", remedy="trader run, or name another place with --state DIR")
    mode = "rwc" if create else "rw"
    if create:
        make_private(path)
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
    except sqlite3.OperationalError as failed:
        raise StateUnusable(f"{path} cannot be opened: {failed}", remedy=remedy_of(failed, path)) from failed
    with ExitStack() as undo:
        undo.callback(db.close)
        with as_state_error(path, remedy):
            db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            db.execute("PRAGMA foreign_keys = ON")
            if create:
                _write_ahead(db)
                db.execute("PRAGMA synchronous = FULL")
            else:
                db.execute("PRAGMA query_only = ON")
        undo.pop_all()
    return db


def _write_ahead(db: sqlite3.Connection) -> None:
    """Changing to a log does not wait for other processes by itself, and two may make a file at once."""
    until_s = monotonic() + BUSY_TIMEOUT_MS / 1_000
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as failed:
            if getattr(failed, "sqlite_errorcode", 0) in NO_ROOM or monotonic() >= until_s:
                raise
            sleep(STEP_S)


def _migrations() -> list[str]:
    folder = resources.files("trader_core.store") / "migrations"
    return [one.read_text() for one in sorted(folder.iterdir(), key=lambda one: one.name) if one.name.endswith(".sql")]


def _migrate(db: sqlite3.Connection, path: Path, writable: bool) -> None:
    """Forward only. A newer schema, or a database that is not ours, is refused."""
    (version,), (owner,) = db.execute("PRAGMA user_version").fetchone(), db.execute("PRAGMA application_id").fetchone()
    steps = _migrations()
    if version > len(steps):
        raise StateUnusable(
            f"{path} was written by a newer trader (schema {version}, this one knows {len(steps)})",
            remedy="use the newer version",
        )
    tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if owner != APPLICATION_ID and (tables or not writable):
        raise StateUnusable(f"{path} is not a state of trader", remedy=_ELSE)
    if 0 < version < OLDEST_SCHEMA:
        raise StateUnusable(
            f"{path} was written by an older trader, whose journal said less",
            safe="nothing was sent; its positions, orders and limits are in it",
            remedy="leave it there and close its account with the version that wrote it; a new one: --state DIR",
        )
    if version < len(steps) and not writable:
        raise StateUnusable(f"{path} has the older schema {version}", remedy="trader run brings it up to date")
    if version == len(steps):
        return
    with transaction(db):
        for step in steps[version:]:
            for statement in step.split(";\n"):
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(steps)}")


def _project(db: sqlite3.Connection, cycle_id: int, fact: Fact) -> None:
    """What a fact changes in the tables that are read often; all of it can be rebuilt from the journal."""
    if isinstance(fact, HaltChanged | HaltReset):
        body = to_json(fact.halt)
        db.execute("INSERT OR REPLACE INTO halt VALUES (1, ?, ?)", (body, _checksum(body)))
    elif isinstance(fact, CycleClosed):
        row = (cycle_id, fact.decision_ms, fact.placed, fact.refused, fact.fills, fact.problem)
        db.execute("INSERT INTO cycles VALUES (?, ?, ?, ?, ?, ?)", row)


def _note_head(db: sqlite3.Connection, head: Row | None) -> None:
    """Which row was written last; beside it in one transaction, so neither is ever there alone."""
    if head is not None:
        db.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (head.seq, head.hash))


def _take(db: sqlite3.Connection, seq: int, taken: Taken) -> None:
    """What the decision of that row was taken from: what is new of it, and the record."""
    db.executemany("INSERT OR IGNORE INTO documents VALUES (?, ?)", taken.documents.items())
    db.execute("INSERT INTO inputs VALUES (?, ?)", (seq, taken.body))
    rows = ((one.symbol, one.open_ms, seq, *one[2:], one.check) for one in taken.bars)
    db.executemany("INSERT INTO bars VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def checksum_of(parts: Iterable[object]) -> str:
    """Of a checkpoint's own columns."""
    return _checksum("\x1f".join(map(str, parts)))


def _checksum(body: str) -> str:
    return sha256(body.encode()).hexdigest()


def _check_halt(db: sqlite3.Connection, path: Path) -> None:
    """The halt's own row must carry its checksum: a halt that cannot be read is not a permission."""
    found = db.execute("SELECT body, checksum FROM halt").fetchone()
    if found and _checksum(found[0]) != found[1]:
        raise StateUnusable(f"the halt in {path} does not match its checksum", remedy="restore the state from a backup")
