"""A witness beside the simulated venue: it notes inside the venue's own database what becomes of every order there, and
tells it in the words of the other venue's log. Standard library only, and nothing of the program's.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

E8 = 100_000_000
DAY_MS = 86_400_000
ROUNDING_PCT = 1e-6
Closes = Mapping[str, Sequence[tuple[int, str]]]  # by product, (known from, price) in the order of time
_OVER = {"FILLED": "filled", "CANCELED": "cancelled", "EXPIRED": "expired", "REJECTED": "expired"}
_NOTES = """
CREATE TABLE IF NOT EXISTS noted (n INTEGER PRIMARY KEY, kind TEXT, number INTEGER, word TEXT);
CREATE TRIGGER IF NOT EXISTS note_order AFTER INSERT ON orders WHEN NEW.status <> 'REJECTED'
    BEGIN INSERT INTO noted VALUES (NULL, 'order', NEW.number, NEW.at_ms); END;
CREATE TRIGGER IF NOT EXISTS note_state AFTER UPDATE OF status ON orders WHEN NEW.status <> OLD.status
    BEGIN INSERT INTO noted VALUES (NULL, 'state', NEW.number, NEW.status); END;
CREATE TRIGGER IF NOT EXISTS note_fill AFTER INSERT ON fills
    BEGIN INSERT INTO noted VALUES (NULL, 'fill', NEW.number, ''); END;
CREATE TRIGGER IF NOT EXISTS note_cash AFTER INSERT ON transfers
    BEGIN INSERT INTO noted VALUES (NULL, 'cash', NEW.number, ''); END;
CREATE TRIGGER IF NOT EXISTS order_is_not_changed
    BEFORE UPDATE OF client_order_id, symbol, buys, kind, limit_ticks, trigger_ticks ON orders
    BEGIN SELECT RAISE(ABORT, 'an order is what it was'); END;
CREATE TRIGGER IF NOT EXISTS fill_is_not_changed BEFORE UPDATE ON fills
    BEGIN SELECT RAISE(ABORT, 'a fill is what it was'); END;
"""
_ROWS = {
    "order": "SELECT number, client_order_id, symbol, buys, kind, lots, limit_ticks, trigger_ticks FROM orders",
    "fill": "SELECT number, client_order_id, symbol, buys, ticks, lots, value, fee, at_ms FROM fills",
    "cash": "SELECT number, amount, at_ms FROM transfers",
}


def begin(books: Path) -> None:
    """From here on everything is noted, in the same transaction in which it happens."""
    with closing(sqlite3.connect(books, timeout=5, isolation_level=None)) as db:
        db.executescript(_NOTES)


def truth(books: Path, closes: Closes, strangers: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """Line by line what happened there; before a purchase, what each coin was worth then. What a stranger traded is
    cash that came or went."""
    with closing(sqlite3.connect(f"file:{books}?mode=ro", uri=True)) as db:
        steps = {one: tuple(map(Decimal, text.split())) for one, text in db.execute("SELECT symbol, steps FROM steps")}
        rows = {kind: {row[0]: row[1:] for row in db.execute(asked)} for kind, asked in _ROWS.items()}
        noted = db.execute("SELECT kind, number, word FROM noted ORDER BY n").fetchall()
    found, at = list[dict[str, Any]](), dict.fromkeys(closes, 0)
    for kind, number, word in noted:
        if kind == "cash":
            found.append({"kind": "cash", "amount": str(Decimal(rows["cash"][number][0]) / E8)})
        elif kind == "state":
            line = {"kind": "state", "client_order_id": rows["order"][number][0]}
            found += [{**line, "state": _OVER[word]}] if word in _OVER else []
        elif kind == "order":
            line = _order(rows["order"][number], int(word), steps)
            found += _prices(closes, at, int(word)) if line["side"] == "BUY" else ()
            found.append(line)
        elif rows["fill"][number][0] in strangers:
            _, _, buys, _, _, value, fee, _ = rows["fill"][number]
            found.append({"kind": "cash", "amount": str(Decimal((-value if buys else value) - fee) / E8)})
        else:
            found.append(_fill(number, rows["fill"][number], steps))
    return [one for one in found if one.get("client_order_id") not in strangers]


def _order(row: Sequence[Any], at_ms: int, steps: Mapping[str, Sequence[Decimal]]) -> dict[str, Any]:
    """`at_ms` is when it came: the row itself tells when it was last changed."""
    ours, symbol, buys, kind, lots, limit, trigger = row
    tick, lot = steps[symbol]
    terms = {"base_size": str(lots * lot), "limit_price": str(limit * tick), "stop_price": str(trigger * tick)}
    return {
        "kind": "order", "client_order_id": ours, "product_id": symbol, "side": "BUY" if buys else "SELL",
        "at": _text(at_ms), "order_configuration": {f"kind_{kind}": terms},
    }  # fmt: skip


def _fill(number: int, row: Sequence[Any], steps: Mapping[str, Sequence[Decimal]]) -> dict[str, Any]:
    ours, symbol, buys, ticks, lots, _, fee, at_ms = row
    tick, lot = steps[symbol]
    return {
        "kind": "fill", "entry_id": f"sim-{number}", "client_order_id": ours, "product_id": symbol,
        "side": "BUY" if buys else "SELL", "price": str(ticks * tick), "size": str(lots * lot),
        "commission": str(Decimal(fee) / E8), "at": _text(at_ms),
    }  # fmt: skip


def _prices(closes: Closes, at: dict[str, int], now_ms: int) -> Iterator[dict[str, Any]]:
    """Those that changed since somebody asked."""
    for symbol, known in closes.items():
        n = at[symbol]
        while n < len(known) and known[n][0] <= now_ms:
            n += 1
        if n > at[symbol]:
            at[symbol] = n
            yield {"kind": "price", "product_id": symbol, "price": known[n - 1][1]}


def _text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat()


# --- rules of its own ------------------------------------------------------------------------------------------------


def bought_while_killed(
    lines: Sequence[Mapping[str, Any]], spans: Sequence[Sequence[float]], late_ms: int
) -> Iterator[str]:
    """`spans` are times from a kill to its reset, by the venue; what had left before may arrive so late."""
    for line in lines:
        if line["kind"] == "order" and line["side"] == "BUY":
            at_ms = datetime.fromisoformat(line["at"]).timestamp() * 1_000
            for began_ms, until_ms in spans:
                if began_ms + late_ms < at_ms <= until_ms:
                    yield f"{line['client_order_id']}: bought at {line['at']}, while killed"


def bought_after_a_loss(journal: Path, day_pct: float, week_pct: float, drawdown_pct: float) -> Iterator[str]:
    """Of an account without flows: no purchase is written down while the equity has lost more than that since the first
    mark of its day, its week, or ever at its highest."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT kind, body FROM journal WHERE kind IN ('marked', 'intended') ORDER BY seq").fetchall()
    day = week = -1
    opened = {"day": 0.0, "week": 0.0, "drawdown": 0.0}
    equity = 0.0
    for kind, body in rows:
        fact = json.loads(body)
        if kind == "marked" and fact[1] is not None:
            equity, now_day = float(fact[1]), fact[0] // DAY_MS
            now_week = (now_day + 3) // 7  # the first of January 1970 was a Thursday
            if now_day != day:
                day, opened["day"] = now_day, equity
            if now_week != week:
                week, opened["week"] = now_week, equity
            opened["drawdown"] = max(opened["drawdown"], equity)
        elif kind == "intended" and fact[1][2] == "ENTRY":
            for window, limit in (("day", day_pct), ("week", week_pct), ("drawdown", drawdown_pct)):
                lost = 100 * (opened[window] - equity) / opened[window]
                if lost > limit + ROUNDING_PCT:
                    yield f"{fact[0]}: bought with {lost:.4f} % lost, and {window} allows {limit}"


def chain_breaks(journal: Path) -> Iterator[str]:
    """Rows that do not follow the one before them, one after the other, however long it is."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        moved = db.execute("SELECT coalesce(max(last), 0) FROM segments").fetchone()[0]
        seq, before = 0, "0" * 64
        for row in db.execute("SELECT * FROM journal ORDER BY seq"):
            made = sha256("\x1f".join(map(str, row[:7])).encode()).hexdigest()
            gone = row[3] == "decided" and not row[4] and row[0] <= moved
            if (row[0], row[6]) != (seq + 1, before) or (made != row[7] and not gone):
                yield f"{row[0]} does not follow row {seq}, or is not as it was written"
            seq, before = row[0], row[7]
