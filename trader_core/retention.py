"""Retention: what is old leaves the state for closed files beside it. Nothing is lost, and no cycle has to stop for it.

Old is measured by the account's own newest cycle: an account that rests keeps what it has, and no wrong clock of this
machine moves anything. Beside a loop that trades, each file costs one short transaction.
"""

from contextlib import closing

from msgspec import Struct

from trader_core.bootstrap import MODES, settings_of
from trader_core.domain.book import Book
from trader_core.domain.clocktime import DAY_MS, EpochMs
from trader_core.domain.errors import StateUnusable
from trader_core.ledger.checkpoint import code_digest, from_text, to_text
from trader_core.ledger.fold import apply
from trader_core.ops.lock import StateLock
from trader_core.settings.options import Options
from trader_core.store.files import StateFiles
from trader_core.store.moving import Needs, due, move
from trader_core.store.segments import Segment
from trader_core.store.sqlite import SqliteStore

WAIT_MS = 5_000  # for a restore, or another of its own kind
FILES_MAX = 64  # in one go: of an account that nobody looked after for years the rest waits for the next
_NEWEST = "SELECT decision_ms FROM cycles ORDER BY cycle_id DESC LIMIT 1"


class Retained(Struct, frozen=True):
    """What was moved out of one mode's state: rows of the journal, up to what time, into which files."""

    mode: str
    before_ms: EpochMs  # what is older had to go; -1 where there is no cycle yet
    files: tuple[str, ...]
    rows: int
    more: bool  # there is more to move than is moved in one go
    missing: tuple[str, ...]  # files of earlier times that are not there


def retained(options: Options) -> tuple[Retained, ...]:
    """Every account in the directory, or that of the mode. Raises StateUnusable where there is none, StateLocked, and
    JournalBroken where what is to be moved is not as it was written: it stays as it is."""
    days = settings_of(options).app.retention.decisions_days
    found = [StateFiles(options.state_directory, mode) for mode in MODES if options.mode in (None, mode)]
    begun = [files for files in found if files.begun]
    if not begun:
        raise StateUnusable(f"there is no state in {options.state_directory}", remedy="trader run begins one")
    return tuple(_moved(files, days) for files in begun)


def _moved(files: StateFiles, days: int) -> Retained:
    with StateLock(files.moving, WAIT_MS), closing(SqliteStore.writing(files.state, "")) as store:
        newest = store.query(_NEWEST)
        before_ms = newest[0][0] // DAY_MS * DAY_MS - days * DAY_MS if newest else -1
        moved, needs = list[Segment](), Needs(store)
        while len(moved) < FILES_MAX and (span := due(store, before_ms)):
            moved.append(move(store, needs, span, (code_digest(), to_text(_book_at(store, span.last)))))
        with closing(store.segments()) as segments:
            paths = tuple(str(segments.path(one)) for one in moved)
            missing = tuple(map(str, map(segments.path, segments.missing)))
        rows = sum(one.last - one.first + 1 for one in moved)
        return Retained(files.mode, EpochMs(before_ms), paths, rows, due(store, before_ms) is not None, missing)


def _book_at(store: SqliteStore, last: int) -> Book:
    """The book of the journal's first rows, from the newest file's where this code folded it."""
    seq, book = _checkpoint(store)
    for row, fact in zip(store.rows(seq, last), store.facts(seq), strict=False):
        book = apply(book, fact)
        if row.seq == last:
            break
    return book


def _checkpoint(store: SqliteStore) -> tuple[int, Book]:
    with closing(store.segments()) as segments:
        found = segments.ask(segments.listed[-1], "SELECT seq, code, body FROM checkpoint") if segments.listed else None
    if not found or found[0][1] != code_digest():
        return 0, Book()
    return found[0][0], from_text(found[0][2])
