"""The parity campaign in small: a made market over HTTP; a candle that is not as its file has it is found."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.cli.program import Inside
from tests.world import BAR_MS, START, World
from trader_core.domain.clocktime import parse_utc, rfc3339
from trader_core.prove.recorded import read_again, recorded

PRICES = [100.0] * 4 + [101.0 + n for n in range(9)] + [95.0, 90.0, 88.0] + [101.0 + 2 * n for n in range(8)]
CYCLES = 16


def test_a_run_over_http_is_its_own_replay(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=PRICES, ETH=PRICES[2:]).configured(policy__orders__maker_ttl_bars=0)
    since_ms = parse_utc(START) + 4 * BAR_MS
    work = tmp_path / "work"
    told = list[int]()

    def some(lived: int, of: int) -> None:
        told.append(lived)

    first = recorded(world.config, world.data, work, since_ms, CYCLES, lambda: len(told) >= 6, some)
    assert (first.violations, first.finished) == ([], False)
    words = ("--data", world.data, "--from", rfc3339(since_ms), "--cycles", str(CYCLES), "--work", work, "--json")
    done = Inside(tmp_path)("prove", "parity", "--config", world.config, *words)
    assert (done.code, done.data["violations"], done.data["finished"]) == (0, [], True), done.err
    figures = done.data["figures"]
    assert (figures["cycles"], figures["of_them_not_ok"], figures["differing_cycles"]) == (CYCLES, 0, 0)
    assert int(figures["fill_same"].split()[0]) > 0
    path = world.data / "BTC-USD" / "15m.parquet"
    table = pq.read_table(path)
    closes = table["close"].to_pylist()
    closes[-10] += 0.01
    place = table.column_names.index("close")
    pq.write_table(table.set_column(place, "close", pa.array(closes, pa.float64())), path)
    kept = work / "state" / "candles"
    _, unlike = read_again(kept, world.data, since_ms, since_ms + CYCLES * BAR_MS)
    assert len(unlike) == 1
    assert "recorded otherwise" in unlike[0]
