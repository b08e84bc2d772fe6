"""Times as other programs write them, as epoch microseconds: epoch numbers of any unit, and ISO text."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trader_core.candles.files import Ints

if TYPE_CHECKING:
    import pyarrow as pa

ACCEPTED = "epoch seconds, ms, us or ns of the years 1973 to 2199, or text like 2024-08-01T00:15:00Z"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST_S, _END_S = 100_000_000, 7_258_118_400  # 1973-03-03, 2200-01-01: no number belongs to two units
_PER_SECOND = (1, 10**3, 10**6, 10**9)
_EPOCH_TEXT = r"^\d{9,18}(\.0+)?$|^[1-8]\d{18}(\.0+)?$"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}(:\d{2}(:\d{2}([.,]\d{1,9})?)?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?)?")
_TWELVE_HOURS = re.compile(r"(\d{4}-\d{2}-\d{2}) (0[1-9]|1[0-2])-([AP])M")


class NoTime(ValueError):
    """The value in row `row`, counted from 0, is no time."""

    def __init__(self, row: int, value: object) -> None:
        super().__init__(f"'{value}' is no time: {ACCEPTED}")
        self.row = row


def epoch_us(column: "pa.ChunkedArray[Any]") -> tuple[Ints, bool]:
    """The column's times, and whether any of them names no zone and was taken as UTC. Raises NoTime."""
    import pyarrow as pa

    kind = column.type
    if column.null_count:
        raise NoTime(column.is_null().to_pylist().index(True), "")
    if pa.types.is_timestamp(kind):
        return _of_timestamps(column), kind.tz is None
    if pa.types.is_date(kind):
        return _of_timestamps(column.cast(pa.timestamp("ms"))), True
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return of_numbers(column.to_numpy()), False
    return _of_texts(column)


def of_numbers(values: NDArray[Any]) -> Ints:
    """Each number tells its unit by its size, so a file may change from seconds to milliseconds. Raises NoTime."""
    at_us = np.full(len(values), -1, np.int64)
    for scale in _PER_SECOND:
        with np.errstate(invalid="ignore"):  # a number without end has no remainder
            fits = np.asarray((values >= _FIRST_S * scale) & (values < _END_S * scale) & (values % 1 == 0), np.bool_)
        whole = values[fits].astype(np.int64)
        at_us[fits] = whole * (10**6 // scale) if scale <= 10**6 else whole // (scale // 10**6)
    if np.any(at_us < 0):
        row = int(np.argmax(at_us < 0))
        raise NoTime(row, values[row])
    return at_us


def _of_timestamps(column: "pa.ChunkedArray[Any]") -> Ints:
    import pyarrow as pa
    import pyarrow.compute as pc

    finest = pc.CastOptions(pa.timestamp("us", tz=column.type.tz), allow_time_truncate=True)
    moments = column.cast(options=finest).cast(pa.int64())
    return _bounded(np.asarray(moments.to_numpy(), np.int64))


def _of_texts(column: "pa.ChunkedArray[Any]") -> tuple[Ints, bool]:
    """Epoch numbers, or ISO text with a zone or without one; the first row tells which. A number is written in full:
    a spreadsheet's 1.64E+12 has lost its digits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    numbers = pc.match_substring_regex(texts, _EPOCH_TEXT).to_pylist()
    if numbers and numbers[0]:
        if not all(numbers):
            row = numbers.index(False)
            raise NoTime(row, texts[row].as_py())
        return of_numbers(pc.replace_substring_regex(texts, r"\.0+$", "").cast(pa.int64()).to_numpy()), False
    moments = [_moment(row, text) for row, text in enumerate(texts.to_pylist())]
    zoned = [moment.replace(tzinfo=moment.tzinfo or UTC) for moment in moments]
    at_us = np.array([(moment - _EPOCH) // _MICROSECOND for moment in zoned], np.int64)
    return _bounded(at_us), any(moment.tzinfo is None for moment in moments)


def _moment(row: int, text: str) -> datetime:
    """ISO text, or the '2020-10-24 07-AM' of some archives."""
    twelve = _TWELVE_HOURS.fullmatch(text)
    if twelve:
        text = f"{twelve[1]} {int(twelve[2]) % 12 + 12 * (twelve[3] == 'P'):02}:00"
    elif not _ISO.fullmatch(text):
        raise NoTime(row, text)
    try:
        return datetime.fromisoformat(text.replace("UTC", "Z").replace(" Z", "Z").replace(" +", "+").replace(" -", "-"))
    except ValueError as wrong:
        raise NoTime(row, text) from wrong


def _bounded(at_us: Ints) -> Ints:
    outside = (at_us < 0) | (at_us >= _END_S * 10**6)
    if np.any(outside):
        row = int(np.argmax(outside))
        raise NoTime(row, int(at_us[row]))
    return at_us
