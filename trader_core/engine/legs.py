"""A replay's columns, leg by leg: while one leg is walked, those of the next are computed on another core.

A leg is a part of the market with as many rows in front as any window reaches back, so its columns are those of the
whole. What is told by the hour is taken from the whole.
"""

import os
from collections.abc import Callable, Collection, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache

import numpy as np

from trader_core.domain.instrument import Instrument
from trader_core.engine.columns import NOWHERE, Memo, Opinions, bars_later, opinions_of, rows_before
from trader_core.market.frame import Frame
from trader_core.market.seen import Market
from trader_core.rulebook.limits import Ints
from trader_core.rulebook.state import Bars, Columns

LEG_CELLS = 1 << 17  # of rows and instruments at the least: what one core's cache holds
CELLS_WORTH_LEGS = 1 << 18
CELLS_SHARED = 1 << 20  # the same where replays share a memo, and the cores
LEADS_IN_LEG = 8  # a leg is at least so many times as long as what stands in front of it
GRID = 1 << 10  # rows; legs of policies whose windows differ by less begin together


class Broken(Exception):
    """Strategies broke: in words, by strategy."""

    def __init__(self, failures: dict[str, str]) -> None:
        super().__init__(", ".join(failures))
        self.failures = failures


@dataclass(frozen=True)
class Leg:
    """Rows from `first` on of a part that begins at row `start` of the whole."""

    start: int
    first: int
    bars: Bars
    opinions: Opinions
    entered: Ints  # [n, 2]: row of the whole and instrument of what the next leg may still judge


@dataclass(frozen=True)
class Legs:
    """All of them, in order."""

    market: Market  # the whole
    instruments: tuple[Instrument, ...]
    memo: Memo | None  # what replays over one frame have in common
    silent: Collection[str]  # strategies that nothing is asked of
    is_one: bool  # all rows in one leg
    told: Callable[[Columns, Bars], object] = lambda columns, bars: None  # of each that is made, where it is made

    def __iter__(self) -> Generator[Leg, None, None]:
        """Each but the first is computed while the one before it is walked. Raises Broken."""
        ends = list(self._ends())
        if not ends:
            return
        memo = self.memo or Memo()
        leg = self._leg(memo, *ends[0], NOWHERE)
        for begin, end in ends[1:]:
            coming = _helper(os.getpid()).submit(self._leg, memo, begin, end, leg.entered)
            try:
                yield leg
                leg = coming.result()
            finally:
                wait([coming])
        yield leg

    def _leg(self, memo: Memo, begin: int, end: int, entered: Ints) -> Leg:
        """Rows `begin` to before `end`, after a leg that leaves that. Raises Broken."""
        market, start = self.market, max(begin - self._lead, 0)
        frame = self._part(start, end)
        part, before = market.leg(frame, start, begin), entered - np.array([start, 0])
        opinions = opinions_of(part, self.instruments, memo, before, self.silent)
        if opinions.failures:
            raise Broken(opinions.failures)
        together = np.concatenate([entered, opinions.cells + np.array([start, 0])])
        left = np.searchsorted(together[:, 0], end - max(bars_later(market.policy)))
        self.told(opinions.columns, frame.bars)
        return Leg(start, begin - start, frame.bars, opinions, together[left:])

    def _part(self, start: int, end: int) -> Frame:
        whole = self.market.frame
        if self.memo is None:
            return whole.part(start, end)
        parts: dict[tuple[int, int], Frame] = self.memo.of((whole, "legs"), dict)
        return parts.setdefault((start, end), whole.part(start, end))

    def _ends(self) -> Iterator[tuple[int, int]]:
        """Of each leg the first row, and the one after the last: parts of one length, but where the first decision is
        in the midst of one."""
        frame, begin = self.market.frame, self.market.first
        is_long = frame.close.size >= (CELLS_SHARED if self.memo else CELLS_WORTH_LEGS)
        count = frame.close.size // LEG_CELLS if is_long and not self.is_one else 1
        length = max(_up(-(-frame.rows // count)), LEADS_IN_LEG * self._lead)
        while begin < frame.rows:
            end = min((begin // length + 1) * length, frame.rows)
            yield begin, end
            begin = end

    @property
    def _lead(self) -> int:
        return _up(rows_before(self.market.policy))


@cache
def _helper(process: int) -> ThreadPoolExecutor:
    """What computes ahead; a fork has one of its own."""
    return ThreadPoolExecutor(1)


def _up(rows: int) -> int:
    return -(-rows // GRID) * GRID
