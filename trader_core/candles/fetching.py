"""Candles of a venue into a folder like any other: only what is missing is asked for, and what came is kept at once.

What is kept is always one stretch without a hole that was not asked for: older bars are fetched newest first, newer
ones oldest first, so that whoever stops in between goes on from there. What the venue does not have stays absent.
"""

from collections.abc import Callable
from dataclasses import dataclass

from trader_core.candles.fetched import Fetch, calls, merged
from trader_core.candles.files import NO_ROWS, SEGMENT_GAP_MS, CandleFile, Rows, read_rows
from trader_core.candles.merge import Fate
from trader_core.candles.writing import write_rows
from trader_core.domain.errors import DataUnavailable, TraderError

Told = Callable[[], object]
Spans = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Fetched:
    """One pair, as it lies in its file now. `gaps` are stretches of bars that the venue did not have."""

    pair: str
    granularity: str
    path: str
    bars: int
    new: int
    unsound: int  # bars that were offered and not taken
    calls: int
    first_ms: int | None
    last_ms: int | None
    gaps: int
    absent: int  # bars in those gaps
    problem: str  # why it ended before its time; what had come is kept
    exit_code: int


@dataclass
class Fetching:
    """One pair's file while it grows. `told` is called after every answer."""

    file: CandleFile
    fetch: Fetch
    told: Told
    _rows: Rows = NO_ROWS
    _new: int = 0
    _unsound: int = 0
    _calls: int = 0

    def run(self, since_ms: int, until_ms: int) -> Fetched:
        """Bars that open in [since_ms, until_ms). A failure ends this pair alone."""
        problem, code = "", 0
        try:
            self._rows = read_rows(self.file) if self.file.path.exists() else NO_ROWS
            older, newer = spans_of(self._rows, since_ms, until_ms, self.file.step_ms)
            self._back(older)
            for start, end in newer:
                self._ask(start, end)
        except TraderError as failed:
            problem, code = failed.what, failed.exit_code
        return self._found(problem, code)

    def _back(self, older: Spans) -> None:
        """Into the past, until the venue has had nothing for so long that there is nothing."""
        empty_ms = 0
        for start, end in older:
            empty_ms = 0 if self._ask(start, end) else empty_ms + end - start
            if empty_ms >= SEGMENT_GAP_MS:
                return

    def _ask(self, start_ms: int, end_ms: int) -> int:
        """How many bars the venue had."""
        offered = self.fetch(self.file.symbol, start_ms, end_ms)
        self._calls += 1
        if len(offered):
            found = merged(self._rows, offered, self.file.step_ms)
            new = int((found.fates == Fate.NEW).sum())
            self._new += new
            self._unsound += int((found.fates == Fate.BAD).sum())
            if new:
                self._rows = found.rows
                write_rows(self.file.path, self._rows)
        self.told()
        return len(offered)

    def _found(self, problem: str, code: int) -> Fetched:
        ts, step = self._rows.ts, self.file.step_ms
        holes = [int(width) // step - 1 for width in ts[1:] - ts[:-1] if width > step]
        if not len(ts) and not problem:
            problem, code = "the venue has no candles of it in that time", DataUnavailable.exit_code
        return Fetched(
            pair=self.file.symbol,
            granularity=self.file.granularity,
            path=str(self.file.path),
            bars=len(ts),
            new=self._new,
            unsound=self._unsound,
            calls=self._calls,
            first_ms=int(ts[0]) if len(ts) else None,
            last_ms=int(ts[-1]) if len(ts) else None,
            gaps=len(holes),
            absent=sum(holes),
            problem=problem,
            exit_code=code,
        )


def spans_of(rows: Rows, since_ms: int, until_ms: int, step_ms: int) -> tuple[Spans, Spans]:
    """(what to ask before the kept bars, newest first; what to ask behind them, oldest first): never a hole between."""
    if not len(rows):
        return calls(since_ms, until_ms, step_ms)[::-1], []
    first, after = int(rows.ts[0]), int(rows.ts[-1]) + step_ms
    return calls(since_ms, first, step_ms)[::-1], calls(after, until_ms, step_ms)
