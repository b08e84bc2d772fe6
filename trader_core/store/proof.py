"""Whether everything that is only ever added to is as it was written: the journal, and what decisions were taken from.

The journal's chain holds itself together; each decision in it names its record by digest, and each record its
documents and candles. So one changed byte is found wherever it is, and named.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from trader_core.domain.clocktime import rfc3339
from trader_core.domain.errors import JournalBroken
from trader_core.domain.facts import CycleClosed, Decided
from trader_core.domain.inputs import Bar, Inputs, digest_of, digest_of_bars, unpacked
from trader_core.store.sqlite import SqliteStore, checksum_of


@dataclass
class Proof:
    """How much was walked and found whole."""

    rows: int = 0
    decisions: int = 0
    recorded: int = 0  # of the decisions, those with a record of their inputs
    documents: int = 0
    bars: int = 0
    head: str = ""  # hash of the journal's last row: whoever noted it elsewhere can tell that no end is missing
    _inputs: dict[int, str] = field(default_factory=dict)  # digest by the decision's row
    _closed: list[tuple[Any, ...]] = field(default_factory=list)


def proven(store: SqliteStore) -> Proof:
    """Walk everything. Raises JournalBroken with the row that is not as it was written."""
    proof = Proof()
    for row, fact in store.told():
        proof.rows, proof.head = row.seq, row.hash
        if isinstance(fact, Decided):
            proof.decisions += 1
            if fact.inputs:
                proof._inputs[row.seq] = fact.inputs
        elif isinstance(fact, CycleClosed):
            proof._closed.append((row.cycle_id, fact.decision_ms, fact.placed, fact.refused, fact.fills, fact.problem))
    _check_cycles(store, proof)
    documents = _documents(store)
    proof.documents = len(documents)
    _check_bars(store, proof, _records(store, proof, documents))
    for *parts, checksum in store.query("SELECT seq, hash, code, body, checksum FROM checkpoint"):
        if checksum_of(parts) != checksum:
            raise _broken("the checkpoint")
    return proof


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


def _documents(store: SqliteStore) -> set[str]:
    known: set[str] = set()
    for digest, body in store.query("SELECT digest, body FROM documents"):
        if digest_of(body) != digest:
            raise _broken(f"document {digest}")
        known.add(digest)
    return known


def _records(store: SqliteStore, proof: Proof, documents: set[str]) -> dict[int, Inputs]:
    """Records by the row of their decision."""
    found: dict[int, Inputs] = {}
    for seq, body in store.query("SELECT seq, body FROM inputs ORDER BY seq"):
        if digest_of(body) != proof._inputs.get(seq):
            raise _broken(f"row {seq} of inputs")
        found[seq] = unpacked(body)
        named = found[seq].instruments, found[seq].exclusions, found[seq].policy, found[seq].days
        for digest in named:
            if digest and digest not in documents:
                raise _broken(f"document {digest}, which row {seq} of inputs names,")
    for at in proof._inputs:
        if at not in found:
            raise _broken(f"row {at} of inputs")
    proof.recorded = len(found)
    return found


def _check_bars(store: SqliteStore, proof: Proof, records: dict[int, Inputs]) -> None:
    told = {seq: digest_of_bars(()) for seq in records}
    for seq, rows in groupby(_bars(store), key=lambda one: one[0]):
        bars = []
        for _, bar, mark in rows:
            if seq not in records or bar.check != mark:
                raise _broken(f"the candle of {bar.symbol} at {_moment(bar.open_ms)}, of row {seq} of inputs,")
            bars.append(bar)
        proof.bars += len(bars)
        told[seq] = digest_of_bars(bars)
    for seq, digest in told.items():
        if records[seq].bars != digest:
            raise _broken(f"one of the candles of row {seq} of inputs")


def _bars(store: SqliteStore) -> Iterator[tuple[int, Bar, int]]:
    asked = "SELECT seq, mark, symbol, open_ms, open, high, low, close, volume FROM bars ORDER BY seq, symbol, open_ms"
    for seq, mark, *cells in store.query(asked):
        yield seq, Bar._make(cells), mark


def _moment(at_ms: int) -> str:
    """In words, also where the time itself was changed to one that no calendar has."""
    try:
        return rfc3339(at_ms)
    except OverflowError:
        return str(at_ms)
