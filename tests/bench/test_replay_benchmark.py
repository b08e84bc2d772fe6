"""The benchmark measures the same work: its plain loops and the law agree, fill by fill, on whatever the files hold."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import cases, data, replay
from trader_core.domain.clocktime import HOUR_MS, MINUTE_MS
from trader_core.engine.replay import Replayed
from trader_core.rulebook import codes

MINUTES, INSTRUMENTS = 12_000, 7


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data.make(tmp_path_factory.mktemp("market"), MINUTES, INSTRUMENTS)


def job(market: Path, name: str, bars: int | None = None) -> replay.Job:
    case = cases.CASES[name]
    return replay.job_of(cases.read(cases.files_of(market, case), case.base_bar_min * MINUTE_MS, bars), case)


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_every_fill_of_the_law_is_one_of_the_exact_loop(market: Path, name: str) -> None:
    work = job(market, name)
    (done,) = replay.replays_of(work)
    assert len(done.filled) > 20
    assert fills_of(work, done) == sorted(replay.exact_fills(work)[1].tolist())
    assert set(done.judged[:, 3].tolist()) <= {codes.Verdict.OK, codes.Verdict.MAX_POSITIONS}


def fills_of(work: replay.Job, done: Replayed) -> list[list[int]]:
    """As the exact loop writes them."""
    row = done.filled[:, 0] + work.worlds[0].first - work.lead
    buys = (done.filled[:, 2] == codes.ENTRY).astype(np.int64)
    return sorted(np.column_stack((row, done.filled[:, 1], buys, done.filled[:, 3:6])).tolist())


def test_positions_are_capped_in_case_b_alone(market: Path) -> None:
    refused = {name: _refused(job(market, name)) for name in ("a", "b")}
    assert refused["a"] == 0 < refused["b"]


def _refused(work: replay.Job) -> int:
    (done,) = replay.replays_of(work)
    return int((done.judged[:, 3] == codes.Verdict.MAX_POSITIONS).sum())


def test_the_loops_agree_on_every_way_to_be_stopped(tmp_path: Path) -> None:
    work = job(_falls(tmp_path, "UP"), "a")
    (done,) = replay.replays_of(work)
    ticks, stopped = done.filled[:, 4], done.filled[:, 8] == codes.BY_STOP
    by_venue = done.filled[:, 2] == codes.STOP
    assert {9_000, 12_800} < set(ticks[stopped].tolist())
    assert set(ticks[stopped & by_venue].tolist()) == {9_000, 9_501}
    assert fills_of(work, done) == sorted(replay.exact_fills(work)[1].tolist())
    assert cases.outcome_of(done) == replay.exact_fills(work)[0]


def test_of_equals_the_first_are_bought(tmp_path: Path) -> None:
    work = job(_falls(tmp_path, *"ABCDEFG"), "b")
    (done,) = replay.replays_of(work)
    assert {row[1] for row in fills_of(work, done)} == set(range(cases.CAP))
    assert fills_of(work, done) == sorted(replay.exact_fills(work)[1].tolist())


def _falls(folder: Path, *names: str) -> Path:
    """Three ways to lose: a wick through the stop, an opening below it, and a close below it in the bar that bought,
    before a stop rests anywhere, after which the price is back above it."""
    calm = np.concatenate((np.full(60, 100.0), np.linspace(100.01, 101, 60), np.full(60, 101.0)))
    leap = np.concatenate((np.full(60, 100.0), [130.0, 121.0], np.full(58, 128.0), np.full(60, 101.0)))
    close = np.round(np.tile(np.concatenate((calm, calm, leap)), 4), 2)
    opened = np.concatenate((close[:1], close[:-1]))
    opened[280::540], opened[422::540] = 90.0, 128.0
    low = np.minimum(opened, close)
    low[100::540] = 90.0
    bars = data.Walk(opened, np.maximum(opened, close), low, close, np.full(len(close), 1e4))
    for name in names:
        data.write(folder / "1m" / f"{name}-USD.parquet", bars, MINUTE_MS)
    return folder


@pytest.mark.parametrize("name", ["a", "c", "sweep"])
def test_a_result_has_everything_and_agrees_with_its_loops(market: Path, tmp_path: Path, name: str) -> None:
    found = _result(market, tmp_path / "result.json", "--case", name, "--combos", "3")
    assert {"n_bars", "trades", "pnl", "load_s", "cold_s", "warm_s", "warm_cpu_s", "rss_mb", "judged", "gates"} <= {
        *found
    }
    assert found["n_bars"] == (MINUTES // 60 * INSTRUMENTS if name == "c" else MINUTES)
    loop, exact = found["loop"], found["loop"]["exact"]
    assert found["trades"] == exact["trades"] == loop["trades"] > 10
    assert found["pnl"] == pytest.approx(exact["pnl"], rel=1e-6)
    assert found["pnl"] == pytest.approx(loop["pnl"], rel=1e-3)
    assert found["judged"] >= found["trades"] and found["gates"] == codes.GATE_COUNT


def _result(market: Path, out: Path, *arguments: str) -> dict[str, Any]:
    assert replay.main(["--data", str(market), "--reps", "1", "--out", str(out), *arguments]) == 0
    written: dict[str, Any] = json.loads(out.read_text())
    return written


def test_only_so_many_bars_are_replayed(market: Path, tmp_path: Path) -> None:
    found = _result(market, tmp_path / "result.json", "--case", "a", "--bars", "3000")
    assert found["n_bars"] == 3_000


def test_bars_in_which_nothing_is_bought_are_replayed_too(market: Path, tmp_path: Path) -> None:
    found = _result(market, tmp_path / "result.json", "--case", "a", "--bars", "100")
    assert (found["trades"], found["pnl"]) == (0, 0.0)


def test_a_trade_is_of_a_thousand(market: Path) -> None:
    (done,) = replay.replays_of(job(market, "c"))
    bought = done.filled[done.filled[:, 2] == codes.ENTRY][:, 5] / 1e8
    assert bought == pytest.approx(1_000.0, rel=0.02)
    assert np.median(bought) == pytest.approx(1_000.0, rel=1e-4)


@pytest.mark.parametrize("kind", ["ms", "ns", "whole ms", "whole ns"])
def test_times_are_read_in_whichever_unit_they_were_written(market: Path, tmp_path: Path, kind: str) -> None:
    file = market / "1h" / "BTC-USD.parquet"
    table = pq.read_table(file)
    moments = table["ts"].cast(pa.timestamp(kind[-2:], tz="UTC"))
    column = moments.cast(pa.int64()) if kind.startswith("whole") else moments
    pq.write_table(table.set_column(0, "ts", column), tmp_path / "BTC-USD.parquet")
    assert np.array_equal(cases.times(tmp_path / "BTC-USD.parquet"), cases.times(file))


def test_what_no_file_says_is_a_flat_bar_and_is_counted(market: Path, tmp_path: Path) -> None:
    table = pq.read_table(market / "1h" / "BTC-USD.parquet")
    pq.write_table(pa.concat_tables([table[:10], table[12:]]), tmp_path / "BTC-USD.parquet")
    bars = cases.read([tmp_path / "BTC-USD.parquet"], HOUR_MS)
    assert bars.filled == 2 and bars.rows == table.num_rows
    assert {float(each[11, 0]) for each in (bars.open, bars.high, bars.low, bars.close)} == {table["close"][9].as_py()}
    assert bars.volume[11, 0] == 0.0


def test_the_first_instrument_is_the_first_that_the_folder_names(market: Path, tmp_path: Path) -> None:
    case = cases.CASES["a"]
    assert [file.stem for file in cases.files_of(market, case)] == ["BTC-USD"]
    unnamed = tmp_path / "1m"
    unnamed.mkdir()
    for symbol in ("B", "A"):
        (unnamed / f"{symbol}.parquet").write_bytes(b"")
    assert [file.stem for file in cases.files_of(tmp_path, case)] == ["A"]


def test_a_tick_and_a_lot_are_fine_and_their_products_fit(market: Path) -> None:
    world = job(market, "b").worlds[0]
    for i, one in enumerate(world.instruments):
        price = int(world.frame.close[:, i].max())
        lots = 2_000 / (float(one.lot) * price * float(one.tick))
        assert lots * price < 2**62 and lots > 1e5


def test_cost_that_is_linear_has_a_slope_of_one() -> None:
    assert replay.slope([(100, 2.0), (1_000, 20.0), (10_000, 200.0)]) == pytest.approx(1.0)
    assert replay.slope([(100, 1.0), (1_000, 100.0)]) == pytest.approx(2.0)


def test_the_same_market_is_made_again_and_only_once(market: Path, tmp_path: Path) -> None:
    file = market / "1m" / "ETH-USD.parquet"
    written = file.stat().st_mtime_ns
    assert data.make(market, MINUTES, INSTRUMENTS) == market and file.stat().st_mtime_ns == written
    again = data.make(tmp_path, MINUTES, 2)
    assert pq.read_table(again / "1m" / "ETH-USD.parquet").equals(pq.read_table(file))
