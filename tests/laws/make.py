"""Builds what the laws speak about: instruments, policies, markets in memory, and a paper world around them."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from tests.calm import CALM
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, EpochMs, parse_utc
from trader_core.domain.ids import OrderIdsOf
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import Candles
from trader_core.domain.money import grains_down
from trader_core.engine.journal import Journal
from trader_core.engine.law import costs_of
from trader_core.ledger.integers import Axes
from trader_core.ports import Ports
from trader_core.rulebook.limits import Ints
from trader_core.settings.coherence import check
from trader_core.settings.load import load
from trader_core.settings.schema import Settings
from trader_core.store.memory import MemoryStore
from trader_core.venues.simulated.books import Books
from trader_core.venues.simulated.clock import VirtualClock
from trader_core.venues.simulated.venue import SimulatedVenue
from trader_core.venues.wrappers import ReadOnly

CONFIG = Path(__file__).parents[2] / "config"
BAR_MS = 15 * MINUTE_MS
START = parse_utc("2024-03-04")
STRATEGY = "sma_cross"
SHIPPED = load(CONFIG)

Row = tuple[int, int, int, int, int, int]  # open_ms, open, high, low, close, volume


def instrument(symbol: str, tick: str = "0.01", lot: str = "0.000001", floor: str = "0") -> Instrument:
    """By default one tick times one lot is one grain."""
    base, _, quote = symbol.partition("-")
    return Instrument(symbol, base, quote, Decimal(tick), Decimal(lot), Decimal(floor))


# A hundredth of a grain, one grain, a grain of the same coin in another quote, and seven and a half grains a unit.
FOUR = (
    instrument("BTC-USD", "0.01", "0.00000001"),
    instrument("BTC-USDC", "0.01", "0.000001"),
    instrument("ETH-USD", "0.01", "0.000001"),
    instrument("SHIB-USD", "0.00000003", "2.5"),
)
AXES = Axes(FOUR, (STRATEGY, "other"))


def policy(**edits: Any) -> Settings:
    """The shipped policy with some keys changed and validated again; `a__b__c` names the key a.b.c."""
    content = SHIPPED.model_dump()
    for key, value in {**{one.replace(".", "__"): value for one, value in CALM.items()}, **edits}.items():
        *path, last = key.split("__")
        block = content
        for part in path:
            block = block[part]
        block[last] = value
    changed = Settings.model_validate(content)
    assert not [clash for clash in check(changed) if clash.severity == "error"]
    return changed


@dataclass(frozen=True, repr=False)
class TinyMarket:
    """A CandleSource held in memory."""

    listed: tuple[Instrument, ...]
    series: Mapping[str, Ints]  # [bar, 6], in the order of Candles' fields
    first_ms: EpochMs
    end_ms: EpochMs | None
    bar_ms: int = BAR_MS
    quote: str = "USD"
    fingerprint: str = "tiny"
    warnings: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        return f"a market of {self.end_ms} ms"

    def instruments(self) -> tuple[Instrument, ...]:
        return self.listed

    def exclusions(self) -> tuple[Exclusion, ...]:
        return ()

    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles:
        rows = self.series[symbol]
        opens: Any = rows[:, 0]
        part: Any = rows[bisect_left(opens, since_ms) : bisect_left(opens, until_ms)]
        return Candles(*(part[:, column] for column in range(6)))

    def day_closes(self, symbol: str, days: range) -> Sequence[int]:
        """One by one, by hand."""
        found = dict.fromkeys(days, 0)
        for open_ms, *_, close, _ in self.series[symbol].tolist():
            if open_ms // DAY_MS in found:
                found[open_ms // DAY_MS] = close
        return [*found.values()]


def market(listed: Sequence[Instrument], rows: Mapping[str, Sequence[Row]], bar_ms: int = BAR_MS) -> TinyMarket:
    """A market of these bars."""
    series = {one: np.array(bars, np.int64).reshape(-1, 6) for one, bars in rows.items()}
    opens = [bars[:, 0] for bars in series.values() if len(bars)]
    first, last = min(int(one[0]) for one in opens), max(int(one[-1]) for one in opens)
    return TinyMarket(tuple(listed), series, EpochMs(first), EpochMs(last + bar_ms), bar_ms)


@dataclass(frozen=True)
class NoHalts:
    def kill_requested(self) -> str | None:
        return None


@dataclass(frozen=True)
class World:
    """A paper account on the simulated venue, all of it in memory."""

    ports: Ports
    journal: Journal


@contextmanager
def world(source: TinyMarket, settings: Settings, start_ms: int, until_ms: int | None) -> Iterator[World]:
    """What bootstrap wires for PAPER, without a disk."""
    paper, books = settings.app.paper, Books(None)
    venue = SimulatedVenue(
        source, costs_of(settings), books, grains_down(paper.cash_quote), paper.holdings, settings.universe.tier_of
    )
    store, host_ms = MemoryStore(), _always(EpochMs(0))
    clock = VirtualClock(venue, source, start_ms, until_ms, host_ms)
    ports = Ports(ReadOnly(venue), venue, store, clock, NoHalts(), OrderIdsOf("laws"), source.quote, None)
    try:
        yield World(ports, Journal(store))
    finally:
        books.close()


def _always(at_ms: EpochMs) -> Callable[[], EpochMs]:
    return lambda: at_ms
