"""A small file of its own with a chained table in it, and beside it the row that was written last."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

from trader_core.domain.errors import JournalBroken
from trader_core.store.chain import Row, verified


def rows_of(ask: Callable[[str], Iterable[tuple[Any, ...]]], table: str) -> list[Row]:
    """All rows, verified, up to the one that was written last: a chain does not show that its end is missing."""
    if not list(ask("SELECT 1 FROM sqlite_schema")):
        return []
    columns = "seq, cycle_id, at_ms, kind, body, config_digest, prev_hash, hash"
    rows = list(verified(Row(*one) for one in ask(f"SELECT {columns} FROM {table} ORDER BY seq")))  # noqa: S608
    if list(ask("SELECT seq, checksum FROM head")) != [(row.seq, checksum(row)) for row in rows[-1:]]:
        raise JournalBroken("its end is missing")
    return rows


def checksum(row: Row) -> str:
    return sha256(f"head {row.seq} {row.hash}".encode()).hexdigest()
