"""One Parquet file of candles: its timestamps are read first, its rows only where they are needed."""

import hashlib
import re
import shlex
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trader_core.domain.clocktime import DAY_MS, MINUTE_MS
from trader_core.domain.errors import DataUnavailable

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

COLUMNS = ("ts", "open", "high", "low", "close", "volume")
SEGMENT_GAP_MS = 10 * DAY_MS  # more than this absent: another segment, never bridged
PAIR = re.compile(r"[A-Z0-9]+-[A-Z0-9]+")
LAYOUT = "DIR/<BASE-QUOTE>/<granularity>.parquet"
MAKE_ONE = f"--data takes one venue's folder: {LAYOUT}; trader data import FILE --data DIR makes one"

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_GRANULARITY = re.compile(r"([1-9]\d{0,3})([mhd])")
_UNIT_MS = {"m": MINUTE_MS, "h": 60 * MINUTE_MS, "d": DAY_MS}


class Segment(Struct, frozen=True):
    """An unbroken stretch of bars: from the first one's open to the last one's close."""

    first_ms: int
    end_ms: int


class CandleFile(Struct, frozen=True):
    """Where the candles of one pair and granularity lie; nothing has been read yet."""

    symbol: str
    granularity: str
    step_ms: int
    path: Path


class Rows(Struct, frozen=True):
    """A file's columns as they were published: `ts` in epoch ms, absent values as NaN."""

    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.ts)

    def values(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        return self.open, self.high, self.low, self.close, self.volume

    def take(self, rows: Ints | NDArray[np.bool_] | slice) -> Self:
        return type(self)(self.ts[rows], *(column[rows] for column in self.values()))

    def joined(self, after: Self) -> Self:
        """These rows and then those."""
        pairs = zip(self.values(), after.values(), strict=True)
        return type(self)(np.concatenate((self.ts, after.ts)), *(np.concatenate(pair) for pair in pairs))


NO_ROWS = Rows(np.zeros(0, np.int64), *(np.zeros(0) for _ in COLUMNS[1:]))


def granularity_ms(name: str) -> int | None:
    """'15m' in milliseconds; None for a name that is no granularity ('1h-bidask', 'mark-1h')."""
    match = _GRANULARITY.fullmatch(name)
    return int(match[1]) * _UNIT_MS[match[2]] if match else None


def granularity_name(step_ms: int) -> str:
    """The shortest name: 900000 is '15m', 86400000 is '1d'."""
    unit = next((unit for unit in "dhm" if step_ms % _UNIT_MS[unit] == 0), None)
    return f"{step_ms // _UNIT_MS[unit]}{unit}" if unit else f"{step_ms}ms"


def pairs_of(directory: Path) -> dict[str, tuple[CandleFile, ...]]:
    """The candle files of one venue's folder by pair. Raises DataUnavailable where it is no such folder, or empty."""
    if not directory.is_dir():
        raise DataUnavailable(f"there is no folder {directory}", remedy=MAKE_ONE)
    folders = sorted(path for path in directory.iterdir() if path.is_dir())
    pairs = {path.name: files for path in folders if PAIR.fullmatch(path.name) and (files := files_of(path))}
    if pairs:
        return pairs
    refuse_venues(directory)
    raise DataUnavailable(f"{directory} has no candles", remedy=MAKE_ONE)


def refuse_venues(directory: Path) -> None:
    """Raises DataUnavailable where the folders inside are those of venues, with their names."""
    inside = sorted(path for path in directory.iterdir() if path.is_dir())
    venues = [path.name for path in inside if any(PAIR.fullmatch(child.name) for child in path.iterdir())]
    if venues:
        raise DataUnavailable(
            f"{directory} holds folders of venues, and --data takes one venue's folder",
            remedy="name one of them: " + ", ".join(str(directory / name) for name in venues),
        )


def files_of(folder: Path) -> tuple[CandleFile, ...]:
    """The candle files of one pair's folder, coarsest first; other files there are not ours to judge."""
    named = ((granularity_ms(path.stem), path) for path in folder.glob("*.parquet"))
    found = [CandleFile(folder.name, path.stem, step_ms, path) for step_ms, path in named if step_ms]
    return tuple(sorted(found, key=lambda file: (-file.step_ms, file.granularity)))


def segments_of(file: CandleFile) -> tuple[Segment, ...]:
    """The file's segments, oldest first."""
    ts = np.sort(read_times(file))
    if not len(ts):
        return ()
    breaks = np.flatnonzero(np.diff(ts) - file.step_ms > SEGMENT_GAP_MS)
    firsts, lasts = ts[np.r_[0, breaks + 1]], ts[np.r_[breaks, len(ts) - 1]]
    return tuple(Segment(int(a), int(b) + file.step_ms) for a, b in zip(firsts, lasts, strict=True))


def fingerprint_of(files: list[CandleFile]) -> str:
    """SHA-256 over pair, granularity and first bar of each file, so that appended candles keep it."""
    digest = hashlib.sha256(b"candle folder 1")
    for file in sorted(files, key=lambda file: (file.symbol, file.granularity)):
        digest.update(f"\n{file.symbol}/{file.granularity}:".encode() + _first_bar(file))
    return digest.hexdigest()


def read_rows(file: CandleFile) -> Rows:
    """Every row of the file, in its own order."""
    import pyarrow as pa

    with _opened(file) as parquet:
        try:
            table = parquet.read(columns=list(COLUMNS))
            return Rows(ts=_epoch_ms(file, table["ts"]), **{name: floats_of(table[name]) for name in COLUMNS[1:]})
        except (pa.ArrowException, OSError) as broken:
            raise _unreadable(file, broken) from broken


def read_columns(file: CandleFile) -> tuple[str, ...]:
    """The names of the file's columns."""
    with _opened(file) as parquet:
        return tuple(parquet.schema_arrow.names)


def read_times(file: CandleFile) -> Ints:
    """Every row's bar open in epoch ms, in the file's own order; nothing else is read."""
    import pyarrow as pa

    with _opened(file) as parquet:
        try:
            return _epoch_ms(file, parquet.read(columns=["ts"])["ts"])
        except (pa.ArrowException, OSError) as broken:
            raise _unreadable(file, broken) from broken


def _first_bar(file: CandleFile) -> bytes:
    import pyarrow as pa

    with _opened(file) as parquet:
        try:
            for batch in parquet.iter_batches(batch_size=1, columns=list(COLUMNS)):
                first = [floats_of(pa.chunked_array([batch[name]]))[0] for name in COLUMNS[1:]]
                return struct.pack("<q5d", _epoch_ms(file, pa.chunked_array([batch["ts"]]))[0], *first)
        except (pa.ArrowException, OSError) as broken:
            raise _unreadable(file, broken) from broken
    return b"empty"


def _opened(file: CandleFile) -> "pq.ParquetFile":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(file.path)
    except (pa.ArrowException, OSError) as broken:
        raise _unreadable(file, broken) from broken
    absent = [name for name in COLUMNS if name not in parquet.schema_arrow.names]
    if absent:
        parquet.close()
        raise DataUnavailable(
            f"{file.path} has no column {', '.join(absent)}",
            remedy=f"a candle file has the columns {', '.join(COLUMNS)}; {_take_in(file)}",
        )
    return parquet


def _epoch_ms(file: CandleFile, column: "pa.ChunkedArray[Any]") -> Ints:
    import pyarrow as pa

    kind = column.type
    if not pa.types.is_timestamp(kind) or kind.tz is None or column.null_count:
        raise DataUnavailable(
            f"{file.path}: ts must be timestamp[ms, UTC] without nulls, and is {kind} with {column.null_count} nulls",
            remedy=f"write ts as the bar's opening time in UTC; {_take_in(file)}",
        )
    return np.asarray(column.to_numpy()).astype("datetime64[ms]").astype(np.int64)


def _take_in(file: CandleFile) -> str:
    return f"trader data import {shlex.quote(str(file.path.parent.parent))} --data DIR takes in what others wrote"


def floats_of(column: "pa.ChunkedArray[Any]") -> Floats:
    """A column that is doubles already is taken as it is: a cast loads a library of its own.

    A number of 32 bits is the shortest decimal that it stands for: 63120.88, and not 63120.87890625, whose digits
    would make the tick so fine that a lot is a coin.
    """
    import pyarrow as pa

    exact = column.cast(pa.string()) if column.type == pa.float32() else column
    return np.asarray((exact if exact.type == pa.float64() else exact.cast(pa.float64())).to_numpy(), np.float64)


def _unreadable(file: CandleFile, broken: Exception) -> DataUnavailable:
    first_line = (str(broken).splitlines() or [""])[0][:200]
    return DataUnavailable(f"{file.path} cannot be read: {first_line}", remedy="fetch the file again or move it away")
