"""`telemetry.db`: nothing is lost between processes, it has a bound, and nobody depends on it."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from trader_core.domain.errors import StateUnusable
from trader_core.domain.telemetry import CYCLE, NEWEST, Batch, Sample, Series
from trader_core.report.metrics import series
from trader_core.store.telemetry import NAME, TelemetryStore

CYCLES: Series = series("trader_cycles_total", outcome="ok")
EQUITY: Series = series("trader_equity_quote")


def batch(*times: float, equity: float = 1.0) -> Batch:
    return Batch(1_000, {CYCLES: 1}, [Sample(CYCLE, ms, n) for n, ms in enumerate(times)], {EQUITY: equity})


def test_counts_grow_levels_are_replaced_and_modes_are_apart(tmp_path: Path) -> None:
    for equity in (1.0, 2.5):
        with closing(TelemetryStore(tmp_path)) as store:  # a process each
            store.add("LIVE", batch(3.0, 70_000.0, equity=equity))
    with closing(TelemetryStore(tmp_path)) as store:
        store.add("PAPER", batch())
        live, paper = store.measured("LIVE"), store.measured("PAPER")
        assert (live.at_ms, live.counts, live.levels) == (1_000, {CYCLES: 2}, {EQUITY: 2.5})
        assert (live.durations[CYCLE].count, live.durations[CYCLE].total_ms) == (4, 140_006.0)
        assert (paper.counts, paper.durations) == ({CYCLES: 1}, {})


def test_the_newest_samples_are_kept_and_no_more(tmp_path: Path) -> None:
    made = [float(n) for n in range(NEWEST + 250)]
    with closing(TelemetryStore(tmp_path)) as store:
        for since in range(0, len(made), 50):
            store.add("LIVE", batch(*made[since : since + 50]))
        assert list(store.newest("LIVE", CYCLE)) == made[: -NEWEST - 1 : -1]
        assert store.newest("LIVE", CYCLE, 3) == (1249.0, 1248.0, 1247.0)
        assert store.newest("LIVE", "stage send") == store.newest("PAPER", CYCLE) == ()
        assert store.measured("LIVE").durations[CYCLE].count == len(made)
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        assert db.execute("SELECT count(*) FROM samples").fetchone() == (NEWEST,)


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    def work(_: int) -> None:
        with closing(TelemetryStore(tmp_path, patience_ms=20_000)) as store:
            for _ in range(20):
                store.add("LIVE", batch(1.0))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    with closing(TelemetryStore(tmp_path)) as store:
        assert store.measured("LIVE").counts == {CYCLES: 80}
        assert store.measured("LIVE").durations[CYCLE].count == 80


def test_a_file_of_other_bounds_begins_anew(tmp_path: Path) -> None:
    with closing(TelemetryStore(tmp_path)) as store:
        store.add("LIVE", batch(1.0))
        with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as db:
            db.execute("UPDATE durations SET counts = '[1, 2]'")
        store.add("LIVE", batch(2.0))
        assert store.measured("LIVE").durations[CYCLE].total_ms == 2.0


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database at all" * 300)


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("spoil", [_garbage, _folder])
def test_what_cannot_be_read_says_so_and_what_to_do(tmp_path: Path, spoil: object) -> None:
    assert callable(spoil)
    spoil(tmp_path / NAME)
    with closing(TelemetryStore(tmp_path)) as store, pytest.raises(StateUnusable) as told:
        store.add("LIVE", batch(1.0))
    assert "delete" in told.value.remedy
    assert "cycles go on" in told.value.safe


def test_where_nothing_was_measured_there_is_nothing(tmp_path: Path) -> None:
    with closing(TelemetryStore(tmp_path)) as store:
        assert (store.measured("LIVE").at_ms, store.newest("LIVE", CYCLE)) == (0, ())
    assert not (tmp_path / NAME).exists()
