"""Many seeds, on all cores asked for, and goes on where it was stopped."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

from trader_core.prove.places import quick_place
from trader_core.prove.proved import Figure, Proved, Violation
from trader_core.prove.sim.life import lived
from trader_core.settings.locate import defaults

NAME = "sim"
CLAIM = "Whatever market, venue, policy and operator a seed draws: no order twice, no cap passed, no halt forgotten."
TOLD = (
    "cycles", "venue orders", "fills", "starts", "deaths", "full disk", "twins", "kills", "resets", "policy", "cash",
    "manual trades", "rejects", "lost sends", "late sends", "lost cancels", "repeated fills", "unread markets",
    "stale quotes", "clock",
)  # fmt: skip
Line = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """Seeds from `first` on, each of so many cycles. What is done already stands in `work`."""

    first: int
    seeds: int
    cycles: int
    work: Path
    workers: int = 1
    until_wrong: bool = False  # the first life that is wrong is the last


def campaign(asked: Asked, stop: Callable[[], bool], progress: Callable[[int, int], object]) -> Proved:
    """Every seed that is asked for and not done yet; what failed before is told again."""
    asked.work.mkdir(parents=True, exist_ok=True)
    began_s, wanted = perf_counter(), range(asked.first, asked.first + asked.seeds)
    lines = {one["seed"]: one for one in _done(asked) if one["seed"] in wanted}
    left = [seed for seed in wanted if seed not in lines]
    for line in _lived(asked, left, stop):
        lines[line["seed"]] = line
        with _file(asked).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        progress(len(lines), asked.seeds)
        if asked.until_wrong and line["wrong"]:
            break
    spent_s = sum(one["took_s"] for one in lines.values()) / asked.workers  # what was lived before took its time too
    return proved_of(asked, list(lines.values()), max(perf_counter() - began_s, spent_s))


def _file(asked: Asked) -> Path:
    return asked.work / f"lived-{asked.cycles}.jsonl"


def _done(asked: Asked) -> Iterator[Line]:
    """Lines of earlier runs; one that a kill cut short does not count."""
    if _file(asked).exists():
        for text in _file(asked).read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(text)
            except ValueError:
                continue


def _lived(asked: Asked, seeds: list[int], stop: Callable[[], bool]) -> Iterator[Line]:
    """As they come to an end. One alone is lived in this very process."""
    if asked.workers < 2 or len(seeds) < 2:
        for seed in seeds:
            if stop():
                return
            yield one(seed, asked.cycles, asked.work)
        return
    with ProcessPoolExecutor(asked.workers, mp_context=get_context("spawn")) as pool:
        left, running = iter(seeds), set[Future[Line]]()
        while True:
            while not stop() and len(running) < asked.workers and (seed := next(left, -1)) >= 0:
                running.add(pool.submit(one, seed, asked.cycles, asked.work))
            if not running:
                return
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for each in ended:
                yield each.result()


def one(seed: int, cycles: int, work: Path) -> Line:
    """One seed's line. Where something is wrong its files stay, in `work`."""
    place = quick_place(f"trader-sim-{seed}-")
    began_s = _cpu_s()
    try:
        found = lived(seed, cycles, defaults(), place)
        if found.wrong:
            shutil.copytree(place, work / f"seed-{seed}", dirs_exist_ok=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    took_s = round(_cpu_s() - began_s, 3)
    return {"seed": seed, "wrong": found.wrong, "counts": found.counts, "head": found.head, "took_s": took_s}


def _cpu_s() -> float:
    """Of this process and of those that it waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def proved_of(asked: Asked, lines: list[Line], took_s: float) -> Proved:
    counts, cpu_s = Counter[str](), sum(one["took_s"] for one in lines)
    for line in lines:
        counts.update(line["counts"])
    figures: dict[str, Figure] = {"seeds": len(lines), "cycles_each": asked.cycles}
    figures |= {what.replace(" ", "_"): counts[what] for what in TOLD}
    figures |= {
        "cycles_per_second_and_core": round(counts["cycles"] / cpu_s) if cpu_s else 0,
        "cores": os.cpu_count() or 0,
    }
    violations = [
        Violation(
            f"seed {line['seed']}", words, f"trader prove sim --seed {line['seed']} --seeds 1 --cycles {asked.cycles}"
        )
        for line in sorted(lines, key=lambda line: int(line["seed"]))
        for words in line["wrong"]
    ]
    return Proved(NAME, CLAIM, figures, violations, took_s, finished=len(lines) == asked.seeds)


def keep(file: Path, proved: Proved) -> None:
    """Seeds that failed, for ever: each is a line `SEED CYCLES` of a file that the suite replays."""
    kept = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    known = {tuple(line.split()[:2]) for line in kept}
    failed = dict.fromkeys(one.at.removeprefix("seed ") for one in proved.violations)
    cycles = str(proved.figures["cycles_each"])
    file.write_text("\n".join([*kept, *(f"{seed} {cycles}" for seed in failed if (seed, cycles) not in known)]) + "\n")
