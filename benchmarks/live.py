"""What a live cycle costs over a venue that answers after 50 ms: from the lock to the report, and as a whole process.

Sixteen instruments on the loopback venue, a warm store of candles. The venue shares this machine's cores. Beside it, in
the same run, what bare Python costs to start.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.program import START
from tests.cli.rehearsal import Rehearsal, sim_served
from tests.ops.ntp import ntp_servers
from trader_core.bootstrap import open_system
from trader_core.engine.run import cycles
from trader_core.settings.options import Options

LATENCY_MS = 50
WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--processes", type=int, default=20)
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, rehearsed(Path(folder)) as live:
        for _ in range(WARM_UP):
            cycle_ms(live)
        inside, whole, bare = [], [], []
        for turn in range(max(wanted.cycles, wanted.processes)):  # in turn: what slows the machine slows all three
            if turn < wanted.cycles:
                inside.append(cycle_ms(live))
            if turn < wanted.processes:
                a_minute_passes(live)
                whole.append(process_ms(live, [*START, "run-cycle"]))
                bare.append(process_ms(live, [sys.executable, "-c", "pass"]))
        asked = requests_of(live)
    found = {
        "cycles": len(inside), "latency_ms": LATENCY_MS,
        "cycle_ms": spread(inside), "run_cycle_ms": spread(whole), "bare_python_ms": spread(bare),
        "process_over_cycle_ms": round(statistics.median(whole) - statistics.median(inside), 1),
        "requests_of_a_cycle": asked,
    }  # fmt: skip
    text = json.dumps(found, indent=2)
    print(text)
    if wanted.out:
        wanted.out.write_text(text, encoding="utf-8")


@contextmanager
def rehearsed(folder: Path) -> Iterator[Rehearsal]:
    """An armed live account whose candles are there already."""
    with sim_served(folder / "venue") as sim, ntp_servers(0, 0, 0) as servers:
        live = Rehearsal(folder, sim, servers).configured()
        live.presenting(live.key).rotated()
        armed = live.inside("arm", "--max-equity", "10000000", "--expires", "24h", "--yes")
        assert armed.code == 0, armed.err
        os.environ.update(live.environment)
        cycle_ms(live)
        sim.admin("faults", replace=[{"kind": "latency", "ms": LATENCY_MS}])
        yield live


def a_minute_passes(live: Rehearsal) -> None:
    """Cycles are a bar apart: the buckets of requests are full again."""
    for one in live.state.glob("buckets.db*"):
        one.unlink()


def cycle_ms(live: Rehearsal) -> float:
    a_minute_passes(live)
    began = time.perf_counter()
    with open_system(Options(state=live.state, config=live.config)) as system:
        for report in cycles(system.ports, system.policy, system.journal, lambda: False, 1):
            assert not report.problem, report.problem
    return (time.perf_counter() - began) * 1e3


def process_ms(live: Rehearsal, words: list[str]) -> float:
    began = time.perf_counter()
    environment = {name: value for name, value in live.environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(words, env=environment, cwd=live.home, check=False, capture_output=True)
    return (time.perf_counter() - began) * 1e3


def requests_of(live: Rehearsal) -> dict[str, int]:
    """What one quiet cycle asks for, by path."""
    from trader_core.net import session

    counted: Counter[str] = Counter()
    whole = session.Http.send

    def counting(self: session.Http, method: str, path: str, **rest: object) -> session.Answer:
        counted[f"{method} {path.rsplit('/', 2)[-2] if path.endswith('candles') else path}"] += 1
        return whole(self, method, path, **rest)  # type: ignore[arg-type]

    session.Http.send = counting  # type: ignore[method-assign]
    try:
        cycle_ms(live)
    finally:
        session.Http.send = whole  # type: ignore[method-assign]
    return dict(counted)


def spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {name: round(ordered[min(int(part * len(ordered)), len(ordered) - 1)], 1) for name, part in at.items()}


if __name__ == "__main__":
    main()
