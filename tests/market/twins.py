"""The columns once more, slowly: one row and one instrument at a time, from the definitions."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from math import sqrt
from statistics import mean, stdev

from trader_core.domain.instrument import base_of
from trader_core.market.frame import Frame
from trader_core.rulebook.codes import BEAR, BULL, CHOP, CRASH, UNKNOWN
from trader_core.settings.schema import Settings

MARK_BARS = 96


def last_known(frame: Frame, t: int, i: int) -> int:
    for row in range(t, t - MARK_BARS, -1):
        if row >= 0 and frame.present[row, i]:
            return int(frame.close[row, i])
    return 0


def signed(now: int, then: int) -> float:
    return now / then - 1 if now >= then else -(then / now - 1)


def hour_of(frame: Frame) -> int:
    return 3_600_000 // frame.bar_ms


def complete(frame: Frame, t: int, i: int, length: int, settings: Settings) -> bool:
    """Whether the last so many bars miss few enough, and not all."""
    missing = [not frame.present[row, i] for row in range(t - length + 1, t + 1) if row >= 0]
    few = sum(missing) <= settings.signals.windows.max_missing_bars
    return len(missing) == length and few and not all(missing)


def points(frame: Frame, t: int, i: int, count: int, step: int) -> list[int] | None:
    """Prices at t, t - step, ..., newest first; None where one of them is unknown."""
    rows = [t - k * step for k in range(count)]
    prices = [last_known(frame, row, i) if row >= 0 else 0 for row in rows]
    return prices if all(prices) else None


def moves(prices: list[int]) -> list[float]:
    """Of each price against the next in the list, which is older; in whole ppm, no more than fourfold."""
    steps = [round(signed(now, then) * 1e6) for now, then in pairwise(prices)]
    return [max(-4_000_000.0, min(4_000_000.0, step)) for step in steps]


def volatility(frame: Frame, t: int, i: int, hours: int) -> float:
    prices = points(frame, t, i, hours + 1, hour_of(frame))
    return 100 * stdev(moves(prices)) / 1e6 * sqrt(8760) if prices else -1.0


def raw_regime(frame: Frame, t: int, settings: Settings) -> int:
    signals = settings.signals.regime
    i = [base_of(one) for one in frame.symbols].index(signals.base)
    prices = points(frame, t, i, signals.trend_h + 1, hour_of(frame))
    if not prices:
        return UNKNOWN
    trend, wild = 100 * signed(prices[0], prices[-1]), volatility(frame, t, i, signals.trend_h)
    if trend < -signals.crash_fall_pct or wild > signals.crash_volatility_pct:
        return CRASH
    if trend >= signals.bull_rise_pct and wild < signals.bull_volatility_pct:
        return BULL
    return BEAR if trend <= -signals.bear_fall_pct else CHOP


def regime(raw: Callable[[int], int], t: int, hour: int, settings: Settings) -> int:
    signals = settings.signals.regime
    for back in range(signals.recall_h + 1):
        shown = {raw(t - (back + k) * hour) for k in range(signals.confirm_h)}
        if len(shown) == 1 and UNKNOWN not in shown:
            return shown.pop()
    return UNKNOWN


def outlier(frame: Frame, t: int, i: int, settings: Settings) -> tuple[float, int]:
    """(deviation, 1 where the close is not believed)."""
    signals, missing = settings.signals.guards, settings.signals.windows.max_missing_bars
    if not frame.present[t, i]:
        return -1.0, 0
    length = signals.outlier_bars
    before = [row for row in range(max(t - length, 0), t) if frame.present[row, i]]
    if t < length or len(before) < max(length - missing, 1):
        return -1.0, 1
    usual = mean(Fraction(int(frame.close[row, i])) for row in before)
    deviation = float(100 * abs(int(frame.close[t, i]) - usual) / usual)
    volume, usual_volume = int(frame.volume[t, i]), mean(Fraction(int(frame.volume[row, i])) for row in before)
    thin = volume / usual_volume < Fraction(str(signals.outlier_volume_pct)) / 100 if usual_volume else volume == 0
    return deviation, int(deviation > signals.outlier_deviation_pct and thin)


def jump(frame: Frame, t: int, i: int, settings: Settings) -> float:
    count = settings.signals.guards.jump_bars
    prices = points(frame, t, i, count + 2, 1)
    if not prices or not complete(frame, t, i, count + 2, settings):
        return -1.0
    last, *before = moves(prices)
    usual = stdev(before)
    return abs(last) / usual if usual else (1e6 if last else 0.0)


def true_range(frame: Frame, t: int, i: int) -> int:
    """Of the hour that ends at t."""
    rows = [row for row in range(t - hour_of(frame) + 1, t + 1) if frame.present[row, i]]
    before = last_known(frame, t - hour_of(frame), i)
    high, low = (
        [before, *(int(frame.high[row, i]) for row in rows)],
        [before, *(int(frame.low[row, i]) for row in rows)],
    )
    return max(high) - min(low)


def atr(frame: Frame, t: int, i: int, settings: Settings) -> float:
    hours, hour = settings.signals.guards.atr_h, hour_of(frame)
    if not complete(frame, t, i, hours * hour, settings) or not points(frame, t, i, hours + 1, hour):
        return -1.0
    return sum(true_range(frame, t - k * hour, i) for k in range(hours)) / hours


def atr_ratio(frame: Frame, t: int, i: int, settings: Settings) -> float:
    count, hour = settings.signals.guards.atr_median_h, hour_of(frame)
    rows = [t - k * hour for k in range(count)]
    shares = [atr(frame, row, i, settings) / last_known(frame, row, i) if last_known(frame, row, i) else -1.0
              for row in rows if row >= 0]  # fmt: skip
    if len(shares) < count or shares[0] < 0:
        return -1.0
    median = sorted(share if share >= 0 else float("inf") for share in shares)[count // 2]
    if median == float("inf"):
        return -1.0
    return shares[0] / median if median else (1e6 if shares[0] else 1.0)


def day_cents(frame: Frame, t: int, i: int, grains_per_unit: float) -> int:
    """-1 where the day began before the frame."""
    day = 24 * hour_of(frame)
    rows = range(t - day + 1, t + 1)
    values = [float(frame.volume[row, i]) * float(frame.close[row, i]) * grains_per_unit for row in rows if row >= 0]
    return sum(int(value / 1e6) for value in values) if len(values) == day else -1


def by_volume(values: Callable[[int], int], t: int, floor: Fraction, tier: int, settings: Settings) -> int:
    """Eligibility of one asset, from its day's volume at any row; all in 1/100 quote."""
    hysteresis, near = settings.universe.hysteresis, settings.universe.near_threshold
    missed = floor * Fraction(str(hysteresis.leave_pct)) / 100
    if decided_in(values, t, floor, missed, settings):
        return 1
    lowest = floor * Fraction(str(near.volume_pct)) / 100
    return 2 if tier == 2 and all(values(t - k) >= lowest for k in range(hysteresis.enter_bars)) else 0


def decided_in(values: Callable[[int], int], t: int, floor: Fraction, missed: Fraction, settings: Settings) -> bool:
    hysteresis = settings.universe.hysteresis
    for back in range(hysteresis.recall_bars + 1):
        if all(values(t - back - k) >= floor for k in range(hysteresis.enter_bars)):
            return True
        if all(values(t - back - k) < missed for k in range(hysteresis.leave_bars)):
            return False
    return False
