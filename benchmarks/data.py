"""A market to measure on: sixteen seeded random walks of one-minute bars, and the hours that they make."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MINUTE_MS = 60_000
START_MS = 1_672_531_200_000  # 2023-01-01 UTC
YEAR = 525_600
SEED = 7
MINUTE_SIGMA = 0.0008  # of log prices; some 60 % a year
TAIL = 4  # degrees of freedom of the moves: now and then one of several percent, which stops a position
DAY_QUOTE = 50_000_000.0  # traded in a day, in quote

# Price at the start, and decimals.
MARKET: dict[str, tuple[float, int]] = {
    "BTC-USD": (16_500.0, 2),
    "ETH-USD": (1_200.0, 2),
    "SOL-USD": (10.0, 3),
    "XRP-USD": (0.34, 5),
    "ADA-USD": (0.25, 5),
    "DOGE-USD": (0.07, 6),
    "AVAX-USD": (11.0, 3),
    "DOT-USD": (4.3, 4),
    "LINK-USD": (5.6, 4),
    "LTC-USD": (70.0, 2),
    "BCH-USD": (97.0, 2),
    "UNI-USD": (5.2, 4),
    "ATOM-USD": (9.4, 4),
    "XLM-USD": (0.071, 6),
    "ALGO-USD": (0.17, 5),
    "HBAR-USD": (0.037, 6),
}


@dataclass(frozen=True)
class Walk:
    """Bars of one instrument, rounded to its decimals."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def columns(self) -> dict[str, Floats]:
        return vars(self)


def make(folder: Path, minutes: int = YEAR, instruments: int = len(MARKET)) -> Path:
    """`folder` with 1m/SYMBOL.parquet, 1h/SYMBOL.parquet and meta.json; as it is where it was made before."""
    symbols = list(MARKET)[:instruments]
    meta = {"symbols": symbols, "minutes": minutes, "seed": SEED, "first_ms": START_MS}
    note = folder / "meta.json"
    if note.is_file() and json.loads(note.read_text()) == meta:
        return folder
    for place, symbol in enumerate(symbols):
        bars = walk(symbol, place, minutes)
        write(folder / "1m" / f"{symbol}.parquet", bars, MINUTE_MS)
        write(folder / "1h" / f"{symbol}.parquet", coarser(bars, 60), 60 * MINUTE_MS)
    note.write_text(json.dumps(meta))
    return folder


def walk(symbol: str, place: int, minutes: int) -> Walk:
    """A bar opens where the one before closed; its wicks are as long as its moves."""
    (start, digits), chance = MARKET[symbol], np.random.default_rng([SEED, place])
    moves = MINUTE_SIGMA * chance.standard_t(TAIL, minutes) / np.sqrt(TAIL / (TAIL - 2))
    close = np.round(start * np.exp(np.cumsum(moves)), digits)
    opened = np.concatenate(([start], close[:-1]))
    wicks = MINUTE_SIGMA / 2 * np.abs(chance.standard_normal((2, minutes)))
    high = np.round(np.maximum(opened, close) * (1 + wicks[0]), digits)
    low = np.round(np.minimum(opened, close) * (1 - wicks[1]), digits)
    volume = np.round(DAY_QUOTE / 1_440 / start * np.exp(0.8 * chance.standard_normal(minutes)), 4)
    return Walk(opened, high, low, close, volume)


def coarser(bars: Walk, length: int) -> Walk:
    """Bars of `length` bars each; a remainder is left out."""
    rows = len(bars.close) // length

    def blocks(column: Floats) -> Floats:
        return column[: rows * length].reshape(rows, length)

    return Walk(
        open=blocks(bars.open)[:, 0],
        high=blocks(bars.high).max(axis=1),
        low=blocks(bars.low).min(axis=1),
        close=blocks(bars.close)[:, -1],
        volume=np.round(blocks(bars.volume).sum(axis=1), 4),
    )


def write(path: Path, bars: Walk, step_ms: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    opens_ms = START_MS + step_ms * np.arange(len(bars.close), dtype=np.int64)
    table = pa.table({"ts": pa.array(opens_ms, pa.timestamp("ms", tz="UTC")), **bars.columns()})
    pq.write_table(table, path, compression="zstd")


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
