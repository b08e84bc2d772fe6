"""Builds what the market's laws speak about: policies, instruments, and frames of random walks with holes."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from trader_core.domain.clocktime import DAY_MS, MINUTE_MS
from trader_core.domain.instrument import Instrument, base_of
from trader_core.domain.values import replace
from trader_core.market.frame import Days, Frame
from trader_core.market.returns import days_of
from trader_core.market.seen import Market
from trader_core.rulebook.limits import Ints
from trader_core.settings.document import read
from trader_core.settings.schema import FILES, Settings

CONFIG = Path(__file__).parents[2] / "config"
SHIPPED = Settings(**{name: FILES[name].model_validate(read(CONFIG / f"{name}.yaml").values) for name in FILES})  # type: ignore[arg-type]
STRATEGIES = ("rules", "momentum", "mean_reversion", "sma_cross")
FOUR = ("BTC-USD", "ETH-USD", "XRP-USD", "PEPE-USD")  # of tier 1, 1 and 2, and of none
START = 19_800 * DAY_MS


def policy(*enabled: str, **edits: Any) -> Settings:
    """The shipped policy with these strategies alone and some keys changed; `a__b__c` names the key a.b.c."""
    content = SHIPPED.model_dump()
    switches = {f"strategies__{name}__enabled": name in enabled for name in STRATEGIES}
    for key, value in {**switches, **edits}.items():
        *path, last = key.split("__")
        block = content
        for part in path:
            block = block[part]
        block[last] = value
    return Settings.model_validate(content)


def instruments(symbols: Sequence[str] = FOUR) -> tuple[Instrument, ...]:
    """One tick times one lot is a hundredth of a cent."""
    return tuple(Instrument(one, base_of(one), "USD", Decimal("0.01"), Decimal("0.01"), Decimal(1)) for one in symbols)


def frame(
    close: Any, volume: Any = None, high: Any = None, low: Any = None, bar_min: int = 15, symbols: Any = None
) -> Frame:
    """A frame of these columns; a close of 0 is an absent bar. By default a bar is as high and low as its close."""
    closes = _columns(close)
    present = closes > 0
    parts = [closes if one is None else np.where(present, _columns(one), 0) for one in (high, low)]
    volumes = present.astype(np.int64) if volume is None else np.where(present, _columns(volume), 0)
    names = FOUR[: closes.shape[1]] if symbols is None else tuple(symbols)
    return Frame(names, START, bar_min * MINUTE_MS, closes, parts[0], parts[1], closes, volumes, present)


def _columns(values: Any) -> Ints:
    given = np.array(values, np.int64)
    return given[:, None] if given.ndim == 1 else given


def walks(random: Random, rows: int, bar_min: int = 15, columns: int = 4, holes: float = 0.01) -> Frame:
    """Random walks of several tempers: quiet, wild, frozen for a while, and with stretches of no bars at all."""
    close = np.zeros((rows, columns), np.int64)
    volume, high, low = (np.zeros((rows, columns), np.int64) for _ in range(3))
    for i in range(columns):
        price, gap = float(random.choice((200, 40_000, 6_000_000))), 0
        temper, depth = random.choice((0.0005, 0.004, 0.03)), random.choice((10**3, 10**4, 10**5))
        for t in range(rows):
            if random.random() < 0.004:
                temper = random.choice((0.0, 0.0005, 0.004, 0.03))
            if random.random() < holes:
                gap = random.choice((1, 1, 2, 5, 120))
            price = max(price * (1.0 + random.uniform(-1, 1) * temper), 20.0)
            if random.random() < 0.003:
                price *= random.choice((0.8, 1.25))
            if gap > 0:
                gap -= 1
                continue
            close[t, i] = round(price)
            high[t, i] = close[t, i] + round(price * temper * random.random())
            low[t, i] = close[t, i] - round(price * temper * random.random())
            volume[t, i] = random.choice((0, depth // 50, depth, depth)) * random.random()
    return frame(close, volume, high, low, bar_min)


def cut(whole: Frame, first: int, end: int) -> Frame:
    """Rows first..end-1 as a frame of their own, with the days before them, as a live cycle would read them."""
    part, known = whole.part(first, end), days_of(whole)
    closed = (part.first_ms + part.rows * part.bar_ms) // DAY_MS
    return replace(part, before=Days(known.first, known.close[: max(closed - known.first, 0)]))


def market(seen: Frame, settings: Settings, first: int = 0) -> Market:
    return Market(seen, settings, first)
