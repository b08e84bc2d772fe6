"""A backtest cannot flatter: no order meets a bar that was known when it was made, what is unclear in a bar is taken
against us, the future changes no past, and the same question has the same answer everywhere."""

import importlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.make import BAR_MS, START, TinyMarket, instrument, market, policy
from tests.laws.markets import LIVELY, markets
from trader_core.domain.fill import Side
from trader_core.domain.values import replace
from trader_core.engine.compiled import CACHE_VARIABLE, cache_directory
from trader_core.engine.replay import Replayed, World, replay, replay_world, world_of
from trader_core.rulebook import codes
from trader_core.settings.schema import Settings

LISTED = (instrument("BTC-USD"), instrument("ETH-USD"), instrument("DOGE-USD"))
BARS = 60
END = START + BARS * BAR_MS
ROOT = Path(__file__).parents[2]
LONG_REPORT = "ignore::hypothesis.errors.HypothesisWarning"  # of a failure that prints a whole market


@st.composite
def policies(draw: st.DrawFn) -> Settings:
    """Every kind of order, near stops and targets, floors of volume, and a regime of a few hours."""
    trailing = draw(st.booleans())
    return policy(
        **LIVELY,
        policy__orders__maker_ttl_bars=draw(st.sampled_from([0, 1, 3])),
        policy__orders__maker_max_reprices=draw(st.integers(0, 1)),
        policy__orders__limit_band_bps=draw(st.sampled_from([0.0, 100.0, 1000.0])),
        policy__exits__use_trailing_stop=trailing,
        policy__exits__trailing_stop_pct=0.5,
        policy__risk__max_day_loss_pct=50,
        app__paper__max_share_of_volume_pct=draw(st.sampled_from([0.01, 100.0])),
        app__paper__slippage__tier_1_bps=draw(st.sampled_from([0.0, 5.0])),
        universe__tiers__tier_2_rotational__min_day_volume_quote=draw(st.sampled_from([0, 5_000_000])),
        universe__hysteresis__recall_h=20,
    )


# --- fills ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Open:
    """An order as it was asked for: the row of its decision, and its fields."""

    row: int
    fields: Any

    @property
    def trigger(self) -> int:
        return int(self.fields[codes.TRIGGER])


@dataclass(frozen=True)
class Met:
    """An order and a bar that it was open in; what was filled of it there: time and ticks, or None."""

    instrument: int
    slot: int
    order: Open
    row: int
    filled: tuple[int, int] | None


def meetings(done: Replayed) -> list[Met]:
    """Every order with every bar from its decision's own row until it was canceled or done."""
    fills = {(row, i, slot): (at_ms, ticks) for row, i, slot, _, ticks, _, _, at_ms, _, _ in done.filled.tolist()}
    found, resting = list[Met](), dict[tuple[int, int], Open]()
    asked = done.asked.tolist()
    for row in range(len(done.at_ms)):
        found += [Met(i, slot, order, row, fills.pop((row, i, slot), None)) for (i, slot), order in resting.items()]
        for at, action, i, slot, *fields in asked:
            if at == row:
                resting.pop((i, slot), None)
                if action == codes.PLACE:
                    resting[i, slot] = Open(row, fields)
    assert fills == {}, "every fill is of an order that was asked for before"
    return found


def bars_of(source: TinyMarket, done: Replayed) -> list[dict[int, list[int]]]:
    """Of each instrument: opening time -> open, high, low, close, volume."""
    return [{int(bar[0]): bar[1:].tolist() for bar in source.series[one.symbol]} for one in done.instruments]


@pytest.mark.filterwarnings(LONG_REPORT)
def test_a_fill_is_of_a_later_bar_at_a_price_that_bar_had_or_a_worse_one() -> None:
    seen: set[str] = set()

    @given(markets(LISTED, BARS), policies())
    @examples(30)
    def holds(source: TinyMarket, settings: Settings) -> None:
        done = replay(source, settings, START, END)
        bars = bars_of(source, done)
        for one in meetings(done):
            if one.filled is not None:
                (at_ms, ticks), kind = one.filled, int(one.order.fields[codes.KIND])
                decided_ms, close_ms = int(done.at_ms[one.order.row]), int(done.at_ms[one.row])
                opened, high, low, *_ = bars[one.instrument][close_ms - BAR_MS]
                assert decided_ms <= close_ms - BAR_MS <= at_ms <= close_ms
                assert_no_better_than_the_bar(one, kind, ticks, opened, high, low)
                seen.add(f"{codes.KINDS[kind]} {codes.SLOTS[one.slot]}")

    holds()
    assert seen >= {"MAKER ENTRY", "TAKER ENTRY", "TAKER EXIT", "STOP STOP"}


def assert_no_better_than_the_bar(one: Met, kind: int, ticks: int, opened: int, high: int, low: int) -> None:
    """A maker at its own price, and only where the market went beyond it; everything else at the open or worse."""
    if kind == codes.MAKER:
        assert ticks == one.order.fields[codes.LIMIT] and low < ticks
    elif one.slot == codes.ENTRY:
        assert ticks >= opened
    else:
        assert ticks <= opened
        assert one.slot == codes.EXIT or low <= one.order.trigger >= ticks


@pytest.mark.filterwarnings(LONG_REPORT)
def test_a_stop_that_a_bar_touches_is_always_executed_in_it() -> None:
    touched = 0

    @given(markets(LISTED, BARS), policies())
    @examples(20)
    def holds(source: TinyMarket, settings: Settings) -> None:
        nonlocal touched
        done = replay(source, settings, START, END)
        bars = bars_of(source, done)
        sold: set[tuple[int, int]] = set()
        for one in meetings(done):
            bar = bars[one.instrument].get(int(done.at_ms[one.row]) - BAR_MS)
            if (
                one.slot == codes.STOP
                and bar
                and bar[2] <= one.order.trigger
                and (one.instrument, one.order.row) not in sold
            ):
                assert one.filled is not None
                sold.add((one.instrument, one.order.row))
                touched += 1

    holds()
    assert touched > 20


FALLING = {
    "the low first or the high first, nobody knows": (10_000, 12_000, 8_000, 11_900),
    "it opens above the target": (11_900, 12_000, 8_000, 11_900),
    "it opens below the stop": (8_500, 12_000, 8_000, 11_900),
}


@pytest.mark.parametrize("way", FALLING)
def test_of_a_stop_and_a_target_within_one_bar_the_stop_is_what_happened(way: str) -> None:
    """Bought at some 10,000 with a stop 5 % below and a target 10 % above; the bar sees both."""
    closes = [10_000] * 205 + [10_100, 10_200, 10_150, 10_150]
    rows = [(START + (n - 200) * BAR_MS, p, p + 60, p - 120, p, 10**12) for n, p in enumerate(closes)]
    last_ms = rows[-1][0] + BAR_MS
    rows += [(last_ms, *FALLING[way], 10**12), (last_ms + BAR_MS, 11_900, 11_900, 11_900, 11_900, 10**12)]
    settings = policy(
        strategies__sma_cross__fast_bars=2, strategies__sma_cross__slow_bars=5,
        strategies__sma_cross__stop_pct=5.0, strategies__sma_cross__target_pct=10.0,
    )  # fmt: skip
    done = replay(market(LISTED[:1], {"BTC-USD": rows}), settings, START, last_ms + 2 * BAR_MS)
    bought, sold = done.fills[0], done.fills[-1]
    assert (bought.side, sold.side, sold.reason) == (Side.BUY, Side.SELL, "stop")
    assert sold.at_ms == last_ms + BAR_MS
    assert sold.price <= min(bought.price * 95 / 100, FALLING[way][0] * LISTED[0].tick)


# --- the future changes no past ---------------------------------------------------------------------------------------


def poisoned(world: World, cut: int, seed: int) -> World:
    """The world with other bars after that row: absurd prices and volumes, or none."""
    rng, frame = np.random.default_rng(seed), world.frame
    shape = frame.close[cut + 1 :].shape
    present = rng.random(shape) < 0.7
    price, volume = rng.choice([1, 40, 10**6], shape), rng.choice([0, 1, 2**30], shape)
    later: dict[str, Any] = {name: np.where(present, price, 0) for name in ("open", "high", "low", "close")}
    later |= {"volume": np.where(present, volume, 0), "present": present}
    parts: dict[str, Any] = {
        name: np.concatenate([getattr(frame, name)[: cut + 1], part]) for name, part in later.items()
    }
    return replace(world, frame=replace(frame, **parts))


def until(done: Replayed, row: int) -> dict[str, Any]:
    """All that was seen, thought, asked for and done up to and with a row."""
    listed = {name: getattr(done, name) for name in ("judged", "asked", "filled")}
    by_row = {name: getattr(done, name)[: row + 1].tolist() for name in ("worth", "regime", "close")}
    return by_row | {name: part[part[:, 0] <= row].tolist() for name, part in listed.items()}


@pytest.mark.filterwarnings(LONG_REPORT)
def test_whatever_comes_later_what_was_eligible_the_regime_and_all_that_was_done_stay_the_same() -> None:
    verdicts: set[int] = set()
    regimes: set[int] = set()

    @given(markets(LISTED, BARS, torn=True), policies(), st.integers(0, BARS - 2), st.integers(0, 2**32))
    @examples(30)
    def holds(source: TinyMarket, settings: Settings, row: int, seed: int) -> None:
        world = world_of(source, settings, START, END)
        real = until(replay_world(world, settings), row)
        assert until(replay_world(poisoned(world, world.first + row, seed), settings), row) == real
        verdicts.update(verdict for *_, verdict in real["judged"])
        regimes.update(real["regime"])

    holds()
    assert {codes.Verdict.OK, codes.Verdict.INELIGIBLE} <= verdicts and len(regimes) > 2


# --- the same everywhere ----------------------------------------------------------------------------------------------

# Runs before the program. Who it is that asks for the time is told by the profiler, which sees each call into C.
GUARD = """
import datetime, sys, threading, time

CLOCKS = {time.time, time.time_ns, time.localtime, time.gmtime, time.ctime, time.strftime, time.asctime}
MOMENTS = {"now", "today", "utcnow"}
OURS = ("trader_core", "cli")


def watch(frame, event, called):
    if event == "c_call" and frame.f_globals.get("__name__", "").split(".")[0] in OURS:
        owner = getattr(called, "__self__", None)
        moment = isinstance(owner, type) and issubclass(owner, datetime.date) and called.__name__ in MOMENTS
        if called in CLOCKS or moment:
            raise AssertionError(f"the wall clock: {called.__name__}")


def no_network(event, arguments):
    if event.startswith("socket."):
        raise AssertionError(f"the network: {event}")


sys.addaudithook(no_network)
threading.setprofile(watch)
sys.setprofile(watch)
"""
TRIED = """
import datetime, socket, sys, time
from sitecustomize import watch

ours = {**globals(), "__name__": "cli.commands.planted"}


def tried(what):
    try:
        exec(what, ours)
    except AssertionError as seen:
        print(seen)
    sys.setprofile(watch)


"""
TRIES = ("time.time()", "time.time_ns()", "datetime.datetime.now()", "datetime.date.today()", "socket.socket()")
SPAN = ("--from", "2024-03-01", "--to", "2024-03-07")
MIN_TRADES = 3


def run(home: Path, words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """A process that knows nothing of ours but where the compiled law is kept."""
    kept = cache_directory()
    known = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    known |= {CACHE_VARIABLE: str(kept.parents[2])} if kept else {}
    return subprocess.run(
        [sys.executable, *words], cwd=home, env=known | environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def report(home: Path, **environment: str) -> bytes:
    """What `trader backtest` writes in such a world."""
    home.mkdir(parents=True)
    done = run(
        home, ["-c", "from cli.main import main; main()", "backtest", *SPAN, "--out", "report.json"], **environment
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    return (home / "report.json").read_bytes()


def guarded(folder: Path) -> str:
    """A path on which Python finds the guard before anything else."""
    (folder / "sitecustomize.py").write_text(GUARD)
    return f"{folder}{os.pathsep}{ROOT}"


def vector_units() -> str:
    """What numpy would choose by the processor it finds, for it to do without."""
    numpy: Any = importlib.import_module("numpy._core._multiarray_umath")
    return " ".join(name for name in numpy.__cpu_dispatch__ if numpy.__cpu_features__.get(name))


def test_another_process_another_place_and_another_processor_write_the_same_bytes(tmp_path: Path) -> None:
    """And they do so without a clock and without a network."""
    here = report(tmp_path / "a", PYTHONHASHSEED="0", TZ="UTC", LANG="C", NUMBA_NUM_THREADS="1")
    elsewhere = report(
        tmp_path / "b" / "deeper",
        PYTHONHASHSEED="4242",
        TZ="Pacific/Chatham",
        LANG="de_DE.UTF-8",
        LC_ALL="tr_TR.UTF-8",
        NUMBA_NUM_THREADS="2",
        OMP_NUM_THREADS="2",
        NPY_DISABLE_CPU_FEATURES=vector_units(),
        PYTHONPATH=guarded(tmp_path),
    )
    assert here == elsewhere
    assert here.count(b'"exit_reason"') >= MIN_TRADES, "a report without trades proves nothing"


def test_the_guard_that_proves_this_sees_a_clock_and_a_network(tmp_path: Path) -> None:
    script = TRIED + "\n".join(f"tried({one!r})" for one in TRIES)
    seen = run(tmp_path, ["-c", script], PYTHONPATH=guarded(tmp_path)).stdout.splitlines()
    assert [one.partition(":")[0] for one in seen] == ["the wall clock"] * 4 + ["the network"]
