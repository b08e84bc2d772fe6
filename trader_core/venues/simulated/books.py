"""The simulated venue's own memory: balances, orders and fills in a file that is not ours to trust or to mend."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from trader_core.domain.errors import StateLocked, StateUnusable

PATIENCE_S = 5.0  # how long another process's change is waited for
_FULL = "make room on its disk, or mend that (df -h {}), and run it again; leave the file where it is"
_NEW = "restore it, or start a new account with --state DIR"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS steps (symbol TEXT PRIMARY KEY, steps TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS transfers (
    number INTEGER PRIMARY KEY, amount INTEGER NOT NULL, at_ms INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS balances (asset TEXT PRIMARY KEY, available INTEGER NOT NULL, hold INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL UNIQUE, symbol TEXT NOT NULL, buys INTEGER NOT NULL,
    kind INTEGER NOT NULL, lots INTEGER NOT NULL, filled INTEGER NOT NULL, limit_ticks INTEGER NOT NULL,
    trigger_ticks INTEGER NOT NULL, hold INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL) STRICT;
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
    lots: int  # 0 in a market buy that is sized in quote, until it executes
    filled: int
    limit_ticks: int
    trigger_ticks: int
    hold: int
    status: str
    reason: str
    at_ms: int
    until_ms: int  # good until then; 0 is until canceled


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


class Transfer(NamedTuple):
    """Cash that came in (above zero) or went out, in 1e-8 quote."""

    number: int
    amount: int
    at_ms: int
    note: str


class Books:
    """Path None keeps everything in memory. Amounts are integers: 1e-8 quote for cash, lots for coins."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        with self._as_state_error(), ExitStack() as undo:
            self._db = sqlite3.connect(path or ":memory:", timeout=PATIENCE_S, isolation_level=None)
            undo.callback(self._db.close)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
            undo.pop_all()

    @classmethod
    def copied(cls, path: Path) -> "Books":
        """The same books in memory: what happens there stays there. The file is only read."""
        twin = cls(None)
        with twin._as_state_error(), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as file:
            file.execute("PRAGMA query_only = ON")
            file.backup(twin._db)
        return twin

    @contextmanager
    def change(self) -> Iterator[None]:
        """One atomic change, on disk when it is done."""
        with self._as_state_error():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _as_state_error(self) -> Iterator[None]:
        """SQLite's complaints in our own words."""
        try:
            yield
        except (sqlite3.DatabaseError, ValueError) as failed:
            code = getattr(failed, "sqlite_errorcode", 0) & 0xFF
            unused = f"the simulated venue's file {self._path} cannot be used: {failed}"
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                remedy = f"look what holds it (fuser {self._path}), and run it again"
                raise StateLocked(unused, remedy=remedy) from failed
            if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) and self._path:
                raise StateUnusable(unused, remedy=_FULL.format(quote(str(self._path.parent)))) from failed
            what = f"the simulated venue's file {self._path} is damaged: {failed}"
            raise StateUnusable(what, remedy=_NEW) from failed

    def _rows(self, sql: str, *values: object) -> list[Any]:
        with self._as_state_error():
            return self._db.execute(sql, values).fetchall()

    def meta(self, key: str) -> str | None:
        found = self._rows("SELECT value FROM meta WHERE key = ?", key)
        return found[0][0] if found else None

    def set_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def now_ms(self) -> int | None:
        """How far the venue's time has come; None before its account is opened."""
        told = self.meta("now_ms")
        with self._as_state_error():
            return None if told is None else int(told)

    def watched(self) -> frozenset[str]:
        """Symbols with coins in the account or an order at work."""
        kept = {asset for asset, available, hold in self.balances() if available or hold}
        return frozenset(one for one in self.steps() if one.partition("-")[0] in kept) | {
            order.symbol for order in self.working()
        }

    def steps(self) -> dict[str, str]:
        """Tick and lot in which each symbol is kept."""
        return dict(self._rows("SELECT symbol, steps FROM steps"))

    def set_steps(self, symbol: str, steps: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO steps VALUES (?, ?)", (symbol, steps))

    def balance(self, asset: str) -> tuple[int, int]:
        """(available, hold)."""
        found = self._rows("SELECT available, hold FROM balances WHERE asset = ?", asset)
        return found[0] if found else (0, 0)

    def balances(self) -> list[tuple[str, int, int]]:
        return self._rows("SELECT asset, available, hold FROM balances ORDER BY asset")

    def add(self, asset: str, available: int, hold: int) -> None:
        """Move a balance by these amounts."""
        self._db.execute(
            "INSERT INTO balances VALUES (?, ?, ?) ON CONFLICT (asset) DO UPDATE"
            " SET available = available + excluded.available, hold = hold + excluded.hold",
            (asset, available, hold),
        )

    def transfer(self, asset: str, amount: int, at_ms: int, note: str) -> None:
        """Move cash in or out, and remember it."""
        self.add(asset, amount, 0)
        self._db.execute("INSERT INTO transfers VALUES (NULL, ?, ?, ?)", (amount, at_ms, note))

    def transfers_after(self, number: int) -> list[Transfer]:
        rows = self._rows("SELECT * FROM transfers WHERE number > ? ORDER BY number", number)
        return [Transfer(*row) for row in rows]

    def order(self, client_order_id: str) -> VenueOrder | None:
        found = self._rows("SELECT * FROM orders WHERE client_order_id = ?", client_order_id)
        return VenueOrder(*found[0]) if found else None

    def working(self) -> list[VenueOrder]:
        """Open orders in the order of their acceptance."""
        rows = self._rows("SELECT * FROM orders WHERE status = 'WORKING' ORDER BY number")
        return [VenueOrder(*row) for row in rows]

    def insert(self, order: VenueOrder) -> None:
        """A new order; its number is assigned."""
        self._db.execute("INSERT INTO orders VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", order[1:])

    def update(self, order: VenueOrder) -> None:
        values = (order.lots, order.filled, order.hold, order.status, order.reason, order.at_ms, order.number)
        self._db.execute(
            "UPDATE orders SET lots = ?, filled = ?, hold = ?, status = ?, reason = ?, at_ms = ? WHERE number = ?",
            values,
        )

    def log(self, fill: VenueFill) -> None:
        self._db.execute("INSERT INTO fills VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", fill[1:])

    def fills_after(self, number: int) -> list[VenueFill]:
        rows = self._rows("SELECT * FROM fills WHERE number > ? ORDER BY number", number)
        return [VenueFill(*row) for row in rows]

    def close(self) -> None:
        self._db.close()
