"""Prices from Parquet: one venue's folder of candles, walked in the venue's own time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as File

import numpy as np
from numpy.typing import NDArray

from trader_core.loopback.market import DAY_MS, HISTORY_MS, MINUTE_MS, NONE, Ints, Rows, taken
from trader_core.loopback.products import Product, long_name, with_aliases
from trader_core.loopback.trouble import Misused

_PAIR = re.compile(r"([A-Z0-9]{2,12})-([A-Z]{3,5})")
_GRANULARITY = re.compile(r"([1-9]\d{0,3})([mhd])")
_UNIT_MS = {"m": MINUTE_MS, "h": 60 * MINUTE_MS, "d": DAY_MS}
_DIGITS_MAX = 10
_SPREAD_BPS = 2.0
_COLUMNS = ("ts", "open", "high", "low", "close", "volume")
Floats = NDArray[np.float64]


class Replayed:
    """Candles of one file. Inside a bar the price goes open, nearer extreme, farther extreme, close, a quarter each."""

    def __init__(self, rows: Rows, finest_ms: int) -> None:
        self._rows, self.finest_ms, self.step_ms = rows, finest_ms, finest_ms // 4

    def price(self, at_ms: int) -> int | None:
        row = self._row(at_ms)
        if row < 0:
            return None
        since_ms = at_ms - int(self._rows.ts[row])
        return self._inside(row)[min(since_ms // self.step_ms, 3)]

    def volume(self, at_ms: int) -> int:
        row = self._row(at_ms)
        inside = row >= 0 and at_ms - int(self._rows.ts[row]) < self.finest_ms
        return int(self._rows.volume[row]) // 4 if inside else 0

    def finished(self, since_ms: int, until_ms: int, step_ms: int) -> Rows:
        first, last = np.searchsorted(self._rows.ts, (since_ms, until_ms - self.finest_ms + 1))
        return taken(self._rows, int(first), int(last)) if last > first else NONE

    def _row(self, at_ms: int) -> int:
        return int(np.searchsorted(self._rows.ts, at_ms, side="right")) - 1

    def _inside(self, row: int) -> Sequence[int]:
        opened, high, low, close = (
            int(column[row]) for column in (self._rows.open, self._rows.high, self._rows.low, self._rows.close)
        )
        nearer = (low, high) if opened - low <= high - opened else (high, low)
        return opened, *nearer, close


@dataclass(frozen=True)
class Loaded:
    products: dict[str, Product]
    paths: dict[str, Replayed]
    first_ms: int  # the period, where the command line named none
    end_ms: int


def load(directory: File, since_ms: int | None, until_ms: int | None) -> Loaded:
    """Of each pair the finest file that has rows in the period, with 90 days before it."""
    if not directory.is_dir():
        raise Misused(f"there is no folder {directory}")
    products: dict[str, Product] = {}
    paths: dict[str, Replayed] = {}
    first_ms, end_ms = since_ms, until_ms
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        pair = _PAIR.fullmatch(folder.name)
        found = _finest(folder, since_ms, until_ms) if pair else None
        if pair and found:
            columns, step_ms = found
            product, rows = _scaled(pair[1], pair[2], columns)
            products[product.product_id], paths[product.product_id] = product, Replayed(rows, step_ms)
            first_ms = min(int(rows.ts[0]) + HISTORY_MS, int(rows.ts[-1])) if first_ms is None else first_ms
            end_ms = int(rows.ts[-1]) + step_ms if end_ms is None else end_ms
    if first_ms is None or end_ms is None or not products:
        raise Misused(f"{directory} has no candles of that period; it takes DIR/<BASE-QUOTE>/<granularity>.parquet")
    return Loaded(with_aliases(products), paths, first_ms, end_ms)


def _finest(folder: File, since_ms: int | None, until_ms: int | None) -> tuple[dict[str, Floats], int] | None:
    named = ((_GRANULARITY.fullmatch(path.stem), path) for path in folder.glob("*.parquet"))
    files = sorted((int(match[1]) * _UNIT_MS[match[2]], path) for match, path in named if match)
    for step_ms, path in files:
        columns = _read(path, None if since_ms is None else since_ms - HISTORY_MS, until_ms)
        if len(columns["ts"]) and (since_ms is None or columns["ts"][-1] >= since_ms):
            return columns, step_ms
    return None


def _read(path: File, since_ms: int | None, until_ms: int | None) -> dict[str, Floats]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=list(_COLUMNS))
    except (OSError, ValueError, pa.ArrowException) as wrong:
        raise Misused(f"{path} is no readable file of candles") from wrong
    ts = table["ts"]
    stamps = ts.cast(pa.timestamp("ms", "UTC")).cast(pa.int64()) if pa.types.is_timestamp(ts.type) else ts
    columns = {name: table[name].to_numpy() for name in _COLUMNS[1:]} | {"ts": stamps.to_numpy().astype(np.int64)}
    first, last = 0, len(columns["ts"])
    if since_ms is not None:
        first = int(np.searchsorted(columns["ts"], since_ms))
    if until_ms is not None:
        last = int(np.searchsorted(columns["ts"], until_ms))
    return {name: column[first:last] for name, column in columns.items()}


def _scaled(base: str, quote: str, columns: dict[str, Floats]) -> tuple[Product, Rows]:
    """Prices as ticks of the file's finest step; lots so fine that a day's volume stays a small integer."""
    prices = [columns[name] for name in ("open", "high", "low", "close")]
    digits = _digits(np.concatenate(prices))
    level = float(np.median(columns["close"]))
    base_digits = 8 if level >= 1 else 4 if level >= 0.001 else 0
    opened, high, low, close = (_whole(column, digits) for column in prices)
    volume = _whole(np.nan_to_num(columns["volume"]), base_digits)
    rows = Rows(columns["ts"].astype(np.int64), opened, high, low, close, volume)
    days = max(1.0, len(np.unique(rows.ts // DAY_MS)))
    turnover = float(np.nansum(columns["close"] * columns["volume"])) / days
    product = Product(
        f"{base}-{quote}", base, quote, long_name(base), digits, base_digits, max(2, digits), level,
        max(turnover, 1.0), _SPREAD_BPS,
    )  # fmt: skip
    return product, rows


def _digits(prices: Floats) -> int:
    """The decimals of the finest price step in the file."""
    for digits in range(_DIGITS_MAX):
        scaled = prices * 10.0**digits
        if np.all(np.abs(scaled - np.rint(scaled)) <= 1e-9 * np.maximum(np.abs(scaled), 1.0)):
            return digits
    return _DIGITS_MAX


def _whole(column: Floats, digits: int) -> Ints:
    return np.rint(column * 10.0**digits).astype(np.int64)
