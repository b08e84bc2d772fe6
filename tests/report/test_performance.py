"""Ratios against their plain definitions, bootstraps that are drawn as they say, and what luck alone would show."""

import math
from statistics import NormalDist, fmean, pstdev, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report.replays import CASH, Tale, days
from trader_core.domain.money import E8
from trader_core.report.curve import Curve, curve_of
from trader_core.report.performance import (
    DRAWS,
    Tried,
    block_days,
    daily_figures,
    interval,
    longest_streaks,
    luckiest_sharpe,
    normal,
    normal_inverse,
    outcomes_of,
    performance,
    probabilistic_sharpe,
    redrawn_days,
    redrawn_trades,
    sharpe_of,
    trade_figures,
    under_water,
)
from trader_core.report.rounds import Rounds, folded
from trader_core.research.chance import stream
from trader_core.rulebook import codes
from trader_core.rulebook.limits import Floats

small = st.floats(-0.2, 0.2).map(lambda one: round(one, 6))


def trades_of(*gains: int) -> Rounds:
    """One after another, each of 1,000 with a stop at 10 %, so that 100 is one R; fees are nothing."""
    tale = Tale(rows=2 * len(gains) + 2)
    for n, gain in enumerate(gains):
        tale.fill(2 * n + 1, 0, codes.ENTRY, 10, 1, 1_000 * E8, stop_bps=1_000)
        tale.fill(2 * n + 2, 0, codes.EXIT, 10, 1, (1_000 + gain) * E8)
    return folded(tale.told()).trades


def figures(*gains: int) -> dict[str, float]:
    of = outcomes_of(trades_of(*gains))
    found = trade_figures(of, [column.sum(keepdims=True) for column in of.columns])
    return {name: float(value[0]) for name, value in found.items()}


def curve(*equities: int) -> Curve:
    return curve_of(days(*equities).told(), CASH)


@settings(deadline=None)
@given(st.lists(small, min_size=2, max_size=50))
def test_ratios_of_days_are_the_textbooks(returns: list[float]) -> None:
    found = {name: float(value[0]) for name, value in daily_figures(np.array(returns)[:, None]).items()}
    mean, growth, high, deepest = fmean(returns), 1.0, 1.0, 0.0
    for one in returns:
        growth *= 1 + one
        high = max(high, growth)
        deepest = max(deepest, 1 - growth / high)
    losses = math.sqrt(fmean([min(one, 0.0) ** 2 for one in returns]))
    if stdev(returns) > 1e-9 * abs(mean) and stdev(returns) > 1e-12:
        assert found["sharpe"] == pytest.approx(mean / stdev(returns) * math.sqrt(365), rel=1e-6, abs=1e-9)
    if losses:
        assert found["sortino"] == pytest.approx(mean / losses * math.sqrt(365), rel=1e-9, abs=1e-12)
    if deepest > 1e-9 and growth < 1e3:
        yearly = growth ** (365 / len(returns)) - 1
        assert found["calmar"] == pytest.approx(yearly / deepest, rel=1e-6)
    assert found["drawdown_pct"] == pytest.approx(100 * deepest, abs=1e-9)


def test_what_is_not_defined_is_none_and_not_zero() -> None:
    still = performance(curve(10_000, 10_000, 10_000), trades_of(), None, stream(1))
    for name in ("sharpe", "sortino", "calmar", "win_rate", "profit_factor", "expectancy", "average_r", "sqn"):
        assert still[name] == {"value": None, "low": None, "high": None}, name
    assert (still["probabilistic_sharpe"], still["deflated_sharpe"]) == (None, None)
    one_day = performance(curve(10_500), trades_of(5), Tried(1, ()), stream(1))
    assert one_day["sharpe"]["value"] is None
    assert (one_day["profit_factor"]["value"], one_day["win_rate"]["value"]) == (None, 100)
    assert sharpe_of(curve(10_100, 10_201)) is None, "the same return every day has no deviation to divide by"


def test_ratios_of_trades_are_the_textbooks() -> None:
    gains = (100, -50, 250, -100, 0)
    r = [one / 100 for one in gains]
    found = figures(*gains)
    assert found["win_rate"] == 40
    assert found["profit_factor"] == pytest.approx(350 / 150)
    assert found["expectancy"] == pytest.approx(fmean(gains))
    assert found["average_r"] == pytest.approx(fmean(r))
    assert found["sqn"] == pytest.approx(math.sqrt(5) * fmean(r) / stdev(r))


def test_more_than_a_hundred_trades_make_the_sqn_no_better() -> None:
    r = [1.0, -0.5] * 100
    assert figures(*([100, -50] * 100))["sqn"] == pytest.approx(10 * fmean(r) / stdev(r))


@given(st.lists(st.integers(-3, 3), max_size=30))
def test_streaks_are_counted_in_order(gains: list[int]) -> None:
    text = "".join("w" if one > 0 else "l" for one in gains)
    most = tuple(max(map(len, text.split(other)), default=0) for other in ("l", "w"))
    assert longest_streaks(np.array(gains, np.int64)) == most


# --- the bootstrap ---------------------------------------------------------------------------------------------------


def test_a_seed_names_the_draws() -> None:
    gains, walk = [(n * 37) % 90 - 40 for n in range(40)], [10_000 + (n * 61) % 500 for n in range(60)]
    one, again, other = (performance(curve(*walk), trades_of(*gains), None, stream(seed, 1)) for seed in (1, 1, 2))
    assert one == again
    assert one["sharpe"]["value"] == other["sharpe"]["value"]
    assert one["sharpe"]["low"] != other["sharpe"]["low"]
    assert one["average_r"]["low"] != other["average_r"]["low"]
    for name in ("sharpe", "sortino", "win_rate", "profit_factor", "expectancy", "average_r", "sqn"):
        assert one[name]["low"] < one[name]["value"] < one[name]["high"], name


def test_days_are_drawn_in_blocks_that_go_round() -> None:
    count = 100
    drawn = redrawn_days(np.arange(float(count)), stream(3)).astype(int)
    assert drawn.shape == (count, DRAWS)
    follows = (drawn[1:] - drawn[:-1]) % count == 1
    length = block_days(count)
    assert length == 5
    assert follows.mean() == pytest.approx(1 - 1 / length + 1 / length / count, abs=0.01)
    assert np.bincount(drawn.ravel(), minlength=count).min() > 0.7 * DRAWS


def test_trades_are_drawn_one_by_one_as_many_as_there_are() -> None:
    gains = [7, -3, 12, 1, -9, 4, 4, -2, 30, -15]
    sums = redrawn_trades(of := outcomes_of(trades_of(*gains)), stream(4))
    expectancy = trade_figures(of, sums)["expectancy"]
    assert len(expectancy) == DRAWS
    assert expectancy.mean() == pytest.approx(fmean(gains), abs=0.3)
    assert expectancy.std() == pytest.approx(pstdev(gains) / math.sqrt(len(gains)), rel=0.1)


def test_an_interval_has_the_middle_of_the_draws_and_its_open_end_is_none() -> None:
    assert interval([float(n) for n in range(1000)]) == (25.0, 974.0)
    assert interval([math.nan, 1.0, 2.0]) == (1.0, 2.0)
    assert interval([1.0, math.inf, math.inf]) == (1.0, None)
    assert interval([math.nan]) == (None, None)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Days drawn from a known distribution: 95 of a hundred intervals of its mean should hold it."""
    dice, held, worlds = stream(5), 0, 60
    for _ in range(worlds):
        returns: Floats = dice.normal(0.001, 0.02, 120)
        low, high = interval(daily_figures(redrawn_days(returns, dice))["sharpe"].tolist())
        held += low is not None and high is not None and low <= 0.001 / 0.02 * math.sqrt(365) <= high
    assert 0.8 * worlds <= held


# --- luck ------------------------------------------------------------------------------------------------------------


@given(st.floats(1e-6, 1 - 1e-6))
def test_the_normal_distribution_is_the_standard_librarys(probability: float) -> None:
    x = NormalDist().inv_cdf(probability)
    assert normal_inverse(probability) == pytest.approx(x, abs=1e-9)
    assert normal(x) == pytest.approx(probability, rel=1e-9)


def test_the_probabilistic_sharpe_ratio_follows_its_formula() -> None:
    returns = [0.01, -0.02, 0.03, 0.005, -0.01, 0.02, 0.0, 0.015]
    mean, deviation, count = fmean(returns), pstdev(returns), len(returns)
    skew = fmean([(one - mean) ** 3 for one in returns]) / deviation**3
    kurtosis = fmean([(one - mean) ** 4 for one in returns]) / deviation**4
    ratio = mean / stdev(returns)
    wide = math.sqrt(1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2)
    expected = NormalDist().cdf((ratio - 0.1) * math.sqrt(count - 1) / wide)
    assert probabilistic_sharpe(returns, 0.1) == pytest.approx(expected, rel=1e-9)
    assert probabilistic_sharpe([0.01, 0.01], 0.0) is None


def test_the_more_was_tried_the_less_the_best_is_worth() -> None:
    walk = [10_000 + 9 * n + (n * 61) % 200 for n in range(90)]
    ratios = [(n * 37 % 50) / 25 - 1 for n in range(500)]
    worth = [
        performance(curve(*walk), trades_of(), Tried(count, tuple(ratios[:count])), stream(1))["deflated_sharpe"]
        for count in (1, 2, 10, 500)
    ]
    assert worth == sorted(worth, reverse=True)
    assert len(set(worth)) == len(worth)
    assert luckiest_sharpe(Tried(1, (3.0,))) == 0
    blind = performance(curve(*walk), trades_of(), None, stream(1))
    assert blind["deflated_sharpe"] is None, "an unknown number of trials is not one trial"
    assert blind["probabilistic_sharpe"] == worth[0]


def test_the_luckiest_of_many_is_what_chance_shows() -> None:
    """The best of a hundred worthless ratios, as drawn and as the formula has it."""
    ratios = [math.sqrt(365) * NormalDist().inv_cdf((n + 0.5) / 100) for n in range(100)]
    drawn = stream(6).normal(0.0, stdev(ratios) / math.sqrt(365), (5_000, 100))
    assert luckiest_sharpe(Tried(100, tuple(ratios))) == pytest.approx(float(drawn.max(axis=1).mean()), rel=0.02)


# --- under water -----------------------------------------------------------------------------------------------------


def test_time_under_water_is_from_a_height_to_the_next() -> None:
    tale = Tale(rows=100, worth={0: CASH, 10: CASH - 1, 30: CASH + 5, 90: CASH})
    found = under_water(curve_of(tale.told(), CASH))
    assert found == {"longest_hours": 21.0, "share_pct": 30.0}
    assert under_water(curve_of(Tale(rows=9).told(), CASH)) == {"longest_hours": 0.0, "share_pct": 0.0}
    sunk = under_water(curve_of(Tale(rows=10, worth={4: CASH - 1}).told(), CASH))
    assert sunk == {"longest_hours": 6.0, "share_pct": 60.0}
