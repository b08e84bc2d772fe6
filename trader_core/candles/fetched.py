"""Candles of a live market as a CandleSource: what has been fetched is kept in a folder like any other, and only what
is new is asked for.

The venue's newest bars may come late or be corrected before they are closed, so only closed ones are kept, and a bar
that the venue did not have is asked for again for as long as it is the newest. Nothing is filled in.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Protocol, cast

import numpy as np

from trader_core.candles.bars import VOLUME_LOTS_MAX, Bars, day_closes, faults, newest_of_days, sound
from trader_core.candles.files import NO_ROWS, CandleFile, Rows, granularity_name, read_rows
from trader_core.candles.merge import Merged, merge
from trader_core.candles.writing import write_rows
from trader_core.domain.clocktime import DAY_MS, EpochMs
from trader_core.domain.errors import DataUnavailable, StateUnusable
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import Candles

CALL_BARS = 300  # in one call to the venue

Stamp = tuple[int, int, int] | None  # of a file; None: there is none
Fetch = Callable[[str, int, int], Rows]  # symbol, from (inclusive) and to (exclusive) in ms: at most CALL_BARS bars


class Listed(Protocol):
    @property
    def instruments(self) -> tuple[Instrument, ...]: ...
    @property
    def exclusions(self) -> tuple[Exclusion, ...]: ...


@dataclass
class FetchedCandles:
    """One granularity of one venue. Two threads may ask for two symbols at once."""

    bar_ms: int
    quote: str
    fingerprint: str
    first_ms: EpochMs
    directory: Path
    fetch: Fetch
    listed: Callable[[], Listed]
    days: "FetchedCandles | None" = None  # those of a day, for the time before the bars that are kept
    warnings: tuple[str, ...] = ()
    end_ms: EpochMs | None = None
    _kept: dict[str, tuple[Stamp, Rows]] = field(default_factory=dict)  # and of which file
    _locks: dict[str, Lock] = field(default_factory=dict)

    def instruments(self) -> tuple[Instrument, ...]:
        return self.listed().instruments

    def exclusions(self) -> tuple[Exclusion, ...]:
        return self.listed().exclusions

    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles:
        """Closed bars that open in [since_ms, until_ms), oldest first. Raises VenueUnavailable or DataUnavailable."""
        one = self._listed(symbol)
        rows = self.rows(symbol, since_ms, until_ms)
        first, last = rows.ts.searchsorted((since_ms, until_ms))
        bars = integers(rows.take(slice(int(first), int(last))), one.tick, one.lot, self.bar_ms)
        return Candles(*(cast("list[int]", column) for column in bars.columns()))

    def day_closes(self, symbol: str, days: range) -> Sequence[int]:
        """From the bars where they were asked for all day, else from the venue's own candles of a day. Of those the
        first bar's day is asked for too: so something is kept of a young coin, and nothing is asked for twice.

        Raises VenueUnavailable or DataUnavailable.
        """
        one, kept = self._listed(symbol), self.kept(symbol)
        first_ms = int(kept.ts[0]) if len(kept) else days.stop * DAY_MS
        whole = min(max(-(-self._begun(symbol, first_ms) // DAY_MS), days.start), days.stop)
        own = _day_closes(kept, range(whole, days.stop), one.tick, one.lot, self.bar_ms)
        if self.days is None or whole == days.start:
            return [0] * (whole - days.start) + own
        until_ms = min(first_ms // DAY_MS + 1, days.stop) * DAY_MS
        older = self.days.rows(symbol, days.start * DAY_MS, until_ms)
        return _day_closes(older, range(days.start, whole), one.tick, one.lot, DAY_MS) + own

    def _listed(self, symbol: str) -> Instrument:
        one = next((one for one in self.instruments() if one.symbol == symbol), None)
        if one is None:
            raise DataUnavailable(f"the venue does not list {symbol}")
        return one

    def rows(self, symbol: str, since_ms: int, until_ms: int) -> Rows:
        """Everything that is kept of it, and reaches over that time. What lies between two questions is asked for too,
        so that what is kept has no hole of ours. Raises StateUnusable where it cannot be kept."""
        with self._locks.setdefault(symbol, Lock()), _written(self.directory):
            kept = self._there(symbol)
            if not len(kept):
                self._begin(symbol).unlink(missing_ok=True)  # it tells of a file that was moved away
            for start, end in self._missing(symbol, kept, since_ms, until_ms):
                found = self.fetch(symbol, start, end)
                kept = self._there(symbol)
                grown = merged(kept, found, self.bar_ms).rows
                if len(grown) > len(kept):
                    kept = self._keep(symbol, grown)
                if len(kept) and start < self._begun(symbol, int(kept.ts[0])):
                    self._begin(symbol).write_text(str(start), encoding="ascii")
            return kept

    def missing(self, symbol: str, since_ms: int, until_ms: int) -> list[tuple[int, int]]:
        """What would be asked for, call by call."""
        with self._locks.setdefault(symbol, Lock()):
            return self._missing(symbol, self._there(symbol), since_ms, until_ms)

    def kept(self, symbol: str) -> Rows:
        """What is kept of it now."""
        with self._locks.setdefault(symbol, Lock()):
            return self._there(symbol)

    def _there(self, symbol: str) -> Rows:
        """Read again where the file has become another one: somebody else fetches too."""
        stamp = self._stamp(symbol)
        if symbol not in self._kept or self._kept[symbol][0] != stamp:
            self._kept[symbol] = stamp, self._read(symbol)
        return self._kept[symbol][1]

    def _missing(self, symbol: str, kept: Rows, since_ms: int, until_ms: int) -> list[tuple[int, int]]:
        """Spans to ask for: newest first before what is kept, then oldest first behind it. So there is never a hole."""
        if not len(kept):
            return calls(since_ms, until_ms, self.bar_ms)[::-1]
        older = calls(since_ms, self._begun(symbol, int(kept.ts[0])), self.bar_ms)
        return older[::-1] + calls(int(kept.ts[-1]) + self.bar_ms, until_ms, self.bar_ms)

    def _begin(self, symbol: str) -> Path:
        """Says from when on everything was asked for: a young coin has nothing there."""
        file = self._file(symbol)
        return file.path.with_name(f"{file.granularity}.asked-from")

    def _begun(self, symbol: str, first_ms: int) -> int:
        try:
            return min(int(self._begin(symbol).read_text(encoding="ascii")), first_ms)
        except (OSError, ValueError):
            return first_ms

    def _file(self, symbol: str) -> CandleFile:
        name = granularity_name(self.bar_ms)
        return CandleFile(symbol, name, self.bar_ms, self.directory / symbol / f"{name}.parquet")

    def _stamp(self, symbol: str) -> Stamp:
        """A file is replaced and never written into, so this tells one from the next."""
        try:
            found = self._file(symbol).path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self, symbol: str) -> Rows:
        file = self._file(symbol)
        return read_rows(file) if file.path.exists() else NO_ROWS

    def _keep(self, symbol: str, rows: Rows) -> Rows:
        self._kept[symbol] = self._stamp(symbol), rows
        self.directory.mkdir(parents=True, exist_ok=True)
        write_rows(self._file(symbol).path, rows)
        self._kept[symbol] = self._stamp(symbol), rows
        return rows


@contextmanager
def _written(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refused:
        told = f"candles cannot be kept in {directory}: {refused.strerror or refused}"
        raise StateUnusable(told, remedy="make room, or look who owns that folder, and run it again") from refused


def _day_closes(rows: Rows, days: range, tick: Decimal, lot: Decimal, bar_ms: int) -> list[int]:
    newest = newest_of_days(rows.ts, days)
    bars = integers(rows.take(newest[newest >= 0]), tick, lot, bar_ms)
    found: list[int] = day_closes(bars.open_ms, bars.close, days).tolist()
    return found


def merged(kept: Rows, offered: Rows, bar_ms: int) -> Merged:
    """What is kept stays; what is unsound is not taken."""
    return merge(kept, offered, faults(offered, bar_ms))


def calls(since_ms: int, until_ms: int, bar_ms: int) -> list[tuple[int, int]]:
    """The bars that open in the span in pieces of one call each, oldest first."""
    start, end, step = -(-since_ms // bar_ms) * bar_ms, -(-until_ms // bar_ms) * bar_ms, CALL_BARS * bar_ms
    return [(begin, min(begin + step, end)) for begin in range(start, end, step)]


def integers(rows: Rows, tick: Decimal, lot: Decimal, bar_ms: int) -> Bars:
    """Sound rows in the venue's own ticks and lots, prices to the nearest and volume rounded down."""
    good = rows.take(np.flatnonzero(sound(rows, bar_ms)))
    step = float(tick)
    opened, high, low, close = (
        np.rint(column / step).astype(np.int64) for column in (good.open, good.high, good.low, good.close)
    )
    lots = np.minimum(np.floor(good.volume / float(lot)), float(VOLUME_LOTS_MAX)).astype(np.int64)
    bars = Bars(good.ts, opened, high, low, close, lots)
    return bars.take(bars.low > 0)
