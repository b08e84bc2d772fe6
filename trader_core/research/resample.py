"""Histories that did not happen: blocks of the one that did, joined so that every bar stays a valid one."""

from itertools import pairwise

import numpy as np

from trader_core.domain.clocktime import DAY_MS
from trader_core.domain.values import replace
from trader_core.market.frame import Frame
from trader_core.research.chance import Dice
from trader_core.rulebook.limits import Floats, Ints

TICKS_MAX = 1 << 40  # a price that grew so far stays there


def source_rows(frame: Frame, block_ms: int, chance: Dice) -> Ints:
    """[row], which row of the frame comes next: whole blocks on the grid of `block_ms`, each from the same time of the
    day as the one in whose place it stands, so hours and days stay what they were."""
    rows, a_day = frame.rows, DAY_MS // frame.bar_ms
    edges = [0, *blocks_of(frame, block_ms), rows]
    found = np.empty(rows, np.int64)
    for start, end in pairwise(edges):
        first = start % a_day
        days = (rows - (end - start) - first) // a_day + 1
        taken = first + a_day * int(chance.integers(days))
        found[start:end] = np.arange(taken, taken + end - start)
    return found


def blocks_of(frame: Frame, block_ms: int) -> list[int]:
    """The rows, but the first, at which a block of the UTC grid begins."""
    opens = frame.first_ms + frame.bar_ms * np.arange(frame.rows, dtype=np.int64)
    return [int(row) for row in np.flatnonzero(opens % block_ms == 0) if row > 0]


def resampled(frame: Frame, source: Ints) -> Frame:
    """The frame of those rows. Where one block follows another, prices go on from the last close by the first one's own
    return: a block's prices are all multiplied by one figure and rounded to the tick, which keeps every low at or below
    its open and close, and every high above. Volumes, and bars that are missing, are as they were.
    """
    names = ("open", "high", "low", "close")
    made = {name: np.zeros_like(getattr(frame, name)) for name in names}
    present, level = frame.present[source], np.zeros(len(frame.symbols))
    before = _last_closes(frame)
    cuts = [0, *(np.flatnonzero(np.diff(source) != 1) + 1).tolist(), len(source)]
    for start, end in pairwise(cuts):
        taken = slice(int(source[start]), int(source[start]) + end - start)
        factor = _factor(frame, taken, before[taken.start], level)
        for name in names:
            made[name][start:end] = _moved(getattr(frame, name)[taken], factor)
        level = np.where(frame.present[taken].any(axis=0), before[taken.stop] * factor, level)
    made = {name: np.where(present, each, 0) for name, each in made.items()}
    days = replace(frame.before, close=_led_to(frame, made["open"], present))
    return replace(frame, **made, volume=frame.volume[source], present=present, before=days)


def _led_to(frame: Frame, opened: Ints, present: np.ndarray) -> Ints:
    """The closes of the days before, moved so that they lead to the first price there is now, not to the one there
    was."""
    was, now = (
        np.take_along_axis(prices, shown.argmax(axis=0)[None], axis=0)[0]
        for prices, shown in ((frame.open, frame.present), (opened, present))
    )
    known = (was > 0) & (now > 0)
    closes = frame.before.close
    moved = _moved(closes, np.where(known, now / np.maximum(was, 1), 1.0)) if len(closes) else closes
    return np.where(closes > 0, moved, 0)


def _factor(frame: Frame, taken: slice, before: Ints, level: Floats) -> Floats:
    """What each instrument's prices of this block are multiplied by; 1 where nothing came before."""
    shown = frame.present[taken]
    opening = np.take_along_axis(frame.open[taken], shown.argmax(axis=0)[None], axis=0)[0]
    anchor = np.where(before > 0, before, np.where(shown.any(axis=0), opening, 0))
    known = (anchor > 0) & (level > 0)
    return np.asarray(np.where(known, level / np.maximum(anchor, 1), 1.0))


def _moved(ticks: Ints, factor: Floats) -> Ints:
    return np.clip(np.floor(ticks * factor + 0.5), 1, TICKS_MAX).astype(np.int64)


def _last_closes(frame: Frame) -> Ints:
    """[row, instrument], the newest close before each row, and in one row more, after the last; 0 where there was
    none."""
    row = np.arange(1, frame.rows + 1, dtype=np.int64)[:, None]
    newest = np.maximum.accumulate(np.where(frame.present, row, 0), axis=0)
    closes = np.take_along_axis(frame.close, np.maximum(newest - 1, 0), axis=0)
    return np.concatenate([np.zeros((1, len(frame.symbols)), np.int64), np.where(newest > 0, closes, 0)])
