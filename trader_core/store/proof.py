"""Whether everything that is only ever added to is as it was written: the journal, and what decisions were taken from.

The journal's chain holds itself together; each decision in it names its record by digest, and each record its
documents and candles. So one changed byte is found wherever it is, and named. What was moved into closed files is
walked there; of a file that is not there, what is left here must be as it was left.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from trader_core.domain.clocktime import rfc3339
from trader_core.domain.errors import JournalBroken
from trader_core.domain.facts import CycleClosed, Decided, Moved
from trader_core.domain.inputs import Bar, Inputs, check_of, digest_of, digest_of_lines, line_of, unpacked
from trader_core.domain.words import count
from trader_core.store.segments import Segment, Segments, rest_of
from trader_core.store.sqlite import SqliteStore, checksum_of

Ask = Callable[[str], list[tuple[Any, ...]]]
Left = dict[tuple[int, str, int], tuple[Bar, int]]  # candles by row, symbol and time
MISSING_SHOWN = 5
_BARS = "SELECT seq, mark, symbol, open_ms, open, high, low, close, volume FROM bars"


@dataclass
class Proof:
    """How much was walked and found whole."""

    rows: int = 0
    decisions: int = 0
    recorded: int = 0  # of the decisions, those with a record of their inputs
    documents: int = 0
    bars: int = 0
    head: str = ""  # hash of the journal's last row: whoever noted it elsewhere can tell that no end is missing
    files: int = 0  # closed files that were walked
    missing: tuple[str, ...] = ()  # and those that are not there
    moved: int = 0  # decisions that stand in one of these
    _inputs: dict[int, str] = field(default_factory=dict)  # digest by the decision's row
    _closed: list[tuple[Any, ...]] = field(default_factory=list)
    _documents: set[str] = field(default_factory=set)

    @property
    def not_walked(self) -> tuple[str, ...]:
        """In words, where files are not there."""
        if not self.missing:
            return ()
        told = ", ".join(self.missing[:MISSING_SHOWN]) + ", ..." * (len(self.missing) > MISSING_SHOWN)
        return (f"not walked, for their closed files are not there: {count(self.moved, 'decision')}, in {told}",)

    def count(self, records: Mapping[int, Inputs], documents: set[str], bars: int) -> None:
        self.recorded += len(records)
        self._documents |= documents
        self.documents = len(self._documents)
        self.bars += bars


def proven(store: SqliteStore) -> Proof:
    """Walk everything. Raises JournalBroken with the row that is not as it was written, and StateUnusable where the
    file itself is damaged, also where no row is read."""
    with store.at_once(), closing(store.segments()) as segments:
        proof = Proof()
        for row, fact in store.told():
            proof.rows, proof.head = row.seq, row.hash
            if isinstance(fact, Decided):
                proof.decisions += 1
                if isinstance(fact, Moved):
                    proof.moved += 1
                elif fact.inputs:
                    proof._inputs[row.seq] = fact.inputs
            elif isinstance(fact, CycleClosed):
                closed = (row.cycle_id, fact.decision_ms, fact.placed, fact.refused, fact.fills, fact.problem)
                proof._closed.append(closed)
        _check_cycles(store, proof)
        _check_segments(store, segments, proof)
        here = {seq: digest for seq, digest in proof._inputs.items() if seq > segments.last}
        proof.count(*records_proven(lambda sql: store.query(sql), here, segments.last))
        for *parts, checksum in store.query("SELECT seq, hash, code, body, checksum FROM checkpoint"):
            if checksum_of(parts) != checksum:
                raise _broken("the checkpoint")
        store.check_pages()  # the last: a row says more than a page
        return proof


def records_proven(ask: Ask, named: Mapping[int, str], after: int = 0) -> tuple[dict[int, Inputs], set[str], int]:
    """(records, documents, how many candles) where the decisions of these rows name records of these digests: all that
    are there and no others. Raises JournalBroken."""
    documents = _documents(ask)
    records = _records(ask, named, documents)
    return records, documents, _check_bars(ask, records, after)


def documents_of(inputs: Inputs) -> set[str]:
    """The documents that a record names."""
    return {one for one in (inputs.instruments, inputs.exclusions, inputs.policy, inputs.days) if one}


def _broken(what: str) -> JournalBroken:
    return JournalBroken(
        f"{what} is not as it was written",
        safe="nothing was changed and nothing was sent",
        remedy="restore the state from a backup; what was decided from it cannot be shown any more",
    )


def _check_cycles(store: SqliteStore, proof: Proof) -> None:
    """The projection: it has what the journal says, and nothing more. A journal that was cut short shows here."""
    found = store.query("SELECT cycle_id, decision_ms, placed, refused, fills, problem FROM cycles ORDER BY cycle_id")
    for told, kept in zip(sorted(proof._closed), found, strict=False):
        if told != kept:
            raise _broken(f"row {kept[0]} of cycles")
    if len(found) != len(proof._closed):
        raise _broken(f"the end of {'the journal' if len(found) > len(proof._closed) else 'cycles'}")


def _check_segments(store: SqliteStore, segments: Segments, proof: Proof) -> None:
    """Each file, what the journal says of it, and what is left here of what is in it."""
    left: Left = {
        (seq, symbol, open_ms): (Bar(symbol, open_ms, *cells), mark)
        for seq, mark, symbol, open_ms, *cells in store.query(f"{_BARS} WHERE seq <= ?", segments.last)
    }
    missing, gone, documents = set(segments.missing), 0, dict[int, set[str]]()
    for segment in reversed(segments.listed):
        gone = max(gone, segment.floor_ms)  # candles that opened before went with this file, or a later one
        _check_listed(store, segment)
        if segment in missing:
            for (seq, *_), (bar, mark) in left.items():
                if segment.first <= seq <= segment.last and bar.check != mark:
                    raise _broken(_candle(bar, seq))
        else:
            named = {seq: one for seq, one in proof._inputs.items() if segment.first <= seq <= segment.last}
            found = records_proven(lambda sql, of=segment: segments.ask(of, sql) or [], named)  # type: ignore[misc]
            proof.count(*found)
            documents[segment.last] = found[1]
            _check_left(segments, segment, left, gone)
    proof.files, proof.missing = len(documents), tuple(str(segments.path(one)) for one in segments.missing)
    _check_shelved(store, segments, documents)


def _check_shelved(store: SqliteStore, segments: Segments, documents: Mapping[int, set[str]]) -> None:
    """By the row that ends each file that is there: every document in it can be found, and where it is said to be."""
    shelved = dict(store.query("SELECT digest, last FROM shelved"))
    here = {digest for (digest,) in store.query("SELECT digest FROM documents")}
    known = {one.last for one in segments.listed}
    for digest, last in shelved.items():
        if last not in known or digest not in documents.get(last, {digest}):
            raise _broken(f"the place of document {digest}")
    for digest in set().union(*documents.values()) - here - shelved.keys():
        raise _broken(f"the place of document {digest}")


def _check_listed(store: SqliteStore, segment: Segment) -> None:
    found = store.query("SELECT at_ms, hash FROM journal WHERE seq = ?", segment.last)
    before = store.query("SELECT coalesce(max(last), 0) + 1 FROM segments WHERE last < ?", segment.last)
    if found != [(segment.until_ms, segment.hash)] or before != [(segment.first,)]:
        raise _broken(f"row {segment.last} of segments")
    if rest_of(segment, (row for row in store.rows(segment.first - 1, segment.last) if not row.body)) != segment.rest:
        raise _broken(f"row {segment.last} of segments, or what is left of rows {segment.first} to {segment.last},")


def _check_left(segments: Segments, segment: Segment, left: Left, gone: int) -> None:
    """Here is what of the file's candles later decisions need, and nothing else."""
    here = {key for key in left if segment.first <= key[0] <= segment.last}
    for seq, mark, symbol, open_ms, *cells in segments.ask(segment, _BARS) or []:
        key, bar = (seq, symbol, open_ms), Bar(symbol, open_ms, *cells)
        if (left.get(key) == (bar, mark)) != (open_ms >= gone):
            raise _broken(_candle(bar, seq))
        here.discard(key)
    for seq, symbol, open_ms in here:
        raise _broken(_candle(left[seq, symbol, open_ms][0], seq))


def _documents(ask: Ask) -> set[str]:
    known: set[str] = set()
    for digest, body in ask("SELECT digest, body FROM documents"):
        if digest_of(body) != digest:
            raise _broken(f"document {digest}")
        known.add(digest)
    return known


def _records(ask: Ask, told: Mapping[int, str], documents: set[str]) -> dict[int, Inputs]:
    """Records by the row of their decision."""
    found: dict[int, Inputs] = {}
    for seq, body in ask("SELECT seq, body FROM inputs ORDER BY seq"):
        if digest_of(body) != told.get(seq):
            raise _broken(f"row {seq} of inputs")
        found[seq] = unpacked(body)
        for digest in sorted(documents_of(found[seq]) - documents):
            raise _broken(f"document {digest}, which row {seq} of inputs names,")
    for at in told:
        if at not in found:
            raise _broken(f"row {at} of inputs")
    return found


def _check_bars(ask: Ask, records: Mapping[int, Inputs], after: int) -> int:
    told, count = {seq: digest_of_lines(()) for seq in records}, 0
    bars = ask(f"{_BARS} WHERE seq > {after} ORDER BY seq, symbol, open_ms")
    for seq, rows in groupby(bars, key=itemgetter(0)):
        lines = []
        for _, mark, *cells in rows:
            line = line_of(cells)
            if seq not in records or check_of(line) != mark:
                raise _broken(_candle(Bar._make(cells), seq))
            lines.append(line)
        count += len(lines)
        told[seq] = digest_of_lines(lines)
    for seq, digest in told.items():
        if records[seq].bars != digest:
            raise _broken(f"one of the candles of row {seq} of inputs")
    return count


def _candle(bar: Bar, seq: int) -> str:
    return f"the candle of {bar.symbol} at {_moment(bar.open_ms)}, of row {seq} of inputs,"


def _moment(at_ms: int) -> str:
    """In words, also where the time itself was changed to one that no calendar has."""
    try:
        return rfc3339(at_ms)
    except OverflowError:
        return str(at_ms)
