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


def last_known(frame: Frame, t: int, i: int) -> int:
    for row in range(t, t - frame.mark_bars, -1):
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
    """(deviation, 1 where the close is far off, 2 where there is too little to compare it with). An absent bar has the
    price of the newest one, and what is to be said of that."""
    signals, missing = settings.signals.guards, settings.signals.windows.max_missing_bars
    if not frame.present[t, i]:
        newest = next((row for row in range(t, max(t - 96, -1), -1) if frame.present[row, i]), None)
        return -1.0, 0 if newest is None else outlier(frame, newest, i, settings)[1]
    length = signals.outlier_bars
    before = [row for row in range(max(t - length, 0), t) if frame.present[row, i]]
    if t < length or len(before) < max(length - missing, 1):
        return -1.0, 2
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


def day_range(frame: Frame, t: int, i: int) -> float:
    """Of a frame of hours: the mean of the true ranges that there are in a day, in percent of the last price."""
    rows = [
        row for row in range(max(t - 23, 0), t + 1) if frame.present[row, i] and row and last_known(frame, row - 1, i)
    ]
    price = last_known(frame, t, i)
    if len(rows) < 10 or not price:
        return -1.0
    return 100 * mean(true_range(frame, row, i) for row in rows) / price


def day_cents(frame: Frame, t: int, i: int, grains_per_unit: float) -> int:
    """Of a frame of hours; -1 where the day began before it."""
    rows = range(t - 23, t + 1)
    values = [float(frame.volume[row, i]) * float(frame.close[row, i]) * grains_per_unit for row in rows if row >= 0]
    return sum(int(value / 1e6) for value in values) if len(values) == 24 else -1


def hours(frame: Frame) -> list[list[list[int]]]:
    """[hour][instrument], open, high, low, close and volume of the bars there are in each whole hour; none: five
    zeros."""
    per_hour, found = hour_of(frame), []
    for row in range(frame.rows - per_hour + 1):
        if (frame.first_ms + row * frame.bar_ms) % 3_600_000 == 0:
            found.append([_hour(frame, i, row, per_hour) for i in range(len(frame.symbols))])
    return found


def _hour(frame: Frame, i: int, begin: int, per_hour: int) -> list[int]:
    rows = [row for row in range(begin, begin + per_hour) if frame.present[row, i]]
    if not rows:
        return [0] * 5
    highs, lows = ([int(part[row, i]) for row in rows] for part in (frame.high, frame.low))
    volume = sum(int(frame.volume[row, i]) for row in rows)
    return [int(frame.open[rows[0], i]), max(highs), min(lows), int(frame.close[rows[-1], i]), volume]


def by_volume(values: Callable[[int], int], t: int, floor: Fraction, tier: int, settings: Settings) -> int:
    """Eligibility of one asset, from its day's volume at any row; all in 1/100 quote."""
    hysteresis, near = settings.universe.hysteresis, settings.universe.near_threshold
    missed = floor * Fraction(str(hysteresis.leave_pct)) / 100
    if decided_in(values, t, floor, missed, settings):
        return 1
    lowest = floor * Fraction(str(near.volume_pct)) / 100
    return 2 if tier == 2 and all(values(t - k) >= lowest for k in range(hysteresis.enter_h)) else 0


def decided_in(values: Callable[[int], int], t: int, floor: Fraction, missed: Fraction, settings: Settings) -> bool:
    hysteresis = settings.universe.hysteresis
    for back in range(hysteresis.recall_h + 1):
        if all(values(t - back - k) >= floor for k in range(hysteresis.enter_h)):
            return True
        if all(values(t - back - k) < missed for k in range(hysteresis.leave_h)):
            return False
    return False
