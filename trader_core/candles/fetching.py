"""Candles of several pairs into a folder, beside each other: only what is missing is asked for, and what came is kept
at once. Whoever is stopped in between goes on from there; what the venue does not have stays absent, and is counted."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import numpy as np
from msgspec import Struct

from trader_core.candles.bars import faults
from trader_core.candles.fetched import Fetch, FetchedCandles
from trader_core.candles.files import Rows, granularity_name
from trader_core.domain.errors import DataUnavailable, TraderError

Told = Callable[[int, int], object]


class Fetched(Struct, frozen=True):
    """One pair, as it lies in its file now. `gaps` are stretches of bars that the venue did not have."""

    pair: str
    granularity: str
    bars: int
    new: int
    first_ms: int | None
    last_ms: int | None
    gaps: int
    absent: int  # bars in those gaps
    problem: str  # why it ended before its time; what had come is kept
    exit_code: int


class Counted:
    """Calls to the venue, as they are answered: how many, and how many bars were unsound and not taken."""

    def __init__(self, fetch: Fetch, told: Told, bar_ms: int) -> None:
        self._fetch, self._told, self._bar_ms = fetch, told, bar_ms
        self.total = self.done = self.unsound = 0

    def __call__(self, symbol: str, since_ms: int, until_ms: int) -> Rows:
        rows = self._fetch(symbol, since_ms, until_ms)
        self.done += 1
        self.unsound += int(np.count_nonzero(faults(rows, self._bar_ms)))
        self._told(self.done, max(self.total, self.done))
        return rows


def fetch_pairs(
    source: FetchedCandles, counted: Counted, pairs: Sequence[str], since_ms: int, until_ms: int, pool: Executor
) -> tuple[Fetched, ...]:
    """Bars that open in [since_ms, until_ms). A failure ends its own pair alone; `counted` is the source's fetch."""
    before = {one: len(source.kept(one)) for one in pairs}
    counted.total = sum(len(source.missing(one, since_ms, until_ms)) for one in pairs)
    found = {one: pool.submit(source.rows, one, since_ms, until_ms) for one in pairs}
    problems: dict[str, TraderError] = {}
    for pair, done in found.items():
        try:
            done.result()
        except TraderError as failed:
            problems[pair] = failed
    return tuple(_fetched(source, one, before[one], problems.get(one)) for one in pairs)


def _fetched(source: FetchedCandles, pair: str, before: int, failed: TraderError | None) -> Fetched:
    rows = source.kept(pair)
    holes = np.diff(rows.ts) // source.bar_ms - 1
    if failed is None and not len(rows):
        failed = DataUnavailable("the venue has no candles of it in that time")
    return Fetched(
        pair=pair,
        granularity=granularity_name(source.bar_ms),
        bars=len(rows),
        new=len(rows) - before,
        first_ms=int(rows.ts[0]) if len(rows) else None,
        last_ms=int(rows.ts[-1]) if len(rows) else None,
        gaps=int(np.count_nonzero(holes)),
        absent=int(holes.sum()),
        problem=failed.what if failed else "",
        exit_code=failed.exit_code if failed else 0,
    )
