"""Generated markets: walks with gaps, ties, jumps through stops and targets, bars of hardly any volume, and ends."""

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.laws.make import BAR_MS, START, Row, TinyMarket, market
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.instrument import Instrument
from trader_core.domain.market import MARK_BARS
from trader_core.domain.values import replace

HISTORY = 200  # bars before START
FOREVER = 2**62

# Under these every strategy has opinions after a few hours, and exits that a walk meets.
LIVELY: dict[str, Any] = {
    **{f"strategies__{name}__enabled": True for name in ("rules", "momentum", "mean_reversion", "sma_cross")},
    **{f"strategies__{name}__max_at_risk_pct": 100 for name in ("rules", "momentum", "mean_reversion")},
    **{f"strategies__{name}__max_trades_per_cycle": 50 for name in ("rules", "momentum", "mean_reversion")},
    **{f"strategies__{name}__min_conviction_pct": 0 for name in ("rules", "momentum", "mean_reversion")},
    "signals__triggers__breakout_h": 1,
    "signals__triggers__volume_h": 1,
    "signals__triggers__momentum_h": 12,
    "signals__triggers__reversal_min_qualifiers": 1,
    "signals__triggers__min_score_pct": 0,
    **{f"signals__thresholds__{name}__move_15m_pct": 1 for name in ("bull", "chop", "bear", "crash")},
    **{f"signals__thresholds__{name}__move_60m_pct": 2 for name in ("bull", "chop", "bear", "crash")},
    "strategies__rules__price_move__stop_pct": 1,
    "strategies__rules__price_move__target_pct": 2,
    "strategies__rules__breakout__stop_pct": 1,
    "strategies__rules__breakout__target_pct": 3,
    "strategies__rules__breakout__max_hold_h": 1,
    "strategies__momentum__window_h": 2,
    "strategies__momentum__min_rise_pct": 0.5,
    "strategies__momentum__min_share_pct": 50,
    "strategies__momentum__stop_pct": 1,
    "strategies__momentum__target_pct": 2,
    "strategies__momentum__max_hold_h": 1,
    "strategies__mean_reversion__window_h": 2,
    "strategies__mean_reversion__entry_sigma": 1,
    "strategies__mean_reversion__max_hold_h": 2,
    "strategies__sma_cross__fast_bars": 2,
    "strategies__sma_cross__slow_bars": 5,
    "strategies__sma_cross__stop_pct": 1,
    "strategies__sma_cross__target_pct": 3,
    "policy__risk__max_total_at_risk_pct": 100,
    "policy__risk__max_per_asset_pct": 25,
    "policy__sizing__tier_1_position_pct": 25,
}


def walk(
    random: Random, first_ms: int, bars: int, bar_ms: int, price: int, liveliness: float, holes: float = 0.03
) -> list[Row]:
    """Sound bars on the grid; some are missing, some repeat the last close, some leap."""
    rows: list[Row] = []
    mean, trend, gap = price, 0.0, 0
    volume_scale = random.choice((10**5, 10**7, 10**9, 10**11))
    for n in range(bars):
        fate = random.random()
        if n % 12 == 0:
            trend = random.choice((-1.0, 0.0, 1.0)) * liveliness / 3
        if gap > 0 or random.random() < holes:
            gap = gap - 1 if gap > 0 else random.choice((0, 1, 3, 9))
            continue
        opened = price
        if fate < 0.07:
            opened = max(round(price * random.choice((0.80, 0.93, 0.97, 1.03, 1.12, 1.2))), 2)
        step = trend + liveliness * random.uniform(-1, 1) + (0.02 * (mean / opened - 1))
        close = opened if fate > 0.9 else max(round(opened * (1 + step)), 2)
        reach = round(max(opened, close) * liveliness * random.random())
        high, low = max(opened, close) + reach, max(min(opened, close) - random.randint(0, reach + 1), 1)
        rows.append((first_ms + n * bar_ms, opened, high, low, close, random.randint(0, volume_scale)))
        price = close
    return rows or [(first_ms, price, price, price, price, 0)]


@st.composite
def markets(
    draw: st.DrawFn, listed: Sequence[Instrument], bars: int, bar_ms: int = BAR_MS, history: int = HISTORY,
    torn: bool = False,
) -> TinyMarket:  # fmt: skip
    """`bars` decisions from START on, and what a window needs before. Torn, some series end, begin late or pause."""
    random = Random(draw(st.integers(0, 2**64 - 1)))
    liveliness, holes = draw(st.sampled_from([0.002, 0.01, 0.04])), draw(st.sampled_from([0.0, 0.0, 0.005, 0.03]))
    rows = {}
    for one in listed:
        low = 40 if one.grains_per_unit >= 1 else 4_000  # one lot is worth a grain at least, also when sold
        price = draw(st.sampled_from([low, 5_000, 60_000, 6_000_000]))
        rows[one.symbol] = walk(random, START - history * bar_ms, history + bars, bar_ms, price, liveliness, holes)
    whole = replace(market(listed, rows, bar_ms), end_ms=EpochMs(START + bars * bar_ms))
    if torn:
        for one in listed:
            from_ms, until_ms = tear(random, bars, bar_ms)
            whole = without(whole, one.symbol, from_ms, until_ms)
    return whole


def tear(random: Random, bars: int, bar_ms: int) -> tuple[int, int]:
    """From when until when a series has no bars: about as long as a pair may be silent, for ever, or never."""
    fate, at = random.random(), START + random.randint(-MARK_BARS - 10, bars) * bar_ms
    if fate < 0.2:
        return at, at + random.randint(MARK_BARS - 6, MARK_BARS + 10) * bar_ms
    if fate < 0.35:
        return at, FOREVER
    return (0, at) if fate < 0.45 else (0, 0)


def without(source: TinyMarket, symbol: str, from_ms: int, until_ms: int) -> TinyMarket:
    """The market in which a pair sends no bars for a while. One bar at least is left of it."""
    rows = source.series[symbol]
    gone = (rows[:, 0] >= from_ms) & (rows[:, 0] < until_ms)
    gone[0] &= not gone.all()
    return replace(source, series={**source.series, symbol: rows[~gone]})
