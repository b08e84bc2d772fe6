"""Generated markets: walks with gaps, ties, jumps through stops and targets, and bars of hardly any volume."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from tests.laws.make import BAR_MS, START, Row, TinyMarket, market
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.instrument import Instrument

HISTORY = 100  # bars before START


def walk(random: Random, first_ms: int, bars: int, bar_ms: int, price: int, liveliness: float) -> list[Row]:
    """Sound bars on the grid; some are missing, some repeat the last close, some leap."""
    rows: list[Row] = []
    mean, trend, gap = price, 0.0, 0
    volume_scale = random.choice((10**3, 10**5, 10**7, 10**11))
    for n in range(bars):
        fate = random.random()
        if n % 12 == 0:
            trend = random.choice((-1.0, 0.0, 1.0)) * liveliness / 3
        if gap > 0 or fate < 0.03:
            gap = gap - 1 if gap > 0 else random.choice((0, 1, 3, 9))
            continue
        opened = price
        if fate < 0.10:
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
    draw: st.DrawFn, listed: Sequence[Instrument], bars: int, bar_ms: int = BAR_MS, history: int = HISTORY
) -> TinyMarket:
    """`bars` decisions from START on, and what a window needs before."""
    random = Random(draw(st.integers(0, 2**64 - 1)))
    liveliness = draw(st.sampled_from([0.002, 0.01, 0.04]))
    rows = {}
    for one in listed:
        low = 40 if one.grains_per_unit >= 1 else 4_000  # one lot is worth a grain at least, also when sold
        price = draw(st.sampled_from([low, 5_000, 60_000, 6_000_000]))
        rows[one.symbol] = walk(random, START - history * bar_ms, history + bars, bar_ms, price, liveliness)
    return replace(market(listed, rows, bar_ms), end_ms=EpochMs(START + bars * bar_ms))
