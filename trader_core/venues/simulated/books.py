"""The simulated venue's own memory: balances, orders and fills in a file that is not ours to trust or to mend."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from trader_core.domain.errors import StateUnusable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS balances (asset TEXT PRIMARY KEY, available INTEGER NOT NULL, hold INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL UNIQUE, symbol TEXT NOT NULL, buys INTEGER NOT NULL,
    kind INTEGER NOT NULL, lots INTEGER NOT NULL, filled INTEGER NOT NULL, limit_ticks INTEGER NOT NULL,
    trigger_ticks INTEGER NOT NULL, hold INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS working ON orders (number) WHERE status = 'WORKING';
CREATE TABLE IF NOT EXISTS fills (
    number INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL, symbol TEXT NOT NULL, buys INTEGER NOT NULL,
    ticks INTEGER NOT NULL, lots INTEGER NOT NULL, value INTEGER NOT NULL, fee INTEGER NOT NULL,
    at_ms INTEGER NOT NULL) STRICT;
"""


class VenueOrder(NamedTuple):
    """An order as the venue keeps it; quantities in lots, prices in ticks, `hold` in what it blocks."""

    number: int
    client_order_id: str
    symbol: str
    buys: int
    kind: int
    lots: int
    filled: int
    limit_ticks: int
    trigger_ticks: int
    hold: int
    status: str
    reason: str
    at_ms: int


class VenueFill(NamedTuple):
    number: int
    client_order_id: str
    symbol: str
    buys: int
    ticks: int
    lots: int
    value: int
    fee: int
    at_ms: int


class Books:
    """Path None keeps everything in memory. Amounts are integers: 1e-8 quote for cash, lots for coins."""

    def __init__(self, path: Path | None) -> None:
        try:
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as failed:
            raise StateUnusable(
                f"the simulated venue's file {path} cannot be used: {failed}",
                remedy="restore it, or start a new account with --state DIR",
            ) from failed

    def copy(self) -> "Books":
        """The same books in memory: what happens there stays there."""
        twin = Books(None)
        self._db.backup(twin._db)
        return twin

    @contextmanager
    def change(self) -> Iterator[None]:
        """One atomic change."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def meta(self, key: str) -> str | None:
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def set_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def balance(self, asset: str) -> tuple[int, int]:
        """(available, hold)."""
        found = self._db.execute("SELECT available, hold FROM balances WHERE asset = ?", (asset,)).fetchone()
        return found or (0, 0)

    def balances(self) -> list[tuple[str, int, int]]:
        return self._db.execute("SELECT asset, available, hold FROM balances ORDER BY asset").fetchall()

    def add(self, asset: str, available: int, hold: int) -> None:
        """Move a balance by these amounts."""
        self._db.execute(
            "INSERT INTO balances VALUES (?, ?, ?) ON CONFLICT (asset) DO UPDATE"
            " SET available = available + excluded.available, hold = hold + excluded.hold",
            (asset, available, hold),
        )

    def order(self, client_order_id: str) -> VenueOrder | None:
        found = self._db.execute("SELECT * FROM orders WHERE client_order_id = ?", (client_order_id,)).fetchone()
        return VenueOrder(*found) if found else None

    def working(self) -> list[VenueOrder]:
        """Open orders in the order of their acceptance."""
        rows = self._db.execute("SELECT * FROM orders WHERE status = 'WORKING' ORDER BY number").fetchall()
        return [VenueOrder(*row) for row in rows]

    def insert(self, order: VenueOrder) -> None:
        """A new order; its number is assigned."""
        self._db.execute("INSERT INTO orders VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", order[1:])

    def update(self, order: VenueOrder) -> None:
        values = (order.filled, order.hold, order.status, order.reason, order.at_ms, order.number)
        self._db.execute(
            "UPDATE orders SET filled = ?, hold = ?, status = ?, reason = ?, at_ms = ? WHERE number = ?", values
        )

    def log(self, fill: VenueFill) -> None:
        self._db.execute("INSERT INTO fills VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", fill[1:])

    def fills_after(self, number: int) -> list[VenueFill]:
        rows = self._db.execute("SELECT * FROM fills WHERE number > ? ORDER BY number", (number,)).fetchall()
        return [VenueFill(*row) for row in rows]

    def close(self) -> None:
        self._db.close()
