"""data import, list and check: what was taken in, what is there, and what is wrong with it, told with the dates."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.candles.making import M15, START, bar, csv_text, stored, stretch, table, write
from tests.cli.program import AtHome, Program

DATA = ("--data", "data")
SERIES = stretch(30)


@pytest.fixture
def program(tmp_path: Path) -> AtHome:
    return AtHome(tmp_path)


@pytest.fixture
def export(program: Program) -> Path:
    path = program.home / "BTC_USD-15m.csv"
    path.write_text(csv_text(SERIES))
    return path


def test_candles_go_in_and_are_listed(program: Program, export: Path) -> None:
    taken = program("data", "import", export.name, *DATA)
    assert (taken.code, taken.err) == (0, "")
    assert taken.out.splitlines()[0].split() == ["bars", "rows", "new", "old", "clash", "bad", "dup", "first", "last"]
    assert taken.out.splitlines()[2].split() == ["BTC-USD", "15m", "30", "30", *"0000", "2024-03-01", "2024-03-01"]
    listed = program("data", "list", *DATA, "--json")
    (one,) = listed.data["files"]
    assert (listed.code, one["pair"], one["granularity"], one["bars"]) == (0, "BTC-USD", "15m", 30)
    assert (one["first_time"], one["last_time"]) == ("2024-03-01T00:00:00Z", "2024-03-01T07:15:00Z")


@pytest.mark.parametrize("place", ["file", "file/inside", "taken"])
@pytest.mark.parametrize("more", [(), ("--dry-run",)], ids=str)
def test_a_file_where_a_folder_is_meant_is_told_as_that(
    place: str, more: tuple[str, ...], program: Program, export: Path
) -> None:
    """ "Make room" helps nobody whose disk is empty."""
    (program.home / "file").write_text("")
    (program.home / "taken").mkdir()
    (program.home / "taken" / "BTC-USD").write_text("")
    done = program("data", "import", export.name, "--data", place, *more)
    wrong = {"taken": "taken/BTC-USD"}.get(place, "file")
    assert (done.code, f"{wrong} is a file, and a folder is meant" in done.err) == (2, True), done.err
    assert "safe now: nothing was imported" in done.err and "next: name another folder, or move the file" in done.err
    fetched = program("data", "fetch", "--out", "file", "--pairs", "BTC-USD", "--venue", "coinbase")
    assert (fetched.code, "file is a file, and a folder is meant" in fetched.err) == (2, True), fetched.err


def test_an_empty_name_is_no_folder(program: Program, export: Path) -> None:
    """As of a variable that is not set: it was the folder in which it was typed."""
    done = program("data", "import", export.name, "--data", "")
    assert (done.code, "it is empty" in done.err) == (2, True), done.err
    assert not (program.home / "BTC-USD").exists()


def test_a_conflict_is_20_with_its_date_and_what_is_new_goes_in_all_the_same(program: Program, export: Path) -> None:
    write(program.home / "data", "BTC-USD", "15m", [*SERIES[:9], bar(SERIES[9][0], 555.0)])
    done = program("data", "import", export.name, *DATA)
    assert done.code == 20
    assert "clash  2024-03-01 02:15 open 555 kept, 102 in BTC_USD-15m.csv" in done.out
    assert len(stored(program.home / "data")) == 30
    (again,) = program("data", "import", export.name, *DATA, "--json").data["files"]
    assert [(one["kept"]["open"], one["refused"]["open"]) for one in again["conflicts"]] == [(555, 102)]


def test_a_dry_run_tells_what_would_be_left_out_and_why(program: Program, export: Path) -> None:
    rows = [*SERIES[:2], (START + 2 * M15, 100.0, 99.0, 98.0, 98.5, 1.0), *SERIES[3:]]
    export.write_text(csv_text(rows))
    (program.home / "notes.txt").write_text("nothing")
    done = program("data", "import", ".", *DATA, "--dry-run", "--json")
    (one,) = done.data["files"]
    assert (done.code, done.document["schema"].startswith("trader.data"), one["new"]) == (0, True, 29)
    assert one["bad"] == [{"at_time": "2024-03-01T00:30:00Z", "source": export.name, "reason": "bad_ohlc"}]
    assert [skipped["path"] for skipped in done.data["skipped"]] == ["notes.txt"]
    assert "warning: not imported: notes.txt: its name ends in none of .csv" in done.err
    assert not (program.home / "data").exists()


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("15m.parquet", lambda whole: whole.rename_columns([one.title() for one in whole.column_names])),
        ("15m.parquet", lambda whole: whole.set_column(0, "ts", whole["ts"].cast(pa.int64()))),
        ("15m.csv", None),
    ],
)
def test_what_another_program_wrote_is_taken_in_as_the_hint_says(
    program: Program, name: str, spoil: Callable[[pa.Table], pa.Table] | None
) -> None:
    place = program.home / "my candles" / "BTC-USD" / name
    place.parent.mkdir(parents=True)
    place.write_text(csv_text(SERIES)) if spoil is None else pq.write_table(spoil(table(SERIES)), place)
    done = program("backtest", "--data", "my candles")
    assert done.code == 23
    hint = shlex.split(done.err.partition("trader data import ")[2])
    assert hint[1:3] == ["--data", "DIR"]
    source = place if hint[0] == "FILE" else hint[0]
    assert program("data", "import", source, *DATA).code == 0
    assert stored(program.home / "data") == SERIES


def test_the_hint_of_a_file_without_a_pair_works_as_it_is(program: Program) -> None:
    (program.home / "my prices.csv").write_text(csv_text(SERIES))
    done = program("data", "import", "my prices.csv", "--data", "my data")
    assert (done.code, "its name tells no pair" in done.err) == (2, True)
    hint = shlex.split(done.err.partition("next: trader ")[2])
    assert program(*hint).code == 0
    assert stored(program.home / "my data") == SERIES


@pytest.mark.parametrize("content", [b"ts,open\rhigh,low\r", b"\x00\x01,\r\xff\n" * 50, b'"' * 1000])
def test_a_file_that_is_no_csv_is_named_and_no_bug(program: Program, content: bytes) -> None:
    (program.home / "BTC_USD-15m.csv").write_bytes(content)
    done = program("data", "import", "BTC_USD-15m.csv", *DATA)
    assert (done.code, "neither a header nor a row" in done.err) == (23, True), done.err


def test_a_failed_check_is_20_with_the_first_dates(program: Program) -> None:
    rows = [*SERIES[:5], *(bar(row[0], 0.0) for row in SERIES[5:10]), *SERIES[15:], SERIES[20]]
    write(program.home / "data", "BTC-USD", "15m", rows)
    write(program.home / "data", "ETH-USD", "15m", SERIES)
    done = program("data", "check", *DATA)
    assert done.code == 20
    assert "gaps      2024-03-01 02:30 to 03:45 (75 min)" in done.out
    assert "bad       2024-03-01 01:15 no_price, 2024-03-01 01:30 no_price, 2024-03-01\n" in done.out
    assert "dup       2024-03-01 05:00 duplicate" in done.out
    assert "failed: BTC-USD 15m" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_every_bar_is_in_the_json_of_a_span(program: Program) -> None:
    write(program.home / "data", "BTC-USD", "15m", [*SERIES[:9], *SERIES[10:], SERIES[11]])
    write(program.home / "data", "ETH-USD", "15m", SERIES[::-1])
    span = ("--pair", "btc-usd", "--from", "2024-03-01T02:00", "--to", "2024-03-01T03:00")
    done = program("data", "check", *DATA, *span, "--json")
    (one,) = done.data["files"]
    assert (done.code, one["ok"], one["bars"], one["unsorted"]) == (20, False, 3, 0)
    assert one["gaps"] == [{"from_time": "2024-03-01T02:15:00Z", "to_time": "2024-03-01T02:30:00Z", "bars": 1}]
    assert [(bar["at_time"], bar["kind"]) for bar in one["findings"]] == [("2024-03-01T02:45:00Z", "duplicate")]


def test_where_there_are_no_candles_the_answer_is_23(program: Program) -> None:
    done = program("data", "list", "--data", "nowhere", "--json")
    assert (done.code, done.document["exit_name"]) == (23, "STALE")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["import", "export.csv"], "Missing option '--data'"),
        (["import", "--data", "data"], "Missing argument 'SOURCE...'"),
        (["import", "export.csv", "--data", "data"], "next: trader data import export.csv --data data --pair BTC-USD"),
        (["check", "--data", "data", "--from", "soon"], "next: --from 2024-08-01"),
        (["fetch", "--pairs", ""], "--pairs names none"),
        (["fetch", "--pairs", " , "], "--pairs names none"),
    ],
)
def test_what_makes_no_sense_is_2_with_what_to_type(program: Program, words: list[str], told: str) -> None:
    (program.home / "export.csv").write_text(csv_text(SERIES))
    done = program("data", *words)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert not (program.home / "data").exists()


def test_help_explains_every_command_and_option(program: Program) -> None:
    done = program("data")
    assert done.code == 0
    assert all(word in done.out for word in ("import", "list", "check", "--state", "--json"))
    assert all(word in program("data", "check", "--help").out for word in ("--from", "--pair", "--state", "--json"))
