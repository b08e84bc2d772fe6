"""Builds what a test needs to drive the program: a folder of candles, a configuration, a state; then runs it."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from tests.calm import CALM
from trader_core.bootstrap import open_system
from trader_core.desk import move_cash, open_desk, open_state
from trader_core.domain.clocktime import MINUTE_MS, EpochMs, parse_utc
from trader_core.domain.facts import Fact
from trader_core.domain.values import replace
from trader_core.engine.cycle import CycleReport
from trader_core.engine.run import cycles
from trader_core.ports import Ports
from trader_core.report.why import SymbolAnswer, answer
from trader_core.settings.options import Options
from trader_core.settings.schema import FILES

CONFIG = Path(__file__).parents[1] / "config"
BAR_MS = 15 * MINUTE_MS
START = "2024-03-04"  # a Monday
ENOUGH = 1e6  # volume of a bar that never limits a fill

# A short cross, a wide band and no minimum, so that a scenario needs a handful of bars.
QUICK = {
    **CALM,
    "strategies.sma_cross.fast_bars": 2,
    "strategies.sma_cross.slow_bars": 3,
    "strategies.sma_cross.stop_pct": 5,
    "strategies.sma_cross.target_pct": 50,
}
BEFORE = 120  # bars of the first price before START, so that every window is known


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


def bar_of(price: float | Bar, before: float, volume: float = ENOUGH) -> Bar:
    """A number is a close: the bar opens where the last one closed and spans both, and one cent more (the tick)."""
    if isinstance(price, Bar):
        return price
    return Bar(before, max(before, price) + 0.01, min(before, price) - 0.01, price, volume)


@dataclass
class World:
    """One scenario's files under `root`. One that `restarts` closes the program after every cycle and opens it anew;
    what is `fixed` of the configuration stands, whatever the scenario asks for."""

    root: Path
    edits: dict[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    restarts: bool = False
    bar_min: int = 15
    wired: Callable[[Ports], Ports] = lambda ports: ports  # other ports than production's, where a scene needs them

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def bar_ms(self) -> int:
        return self.bar_min * MINUTE_MS

    def market(self, before_bars: int = BEFORE, volume: float = ENOUGH, **series: Series) -> "World":
        """Write candles in USD: one keyword per coin, closes or bars from START on, after bars at the first price.
        The regime is read from the first coin where there is no BTC."""
        first_ms, step_ms = parse_utc(START), self.bar_ms
        for base, prices in series.items():
            before = next(p.open if isinstance(p, Bar) else p for p in prices if p is not None)
            rows = [(first_ms - n * step_ms, bar_of(before, before, volume)) for n in range(before_bars, 0, -1)]
            for n, price in enumerate(prices):
                if price is not None:
                    bar = bar_of(price, before, volume)
                    rows.append((first_ms + n * step_ms, bar))
                    before = bar.close
            write_candles(self.data / f"{base}-USD" / f"{self.bar_min}m.parquet", rows)
        if "BTC" not in series:
            self.edits.setdefault("signals.regime.base", next(iter(series)))
        return self

    def configured(self, **edits: Any) -> "World":
        """Copy the shipped configuration with QUICK and these edits; `a__b__c` names the key a.b.c."""
        self.edits |= {key.replace("__", "."): value for key, value in edits.items()}
        bar = {"policy.cycle.base_bar_min": self.bar_min}
        write_config(self.config, {**QUICK, **bar, **self.edits, **self.fixed})
        return self

    def options(self, **changed: Any) -> Options:
        if not self.config.exists():
            self.configured()
        base = Options(state=self.state, config=self.config, mode="PAPER", venue="simulated", data=self.data)
        return replace(base, **{"since_ms": parse_utc(START) + 4 * self.bar_ms, **changed})

    def run(self, limit: int | None = None, **changed: Any) -> list[CycleReport]:
        """Every cycle of the data, through the production composition root."""
        options = self.options(**changed)
        at_once = 1 if self.restarts else limit
        told, done = self._opened(options, at_once), list[CycleReport]()
        while told:
            done += told
            told = [] if not self.restarts or len(done) == limit else self._opened(options, at_once)
        return done

    def _opened(self, options: Options, limit: int | None) -> list[CycleReport]:
        with open_system(options) as system:
            return list(cycles(self.wired(system.ports), system.policy, system.journal, lambda: False, limit))

    def system(self, **changed: Any) -> Any:
        return open_system(self.options(**changed))

    def tell(self, *facts: Fact) -> None:
        """Write into the account's journal as a command does, between two cycles."""
        with open_desk(self.options()) as desk:
            desk.journal.record(desk.at_ms, facts)

    def move_cash(self, amount: int) -> None:
        """Deposit (above zero) or withdraw between two cycles."""
        move_cash(self.options(), Decimal(amount), "moved by a test")

    def facts(self) -> list[Any]:
        """The journal as a reading command sees it, chain verified."""
        with open_state(self.options(mode=None)) as (store, _):
            return list(store.facts())

    def why(self, cycle: int, symbol: str) -> SymbolAnswer:
        """What `why` says of a symbol in a cycle, from the facts on disk."""
        told = answer(self.facts(), cycle)
        assert told
        return next(one for one in told.symbols if one.symbol == symbol)


def write_candles(path: Path, rows: Sequence[tuple[int, Bar]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Any] = {"ts": pa.array([at for at, _ in rows], pa.timestamp("ms", "UTC"))}
    for name in ("open", "high", "low", "close", "volume"):
        columns[name] = pa.array([getattr(bar, name) for _, bar in rows], pa.float64())
    pq.write_table(pa.table(columns), path)


def write_config(directory: Path, edits: Mapping[str, Any]) -> None:
    """The shipped files with some keys changed; values are written as YAML would."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        own = {key: value for key, value in edits.items() if key.split(".")[0] == name}
        written = f"{name} {own}"
        if written not in _edited:
            _edited[written] = _with(name, own)
        (directory / f"{name}.yaml").write_text(_edited[written])


_edited: dict[str, str] = {}  # most tests change most of the files in the same way as others


def _with(name: str, edits: Mapping[str, Any]) -> str:
    content, text = shipped(name)
    if not edits:
        return text
    content = deepcopy(content)
    for key, value in edits.items():
        put(content, key.split(".")[1:], value)
    return as_yaml(content)


@cache
def shipped(name: str) -> tuple[Any, str]:
    """What the file holds, and the same written plainly."""
    content = yaml.load((CONFIG / f"{name}.yaml").read_text(), yaml.CSafeLoader)
    return content, as_yaml(content)


def as_yaml(content: Any) -> str:
    text: str = yaml.dump(content, Dumper=yaml.CSafeDumper)
    return text


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
