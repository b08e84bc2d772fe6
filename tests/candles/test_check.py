"""A check finds every gap, every repeated row and every bad or strange bar, with its date, and changes nothing."""

import csv
import json
import math
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.candles.making import H1, M15, START, Row, bar, stretch, write
from tests.shared import shared
from trader_core.candles.bars import FAULTS, faults, sound
from trader_core.candles.checking import KINDS
from trader_core.candles.files import Rows
from trader_core.candles.store import CheckedFile, check_folder, list_folder
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, parse_utc, rfc3339, short
from trader_core.domain.errors import DataUnavailable

NAN = math.nan


def checked(directory: Path, rows: Sequence[Sequence[float]], granularity: str = "15m") -> CheckedFile:
    write(directory, "BTC-USD", granularity, rows)
    (one,) = check_folder(directory, "BTC-USD")
    return one


def found(one: CheckedFile) -> list[tuple[int, str]]:
    return [(finding.at_ms, finding.kind) for finding in one.findings]


def test_a_clean_file_is_clean(tmp_path: Path) -> None:
    one = checked(tmp_path, stretch(50))
    assert (one.failed, one.findings, one.gaps, one.unsorted, one.bars) == (False, (), (), 0, 50)
    assert [(part.first_ms, part.last_ms, part.bars) for part in one.segments] == [(START, START + 49 * M15, 50)]


def test_gaps_have_their_dates_and_lengths_and_are_no_failure(tmp_path: Path) -> None:
    rows = stretch(20)
    one = checked(tmp_path, [*rows[:3], *rows[4:10], *rows[15:]])
    assert [(gap.from_ms, gap.to_ms, gap.bars) for gap in one.gaps] == [
        (rows[3][0], rows[4][0], 1),
        (rows[10][0], rows[15][0], 5),
    ]
    assert (one.failed, one.segments[0].absent) == (False, 6)


def test_more_than_ten_days_are_another_segment_and_no_gap(tmp_path: Path) -> None:
    day = stretch(96)
    for days, segments, gaps in ((10, 1, 1), (11, 2, 0)):
        (one,) = [checked(tmp_path / str(days), [*day, *stretch(96, first_ms=START + (days + 1) * DAY_MS)])]
        assert (len(one.segments), len(one.gaps), one.findings) == (segments, gaps, ())


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ((0, 100.0, 99.0, 98.0, 98.5, 1.0), "bad_ohlc"),
        ((0, 100.0, 101.0, 100.5, 100.7, 1.0), "bad_ohlc"),
        ((0, NAN, 101.0, 99.0, 100.0, 1.0), "no_price"),
        ((0, 100.0, math.inf, 99.0, 100.0, 1.0), "no_price"),
        ((0, 0.0, 101.0, 0.0, 100.0, 1.0), "no_price"),
        ((0, 100.0, 101.0, 99.0, 100.0, NAN), "no_volume"),
        ((0, 100.0, 101.0, 99.0, 100.0, -1.0), "no_volume"),
        ((0, 100.0, 101.0, 99.0, 100.0, math.inf), "no_volume"),
        ((7, 100.0, 101.0, 99.0, 100.0, 1.0), "off_grid"),
    ],
)
def test_a_bad_bar_is_a_failure_with_its_date(tmp_path: Path, row: Row, kind: str) -> None:
    rows = stretch(9)
    at_ms = rows[4][0] + row[0]
    one = checked(tmp_path, [*rows[:4], (at_ms, *row[1:]), *rows[5:]])
    assert (found(one), one.failed, [bad.at_ms for bad in one.bad]) == ([(at_ms, kind)], True, [at_ms])
    assert len(one.gaps) == (kind == "off_grid")


def test_repeated_and_unsorted_rows_are_failures(tmp_path: Path) -> None:
    rows = stretch(6)
    one = checked(tmp_path / "a", [*rows, rows[2], bar(rows[3][0], 101.5)])
    assert found(one) == [(rows[2][0], "duplicate"), (rows[3][0], "duplicate_differs")]
    assert (one.failed, one.unsorted, one.bars) == (True, 1, 6)
    backwards = checked(tmp_path / "b", rows[::-1])
    assert (backwards.failed, backwards.unsorted, backwards.findings) == (True, 5, ())


def test_of_two_bars_of_one_time_the_later_row_is_the_repeated_one(tmp_path: Path) -> None:
    rows = stretch(200)
    one = checked(tmp_path, [*rows, *(bar(row[0], 105.0) for row in reversed(rows))])
    assert (len(one.repeated), {finding.open for finding in one.repeated}) == (200, {105.0})


def test_wicks_and_jumps_are_told_and_are_no_failure(tmp_path: Path) -> None:
    rows: list[Row] = stretch(8)
    rows[2] = (rows[2][0], 100.0, 160.1, 99.0, 100.0, 1.0)
    rows[3] = (rows[3][0], 100.0, 101.0, 59.9, 100.0, 1.0)
    rows[4] = (rows[4][0], 100.0, 160.0, 60.0, 100.0, 1.0)
    rows[6] = (rows[6][0], 103.0, 130.0, 103.0, 130.0, 0.0)
    one = checked(tmp_path, rows)
    assert found(one) == [(rows[2][0], "wick"), (rows[3][0], "wick"), (rows[6][0], "jump"), (rows[7][0], "jump")]
    assert (one.failed, one.zero_volume) == (False, sum(row[5] == 0 for row in rows))
    assert one.of("wick")[1].low == 59.9


@pytest.mark.parametrize(
    ("granularity", "step_ms", "limit"), [("15m", M15, 0.20), ("1h", H1, 0.20), ("1d", DAY_MS, 0.35)]
)
def test_a_day_may_move_further_than_a_bar(tmp_path: Path, granularity: str, step_ms: int, limit: float) -> None:
    for excess, told in ((-0.01, 0), (0.01, 1)):
        close = 100 * (1 + limit + excess)
        rows = [(START, 100.0, 100.0, 100.0, 100.0, 1.0), (START + step_ms, 100.0, close, 100.0, close, 1.0)]
        assert len(checked(tmp_path, rows, granularity).of("jump")) == told


def test_a_first_bar_that_falls_from_a_wrong_open_and_a_bar_alone_are_seen(tmp_path: Path) -> None:
    """Nothing comes before them to be compared with; both stand in published files."""
    later = stretch(9, first_ms=START + 40 * DAY_MS)
    one = checked(tmp_path, [(START, 400.0, 400.0, 100.0, 101.0, 1.0), *later])
    assert found(one) == [(START, "jump"), (START, "lone")]
    assert found(checked(tmp_path / "young", [bar(START)])) == []


def test_a_span_is_half_open_and_its_first_bar_is_judged_by_the_one_before_it(tmp_path: Path) -> None:
    rows = [*stretch(10), *(bar(START + n * M15, 200.0) for n in range(10, 20))]
    write(tmp_path, "BTC-USD", "15m", rows)
    (late,) = check_folder(tmp_path, None, START + 10 * M15, START + 15 * M15)
    (early,) = check_folder(tmp_path, None, None, START + 10 * M15)
    assert (late.bars, found(late), late.first_ms) == (5, [(START + 10 * M15, "jump")], START + 10 * M15)
    assert (early.bars, found(early)) == (10, [])


def test_a_broken_file_fails_and_the_others_are_checked_and_listed_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD", "15m", stretch(5))
    (tmp_path / "BTC-USD" / "1h.parquet").write_bytes(b"no parquet")
    broken, fine = check_folder(tmp_path)
    assert ("cannot be read" in broken.problem, broken.failed, fine.failed) == (True, True, False)
    assert [(bool(one.problem), one.bars) for one in list_folder(tmp_path)] == [(True, 0), (False, 5)]


def test_where_there_is_nothing_to_check_that_is_said(tmp_path: Path) -> None:
    write(tmp_path / "empty", "BTC-USD", "15m", [])
    write(tmp_path / "one", "BTC-USD", "15m", stretch(5))
    for words, directory, symbol, since_ms in (
        ("there is no folder", tmp_path / "none", None, None),
        ("folders of venues", tmp_path, None, None),
        ("no bars to check", tmp_path / "empty", None, None),
        ("has no ETH-USD", tmp_path / "one", "ETH-USD", None),
        ("no bars to check", tmp_path / "one", None, START + DAY_MS),
    ):
        with pytest.raises(DataUnavailable, match=words) as refused:
            check_folder(directory, symbol, since_ms)
        assert refused.value.exit_code == 23


def test_a_check_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "BTC-USD", "15m", stretch(9)[::-1])
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    list_folder(tmp_path)
    check_folder(tmp_path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


# --- laws ------------------------------------------------------------------------------------------------------------

value = st.one_of(st.sampled_from([NAN, math.inf, -1.0, 0.0]), st.integers(50, 170).map(float))
quiet = st.integers(90, 110).map(float)


@st.composite
def series(draw: st.DrawFn) -> list[Row]:
    """Minutes near one another and weeks apart, in any order, some twice; wild figures among quiet ones."""
    slots = draw(st.lists(st.one_of(st.integers(0, 12), st.integers(20_000, 20_004)), min_size=1, max_size=14))
    rows: list[Row] = []
    for slot in slots:
        figures = draw(st.one_of(st.tuples(*[value] * 5), st.tuples(quiet, quiet, quiet, quiet, quiet)))
        if draw(st.booleans()):
            low, a, b, high = sorted(figures[:4])
            figures = (a, high, low, b, figures[4])
        off = draw(st.sampled_from([0, 0, 0, 0, 0, 30_000]))
        rows.append((START + slot * MINUTE_MS + off, *figures))
    return rows


def fault_of(row: Row) -> str:
    ts, opens, high, low, close, volume = row
    if ts % MINUTE_MS:
        return "off_grid"
    if not all(math.isfinite(price) and price > 0 for price in row[1:5]):
        return "no_price"
    if not low <= min(opens, close) <= max(opens, close) <= high:
        return "bad_ohlc"
    return "" if math.isfinite(volume) and volume >= 0 else "no_volume"


def same(one: Row, other: Row) -> bool:
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(one, other, strict=True))


def begins(times: Sequence[int], n: int) -> bool:
    return n == 0 or times[n] - times[n - 1] - MINUTE_MS > 10 * DAY_MS


def slowly_found(rows: Sequence[Row]) -> list[tuple[int, str]]:
    told: list[tuple[int, str]] = []
    once: dict[int, Row] = {}
    for row in rows:
        if fault_of(row):
            told.append((row[0], fault_of(row)))
        if row[0] in once:
            told.append((row[0], "duplicate" if same(row, once[row[0]]) else "duplicate_differs"))
        once.setdefault(row[0], row)
    times = sorted(once)
    for n, at_ms in enumerate(times):
        if begins(times, n) and (n + 1 == len(times) or begins(times, n + 1)) and len(times) > 1:
            told.append((at_ms, "lone"))
    good = [once[at_ms] for at_ms in times if not fault_of(once[at_ms])]
    for n, (at_ms, opens, high, low, close, _) in enumerate(good):
        if low < 0.6 * min(opens, close) or high > 1.6 * max(opens, close):
            told.append((at_ms, "wick"))
        before = opens if begins([row[0] for row in good], n) else good[n - 1][4]
        if abs(close / before - 1) > 0.2:
            told.append((at_ms, "jump"))
    return sorted(told, key=lambda one: (one[0], KINDS.index(one[1])))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=series())
def test_a_check_finds_what_a_slow_reading_finds(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    one = checked(tmp_path_factory.mktemp("check"), rows, "1m")
    assert found(one) == slowly_found(rows)
    times = [at_ms for at_ms in sorted({row[0] for row in rows}) if at_ms % MINUTE_MS == 0]
    steps = [(a, b) for a, b in pairwise(times) if MINUTE_MS < b - a <= 10 * DAY_MS + MINUTE_MS]
    assert [(gap.from_ms - MINUTE_MS, gap.to_ms) for gap in one.gaps] == steps
    assert one.unsorted == sum(b[0] < a[0] for a, b in pairwise(rows))


@settings(max_examples=40, deadline=None)
@given(rows=series())
def test_a_bar_without_fault_is_one_that_a_folder_serves(rows: list[Row]) -> None:
    columns = [np.array(column, np.float64) for column in zip(*rows, strict=True)]
    given_rows = Rows(columns[0].astype(np.int64), *columns[1:])
    numbers = faults(given_rows, MINUTE_MS)
    assert [FAULTS[n] for n in numbers.tolist()] == [fault_of(row) for row in rows]
    assert ((numbers == 0) == (sound(given_rows, MINUTE_MS) & np.isfinite(given_rows.volume))).all()


# --- real candles ----------------------------------------------------------------------------------------------------

OUTLYING = (
    "coinbase/LTC-USD", "coinbase/ADA-USD", "coinbase/ETH-USD", "coinbase/BTC-USD", "binance/DOGE-USDT",
    "binance/BCH-USDT", "binance/XRP-USDT", "binance/BTC-USDT",
)  # fmt: skip
_GAP_LINE = re.compile(r"- (\S+\.parquet): (\S+ \S+) to (\S+ \S+) \((\d+) min\)")


def published(pair: str) -> dict[str, CheckedFile]:
    """The checked files of 'coinbase/LTC-USD', by the names that the tables of the shared data use."""
    folder, _, symbol = pair.rpartition("/")
    return {
        f"{folder}/{symbol}/{one.granularity}.parquet": one
        for one in check_folder(shared("data") / folder, symbol)
    }  # fmt: skip


@pytest.fixture(scope="module")
def outlying() -> dict[str, CheckedFile]:
    shared("data")
    return {name: one for pair in OUTLYING for name, one in published(pair).items()}


def test_the_outliers_are_exactly_the_published_ones(outlying: dict[str, CheckedFile]) -> None:
    with (shared("data") / "OUTLIERS.csv").open() as lines:
        listed = [(row["file"], row["ts"], row["kind"]) for row in csv.DictReader(lines) if row["file"] in outlying]
    ours = [
        (name, rfc3339(finding.at_ms)[:16] + "Z", finding.kind)
        for name, one in outlying.items()
        for finding in one.findings
    ]
    assert len(listed) > 30
    assert sorted(ours) == sorted(listed)
    assert not any(one.failed for one in outlying.values())


def test_the_gaps_are_exactly_the_published_ones(outlying: dict[str, CheckedFile]) -> None:
    lines = _GAP_LINE.findall((shared("data") / "README.md").read_text())
    listed = [line for line in lines if line[0] in outlying]
    ours = [
        (name, short(gap.from_ms), short(gap.to_ms), str((gap.to_ms - gap.from_ms) // MINUTE_MS))
        for name in {line[0] for line in listed}
        for gap in outlying[name].gaps
        if gap.to_ms - gap.from_ms >= 30 * MINUTE_MS
    ]
    assert len(listed) == 12
    assert sorted(ours) == sorted(listed)


def test_segments_and_counts_are_the_published_ones(outlying: dict[str, CheckedFile]) -> None:
    manifest = json.loads((shared("data") / "manifest.json").read_text())
    known = {one["path"]: one for one in manifest["files"]}
    for name, one in outlying.items():
        told = known[name]
        assert (one.bars, len(one.gaps), one.zero_volume) == (told["rows"], told["gaps"], told["zero_vol"]), name
        assert [
            (rfc3339(part.first_ms)[:16] + "Z", rfc3339(part.last_ms)[:16] + "Z", part.bars, part.absent)
            for part in one.segments
        ] == [(part["start"], part["end"], part["rows"], part["missing_bars"]) for part in told["segments"]]


def test_a_list_counts_what_a_check_counts() -> None:
    folder = shared("data/badticks/cdd-binance")
    for listed, one in zip(list_folder(folder), check_folder(folder), strict=True):
        assert (listed.bars, listed.first_ms, listed.last_ms) == (one.bars, one.first_ms, one.last_ms)
        assert (listed.segments, listed.gaps) == (len(one.segments), len(one.gaps))
        assert listed.absent == sum(gap.bars for gap in one.gaps)


def test_every_known_bad_tick_is_found() -> None:
    assert [(short(at_ms), kind) for at_ms, kind in found(published("badticks/cdd-binance/BTC-USDT").popitem()[1])] == [
        ("2017-08-17 04:00", "jump")
    ]
    assert [(short(at_ms), kind) for at_ms, kind in found(published("badticks/cdd-binance/LTC-USDT").popitem()[1])] == [
        ("2017-09-22 19:00", "lone")
    ]
    avax = published("badticks/cryptocompare/AVAX-USD").popitem()[1]
    assert [(short(at_ms), kind) for at_ms, kind in found(avax)] == [
        ("2022-11-11 21:00", "bad_ohlc"),
        ("2022-12-04 11:00", "bad_ohlc"),
        ("2023-03-04 19:00", "bad_ohlc"),
        ("2023-08-30 06:00", "bad_ohlc"),
        ("2023-09-03 10:00", "bad_ohlc"),
        ("2023-09-07 06:00", "bad_ohlc"),
        ("2023-09-11 03:00", "bad_ohlc"),
    ]
    assert avax.failed


def test_candles_without_volume_are_a_failure() -> None:
    """An exchange's candles always have it; those of a dealer may not, and a folder would serve none of them."""
    folder = shared("data/fxcm")
    (one,) = check_folder(folder, None, parse_utc("2013-02-01"), parse_utc("2013-02-02"))
    assert (one.failed, {finding.kind for finding in one.findings}) == (True, {"no_volume"})
    assert pq.read_table(folder / "USD-JPY" / "1m.parquet")["volume"].null_count > one.bars
