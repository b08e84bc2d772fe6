"""What a replay costs: ours, a plain loop that knows nothing but the rule, and other engines, in turn in one run.

    python -m benchmarks.replay --data DIR --case a|b|c|sweep|linear|whole --out result.json

SMA(10) over SMA(50), long only, next-open fills, 5 % stop, 60 bps a side, $1,000 a trade, every gate asked. Warm is
from the integer frame to fills and profit, columns included.
"""

import argparse
import gc
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmarks import loops as compiled
from benchmarks import whole
from benchmarks.cases import (
    CASES,
    FAST,
    FEE_BPS,
    NO_CAP,
    NOTIONAL,
    SLOW,
    STOP_PCT,
    Bars,
    Case,
    Outcome,
    files_of,
    names_of,
    outcome_of,
    pairs_of,
    policy_of,
    read,
    started,
    units_of,
    world_of,
)
from benchmarks.peers import peers_of
from trader_core.domain.clocktime import MINUTE_MS
from trader_core.domain.money import grains_down
from trader_core.domain.values import as_dict, replace
from trader_core.engine.columns import Memo
from trader_core.engine.law import enabled_strategies, law_of
from trader_core.engine.replay import Replayed, World, replay_world
from trader_core.ledger.integers import Axes
from trader_core.market.frame import Frame
from trader_core.rulebook.codes import GATE_COUNT
from trader_core.rulebook.limits import Ints
from trader_core.settings.schema import Settings

Work = Callable[[], Outcome]
loops: Any = compiled  # to a type checker they take no arguments
BARS = {"1m": 525_600, "1h": 8_760}
COMBOS = 100
OURS, LOOP = "trader", "plain loop"
OF_BARS = ("is_whole", "highest_close", "closes_ms", "hour")
PRICES = ("open", "high", "low", "close", "volume")
LINEAR_ROWS = (6_250, 12_500, 25_000, 50_000, 100_000, 200_000, 400_000, 625_000)
LINEAR_INSTRUMENTS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Job:
    """What is replayed: each policy over its world, one policy unless it is a sweep."""

    case: Case
    combos: int
    windows: tuple[tuple[int, int], ...]
    policies: tuple[Settings, ...]
    worlds: tuple[World, ...]
    lead: int  # rows before the first of the files

    @property
    def n_bars(self) -> int:
        frame = self.worlds[0].frame
        return (frame.rows - self.lead) * len(frame.symbols)


@dataclass(frozen=True)
class Clocked:
    """Medians over some runs after a first one."""

    outcome: Outcome
    first_s: float
    warm_s: float
    warm_cpu_s: float


def job_of(bars: Bars, case: Case, combos: int = 0) -> Job:
    """A case over bars; `combos` above zero is a sweep of so many pairs of windows."""
    windows = pairs_of(combos) if combos else ((FAST, SLOW),)
    policies = tuple(policy_of(case, names_of(bars.symbols), each) for each in windows)
    world = world_of(bars, policies)
    worlds = tuple(started(world, world.first, slow) for _, slow in windows)
    return Job(case, combos, windows, policies, worlds, world.first)


def forgotten(frame: Frame) -> Frame:
    """The same market, remembering nothing of a run before but what belongs to the bars whatever the policy: that none
    is missing, how high they go, their times, and the bars of whole hours."""
    fresh, hourly = replace(frame), replace(frame.hourly)
    for one, known, names in ((fresh, frame, OF_BARS), (hourly, frame.hourly, OF_BARS[:-1])):
        vars(one).update({name: getattr(known, name) for name in names})
    vars(fresh)["hourly"] = hourly
    return fresh


def ours_of(job: Job) -> Work:
    """Over a frame that has forgotten the run before. What a sweep's policies have in common is made once, and
    its replays share the cores, as a sweep's do."""

    def work() -> Outcome:
        frame, memo = forgotten(job.worlds[0].frame), Memo() if len(job.policies) > 1 else None

        def one(n: int) -> Outcome:
            return outcome_of(replay_world(replace(job.worlds[n], frame=frame), job.policies[n], memo=memo))

        if len(job.policies) == 1:
            return one(0)
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            return added(pool.map(one, range(len(job.policies))))

    return work


def replays_of(job: Job) -> Iterator[Replayed]:
    for world, policy in zip(job.worlds, job.policies, strict=True):
        yield replay_world(world, policy)


def loop_of(bars: Bars, job: Job) -> Work:
    """The plain loop on floats."""
    prices: tuple[Any, ...] = tuple(np.ascontiguousarray(each) for each in (bars.open, bars.low, bars.close))
    if len(bars.symbols) == 1:
        prices = tuple(each[:, 0].copy() for each in prices)
    rule = (FEE_BPS / 10_000, STOP_PCT / 100, float(NOTIONAL))
    if job.combos:
        pairs = np.array(job.windows, np.int64)
        return lambda: Outcome(*loops.floats_of_pairs(*prices, pairs, *rule))
    if len(bars.symbols) == 1:
        return lambda: Outcome(*loops.floats(*prices, FAST, SLOW, *rule))
    return lambda: Outcome(*loops.floats_of_many(*prices, FAST, SLOW, *rule, job.case.cap))


def exact_fills(job: Job, n: int = 0) -> tuple[Outcome, Ints]:
    """(what the exact loop makes of a job's policy `n`, its fills with rows counted from the files' first)."""
    world, policy, (fast, slow) = job.worlds[n], job.policies[n], job.windows[n]
    law = law_of(policy, Axes(world.instruments, enabled_strategies(policy)))
    frame, lead = world.frame, job.lead
    prices = (np.ascontiguousarray(each[lead:]) for each in (frame.open, frame.low, frame.close))
    fills = np.zeros((frame.close.size, loops.FILL_FIELDS), np.int64)  # a bar fills one order at the most
    trades, grains, used = loops.exact(
        *prices, fast, slow, *units_of(world), grains_down(policy.app.paper.cash_quote), float(law.orders.position[1]),
        law.orders.band_ppm, law.costs.taker_fee_ppm, STOP_PCT * 100, job.case.cap, fills,
    )  # fmt: skip
    return Outcome(trades, grains / 1e8), fills[:used]


def added(outcomes: Iterable[Outcome]) -> Outcome:
    trades, pnl = 0, 0.0
    for one in outcomes:
        trades, pnl = trades + one.trades, pnl + one.pnl
    return Outcome(trades, pnl)


def in_turn(works: dict[str, Work], reps: int) -> dict[str, Clocked]:
    """Each once for nothing, then all of them one after the other, `reps` times."""
    first = {name: clocked(work) for name, work in works.items()}
    runs: dict[str, list[tuple[Outcome, float, float]]] = {name: [] for name in works}
    for _ in range(reps):
        for name, work in works.items():
            runs[name].append(clocked(work))
    return {
        name: Clocked(
            outcome=first[name][0],
            first_s=first[name][1],
            warm_s=statistics.median(wall for _, wall, _ in each),
            warm_cpu_s=statistics.median(cpu for _, _, cpu in each),
        )
        for name, each in runs.items()
    }


def clocked(work: Work) -> tuple[Outcome, float, float]:
    """(what it made, wall and CPU seconds), with nothing left to collect from the run before."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    outcome = work()
    return outcome, time.perf_counter() - wall, time.process_time() - cpu


def peak_mb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(data: Path, name: str, bars: int | None, reps: int | None, combos: int, peers: bool) -> dict[str, Any]:
    """One case: files to world, the first replay, and then everybody in turn."""
    case = CASES[name]
    files, step_ms = files_of(data, case), case.base_bar_min * MINUTE_MS
    bars, combos = bars or BARS[case.granularity], combos if name == "sweep" else 0
    began = time.perf_counter()
    job = job_of(read(files, step_ms, bars), case, combos)
    load_s = time.perf_counter() - began
    first = replace(job, policies=job.policies[:1], worlds=job.worlds[:1])
    cold_s, judged = clocked(ours_of(first))[1], sum(len(one.judged) for one in replays_of(job))
    rss_mb = peak_mb()
    exact = added(exact_fills(job, n)[0] for n in range(len(job.policies)))
    prices = read(files, step_ms, bars)
    others = peers_of(prices, case, combos) if peers else []
    works = {OURS: ours_of(job), LOOP: loop_of(prices, job), **{one.name: one.work for one in others}}
    runs = in_turn(works, reps or case.reps)
    ours, loop = runs[OURS], runs[LOOP]
    return {
        "case": name,
        "n_bars": job.n_bars,
        "trades": ours.outcome.trades,
        "pnl": ours.outcome.pnl,
        "load_s": load_s,
        "cold_s": cold_s,
        "warm_s": ours.warm_s,
        "warm_cpu_s": ours.warm_cpu_s,
        "rss_mb": rss_mb,
        "judged": judged,
        "gates": GATE_COUNT,
        "filled_bars": prices.filled,
        "loop": {**told(loop), "exact": as_dict(exact)},
        "ratio": ours.warm_s / loop.warm_s,
        "ratio_cpu": ours.warm_cpu_s / loop.warm_cpu_s,
        "peers": {
            one.name: {**told(runs[one.name]), "lacks": one.lacks, "ratio": ours.warm_s / runs[one.name].warm_s}
            for one in others
        },
        "versions": versions([one.name for one in others]),
    }


def told(one: Clocked) -> dict[str, Any]:
    """What was made and what it took, in one row."""
    return {**as_dict(one.outcome), "first_s": one.first_s, "warm_s": one.warm_s, "warm_cpu_s": one.warm_cpu_s}


def linear(data: Path, reps: int | None) -> dict[str, Any]:
    """One replay after the other, of more and more rows and of more and more instruments, and the slope of their cost:
    1 is linear. What the files are too short for is their reflection."""
    case = replace(CASES["b"], cap=NO_CAP)
    longest = max(LINEAR_ROWS)
    bars = lengthened(read(files_of(data, case), MINUTE_MS, longest), longest)
    widest = len(bars.symbols)
    grid = {(rows, widest) for rows in LINEAR_ROWS} | {(longest, width) for width in LINEAR_INSTRUMENTS}
    points = sorted({(rows, min(width, widest)) for rows, width in grid}, key=lambda at: at[0] * at[1])
    series = [(rows, width, alone(part(bars, rows, width), case, reps or 3)) for rows, width in points]
    by_rows = [(rows * width, cpu) for rows, width, cpu in series if width == widest]
    by_width = [(rows * width, cpu) for rows, width, cpu in series if rows == longest]
    return {
        "case": "linear",
        "points": [{"rows": rows, "instruments": width, "warm_cpu_s": cpu} for rows, width, cpu in series],
        "slope_rows": slope(by_rows),
        "slope_instruments": slope(by_width),
        "slope": slope([(rows * width, cpu) for rows, width, cpu in series]),
        "versions": versions([]),
    }


def lengthened(bars: Bars, rows: int) -> Bars:
    """So many rows, the later ones the earlier ones backwards."""
    more = ((0, 0), (0, rows - bars.rows))
    long: dict[str, Any] = {name: np.pad(getattr(bars, name).T, more, mode="symmetric").T for name in PRICES}
    return replace(bars, **long)


def part(bars: Bars, rows: int, width: int) -> Bars:
    cut: dict[str, Any] = {name: getattr(bars, name)[:rows, :width] for name in PRICES}
    return replace(bars, symbols=bars.symbols[:width], digits=bars.digits[:width], **cut)


def alone(bars: Bars, case: Case, reps: int) -> float:
    """CPU seconds of a warm replay."""
    return in_turn({OURS: ours_of(job_of(bars, case))}, reps)[OURS].warm_cpu_s


def slope(points: list[tuple[int, float]]) -> float:
    """Of a line through the logarithms of size and cost."""
    size, cost = np.log(np.array(points, np.float64)).T
    return float(np.polyfit(size, cost, 1)[0])


def versions(peers: list[str]) -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("trader", "numpy", "numba", "llvmlite", "pyarrow", *peers)},
    }


def table_of(found: dict[str, Any]) -> str:
    """Who did what in which time, and how many times as long ours took."""
    if found["case"] == "linear":
        rows = [[one["rows"], one["instruments"], one["warm_cpu_s"]] for one in found["points"]]
        fits = ", ".join(f"{name} {found[name]:.3f}" for name in ("slope_rows", "slope_instruments", "slope"))
        return tabulate(rows, headers=["rows", "instruments", "CPU s"], floatfmt=".4g") + f"\n1 is linear: {fits}"
    if found["case"] == "whole":
        rows = [[name, cpu_s, found["cpu_s"][OURS] / cpu_s] for name, cpu_s in found["cpu_s"].items()]
        return tabulate(rows, headers=["whole process", "CPU s", "ours to it"], floatfmt=".3g")
    contenders = {OURS: found, LOOP: found["loop"], **found["peers"]}
    rows = [
        [
            name, one["trades"], f"{one['pnl']:.2f}", 1e3 * one["warm_s"], 1e3 * one["warm_cpu_s"],
            found["warm_s"] / one["warm_s"], found["warm_cpu_s"] / one["warm_cpu_s"], one.get("lacks", ""),
        ]
        for name, one in contenders.items()
    ]  # fmt: skip
    headers = [f"case {found['case']}", "trades", "pnl", "ms", "CPU ms", "ours to it", "CPU", "lacks"]
    return tabulate(rows, headers=headers, floatfmt=".3g", disable_numparse=[2])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder with 1m/ and 1h/ of SYMBOL.parquet")
    parser.add_argument("--case", choices=(*CASES, "linear", "whole"), required=True)
    parser.add_argument("--out", type=Path, help="write the result there, as JSON")
    parser.add_argument("--bars", type=int, help="only the first so many rows")
    parser.add_argument("--reps", type=int, help="runs that the medians are of")
    parser.add_argument("--combos", type=int, default=COMBOS, help="pairs of windows in the sweep")
    parser.add_argument("--peers", action="store_true", help="also the other engines that are installed")
    asked = parser.parse_args(arguments)
    if asked.case == "linear":
        found = linear(asked.data, asked.reps)
    elif asked.case == "whole":
        found = whole.measure(asked.data, asked.reps or 5)
    else:
        found = measure(asked.data, asked.case, asked.bars, asked.reps, asked.combos, asked.peers)
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1))
    print(table_of(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
