"""The state of the whole market, read from one asset: where it went in a week, and how restlessly."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.instrument import base_of
from trader_core.domain.market import MARK_BARS
from trader_core.market.windows import (
    all_known,
    back,
    deviation_of,
    moves_ppm,
    newest,
    rows_in,
    signed_move,
    strided_sum,
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
    """What one asset did, [row], in percent; the volatility a year. Known where every hourly close is."""

    trend: Floats
    volatility: Floats
    known: np.ndarray


def regime_lookback(policy: "Settings") -> int:
    """Rows behind the oldest hourly close that may still count, with those that show whether it is known."""
    signals = policy.signals.regime
    hours = signals.trend_h + signals.confirm_h - 1 + signals.recall_h
    return rows_in(policy, hours) + MARK_BARS


def regimes(market: "Market") -> Ints:
    """[row], the confirmed regime: the newest that showed `confirm_h` hours in a row, at most `recall_h` hours ago."""
    signals, per_hour = market.signals.regime, market.per_hour
    raw = raw_regimes(weather(market), signals)
    same = raw == back(raw, per_hour)
    held = strided_sum(same, signals.confirm_h - 1, per_hour) == signals.confirm_h - 1
    return newest(np.where(held, raw, UNKNOWN), signals.recall_h, per_hour)


def raw_regimes(seen: Weather, signals: "RegimeSignals") -> Ints:
    """[row], what each row shows by itself. The first that applies: a wild rise is a crash too."""
    conditions = [
        ~seen.known,
        (seen.trend < -signals.crash_fall_pct) | (seen.volatility > signals.crash_volatility_pct),
        (seen.trend >= signals.bull_rise_pct) & (seen.volatility < signals.bull_volatility_pct),
        seen.trend <= -signals.bear_fall_pct,
    ]
    return np.asarray(np.select(conditions, [UNKNOWN, CRASH, BULL, BEAR], CHOP), np.int64)


def weather(market: "Market") -> Weather:
    """An asset that the frame does not have is one whose every price is unknown."""
    signals, per_hour, symbols = market.signals.regime, market.per_hour, market.frame.symbols
    columns = [i for i, symbol in enumerate(symbols) if base_of(symbol) == signals.base]
    price = market.price[:, columns[0]] if columns else np.zeros(market.frame.rows, np.int64)
    deviation = deviation_of(moves_ppm(price, per_hour), signals.trend_h, per_hour)
    return Weather(
        trend=100.0 * signed_move(price, back(price, signals.trend_h * per_hour)),
        volatility=100.0 * YEAR / PPM * deviation,
        known=all_known(price, signals.trend_h + 1, per_hour),
    )


def describe(market: "Market", row: int) -> str:
    """In words, what is in force at a row and what it was measured by."""
    signals, seen = market.signals.regime, weather(market)
    confirmed, raw = int(market.regime[row]), int(raw_regimes(seen, signals)[row])
    if raw == UNKNOWN:
        return f"{REGIMES[confirmed]}: {signals.base} has no price for some of the last {signals.trend_h} hours"
    trend, volatility = float(seen.trend[row]), float(seen.volatility[row])
    waits = "" if raw == confirmed else f"; {REGIMES[raw]} is not confirmed yet"
    return f"{REGIMES[confirmed]}: {trend:+.1f} % over {signals.trend_h} h, volatility {volatility:.0f} % a year{waits}"
