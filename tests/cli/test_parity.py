"""parity: paper and replay agree to the last unit; what is planted on one side is found, with its cause."""

import os
import re
import shutil
import signal
import sqlite3
import tempfile
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.cli.program import Done, Inside, Program
from tests.world import BAR_MS, QUICK, START, Bar, Series, World, bar_of, write_candles, write_config
from trader_core.domain.clocktime import EpochMs, parse_utc
from trader_core.domain.facts import Marked
from trader_core.prove import parity
from trader_core.store.sqlite import SqliteStore

WAVES: Series = [100 + 3 * ((n // 8) % 2) + n % 3 / 10 for n in range(112)]
KINDS = ["fill", "equity", "halt", "verdict", "cancel", "order", "cash"]


class Market:
    """A small market, its configuration, and the program in this process."""

    def __init__(self, home: Path) -> None:
        self.home, self.state = home, home / "kept"
        self.world = World(home).market(BTC=WAVES, ETH=WAVES[3:]).configured()
        self.program = Inside(home)

    def __call__(self, *words: str | Path, command: str = "parity") -> Done:
        return self.program(command, "--config", self.world.config, *words)

    def parity(self, *words: str | Path, kept: bool = True) -> Done:
        state = ("--state", self.state) if kept else ()
        return self("--data", self.world.data, "--from", "2024-03-04T01:00:00Z", *state, *words)


class Warm(Program):
    """A process of its own that finds what is compiled already."""

    @property
    def environment(self) -> dict[str, str]:
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        return {**super().environment, "XDG_CACHE_HOME": cache}


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TRADER_STATE", str(tmp_path / "of a person"))
    return Market(tmp_path)


def agreement(done: Done) -> dict[str, tuple[int, int, int]]:
    return {one["kind"]: (one["paper"], one["replay"], one["same"]) for one in done.data["agreement"]}


def causes(done: Done) -> list[tuple[int, str, str]]:
    return [(one["cycle"], one["kind"], one["cause"]) for one in done.data["differences"]]


# --- agreement -------------------------------------------------------------------------------------------------------


def test_paper_and_replay_agree_and_nothing_is_left_behind(market: Market) -> None:
    before = set(market.home.iterdir())
    done = market.parity("--json", kept=False)
    assert done.code == 0 and done.document["schema"] == "trader.parity/v1"
    counts = agreement(done)
    assert list(counts) == KINDS
    assert all(paper == replay == same for paper, replay, same in counts.values())
    assert all(counts[kind][0] > 4 for kind in ("fill", "equity", "verdict", "order"))
    assert {one["percent"] for one in done.data["agreement"]} == {100}
    assert (done.data["cycles"], done.data["cycles_left"], done.data["differing_cycles"]) == (109, 0, 0)
    assert done.data["state"] is None
    assert set(market.home.iterdir()) == before, "neither the temporary account nor the person's own"


@pytest.mark.parametrize("on_trip", ["hold", "cancel", "flatten"])
def test_trips_that_cool_down_by_themselves_are_the_same_one_by_one(market: Market, on_trip: str) -> None:
    market.world.configured(
        policy__halt__max_day_loss_pct=0.02, policy__halt__auto_rearm=True, policy__halt__on_trip=on_trip
    )
    done = market.parity("--json", kept=False)
    assert done.code == 0, done.data["differences"][:3]
    assert agreement(done)["halt"][0] > 3
    counted = market("--data", market.world.data, "--from", "2024-03-04T01:00:00Z", "--json", command="backtest")
    moves = counted.data["halts"]
    assert [one["state"] for one in moves[:1]] == ["COOLING_DOWN"] and "loss of the day" in moves[0]["reason"]
    page = market("--data", market.world.data, "--from", "2024-03-04T01:00:00Z", command="backtest").out
    assert "halted: " in page and "loss of the day" in page


def test_the_page_of_an_agreement(market: Market) -> None:
    done = market.parity("--cycles", "40")
    assert (done.code, done.err) == (0, "")
    assert "40 cycles, 69 cycles left" in done.out
    assert "nothing differs, to the last unit" in done.out
    assert re.search(r"^verdict +(\d+) +\1 +\1 +100.00 %$", done.out, re.MULTILINE)


def test_the_sample_market_agrees(market: Market) -> None:
    done = market("--cycles", "60", "--seed", "7", "--json")
    assert (done.code, done.data["cycles"], done.data["cycles_left"]) == (0, 60, 36)


def test_money_that_came_and_went_is_in_both(market: Market) -> None:
    market.parity("--cycles", "20", "--json")
    for command, amount in (("deposit", "2500.50"), ("withdraw", "1000")):
        done = market.program("paper", command, amount, "--state", market.state, "--config", market.world.config)
        assert done.code == 0, done.err
    done = market.parity("--json")
    assert done.code == 0, done.data["differences"][:3]
    assert Decimal(done.data["cash"]["paper"]) > 10_000, "some of it is invested"


# --- where it goes on ------------------------------------------------------------------------------------------------


def test_a_kept_account_goes_on_and_ends_like_one_that_never_stopped(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = market.parity("--json", kept=False)
    monkeypatch.setattr(parity, "LEG_CYCLES", 17)
    left = [market.parity("--cycles", "35", "--json").data["cycles_left"] for _ in range(3)]
    last = market.parity("--json")
    assert left == [74, 39, 4]
    assert last.data | {"state": None} == whole.data
    assert len(list(market.state.glob("kept-*"))) == 1, "one copy is enough"


@pytest.mark.parametrize("leg", [8, 1_000])
def test_a_cycle_that_was_cut_after_its_decision_is_lived_again_from_the_copy(
    market: Market, leg: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain account would not decide its entries once more, and would not send what was never sent."""
    monkeypatch.setattr(parity, "LEG_CYCLES", leg)
    market.parity("--cycles", "20", "--json")
    store = SqliteStore.writing(market.state / "paper.db", "")
    with closing(store):
        store.append(21, 0, [Marked(EpochMs(parse_utc(START) + 24 * BAR_MS), None, ())])
    again = market.parity("--cycles", "1", "--json")
    assert again.code == 0
    assert again.data["cycles"] == (17 if leg == 8 else 1)
    assert market.parity("--json").code == 0


def test_a_set_back_that_was_cut_is_done_again(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "LEG_CYCLES", 8)
    market.parity("--cycles", "20", "--json")
    (market.state / "paper.db").unlink()
    (market.state / "kept-24.part").mkdir()
    assert market.parity("--cycles", "1", "--json").data["cycles"] == 17


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    program = Warm(tmp_path)
    words = ("parity", "--state", program.state, "--to", "2024-01-09")
    running = program.start(*words)
    deadline = time.monotonic() + 60
    while closed(program.state) < 25 and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    before = closed(program.state)
    done = program(*words, "--cycles", "20", "--json")
    assert (done.code, running.returncode) == (0, -signal.SIGKILL)
    assert done.data["cycles"] in (20, before + 20), "from where it was, or from the beginning"


def closed(state: Path) -> int:
    if not (state / "paper.db").exists():
        return 0
    with closing(sqlite3.connect(f"{(state / 'paper.db').as_uri()}?mode=ro", uri=True)) as db:
        try:
            return int(db.execute("SELECT count(*) FROM cycles").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def test_a_signal_lets_the_comparison_be_told(tmp_path: Path) -> None:
    program = Warm(tmp_path)
    running = program.start("parity", "--state", program.state, "--to", "2024-02-01", "--json")
    deadline = time.monotonic() + 60
    while closed(program.state) < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=60)
    told = Done(running.returncode, out, "")
    assert running.returncode == 143
    assert told.data["cycles"] >= 10 and told.data["differing_cycles"] == 0 and told.data["cycles_left"] > 0


# --- what it refuses -------------------------------------------------------------------------------------------------


def test_somebodys_account_is_never_touched(market: Market) -> None:
    market.state.mkdir()
    (market.state / "paper.db").write_text("theirs")
    done = market.parity("--json")
    assert done.code == 13 and "was not made by trader parity" in done.err
    assert [one.name for one in market.state.iterdir()] == ["paper.db"]
    assert (market.state / "paper.db").read_text() == "theirs"


def test_an_account_does_not_begin_elsewhere(market: Market) -> None:
    market.parity("--cycles", "5", "--json")
    words = ("--data", market.world.data, "--state", market.state)
    assert market(*words, "--from", "2024-03-04T03:00:00Z").code == 2
    assert market(*words, "--cycles", "1", "--json").data["cycles"] == 6, "without --from it goes on"


def test_a_period_without_a_decision_is_no_proof(market: Market) -> None:
    done = market("--data", market.world.data, "--from", "2024-03-05T03:46:00Z", "--to", "2024-03-05T03:50:00Z")
    assert done.code == 2 and "the period is empty" in done.err


# --- what is planted is found ----------------------------------------------------------------------------------------


def test_other_fees_are_found_in_the_first_fill_that_paid_them(market: Market) -> None:
    market.parity("--cycles", "30", "--json")
    write_config(market.home / "other", {**QUICK, **market.world.edits, "app.paper.maker_fee_bps": 59})
    done = market.program(
        "parity", "--config", market.home / "other", "--data", market.world.data, "--from", "2024-03-04T01:00:00Z",
        "--state", market.state, "--json",
    )  # fmt: skip
    assert done.code == 60 and not done.document["ok"]
    first = done.data["differences"][0]
    assert (first["kind"], first["cause"]) == ("fill", "fill")
    assert "fee " in first["paper"] and "fee " in first["replay"] and first["paper"] != first["replay"]
    assert (first["cycle"], "equity", "fill") in causes(done), "the equity follows"
    paper, replay, same = agreement(done)["fill"]
    assert same < paper == replay


def test_a_difference_keeps_the_account_and_names_the_command_that_explains_it(market: Market) -> None:
    market.parity("--cycles", "40", "--json")
    spoil(market.world.data, bar=20, close=150.0)
    done = market.parity()
    assert done.code == 60
    hint = next(line for line in done.out.splitlines() if "why?" in line).partition("trader ")[2].split()
    told = market.program(*hint)
    assert told.code == 0 and told.out.splitlines()[1].startswith(f"{hint[1]} in cycle {hint[3]}")


def test_candles_that_were_changed_afterwards_are_the_cause(market: Market) -> None:
    market.parity("--cycles", "40", "--json")
    spoil(market.world.data, bar=20, close=150.0)
    done = market.parity("--json")
    first = done.data["differences"][0]
    assert (first["cycle"], first["kind"], first["cause"], first["symbol"]) == (18, "data", "data", "BTC-USD")
    assert first["paper"] != first["replay"] and "sma_cross" in first["paper"]


def test_fills_that_the_venue_changed_afterwards_are_found(market: Market) -> None:
    """A venue's file is not ours to trust: here it pays out one cent more than it should."""
    market.parity("--cycles", "6", "--json")
    with closing(sqlite3.connect(market.state / "paper.venue.db")) as db:
        db.execute("UPDATE balances SET available = available + 1000000 WHERE asset = 'USD'")
        db.commit()
    done = market.parity("--json")
    assert done.code == 60, "cash that nobody sent is a discrepancy, and closes entries on paper alone"
    assert {one["cause"] for one in done.data["differences"][:1]} == {"decision"}


def test_what_a_person_did_is_named(market: Market) -> None:
    market.parity("--cycles", "10", "--json")
    assert market.program("pause", "--reason", "lunch", "--state", market.state).code == 0
    done = market.parity("--json")
    assert done.code == 60
    assert done.document["warnings"] == ["cycle 11: the account was paused (lunch), and no replay was"]
    assert done.data["differences"][0]["paper"] == "verdict PAUSED"


def spoil(data: Path, bar: int, close: float) -> None:
    """Another close in one bar of bitcoin."""
    path = data / "BTC-USD" / "15m.parquet"
    rows: list[Any] = pq.read_table(path).to_pylist()
    out = []
    for row in rows:
        at_ms = int(row["ts"].timestamp() * 1000)
        same = Bar(row["open"], row["high"], row["low"], row["close"], row["volume"])
        hit = at_ms == parse_utc(START) + bar * BAR_MS
        out.append((at_ms, bar_of(close, row["open"]) if hit else same))
    write_candles(path, out)
    shutil.rmtree(data / "cache", ignore_errors=True)
