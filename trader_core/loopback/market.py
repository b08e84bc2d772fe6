"""Prices as paths: the generated quiet market, and the pins with which a test moves any market at once."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trader_core.loopback.chance import spread
from trader_core.loopback.products import Product

Ints = NDArray[np.int64]
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 86_400_000
STEP_MS = 5_000  # the generated price moves so often
HISTORY_MS = 90 * DAY_MS
_STEPS = DAY_MS // STEP_MS
_PER_MINUTE = MINUTE_MS // STEP_MS
_SWING = 0.03  # how far a midnight's price is from where the market hovers
_NOISE = 0.02  # how far a day's own walk goes from the line between its midnights
_WALK = 0.00010  # largest part of a step's own move
_DAYS_KEPT = 10  # step by step and minute by minute, a product; of others only the hours


@dataclass(frozen=True, slots=True)
class Bar:
    """What happened from one moment to the next: prices in ticks, volume in lots."""

    end_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Candles oldest first: opening times in ms, prices in ticks, volumes in lots."""

    ts: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints

    def __len__(self) -> int:
        return len(self.ts)


NONE = Rows(*(np.zeros(0, np.int64) for _ in range(6)))


class Path(Protocol):
    """One product's price in time. What lies after the moment asked for is never looked at."""

    step_ms: int  # a whole part of the finest candle
    finest_ms: int  # the finest candle there is

    def price(self, at_ms: int) -> int | None:
        """Ticks of the last trade at that moment; None before the first."""
        ...

    def volume(self, at_ms: int) -> int:
        """Lots traded in the step that holds the moment."""
        ...

    def finished(self, since_ms: int, until_ms: int, step_ms: int) -> Rows:
        """What the candles of that step that open in [since, until) are made from; it all lies in the past."""
        ...


@dataclass(frozen=True, slots=True)
class _Day:
    points: Ints  # prices at every step, both midnights included
    rows: Rows


class Generated:
    """An endless quiet walk from a seed: never more than 6 % from where it hovers, whichever day is asked for.

    A day is a line between the prices of its two midnights plus a walk that is pinned to zero at both, so days join
    and each is computed on its own. Between bits and ticks stand only + - * / and rounding: every machine agrees.
    """

    step_ms = STEP_MS
    finest_ms = MINUTE_MS

    def __init__(self, seed: int, product: Product, first_ms: int) -> None:
        self._seed, self._product = seed, product
        self._first_ms = first_ms // DAY_MS * DAY_MS
        self._days: OrderedDict[int, _Day] = OrderedDict()
        self._hours: dict[int, Rows] = {}

    def price(self, at_ms: int) -> int | None:
        if at_ms < self._first_ms:
            return None
        return int(self._day(at_ms // DAY_MS).points[at_ms % DAY_MS // STEP_MS])

    def volume(self, at_ms: int) -> int:
        return int(self._day(at_ms // DAY_MS).rows.volume[at_ms % DAY_MS // MINUTE_MS]) // _PER_MINUTE

    def finished(self, since_ms: int, until_ms: int, step_ms: int) -> Rows:
        """Hours where they do and minutes where they must."""
        since_ms = max(since_ms, self._first_ms)
        in_hours = step_ms % HOUR_MS == 0 and since_ms % HOUR_MS == 0
        turn_ms = max(since_ms, until_ms // HOUR_MS * HOUR_MS) if in_hours else since_ms
        hours = [self._hours_of(day) for day in _days(since_ms, turn_ms)]
        minutes = [self._day(day).rows for day in _days(turn_ms, until_ms)]
        return joined([_between(joined(hours), since_ms, turn_ms), _between(joined(minutes), turn_ms, until_ms)])

    def _hours_of(self, day: int) -> Rows:
        if day not in self._hours:
            self._hours[day] = resampled(self._day(day).rows, HOUR_MS)
        return self._hours[day]

    def _day(self, day: int) -> _Day:
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = self._made(day)
            if len(self._days) > _DAYS_KEPT:
                self._days.popitem(last=False)
        else:
            self._days.move_to_end(day)
        return found

    def _made(self, day: int) -> _Day:
        product, clock = self._product, np.arange(_STEPS + 1, dtype=np.float64) / _STEPS
        begins, ends = self._midnight(day), self._midnight(day + 1)
        walk = np.concatenate(([0.0], np.cumsum(spread(_STEPS, self._seed, product.canonical, "walk", day)))) * _WALK
        walk -= clock * walk[-1]
        level = 1.0 + begins + (ends - begins) * clock + np.clip(walk, -_NOISE, _NOISE)
        points = np.rint(level * (product.price * 10.0**product.price_digits)).astype(np.int64)
        return _Day(points, self._rows(day, points))

    def _midnight(self, day: int) -> float:
        return _SWING * float(spread(1, self._seed, self._product.canonical, "midnight", day)[0])

    def _rows(self, day: int, points: Ints) -> Rows:
        product, minutes = self._product, DAY_MS // MINUTE_MS
        inside = np.lib.stride_tricks.sliding_window_view(points, _PER_MINUTE + 1)[::_PER_MINUTE]
        lots = product.turnover / minutes / product.price * 10.0**product.base_digits
        busy = 1.0 + 0.5 * spread(minutes, self._seed, product.canonical, "volume", day)
        volume = np.rint(lots * busy).astype(np.int64)
        ts = day * DAY_MS + np.arange(minutes, dtype=np.int64) * MINUTE_MS
        return Rows(ts, inside[:, 0].copy(), inside.max(axis=1), inside.min(axis=1), inside[:, -1].copy(), volume)


def _days(since_ms: int, until_ms: int) -> range:
    return range(since_ms // DAY_MS, (until_ms - 1) // DAY_MS + 1 if until_ms > since_ms else since_ms // DAY_MS)


def _between(rows: Rows, since_ms: int, until_ms: int) -> Rows:
    first, last = np.searchsorted(rows.ts, (since_ms, until_ms))
    return taken(rows, int(first), int(last))


def joined(parts: list[Rows]) -> Rows:
    columns = ("ts", "open", "high", "low", "close", "volume")
    return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns)) if parts else NONE


def taken(rows: Rows, first: int, last: int) -> Rows:
    picked = slice(first, last)
    return Rows(
        rows.ts[picked], rows.open[picked], rows.high[picked], rows.low[picked], rows.close[picked],
        rows.volume[picked],
    )  # fmt: skip


def resampled(rows: Rows, step_ms: int) -> Rows:
    """Rows in wider buckets, aligned to the epoch; a bucket without rows stays missing."""
    if not len(rows):
        return rows
    bucket = rows.ts // step_ms * step_ms
    first = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    last = np.concatenate((first[1:] - 1, [len(bucket) - 1]))
    return Rows(
        bucket[first], rows.open[first], np.maximum.reduceat(rows.high, first),
        np.minimum.reduceat(rows.low, first), rows.close[last], np.add.reduceat(rows.volume, first),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pin:
    """From here on the price stands where a test has put it; `last` None lets the path go on."""

    from_ms: int
    last: int | None
    bid: int | None = None
    ask: int | None = None


@dataclass
class Feed:
    """A path with its pins: what every question about one product's price is put to."""

    path: Path
    pins: list[Pin] = field(default_factory=list)

    def pin(self, pin: Pin) -> None:
        """A pin takes the place of those that are not yet reached before it; the past stays as it was."""
        self.pins = [one for one in self.pins if one.from_ms < pin.from_ms]
        self.pins.append(pin)

    def pinned(self, at_ms: int) -> Pin | None:
        position = bisect_right(self.pins, at_ms, key=lambda pin: pin.from_ms)
        found = self.pins[position - 1] if position else None
        return found if found is not None and found.last is not None else None

    def price(self, at_ms: int) -> int | None:
        pin = self.pinned(at_ms)
        return pin.last if pin else self.path.price(at_ms)

    def moment(self, at_ms: int) -> tuple[int, int]:
        """Names the stretch in which price and book stay as they are."""
        return at_ms // self.path.step_ms, bisect_right(self.pins, at_ms, key=lambda pin: pin.from_ms)

    def bars(self, after_ms: int, until_ms: int) -> list[Bar]:
        """What happened in (after, until], step by step."""
        step = self.path.step_ms
        edges = set(range((after_ms // step + 1) * step, until_ms + 1, step))
        edges |= {pin.from_ms for pin in self.pins if after_ms < pin.from_ms <= until_ms}
        found, was_ms = [], after_ms
        for edge in sorted(edges):
            begins, ends = self.price(was_ms), self.price(edge)
            if begins is not None and ends is not None:
                volume = self.path.volume(was_ms)
                found.append(Bar(edge, begins, max(begins, ends), min(begins, ends), ends, volume))
            was_ms = edge
        return found

    def moves(self, until_ms: int) -> Iterator[int]:
        """The moments up to then at which a price may have moved, newest first, each once."""
        steps = range(until_ms // self.path.step_ms * self.path.step_ms, -1, -self.path.step_ms)
        pins = (pin.from_ms for pin in reversed(self.pins) if pin.from_ms <= until_ms)
        return (at_ms for at_ms, _ in groupby(merge(steps, pins, reverse=True)))

    def candles(self, step_ms: int, since_ms: int, until_ms: int, now_ms: int) -> Rows:
        """Candles that open in [since, until), the newest as far as it has come, once something was traded in it."""
        finest = self.path.finest_ms
        if step_ms % finest:
            return NONE
        since_ms = -(-since_ms // step_ms) * step_ms
        until_ms = min(until_ms, now_ms + 1)
        until_ms = -(-until_ms // step_ms) * step_ms
        made_from = finest if self.pins else step_ms
        rows = self._pinned_over(self.path.finished(since_ms, min(until_ms, now_ms // finest * finest), made_from))
        newest = self._unfinished(now_ms) if since_ms <= now_ms < until_ms else NONE
        return resampled(joined([rows, newest]), step_ms)

    def _pinned_over(self, rows: Rows) -> Rows:
        """Candles since the first pin are made again from what was pinned."""
        if not self.pins or not len(rows) or int(rows.ts[-1]) + self.path.finest_ms <= self.pins[0].from_ms:
            return rows
        first = int(np.searchsorted(rows.ts, self.pins[0].from_ms - self.path.finest_ms, side="right"))
        again = [
            self._lived(int(ts), int(ts) + self.path.finest_ms, int(volume))
            for ts, volume in zip(rows.ts[first:], rows.volume[first:], strict=True)
        ]
        return joined([taken(rows, 0, first), *again])

    def _unfinished(self, now_ms: int) -> Rows:
        opened = now_ms // self.path.finest_ms * self.path.finest_ms
        steps = range(opened, now_ms + 1, self.path.step_ms)
        volume = sum(self.path.volume(at) for at in steps) if self.path.price(opened) is not None else 0
        return self._lived(opened, now_ms, volume) if volume else NONE

    def _lived(self, since_ms: int, until_ms: int, volume: int) -> Rows:
        first = self.price(since_ms)
        if first is None:
            return NONE
        prices = [first, *(bar.close for bar in self.bars(since_ms, until_ms))]
        values = (since_ms, first, max(prices), min(prices), prices[-1], volume)
        return Rows(*(np.array([value], dtype=np.int64) for value in values))
