"""One venue's folder of candles as a CandleSource: which pairs it can serve for a span, and why not the others."""

import shlex
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import cast

import numpy as np
from msgspec import Struct

from trader_core.candles.bars import FAULTS, Bars, Cleaned, clean, day_closes, faults, price_digits, resample, steps_of
from trader_core.candles.files import (
    CandleFile,
    Ints,
    Rows,
    Segment,
    fingerprint_of,
    granularity_name,
    pairs_of,
    read_rows,
    segments_of,
)
from trader_core.domain.clocktime import DAY_MS, EpochMs, rfc3339, short
from trader_core.domain.errors import DataUnavailable
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import Candles
from trader_core.domain.money import from_grains, plain

HISTORY_MS = 90 * DAY_MS  # read before the span's start, where the same segment has it
EDGE_MS = DAY_MS  # a segment covers a span that it misses by no more than this at either end
UNSOUND = "no sound bar"
UNCOUNTABLE = "too small or too large to count"  # a price in ticks, where nothing else is wrong with the bar
NAMED_MAX = 3  # dates spelled out in a warning


class FolderSource(Struct, frozen=True):
    """Closed candles of one folder and span, in memory. `candles` hands out read-only views of its columns."""

    bar_ms: int
    quote: str
    fingerprint: str
    first_ms: EpochMs
    end_ms: EpochMs | None
    warnings: tuple[str, ...]
    _instruments: tuple[Instrument, ...]
    _exclusions: tuple[Exclusion, ...]
    _bars: Mapping[str, Bars]

    def instruments(self) -> tuple[Instrument, ...]:
        return self._instruments

    def exclusions(self) -> tuple[Exclusion, ...]:
        return self._exclusions

    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles:
        """Bars that open in [since_ms, until_ms), oldest first. Bars before the span's history are not there."""
        bars = self._bars.get(symbol)
        if bars is None:
            raise DataUnavailable(f"{symbol} is not among the candles that were opened")
        first, last = bars.open_ms.searchsorted((since_ms, until_ms))
        views = (cast("Sequence[int]", column[first:last]) for column in bars.columns())
        return Candles(*views)

    def day_closes(self, symbol: str, days: range) -> Sequence[int]:
        bars = self._bars.get(symbol)
        if bars is None:
            raise DataUnavailable(f"{symbol} is not among the candles that were opened")
        return cast("Sequence[int]", day_closes(bars.open_ms, bars.close, days))


class _Span(Struct, frozen=True):
    """What was asked for, and its ends moved in to what the folder has at all."""

    asked: str
    since_ms: int | None  # None: as far back as the segment goes
    until_ms: int
    history_ms: int  # nothing before this is loaded


class _Folder(Struct, frozen=True):
    """What one opening knows of the whole folder. `segments` has an entry for each usable file of the quote."""

    bar_ms: int
    min_notional: Decimal
    quote: str
    pairs: Mapping[str, tuple[CandleFile, ...]]
    segments: Mapping[CandleFile, tuple[Segment, ...]]
    span: _Span
    watched: Collection[str]


class _Loaded(Struct, frozen=True):
    """One pair that is served."""

    instrument: Instrument
    bars: Bars
    warnings: tuple[str, ...]


def open_folder(
    directory: Path,
    bar_ms: int,
    min_notional: Decimal,
    since_ms: int | None = None,
    until_ms: int | None = None,
    watched: Collection[str] = (),
) -> FolderSource:
    """Read what DIR has for [since_ms, until_ms); without them, its newest segment.

    A pair that is `watched`, because it is held or ordered, is read also where its candles end before the span does.

    Raises DataUnavailable where the folder, a file or every pair is unusable.
    """
    folder = _survey(directory, bar_ms, min_notional, since_ms, until_ms, watched)
    outcomes = [_pair(folder, symbol) for symbol in sorted(folder.pairs)]
    loaded = [outcome for outcome in outcomes if isinstance(outcome, _Loaded)]
    exclusions = tuple(outcome for outcome in outcomes if isinstance(outcome, Exclusion))
    if not loaded:
        raise _nothing_left(directory, folder, exclusions)
    return FolderSource(
        bar_ms=bar_ms,
        quote=folder.quote,
        fingerprint=fingerprint_of([file for files in folder.pairs.values() for file in _usable(files, bar_ms)]),
        first_ms=EpochMs(min(int(pair.bars.open_ms[0]) for pair in loaded)),
        end_ms=EpochMs(max(int(pair.bars.open_ms[-1]) for pair in loaded) + bar_ms),
        warnings=tuple(line for pair in loaded for line in pair.warnings),
        _instruments=tuple(pair.instrument for pair in loaded),
        _exclusions=exclusions,
        _bars={pair.instrument.symbol: pair.bars for pair in loaded},
    )


def _survey(
    directory: Path,
    bar_ms: int,
    min_notional: Decimal,
    since_ms: int | None,
    until_ms: int | None,
    watched: Collection[str],
) -> _Folder:
    """Which pairs and segments there are; of the candles, only the times are read."""
    pairs = pairs_of(directory)
    quote = _account_quote(pairs)
    ours = [file for symbol in pairs if _quote(symbol) == quote for file in _usable(pairs[symbol], bar_ms)]
    segments = {file: segments_of(file) for file in ours}
    span = _span([segment for found in segments.values() for segment in found], since_ms, until_ms)
    if span is None:
        what = "no bar in its files" if ours else f"no candles as fine as the base bar, {granularity_name(bar_ms)}"
        remedy = "choose another folder, or a coarser base bar: cycle.base_bar_min in policy.yaml"
        raise DataUnavailable(f"{directory} has {what}", remedy=remedy)
    return _Folder(bar_ms, min_notional, quote, pairs, segments, span, watched)


def _quote(symbol: str) -> str:
    return symbol.partition("-")[2]


def _account_quote(pairs: Mapping[str, object]) -> str:
    """The quote of most pairs, the alphabetically first among equals."""
    counts = Counter(_quote(symbol) for symbol in pairs)
    return min(counts, key=lambda quote: (-counts[quote], quote))


def _usable(files: tuple[CandleFile, ...], bar_ms: int) -> tuple[CandleFile, ...]:
    """Files that resample into the base bar, coarsest first."""
    return tuple(file for file in files if bar_ms % file.step_ms == 0)


def _span(segments: Sequence[Segment], since_ms: int | None, until_ms: int | None) -> _Span | None:
    """None where there is not one bar."""
    if not segments:
        return None
    first, end = min(segment.first_ms for segment in segments), max(segment.end_ms for segment in segments)
    if until_ms is None and since_ms is not None:
        around = [one.end_ms for one in segments if one.first_ms <= since_ms + EDGE_MS and one.end_ms > since_ms]
        end = max(around, default=end)  # a span that begins in an old segment ends with it
    asked_end = end if until_ms is None else until_ms
    if since_ms is None:
        return _Span(f"the days before {_date(asked_end)}", None, min(asked_end, end), first)
    asked = f"{_date(since_ms)}..{_date(asked_end)}"
    return _Span(asked, max(since_ms, first), min(asked_end, end), since_ms - HISTORY_MS)


def _covering(segments: Sequence[Segment], span: _Span, whole: bool = True) -> Segment | None:
    """The newest segment that reaches, at either end, to within a day of the span's; its end only where `whole`."""
    for segment in reversed(segments):
        begins = span.since_ms is None or segment.first_ms <= span.since_ms + EDGE_MS
        ends = not whole or segment.end_ms >= span.until_ms - EDGE_MS
        if begins and ends and _touches(segment, span):
            return segment
    return None


def _touches(segment: Segment, span: _Span) -> bool:
    return segment.first_ms < span.until_ms and (span.since_ms is None or segment.end_ms > span.since_ms)


def _pair(folder: _Folder, symbol: str) -> _Loaded | Exclusion:
    """The pair's bars for the span, or why there are none."""
    if _quote(symbol) != folder.quote:
        return Exclusion(symbol, f"quoted in {_quote(symbol)}, the account is in {folder.quote}")
    for file in _usable(folder.pairs[symbol], folder.bar_ms):
        segment = _covering(folder.segments[file], folder.span, symbol not in folder.watched)
        if segment:
            return _load(folder, file, segment)
    return Exclusion(symbol, _why_not(folder, symbol))


def _why_not(folder: _Folder, symbol: str) -> str:
    files, span, base = folder.pairs[symbol], folder.span, granularity_name(folder.bar_ms)
    usable = _usable(files, folder.bar_ms)
    if not usable:
        return f"finest data is {files[-1].granularity}, the base bar is {base}"
    for file in reversed([file for file in files if file not in usable]):
        if _covering(segments_of(file), span):
            return f"finest data in {span.asked} is {file.granularity}, the base bar is {base}"
    touched = any(_touches(segment, span) for file in usable for segment in folder.segments[file])
    what = f"no unbroken data through {span.asked}" if touched else f"no data in {span.asked}"
    if span.since_ms is None:
        what = f"its data does not reach {_date(span.until_ms)}"
    return f"{what} ({'; '.join(_has(file, folder.segments[file]) for file in usable)})"


def _load(folder: _Folder, file: CandleFile, segment: Segment) -> _Loaded | Exclusion:
    """Read, clean and resample. A base bar that the segment's edge cuts is left out: it was not seen whole."""
    span, bar_ms = folder.span, folder.bar_ms
    rows = read_rows(file)
    digits = price_digits(rows, file.step_ms)
    first_ms = -(-max(segment.first_ms, span.history_ms) // bar_ms) * bar_ms
    end_ms = min(segment.end_ms, span.until_ms) // bar_ms * bar_ms
    cleaned = clean(rows, first_ms, end_ms, file.step_ms, digits)
    bars = resample(cleaned.bars, bar_ms)
    if not len(bars):
        return Exclusion(file.symbol, _unsound(file, rows, cleaned, span))
    tick, lot = steps_of(digits)
    base, _, quote = file.symbol.partition("-")
    instrument = Instrument(file.symbol, base, quote, tick, lot, folder.min_notional)
    told = (*_warnings(file, cleaned, bars, bar_ms), *_coarse(file, instrument, bars, digits))
    return _Loaded(instrument, bars, told)


def _unsound(file: CandleFile, rows: Rows, cleaned: Cleaned, span: _Span) -> str:
    """'no sound bar in 2024-08-01..2024-08-09 (15m: 768 bad, most of them no_volume)'."""
    found = faults(rows.take(np.isin(rows.ts, cleaned.bad_ms)), file.step_ms)
    most = f", most of them {FAULTS[int(np.bincount(found).argmax())] or UNCOUNTABLE}" if len(found) else ""
    return f"{UNSOUND} in {span.asked} ({file.granularity}: {len(cleaned.bad_ms)} bad{most})"


def _warnings(file: CandleFile, cleaned: Cleaned, bars: Bars, bar_ms: int) -> tuple[str, ...]:
    """What was dropped from the loaded span and what is absent there, with the first few dates."""
    steps = np.diff(bars.open_ms) // bar_ms
    before_gaps = bars.open_ms[:-1][steps > 1]
    absent = int((steps[steps > 1] - 1).sum())
    lines = (
        _named("dropped as bad: bars", cleaned.bad_ms),
        _named("dropped as duplicates, the first kept: bars", cleaned.duplicate_ms),
        "rows were out of order and were sorted" if cleaned.was_unsorted else "",
        _named(f"absent: {absent} of {granularity_name(bar_ms)}, gaps after", before_gaps),
    )
    return tuple(f"{file.symbol} {file.granularity}: {line}" for line in lines if line)


def _coarse(file: CandleFile, of: Instrument, bars: Bars, digits: int) -> tuple[str, ...]:
    """Prices with more decimals than their venue has make lots that are worth more than the smallest order."""
    worth = from_grains(int(bars.close[-1]))  # one tick times one lot is a grain
    if worth <= of.min_notional:
        return ()
    return (
        f"{file.symbol} {file.granularity}: prices have {digits} decimals, so a lot is {plain(of.lot)} {of.base}, "
        f"worth {worth:,.2f} {of.quote}, and no position is smaller; round the prices as their venue does",
    )


def _named(what: str, at_ms: Ints) -> str:
    """'dropped as bad: bars 2022-11-11 21:00, 2022-12-04 11:00 (2)'; nothing where there are none."""
    if not len(at_ms):
        return ""
    shown = ", ".join(short(int(ms)) for ms in at_ms[:NAMED_MAX])
    return f"{what} {shown}{', ...' if len(at_ms) > NAMED_MAX else ''} ({len(at_ms)})"


def _nothing_left(directory: Path, folder: _Folder, exclusions: Sequence[Exclusion]) -> DataUnavailable:
    reasons = "\n  ".join(f"{exclusion.symbol}: {exclusion.reason}" for exclusion in exclusions)
    has = sorted({_dates(segment) for found in folder.segments.values() for segment in found})
    remedy = "choose --from and --to inside one of: " + ", ".join(has)
    if all(one.reason.startswith(UNSOUND) for one in exclusions):
        remedy = f"trader data check --data {shlex.quote(str(directory))}"
    return DataUnavailable(f"{directory} has no pair to trade in {folder.span.asked}:\n  {reasons}", remedy=remedy)


def _has(file: CandleFile, segments: Sequence[Segment]) -> str:
    return f"{file.granularity}: " + (", ".join(_dates(segment) for segment in segments) or "empty")


def _dates(segment: Segment) -> str:
    return f"{_date(segment.first_ms)}..{_date(segment.end_ms)}"


def _date(at_ms: int) -> str:
    return rfc3339(at_ms)[:10]
