"""Series of candles and the files that hold them, as the tests of imports and checks want them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trader_core.domain.clocktime import MINUTE_MS, parse_utc

Row = tuple[int, float, float, float, float, float]

COLUMNS = ("ts", "open", "high", "low", "close", "volume")
M15, H1 = 15 * MINUTE_MS, 60 * MINUTE_MS
START = parse_utc("2024-03-01")


def bar(ts: int, price: float = 100.0, volume: float = 2.0) -> Row:
    return (ts, price, price + 0.5, price - 0.5, price + 0.25, volume)


def stretch(count: int, step_ms: int = M15, first_ms: int = START) -> list[Row]:
    return [bar(first_ms + n * step_ms, 100.0 + n % 7, n % 3) for n in range(count)]


def table(rows: Sequence[Sequence[float]]) -> pa.Table:
    kinds = (pa.timestamp("ms", tz="UTC"), *[pa.float64()] * 5)
    columns = [pa.array([row[n] for row in rows], kind) for n, kind in enumerate(kinds)]
    return pa.table(dict(zip(COLUMNS, columns, strict=True)))


def write(directory: Path, symbol: str, granularity: str, rows: Sequence[Sequence[float]]) -> Path:
    path = directory / symbol / f"{granularity}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(rows), path)
    return path


def csv_text(rows: Iterable[Sequence[object]], header: str = "ts,open,high,low,close,volume") -> str:
    lines = [",".join(map(str, row)) for row in rows]
    return "\n".join([header, *lines] if header else lines) + "\n"


def stored(directory: Path, symbol: str = "BTC-USD", granularity: str = "15m") -> list[Row]:
    """What the folder has, in the file's own order."""
    kept = pq.read_table(directory / symbol / f"{granularity}.parquet")
    assert kept.schema == table([]).schema
    columns = [kept["ts"].cast(pa.int64()).to_pylist(), *(kept[name].to_pylist() for name in COLUMNS[1:])]
    return list(zip(*columns, strict=True))
