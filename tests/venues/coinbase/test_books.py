"""Recorded books: spread and depth by our parser are those of a direct calculation in whole numbers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.shared import shared
from trader_core.domain.clocktime import rfc3339
from trader_core.domain.money import EXACT
from trader_core.venues.coinbase.parse import book, top_of

BOOKS = (
    "binance/BTC-USDT/2024-08-08",
    "binance/ETH-USDT/2024-08-08",
    "binance-usdm/BTC-USDT/2024-08-08",
    "coinbase/BTC-USD/2026-08-09",
    "coinbase/ETH-USD/2026-08-09",
)
LOOKS = 3  # moments of each recording
E8 = 10**8
Side = dict[int, int]  # 1e-8 of the quote -> 1e-8 of the coin
Row = tuple[int, int, str, int, int]  # time in ms, number, side, price, size


def recorded(path: Path) -> tuple[list[Row], list[Row]]:
    """The snapshot, and what came after it."""
    table = pq.read_table(path / "book.parquet")
    times = table.column("ts_recv").cast(pa.int64()).to_pylist()
    columns = [table.column(name).to_pylist() for name in ("seq_last", "side", "price", "size", "kind")]
    rows = [
        ((time // 1_000, number, side, round(price * E8), round(size * E8)), kind)
        for time, number, side, price, size, kind in zip(times, *columns, strict=True)
    ]
    snapshot = [row for row, kind in rows if kind == "snapshot"]
    return snapshot, [row for row, kind in rows if kind == "delta" and row[1] > snapshot[-1][1]]


def moments(path: Path) -> Iterator[tuple[int, Side, Side]]:
    """The whole book at evenly spaced moments, each between two messages."""
    snapshot, deltas = recorded(path)
    sides: dict[str, Side] = {"bid": {}, "ask": {}}
    ends = [at for at in range(len(deltas) - 1) if deltas[at][1] != deltas[at + 1][1]]
    looks = {ends[len(ends) * look // LOOKS] for look in range(LOOKS)}
    for _, _, side, price, size in snapshot:
        sides[side][price] = size
    for at, (time_ms, _, side, price, size) in enumerate(deltas):
        sides[side][price] = size
        if not size:
            del sides[side][price]
        if at in looks:
            yield time_ms, sides["bid"], sides["ask"]


def payload(at_ms: int, bids: Side, asks: Side) -> bytes:
    """The book as the venue would write it; the order of its levels says nothing."""
    rows = {
        name: [{"price": written(price), "size": written(size)} for price, size in side.items()]
        for name, side in (("bids", bids), ("asks", asks))
    }
    return json.dumps({"pricebook": {"product_id": "X-USD", "time": rfc3339(at_ms), **rows}}).encode()


def written(amount: int) -> str:
    return f"{amount // E8}.{amount % E8:08d}"


@pytest.mark.parametrize("name", BOOKS)
def test_spread_and_depth_are_those_of_a_direct_calculation(name: str) -> None:
    seen = 0
    for at_ms, bids, asks in moments(shared("data/l2") / name):
        top = top_of(book(payload(at_ms, bids, asks)))
        bid, ask = max(bids), min(asks)
        depth = sum(price * size for side in (bids, asks) for price, size in side.items() if near(price, bid, ask))
        assert top is not None and top.at_ms == at_ms
        assert (int(top.bid * E8), int(top.ask * E8), int(EXACT.multiply(top.depth, E8 * E8))) == (bid, ask, depth)
        assert depth > 0
        seen += 1
    assert seen == LOOKS


def near(price: int, bid: int, ask: int) -> bool:
    """Within 20 bps of the middle: |price - (bid + ask) / 2| <= (bid + ask) / 2 * 20 / 10,000."""
    return abs(2 * price - bid - ask) * 10_000 <= (bid + ask) * 20
