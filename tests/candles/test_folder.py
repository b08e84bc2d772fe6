"""A folder of candles is served as it is: resampled exactly, never repaired, and every pair left out has a reason."""

import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trader_core.candles.store import FolderSource, open_folder
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, parse_utc
from trader_core.domain.errors import DataUnavailable
from trader_core.domain.market import Candles

SHARED = Path(os.environ.get("TRADER_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
M5, M15, H1 = 5 * MINUTE_MS, 15 * MINUTE_MS, 60 * MINUTE_MS
START = parse_utc("2024-03-01")
FLOOR = Decimal(1)

Row = tuple[int, float, float, float, float, float]

needs_data = pytest.mark.skipif(
    not (SHARED / "data").is_dir(),
    reason=f"no market data at {SHARED / 'data'}; set TRADER_SHARED to the shared folder",
)


def bar(ts: int, price: float = 100.0, volume: float = 2.0) -> Row:
    return (ts, price, price + 0.5, price - 0.5, price + 0.25, volume)


def stretch(first_ms: int, count: int, step_ms: int) -> list[Row]:
    return [bar(first_ms + i * step_ms, 100.0 + i % 7) for i in range(count)]


def write(directory: Path, symbol: str, granularity: str, rows: Sequence[Row]) -> None:
    names = ("ts", "open", "high", "low", "close", "volume")
    kinds = (pa.timestamp("ms", tz="UTC"), *[pa.float64()] * 5)
    columns = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(kinds)]
    (directory / symbol).mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(zip(names, columns, strict=True))), directory / symbol / f"{granularity}.parquet")


def everything(source: FolderSource, symbol: str) -> Candles:
    assert source.end_ms is not None
    return source.candles(symbol, source.first_ms, source.end_ms)


def as_rows(candles: Candles) -> list[tuple[int, ...]]:
    columns = (candles.open_ms, candles.open, candles.high, candles.low, candles.close, candles.volume)
    return [tuple(int(value) for value in row) for row in zip(*columns, strict=True)]


def reasons(source: FolderSource) -> Mapping[str, str]:
    return {exclusion.symbol: exclusion.reason for exclusion in source.exclusions()}


def symbols(source: FolderSource) -> list[str]:
    return [instrument.symbol for instrument in source.instruments()]


# --- resampling -------------------------------------------------------------------------------------------------


@st.composite
def minutes(draw: st.DrawFn) -> list[tuple[int, int, int, int, int, int]]:
    """(minute, open, high, low, close, volume) in ticks and lots, whole hours covered at both ends, holes inside."""
    inner = draw(st.sets(st.integers(1, 118), max_size=60))
    rows = []
    for minute in sorted({0, 119} | inner):
        low, a, b, high = sorted(draw(st.lists(st.integers(1, 10_000), min_size=4, max_size=4)))
        opens, closes = draw(st.sampled_from([(a, b), (b, a)]))
        rows.append((minute, opens, high, low, closes, draw(st.integers(0, 10**6))))
    return rows


def slowly_resampled(rows: Sequence[tuple[int, ...]], bar_min: int) -> list[tuple[int, ...]]:
    bars: dict[int, list[tuple[int, ...]]] = {}
    for row in rows:
        bars.setdefault(row[0] // bar_min, []).append(row)
    return [
        (
            START + index * bar_min * MINUTE_MS,
            inside[0][1],
            max(row[2] for row in inside),
            min(row[3] for row in inside),
            inside[-1][4],
            sum(row[5] for row in inside),
        )
        for index, inside in sorted(bars.items())
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=minutes(), bar_min=st.sampled_from([1, 5, 15]))
def test_resampling_equals_the_slow_reference(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int, int, int, int]], bar_min: int
) -> None:
    folder = tmp_path_factory.mktemp("venue")
    written: list[Row] = []
    for minute, o, h, low, c, volume in rows:
        o_, h_, l_, c_ = ((100_000_000 + ticks) / 10_000 for ticks in (o, h, low, c))
        written.append((START + minute * MINUTE_MS, o_, h_, l_, c_, float(volume)))
    written[0] = (written[0][0], *(10_000.0001,) * 4, written[0][5])  # fixes the tick at 0.0001
    rows[0] = (0, 1, 1, 1, 1, rows[0][5])
    write(folder, "BTC-USD", "1m", written)
    source = open_folder(folder, bar_min * MINUTE_MS, FLOOR)
    lots = 10_000  # 1e-8 / 0.0001, turned round
    shifted = [(m, *(100_000_000 + p for p in (o, h, low, c)), v * lots) for m, o, h, low, c, v in rows]
    assert as_rows(everything(source, "BTC-USD")) == slowly_resampled(shifted, bar_min)


def test_a_base_bar_that_the_edge_of_the_data_cuts_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD", "1m", stretch(START + 7 * MINUTE_MS, 60, MINUTE_MS))
    source = open_folder(tmp_path, M15, FLOOR)
    assert source.first_ms == START + 15 * MINUTE_MS
    assert source.end_ms == START + 60 * MINUTE_MS


def test_one_tick_times_one_lot_is_a_grain_and_prices_are_exact(tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD", "15m", [(START, 61_234.07, 61_240.5, 61_000.0, 61_000.01, 1.23456789)])
    write(tmp_path, "SHIB-USD", "15m", [(START, 1.234e-05, 1.24e-05, 1.23e-05, 1.2345e-05, 1_000.7)])
    source = open_folder(tmp_path, M15, FLOOR)
    assert [(i.tick, i.lot) for i in source.instruments()] == [
        (Decimal("0.01"), Decimal("0.000001")),
        (Decimal("0.000000001"), Decimal(10)),
    ]
    assert all(i.grains_per_unit == 1 and i.min_notional == FLOOR for i in source.instruments())
    assert as_rows(everything(source, "BTC-USD")) == [(START, 6_123_407, 6_124_050, 6_100_000, 6_100_001, 1_234_567)]
    assert as_rows(everything(source, "SHIB-USD")) == [(START, 12_340, 12_400, 12_300, 12_345, 100)]


def test_a_price_of_32_bits_is_the_decimal_that_it_stands_for(tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD", "15m", [(START, 61_234.07, 61_240.5, 61_000.0, 61_000.01, 1.23456)])
    path = tmp_path / "BTC-USD" / "15m.parquet"
    exact, whole = everything(open_folder(tmp_path, M15, FLOOR), "BTC-USD"), pq.read_table(path)
    narrow = {name: whole[name] if name == "ts" else whole[name].cast(pa.float32()) for name in whole.column_names}
    pq.write_table(pa.table(narrow), path)
    source = open_folder(tmp_path, M15, FLOOR)
    assert source.instruments()[0].tick == Decimal("0.01")
    assert as_rows(everything(source, "BTC-USD")) == as_rows(exact)
    assert source.warnings == ()


def test_a_lot_that_is_worth_more_than_the_smallest_order_is_told(tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD", "15m", [(START, 61_234.0703125, 61_240.5, 61_000.0, 61_000.01, 1.0)])
    (told,) = open_folder(tmp_path, M15, FLOOR).warnings
    assert "prices have 7 decimals, so a lot is 0.1 BTC, worth 6,100.00 USD, and no position is smaller" in told


# --- what is dropped is named ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        (100.0, 99.0, 98.0, 98.5, 1.0),  # high below open
        (100.0, 101.0, 100.5, 100.7, 1.0),  # low above open
        (float("nan"), 101.0, 99.0, 100.0, 1.0),
        (100.0, float("inf"), 99.0, 100.0, 1.0),
        (0.0, 101.0, 0.0, 100.0, 1.0),
        (-1.0, 101.0, -2.0, 100.0, 1.0),
        (100.0, 101.0, 99.0, 100.0, -1.0),
        (100.0, 101.0, 99.0, 100.0, float("nan")),
    ],
)
def test_a_bad_bar_is_dropped_counted_and_named(tmp_path: Path, broken: tuple[float, ...]) -> None:
    rows: list[tuple[float, ...]] = list(stretch(START, 10, M15))
    rows[4] = (int(rows[4][0]), *broken)
    write(tmp_path, "BTC-USD", "15m", rows)  # type: ignore[arg-type]
    source = open_folder(tmp_path, M15, FLOOR)
    assert len(everything(source, "BTC-USD").open_ms) == 9
    assert any("BTC-USD 15m: dropped as bad" in line and "2024-03-01 01:00" in line for line in source.warnings)
    assert any("absent: 1 of 15m" in line and "(1)" in line for line in source.warnings)


def test_unsorted_and_repeated_rows_are_put_right_and_named(tmp_path: Path) -> None:
    rows = stretch(START, 5, M15)
    write(tmp_path, "BTC-USD", "15m", [rows[3], rows[0], rows[1], rows[2], bar(rows[1][0], 500.0), rows[4]])
    source = open_folder(tmp_path, M15, FLOOR)
    candles = everything(source, "BTC-USD")
    assert [int(ms) for ms in candles.open_ms] == [row[0] for row in rows]
    assert max(candles.high) < 50_000
    assert [line.split(":")[1].strip() for line in source.warnings] == [
        "dropped as duplicates, the first kept",
        "rows were out of order and were sorted",
    ]


def test_a_clean_folder_warns_of_nothing(tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD", "15m", stretch(START, 50, M15))
    assert open_folder(tmp_path, M15, FLOOR).warnings == ()


# --- which file, which span -----------------------------------------------------------------------------------------


def test_the_coarsest_file_that_covers_the_span_is_read(tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD", "15m", stretch(START + 20 * DAY_MS, 10 * 96, M15))
    write(tmp_path, "BTC-USD", "5m", stretch(START, 30 * 288, M5))
    write(tmp_path, "BTC-USD", "10m", stretch(START, 30 * 144, 10 * MINUTE_MS))  # does not divide 15 minutes
    late = open_folder(tmp_path, M15, FLOOR, START + 21 * DAY_MS, START + 29 * DAY_MS)
    early = open_folder(tmp_path, M15, FLOOR, START + 2 * DAY_MS, START + 29 * DAY_MS)
    assert late.first_ms == START + 20 * DAY_MS
    assert early.first_ms == START


def test_history_reaches_90_days_back_and_never_over_a_break(tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD", "1h", stretch(START, 150 * 24, H1))
    write(tmp_path, "ETH-USD", "1h", [*stretch(START, 24, H1), *stretch(START + 60 * DAY_MS, 90 * 24, H1)])
    source = open_folder(tmp_path, H1, FLOOR, START + 100 * DAY_MS, START + 110 * DAY_MS)
    assert source.first_ms == START + 10 * DAY_MS
    assert everything(source, "ETH-USD").open_ms[0] == START + 60 * DAY_MS
    assert source.end_ms == START + 110 * DAY_MS


def test_without_a_span_the_newest_segment_is_served_and_laggards_are_excluded(tmp_path: Path) -> None:
    newest = stretch(START + 60 * DAY_MS, 5 * 96, M15)
    write(tmp_path, "BTC-USD", "15m", [*stretch(START, 96, M15), *newest])
    write(tmp_path, "ETH-USD", "15m", newest[:-90])
    write(tmp_path, "SOL-USD", "15m", newest[:-200])
    source = open_folder(tmp_path, M15, FLOOR)
    assert (source.first_ms, source.end_ms) == (START + 60 * DAY_MS, START + 65 * DAY_MS)
    assert symbols(source) == ["BTC-USD", "ETH-USD"]
    assert reasons(source) == {"SOL-USD": "its data does not reach 2024-05-05 (15m: 2024-04-30..2024-05-02)"}


def test_every_pair_left_out_has_its_reason(tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD", "15m", stretch(START, 10 * 96, M15))
    write(tmp_path, "ETH-USD", "1h", stretch(START, 10 * 24, H1))
    write(tmp_path, "LTC-USD", "15m", stretch(START + 50 * DAY_MS, 96, M15))
    write(tmp_path, "SOL-USDC", "15m", stretch(START, 10 * 96, M15))
    write(tmp_path, "XRP-USD", "15m", stretch(START, 5 * 96, M15))
    source = open_folder(tmp_path, M15, FLOOR, START + DAY_MS, START + 9 * DAY_MS)
    assert (source.quote, symbols(source)) == ("USD", ["BTC-USD"])
    assert reasons(source) == {
        "ETH-USD": "finest data is 1h, the base bar is 15m",
        "LTC-USD": "no data in 2024-03-02..2024-03-10 (15m: 2024-04-20..2024-04-21)",
        "SOL-USDC": "quoted in USDC, the account is in USD",
        "XRP-USD": "no unbroken data through 2024-03-02..2024-03-10 (15m: 2024-03-01..2024-03-06)",
    }


def test_a_window_is_half_open_and_read_only(tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD", "15m", stretch(START, 96, M15))
    source = open_folder(tmp_path, M15, FLOOR)
    window = source.candles("BTC-USD", START + M15, START + 4 * M15)
    assert [int(ms) for ms in window.open_ms] == [START + k * M15 for k in (1, 2, 3)]
    assert len(source.candles("BTC-USD", START - DAY_MS, START).open_ms) == 0
    with pytest.raises(ValueError, match="read-only"):
        window.close[0] = 1  # type: ignore[index]
    with pytest.raises(DataUnavailable, match="DOGE-USD"):
        source.candles("DOGE-USD", START, START + M15)


# --- identity -------------------------------------------------------------------------------------------------------


def test_appended_candles_and_another_span_keep_the_fingerprint(tmp_path: Path) -> None:
    rows = stretch(START, 20 * 96, M15)
    write(tmp_path, "BTC-USD", "15m", rows[: 10 * 96])
    before = open_folder(tmp_path, M15, FLOOR).fingerprint
    write(tmp_path, "BTC-USD", "15m", rows)
    assert open_folder(tmp_path, M15, FLOOR).fingerprint == before
    assert open_folder(tmp_path, M15, FLOOR, START + DAY_MS, START + 3 * DAY_MS).fingerprint == before


def test_another_first_bar_or_another_pair_is_another_fingerprint(tmp_path: Path) -> None:
    rows = stretch(START, 96, M15)
    write(tmp_path / "a", "BTC-USD", "15m", rows)
    write(tmp_path / "b", "BTC-USD", "15m", [bar(START, 99.0), *rows[1:]])
    write(tmp_path / "c", "BTC-USD", "15m", rows)
    write(tmp_path / "c", "ETH-USD", "15m", rows)
    assert len({open_folder(tmp_path / name, M15, FLOOR).fingerprint for name in "abc"}) == 3


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_missing_or_empty_folder_says_what_the_layout_is(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataUnavailable) as refused:
            open_folder(folder, M15, FLOOR)
        assert "<BASE-QUOTE>/<granularity>.parquet" in refused.value.remedy


def test_a_folder_of_venues_is_refused_with_their_names(tmp_path: Path) -> None:
    for venue in ("binance", "coinbase"):
        write(tmp_path / venue, "BTC-USD", "15m", stretch(START, 96, M15))
    with pytest.raises(DataUnavailable, match="folders of venues") as refused:
        open_folder(tmp_path, M15, FLOOR)
    assert str(tmp_path / "binance") in refused.value.remedy
    assert str(tmp_path / "coinbase") in refused.value.remedy


def test_a_broken_file_and_a_missing_column_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a", "BTC-USD", "15m", stretch(START, 96, M15))
    (tmp_path / "a" / "BTC-USD" / "5m.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataUnavailable, match=r"5m\.parquet cannot be read"):
        open_folder(tmp_path / "a", M15, FLOOR)
    write(tmp_path / "b", "BTC-USD", "15m", stretch(START, 96, M15))
    path = tmp_path / "b" / "BTC-USD" / "15m.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["volume"]), path)
    with pytest.raises(DataUnavailable, match="no column volume"):
        open_folder(tmp_path / "b", M15, FLOOR)


def test_when_no_pair_is_left_the_reasons_and_the_spans_are_told(tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD", "15m", stretch(START, 96, M15))
    with pytest.raises(DataUnavailable, match="BTC-USD: no data in 2020-01-01") as refused:
        open_folder(tmp_path, M15, FLOOR, parse_utc("2020-01-01"), parse_utc("2020-02-01"))
    assert "2024-03-01..2024-03-02" in refused.value.remedy
    write(tmp_path / "daily", "BTC-USD", "1d", stretch(START, 30, DAY_MS))
    with pytest.raises(DataUnavailable, match="as fine as the base bar, 15m") as coarse:
        open_folder(tmp_path / "daily", M15, FLOOR)
    assert "cycle.base_bar_min in policy.yaml" in coarse.value.remedy
    write(tmp_path / "empty", "BTC-USD", "15m", [])
    with pytest.raises(DataUnavailable, match="has no bar in its files"):
        open_folder(tmp_path / "empty", M15, FLOOR)


def test_when_every_bar_is_bad_the_most_common_reason_is_told_and_no_other_period(tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD", "15m", [(*row[:5], float("nan")) for row in stretch(START, 96, M15)])
    with pytest.raises(DataUnavailable, match="15m: 96 bad, most of them no_volume") as refused:
        open_folder(tmp_path, M15, FLOOR)
    assert refused.value.remedy == f"trader data check --data {tmp_path}"
    dust = [(row[0], 1e-12, 1e-12, 1e-12, 1e-12, 1.0) for row in stretch(START, 96, M15)]
    write(tmp_path / "dust", "BTC-USD", "15m", dust)
    with pytest.raises(DataUnavailable, match="15m: 96 bad, most of them too small or too large to count"):
        open_folder(tmp_path / "dust", M15, FLOOR)


# --- real candles ---------------------------------------------------------------------------------------------------


@needs_data
def test_august_2024_on_coinbase_has_four_pairs_and_reasons_for_the_others() -> None:
    source = open_folder(SHARED / "data" / "coinbase", M15, FLOOR, parse_utc("2024-08-01"), parse_utc("2024-08-09"))
    assert symbols(source) == ["ADA-USD", "BTC-USD", "ETH-USD", "SOL-USD"]
    others = ("ATOM", "AVAX", "BCH", "DOGE", "DOT", "LINK", "LTC", "MATIC", "SHIB", "UNI", "XLM", "XRP")
    assert list(reasons(source)) == [f"{base}-USD" for base in others]
    assert reasons(source)["SHIB-USD"] == "finest data is 1h, the base bar is 15m"
    assert reasons(source)["ATOM-USD"] == "no data in 2024-08-01..2024-08-09 (1m: 2023-11-25..2024-01-05)"
    assert source.first_ms == parse_utc("2024-05-03")
    assert source.end_ms == parse_utc("2024-08-09")
    assert len(source.candles("BTC-USD", parse_utc("2024-08-01"), parse_utc("2024-08-09")).open_ms) == 8 * 96


@needs_data
def test_without_a_span_coinbase_ends_with_its_newest_segment() -> None:
    source = open_folder(SHARED / "data" / "coinbase", M15, FLOOR)
    assert source.end_ms == parse_utc("2025-07-01")
    assert source.first_ms == parse_utc("2024-04-18T16:30")
    assert "BTC-USD" in symbols(source)
    assert reasons(source)["LINK-USD"] == "finest data in the days before 2025-07-01 is 30m, the base bar is 15m"


@needs_data
def test_published_minutes_resample_to_what_python_adds_up() -> None:
    folder = SHARED / "data" / "coinbase"
    since, until = parse_utc("2023-12-20"), parse_utc("2023-12-21")
    candles = open_folder(folder, M15, FLOOR, since, until).candles("BTC-USD", since, until)
    table = pq.read_table(folder / "BTC-USD" / "1m.parquet").to_pydict()
    bars: dict[int, list[float]] = {}
    for ts, close in zip(table["ts"], table["close"], strict=True):
        at_ms = round(ts.timestamp() * 1000)
        if since <= at_ms < until:
            bars.setdefault(at_ms // M15 * M15, []).append(close)
    assert [int(ms) for ms in candles.open_ms] == sorted(bars)
    assert np.asarray(candles.close).tolist() == [round(bars[ms][-1] * 100) for ms in sorted(bars)]


@needs_data
def test_known_bad_ticks_are_dropped_and_named() -> None:
    source = open_folder(SHARED / "data" / "badticks" / "cryptocompare", H1, FLOOR)
    assert any("dropped as bad" in line and "(7)" in line for line in source.warnings)
    assert any("AVAX-USD 1h: dropped as bad: bars 2022-11-11 21:00" in line for line in source.warnings)
    candles = everything(source, "AVAX-USD")
    columns = [np.asarray(column) for column in (candles.low, candles.open, candles.close, candles.high)]
    assert np.all(columns[0] <= np.minimum(columns[1], columns[2]))
    assert np.all(columns[3] >= np.maximum(columns[1], columns[2]))


@needs_data
def test_the_whole_data_folder_is_refused_with_the_venues_named() -> None:
    with pytest.raises(DataUnavailable) as refused:
        open_folder(SHARED / "data", M15, FLOOR)
    assert "coinbase" in refused.value.remedy
