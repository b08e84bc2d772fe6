"""Moving what is old out of a state: decisions' bodies, and what they were taken from, into a closed file.

The file is whole, checked and on disk before a row of the state changes; then everything changes in one transaction,
which the state's own triggers allow for what a listed file holds and for nothing else. Fills, intents, cash flows,
halts and every other fact stay where they are, in the file too.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from trader_core.domain.codec import from_json
from trader_core.domain.errors import StateUnusable
from trader_core.domain.facts import Decided
from trader_core.domain.inputs import Inputs, unpacked
from trader_core.store.chain import Row, verified
from trader_core.store.proof import documents_of, records_proven
from trader_core.store.segments import DECIDED, Rows, Segment, Segments, reading, rest_of, write
from trader_core.store.sqlite import NO_END, SqliteStore, as_state_error

DECISIONS_MAX = 256  # in one file: its transaction is short enough for a cycle to wait for
AT_ONCE = 4_096  # records that are read at once
_CELLS = "symbol, open_ms, seq, open, high, low, close, volume, mark"
_LATE = "SELECT seq FROM journal WHERE kind = 'cycle_closed' AND seq >= ? AND at_ms >= ? ORDER BY seq LIMIT 1"
_MANY = "SELECT seq FROM journal WHERE kind = ? AND seq >= ? ORDER BY seq LIMIT 1 OFFSET ?"
_CLOSED = "SELECT max(seq) FROM journal WHERE kind = 'cycle_closed' AND seq >= ? AND seq < ?"


class Span(Struct, frozen=True):
    """Rows of a journal."""

    first: int
    last: int


def due(store: SqliteStore, before_ms: int) -> Span | None:
    """The next rows to be moved: whole cycles, all of them before that time, and not too many; None where there are
    none."""
    with closing(store.segments()) as segments:
        first = segments.last + 1
    beyond = store.query(_LATE, first, before_ms) + store.query(_MANY, DECIDED, first, DECISIONS_MAX)
    ((last,),) = store.query(_CLOSED, first, min((seq for (seq,) in beyond), default=NO_END))
    return Span(first, last) if last else None


class Needs:
    """What decisions that stay need of what was told before them, read once for many moves."""

    def __init__(self, store: SqliteStore) -> None:
        self._store, self._found = store, list[tuple[int, int, frozenset[str]]]()
        self.refresh()

    def refresh(self) -> None:
        """Whoever trades may have written since."""
        after = self._found[-1][0] if self._found else 0
        for seq, inputs in _records(self._store, after, NO_END):
            self._found.append((seq, inputs.first_ms, frozenset(documents_of(inputs))))

    def after(self, last: int) -> tuple[int, set[str]]:
        """Of decisions after that row: when their oldest window opens (0: nothing may go), and their documents."""
        later = [one for one in self._found if one[0] > last]
        return min((one[1] for one in later), default=0), set().union(*(one[2] for one in later))


def move(store: SqliteStore, needs: Needs, span: Span, checkpoint: tuple[str, str]) -> Segment:
    """Move one span; the checkpoint is (code, book) of its last row. Raises JournalBroken where what is there is not as
    it was written, and StateUnusable where there is no room: then nothing changes."""
    with closing(store.segments()) as known:
        folder = known.folder
    rows = list(verified(store.rows(span.first - 1, span.last), next(store.rows(span.first - 2, span.first - 1), None)))
    decided = {row.seq: from_json(Decided, row.body) for row in rows if row.kind == DECIDED}
    named = {seq: one.inputs for seq, one in decided.items() if one.inputs}
    moved = [row for row in rows if row.seq in decided and decided[row.seq].decision_ms == row.at_ms]
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _make_room(folder, rows[0])
        bare = Segment(span.last, span.first, rows[-1].at_ms, 0, rows[-1].hash, "", "")
        with as_state_error(folder / bare.name):
            segment = bare._replace(digest=write(folder / bare.name, _tables(store, span, rows, checkpoint)))
    except OSError as failed:
        raise StateUnusable(f"{folder} cannot be written: {failed.strerror}", safe="nothing was moved") from failed
    with closing(Segments(folder, [segment])) as alone:
        if list(alone.filled(rows)) != rows:
            raise StateUnusable(f"{alone.path(segment)} is not what was written", safe="nothing was moved")
        records_proven(lambda sql: alone.ask(segment, sql) or [], named)
    with _listed(store, folder / bare.name, span.last), store.changing() as db:
        needs.refresh()
        floor_ms, documents = needs.after(span.last)
        segment = segment._replace(floor_ms=floor_ms)
        segment = segment._replace(rest=rest_of(segment, moved))
        gone = [(one,) for one in _documents(store, span.first - 1, span.last) - documents]
        db.execute("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?)", segment)
        db.executemany("UPDATE journal SET body = '' WHERE seq = ?", [(row.seq,) for row in moved])
        db.execute("DELETE FROM inputs WHERE seq <= ?", (span.last,))
        db.execute("DELETE FROM bars WHERE seq <= ? AND open_ms < ?", (span.last, floor_ms))
        db.executemany("INSERT OR IGNORE INTO shelved VALUES (?, ?)", [(*one, span.last) for one in gone])
        db.executemany("DELETE FROM documents WHERE digest = ?", gone)
    return segment


@contextmanager
def _listed(store: SqliteStore, place: Path, last: int) -> Iterator[None]:
    """A file that the state could not list takes no room: on a full disk the account needs it."""
    try:
        yield
    except StateUnusable:
        with closing(store.segments()) as known:
            if all(one.last != last for one in known.listed):
                place.unlink()
        raise


def _make_room(folder: Path, first: Row) -> None:
    """What a move that was cut short left: all of it is still in the state. Raises StateUnusable where it is another
    account's."""
    for left in folder.glob(f"{first.seq:09d}-*"):
        if left.suffix == ".db":
            with closing(reading(left)) as db, as_state_error(left):
                found = db.execute("SELECT hash FROM journal WHERE seq = ?", (first.seq,)).fetchone()
            if found != (first.hash,):
                raise StateUnusable(
                    f"{left} belongs to another account", safe="nothing was moved",
                    remedy=f"take {folder} to where that account is",
                )  # fmt: skip
        left.unlink()


def _records(store: SqliteStore, after: int, last: int) -> Iterator[tuple[int, Inputs]]:
    asked = "SELECT seq, body FROM inputs WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
    while found := store.query(asked, after, last, AT_ONCE):
        for after, body in found:
            yield after, unpacked(body)


def _documents(store: SqliteStore, after: int, last: int) -> set[str]:
    return {digest for _, inputs in _records(store, after, last) for digest in documents_of(inputs)}


def _tables(store: SqliteStore, span: Span, rows: list[Row], checkpoint: tuple[str, str]) -> dict[str, Rows]:
    within = span.first, span.last
    documents = [
        row for digest in sorted(_documents(store, span.first - 1, span.last))
        for row in store.query("SELECT digest, body FROM documents WHERE digest = ?", digest)
    ]  # fmt: skip
    bars: list[tuple[Any, ...]] = store.query(f"SELECT {_CELLS} FROM bars WHERE seq BETWEEN ? AND ?", *within)  # noqa: S608
    return {
        "journal": rows,
        "inputs": store.query("SELECT seq, body FROM inputs WHERE seq BETWEEN ? AND ?", *within),
        "bars": sorted(bars, key=lambda one: (one[2], one[0], one[1])),
        "documents": documents,
        "identity": sorted(store.identity().items()),
        "checkpoint": [(span.last, rows[-1].hash, *checkpoint)],
    }
