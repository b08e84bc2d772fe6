"""An import takes in what is sound and new, keeps what is there, and names the rest with its dates."""

import fcntl
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather

from tests.candles.making import H1, M15, START, Row, bar, csv_text, stored, stretch, table, write
from tests.shared import ROOT, shared
from trader_core.candles.store import Imported, ImportedFile, import_files, list_folder, open_folder
from trader_core.domain.clocktime import DAY_MS, rfc3339
from trader_core.domain.errors import DataUnavailable, TraderError, UsageError

SERIES = stretch(30)
BOT = "BTC_USD-15m"


def taken(places: Path | Sequence[Path], directory: Path, pair: str | None = None, bars: str | None = None) -> Imported:
    return import_files([places] if isinstance(places, Path) else places, directory, pair, bars)


def only(found: Imported) -> ImportedFile:
    (one,) = found.files
    assert one.rows == one.new + one.known + one.duplicates + len(one.conflicts) + len(one.bad)
    return one


def file(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# --- what can be read ------------------------------------------------------------------------------------------------


def timed(
    spell: Callable[[int], object], header: str = "ts,open,high,low,close,volume", rows: Sequence[Row] = SERIES
) -> str:
    return csv_text([(spell(row[0]), *row[1:]) for row in rows], header)


def text(at_ms: int, form: str) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime(form)


def in_kolkata(at_ms: int) -> str:
    zone = timezone(timedelta(hours=5, minutes=30))
    return datetime.fromtimestamp(at_ms / 1000, zone).isoformat(sep=" ")


ARCHIVE = csv_text(
    [(f"{row[0] // 1000}.0", "2020-10-24 07-AM", "BTCUSD", *row[1:], row[5] * 9) for row in reversed(SERIES)],
    "Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD",
)
CSV = {
    "milliseconds": timed(lambda ms: ms),
    "seconds": timed(lambda ms: ms // 1000, "Timestamp,Open,High,Low,Close,Volume"),
    "seconds with a point": timed(lambda ms: f"{ms // 1000}.0", "time,OPEN,HIGH,LOW,CLOSE,VOLUME"),
    "microseconds": timed(lambda ms: ms * 1000, "open_time,open,high,low,close,volume"),
    "nanoseconds": timed(lambda ms: ms * 10**6, '"Open time","open","high","low","close","volume"'),
    "seconds, then milliseconds": timed(lambda ms: ms // 1000 if ms < START + 9 * M15 else ms),
    "iso in utc": timed(rfc3339, "date,open,high,low,close,volume"),
    "iso with UTC": timed(lambda ms: text(ms, "%Y-%m-%d %H:%M:%S UTC")),
    "iso elsewhere": timed(in_kolkata, "datetime,open,high,low,close,volume"),
    "without header": timed(lambda ms: ms, ""),
    "more columns without header": csv_text([(*row, row[0] + M15 - 1, 7) for row in SERIES], ""),
    "another order": csv_text([(*row[5:0:-1], row[0]) for row in SERIES], "volume,close,low,high,open,ts"),
    "semicolons": timed(lambda ms: ms).replace(",", ";"),
    "crlf and a mark": "\ufeff" + timed(lambda ms: ms).replace("\n", "\r\n"),
    "empty lines": timed(lambda ms: ms).replace("\n", "\n\n"),
    "blanks around": timed(lambda ms: ms).replace(",", " , "),
    "newest first under a comment": f"https://www.example.com\n{ARCHIVE}",
    "a comment with commas": f"Timestamps are UTC timezone,https://www.example.com\n{ARCHIVE}",
}


@pytest.mark.parametrize("how", CSV)
def test_a_csv_file_is_read_however_it_is_spelled(tmp_path: Path, how: str) -> None:
    found = taken(file(tmp_path / "export.csv", CSV[how]), tmp_path / "data", "BTC-USD")
    assert stored(tmp_path / "data") == SERIES
    assert (only(found).granularity, only(found).new, found.warnings) == ("15m", 30, ())


NAIVE = {
    "iso": (timed(lambda ms: text(ms, "%Y-%m-%d %H:%M")), SERIES),
    "with a fraction": (timed(lambda ms: text(ms, "%Y-%m-%dT%H:%M:%S.000")), SERIES),
    "twelve hours": (timed(lambda ms: text(ms, "%Y-%m-%d %I-%p"), rows=stretch(30, H1)), stretch(30, H1)),
    "days": (timed(lambda ms: text(ms, "%Y-%m-%d"), rows=stretch(30, DAY_MS)), stretch(30, DAY_MS)),
}


@pytest.mark.parametrize("how", NAIVE)
def test_times_without_a_zone_are_utc_and_that_is_said(tmp_path: Path, how: str) -> None:
    content, rows = NAIVE[how]
    found = taken(file(tmp_path / "export.csv", content), tmp_path / "data", "BTC-USD")
    assert stored(tmp_path / "data", granularity=only(found).granularity) == rows
    assert found.warnings == (f"{tmp_path / 'export.csv'}: its times name no zone and were taken as UTC",)


def test_a_table_without_a_zone_is_utc_and_that_is_said(tmp_path: Path) -> None:
    naive = table(SERIES).set_column(0, "ts", table(SERIES)["ts"].cast(pa.timestamp("ms")))
    pq.write_table(naive, tmp_path / f"{BOT}.parquet")
    assert "were taken as UTC" in taken(tmp_path / f"{BOT}.parquet", tmp_path / "data").warnings[0]
    assert stored(tmp_path / "data") == SERIES


def tables() -> dict[str, pa.Table]:
    whole = table(SERIES)
    ts, rest = whole["ts"], whole.drop_columns(["ts"])
    epoch = ts.cast(pa.int64())
    return {
        "our own": whole,
        "more columns": whole.append_column("trades", pa.array(range(30))),
        "a date": rest.append_column("date", ts.cast(pa.timestamp("ns", tz="Asia/Kolkata"))),
        "seconds": rest.append_column("Timestamp", pa.array([n // 1000 for n in epoch.to_pylist()])),
        "text": rest.append_column("time", pa.array([rfc3339(n) for n in epoch.to_pylist()])),
        "whole numbers": whole.set_column(5, "volume", whole["volume"].cast(pa.int32())),
    }


@pytest.mark.parametrize("how", tables())
@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_a_table_is_read_whatever_its_types(tmp_path: Path, how: str, suffix: str) -> None:
    path = tmp_path / f"{BOT}.{suffix}"
    pq.write_table(tables()[how], path) if suffix == "parquet" else feather.write_feather(tables()[how], path)
    found = taken(path, tmp_path / "data")
    assert stored(tmp_path / "data") == SERIES
    assert found.warnings == ()


def test_a_price_of_32_bits_comes_in_as_the_decimal_that_it_stands_for(tmp_path: Path) -> None:
    rows = [(row[0], 61_234.07, 61_240.5, 61_000.0, 61_000.01, 1.5) for row in SERIES]
    whole = table(rows)
    narrow = {name: whole[name] if name == "ts" else whole[name].cast(pa.float32()) for name in whole.column_names}
    pq.write_table(pa.table(narrow), tmp_path / f"{BOT}.parquet")
    taken(tmp_path / f"{BOT}.parquet", tmp_path / "data")
    assert stored(tmp_path / "data") == rows


@pytest.mark.parametrize("suffix", ["json", "json.gz", "csv.gz"])
def test_lists_of_lists_and_packed_files_are_read(tmp_path: Path, suffix: str) -> None:
    content = (json.dumps(SERIES) if "json" in suffix else CSV["milliseconds"]).encode()
    path = file(tmp_path / f"{BOT}.{suffix}", gzip.compress(content) if suffix.endswith("gz") else content)
    taken(path, tmp_path / "data")
    assert stored(tmp_path / "data") == SERIES


def test_a_venues_rows_of_text_are_read(tmp_path: Path) -> None:
    rows = [[row[0], *map(str, row[1:]), row[0] + M15 - 1, "0"] for row in SERIES]
    taken(file(tmp_path / f"{BOT}.json", json.dumps(rows)), tmp_path / "data")
    assert stored(tmp_path / "data") == SERIES


def test_a_folder_can_trade_what_was_imported(tmp_path: Path) -> None:
    taken(file(tmp_path / f"{BOT}.csv", csv_text(SERIES)), tmp_path / "data")
    source = open_folder(tmp_path / "data", M15, Decimal(1))
    assert source.warnings == ()
    assert list(source.candles("BTC-USD", START, START + DAY_MS).open_ms) == [row[0] for row in SERIES]


# --- pair and granularity --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("ETH_USDT-5m.csv", "ETH-USDT/5m"),
        ("1INCH_USD-1h.csv", "1INCH-USD/1h"),
        ("BTC_USD-60m.csv", "BTC-USD/1h"),
        ("BTC-USD/5m.csv", "BTC-USD/5m"),
        ("BTC-USD-60m.csv", "BTC-USD/1h"),
        ("1d.csv", "SOL-USD/5m"),
        ("prices.csv", "SOL-USD/5m"),
    ],
)
def test_the_name_tells_pair_and_granularity_and_the_options_what_it_does_not(
    tmp_path: Path, name: str, where: str
) -> None:
    pair = None if "_" in name or "BTC-USD" in name else "sol-usd"
    step_ms = H1 if where.endswith("1h") else M15 // 3
    found = taken(file(tmp_path / name, csv_text(stretch(5, step_ms))), tmp_path / "data", pair)
    assert only(found).path == str(tmp_path / "data" / f"{where}.parquet")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("BTC_USDT_USDT-5m-futures.feather", "holds futures"),
        ("BTC_USDT-5m-futures.feather", "holds futures"),
        ("BTC_USDT_USDT-1h-funding_rate.feather", "holds futures"),
        ("BTC_USDT-trades.feather", "'trades' is no granularity"),
        ("BTC_USDT-1w.feather", "'1w' is no granularity"),
        ("notes.txt", "its name ends in none of .csv"),
    ],
)
def test_what_is_no_candles_is_refused_with_a_reason(tmp_path: Path, name: str, reason: str) -> None:
    path = file(tmp_path / "in" / name, b"")
    with pytest.raises(UsageError, match=reason):
        taken(path, tmp_path / "data")
    file(tmp_path / "in" / f"{BOT}.csv", csv_text(SERIES))
    file(tmp_path / "in" / "deep" / "ETH_USD-15m.csv", csv_text(SERIES))
    found = taken(tmp_path / "in", tmp_path / "data")
    reasons = {Path(one.path).name: one.reason for one in found.skipped}
    assert reasons.keys() == {name, "deep"}
    assert reason in reasons[name]
    assert stored(tmp_path / "data") == SERIES


def test_a_folder_is_read_with_the_folders_of_its_pairs(tmp_path: Path) -> None:
    file(tmp_path / "in" / f"{BOT}.csv", csv_text(SERIES[:10]))
    file(tmp_path / "in" / "nameless.csv", csv_text(SERIES[:10]))
    write(tmp_path / "in", "BTC-USD", "15m", SERIES[5:])
    write(tmp_path / "in", "ETH-USD", "1h", stretch(9, H1))
    write(tmp_path / "in", "ETH-USD", "1h-bidask", stretch(9, H1))
    found = taken(tmp_path / "in", tmp_path / "data")
    assert [(one.pair, one.granularity, one.new, one.duplicates) for one in found.files] == [
        ("BTC-USD", "15m", 30, 5),
        ("ETH-USD", "1h", 9, 0),
    ]
    assert [Path(one.path).name for one in found.skipped] == ["1h-bidask.parquet", "nameless.csv"]


def test_the_folders_of_venues_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path / "in" / "one", "BTC-USD", "15m", SERIES)
    write(tmp_path / "in" / "two", "BTC-USD", "15m", SERIES)
    with pytest.raises(DataUnavailable, match="folders of venues"):
        taken(tmp_path / "in", tmp_path / "data")
    with pytest.raises(DataUnavailable, match="folders of venues"):
        taken(tmp_path / "in" / "one", tmp_path / "in")


@pytest.mark.parametrize(
    ("name", "pair", "bars", "told"),
    [
        ("prices.csv", None, None, "its name tells no pair"),
        ("prices.csv", "BTC/USD", None, "'BTC/USD' is no pair"),
        ("prices.csv", "BTC-USD", "15", "'15' is not minutes"),
        ("prices.csv", "BTC-USD", "1h", "--granularity says 1h, and its bars are 15m apart"),
        ("ETH_USD-1h.csv", None, None, "its name says 1h, and its bars are 15m apart"),
        ("ETH_USD-15m.csv", "BTC-USD", None, "is ETH-USD by its name, and --pair says BTC-USD"),
        ("ETH_USD-15m.csv", None, "5m", "is 15m by its name, and --granularity says 5m"),
        ("nowhere.csv", "BTC-USD", None, "there is no"),
    ],
)
def test_what_is_not_clear_is_refused_with_what_to_type(
    tmp_path: Path, name: str, pair: str | None, bars: str | None, told: str
) -> None:
    path = tmp_path / name
    if name != "nowhere.csv":
        file(path, csv_text(SERIES))
    with pytest.raises(TraderError, match=told) as refused:
        taken(path, tmp_path / "data", pair, bars)
    assert (refused.value.safe, bool(refused.value.remedy)) == ("nothing was imported", True)
    assert not (tmp_path / "data").exists()


def test_coarser_bars_under_a_finer_name_are_warned_of(tmp_path: Path) -> None:
    found = taken(file(tmp_path / "BTC_USD-5m.csv", csv_text(SERIES)), tmp_path / "data")
    assert found.warnings == (f"{tmp_path / 'BTC_USD-5m.csv'}: taken as 5m, its bars are 15m apart",)


def test_nothing_tells_the_granularity_of_one_bar(tmp_path: Path) -> None:
    path = file(tmp_path / "one.csv", csv_text(SERIES[:1]))
    with pytest.raises(DataUnavailable, match="fewer than two bars"):
        taken(path, tmp_path / "data", "BTC-USD")
    assert only(taken(path, tmp_path / "data", "BTC-USD", "15m")).new == 1


def test_a_file_without_rows_is_nothing_and_said(tmp_path: Path) -> None:
    found = taken(file(tmp_path / f"{BOT}.csv", csv_text([])), tmp_path / "data")
    assert (only(found).rows, only(found).first_ms) == (0, None)
    assert found.warnings == (f"{tmp_path / BOT}.csv: it holds no rows",)
    assert not list((tmp_path / "data").rglob("*.parquet"))


# --- broken files ----------------------------------------------------------------------------------------------------

GOOD_LINE = f"{START},100,101,99,100,1\n"
HEAD = "ts,open,high,low,close,volume\n"
BROKEN: dict[str, tuple[str, str | bytes, str]] = {
    "a word": (".csv", f"# note\n{HEAD}\n{GOOD_LINE}{START + M15},100,101,99,abc,1\n", "line 5: close 'abc' is no num"),
    "thousands": (".csv", f'{HEAD}{START},"1,000.5",101,99,100,1\n', "line 2: open '1,000.5' is no number"),
    "a missing field": (".csv", f"{HEAD}{GOOD_LINE}{START + M15},100,101\n", "line 3: Expected 6 columns, got 3"),
    "no time": (".csv", f"{HEAD}{GOOD_LINE}yesterday,100,101,99,100,1\n", "line 3: 'yesterday' is no time"),
    "an ambiguous date": (".csv", f"{HEAD}01/02/2024,100,101,99,100,1\n", "line 2: '01/02/2024' is no time"),
    "an impossible date": (".csv", f"{HEAD}2024-02-30,100,101,99,100,1\n", "line 2: '2024-02-30' is no time"),
    "a rounded number": (".csv", f"{HEAD}1.64E+12,100,101,99,100,1\n", "line 2: '1.64E\\+12' is no time"),
    "a day as a number": (".csv", f"{HEAD}20240301,100,101,99,100,1\n", "line 2: '20240301' is no time"),
    "a time in two columns": (".csv", "date,time,open,high,low,close,volume\n", "two columns, date and time"),
    "no volume": (".csv", "ts,open,high,low,close,Volume USD\n", "no column volume or volume_btc; it has ts, open"),
    "no time column": (".csv", "when,open,high,low,close,volume\n", "no column time"),
    "two volumes": (".csv", "ts,open,high,low,close,volume,Volume\n", "two of its columns are called volume"),
    "prose": (".csv", "Dear all,\nthe prices\nare below.\n", "neither a header nor a row"),
    "nothing": (".csv", "", "it is empty"),
    "another encoding": (".csv", b"\xff\xfe" + f"{HEAD}{GOOD_LINE}".encode("utf-16-le"), "neither a header nor a row"),
    "half a list": (".json", json.dumps(SERIES)[:-20], "it is no JSON"),
    "an object": (".json", json.dumps({"data": SERIES}), "it is no list of rows"),
    "a short row": (".json", json.dumps([*SERIES, [START, 1]]), "row 31 is not"),
    "a row with a word": (".json", json.dumps([*SERIES, [START, 1, 1, 1, "x", 1]]), "row 31 is not"),
    "a row without time": (".json", json.dumps([*SERIES, [None, 1, 1, 1, 1, 1]]), "row 31 is not"),
    "half a millisecond": (".json", json.dumps([*SERIES, [START + 0.5, 1, 1, 1, 1, 1]]), "row 31: '.*' is no time"),
    "a time without end": (".json", "[[1e400, 1, 1, 1, 1, 1]]", "row 1: 'inf' is no time"),
    "a row of the future": (".json", json.dumps([*SERIES, [10**13, 1, 1, 1, 1, 1]]), "row 31: '10000000000000' is no"),
    "half a packed file": (".json.gz", gzip.compress(json.dumps(SERIES).encode())[:-9], "it cannot be read"),
    "no table": (".parquet", b"PAR1 and so on PAR1", "BTC_USD-15m.parquet"),
    "no feather": (".feather", b"nothing of the kind", "it is no Feather file"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_named_with_its_row_and_nothing_is_imported(tmp_path: Path, what: str) -> None:
    suffix, content, told = BROKEN[what]
    path = file(tmp_path / "in" / f"{BOT}{suffix}", content)
    file(tmp_path / "in" / "ADA_USD-15m.csv", csv_text(SERIES))
    with pytest.raises(DataUnavailable, match=told) as refused:
        taken(tmp_path / "in", tmp_path / "data")
    assert str(path) in refused.value.what
    assert (refused.value.safe, bool(refused.value.remedy)) == ("nothing was imported", True)
    assert not (tmp_path / "data").exists()


def test_a_table_without_a_time_is_named_with_its_row(tmp_path: Path) -> None:
    rows: list[tuple[float | None, ...]] = [*SERIES, (None, 1.0, 1.0, 1.0, 1.0, 1.0)]
    pq.write_table(table(rows), tmp_path / f"{BOT}.parquet")  # type: ignore[arg-type]
    with pytest.raises(DataUnavailable, match=r"15m\.parquet: row 31: '' is no time"):
        taken(tmp_path / f"{BOT}.parquet", tmp_path / "data")


def test_columns_in_another_order_than_they_are_read_in_are_refused(tmp_path: Path) -> None:
    shuffled = [(row[0], row[3], row[2], row[1], row[4], row[5]) for row in SERIES]
    with pytest.raises(DataUnavailable, match="30 of its 30 rows are bad, most of them bad_ohlc"):
        taken(file(tmp_path / f"{BOT}.csv", csv_text(shuffled, "")), tmp_path / "data")


# --- what becomes of a row -------------------------------------------------------------------------------------------

BAD = {
    "off_grid": (START + 2 * M15 + 60_000, 100.0, 101.0, 99.0, 100.0, 1.0),
    "bad_ohlc": (START + 2 * M15, 100.0, 99.5, 99.0, 99.2, 1.0),
    "no_price": (START + 2 * M15, 0.0, 101.0, 0.0, 100.0, 1.0),
    "no_volume": (START + 2 * M15, 100.0, 101.0, 99.0, 100.0, -1.0),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_row_is_left_out_and_named_with_its_date(tmp_path: Path, reason: str) -> None:
    rows = [*SERIES[:2], BAD[reason], *SERIES[3:]]
    one = only(taken(file(tmp_path / f"{BOT}.csv", csv_text(rows)), tmp_path / "data"))
    assert [(bad.at_ms, bad.reason) for bad in one.bad] == [(BAD[reason][0], reason)]
    assert stored(tmp_path / "data") == [*SERIES[:2], *SERIES[3:]]


@pytest.mark.parametrize("value", ["", "nan", "NaN", "null", "inf", "-inf", "N/A"])
@pytest.mark.parametrize("column", [1, 5])
def test_an_absent_or_infinite_number_is_bad_and_never_filled(tmp_path: Path, value: str, column: int) -> None:
    rows: list[list[object]] = [list(row) for row in SERIES]
    rows[4][column] = value
    one = only(taken(file(tmp_path / f"{BOT}.csv", csv_text(rows)), tmp_path / "data"))
    assert [(bad.at_ms, bad.reason) for bad in one.bad] == [(SERIES[4][0], "no_volume" if column == 5 else "no_price")]
    assert stored(tmp_path / "data") == [*SERIES[:4], *SERIES[5:]]


def test_a_time_between_two_milliseconds_is_off_the_grid(tmp_path: Path) -> None:
    rows = [(row[0] * 1000 + (n == 3), *row[1:]) for n, row in enumerate(SERIES)]
    one = only(taken(file(tmp_path / f"{BOT}.csv", csv_text(rows)), tmp_path / "data"))
    assert [(bad.at_ms, bad.reason) for bad in one.bad] == [(SERIES[3][0], "off_grid")]


def test_what_is_there_is_kept_and_another_bar_of_its_time_is_a_conflict_with_its_date(tmp_path: Path) -> None:
    taken(file(tmp_path / f"{BOT}.csv", csv_text(SERIES[:20])), tmp_path / "data")
    other = [*SERIES[10:15], bar(SERIES[15][0], 555.0), *SERIES[16:]]
    found = taken(file(tmp_path / f"{BOT}.json", json.dumps(other)), tmp_path / "data")
    one = only(found)
    assert (one.rows, one.new, one.known, one.duplicates) == (20, 10, 9, 0)
    assert [(clash.at_ms, clash.kept.close, clash.refused.close) for clash in one.conflicts] == [
        (SERIES[15][0], SERIES[15][4], 555.25)
    ]
    assert found.conflicts == 1
    assert stored(tmp_path / "data") == SERIES


def test_of_two_bars_that_are_offered_the_first_is_taken_and_the_other_is_a_conflict(tmp_path: Path) -> None:
    rows = [*SERIES, SERIES[3], bar(SERIES[4][0], 555.0)]
    one = only(taken(file(tmp_path / f"{BOT}.csv", csv_text(rows)), tmp_path / "data"))
    assert (one.new, one.duplicates, [clash.at_ms for clash in one.conflicts]) == (30, 1, [SERIES[4][0]])
    assert stored(tmp_path / "data") == SERIES


def test_a_row_is_named_with_its_own_file(tmp_path: Path) -> None:
    first = file(tmp_path / "a" / f"{BOT}.csv", csv_text(SERIES[:10]))
    second = file(tmp_path / "b" / f"{BOT}.csv", csv_text([bar(SERIES[5][0], 555.0), *SERIES[11:], BAD["bad_ohlc"]]))
    one = only(taken([first, second], tmp_path / "data"))
    assert [(clash.at_ms, clash.source) for clash in one.conflicts] == [(SERIES[5][0], str(second))]
    assert [(bad.at_ms, bad.source) for bad in one.bad] == [(BAD["bad_ohlc"][0], str(second))]
    assert one.sources == (str(first), str(second))


@pytest.mark.parametrize("column", range(1, 6))
def test_a_difference_in_any_figure_is_a_conflict(tmp_path: Path, column: int) -> None:
    taken(file(tmp_path / f"{BOT}.csv", csv_text(SERIES)), tmp_path / "data")
    row = list(SERIES[7])
    row[column] += 0.01
    one = only(taken(file(tmp_path / f"{BOT}.csv", csv_text([*SERIES[:7], row])), tmp_path / "data"))
    assert (one.known, len(one.conflicts)) == (7, 1)


def test_an_account_is_warned_that_its_data_becomes_other_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert taken(file(tmp_path / f"{BOT}.csv", csv_text(SERIES[10:])), data).warnings == ()
    (earlier,) = taken(file(tmp_path / f"{BOT}.csv", csv_text(SERIES)), data).warnings
    (another,) = taken(file(tmp_path / "ETH_USD-15m.csv", csv_text(SERIES)), data).warnings
    assert "BTC-USD 15m begins anew" in earlier and "ETH-USD 15m begins anew" in another
    assert taken(file(tmp_path / f"{BOT}.csv", csv_text(stretch(40))), data).warnings == ()


@pytest.mark.parametrize("spoil", ["bad", "twice", "unsorted", "more"])
def test_nothing_is_merged_into_a_file_that_is_not_as_an_import_leaves_it(tmp_path: Path, spoil: str) -> None:
    rows = {
        "bad": [*SERIES[:2], BAD["bad_ohlc"], *SERIES[3:5]],
        "twice": [*SERIES[:4], SERIES[3]],
        "unsorted": SERIES[3::-1],
        "more": SERIES[:4],
    }[spoil]
    path = write(tmp_path / "data", "BTC-USD", "15m", rows)
    if spoil == "more":
        pq.write_table(table(rows).append_column("trades", pa.array([1] * 4)), path)
    before = path.read_bytes()
    with pytest.raises(DataUnavailable, match="the folder's own file has"):
        taken(file(tmp_path / f"{BOT}.csv", csv_text(SERIES)), tmp_path / "data")
    assert path.read_bytes() == before


# --- laws ------------------------------------------------------------------------------------------------------------


@st.composite
def parts(draw: st.DrawFn) -> list[tuple[str, list[Row]]]:
    """The series cut into files of any kind, each in any order, in any order; some rows in several."""
    homes = [draw(st.sets(st.integers(0, 3), min_size=1, max_size=2)) for _ in SERIES]
    cut = [[row for row, home in zip(SERIES, homes, strict=True) if n in home] for n in range(4)]
    filled = [(draw(st.sampled_from(["csv", "json", "parquet", "feather"])), rows) for rows in cut if rows]
    return [(kind, draw(st.permutations(rows))) for kind, rows in draw(st.permutations(filled))]


def written(folder: Path, kind: str, rows: Sequence[Row]) -> Path:
    folder.mkdir(parents=True)
    path = folder / f"{BOT}.{kind}"
    if kind == "parquet":
        pq.write_table(table(rows), path)
    elif kind == "feather":
        feather.write_feather(table(rows), path)
    else:
        path.write_text(csv_text(rows) if kind == "csv" else json.dumps(rows))
    return path


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=parts(), at_once=st.booleans())
def test_any_split_and_order_of_a_series_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[str, list[Row]]], at_once: bool
) -> None:
    home = tmp_path_factory.mktemp("split")
    paths = [written(home / str(n), kind, rows) for n, (kind, rows) in enumerate(pieces)]
    for group in [paths] if at_once else [[path] for path in paths]:
        assert taken(group, home / "data").conflicts == 0
    taken(written(home / "whole", "csv", SERIES), home / "reference")
    target = Path("BTC-USD", "15m.parquet")
    assert (home / "data" / target).read_bytes() == (home / "reference" / target).read_bytes()
    again = only(taken(paths, home / "data"))
    assert (again.new, again.conflicts, again.bad) == (0, (), ())


Offered = list[tuple[int, int]]
offered_rows = st.lists(st.tuples(st.integers(0, 6), st.sampled_from([0, 1, 2])), max_size=12)


def made(slot: int, price: int) -> Row:
    """Price 2 makes a bad bar."""
    row = bar(START + slot * M15, 100.0 + price)
    return row if price < 2 else (*row[:2], 1.0, *row[3:])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=offered_rows, second=offered_rows)
def test_every_row_has_the_fate_that_a_slow_reading_gives_it(
    tmp_path_factory: pytest.TempPathFactory, first: Offered, second: Offered
) -> None:
    home, there = tmp_path_factory.mktemp("fates"), dict[int, Row]()
    for offered in (first, second):
        rows = [made(*one) for one in offered]
        one = only(taken(file(home / f"{BOT}.json", json.dumps(rows)), home / "data"))
        known_before, seen = dict(there), set[Row]()
        fates = {"new": 0, "known": 0, "duplicates": 0, "conflicts": 0, "bad": 0}
        for slot, price in offered:
            row = made(slot, price)
            kept = there.setdefault(row[0], row) if price < 2 else row
            fate = "new" if row[0] not in known_before else "known"
            fates["bad" if price == 2 else "conflicts" if kept != row else "duplicates" if row in seen else fate] += 1
            seen.add(row)
        counted = {"new": one.new, "known": one.known, "duplicates": one.duplicates}
        assert {**counted, "conflicts": len(one.conflicts), "bad": len(one.bad)} == fates
    assert (stored(home / "data") if there else []) == sorted(there.values())


# --- the disk --------------------------------------------------------------------------------------------------------


def test_an_import_that_brings_nothing_new_does_not_touch_the_file(tmp_path: Path) -> None:
    path = file(tmp_path / f"{BOT}.csv", csv_text(SERIES))
    taken(path, tmp_path / "data")
    target = tmp_path / "data" / "BTC-USD" / "15m.parquet"
    before = (target.stat().st_mtime_ns, target.stat().st_ino)
    assert only(taken(path, tmp_path / "data")).known == 30
    assert (target.stat().st_mtime_ns, target.stat().st_ino) == before


def test_a_dry_run_tells_the_same_and_writes_nothing(tmp_path: Path) -> None:
    path = file(tmp_path / f"{BOT}.csv", csv_text(SERIES))
    dry = import_files([path], tmp_path / "data", dry_run=True)
    assert not (tmp_path / "data").exists()
    assert (dry.dry_run, dry.files) == (True, taken(path, tmp_path / "data").files)


def test_candles_are_packed_and_nothing_else_is_left(tmp_path: Path) -> None:
    taken(file(tmp_path / f"{BOT}.csv", csv_text(SERIES)), tmp_path / "data")
    left = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["15m.parquet"]
    group = pq.ParquetFile(left[0]).metadata.row_group(0)
    assert {group.column(n).compression for n in range(6)} == {"ZSTD"}


CHILD = """
import os, resource, signal, sys
from pathlib import Path
from trader_core.candles.store import import_files
from trader_core.domain.errors import StateLocked, StateUnusable

how = sys.argv[1]

def watch(event, arguments):
    if event == how.split()[0] and str(arguments[0]).endswith(".tmp"):
        os.kill(os.getpid(), signal.SIGKILL)

if how == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
else:
    sys.addaudithook(watch)
try:
    import_files([Path(sys.argv[2])], Path(sys.argv[3]))
except (StateLocked, StateUnusable) as refused:
    print(type(refused).__name__, refused.what, "|", refused.safe)
"""


def in_a_child(how: str, path: Path, directory: Path) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-c", CHILD, how, str(path), str(directory)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("how", ["open", "os.rename"])
def test_a_crash_at_any_point_leaves_the_old_file_and_the_next_import_goes_through(tmp_path: Path, how: str) -> None:
    """Killed before the file beside it is opened, and when that is written and not yet renamed."""
    data, target = tmp_path / "data", tmp_path / "data" / "BTC-USD" / "15m.parquet"
    taken(file(tmp_path / f"{BOT}.csv", csv_text(SERIES[:10])), data)
    before = target.read_bytes()
    path = file(tmp_path / f"{BOT}.csv", csv_text(SERIES))
    assert in_a_child(how, path, data).returncode == -9
    assert target.read_bytes() == before
    assert (target.parent / ".15m.parquet.tmp").exists() == (how == "os.rename")
    assert [one.bars for one in list_folder(data)] == [10]
    assert only(taken(path, data)).new == 20
    assert [one.name for one in target.parent.iterdir()] == ["15m.parquet"]


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path: Path) -> None:
    data, target = tmp_path / "data", tmp_path / "data" / "BTC-USD" / "15m.parquet"
    taken(file(tmp_path / f"{BOT}.csv", csv_text(SERIES[:10])), data)
    before = target.read_bytes()
    done = in_a_child("full", file(tmp_path / f"{BOT}.csv", csv_text(SERIES)), data)
    assert done.stdout.startswith(f"StateUnusable {target} cannot be written: File too large | it is as it was")
    assert target.read_bytes() == before
    assert [one.name for one in target.parent.iterdir()] == ["15m.parquet"]


def test_two_imports_into_one_folder_do_not_overwrite_each_other(tmp_path: Path) -> None:
    path = file(tmp_path / f"{BOT}.csv", csv_text(SERIES))
    (tmp_path / "data").mkdir()
    other = os.open(tmp_path / "data", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_SH)
    with pytest.raises(TraderError, match="another import into") as refused:
        taken(path, tmp_path / "data")
    assert refused.value.exit_code == 14
    os.close(other)
    assert only(taken(path, tmp_path / "data")).new == 30


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    path = file(tmp_path / f"{BOT}.csv", csv_text(SERIES))
    with pytest.raises(UsageError, match="is a file, and a folder is meant"):
        taken(path, path / "data")


# --- real candles ----------------------------------------------------------------------------------------------------


def test_published_candles_come_through_unchanged(tmp_path: Path) -> None:
    published = shared("data/coinbase")
    found = taken(published / "LTC-USD", tmp_path / "data", "LTC-USD")
    assert sorted(one.granularity for one in found.files) == ["15m", "1d", "1h", "1m"]
    for one in found.files:
        name = f"LTC-USD/{one.granularity}.parquet"
        assert (one.rows, one.bad, one.conflicts) == (one.new, (), ())
        assert pq.read_table(tmp_path / "data" / name).equals(pq.read_table(published / name))


def test_known_bad_ticks_are_not_imported(tmp_path: Path) -> None:
    one = only(taken(shared("data/badticks/cryptocompare"), tmp_path / "data"))
    assert (one.rows, one.new, len(one.bad)) == (12552, 12545, 7)
    assert {bad.reason for bad in one.bad} == {"bad_ohlc"}
