"""The regime against its slow twin, its confirmation, and its words."""

from random import Random

import numpy as np
import pytest

from tests.market import twins
from tests.market.make import cut, frame, market, policy, walks
from trader_core.market.regime import describe, raw_regimes, regime_lookback, regimes, weather
from trader_core.rulebook.codes import BEAR, BULL, CHOP, REGIMES, UNKNOWN
from trader_core.rulebook.limits import Ints
from trader_core.settings.schema import Settings

SHORT = {"trend_h": 3, "confirm_h": 2, "recall_h": 4, "crash_volatility_pct": 300.0, "bull_volatility_pct": 200.0,
         "bull_rise_pct": 1.0, "bear_fall_pct": 1.0, "crash_fall_pct": 4.0}  # fmt: skip


def short(bar_min: int = 15, **changes: float) -> Settings:
    edits = {f"signals__regime__{key}": value for key, value in {**SHORT, **changes}.items()}
    return policy(policy__cycle__base_bar_min=bar_min, **edits)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_regime_is_its_slow_twin(seed: int) -> None:
    settings, random = short(60), Random(seed)
    here = market(walks(random, 700, 60, columns=1, holes=0.001), settings)
    hourly = here.hourly
    raw, found = raw_regimes(weather(hourly), settings.signals.regime), regimes(hourly)
    for t in random.sample(range(700), 250):
        assert raw[t] == twins.raw_regime(hourly.frame, t, settings)
        assert found[t] == twins.regime(lambda row: int(raw[row]) if row >= 0 else UNKNOWN, t, 1, settings)
        assert here.regime[here.hour[t]] == found[t], "bars of an hour are told at once"


def test_walks_show_every_regime() -> None:
    """Else the twin above would agree on little."""
    every = [
        regimes(market(walks(Random(seed), 700, 60, columns=1, holes=0.001), short(60)).hourly) for seed in range(4)
    ]
    assert set(np.concatenate(every).tolist()) == set(range(len(REGIMES)))


@pytest.mark.parametrize("bar_min", [1, 5, 15])
def test_the_regime_is_the_same_whatever_the_base_bar(bar_min: int) -> None:
    minutes = walks(Random(5), 60 * 24 * 5, 1, columns=1, holes=0.001)
    closes = minutes.last_known[0][bar_min - 1 :: bar_min]
    coarse = market(frame(closes, bar_min=bar_min), short(bar_min))
    fine = market(minutes, short(1))
    assert coarse.regime.tolist() == fine.regime.tolist()
    assert len(set(fine.regime.tolist())) > 3


def hourly(prices: list[int]) -> Ints:
    """Bars of 15 minutes that close at these prices, one an hour."""
    return np.repeat(np.array(prices, np.int64), 4)


def shown(prices: list[int], settings: Settings) -> str:
    """Initials of the regime in force at the last bar of every hour: - unknown, u bull, h chop, e bear, r crash."""
    return "".join("-uher"[code] for code in market(frame(hourly(prices)), settings).regime[1:])


CALM_MINUTES = short(1, trend_h=2, crash_volatility_pct=1000.0, bull_volatility_pct=1000.0)
CALM = short(trend_h=2, crash_volatility_pct=1000.0, bull_volatility_pct=1000.0)
TURNS = [1000, 1000, 1000, 1000, 1020, 1000, 1000, 1020, 1000, 1000, 1020, 1000, 1000]


def test_a_regime_is_in_force_once_it_held_long_enough() -> None:
    prices = [1000, 1000, 1000, 1000, 1020, 1020, 1000, 1000]
    quick = short(trend_h=2, crash_volatility_pct=1000.0, bull_volatility_pct=1000.0, confirm_h=1)
    assert shown(prices, quick) == "--hhuuee"
    assert shown(prices, CALM) == "---hhuue"


def test_a_regime_is_remembered_for_its_recall_and_then_unknown() -> None:
    """After the fourth hour none lasts two hours."""
    raw = raw_regimes(weather(market(frame(hourly(TURNS)), CALM).hourly), CALM.signals.regime)
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
    one, two = (weather(market(frame(each, bar_min=60), short(60)).hourly) for each in (2**powers, whole // 2**powers))
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
    """Its first bar is the oldest hour's price, which confirms the only regime that is still remembered; its last is
    the last but one of an hour."""
    settings = short(bar_min, trend_h=2, crash_volatility_pct=1000.0, bull_volatility_pct=1000.0)
    rows, hour = regime_lookback(settings), 60 // bar_min
    prices = np.zeros(rows, np.int64)
    prices[0], prices[24 * hour + hour - 1 :: hour] = TURNS[0], TURNS[1:8]
    whole = frame(prices, bar_min=bar_min)
    assert market(whole, settings).regime[-1] == CHOP
    assert market(cut(whole, 1, rows), settings).regime[-1] == UNKNOWN


def test_while_its_asset_is_not_listed_the_regime_is_unknown() -> None:
    """From the minute on in which it has been silent for MARK_BARS, and until it sends a bar again."""
    close = np.full((600, 2), 1000)
    close[300:450, 0] = 0
    here = market(frame(close, bar_min=1, symbols=("BTC-USD", "ETH-USD")), CALM_MINUTES)
    found = here.regime[here.hour]
    assert (found[299:395] == CHOP).all() and (found[450:] == CHOP).all()
    assert (found[395:450] == UNKNOWN).all()
    assert describe(here, 400) == "unknown: BTC has no price for some of the last 2 hours"


def test_where_every_pair_is_silent_it_is_the_venue_that_is() -> None:
    close = np.full((600, 2), 1000)
    close[300:450] = 0
    here = market(frame(close, bar_min=1, symbols=("BTC-USD", "ETH-USD")), CALM_MINUTES)
    assert (here.regime[here.hour][299:] == CHOP).all()
