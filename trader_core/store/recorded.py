"""What decisions were taken from, wherever it stands now: in the state, or in a closed file of it."""

from collections.abc import Iterator
from typing import Any

from trader_core.domain.inputs import Bar
from trader_core.store.segments import Segment, Segments
from trader_core.store.sqlite import NO_END, SqliteStore

_BARS = "SELECT seq, symbol, open_ms, open, high, low, close, volume FROM bars WHERE seq > ? AND seq <= ? ORDER BY seq"
_FIRST = "SELECT min(open_ms) FROM bars"


class Recorded:
    """Reads one state. Raises JournalBroken where a closed file is another one."""

    def __init__(self, store: SqliteStore) -> None:
        self._store, self._segments = store, store.segments()

    def __enter__(self) -> "Recorded":
        return self

    def __exit__(self, *_: object) -> None:
        self._segments.close()

    @property
    def segments(self) -> Segments:
        return self._segments

    def inputs(self, seq: int) -> bytes | None:
        """The record of that row's decision."""
        asked = "SELECT body FROM inputs WHERE seq = ?"
        found = self._store.query(asked, seq) or self._elsewhere(self._segments.of(seq), asked, seq)
        return found[0][0] if found else None

    def document(self, digest: str) -> str | None:
        asked = "SELECT body FROM documents WHERE digest = ?"
        found = self._store.query(asked, digest)
        if not found:
            shelved = self._store.query("SELECT last FROM shelved WHERE digest = ?", digest)
            found = self._elsewhere(self._segments.of(shelved[0][0]), asked, digest) if shelved else []
        return found[0][0] if found else None

    def bars(self, after: int, last: int = NO_END) -> Iterator[Bar]:
        """Candles that records of those rows told, as they were told. Of a file that is not there, what is left."""
        for segment in self._segments.listed:
            if segment.last > after and segment.first <= last:
                span = max(after, segment.first - 1), min(last, segment.last)
                found = self._segments.ask(segment, _BARS, *span)
                for _, *cells in self._store.query(_BARS, *span) if found is None else found:
                    yield Bar._make(cells)
        for _, *cells in self._store.query(_BARS, max(after, self._segments.last), last):
            yield Bar._make(cells)

    def first_ms(self) -> int:
        """When the oldest candle of all that are there opens; 0 where there is none."""
        found = self._store.query(_FIRST)
        for segment in self._segments.listed:
            found += self._elsewhere(segment, _FIRST)
        return min((one for (one,) in found if one is not None), default=0)

    def checkpoints(self, code: str) -> list[tuple[int, str, str]]:
        """(rows, the book they fold to, in words where it says so) of every file that is there and was folded by that
        code."""
        asked = "SELECT seq, body FROM checkpoint WHERE code = ?"
        found = ((one, self._elsewhere(one, asked, code)) for one in self._segments.listed)
        return [(*row, f"the checkpoint in {self._segments.path(one)}") for one, rows in found for row in rows]

    def lacks(self, seq: int, first_ms: int) -> Segment | None:
        """A file that is not there, without which the window of that row's decision is not whole from that time on."""
        gone = max((one.floor_ms for one in self._segments.listed), default=0)
        told = (one for one in self._segments.missing if one.first <= seq)
        return next((one for one in told if first_ms < min(one.until_ms, gone)), None)

    def _elsewhere(self, segment: Segment | None, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return (self._segments.ask(segment, sql, *values) or []) if segment else []
