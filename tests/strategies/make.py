"""Builds what triggers and strategies look at: policies with windows of a few hours, and markets of integer bars."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import yaml
from hypothesis import strategies as st

from trader_core.domain.clocktime import MINUTE_MS
from trader_core.domain.market import MARK_BARS
from trader_core.domain.values import names_of, replace
from trader_core.market.frame import Frame
from trader_core.market.seen import Market
from trader_core.rulebook.limits import Flags, Floats, Ints
from trader_core.settings.schema import FILES, Settings
from trader_core.strategies.base import Proposals, Terms

CONFIG = Path(__file__).parents[2] / "config"
SHIPPED = Settings.model_validate_json(
    json.dumps({name: yaml.safe_load((CONFIG / f"{name}.yaml").read_text()) for name in FILES})
)
START_MS = 1_700_000_000_000 // (60 * MINUTE_MS) * 60 * MINUTE_MS
PARTS = ("open", "high", "low", "close", "volume", "present")
PRICE = 6_000_000
SYMBOLS = ("BTC-USD", "DOGE-USD")  # of tier 1, and the regime's own; of tier 2
THREE = (*SYMBOLS, "ETH-USD")

# Windows of a few hours, thresholds that ordinary walks cross, a regime that changes often.
LIVELY: dict[str, Any] = {
    "signals__windows__max_missing_bars": 2,
    "signals__regime__trend_h": 2,
    "signals__regime__confirm_h": 1,
    "signals__regime__recall_h": 1,
    "signals__regime__bull_rise_pct": 1.0,
    "signals__regime__bull_volatility_pct": 900.0,
    "signals__regime__crash_volatility_pct": 1000.0,
    "signals__regime__crash_fall_pct": 3.0,
    "signals__regime__bear_fall_pct": 1.0,
    "signals__guards__atr_h": 4,
    "signals__triggers__breakout_h": 3,
    "signals__triggers__volume_h": 2,
    "signals__triggers__volume_rise_pct": 0.3,
    "signals__triggers__momentum_h": 12,
    "signals__triggers__momentum_pct": 1.0,
    "signals__triggers__reversal_bounce_pct": 0.5,
    "signals__triggers__reversal_trend_pct": 0.01,
    "strategies__momentum__window_h": 3,
    "strategies__momentum__min_rise_pct": 0.5,
    "strategies__mean_reversion__window_h": 3,
    "strategies__sma_cross__fast_bars": 3,
    "strategies__sma_cross__slow_bars": 9,
    **{
        f"signals__thresholds__{regime}__{key}": round(value * (1.0 + 0.25 * n), 2)
        for n, regime in enumerate(("bull", "chop", "bear", "crash"))
        for key, value in (("move_15m_pct", 0.8), ("move_60m_pct", 1.2), ("volume_ratio", 1.2))
    },
}


def policy(bar_min: int = 15, **edits: Any) -> Settings:
    """The shipped policy with some keys changed and validated again; `a__b__c` names the key a.b.c."""
    content = SHIPPED.model_dump()
    for key, value in {"policy__cycle__base_bar_min": bar_min, **edits}.items():
        *path, last = key.split("__")
        block = content
        for part in path:
            block = block[part]
        block[last] = value
    return Settings.model_validate(content)


def frame_of(
    closes: Ints, highs: Ints, lows: Ints, volumes: Ints, present: np.ndarray, bar_min: int = 15,
    symbols: Sequence[str] = SYMBOLS,
) -> Frame:  # fmt: skip
    """A frame that nobody can write to; every bar opens at its close."""
    named = {"open": closes, "high": highs, "low": lows, "close": closes, "volume": volumes}
    parts: dict[str, Any] = {name: np.where(present, part, 0) for name, part in named.items()} | {"present": present}
    for part in parts.values():
        part.setflags(write=False)
    return Frame(tuple(symbols), START_MS, bar_min * MINUTE_MS, **parts)


def steady(columns: Sequence[Sequence[int]], symbols: Sequence[str], volume: int = 1_000, bar_min: int = 15) -> Frame:
    """One list of closes per instrument; a bar spans its close and the one before."""
    closes = np.array(columns, np.int64).T.copy()
    before = np.vstack([closes[:1], closes[:-1]])
    volumes = np.full(closes.shape, volume, np.int64)
    present = np.ones(closes.shape, np.bool_)
    return frame_of(closes, np.maximum(closes, before), np.minimum(closes, before), volumes, present, bar_min, symbols)


@dataclass(frozen=True)
class Opinion:
    """All that a strategy has to say, in every cell: arrays are [row, instrument]."""

    enter: Flags
    leave: Flags
    conviction: Floats
    scale: Floats
    stop_bps: Ints
    target_bps: Ints
    hold_ms: Ints
    value: Floats
    limit: Floats
    known: np.ndarray


def opinion(proposals: Proposals, market: Market) -> Opinion:
    """Everything asked for in every cell from `market.first` on; zeros before."""
    shape, first = market.frame.close.shape, market.first
    rows, columns = (
        each.ravel() for each in np.meshgrid(np.arange(first, shape[0]), np.arange(shape[1]), indexing="ij")
    )
    terms, parts = proposals.terms(rows, columns), {}
    for name in names_of(Terms):
        figures = np.asarray(getattr(terms, name))
        parts[name] = np.zeros(shape, figures.dtype)
        parts[name][rows, columns] = figures
    seen = [proposals.measured(row) for row in range(first, shape[0])]
    for name, kind in (("value", np.float64), ("limit", np.float64), ("known", np.bool_)):
        parts[name] = np.zeros(shape, kind)
        parts[name][first:] = np.array([getattr(one, name) for one in seen]).reshape(-1, shape[1])
    return Opinion(enter=proposals.enter, leave=proposals.leave, **parts)


def cut(frame: Frame, first: int, end: int) -> Frame:
    """Rows first..end-1 as a frame of their own, as a live cycle would read them."""
    parts = {name: getattr(frame, name)[first:end] for name in PARTS}
    return replace(frame, first_ms=frame.first_ms + first * frame.bar_ms, **parts)


def live(frame: Frame, settings: Settings, row: int, lookback: int) -> Market:
    """What a cycle at that row would see: its lookback, and only the last row asked about."""
    return Market(cut(frame, row + 1 - lookback, row + 1), settings, lookback - 1)


def bits(value: Any, row: int) -> list[bytes]:
    """Every array of a named thing at one row, to the last bit."""
    return [np.ascontiguousarray(part[row]).tobytes() for part in arrays(value)]


def arrays(value: Any) -> list[np.ndarray]:
    """Every array in a dataclass, a dict or both."""
    if isinstance(value, np.ndarray):
        return [value]
    parts = value.values() if isinstance(value, dict) else (getattr(value, name) for name in names_of(value))
    return [array for part in parts for array in arrays(part)]


WICKS = (8, 20)


def valley(symbols: Sequence[str], wicks: Sequence[int] = ()) -> Frame:
    """A fall, then a slow rise of 7 % over thirty hours; wicks so many bars ago make pivots of rising lows."""
    rise = [round(PRICE * 0.8 * (1 + 0.07 * n / 120)) for n in range(121)]
    frame = steady([[PRICE] * 40 + [round(PRICE * 0.8)] * 40 + rise] * len(symbols), symbols)
    lows = frame.low.copy()
    for age in wicks:
        lows[-1 - age] = lows[-1 - age] * 997 // 1000
    return replace(frame, low=lows)


def old_start(rows: int, symbols: Sequence[str], bar_min: int, old: int = MARK_BARS) -> Frame:
    """A steady rise of so many bars. Where there are enough of them, only the first one lets the next be known."""
    frame = steady([[PRICE + 4_000 * n for n in range(rows)]] * len(symbols), symbols, bar_min=bar_min)
    parts: dict[str, Any] = {name: getattr(frame, name).copy() for name in PARTS}
    for part in parts.values() if rows > old else ():
        part[1:old] = 0
    return replace(frame, **parts)


@st.composite
def frames(draw: st.DrawFn, bars: int, bar_min: int = 15, symbols: Sequence[str] = SYMBOLS, holed: int = 0) -> Frame:
    """Walks with few or many holes, runs of the same price, sudden volumes; coarse ticks and very fine ones.

    The last `holed` instruments certainly have many holes.
    """
    random = Random(draw(st.integers(0, 2**64 - 1)))
    price = draw(st.sampled_from([200, PRICE, 10**10, 2**51]))
    holes = [draw(st.sampled_from([0.0, 0.001, 0.3])) for _ in symbols[holed:]] + [0.3] * holed
    liveliness = draw(st.sampled_from([0.001, 0.004, 0.02])) * (bar_min / 15) ** 0.5
    walks = [_walk(random, bars, price, liveliness, 15 // bar_min) for _ in symbols]
    closes, highs, lows, volumes = (np.array(part, np.int64).T.copy() for part in zip(*walks, strict=True))
    present = np.array([[random.random() >= share for share in holes] for _ in range(bars)])
    return frame_of(closes, highs, lows, volumes, present, bar_min, symbols)


def _walk(random: Random, bars: int, start: int, liveliness: float, per_quarter: int) -> tuple[list[int], ...]:
    closes, highs, lows, volumes = [], [], [], []
    price, trend, scale = start, 0.0, random.choice((10, 10**6, 2**50))
    for n in range(bars):
        if n % (12 * per_quarter) == 0:
            trend = random.choice((-1.0, 0.0, 0.0, 1.0)) * liveliness / 2
            volume = random.choice((1, 1, 1, 8)) * scale
        step = trend + liveliness * random.uniform(-1, 1) + 0.01 * (start / price - 1)
        if random.random() > 0.1:
            price = max(round(price * (1 + step)), 2)
        reach = round(price * liveliness * random.random() / 2)
        closes.append(price)
        highs.append(price + reach)
        lows.append(max(price - round(reach * random.random()), 1))
        volumes.append(random.randint(0, volume))
    return closes, highs, lows, volumes


def _ladder() -> list[int]:
    """Every divisor of one number that divides it into whole ticks of at most 2^53, in order."""
    rungs = [1]
    for prime, power in ((2, 20), (3, 12), (5, 8), (7, 6), (11, 4)):
        rungs = [rung * prime**n for rung in rungs for n in range(power + 1)]
    product = max(rungs)
    return sorted(rung for rung in rungs if rung <= 2**53 and product // rung <= 2**53)


LADDER = _ladder()  # prices whose mirror K/p is exact: the ladder read from the other end


@st.composite
def mirrored(draw: st.DrawFn, bars: int, symbols: Sequence[str] = SYMBOLS) -> tuple[Frame, Frame]:
    """A market and its exact mirror image."""
    random = Random(draw(st.integers(0, 2**64 - 1)))
    liveliness, holes = draw(st.sampled_from([3, 20, 60])), draw(st.sampled_from([0.0, 0.005]))
    shape, last = (bars, len(symbols)), len(LADDER) - 1
    rungs, volumes = np.zeros((3, *shape), np.int64), np.zeros(shape, np.int64)
    for column in range(len(symbols)):
        rung, trend = last // 2 + random.randint(-2000, 2000), 0
        for n in range(bars):
            if n % 12 == 0:
                trend, busy = random.choice((-1, 0, 0, 1)) * liveliness // 2, random.choice((1, 1, 8))
            rung = min(max(rung + trend + random.randint(-liveliness, liveliness), 100), last - 100)
            rungs[:, n, column] = rung, rung + random.randint(0, liveliness), rung - random.randint(0, liveliness)
            volumes[n, column] = random.randint(0, busy * 10**6)
    present = np.array([random.random() >= holes for _ in range(volumes.size)]).reshape(shape)
    prices = np.array(LADDER, np.int64)
    close, high, low = prices[np.clip(rungs, 0, last)]
    there = frame_of(close, high, low, volumes, present, symbols=symbols)
    close, low, high = prices[last - np.clip(rungs, 0, last)]
    return there, frame_of(close, high, low, volumes, present, symbols=symbols)
