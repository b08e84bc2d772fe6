"""What a cycle costs: CPU of quiet and busy cycles over sixteen instruments on the memory store, and start-up.

Printed beside a reference in the same run: bare `python -c pass` for start-up, one SHA-256 pass for the cycle.
"""

import cProfile
import hashlib
import pstats
import statistics
import subprocess
import sys
import time
from pathlib import Path

from trader_core.bootstrap import settings_of
from trader_core.engine.cycle import CycleReport
from trader_core.engine.run import cycles
from trader_core.settings.options import Options
from trader_core.store.files import StateFiles
from trader_core.worlds.simulated import in_memory

CYCLES = 600
STARTS = 15
OPTIONS = Options(mode="PAPER", venue="simulated", state=Path())
FILES = StateFiles(Path(), "PAPER")
HELP = "import sys; sys.argv = ['trader', '--help']; import cli.main; cli.main.main()"


def cycle_costs() -> tuple[list[float], list[float]]:
    """CPU milliseconds of (quiet cycles, busy cycles)."""
    quiet: list[float] = []
    busy: list[float] = []
    with in_memory(settings_of(OPTIONS), OPTIONS, FILES) as system:
        began = time.process_time()
        for report in cycles(system.ports, system.policy, system.journal, lambda: False, CYCLES):
            spent = (time.process_time() - began) * 1e3
            (busy if is_busy(report) else quiet).append(spent)
            began = time.process_time()
    return quiet, busy


def is_busy(report: CycleReport) -> bool:
    decision = report.decision
    return bool(report.fills or (decision and (decision.orders or decision.refusals)))


def profile() -> pstats.Stats:
    recorder = cProfile.Profile()
    with in_memory(settings_of(OPTIONS), OPTIONS, FILES) as system:
        recorder.enable()
        for _ in cycles(system.ports, system.policy, system.journal, lambda: False, CYCLES // 3):
            pass
        recorder.disable()
    return pstats.Stats(recorder).strip_dirs().sort_stats("tottime")


def reference_ms() -> float:
    """CPU of hashing 4 MiB: what this machine is worth right now."""
    began = time.process_time()
    hashlib.sha256(bytes(4 << 20)).digest()
    return (time.process_time() - began) * 1e3


def start_ms(*arguments: str) -> float:
    spent = []
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        spent.append((time.perf_counter() - began) * 1e3)
    return statistics.median(spent)


def line(name: str, costs: list[float], reference: float) -> str:
    middle = statistics.median(costs)
    worst = sorted(costs)[int(0.95 * len(costs))]
    times = f"median {middle:6.2f} ms, p95 {worst:6.2f} ms CPU over {len(costs)}"
    return f"{name:6} cycle: {times}, {middle / reference:.2f} x reference"


def main() -> None:
    reference = statistics.median(reference_ms() for _ in range(15))
    quiet, busy = cycle_costs()
    print(f"reference: SHA-256 of 4 MiB, median {reference:.2f} ms CPU")
    print(line("quiet", quiet, reference))
    print(line("busy", busy, reference))
    bare, shell = start_ms("-c", "pass"), start_ms("-c", HELP)
    print(f"start-up: trader --help median {shell:.0f} ms, bare python {bare:.0f} ms, ratio {shell / bare:.1f}")
    print("where a cycle goes (top five by own time):")
    stats = profile()
    for where in stats.fcn_list[:5]:  # type: ignore[attr-defined]
        _, calls, own, _, _ = stats.stats[where]  # type: ignore[attr-defined]
        print(f"  {own * 1e3 / (CYCLES // 3):6.3f} ms a cycle, {calls:6} calls  {where[0]}:{where[2]}")


if __name__ == "__main__":
    main()
