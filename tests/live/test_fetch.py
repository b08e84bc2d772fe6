"""Candles of the venue into a folder: only what is missing is asked for, whatever came is kept, and holes are told."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.cli.program import Done
from tests.cli.rehearsal import Rehearsal
from tests.live.stage import Venue
from tests.ops.ntp import NtpServer
from trader_core.domain.clocktime import DAY_MS, parse_utc

CANDLES = r"/candles$"


@pytest.fixture
def visitor(venue: Venue, servers: list[NtpServer], tmp_path: Path) -> Rehearsal:
    """Somebody without a key, a grant or an account."""
    venue.anew()
    return Rehearsal(tmp_path, venue, servers).configured(mode="PAPER")


def fetch(visitor: Rehearsal, *words: str | Path) -> Done:
    return visitor.inside("data", "fetch", "--json", *words)


def day(days_ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days_ago)).strftime("%Y-%m-%d")


def test_what_is_fetched_is_what_a_backtest_reads(visitor: Rehearsal, tmp_path: Path) -> None:
    words = ("--pairs", "BTC-USD,ETH-USD", "--from", day(12), "--out", tmp_path / "mine")
    done = fetch(visitor, *words)
    assert done.code == 0, done.err
    assert [(one["pair"], one["gaps"], one["absent"]) for one in done.data["files"]] == [
        ("BTC-USD", 0, 0), ("ETH-USD", 0, 0),
    ]  # fmt: skip
    table = pq.read_table(tmp_path / "mine" / "BTC-USD" / "15m.parquet")
    stamps = table.column("ts").to_numpy().astype("datetime64[ms]").astype(np.int64)
    assert len(stamps) == done.data["files"][0]["bars"] >= 12 * 96
    assert set(np.diff(stamps)) == {15 * 60_000}
    again = fetch(visitor, *words)
    assert (again.code, again.data["calls"] <= 2) == (0, True)  # a bar may have closed since
    checked = visitor.inside("data", "check", "--data", tmp_path / "mine")
    assert checked.code == 0
    span = ("--from", day(3), "--to", day(2))
    tested = visitor.inside("backtest", "--data", tmp_path / "mine", *span, "--slow", "--json")
    assert tested.code == 0, tested.err


def test_a_bar_that_is_not_over_at_the_venue_is_not_kept_where_our_clock_says_it_is(
    visitor: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine's clock is two minutes ahead of the venue's."""
    right = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: right() + 120 * 10**9)
    words = ("--pairs", "BTC-USD", "--granularity", "1m", "--from", day(1))
    done = fetch(visitor, *words)
    assert done.code == 0, done.err
    newest = parse_utc(done.data["files"][0]["last_time"])
    assert newest + 60_000 <= right() // 10**6


def test_more_is_asked_for_only_where_something_is_missing(visitor: Rehearsal) -> None:
    span = ("--pairs", "BTC-USD", "--granularity", "1h")
    middle = fetch(visitor, *span, "--from", day(40), "--to", day(30))
    assert (middle.code, middle.data["calls"], middle.data["files"][0]["bars"]) == (0, 1, 240)
    wider = fetch(visitor, *span, "--from", day(60), "--to", day(20))
    assert (wider.code, wider.data["files"][0]["bars"], wider.data["files"][0]["gaps"]) == (0, 960, 0)
    assert wider.data["calls"] == 3  # thirty days that are missing and not the ten that are there
    apart = fetch(visitor, *span, "--from", day(5), "--to", day(4))
    assert (apart.data["files"][0]["bars"], apart.data["files"][0]["gaps"]) == (56 * 24, 0)
    assert fetch(visitor, *span, "--from", day(60), "--to", day(4)).data["calls"] == 0


def test_a_fetch_that_is_cut_short_goes_on_from_there(visitor: Rehearsal, venue: Venue) -> None:
    words = ("--pairs", "BTC-USD", "--granularity", "15m", "--from", day(20))
    venue.fault({"kind": "maintenance_html", "path": CANDLES, "after": 3})
    broken = fetch(visitor, *words)
    kept = broken.data["files"][0]["bars"]
    assert (broken.code, 600 < kept <= 900) == (30, True), broken.err
    assert f"{kept} bars are kept" in broken.err
    venue.cleared()
    whole = fetch(visitor, *words)
    assert (whole.code, whole.data["files"][0]["gaps"]) == (0, 0)
    assert whole.data["files"][0]["new"] == whole.data["files"][0]["bars"] - kept


def test_without_a_network_it_says_so_and_keeps_what_there_is(visitor: Rehearsal) -> None:
    words = ("--pairs", "BTC-USD,ETH-USD", "--from", day(3))
    assert fetch(visitor, *words).code == 0
    visitor.configured(exchange__venue_url="http://127.0.0.1:9")
    one = ("--pairs", "BTC-USD", "--from", day(3), "--granularity", "5m", "--out", visitor.home / "other")
    with ThreadPoolExecutor(2) as beside:  # each waits before it asks again
        waiting = beside.submit(visitor, "data", "fetch", *one)
        away = visitor("data", "fetch", "--json", *words, "--granularity", "1h")
    assert (away.code, [one["bars"] for one in away.data["files"]]) == (30, [0, 0])
    assert "BTC-USD: " in away.err
    assert "run it again" in waiting.result().out


def test_what_makes_no_sense_is_told(visitor: Rehearsal) -> None:
    for words, told in (
        (("--granularity", "3m"), "the venue has no bars of '3m'"),
        (("--pairs", "BTC"), "no pair: BTC"),
        (("--pairs", "BTC-USD", "--all-tiers"), "two answers to one question"),
        (("--from", day(-3)), "no closed bar between"),
        (("--venue", "simulated"), "no candles of its own"),
    ):
        done = fetch(visitor, *words)
        assert (done.code, told in done.err) == (2, True), done.err
    strange = fetch(visitor, "--pairs", "BTC-USD,NOPE-USD", "--from", day(2))
    assert (strange.code, [one["bars"] > 0 for one in strange.data["files"]]) == (32, [True, False])


def test_every_tier_is_the_default_and_the_state_the_place(visitor: Rehearsal) -> None:
    visitor.edits.update({
        "universe.tiers.tier_1_core.bases": ["BTC"], "universe.tiers.tier_2_rotational.bases": ["ETH"],
    })  # fmt: skip
    done = fetch(visitor.configured(), "--granularity", "1d")
    assert (done.code, [one["pair"] for one in done.data["files"]][:2]) == (0, ["BTC-USD", "ETH-USD"]), done.err
    assert (visitor.state / "candles" / "coinbase" / "BTC-USD" / "1d.parquet").exists()
    first_ms = min(datetime.fromisoformat(one["first_time"]).timestamp() * 1e3 for one in done.data["files"])
    now_ms = datetime.now(UTC).timestamp() * 1e3
    assert 88 * DAY_MS <= now_ms - first_ms <= 92 * DAY_MS
