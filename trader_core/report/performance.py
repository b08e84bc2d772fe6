"""How good it was, and how sure one can be: ratios of daily returns and of trades, each with a bootstrap interval.

Everything between the integers and the figures is + - * / and square roots in a fixed order, or sums of integers, so
another machine computes the same; the few logarithms and error functions are rounded to ten digits.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from msgspec import Struct

from trader_core.domain.clocktime import HOUR_MS
from trader_core.domain.money import E8
from trader_core.report.curve import Curve
from trader_core.report.rounds import Rounds
from trader_core.report.written import significant
from trader_core.rulebook.limits import Floats, Ints

DAYS_A_YEAR = 365
DRAWS = 1_000
AT_ONCE = 250_000  # trades drawn at a time
TAIL = 0.025  # of the draws, beyond either end of an interval
SQN_TRADES_MAX = 100  # more trades than these do not make the number better
R_UNITS = 1_000_000  # R as an integer, so that sums of it are exact
INT_MAX = 2**62
EULER = 0.5772156649015329
LOG_MAX = 700.0  # the exponential of more does not fit into a float


class Dice(Protocol):
    """Whole numbers by chance: a numpy Generator, which only trader_core.research.chance makes."""

    def integers(self, low: int, high: int, size: Any) -> Any: ...


class Tried(Struct, frozen=True):
    """The trials of the registry on this data, this one among them: how many, and the known Sharpe ratios."""

    count: int
    sharpes: tuple[float, ...]


# --- daily returns ---------------------------------------------------------------------------------------------------


def daily_figures(returns: Floats) -> dict[str, Floats]:
    """Ratios of each column of [day, path]; nan where one is not defined.

    Sharpe: mean over standard deviation. Sortino: mean over the root of the mean square of the losses. Calmar: yearly
    growth over the deepest drawdown. The first two by the root of 365.
    """
    count, paths = returns.shape
    total, squares, spread, deepest = (np.zeros(paths) for _ in range(4))
    growth, high = np.ones(paths), np.ones(paths)
    for day in returns:
        loss = np.minimum(day, 0.0)
        total, squares, growth = total + day, squares + loss * loss, growth * (1.0 + day)
        high = np.maximum(high, growth)
        deepest = np.maximum(deepest, (high - growth) / high)
    mean = total / max(count, 1)
    for day in returns:
        spread = spread + (day - mean) * (day - mean)
    deviation, downside = np.sqrt(spread / max(count - 1, 1)), np.sqrt(squares / max(count, 1))
    deviation = np.where(deviation > 1e-9 * np.abs(mean), deviation, 0.0)  # no more than rounding
    yearly = np.array([_yearly(one, count) for one in growth.tolist()])
    root = math.sqrt(DAYS_A_YEAR)
    return {
        "sharpe": _over(mean * root, deviation),
        "sortino": _over(mean * root, downside),
        "calmar": _over(yearly, deepest),
        "return_pct": 100 * (growth - 1.0),
        "drawdown_pct": 100 * deepest,
    }


def _yearly(growth: float, days: int) -> float:
    """What that growth is in a year of such days, as a fraction; inf where it does not fit."""
    if growth <= 0 or days == 0:
        return -1.0
    log = math.log(growth) * DAYS_A_YEAR / days
    return math.expm1(log) if log < LOG_MAX else math.inf


def _over(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))


def sharpe_of(curve: Curve) -> float | None:
    """Of daily returns, annualised by the root of 365; None without two days or without any change."""
    returns = curve.daily()
    return significant(daily_figures(returns[:, None])["sharpe"][0]) if len(returns) > 1 else None


def block_days(days: int) -> int:
    """Mean length of the blocks that are drawn: the cube root of the days, so that what follows each other stays
    together."""
    return next(length for length in range(1, days + 2) if length**3 >= days)


def redrawn_days(returns: Floats, dice: Dice) -> Floats:
    """[day, draw]: the stationary bootstrap. Blocks begin anywhere, have random lengths, and go round at the end."""
    count = len(returns)
    starts = dice.integers(0, count, (count, DRAWS))
    breaks = dice.integers(0, block_days(count), (count, DRAWS)) == 0
    place, out = starts[0], np.empty((count, DRAWS))
    for day in range(count):
        place = np.where(breaks[day], starts[day], (place + 1) % count) if day else starts[0]
        out[day] = returns[place]
    return out


# --- trades ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcomes:
    """What each trade came to, as integers of which as many as there are trades add up exactly."""

    pnl: Ints  # in `coarse` 1e-8 quote
    gain: Ints  # the same where it won, else 0
    won: Ints  # 1 where it won
    known: Ints  # 1 where R is known
    r: Ints  # in 1 / units; 0 where it is not known
    square: Ints
    coarse: int
    units: int

    @property
    def columns(self) -> tuple[Ints, ...]:
        return self.pnl, self.gain, self.won, self.known, self.r, self.square


def outcomes_of(trades: Rounds) -> Outcomes:
    count, known = len(trades.pnl), np.isfinite(trades.r)
    r = np.where(known, trades.r, 0.0)
    most, units, largest, coarse = float(np.abs(r).max(initial=0.0)), R_UNITS, int(abs(trades.pnl).max(initial=0)), 1
    while units > 1 and count * (most * units) ** 2 >= INT_MAX:
        units //= 10
    while count * (largest // coarse) >= INT_MAX:
        coarse *= 10
    pnl, whole, won = trades.pnl // coarse, np.rint(r * units).astype(np.int64), trades.pnl > 0
    return Outcomes(
        pnl, np.where(won, pnl, 0), won.astype(np.int64), known.astype(np.int64), whole, whole * whole, coarse, units
    )


def trade_figures(of: Outcomes, sums: Sequence[Ints]) -> dict[str, Floats]:
    """Figures of each draw from the sums of its columns; nan where one is not defined, inf where nothing was lost.

    SQN: mean of R over its standard deviation, by the root of the number of trades, of 100 at the most.
    """
    pnl, gain, won, known, r, square = (np.asarray(column, np.float64) for column in sums)
    count, loss = float(len(of.pnl)), gain - pnl
    spread = known * square - r * r
    spread = np.where(spread > 1e-12 * known * square, spread, 0.0)
    deviation = np.sqrt(_over(spread, known * np.maximum(known - 1, 0.0)))
    return {
        "win_rate": 100 * won / count,
        "profit_factor": np.where((loss == 0) & (gain > 0), np.inf, _over(gain, loss)),
        "expectancy": pnl / count * of.coarse / E8,
        "average_r": _over(r, known) / of.units,
        "sqn": np.sqrt(np.minimum(known, SQN_TRADES_MAX)) * _over(_over(r, known), deviation),
    }


def redrawn_trades(of: Outcomes, dice: Dice) -> list[Ints]:
    """Sums of each column over as many trades as there are, drawn one by one, for each draw."""
    count = len(of.pnl)
    sums: list[list[Ints]] = [[] for _ in of.columns]
    rows = max(AT_ONCE // count, 1)
    for done in range(0, DRAWS, rows):
        drawn = dice.integers(0, count, (min(rows, DRAWS - done), count))
        for column, found in zip(of.columns, sums, strict=True):
            found.append(column[drawn].sum(axis=1))
    return [np.concatenate(found) for found in sums]


def longest_streaks(pnl: Ints) -> tuple[int, int]:
    """(most trades in a row that won, most that did not)."""
    longest, running = [0, 0], [0, 0]
    for won in (pnl > 0).tolist():
        running = [running[0] + 1, 0] if won else [0, running[1] + 1]
        longest = [max(longest[0], running[0]), max(longest[1], running[1])]
    return longest[0], longest[1]


# --- is it luck? -----------------------------------------------------------------------------------------------------


def normal(x: float) -> float:
    """Probability that a standard normal variable is below x."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def normal_inverse(probability: float) -> float:
    """The x below which a standard normal variable lies with that probability, by bisection in [-9, 9]."""
    low, high = -9.0, 9.0
    for _ in range(64):
        middle = (low + high) / 2
        low, high = (middle, high) if normal(middle) < probability else (low, middle)
    return (low + high) / 2


def probabilistic_sharpe(returns: Sequence[float], benchmark: float) -> float | None:
    """Probability that the true Sharpe ratio (of a day) is above the benchmark (Bailey and Lopez de Prado, 2012):
    Phi((SR - benchmark) * sqrt(n - 1) / sqrt(1 - skew * SR + (kurtosis - 1) / 4 * SR^2))."""
    count = len(returns)
    if count < 2:
        return None
    mean = math.fsum(returns) / count
    off = [one - mean for one in returns]
    second, third = math.fsum(d * d for d in off) / count, math.fsum(d * d * d for d in off) / count
    fourth = math.fsum(d * d * d * d for d in off) / count
    if second <= 1e-18 * mean * mean or second == 0:
        return None
    ratio = mean / math.sqrt(second * count / (count - 1))
    skew, kurtosis = third / (second * math.sqrt(second)), fourth / (second * second)
    wide = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio * ratio
    return normal((ratio - benchmark) * math.sqrt(count - 1) / math.sqrt(wide)) if wide > 0 else None


def luckiest_sharpe(tried: Tried) -> float | None:
    """Sharpe ratio of a day that the best of so many trials shows where none has any skill (2014):
    sqrt(V) * ((1 - g) * Z(1 - 1/N) + g * Z(1 - 1/(N*e))), V the variance of the trials' ratios, g Euler's constant.
    None: of several trials not two have a ratio, so V is unknown."""
    known, count = tried.sharpes, tried.count
    if count < 2:
        return 0.0
    if len(known) < 2:
        return None
    mean = math.fsum(known) / len(known)
    variance = math.fsum((one - mean) * (one - mean) for one in known) / (len(known) - 1) / DAYS_A_YEAR
    rare = (1 - EULER) * normal_inverse(1 - 1 / count) + EULER * normal_inverse(1 - 1 / (count * math.e))
    return math.sqrt(variance) * rare


# --- the section of the report ---------------------------------------------------------------------------------------


def performance(curve: Curve, trades: Rounds, tried: Tried | None, dice: Dice) -> dict[str, Any]:
    """Every figure; those that can be drawn again as {value, low, high}, a 95 % interval. None: not defined."""
    returns, wins_losses = curve.daily(), longest_streaks(trades.pnl)
    days = daily_figures(returns[:, None]) if len(returns) > 1 else {}
    days_drawn = daily_figures(redrawn_days(returns, dice)) if days else {}
    of = outcomes_of(trades)
    found, drawn = dict[str, Floats](), dict[str, Floats]()
    if len(of.pnl):
        average = np.array([np.nan if trades.average_r is None else trades.average_r])
        found = trade_figures(of, [column.sum(keepdims=True) for column in of.columns]) | {"average_r": average}
        drawn = trade_figures(of, redrawn_trades(of, dice))
    daily, luckiest = returns.tolist(), luckiest_sharpe(tried) if tried else None
    return {
        "days": len(returns),
        "draws": DRAWS,
        "interval_pct": 95,
        "block_days": block_days(len(returns)),
        **{name: _told(days, days_drawn, name) for name in ("sharpe", "sortino", "calmar")},
        "return_pct": _told(days, days_drawn, "return_pct"),
        "daily_drawdown_pct": _told(days, days_drawn, "drawdown_pct"),
        **{name: _told(found, drawn, name) for name in ("win_rate", "profit_factor", "expectancy", "average_r", "sqn")},
        "longest_wins": wins_losses[0],
        "longest_losses": wins_losses[1],
        "under_water": under_water(curve),
        "probabilistic_sharpe": significant(probabilistic_sharpe(daily, 0.0)),
        "deflated_sharpe": None if luckiest is None else significant(probabilistic_sharpe(daily, luckiest)),
        "luckiest_sharpe": None if luckiest is None else significant(luckiest * math.sqrt(DAYS_A_YEAR)),
    }


def _told(found: Mapping[str, Floats], drawn: Mapping[str, Floats], name: str) -> dict[str, float | None]:
    low, high = interval(drawn[name].tolist()) if name in drawn else (None, None)
    return {"value": significant(found[name][0]) if name in found else None, "low": low, "high": high}


def interval(drawn: Sequence[float]) -> tuple[float | None, float | None]:
    """The middle 95 % of the draws in which the figure is defined, by rank; an end that is infinite is None."""
    known = sorted(one for one in drawn if not math.isnan(one))
    if not known:
        return None, None
    low, high = math.floor(TAIL * len(known)), math.ceil((1 - TAIL) * len(known)) - 1
    return significant(known[low]), significant(known[high])


def under_water(curve: Curve) -> dict[str, float | None]:
    """The longest time below an earlier height, in hours, and the share of all known decisions."""
    if not len(curve.rows):
        return {"longest_hours": None, "share_pct": None}
    heights = np.flatnonzero(curve.fall == 0)
    tops = np.append(curve.at_ms[heights], curve.at_ms[-1])
    passed = np.append(np.diff(heights), len(curve.rows) - heights[-1])  # rows from one height to the next
    longest = int(np.where(passed > 1, np.diff(tops), 0).max())
    share = 100 * (1 - len(heights) / len(curve.rows))
    return {"longest_hours": significant(longest / HOUR_MS), "share_pct": significant(share)}
