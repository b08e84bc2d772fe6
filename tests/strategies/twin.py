"""The slow twin of the triggers and strategies: one cell at a time, with lists, loops and exact fractions."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import mean

from trader_core.market.frame import Frame
from trader_core.settings.schema import Settings, Threshold

Fired = tuple[int, float, float, float]  # direction, change, strength, confidence
NOTHING: Fired = (0, 0.0, 0.0, 0.0)


def move(now: int, then: int) -> float:
    """A fall is measured as the rise that would undo it."""
    return now / then - 1.0 if now >= then else -(then / now - 1.0)


class Series:
    """One instrument's bars as lists; an absent bar is left out of every window."""

    def __init__(self, frame: Frame, settings: Settings, column: int) -> None:
        self.settings = settings
        self.present = frame.present[:, column].tolist()
        self.close = frame.close[:, column].tolist()
        self.parts = {name: getattr(frame, name)[:, column].tolist() for name in ("high", "low", "close", "volume")}


@dataclass(frozen=True)
class Cell:
    """One instrument at one row."""

    series: Series
    row: int

    @property
    def settings(self) -> Settings:
        return self.series.settings

    @property
    def hour(self) -> int:
        return 60 // self.settings.policy.cycle.base_bar_min

    def price(self, age: int = 0) -> int:
        """The last known close, 0 where it is older than 95 bars."""
        for row in range(self.row - age, max(self.row - age - 96, -1), -1):
            if self.series.present[row]:
                return int(self.series.close[row])
        return 0

    def column_of(self, name: str, count: int, age: int = 0) -> list[int]:
        """The last `count` bars that are present, oldest first, as they were `age` rows ago."""
        end = self.row + 1 - age
        part, present = self.series.parts[name], self.series.present
        return [part[row] for row in range(max(end - count, 0), end) if present[row]]

    def lows(self, count: int, up: bool, age: int = 0) -> list[int]:
        """Lows, or highs with the other sign, which are the lows of the mirrored market."""
        return self.column_of("low", count, age) if up else [-one for one in self.column_of("high", count, age)]

    def known(self) -> bool:
        chosen = self.settings.signals.triggers
        rows = max(max(chosen.breakout_h, chosen.volume_h + 1, chosen.momentum_h, 23) * self.hour + 1, 96)
        if self.row < rows - 1:
            return False
        gaps = rows - len(self.column_of("close", rows))
        return gaps <= self.settings.signals.windows.max_missing_bars and all(self.price(age) for age in range(rows))


def price_move(cell: Cell, limits: Threshold) -> Fired:
    quarter, hour = (100.0 * move(cell.price(), cell.price(age)) for age in (max(cell.hour // 4, 1), cell.hour))
    if abs(hour) < limits.move_60m_pct:
        if abs(quarter) < limits.move_15m_pct:
            return NOTHING
        return (1 if quarter > 0 else -1), quarter / 100.0, 0.6, 0.7
    both = abs(quarter) >= limits.move_15m_pct and quarter * hour > 0
    return (1 if hour > 0 else -1), hour / 100.0, (0.8 if both else 0.7), (0.85 if both else 0.75)


def volume_spike(cell: Cell, limits: Threshold) -> Fired:
    chosen, hour = cell.settings.signals.triggers, 100.0 * move(cell.price(), cell.price(cell.hour))
    before = sum(cell.column_of("volume", chosen.volume_h * cell.hour, cell.hour))
    if not before or abs(hour) <= chosen.volume_rise_pct:
        return NOTHING
    ratio = float(Fraction(sum(cell.column_of("volume", cell.hour)) * chosen.volume_h, before))
    if ratio < limits.volume_ratio:
        return NOTHING
    return (1 if hour > 0 else -1), hour / 100.0, min((ratio - 1) / 3, 1.0), min(ratio / 4, 1.0)


def breakout(cell: Cell, limits: Threshold) -> Fired:
    rows, now = cell.settings.signals.triggers.breakout_h * cell.hour, cell.price()
    top, bottom = max(cell.column_of("high", rows, 1)), min(cell.column_of("low", rows, 1))
    if now > top:
        return 1, move(now, top), 0.7, 0.8
    return (-1, move(now, bottom), 0.7, 0.8) if now < bottom else NOTHING


def reversal(cell: Cell, limits: Threshold) -> Fired:
    chosen, now = cell.settings.signals.triggers, cell.price()
    rows = chosen.breakout_h * cell.hour
    steps = [cell.price(cell.hour * k) for k in range(24)]
    moves = [round(move(steps[k], steps[k + 3]) * 1e6) for k in range(21)]
    slope = 100.0 / 1e6 / 21 / 3 * sum(moves)
    ways = []
    for up in (True, False):
        way = 1 if up else -1
        bounce = 100.0 * way * move(now, abs(min(cell.lows(rows, up))))
        if chosen.reversal_bounce_pct < bounce <= chosen.reversal_near_low_pct and (
            way * slope >= chosen.reversal_trend_pct
        ):
            ways.append((way, way * bounce / 100.0, min(bounce / 20.0, 1.0), 0.6))
    return ways[0] if len(ways) == 1 else NOTHING


def momentum(cell: Cell, limits: Threshold) -> Fired:
    chosen = cell.settings.signals.triggers
    change = 100.0 * move(cell.price(), cell.price(chosen.momentum_h * cell.hour))
    if abs(change) < chosen.momentum_pct:
        return NOTHING
    way = 1 if change > 0 else -1
    steps = [cell.price(cell.hour * k) - cell.price(cell.hour * (k + 1)) for k in range(12)]
    return way, change / 100.0, min(abs(change) / 10.0, 1.0), sum(way * one > 0 for one in steps) / 12


def silenced(cell: Cell, limits: Threshold, fired: Fired) -> Fired:
    """Nothing fires against a 15 minute move of its own."""
    quarter = 100.0 * move(cell.price(), cell.price(max(cell.hour // 4, 1)))
    against = abs(quarter) >= limits.move_15m_pct and fired[0] * quarter < 0
    return NOTHING if against else fired


TWINS = {
    "price_move": price_move,
    "volume_spike": volume_spike,
    "breakout": breakout,
    "reversal": reversal,
    "momentum": momentum,
}


def qualifiers(cell: Cell, up: bool) -> int:
    """How many of the four hold, by the textbook."""
    return sum((_beyond_vwap(cell, up), _pivots_rise(cell, up), _crosses_fifty(cell, up), _bounced(cell, up)))


def _as_seen(price: int, up: bool) -> Fraction:
    return Fraction(price) if up else Fraction(1, price)


def _beyond_vwap(cell: Cell, up: bool) -> bool:
    prices = [_as_seen(one, up) for one in cell.column_of("close", 12)]
    volumes = cell.column_of("volume", 12)
    if not sum(volumes):
        return False
    return _as_seen(cell.price(), up) > sum(p * v for p, v in zip(prices, volumes, strict=True)) / sum(volumes)


def _last_pivot(cell: Cell, up: bool, age: int) -> tuple[int, int] | None:
    """(age of its confirmation, low) of the newest pivot among the 48 bars that were the last ones `age` rows ago."""
    for confirmed in range(age, age + 44):
        low = [cell.lows(1, up, confirmed + n) for n in range(5)]
        if all(low) and low[2] < min(low[0], low[1], low[3], low[4]):
            return confirmed, low[2][0]
    return None


def _pivots_rise(cell: Cell, up: bool) -> bool:
    last = _last_pivot(cell, up, 0)
    before = last and _last_pivot(cell, up, last[0] + 1)
    return bool(last and before and last[1] > before[1])


def _crosses_fifty(cell: Cell, up: bool) -> bool:
    return _rsi(cell, up, 0) > 50 >= _rsi(cell, up, 1)


def _rsi(cell: Cell, up: bool, age: int) -> Fraction:
    prices = [_as_seen(cell.price(age + n), up) for n in range(15)]
    steps = [now - then for now, then in pairwise(prices)]
    gain, loss = mean(max(one, Fraction()) for one in steps), mean(max(-one, Fraction()) for one in steps)
    return 100 - 100 / (1 + gain / loss) if loss else Fraction(100 if gain else 50)


def _bounced(cell: Cell, up: bool) -> bool:
    edge = abs(min(cell.lows(3 * cell.hour, up)))
    return 100.0 * abs(move(cell.price(), edge)) >= 0.6
