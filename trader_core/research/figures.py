"""What a replay came to, in few figures: the five keys of a baseline, and a Sharpe ratio with what it takes to judge
it. As the backtest's report has them.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import ceil, fsum, sqrt
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from trader_core.domain.money import grains_down
from trader_core.report.curve import Curve, curve_of
from trader_core.report.performance import DAYS_A_YEAR, Tried, luckiest_sharpe, normal, sharpe_of
from trader_core.report.rounds import folded
from trader_core.report.trades import RATIO, pct, ratio
from trader_core.report.written import significant
from trader_core.rulebook.limits import Floats, Ints

if TYPE_CHECKING:
    from trader_core.engine.replay import Replayed
    from trader_core.settings.schema import Settings


class Figures(Struct, frozen=True):
    """Percentages and ratios have four decimals, floats ten significant digits; None is not known."""

    total_trades: int
    win_rate: Decimal  # percent of the closed trades
    total_pnl_pct: Decimal
    max_drawdown_pct: Decimal
    profit_factor: Decimal | None  # None: nothing was lost
    sharpe: float | None  # of the returns of UTC days, a year
    days: int  # how many of them
    skew: float
    kurtosis: float  # 3 is normal


def curve_on(replayed: "Replayed", policy: "Settings") -> Curve:
    """Its worth over time, from what the account was opened with."""
    return curve_of(replayed, grains_down(policy.app.paper.cash_quote))


def figures_on(replayed: "Replayed", curve: Curve) -> Figures:
    """`total_pnl_pct` is the change of equity, open positions included; the trade figures are of closed trades."""
    pnl, returns = folded(replayed).trades.pnl, curve.daily()
    wins, won, lost = int((pnl > 0).sum()), int(pnl[pnl > 0].sum()), -int(pnl[pnl <= 0].sum())
    skew, kurtosis = moments(returns.tolist())
    return Figures(
        total_trades=len(pnl),
        win_rate=pct(Decimal(wins), Decimal(len(pnl))),
        total_pnl_pct=pct(
            Decimal(curve.growth.numerator - curve.growth.denominator), Decimal(curve.growth.denominator)
        ),
        max_drawdown_pct=curve.deepest_fall * RATIO,
        profit_factor=ratio(Decimal(won), Decimal(lost)) if lost else None,
        sharpe=sharpe_of(curve),
        days=len(returns),
        skew=skew,
        kurtosis=kurtosis,
    )


def moments(returns: Sequence[float]) -> tuple[float, float]:
    """(skewness, kurtosis), of the population; (0, 3), the normal ones, where nothing moved."""
    if not returns:
        return 0.0, 3.0
    mean = fsum(returns) / len(returns)
    off = [one - mean for one in returns]
    square = fsum(one * one for one in off) / len(off)
    if square <= 0:
        return 0.0, 3.0
    third, fourth = (fsum(one**power for one in off) / len(off) for power in (3, 4))
    return rounded(third / (square * sqrt(square))), rounded(fourth / (square * square))


def deflated_sharpe(one: Figures, tried: Tried) -> float | None:
    """Probability that the true Sharpe ratio is above what the best of so many trials without skill would show: the
    report's own figure, from moments that were kept instead of the returns."""
    luckiest = luckiest_sharpe(tried)
    if one.sharpe is None or one.days < 2 or luckiest is None:
        return None
    a_day = one.sharpe / sqrt(DAYS_A_YEAR)
    wide = 1 - one.skew * a_day + (one.kurtosis - 1) / 4 * a_day * a_day
    return rounded(normal((a_day - luckiest) * sqrt(one.days - 1) / sqrt(wide))) if wide > 0 else None


def rounded(value: float) -> float:
    """To ten significant digits. Raises ValueError where it is no number."""
    found = significant(value)
    if found is None:
        raise ValueError(f"{value} is no number")
    return found


def quantiles(values: Floats | Ints, at_pct: Sequence[float]) -> list[float]:
    """The smallest value that at least so many percent do not exceed: one of the values, so no machine differs."""
    ordered = np.sort(values)
    return [rounded(float(ordered[max(0, ceil(len(ordered) * share / 100) - 1)])) for share in at_pct]
