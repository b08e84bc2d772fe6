"""Whole processes, from the command line to the printed report: `trader backtest` beside another engine's script."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MAIN = "from cli.main import main; main()"


def measure(data: Path, reps: int) -> dict[str, Any]:
    """CPU seconds of each, in turn, after one for nothing: the median of `reps`. Case a, warm caches."""
    from benchmarks.cases import CASES, files_of

    file = files_of(data, CASES["a"])[0].resolve()
    with tempfile.TemporaryDirectory(prefix="whole-") as there:
        commands = {"trader": ours(file, Path(there))}
        if find_spec("raptorbt") is not None:
            commands["raptorbt"] = [sys.executable, str(Path(__file__).resolve()), str(file)]
        runs: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(reps + 1):
            for name, command in commands.items():
                runs[name].append(cpu_of(command))
        said = json.loads((Path(there) / "report.json").read_text())
    costs = {name: statistics.median(each[1:]) for name, each in runs.items()}
    return {
        "case": "whole",
        "trades": said["summary"]["total_trades"],
        "cpu_s": costs,
        "runs_cpu_s": runs,
        "ratio": costs["trader"] / costs["raptorbt"] if "raptorbt" in costs else None,
    }


def ours(file: Path, there: Path) -> list[str]:
    """The command, with a folder as `trader` reads it and the policy of case a in five files; from the first bar on."""
    from benchmarks.cases import times
    from trader_core.domain.clocktime import EpochMs, rfc3339

    pair = file.stem if "-" in file.stem else f"{file.stem.upper()}-USD"
    candles = there / "candles" / pair / f"{file.parent.name}.parquet"
    candles.parent.mkdir(parents=True)
    candles.symlink_to(file)
    write_policy(there / "config", pair.partition("-")[0])
    shared = ["--config", str(there / "config"), "--state", str(there / "state")]
    return [
        sys.executable, "-c", MAIN, "backtest", *shared, "--data", str(there / "candles"),
        "--from", rfc3339(EpochMs(int(times(file)[0]))), "--out", str(there / "report.json"),
    ]  # fmt: skip


def write_policy(folder: Path, base: str) -> None:
    import yaml

    from benchmarks.cases import CASES, validated

    folder.mkdir()
    for name, content in validated(CASES["a"], (base,)).model_dump().items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(plain(content)))


def plain(value: Any) -> Any:
    """What YAML has a word for."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return int(value) if isinstance(value, Decimal) else value


def cpu_of(command: list[str]) -> float:
    """User and system seconds of a process and its threads."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def raptorbt(file: Path) -> None:
    """The other whole process: load, signals, run, and its metrics printed. As in benchmarks.peers, without ours."""
    os.environ["RAPTORBT_NO_VERSION_CHECK"] = "1"
    import numpy as np
    import pyarrow.parquet as pq

    engine: Any = import_module("raptorbt")
    table = pq.read_table(file)
    names = ("open", "high", "low", "close", "volume")
    prices = [np.ascontiguousarray(table[name].to_numpy(), np.float64) for name in names]
    times = table["ts"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    fast, slow = engine.sma(prices[3], 10), engine.sma(prices[3], 50)
    above, known = fast > slow, ~np.isnan(slow)
    entries = above & known
    entries[0] = False
    entries[1:] &= ~above[:-1] & known[:-1]
    config = engine.BacktestConfig(initial_capital=1e9, fees=0.006, fill_timing="next_bar_open")
    config.set_fixed_stop(0.05)
    budget = engine.InstrumentConfig(alloted_capital=1_000.0)
    found = engine.run_single_backtest(times, *prices, entries, known & ~above, config=config, instrument_config=budget)
    print(json.dumps(found.metrics.to_dict(), default=str))
    print(len(found.trades()))


if __name__ == "__main__":
    raptorbt(Path(sys.argv[1]))
