"""What a folder of candles holds and what is wrong with it, with the dates. Nothing is changed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trader_core.candles.bars import FAULTS, faults
from trader_core.candles.files import (
    SEGMENT_GAP_MS,
    CandleFile,
    Ints,
    Rows,
    pairs_of,
    read_rows,
    read_times,
)
from trader_core.domain.clocktime import DAY_MS
from trader_core.domain.errors import DataUnavailable

WICK_LOW, WICK_HIGH = 0.6, 1.6  # a wick beyond these multiples of its body
JUMP, JUMP_DAY = 0.20, 0.35  # from close to close; the second for bars of a day and longer
REPEATED = ("duplicate", "duplicate_differs")  # the bar's time is there before; with the same figures, or others
FAILING = frozenset((*FAULTS[1:], *REPEATED))  # the other findings are worth a look, and may well be true
KINDS = (*FAULTS[1:], *REPEATED, "wick", "jump", "lone")

_Mask = NDArray[np.bool_]


class Stretch(Struct, frozen=True):
    """A segment: its first and its last bar, how many there are and how many are absent between them."""

    first_ms: int
    last_ms: int
    bars: int
    absent: int


class Gap(Struct, frozen=True):
    """Bars that are absent inside a segment: the first of them, and the one with which the data goes on."""

    from_ms: int
    to_ms: int
    bars: int


class Finding(Struct, frozen=True):
    """One bar that is bad or strange; `kind` is one of KINDS, absent figures are None."""

    at_ms: int
    kind: str
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None


class ListedFile(Struct, frozen=True):
    """What one file holds. `problem` says why it cannot be read."""

    pair: str
    granularity: str
    path: str
    bars: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    segments: int = 0
    gaps: int = 0
    absent: int = 0
    problem: str = ""


class CheckedFile(Struct, frozen=True):
    """One file, or the part of it that was asked for. `unsorted` counts rows that come before the row above them."""

    pair: str
    granularity: str
    path: str
    bars: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    segments: tuple[Stretch, ...] = ()
    gaps: tuple[Gap, ...] = ()
    findings: tuple[Finding, ...] = ()
    unsorted: int = 0
    zero_volume: int = 0
    problem: str = ""

    @property
    def failed(self) -> bool:
        """It cannot be read, or a bar is bad, repeated or out of order. Gaps, wicks and jumps may well be true."""
        return bool(self.problem or self.unsorted or any(one.kind in FAILING for one in self.findings))

    @property
    def bad(self) -> tuple[Finding, ...]:
        return self.of(*FAULTS[1:])

    @property
    def repeated(self) -> tuple[Finding, ...]:
        return self.of(*REPEATED)

    def of(self, *kinds: str) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.kind in kinds)


def list_folder(directory: Path) -> tuple[ListedFile, ...]:
    """Every candle file of one venue's folder. Raises DataUnavailable where there is none."""
    return tuple(_listed(file) for files in pairs_of(directory).values() for file in files)


def check_folder(
    directory: Path, symbol: str | None = None, since_ms: int | None = None, until_ms: int | None = None
) -> tuple[CheckedFile, ...]:
    """Every candle file, or those of one pair; bars that open in [since_ms, until_ms). Raises DataUnavailable."""
    pairs = pairs_of(directory)
    if symbol is not None and symbol not in pairs:
        raise DataUnavailable(f"{directory} has no {symbol}", remedy=f"it has {', '.join(pairs)}")
    wanted = pairs if symbol is None else {symbol: pairs[symbol]}
    checked = tuple(_checked(file, since_ms, until_ms) for files in wanted.values() for file in files)
    if not any(one.bars or one.problem for one in checked):
        raise DataUnavailable(f"{directory} has no bars to check", remedy=f"trader data list --data {directory}")
    return checked


def _listed(file: CandleFile) -> ListedFile:
    try:
        ts = np.unique(read_times(file))
    except DataUnavailable as refused:
        return ListedFile(file.symbol, file.granularity, str(file.path), problem=refused.what)
    if not len(ts):
        return ListedFile(file.symbol, file.granularity, str(file.path))
    segments, gaps = _segments(ts, file.step_ms), _gaps(ts, file.step_ms)
    return ListedFile(
        file.symbol, file.granularity, str(file.path), len(ts), int(ts[0]), int(ts[-1]), len(segments), len(gaps),
        sum(gap.bars for gap in gaps),
    )  # fmt: skip


def _checked(file: CandleFile, since_ms: int | None, until_ms: int | None) -> CheckedFile:
    try:
        rows = read_rows(file)
    except DataUnavailable as refused:
        return CheckedFile(file.symbol, file.granularity, str(file.path), problem=refused.what)
    inside = np.ones(len(rows), np.bool_)
    if since_ms is not None:
        inside &= rows.ts >= since_ms
    if until_ms is not None:
        inside &= rows.ts < until_ms
    ts = np.unique(rows.ts[inside])
    findings = sorted(_findings(rows, inside, file.step_ms), key=lambda one: (one.at_ms, KINDS.index(one.kind)))
    return CheckedFile(
        file.symbol,
        file.granularity,
        str(file.path),
        bars=len(ts),
        first_ms=int(ts[0]) if len(ts) else None,
        last_ms=int(ts[-1]) if len(ts) else None,
        segments=_segments(ts, file.step_ms),
        gaps=_gaps(ts, file.step_ms),
        findings=tuple(findings),
        unsorted=int(np.count_nonzero(np.diff(rows.ts[inside]) < 0)),
        zero_volume=int(np.count_nonzero(rows.volume[inside] == 0)),
    )


# --- times -----------------------------------------------------------------------------------------------------------


def _segments(ts: Ints, step_ms: int) -> tuple[Stretch, ...]:
    """`ts` is sorted and has each time once."""
    starts = np.flatnonzero(_begins(ts, step_ms))
    parts = np.split(ts, starts[1:]) if len(ts) else []
    return tuple(
        Stretch(int(part[0]), int(part[-1]), len(part), sum(gap.bars for gap in _gaps(part, step_ms))) for part in parts
    )


def _begins(ts: Ints, step_ms: int) -> _Mask:
    """Which bars begin a segment."""
    breaks = np.diff(ts) - step_ms > SEGMENT_GAP_MS
    return np.concatenate((np.ones(min(len(ts), 1), np.bool_), breaks))


def _gaps(ts: Ints, step_ms: int) -> tuple[Gap, ...]:
    """Between bars on the grid; what lies off it is bad, and bridges nothing."""
    grid = ts[ts % step_ms == 0]
    apart = np.diff(grid)
    holes = np.flatnonzero((apart > step_ms) & (apart - step_ms <= SEGMENT_GAP_MS))
    return tuple(Gap(int(grid[n]) + step_ms, int(grid[n + 1]), int(apart[n]) // step_ms - 1) for n in holes.tolist())


# --- bars ------------------------------------------------------------------------------------------------------------


def _findings(rows: Rows, inside: _Mask, step_ms: int) -> Iterator[Finding]:
    """Each bar is judged with the whole file behind it, and told where it is `inside`."""
    order = np.argsort(rows.ts, kind="stable")
    rows, inside = rows.take(order), inside[order]
    again = np.concatenate((np.zeros(min(len(rows), 1), np.bool_), np.diff(rows.ts) == 0))
    found = faults(rows, step_ms)
    for code in range(1, len(FAULTS)):
        yield from _told(rows, inside & (found == code), FAULTS[code])
    yield from _repeated(rows, again, inside)
    once, part = rows.take(~again), inside[~again]
    yield from _told(once, part & _lone(once.ts, step_ms), "lone")
    good = found[~again] == 0
    sound, part = once.take(good), part[good]
    yield from _told(sound, part & _wicks(sound), "wick")
    yield from _told(sound, part & _jumps(sound, step_ms), "jump")


def _repeated(rows: Rows, again: _Mask, inside: _Mask) -> Iterator[Finding]:
    """Rows whose time has come before, judged against the first row of that time."""
    first = np.maximum.accumulate(np.where(again, 0, np.arange(len(rows))))
    pairs = [(column, column[first]) for column in rows.values()]
    same = np.logical_and.reduce([(a == b) | (np.isnan(a) & np.isnan(b)) for a, b in pairs])
    yield from _told(rows, inside & again & same, REPEATED[0])
    yield from _told(rows, inside & again & ~same, REPEATED[1])


def _wicks(rows: Rows) -> _Mask:
    lowest, highest = np.minimum(rows.open, rows.close), np.maximum(rows.open, rows.close)
    mask: _Mask = (rows.low < WICK_LOW * lowest) | (rows.high > WICK_HIGH * highest)
    return mask


def _jumps(rows: Rows, step_ms: int) -> _Mask:
    """From close to close; at the first bar of a segment from its own open, for there is no close before it."""
    begins = _begins(rows.ts, step_ms)
    before = np.where(begins, rows.open, np.roll(rows.close, 1))
    mask: _Mask = np.abs(rows.close / before - 1) > (JUMP_DAY if step_ms >= DAY_MS else JUMP)
    return mask


def _lone(ts: Ints, step_ms: int) -> _Mask:
    """A segment of one bar beside others: a wrong date, rather than a market."""
    begins = _begins(ts, step_ms)
    ends = np.concatenate((begins[1:], np.ones(min(len(ts), 1), np.bool_)))
    return begins & ends & (len(ts) > 1)


def _told(rows: Rows, mask: _Mask, kind: str) -> Iterator[Finding]:
    for n in np.flatnonzero(mask).tolist():
        figures = (float(column[n]) for column in rows.values())
        yield Finding(int(rows.ts[n]), kind, *(figure if np.isfinite(figure) else None for figure in figures))
