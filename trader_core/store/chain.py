"""The hash chain over the journal: a changed, lost or inserted row breaks every hash after it."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from trader_core.domain.errors import JournalBroken

GENESIS = "0" * 64


class Row(NamedTuple):
    """One journal row as it is stored."""

    seq: int
    cycle_id: int
    at_ms: int
    kind: str
    body: str
    config_digest: str
    prev_hash: str
    hash: str


def chained(prev: Row | None, cycle_id: int, at_ms: int, kind: str, body: str, config_digest: str) -> Row:
    """The row that follows `prev`."""
    seq, prev_hash = (prev.seq + 1, prev.hash) if prev else (1, GENESIS)
    return Row(
        seq, cycle_id, at_ms, kind, body, config_digest, prev_hash,
        _hash(seq, cycle_id, at_ms, kind, body, config_digest, prev_hash),
    )  # fmt: skip


def verified(
    rows: Iterable[Row], prev: Row | None = None, is_moved: Callable[[Row], bool] = lambda row: False
) -> Iterator[Row]:
    """The same rows, which follow `prev`, checked one by one. Raises JournalBroken at the first that does not fit.

    A row whose body was moved elsewhere must stand in its place: its hash is the one that the next row names.
    """
    for row in rows:
        expected = chained(prev, row.cycle_id, row.at_ms, row.kind, row.body, row.config_digest)
        if not row.body and is_moved(row):
            expected = expected._replace(hash=row.hash)
        if row != expected:
            raise JournalBroken(
                f"the journal's hash chain breaks at row {row.seq}: it was changed, or rows before it are missing",
                safe="nothing was read into the account and nothing was sent",
                remedy="restore the state from a backup, or start a new one with --state DIR",
            )
        yield row
        prev = row


def _hash(*parts: object) -> str:
    return sha256("\x1f".join(map(str, parts)).encode()).hexdigest()
