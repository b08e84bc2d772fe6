"""A market that nobody would wish for: stretches of trend, jump, crash, calm and silence, drawn from a seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trader_core.candles.files import Rows, granularity_name
from trader_core.candles.writing import write_rows
from trader_core.domain.clocktime import HOUR_MS, MINUTE_MS
from trader_core.prove.sim.dice import Dice

FIRST_MS = 1_709_510_400_000  # 2024-03-04, a Monday
BEFORE_H = 60  # of history before the first decision
MOODS = ("calm", "up", "down", "wild", "jump", "crash", "flat")
DRIFT = {"up": 0.0015, "down": -0.0015}
SPREAD = {"calm": 0.003, "up": 0.004, "down": 0.004, "wild": 0.02, "jump": 0.004, "crash": 0.006, "flat": 0.0}
STRETCH = (20, 160)  # bars of one mood
PRICES = {"BTC": 40_000.0, "ETH": 2_500.0, "SOL": 100.0, "XRP": 0.5}
CENTS = {"BTC": 1, "ETH": 2, "SOL": 2, "XRP": 4}


@dataclass(frozen=True)
class Market:
    """`closes` are the last prices by the time at which they are known, by symbol: what a witness values by."""

    data: Path
    bar_ms: int
    since_ms: int
    closes: Mapping[str, tuple[tuple[int, str], ...]]


def write_market(
    folder: Path, dice: Dice, bases: tuple[str, ...], bar_min: int, bars: int, thin: bool, holes: bool
) -> Market:
    bar_ms, closes = bar_min * MINUTE_MS, {}
    before = BEFORE_H * HOUR_MS // bar_ms
    folder.mkdir(parents=True)
    for base in bases:
        rows = _rows(dice, base, bar_ms, before, bars, thin, holes)
        write_rows(folder / f"{base}-USD" / f"{granularity_name(bar_ms)}.parquet", rows)
        known = zip((rows.ts + bar_ms).tolist(), rows.close.tolist(), strict=True)
        closes[f"{base}-USD"] = tuple((at_ms, f"{close:.{CENTS[base]}f}") for at_ms, close in known)
    return Market(folder, bar_ms, FIRST_MS, closes)


def _rows(dice: Dice, base: str, bar_ms: int, before: int, bars: int, thin: bool, holes: bool) -> Rows:
    count, step = before + bars, 10.0 ** -CENTS[base]
    move, silent = _moves(dice, base, before, bars)
    close = np.maximum(np.rint(PRICES[base] * np.exp(np.cumsum(move)) / step), 10)
    opened = np.maximum(np.rint(np.append(close[0], close[:-1]) * (1 + 0.1 * move)), 10)
    up, down, busy = (dice.shares(count, base, name) for name in ("up", "down", "busy"))
    reach = np.abs(move) + 0.0005
    high = np.maximum(opened, close) + np.rint(close * reach * up)
    low = np.maximum(np.minimum(opened, close) - np.rint(close * reach * down), 1)
    volume = (3.0 if thin else 3_000_000.0) * (0.05 + busy * busy * busy) / PRICES[base] * 40
    there = np.ones(count, np.bool_)
    if holes:
        there[before:] = ~(silent | (dice.shares(bars, base, "holes") < 0.01))
        there[-1] = True  # the market ends when it should
    times = FIRST_MS + (np.arange(count, dtype=np.int64) - before) * bar_ms
    columns = [np.round(one * step, CENTS[base])[there] for one in (opened, high, low, close)]
    return Rows(times[there], columns[0], columns[1], columns[2], columns[3], np.round(volume, 2)[there] + 0.01)


def _moves(dice: Dice, base: str, before: int, bars: int) -> tuple[np.ndarray, np.ndarray]:
    """(log move of each bar, which of those after `before` are silent). All coins share half of their moves."""
    own, shared = dice.normals(before + bars, base, "own"), dice.normals(before + bars, "shared")
    move, silent = 0.002 * (own + shared), np.zeros(bars, np.bool_)
    begin = n = 0
    while begin < bars:
        mood, length = dice.one_of(MOODS, "mood", n), dice.whole(*STRETCH, "stretch", n)
        part = slice(before + begin, before + min(begin + length, bars))
        move[part] = DRIFT.get(mood, 0.0) + SPREAD[mood] * 0.6 * (own[part] + shared[part])
        if mood in ("jump", "crash"):
            size = 0.05 + 0.25 * dice.share("size", n)
            move[part.start] += size * (-1 if mood == "crash" or dice.falls(0.5, "way", n) else 1)
        if mood == "flat" and dice.falls(0.3, "silent", n, base):
            silent[begin : begin + min(length, 12)] = True
        begin, n = begin + length, n + 1
    return np.clip(move, -0.7, 0.7), silent
