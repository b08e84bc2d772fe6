"""What makes an instrument worth a look: five measurements of closed bars, each with a direction.

All are measured so that the mirrored market (each price p becomes K/p, highs and lows change places, volumes stay)
gives the mirrored trigger: a fall never passes for a rise. Windows trail in base bars.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.market import MARK_BARS
from trader_core.market.frame import Frame
from trader_core.market.moves import moves_ppm, signed_move
from trader_core.market.windows import (
    all_known,
    back,
    complete,
    highest,
    lowest,
    newest,
    rolling_sum,
    rows_in,
    strided_sum,
)
from trader_core.rulebook.limits import Floats, Ints
from trader_core.rulebook.money import PPM

if TYPE_CHECKING:
    from trader_core.market.seen import Market
    from trader_core.settings.schema import Settings, Triggers

STEPS = 12  # hourly moves whose direction is the confidence of momentum
FULL_MOMENTUM_PCT = 10.0  # a move of full strength
FULL_SPIKE = 4.0  # a volume over its mean of full strength and confidence
FULL_BOUNCE_PCT = 20.0
AVERAGE_H, SLOPE_H = 21, 3  # the average whose slope a reversal needs, and the time over which it is taken
VWAP_BARS = 12
RSI_BARS = 14
PIVOT_BARS = 48  # in so many bars a pivot is looked for, and from there the one before it
BOUNCE_H, BOUNCE_PCT = 3, 0.6
Cells = tuple[np.ndarray, ...]  # rows, columns
_HALF = 31  # volumes are added up in halves of so many bits: no sum wraps


@dataclass(frozen=True)
class Trigger:
    """Arrays are [row, instrument], all 0 where nothing fired."""

    fired: Ints  # +1 up, -1 down
    change: Floats  # the signed move it was seen by, a fraction
    strength: Floats  # 0 to 1
    confidence: Floats  # 0 to 1


@dataclass(frozen=True)
class Found:
    """What fired. The order of `kinds` decides between equals. Nothing is known where the longest window is not."""

    kinds: dict[str, Trigger]
    qualifiers: Ints  # [row, instrument], how many of its four a reversal that fired has
    known: np.ndarray


@dataclass(frozen=True)
class _View:
    """The market without the rows that nobody asks about."""

    market: "Market"
    start: int
    frame: Frame
    price: Ints
    hour_pct: Floats
    quarter_pct: Floats

    @property
    def chosen(self) -> "Triggers":
        return self.market.signals.triggers

    @property
    def per_hour(self) -> int:
        return self.market.per_hour

    @property
    def quarter(self) -> Ints:
        """Direction of the last 15 minutes, where they moved enough to be a trigger of their own."""
        return _beyond(self.quarter_pct, self.threshold("move_15m_pct"))

    def threshold(self, name: str) -> Floats:
        return self.market.threshold(name)[self.start :]

    def asked(self, part: np.ndarray) -> np.ndarray:
        """What it is at the rows from `market.first` on."""
        return part[self.market.first - self.start :]


def _view(market: "Market", start: int) -> _View:
    price = market.price[start:]
    moves = (_move_pct(price, rows) for rows in (market.per_hour, market.per_15m))
    return _View(market, start, market.frame.part(start, market.frame.rows), price, *moves)


def _move_pct(price: Ints, rows: int) -> Floats:
    return 100.0 * signed_move(price, back(price, rows))


def triggers_lookback(policy: "Settings") -> int:
    """Base bars needed to know the last row: the longest window with the age its oldest close may have."""
    return _window(policy.signals.triggers, rows_in(policy, 1)) + MARK_BARS - 1


def _window(chosen: "Triggers", per_hour: int) -> int:
    """Rows of the longest window, its oldest close included."""
    hours = max(chosen.breakout_h, chosen.volume_h + 1, chosen.momentum_h, AVERAGE_H + SLOPE_H - 1)
    return max(hours * per_hour + 1, 2 * PIVOT_BARS)


def find(market: "Market") -> Found:
    """Every trigger at every row from `market.first` on; before it nothing is known.

    None fires against the last 15 minutes where those are a move of their own: a rise over the day is no reason to buy
    into a bar that falls.
    """
    window = _window(market.signals.triggers, market.per_hour)
    view = _view(market, max(market.first - window - MARK_BARS + 2, 0))
    kinds = {
        "price_move": _price_move(view),
        "volume_spike": _volume_spike(view),
        "breakout": _breakout(view),
        "reversal": _reversal(view),
        "momentum": _momentum(view),
    }
    known = view.asked(complete(view.frame, window, market.missing) & all_known(view.price, window, 1))
    pointing = np.stack([view.asked(one.fired) for one in kinds.values()])
    fired = np.where(known & (pointing * view.asked(view.quarter) >= 0), pointing, 0)
    parts = ((one.change, one.strength, one.confidence) for one in kinds.values())
    measured = np.where(fired[:, None] != 0, np.stack([[view.asked(part) for part in each] for each in parts]), 0.0)
    fires, measures = whole_rows(market, fired), whole_rows(market, measured)
    return Found(
        kinds={name: Trigger(fires[n], *measures[n]) for n, name in enumerate(kinds)},
        qualifiers=whole_rows(market, _qualifiers(view, fired[list(kinds).index("reversal")])),
        known=whole_rows(market, known),
    )


def whole_rows(market: "Market", part: np.ndarray) -> np.ndarray:
    """[..., row, instrument] of the rows from `market.first` on, with zeros for those before."""
    if not market.first:
        return part
    out = np.zeros((*part.shape[:-2], *market.frame.close.shape), part.dtype)
    out[..., market.first :, :] = part
    return out


def _direction(up: np.ndarray, down: np.ndarray) -> Ints:
    """Both at once is neither."""
    return up.astype(np.int64) - down.astype(np.int64)


def _beyond(move: Floats, limit: Floats | float) -> Ints:
    """The direction of a move that is at least `limit` long."""
    return _direction(move >= limit, move <= -limit)


def _price_move(view: _View) -> Trigger:
    """A move within 15 or 60 minutes."""
    hour_pct, quarter = view.hour_pct, view.quarter
    hour = _beyond(hour_pct, view.threshold("move_60m_pct"))
    cases = [(hour != 0) & (quarter == hour), hour != 0]
    return Trigger(
        fired=np.where(hour != 0, hour, quarter),
        change=np.where(hour != 0, hour_pct, view.quarter_pct) / 100.0,
        strength=np.select(cases, [0.8, 0.7], 0.6),
        confidence=np.select(cases, [0.85, 0.75], 0.70),
    )


def _volume_spike(view: _View) -> Trigger:
    """The last hour's volume against the mean of the hours before it. It points where the price went meanwhile."""
    last = rolling_sum(view.frame.volume, view.per_hour)
    before = back(last, view.per_hour)
    upper = strided_sum(before >> _HALF, view.chosen.volume_h, view.per_hour)
    lower = strided_sum(before & ((1 << _HALF) - 1), view.chosen.volume_h, view.per_hour)
    mean = (upper * 2.0**_HALF + lower) / view.chosen.volume_h
    ratio = np.divide(last, mean, out=np.zeros(mean.shape), where=mean > 0.0)
    rise = view.chosen.volume_rise_pct
    spike = ratio >= view.threshold("volume_ratio")
    return Trigger(
        fired=_direction(spike & (view.hour_pct > rise), spike & (view.hour_pct < -rise)),
        change=view.hour_pct / 100.0,
        strength=np.clip((ratio - 1.0) / (FULL_SPIKE - 1.0), 0.0, 1.0),
        confidence=np.minimum(ratio / FULL_SPIKE, 1.0),
    )


def _breakout(view: _View) -> Trigger:
    """A close above the highest high of the hours before this bar, or below their lowest low. Touched is not broken."""
    rows = view.chosen.breakout_h * view.per_hour
    top, bottom = back(highest(view.frame.high, rows), 1), back(lowest(view.frame.low, rows), 1)
    fired = _direction((top > 0) & (view.price > top), view.price < bottom)
    return Trigger(
        fired=fired,
        change=signed_move(view.price, np.where(fired > 0, top, bottom)),
        strength=np.full(fired.shape, 0.7),
        confidence=np.full(fired.shape, 0.8),
    )


def _reversal(view: _View) -> Trigger:
    """A rise from the lowest low, still near it, while the average rises too; or its mirror image."""
    rows = view.chosen.breakout_h * view.per_hour
    rise = 100.0 * signed_move(view.price, lowest(view.frame.low, rows))
    fall = 100.0 * signed_move(view.price, highest(view.frame.high, rows))
    slope, trend = _slope_pct(view), view.chosen.reversal_trend_pct
    bounce, near = view.chosen.reversal_bounce_pct, view.chosen.reversal_near_low_pct
    up = (rise > bounce) & (rise <= near) & (slope >= trend)
    down = (fall < -bounce) & (fall >= -near) & (slope <= -trend)
    fired = _direction(up, down)
    change = np.where(fired > 0, rise, fall)
    return Trigger(
        fired=fired,
        change=change / 100.0,
        strength=np.minimum(np.abs(change) / FULL_BOUNCE_PCT, 1.0),
        confidence=np.full(fired.shape, 0.6),
    )


def _slope_pct(view: _View) -> Floats:
    """Slope of the average of hourly closes in % an hour. Each close weighs by its own move, so it can be mirrored."""
    moves = moves_ppm(view.price, SLOPE_H * view.per_hour)
    return np.asarray(100.0 / PPM / AVERAGE_H / SLOPE_H * strided_sum(moves, AVERAGE_H, view.per_hour))


def _qualifiers(view: _View, fired: Ints) -> Ints:
    """How many of the four speak for a reversal in the direction in which it fired, at the rows asked about."""
    count, (row, column) = np.zeros_like(fired), np.nonzero(fired)
    if len(row):
        up, cells = fired[row, column] > 0, (row + view.market.first - view.start, column)
        count[row, column] += _beyond_vwap(view, cells, up)
        count[row, column] += _rising_pivot(view, cells, up)
        count[row, column] += _crosses_fifty(view.price, cells, up)
        count[row, column] += _bounced(view, cells, up)
    return count


def _beyond_vwap(view: _View, cells: Cells, up: np.ndarray) -> np.ndarray:
    """Where the close is above the volume-weighted mean of its bars, or the mirrored close is.

    Terms are added by age, so a sum depends on its own window alone; the newest bar's own is 0.
    """
    price, volume, (row, column) = view.price, view.frame.volume.astype(np.float64), cells
    ahead = np.zeros(row.shape)
    for age in range(1, VWAP_BARS):
        then = price[row - age, column]
        weighed = volume[row - age, column] * (price[cells] - then)
        ahead += np.where(up, weighed, -weighed / then)
    return ahead > 0.0


def _rising_pivot(view: _View, cells: Cells, up: np.ndarray) -> np.ndarray:
    return np.where(up, _rising_pivots(view.frame.low)[cells], _rising_pivots(-view.frame.high)[cells])


def _rising_pivots(lows: Ints) -> np.ndarray:
    """Where the last pivot, a low below the two on either side, is higher than the one before it."""
    middle, sides = back(lows, 2), (lows, back(lows, 1), back(lows, 3), back(lows, 4))
    pivot = middle != 0
    for side in sides:
        pivot &= (side != 0) & (middle < side)
    found = np.where(pivot, middle, 0)
    steps = PIVOT_BARS - len(sides) - 1
    before = back(newest(found, steps), 1)
    rises = np.where((before != 0) & (found > before), 1, -1)
    return newest(np.where(pivot, rises, 0), steps) > 0


def _crosses_fifty(price: Ints, cells: Cells, up: np.ndarray) -> np.ndarray:
    """Where the relative strength index crosses 50 upward on the last bar, or the mirrored one does.

    Of simple averages it is above 50 exactly where the close is above the one RSI_BARS ago: gains less losses are
    the whole move.
    """
    (row, column), side = cells, np.where(up, 1, -1)
    now, before = (price[row - age, column] - price[row - age - RSI_BARS, column] for age in (0, 1))
    return np.asarray((side * now > 0) & (side * before <= 0))


def _bounced(view: _View, cells: Cells, up: np.ndarray) -> np.ndarray:
    rows = BOUNCE_H * view.per_hour
    edge = np.where(up, lowest(view.frame.low, rows)[cells], highest(view.frame.high, rows)[cells])
    return np.asarray(100.0 * np.abs(signed_move(view.price[cells], edge)) >= BOUNCE_PCT)


def _momentum(view: _View) -> Trigger:
    """A move over many hours, as sure as the last hours agree with it."""
    move_pct = _move_pct(view.price, view.chosen.momentum_h * view.per_hour)
    fired = _beyond(move_pct, view.chosen.momentum_pct)
    steps = np.sign(view.hour_pct).astype(np.int64)
    agreeing = [strided_sum(steps == side, STEPS, view.per_hour) for side in (1, -1)]
    return Trigger(
        fired=fired,
        change=move_pct / 100.0,
        strength=np.minimum(np.abs(move_pct) / FULL_MOMENTUM_PCT, 1.0),
        confidence=np.where(fired > 0, *agreeing) / STEPS,
    )
