"""Builds what a test needs to drive the program: a folder of candles, a configuration, a state; then runs it."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from trader_core.bootstrap import open_state, open_system
from trader_core.domain.clocktime import EpochMs, parse_utc
from trader_core.engine.cycle import CycleReport
from trader_core.engine.run import cycles
from trader_core.settings.options import Options

CONFIG = Path(__file__).parents[1] / "config"
BAR_MS = 15 * 60_000
START = "2024-03-04"  # a Monday
ENOUGH = 1e6  # volume of a bar that never limits a fill

# A short cross, a wide band and no minimum, so that a scenario needs a handful of bars.
QUICK = {
    "strategies.sma_cross.fast_bars": 2,
    "strategies.sma_cross.slow_bars": 3,
    "strategies.sma_cross.stop_pct": 5,
    "strategies.sma_cross.target_pct": 50,
    "signals.windows.max_missing_bars": 1,
}


@dataclass(frozen=True)
class Bar:
    """One bar; `None` in a series is a bar that the venue did not send."""

    open: float
    high: float
    low: float
    close: float
    volume: float = ENOUGH


Price = float | Bar | None
Series = Sequence[Price]


def bar_of(price: float | Bar, before: float) -> Bar:
    """A number is a close: the bar opens where the last one closed and spans both, and one cent more (the tick)."""
    if isinstance(price, Bar):
        return price
    return Bar(before, max(before, price) + 0.01, min(before, price) - 0.01, price)


@dataclass
class World:
    """One scenario's files under `root`."""

    root: Path
    edits: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def config(self) -> Path:
        return self.root / "config"

    def market(self, **series: Series) -> "World":
        """Write 15 minute candles in USD: one keyword per coin, closes or bars from START on."""
        for base, prices in series.items():
            rows: list[tuple[int, Bar]] = []
            before = next(p.open if isinstance(p, Bar) else p for p in prices if p is not None)
            for n, price in enumerate(prices):
                if price is not None:
                    bar = bar_of(price, before)
                    rows.append((parse_utc(START) + n * BAR_MS, bar))
                    before = bar.close
            write_candles(self.data / f"{base}-USD" / "15m.parquet", rows)
        return self

    def configured(self, **edits: Any) -> "World":
        """Copy the shipped configuration with QUICK and these edits; `a__b__c` names the key a.b.c."""
        self.edits |= {key.replace("__", "."): value for key, value in edits.items()}
        write_config(self.config, {**QUICK, **self.edits})
        return self

    def options(self, **changed: Any) -> Options:
        if not self.config.exists():
            self.configured()
        base = Options(state=self.state, config=self.config, mode="PAPER", venue="simulated", data=self.data)
        return replace(base, **{"since_ms": parse_utc(START) + 4 * BAR_MS, **changed})

    def run(self, limit: int | None = None, **changed: Any) -> list[CycleReport]:
        """Every cycle of the data, through the production composition root."""
        with open_system(self.options(**changed)) as system:
            return list(cycles(system.ports, system.policy, system.journal, lambda: False, limit))

    def system(self, **changed: Any) -> Any:
        return open_system(self.options(**changed))

    def facts(self) -> list[Any]:
        """The journal as a reading command sees it, chain verified."""
        with open_state(self.options(mode=None)) as (store, _):
            return list(store.facts())


def write_candles(path: Path, rows: Sequence[tuple[int, Bar]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Any] = {"ts": pa.array([at for at, _ in rows], pa.timestamp("ms", "UTC"))}
    for name in ("open", "high", "low", "close", "volume"):
        columns[name] = pa.array([getattr(bar, name) for _, bar in rows], pa.float64())
    pq.write_table(pa.table(columns), path)


def write_config(directory: Path, edits: Mapping[str, Any]) -> None:
    """The shipped files with some keys changed; values are written as YAML would."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for name in ("app", "policy", "universe", "signals", "strategies"):
        content = yaml.safe_load((CONFIG / f"{name}.yaml").read_text())
        for key, value in edits.items():
            if key.split(".")[0] == name:
                put(content, key.split(".")[1:], value)
        (directory / f"{name}.yaml").write_text(yaml.safe_dump(content))


def put(content: Any, path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        content = content[part]
    content[path[-1]] = value


def outcomes(reports: Sequence[CycleReport], symbol: str) -> list[str]:
    """What became of a symbol, cycle by cycle."""
    found = [next(j.outcome for j in r.decision.judgements if j.symbol == symbol) for r in reports if r.decision]
    return found


def sent(reports: Sequence[CycleReport]) -> list[tuple[str, str, str]]:
    """(symbol, role, reason) of every order, in order."""
    return [(o.symbol, o.role.value, o.reason) for r in reports if r.decision for o in r.decision.orders]


def at(bar: int) -> EpochMs:
    """Closing time of the bar with that index."""
    return EpochMs(parse_utc(START) + (bar + 1) * BAR_MS)
