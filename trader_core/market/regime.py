"""The state of the whole market, read from one asset: where it went in a week, and how restlessly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.instrument import base_of
from trader_core.market.frame import MARK_HOURS
from trader_core.market.moves import move_sums, signed_move
from trader_core.market.windows import (
    all_known,
    back,
    deviation_by,
    difference,
    newest,
    rolling_sum,
    rows_of_hours,
)
from trader_core.rulebook.codes import BEAR, BULL, CHOP, CRASH, REGIMES, UNKNOWN
from trader_core.rulebook.limits import Floats, Ints
from trader_core.rulebook.money import PPM

if TYPE_CHECKING:
    from trader_core.market.seen import Market
    from trader_core.settings.schema import RegimeSignals, Settings

YEAR = np.sqrt(8760.0)  # of hourly deviations makes one of a year


@dataclass(frozen=True)
class Weather:
    """What one asset did, [row of an hourly market], in percent; the volatility a year. Known where every close is."""

    trend: Floats
    volatility: Floats
    known: np.ndarray


def regime_lookback(policy: "Settings") -> int:
    """Rows behind the oldest hourly close that may still count, with those that show whether it is known."""
    signals = policy.signals.regime
    return rows_of_hours(policy, signals.trend_h + signals.confirm_h - 1 + signals.recall_h + MARK_HOURS)


def regimes(market: "Market") -> Ints:
    """Of an hourly market, the confirmed regime by row: the newest that showed `confirm_h` hours in a row, at most
    `recall_h` hours ago."""
    signals, raw = market.signals.regime, raw_regimes(market.weather, market.signals.regime)
    held = rolling_sum(raw == back(raw, 1), signals.confirm_h - 1) == signals.confirm_h - 1
    return newest(np.where(held, raw, UNKNOWN), signals.recall_h)


def raw_regimes(seen: Weather, signals: "RegimeSignals") -> Ints:
    """[row], what each row shows by itself. The first that applies: a wild rise is a crash too."""
    conditions = [
        ~seen.known,
        (seen.trend < -signals.crash_fall_pct) | (seen.volatility > signals.crash_volatility_pct),
        (seen.trend >= signals.bull_rise_pct) & (seen.volatility < signals.bull_volatility_pct),
        seen.trend <= -signals.bear_fall_pct,
    ]
    return np.asarray(np.select(conditions, [UNKNOWN, CRASH, BULL, BEAR], CHOP), np.int64)


def column_of(symbols: Sequence[str], base: str) -> int:
    """The first pair of an asset; -1 where there is none."""
    return next((i for i, symbol in enumerate(symbols) if base_of(symbol) == base), -1)


def weather(market: "Market") -> Weather:
    """Of an hourly market. An asset that the frame does not have is one whose every price is unknown."""
    signals, column = market.signals.regime, column_of(market.frame.symbols, market.signals.regime.base)
    if column < 0:
        nothing = np.zeros(market.frame.rows)
        return Weather(nothing, nothing, nothing > 0.0)
    price = market.price[:, column]
    sums = move_sums(market.price[:, [column]])
    total, squares = (difference(each, signals.trend_h)[:, 0] for each in sums)
    return Weather(
        trend=100.0 * signed_move(price, back(price, signals.trend_h)),
        volatility=100.0 * YEAR / PPM * deviation_by(total, squares, signals.trend_h),
        known=all_known(price, signals.trend_h + 1, 1),
    )


def describe(market: "Market", row: int) -> str:
    """In words, what is in force at a row and what it was measured by in the last whole hour."""
    at, signals, seen = int(market.hour[row]), market.signals.regime, market.hourly.weather
    column, hour = column_of(market.frame.symbols, signals.base), int(market.told.hour[at])
    confirmed, listed = int(market.regime[at]), column >= 0 and not market.told.gone[at, column]
    raw = int(raw_regimes(seen, signals)[hour - 1]) if hour and listed else UNKNOWN
    if raw == UNKNOWN:
        return f"{REGIMES[confirmed]}: {signals.base} has no price for some of the last {signals.trend_h} hours"
    trend, volatility = float(seen.trend[hour - 1]), float(seen.volatility[hour - 1])
    waits = "" if raw == confirmed else f"; {REGIMES[raw]} is not confirmed yet"
    return f"{REGIMES[confirmed]}: {trend:+.1f} % over {signals.trend_h} h, volatility {volatility:.0f} % a year{waits}"
