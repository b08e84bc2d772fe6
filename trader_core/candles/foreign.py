"""Candles as other programs keep them: CSV, Parquet, Feather, and JSON lists of lists. Read, never repaired."""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from trader_core.candles.bars import Mask
from trader_core.candles.files import NO_ROWS, Floats, Ints, Rows, floats_of
from trader_core.candles.moments import NoTime, epoch_us, of_numbers
from trader_core.domain.errors import DataUnavailable

if TYPE_CHECKING:
    import pyarrow as pa

TIME_NAMES = ("ts", "timestamp", "open_time", "unix", "unix_timestamp", "datetime", "date", "time")  # the first wins
PRICES = ("open", "high", "low", "close")
FIELDS = ("time", *PRICES, "volume")  # the order of a CSV file without a header, and of JSON rows
HEAD_LINES = 5  # a header, or the first row, is among them
NO_NUMBER = ("", "null", "none", "nan", "n/a", "na", "-")  # spelled so, a number is absent
NUMBER_MAX = 10**300

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
_ROW = re.compile(r"Row #(\d+)")  # in the parser's own words, counted from 1
_ROWS_ARE = f"a row is {','.join(FIELDS)}"
_HEADERS_ARE = f"a header names a time ({', '.join(TIME_NAMES)}), {', '.join(PRICES)} and volume"


class Foreign(Struct, frozen=True):
    """A file's rows in its own order; absent numbers are NaN.

    `between_ms`: the time of the row is no whole millisecond. `zoneless`: times without a zone were taken as UTC.
    """

    rows: Rows
    between_ms: Mask
    zoneless: bool


def read_foreign(path: Path, suffix: str, base: str) -> Foreign:
    """Every row of the file. `base` is the coin whose volume counts. Raises DataUnavailable, with file and row."""
    try:
        return _READERS[suffix.removesuffix(".gz")](path, base)
    except (OSError, EOFError, zlib.error) as refused:
        raise broken(path, f"it cannot be read: {refused}", "fetch it again, or leave it out") from refused


def broken(path: Path, what: str, remedy: str) -> DataUnavailable:
    return DataUnavailable(f"{path}: {what}", safe="nothing was imported", remedy=remedy)


def columns_of(path: Path, names: Sequence[str], base: str) -> tuple[int, ...]:
    """Where time, open, high, low, close and volume stand among the names. Raises DataUnavailable."""
    known = [_plain(name) for name in names]
    times = [name for name in TIME_NAMES if name in known]
    if times == ["date", "time"]:
        raise broken(path, "it has the time in two columns, date and time", "join them into one, 2024-08-01T00:15:00Z")
    volume = "volume" if "volume" in known else f"volume_{base.lower()}"
    wanted = (*times[:1], *PRICES, volume)
    absent = [name for name in wanted[:-1] if name not in known] + ["time"] * (not times)
    absent += [f"volume or {volume}"] * (volume not in known)
    if absent:
        raise broken(path, f"it has no column {', '.join(absent)}; it has {', '.join(names)}", _HEADERS_ARE)
    twice = [name for name in wanted if known.count(name) > 1]
    if twice:
        raise broken(path, f"two of its columns are called {twice[0]}", "rename one of them")
    return tuple(known.index(name) for name in wanted)


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _foreign(at_us: Ints, zoneless: bool, numbers: Sequence[Floats]) -> Foreign:
    return Foreign(Rows(at_us // 1000, *numbers), at_us % 1000 != 0, zoneless)


# --- tables ----------------------------------------------------------------------------------------------------------


def _parquet(path: Path, base: str) -> Foreign:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            wanted = [names[place] for place in columns_of(path, names, base)]
            return _table(path, file.read(columns=wanted), wanted)
    except pa.ArrowException as refused:
        raise broken(path, f"it is no Parquet file: {_first_line(refused)}", "fetch it again") from refused


def _feather(path: Path, base: str) -> Foreign:
    import pyarrow as pa
    from pyarrow import feather

    try:
        table = feather.read_table(path, memory_map=False)
    except pa.ArrowException as refused:
        raise broken(path, f"it is no Feather file: {_first_line(refused)}", "fetch it again") from refused
    names = table.column_names
    return _table(path, table, [names[place] for place in columns_of(path, names, base)])


def _table(path: Path, table: "pa.Table", wanted: Sequence[str]) -> Foreign:
    import pyarrow as pa

    numbers = [_numbers(path, table[name], name) for name in wanted[1:]]
    try:
        at_us, zoneless = epoch_us(table[wanted[0]])
    except NoTime as wrong:
        raise broken(path, f"row {wrong.row + 1}: {wrong}", "mend the row, or leave the file out") from wrong
    except pa.ArrowException as refused:
        raise broken(path, f"column {wanted[0]} holds no times: {_first_line(refused)}", "mend it") from refused
    return _foreign(at_us, zoneless, numbers)


def _numbers(path: Path, column: "pa.ChunkedArray[Any]", name: str) -> Floats:
    import pyarrow as pa

    try:
        return floats_of(column)
    except pa.ArrowException as refused:
        raise broken(path, f"column {name} holds no numbers: {_first_line(refused)}", _ROWS_ARE) from refused


# --- CSV -------------------------------------------------------------------------------------------------------------


class _Layout(Struct, frozen=True):
    """How a CSV file is to be read: after `skip` lines come rows of `width` fields, six of them at `places`."""

    skip: int
    delimiter: str
    width: int
    places: tuple[int, ...]


def _csv(path: Path, base: str) -> Foreign:
    data = _bytes(path).removeprefix(b"\xef\xbb\xbf")
    layout = _layout(path, data, base)
    body = data.split(b"\n", layout.skip)[layout.skip :]
    if not body or not body[0].strip():
        return Foreign(NO_ROWS, np.zeros(0, np.bool_), False)

    def line(row: int) -> int:
        """Of the file, counted from 1; empty lines are no rows."""
        filled = [n for n, text in enumerate(body[0].splitlines()) if text]
        return layout.skip + filled[row] + 1

    columns = _texts(path, body[0], layout, line)
    try:
        at_us, zoneless = epoch_us(columns[0])
    except NoTime as wrong:
        raise broken(path, f"line {line(wrong.row)}: {wrong}", "mend the line, or leave the file out") from wrong
    pairs = zip(FIELDS[1:], columns[1:], strict=True)
    return _foreign(at_us, zoneless, [_parsed(path, column, name, line) for name, column in pairs])


def _layout(path: Path, data: bytes, base: str) -> _Layout:
    """From the first lines: a header, or a row in the usual order, after at most a few lines of comment."""
    head = data[: 2**16].decode(errors="replace").split("\n")[:HEAD_LINES]
    for skip, text in enumerate(head):
        delimiter = max(",;\t", key=text.count)
        fields = _fields(text.rstrip("\r"), delimiter)
        names = [_plain(field) for field in fields]
        if "open" in names and "close" in names:
            return _Layout(skip + 1, delimiter, len(fields), columns_of(path, fields, base))
        if len(fields) >= len(FIELDS) and all(_NUMBER.fullmatch(field.strip()) for field in fields[1 : len(FIELDS)]):
            return _Layout(skip, delimiter, len(fields), tuple(range(len(FIELDS))))
    what = f"neither a header nor a row is among its first {HEAD_LINES} lines" if data.strip() else "it is empty"
    raise broken(path, what, f"{_HEADERS_ARE}; without one, {_ROWS_ARE}")


def _fields(text: str, delimiter: str) -> list[str]:
    """None where it is no line of such a file."""
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return []


def _texts(path: Path, body: bytes, layout: _Layout, line: Callable[[int], int]) -> "list[pa.ChunkedArray[Any]]":
    """The six columns as text."""
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    names = [f"f{place}" for place in range(layout.width)]
    wanted = [names[place] for place in layout.places]
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(body),
            arrow_csv.ReadOptions(use_threads=False, column_names=names),
            arrow_csv.ParseOptions(delimiter=layout.delimiter),
            arrow_csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string())),
        )
    except pa.ArrowException as refused:
        what, row = _first_line(refused), _ROW.search(str(refused))
        if row:
            what = f"line {line(int(row[1]) - 1)}: {what.partition(row[0])[2].lstrip(': ')}"
        raise broken(path, what, "mend the line, or fetch the file again") from refused
    return [table[name] for name in wanted]


def _parsed(path: Path, column: "pa.ChunkedArray[Any]", name: str, line: Callable[[int], int]) -> Floats:
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.utf8_trim_whitespace(column)
    absent = pc.is_in(pc.utf8_lower(texts), pa.array(NO_NUMBER))
    try:
        return np.asarray(pc.if_else(absent, "nan", texts).cast(pa.float64()).to_numpy(), np.float64)
    except pa.ArrowException as refused:
        wrong = ((n, one) for n, one in enumerate(texts.to_pylist()) if not _is_number(one))
        row, text = next(wrong, (0, _first_line(refused)))
        raise broken(path, f"line {line(row)}: {name} '{text}' is no number", "mend the line") from refused


def _is_number(text: str) -> bool:
    return text.lower() in NO_NUMBER or _NUMBER.fullmatch(text) is not None


# --- JSON ------------------------------------------------------------------------------------------------------------


def _json(path: Path, base: str) -> Foreign:
    try:
        document = json.loads(_bytes(path))
    except (ValueError, RecursionError) as refused:
        raise broken(path, f"it is no JSON: {_first_line(refused)}", "fetch it again, or leave it out") from refused
    if not isinstance(document, list):
        raise broken(path, "it is no list of rows", f"a JSON file is a list of lists, {_ROWS_ARE}")
    for number, row in enumerate(document, 1):
        if not _is_row(row):
            raise broken(path, f"row {number} is not [{', '.join(FIELDS)}]: {str(row)[:60]}", "mend it")
    try:
        at_us = of_numbers(np.array([row[0] for row in document], object))
    except NoTime as wrong:
        raise broken(path, f"row {wrong.row + 1}: {wrong}", "mend it, or leave the file out") from wrong
    values = np.array([row[1:6] for row in document], np.float64).reshape(-1, 5)
    return _foreign(at_us, False, list(values.T))


def _is_row(row: object) -> bool:
    """A time, four prices and a volume; a number may be absent, or be written as text."""
    if not (isinstance(row, list) and len(row) >= len(FIELDS) and all(map(_is_value, row[: len(FIELDS)]))):
        return False
    return isinstance(row[0], int | float)


def _is_value(value: object) -> bool:
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    if isinstance(value, bool):
        return False
    return value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < NUMBER_MAX)


# --- bytes -----------------------------------------------------------------------------------------------------------


def _bytes(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:160]


_READERS: dict[str, Callable[[Path, str], Foreign]] = {
    ".csv": _csv,
    ".feather": _feather,
    ".json": _json,
    ".parquet": _parquet,
}
