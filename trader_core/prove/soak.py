"""A year of minutes in one account: nothing may grow but what must be kept for ever, and nothing may become slower.

The whole program on the sample market, closed and opened again after each of its days, with `trader retain` in between
as its timer has it. Goes on where it was stopped.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from trader_core.bootstrap import open_system
from trader_core.engine.run import cycles
from trader_core.prove import witness
from trader_core.prove.proved import Figure, Proved, Violation
from trader_core.prove.sim.drawn import QUICK, write_settings
from trader_core.retention import retained
from trader_core.settings.edit import Value, edited
from trader_core.settings.environment import Environment
from trader_core.settings.load import load
from trader_core.settings.locate import defaults
from trader_core.settings.options import Options
from trader_core.store.files import StateFiles
from trader_core.store.sqlite import SqliteStore

NAME = "soak"
CLAIM = "An account of a year of minutes is as quick, as small and as whole as one of a few days."
DAY = 1_440  # cycles
DAYS_KEPT = 2  # of decisions, in the state itself
FACTS_BYTES = 3_072  # what a quiet cycle may leave for ever: three rows, in pages that moving leaves half full
RECORD_BYTES = 4_096  # and until it is moved
SLACK_BYTES = 4 << 20
GROWS_PCT = 10  # of memory and of time, from the first tenth to the last
PAGE_KB = 4
SEED = 58
EDITS: dict[str, Value] = {
    **QUICK, "policy.cycle.base_bar_min": 1, "app.retention.decisions_days": DAYS_KEPT,
    "strategies.rules.enabled": False, "strategies.sma_cross.enabled": True, "strategies.sma_cross.fast_bars": 30,
    "strategies.sma_cross.slow_bars": 240, "signals.guards.outlier_bars": 20,
}  # fmt: skip
BASES = {"tier_1_core": ("BTC", "ETH"), "tier_2_rotational": (), "tier_3_event_driven": ()}
YARD_EVERY = 16  # cycles; beside them a fixed piece of work is timed, for machines have other things to do as well
YARD = {"a": list(range(200)), "b": {str(n): n / 7 for n in range(200)}}
Leg = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    cycles: int
    work: Path
    leg: int = DAY


def campaign(asked: Asked, stop: Callable[[], bool], progress: Callable[[int, int], object]) -> Proved:
    """Leg by leg, up to so many cycles of the account in `work`."""
    began_s, legs = perf_counter(), list(_done(asked.work))
    asked.work.mkdir(parents=True, exist_ok=True)
    if not (asked.work / "config").exists():
        _configure(asked.work / "config")
    while (lived := legs[-1]["cycles"] if legs else 0) < asked.cycles and not stop():
        legs.append(_lived(asked, min(lived + asked.leg, asked.cycles)))
        with (asked.work / "legs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(legs[-1]) + "\n")
        progress(legs[-1]["cycles"], asked.cycles)
    return _proved(asked, legs, perf_counter() - began_s)


def _configure(folder: Path) -> None:
    settings = load(defaults())
    tiers = settings.universe.tiers
    named = {tier: getattr(tiers, tier).model_copy(update={"bases": bases}) for tier, bases in BASES.items()}
    universe = settings.universe.model_copy(update={"tiers": tiers.model_copy(update=named)})
    write_settings(folder, edited(settings.model_copy(update={"universe": universe}), EDITS))


def _done(work: Path) -> Iterator[Leg]:
    if (work / "legs.jsonl").exists():
        yield from map(json.loads, (work / "legs.jsonl").read_text(encoding="utf-8").splitlines())


def _lived(asked: Asked, until: int) -> Leg:
    """One leg, and what it left."""
    options = Options(
        state=asked.work / "state", config=asked.work / "config", mode="PAPER", venue="simulated", seed=SEED,
        environment=Environment(None, None, True),
    )  # fmt: skip
    spent, yards, filled = list[float](), list[float](), 0
    with open_system(options) as system:
        left = until - system.journal.book.cycles
        running = cycles(system.ports, system.policy, system.journal, lambda: False, left)
        while True:
            began_s = process_time()
            report = next(running, None)
            if report is None:
                break
            spent.append((process_time() - began_s) * 1_000)
            filled += len(report.fills)
            if report.cycle_id % YARD_EVERY == 0:
                yards.append(_yard_ms())
    files = StateFiles(options.state_directory, "PAPER")
    retained(options)
    return {
        "cycles": until, "ms": median(spent) if spent else 0.0,
        "yard_ms": median(yards) if yards else 1.0, "fills": filled, "rss_kb": _resident_kb(),
        "bytes": _used(files.state), "stale": _stale(files.state),
    }  # fmt: skip


def _yard_ms() -> float:
    began_s = process_time()
    for _ in range(4):
        json.loads(json.dumps(YARD))
    return (process_time() - began_s) * 1_000


def _resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_KB


def _used(state: Path) -> int:
    """Bytes of pages in use: a database file does not get smaller, its room is used again."""
    store = SqliteStore(state, None)
    try:
        pages, free, size = (
            store.query(f"PRAGMA {one}")[0][0] for one in ("page_count", "freelist_count", "page_size")
        )
    finally:
        store.close()
    return int((pages - free) * size)


def _stale(state: Path) -> int:
    """Decisions that are older than is kept and still stand in the state."""
    store = SqliteStore(state, None)
    try:
        oldest = "(SELECT max(at_ms) FROM journal) / 86400000 * 86400000 - ? * 86400000"
        asked = f"SELECT count(*) FROM journal WHERE kind = 'decided' AND body <> '' AND at_ms < {oldest}"  # noqa: S608
        return int(store.query(asked, DAYS_KEPT)[0][0])
    finally:
        store.close()


def _proved(asked: Asked, legs: Sequence[Leg], took_s: float) -> Proved:
    tenth = max(len(legs) // 10, 1)
    first, last = legs[:tenth], legs[-tenth:]
    early_ms, late_ms = (median(one["ms"] for one in part) if part else 0.0 for part in (first, last))
    early, late = (median(one["ms"] / one["yard_ms"] for one in part) if part else 0.0 for part in (first, last))
    early_kb, late_kb = (part[-1]["rss_kb"] if part else 0 for part in (first, last))
    lived = legs[-1]["cycles"] if legs else 0
    allowed = bound(lived)
    journal = asked.work / "state" / "paper.db"
    words = [f"row {one}" for one in witness.chain_breaks(journal)] if legs else []
    words += [f"a cycle took {early:.2f} yards at first and {late:.2f} at last"] if grows(early, late) else []
    words += [f"{early_kb} kB of memory after a tenth and {late_kb} kB at last"] if grows(early_kb, late_kb) else []
    words += [
        f"after {one['cycles']} cycles {one['bytes']} bytes" for one in legs if one["bytes"] > bound(one["cycles"])
    ]
    words += [f"after {one['cycles']} cycles {one['stale']} old decisions" for one in legs if one["stale"]]
    again = f"trader prove soak --cycles {asked.cycles} --work {asked.work}"
    figures: dict[str, Figure] = {
        "cycles": lived, "legs": len(legs), "fills": sum(one["fills"] for one in legs),
        "first_tenth_ms": round(early_ms, 3), "last_tenth_ms": round(late_ms, 3),
        "first_tenth_yards": round(early, 2), "last_tenth_yards": round(late, 2),
        "memory_after_a_tenth_kb": early_kb, "memory_at_last_kb": late_kb,
        "database_bytes": legs[-1]["bytes"] if legs else 0, "database_bound_bytes": allowed,
    }  # fmt: skip
    violations = [Violation(f"cycle {lived}", one, again) for one in words]
    return Proved(NAME, CLAIM, figures, violations, took_s, finished=lived >= asked.cycles)


def bound(lived: int) -> int:
    """What facts alone leave for ever, and whole records for the days that are kept and the one that is running."""
    return lived * FACTS_BYTES + min(lived, (DAYS_KEPT + 2) * DAY) * RECORD_BYTES + SLACK_BYTES


def grows(early: float, late: float) -> bool:
    return late > early * (100 + GROWS_PCT) / 100
