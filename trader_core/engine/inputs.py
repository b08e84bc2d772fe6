"""Snapshots to records and back: what `decide` was given is written down whole, and read again as it was."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.codec import from_json, to_json
from trader_core.domain.inputs import (
    GONE,
    Bar,
    DayCloses,
    Excluding,
    Inputs,
    Listing,
    Taken,
    digest_of,
    digest_of_bars,
    packed,
)
from trader_core.domain.money import Base
from trader_core.domain.values import replace
from trader_core.engine.observe import Snapshot
from trader_core.market.frame import NO_DAYS, PARTS, Days, Frame

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

FIELDS = ("open", "high", "low", "close", "volume")
Held = Callable[[str, int, int], Iterable[Bar]]  # candles of a symbol that are written down, the newest word last


@dataclass(frozen=True)
class Documents:
    """What hardly ever changes, as text: instruments, exclusions, policy."""

    of: tuple[object, ...]
    texts: tuple[str, ...]
    digests: tuple[str, ...]


class Recorder:
    """Knows which candles and documents are on disk already, so that each is written once."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._told: Frame | None = None  # the window that is on disk
        self._asked: Frame | None = None  # and the one that is about to be
        self._made: Documents | None = None
        self._closes: tuple[Days, str, str] = NO_DAYS, "", ""  # as told last, their text and its digest

    def taken(self, snapshot: Snapshot, policy: "Settings", after: int) -> Taken:
        """The record of one cycle, and what is new in it."""
        frame = snapshot.frame
        bars = self.news(frame)
        documents = self._documents(snapshot, policy)
        instruments, exclusions, settings = documents.digests
        days, digest = self._day_closes(frame.before)
        inputs = Inputs(
            after=after,
            decision_ms=snapshot.decision_ms,
            seen_ms=snapshot.seen_ms,
            first_ms=EpochMs(frame.first_ms),
            rows=frame.rows,
            bar_ms=frame.bar_ms,
            instruments=instruments,
            exclusions=exclusions,
            policy=settings,
            bars=digest_of_bars(bars),
            quotes=tuple(snapshot.quotes.get(one.symbol) for one in snapshot.instruments),
            frozen=tuple(sorted(snapshot.frozen)),
            foreign=tuple((asset, Base(amount)) for asset, amount in sorted(snapshot.foreign.items())),
            problem=snapshot.problem,
            fees=snapshot.fees,
            objections=snapshot.objections,
            closing=tuple(sorted(snapshot.closing)),
            policy_ms=snapshot.policy_ms,
            days=digest,
            unread=unread_in(frame),
        )
        told = dict(zip(documents.digests, documents.texts, strict=True)) | ({digest: days} if digest else {})
        return Taken(packed(inputs), bars, told)

    def written(self) -> None:
        """The newest record is on disk: what it told need not be told again."""
        self._told = self._asked

    def _documents(self, snapshot: Snapshot, policy: "Settings") -> "Documents":
        """Made anew only where something is other than it was."""
        made_of = (snapshot.instruments, snapshot.exclusions, policy)
        if self._made is None or self._made.of[:2] != made_of[:2] or self._made.of[2] is not policy:
            texts = to_json(Listing(snapshot.instruments)), to_json(Excluding(snapshot.exclusions)), policy.text
            self._made = Documents(made_of, texts, tuple(map(digest_of, texts)))
        return self._made

    def _day_closes(self, days: Days) -> tuple[str, str]:
        """(text, digest), made anew only where they are other than they were; empty where there are none."""
        known, text, digest = self._closes
        if known.first != days.first or not np.array_equal(known.close, days.close):
            text = to_json(DayCloses(days.first, tuple(map(tuple, days.close.tolist()))))
            text, digest = (text, digest_of(text)) if len(days.close) else ("", "")
            self._closes = days, text, digest
        return text, digest

    def news(self, frame: Frame) -> tuple[Bar, ...]:
        """Cells of the window that are not on disk as they are now, in the order of symbols and times. Of what is
        unread nothing is: what is told of it stays, and is right again once it can be read."""
        unread = unread_in(frame)
        differs = None if unread else self._goes_on(frame)
        if differs is None:
            known = self._known(frame)
            frame = _as_known(frame, known, unread)
            differs = known["present"] != frame.present
            for name in FIELDS:
                differs |= known[name] != getattr(frame, name)
        self._asked = frame
        found: list[Bar] = []
        for i in np.flatnonzero(differs.any(axis=0)).tolist():
            rows = np.flatnonzero(differs[:, i])
            times = frame.first_ms + rows * frame.bar_ms
            columns = [getattr(frame, name)[rows, i] for name in FIELDS[:-1]]
            volume = np.where(frame.present[rows, i], frame.volume[rows, i], GONE)
            cells = zip(times.tolist(), *(one.tolist() for one in (*columns, volume)), strict=True)
            found += [Bar(frame.symbols[i], *cell) for cell in cells]
        return tuple(sorted(found))

    def _goes_on(self, frame: Frame) -> np.ndarray | None:
        """Which cells are news where the window is that on disk moved on, with the same symbols; else None."""
        told = self._told
        if told is None or told.bar_ms != frame.bar_ms or told.symbols != frame.symbols or told.rows != frame.rows:
            return None
        moved = (frame.first_ms - told.first_ms) // frame.bar_ms
        if not 0 <= moved <= frame.rows:
            return None
        kept, found = frame.rows - moved, np.array(frame.present)
        old, new = slice(moved, None), slice(0, kept)
        found[new] = told.present[old] != frame.present[new]
        for name in FIELDS:
            found[new] |= getattr(told, name)[old] != getattr(frame, name)[new]
        return found

    def _known(self, frame: Frame) -> dict[str, np.ndarray]:
        """The window as the disk has it."""
        told = self._told
        shape, end_ms = (frame.rows, len(frame.symbols)), frame.first_ms + frame.rows * frame.bar_ms
        known = {name: np.zeros(shape[::-1], np.int64).T for name in FIELDS}
        known["present"] = np.zeros(shape[::-1], np.bool_).T
        goes_on = told is not None and told.bar_ms == frame.bar_ms and told.first_ms <= frame.first_ms
        before = told if told is not None and goes_on and told.first_ms + told.rows * told.bar_ms <= end_ms else None
        for i, symbol in enumerate(frame.symbols):
            if before is not None and symbol in before.symbols:
                j, skip = before.symbols.index(symbol), (frame.first_ms - before.first_ms) // frame.bar_ms
                for name, column in known.items():
                    old = getattr(before, name)[skip:, j]
                    column[: len(old), i] = old
            else:
                place(known, i, frame, self._held(symbol, frame.first_ms, end_ms))
        return known


def unread_in(frame: Frame) -> tuple[str, ...]:
    """Symbols without a single bar, in the frame's order."""
    return tuple(frame.symbols[i] for i in np.flatnonzero(~frame.present.any(axis=0)).tolist())


def _as_known(frame: Frame, known: Mapping[str, np.ndarray], symbols: Collection[str]) -> Frame:
    """With the columns of those symbols as they are known."""
    if not symbols:
        return frame
    there = np.array([one not in symbols for one in frame.symbols], np.bool_)
    parts: dict[str, Any] = {name: np.where(there, getattr(frame, name), known[name]) for name in PARTS}
    return replace(frame, **parts)


def place(known: dict[str, np.ndarray], i: int, frame: Frame, bars: Iterable[Bar]) -> None:
    """Write candles into column `i`; of two words on one bar the later one counts."""
    told = np.array([bar[1:] for bar in bars], np.int64).reshape(-1, 1 + len(FIELDS))
    row, there = (told[:, 0] - frame.first_ms) // frame.bar_ms, told[:, -1] != GONE
    known["present"][row, i] = there
    for name, values in zip(FIELDS, told[:, 1:].T, strict=True):
        known[name][row, i] = np.where(there, values, 0)


class Shelf:
    """All candles that were told so far, of any symbol and time; a window of them is a frame again."""

    def __init__(self, first_ms: int, bar_ms: int) -> None:
        self._first_ms, self._bar_ms = first_ms, bar_ms
        self._columns: dict[str, np.ndarray] = {}  # [field, row]; a volume of GONE is no bar

    def put(self, bars: Iterable[Bar]) -> None:
        for bar in bars:
            row = (bar.open_ms - self._first_ms) // self._bar_ms
            self._column(bar.symbol, row)[:, row] = bar[2:]

    def _column(self, symbol: str, row: int) -> np.ndarray:
        column = self._columns.get(symbol)
        have = 0 if column is None else column.shape[1]
        if row < have and column is not None:
            return column
        grown = np.full((len(FIELDS), max(2 * have, row + 1, 1 << 10)), GONE, np.int64)
        if column is not None:
            grown[:, :have] = column
        self._columns[symbol] = grown
        return grown

    def frame(self, symbols: Sequence[str], first_ms: int, rows: int, unread: Collection[str] = ()) -> Frame:
        """The window as it was seen; what nobody told of is absent, and all of what was unread."""
        cells = np.full((len(FIELDS), len(symbols), rows), GONE, np.int64)
        begin = (first_ms - self._first_ms) // self._bar_ms
        for i, symbol in enumerate(symbols):
            if symbol in self._columns and symbol not in unread:
                known = self._columns[symbol][:, max(begin, 0) : max(begin + rows, 0)]
                skip = max(-begin, 0)
                cells[:, i, skip : skip + known.shape[1]] = known
        present = cells[-1] != GONE
        cells[:, ~present] = 0
        opened, high, low, close, volume = (one.T for one in cells)
        return Frame(tuple(symbols), first_ms, self._bar_ms, opened, high, low, close, volume, present.T)


def _days_of(inputs: Inputs, document: Callable[[str], str]) -> Days:
    if not inputs.days:
        return NO_DAYS
    told = from_json(DayCloses, document(inputs.days))
    return Days(told.first, np.array(told.closes, np.int64))


def snapshot_of(inputs: Inputs, shelf: Shelf, document: Callable[[str], str], rows: int = 0) -> Snapshot:
    """What `decide` was given then; with more `rows` than it had, what was known of the time before too."""
    listing = from_json(Listing, document(inputs.instruments)).instruments
    symbols, longer = [one.symbol for one in listing], max(rows - inputs.rows, 0)
    frame = shelf.frame(symbols, inputs.first_ms - longer * inputs.bar_ms, inputs.rows + longer, inputs.unread)
    quoted = zip(symbols, inputs.quotes, strict=True)
    return Snapshot(
        decision_ms=inputs.decision_ms,
        instruments=listing,
        exclusions=from_json(Excluding, document(inputs.exclusions)).exclusions,
        frame=replace(frame, before=_days_of(inputs, document)),
        quotes={symbol: quote for symbol, quote in quoted if quote is not None},
        frozen=frozenset(inputs.frozen),
        foreign=dict(inputs.foreign),
        problem=inputs.problem,
        seen_ms=inputs.seen_ms,
        fees=inputs.fees,
        objections=inputs.objections,
        closing=frozenset(inputs.closing),
        policy_ms=inputs.policy_ms,
    )
