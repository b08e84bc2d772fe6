"""What a page shows of a replay that its report does not hold: prices, and what was done or refused at them."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Protocol

import numpy as np
from msgspec import Struct

from trader_core.domain.clocktime import DAY_MS
from trader_core.domain.instrument import Instrument
from trader_core.domain.money import from_grains
from trader_core.rulebook import codes
from trader_core.rulebook.codes import Verdict
from trader_core.rulebook.limits import Ints

PRICES_MAX = 1_500  # points of one symbol's price line
FILLS_MAX = 1_000  # entries, and as many exits, of one symbol
REFUSALS_MAX = 300  # of one symbol
CLOSURES_MAX = 300
LOSSES = (Verdict.HALTED, Verdict.DAY_LOSS, Verdict.WEEK_LOSS, Verdict.DRAWDOWN, Verdict.DAY_STOP)
WINDOWS_MS = {  # (beginning of one, length) of what a loss closes for good: UTC days, and weeks from Monday on
    Verdict.DAY_LOSS: (0, DAY_MS),
    Verdict.DAY_STOP: (0, DAY_MS),
    Verdict.WEEK_LOSS: (4 * DAY_MS, 7 * DAY_MS),
}


class Replayed(Protocol):
    """A replay, as far as it is drawn. The integers' fields: rulebook.codes, JUDGED_FIELDS and FILL_FIELDS."""

    @property
    def instruments(self) -> tuple[Instrument, ...]: ...
    @property
    def bar_ms(self) -> int: ...
    @property
    def at_ms(self) -> Ints: ...
    @property
    def close(self) -> Ints: ...
    @property
    def judged(self) -> Ints: ...
    @property
    def filled(self) -> Ints: ...


class Dot(Struct, frozen=True):
    """A price at a time, and what it says: a fill's reason, a refusal's verdict, nothing on the price line."""

    at_ms: int
    price: Decimal
    word: str = ""
    pnl: Decimal | None = None  # of the whole position, at the sale that ended it


class SymbolChart(Struct, frozen=True):
    """One instrument. The counts are of all there were; what is too much to draw is thinned, evenly in time."""

    symbol: str
    prices: tuple[Dot, ...]  # closes; where they are thinned, the lowest and the highest of every stretch are kept
    entries: tuple[Dot, ...]
    exits: tuple[Dot, ...]
    refusals: tuple[Dot, ...]  # at the close they were judged at
    entry_count: int
    exit_count: int
    refusal_count: int


class Closure(Struct, frozen=True):
    """A time in which a loss kept entries closed: from the first entry that was refused for it."""

    from_ms: int
    to_ms: int
    verdict: str


class Charts(Struct, frozen=True):
    symbols: tuple[SymbolChart, ...]  # in the order of the instruments
    closures: tuple[Closure, ...]  # by time
    closure_count: int


def charts_of(replayed: Replayed) -> Charts:
    """Thinned to what a screen can show, so that a page's size does not grow with the length of the replay."""
    closures = sorted(_closures(replayed), key=lambda one: (one.from_ms, one.verdict))
    longest = set(sorted(closures, key=lambda one: one.from_ms - one.to_ms)[:CLOSURES_MAX])
    symbols = tuple(_symbol(replayed, i) for i in range(len(replayed.instruments)))
    return Charts(symbols, tuple(one for one in closures if one in longest), len(closures))


def _symbol(replayed: Replayed, i: int) -> SymbolChart:
    instrument, at_ms, close = replayed.instruments[i], replayed.at_ms, replayed.close[:, i]
    entries, exits = _fills(replayed.filled[replayed.filled[:, 1] == i], instrument.tick)
    refused = replayed.judged[(replayed.judged[:, 1] == i) & (replayed.judged[:, 3] != Verdict.OK)]
    refused = refused[close[refused[:, 0]] > 0]
    return SymbolChart(
        symbol=instrument.symbol,
        prices=tuple(Dot(int(at_ms[row]), int(close[row]) * instrument.tick) for row in _turns(close)),
        entries=_thinned(entries),
        exits=_thinned(exits),
        refusals=tuple(
            Dot(int(at_ms[row]), int(close[row]) * instrument.tick, Verdict(verdict).name)
            for row, _, _, verdict in refused[_shared_out(refused[:, 3])].tolist()
        ),
        entry_count=len(entries),
        exit_count=len(exits),
        refusal_count=len(refused),
    )


def _turns(close: Ints) -> list[int]:
    """Rows of the known closes; of too many, the first, the last, and of every stretch the lowest and the highest."""
    known = np.flatnonzero(close > 0)
    if len(known) <= PRICES_MAX:
        return [int(row) for row in known]
    stretches = np.array_split(known, PRICES_MAX // 2 - 1)
    kept = {int(known[0]), int(known[-1])}
    for rows in stretches:
        kept |= {int(rows[close[rows].argmin()]), int(rows[close[rows].argmax()])}
    return sorted(kept)


def _fills(filled: Ints, tick: Decimal) -> tuple[list[Dot], list[Dot]]:
    """One symbol's (entries, exits). What a position came to is what was got for it less what was paid."""
    entries, exits = list[Dot](), list[Dot]()
    held = flow = 0
    for _, _, slot, lots, ticks, value, fee, at_ms, reason, _ in filled.tolist():
        price, word = ticks * tick, codes.REASONS[reason]
        if slot == codes.ENTRY:
            held, flow = held + lots, flow - value - fee
            entries.append(Dot(at_ms, price, word))
        else:
            held, flow = held - lots, flow + value - fee
            exits.append(Dot(at_ms, price, word, None if held else from_grains(flow)))
            flow = flow if held else 0
    return entries, exits


def _thinned(dots: Sequence[Dot]) -> tuple[Dot, ...]:
    return tuple(dots[n] for n in _evenly(len(dots), FILLS_MAX))


def _evenly(count: int, most: int) -> list[int]:
    """At most `most` of the first `count` numbers, the first and the last among them."""
    return list(range(count)) if count <= most else [n * (count - 1) // max(most - 1, 1) for n in range(most)]


def _shared_out(verdicts: Ints) -> list[int]:
    """The refusals that are drawn: every verdict gets its share of the room, so that a frequent one hides no rare."""
    kinds, counts = np.unique(verdicts, return_counts=True)
    chosen, room = list[int](), REFUSALS_MAX
    for done, n in enumerate(np.argsort(counts, kind="stable").tolist()):
        rows = np.flatnonzero(verdicts == kinds[n])
        kept = rows[_evenly(len(rows), room // (len(kinds) - done))]
        chosen, room = chosen + kept.tolist(), room - len(kept)
    return sorted(chosen)


def _closures(replayed: Replayed) -> Iterator[Closure]:
    """A lost day or week stays closed until it ends; a drawdown or a halt until an entry came past its gate."""
    if not len(replayed.at_ms):
        return
    end_ms = int(replayed.at_ms[-1]) + replayed.bar_ms
    for verdict in LOSSES:
        for from_ms, last_ms in _runs(replayed, verdict):
            yield Closure(from_ms, min(_closed_until(verdict, last_ms, replayed.bar_ms), end_ms), verdict.name)


def _closed_until(verdict: Verdict, last_ms: int, bar_ms: int) -> int:
    if verdict not in WINDOWS_MS:
        return last_ms + bar_ms
    first, length = WINDOWS_MS[verdict]
    return ((last_ms - first) // length + 1) * length + first


def _runs(replayed: Replayed, verdict: Verdict) -> Iterator[tuple[int, int]]:
    """(first, last) refusal of every run of them. Only an entry that this gate let through ends a run, and for a lost
    day or week the end of it: what an earlier gate refused tells nothing of this one."""
    given = replayed.judged[:, 3]
    hits = np.flatnonzero(given == verdict)
    if not len(hits):
        return
    at_ms = replayed.at_ms[replayed.judged[hits, 0]]
    first, length = WINDOWS_MS.get(verdict, (0, 1 << 62))
    passed = np.cumsum((given == Verdict.OK) | (given > verdict))[hits]
    ends = np.flatnonzero((np.diff(passed) != 0) | (np.diff((at_ms - first) // length) != 0))
    yield from zip(at_ms[[0, *(ends + 1)]].tolist(), at_ms[[*ends, len(hits) - 1]].tolist(), strict=True)
