"""The regime against its slow twin, its confirmation, and its words."""

from random import Random

import numpy as np
import pytest

from tests.market import twins
from tests.market.make import cut, frame, market, policy, walks
from trader_core.market.regime import describe, raw_regimes, regime_lookback, weather
from trader_core.rulebook.codes import BEAR, BULL, CHOP, REGIMES, UNKNOWN
from trader_core.rulebook.limits import Ints
from trader_core.settings.schema import Settings

SHORT = {"trend_h": 3, "confirm_h": 2, "recall_h": 4, "crash_volatility_pct": 300.0, "bull_volatility_pct": 200.0,
         "bull_rise_pct": 1.0, "bear_fall_pct": 1.0, "crash_fall_pct": 4.0}  # fmt: skip


def short(bar_min: int = 15, **changes: float) -> Settings:
    edits = {f"signals__regime__{key}": value for key, value in {**SHORT, **changes}.items()}
    return policy(policy__cycle__base_bar_min=bar_min, **edits)


@pytest.mark.parametrize(("bar_min", "seed"), [(1, 1), (5, 2), (15, 3), (15, 4), (15, 5)])
def test_the_regime_is_its_slow_twin(bar_min: int, seed: int) -> None:
    settings, random = short(bar_min), Random(seed)
    seen = walks(random, 700 * 15 // bar_min, bar_min, columns=1, holes=0.001)
    here = market(seen, settings)
    raw = raw_regimes(weather(here), settings.signals.regime)
    for t in random.sample(range(seen.rows), 250):
        assert raw[t] == twins.raw_regime(seen, t, settings)
        assert here.regime[t] == twins.regime(
            lambda row: int(raw[row]) if row >= 0 else UNKNOWN, t, 60 // bar_min, settings
        )


def test_walks_show_every_regime() -> None:
    """Else the twin above would agree on little."""
    regimes = [market(walks(Random(seed), 700, columns=1, holes=0.001), short()).regime for seed in (3, 4, 5)]
    assert set(np.concatenate(regimes).tolist()) == set(range(len(REGIMES)))


def hourly(prices: list[int]) -> Ints:
    """Bars of 15 minutes that close at these prices, one an hour."""
    return np.repeat(np.array(prices, np.int64), 4)


def shown(prices: list[int], settings: Settings) -> str:
    """Initials of the regime in force at the last bar of every hour: - unknown, u bull, h chop, e bear, r crash."""
    return "".join("-uher"[code] for code in market(frame(hourly(prices)), settings).regime[3::4])


CALM = short(trend_h=2, crash_volatility_pct=1000.0, bull_volatility_pct=1000.0)
TURNS = [1000, 1000, 1000, 1000, 1020, 1000, 1000, 1020, 1000, 1000, 1020, 1000, 1000]


def test_a_regime_is_in_force_once_it_held_long_enough() -> None:
    prices = [1000, 1000, 1000, 1000, 1020, 1020, 1000, 1000]
    quick = short(trend_h=2, crash_volatility_pct=1000.0, bull_volatility_pct=1000.0, confirm_h=1)
    assert shown(prices, quick) == "--hhuuee"
    assert shown(prices, CALM) == "---hhuue"


def test_a_regime_is_remembered_for_its_recall_and_then_unknown() -> None:
    """After the fourth hour none lasts two hours."""
    raw = raw_regimes(weather(market(frame(hourly(TURNS)), CALM)), CALM.signals.regime)[3::4]
    assert raw.tolist()[2:] == [CHOP, CHOP, BULL, CHOP, BEAR, BULL, CHOP, BEAR, BULL, CHOP, BEAR]
    assert shown(TURNS, CALM) == "---hhhhh-----"


def test_what_is_unknown_confirms_nothing_and_what_was_confirmed_holds_meanwhile() -> None:
    """The last bar of hour 7 is a price until hour 30; hours 34 to 36 make the next three closes."""
    prices = [1000] * 8 + [0] * 26 + [1000] * 6
    assert shown(prices, CALM) == "---" + "h" * 32 + "--" + "hhh"


def test_a_missing_asset_is_an_unknown_regime() -> None:
    seen = frame(np.full((200, 2), 1000), symbols=("ETH-USD", "XRP-USD"))
    assert not market(seen, CALM).regime.any()
    assert market(frame(np.full((200, 2), 1000), symbols=("ETH-USD", "BTC-USD")), CALM).regime[-1] == CHOP


def test_a_mirrored_market_has_the_mirrored_trend_and_the_same_volatility() -> None:
    random, whole = Random(7), 2**40
    powers = np.cumsum([random.choice((-1, 0, 0, 1)) for _ in range(400)]) + 20
    assert powers.min() > 0 and powers.max() < 40
    one, two = (weather(market(frame(each), short())) for each in (2**powers, whole // 2**powers))
    assert one.trend.tolist() == (-two.trend).tolist()
    assert one.volatility.tolist() == two.volatility.tolist()
    assert np.abs(one.trend).max() > 100


def test_a_crash_is_a_fall_or_any_wild_move() -> None:
    wild = short(trend_h=2, confirm_h=1, recall_h=0)
    assert shown([1000, 1000, 1000, 960, 950], wild)[-1] == "r"
    assert shown([1000, 1000, 1100, 1000, 1100], wild)[-1] == "r"
    edges = short(trend_h=2, confirm_h=1, crash_volatility_pct=1000.0, crash_fall_pct=25.0, bear_fall_pct=12.5)
    assert shown([1280, 1140, 1024], edges)[-1] == "e"  # the rise that would undo it is 25 %, and not more
    assert shown([1152, 1088, 1024], edges)[-1] == "e"  # 12.5 %, and not less
    assert shown([1151, 1088, 1024], edges)[-1] == "h"
    assert shown([1000, 1000, 1000, 1010, 1020], wild)[-1] == "u"
    assert shown([1000, 1000, 1000, 990, 980], wild)[-1] == "e"
    assert shown([1000, 1000, 1000, 1000, 1001], wild)[-1] == "h"


def test_words_say_what_is_in_force_and_what_it_was_measured_by() -> None:
    falling = market(frame(hourly([1000, 1000, 1000, 1000, 800, 800])), CALM)
    assert describe(falling, 15) == "chop: +0.0 % over 2 h, volatility 0 % a year"
    assert describe(falling, 19) == "chop: -25.0 % over 2 h, volatility 1655 % a year; crash is not confirmed yet"
    assert describe(falling, 23) == "crash: -25.0 % over 2 h, volatility 1655 % a year"
    assert describe(falling, 3) == "unknown: BTC has no price for some of the last 2 hours"


@pytest.mark.parametrize("bar_min", [1, 5, 15])
def test_the_lookback_is_as_short_as_it_can_be(bar_min: int) -> None:
    """Its first bar is the oldest hour's price, which confirms the only regime that is still remembered."""
    settings = short(bar_min, trend_h=2, crash_volatility_pct=1000.0, bull_volatility_pct=1000.0)
    rows, hour = regime_lookback(settings), 60 // bar_min
    prices = np.zeros(rows, np.int64)
    prices[0], prices[95 + hour :: hour] = TURNS[0], TURNS[1:8]
    whole = frame(prices, bar_min=bar_min)
    assert market(whole, settings).regime[-1] == CHOP
    assert market(cut(whole, 1, rows), settings).regime[-1] == UNKNOWN
