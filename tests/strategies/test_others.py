"""Momentum, mean reversion and the cross of averages, each against the plain arithmetic of its idea."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from math import floor, sqrt
from statistics import mean, pstdev
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.strategies import twin
from tests.strategies.make import LIVELY, PARTS, PRICE, SYMBOLS, Opinion, frames, opinion, policy, steady
from trader_core.domain.clocktime import HOUR_MS
from trader_core.domain.values import replace
from trader_core.market.frame import Frame
from trader_core.market.seen import Market
from trader_core.settings.schema import Settings
from trader_core.strategies.mean_reversion import mean_reversion
from trader_core.strategies.momentum import momentum
from trader_core.strategies.sma_cross import sma_cross

SOME = policy(**LIVELY)
MISSING = SOME.signals.windows.max_missing_bars
ONE = ("XRP-USD",)
ROWS = st.lists(st.integers(0, 219), min_size=8, max_size=12)


def of_momentum(frame: Frame, settings: Settings = SOME) -> Opinion:
    market = Market(frame, settings, 0)
    return opinion(momentum.columns(market, settings.strategies.momentum), market)


def of_mean_reversion(frame: Frame, settings: Settings = SOME) -> Opinion:
    market = Market(frame, settings, 0)
    return opinion(mean_reversion.columns(market, settings.strategies.mean_reversion), market)


def of_sma_cross(frame: Frame, settings: Settings = SOME) -> Opinion:
    market = Market(frame, settings, 0)
    return opinion(sma_cross.columns(market, settings.strategies.sma_cross), market)


def test_momentum_equals_its_slow_twin() -> None:
    seen: Counter[tuple[str, bool]] = Counter()
    chosen = SOME.strategies.momentum

    @given(frames(bars=220), ROWS)
    @examples(30)
    def holds(frame: Frame, rows: list[int]) -> None:
        one = of_momentum(frame)
        for column in range(len(SYMBOLS)):
            series = twin.Series(frame, SOME, column)
            for row in rows:
                cell, at = twin.Cell(series, row), (row, column)
                prices = [cell.price(4 * k) if 4 * k <= row else 0 for k in range(chosen.window_h + 1)]
                holes = 4 * chosen.window_h + 1 - len(cell.column_of("close", 4 * chosen.window_h + 1))
                known = row >= 4 * chosen.window_h and holes <= MISSING and all(prices)
                assert bool(one.known[at]) is known
                move_pct = 100.0 * twin.move(prices[0], prices[-1]) if known else 0.0
                rose = sum(now > then for now, then in pairwise(prices))
                steady_rise = 100 * rose >= chosen.min_share_pct * chosen.window_h
                rising = cell.price() >= cell.price(1)
                enters = (
                    known and move_pct >= chosen.min_rise_pct and steady_rise and bool(frame.present[at]) and rising
                )
                assert bool(one.enter[at]) is enters
                assert bool(one.leave[at]) is (known and move_pct < 0)
                assert one.value[at] == pytest.approx(move_pct)
                assert one.conviction[at] == pytest.approx(min(max(move_pct / (3 * chosen.min_rise_pct), 0), 1))
                seen.update([("known", known), ("enters", enters), ("leaves", bool(one.leave[at]))])

    holds()
    assert all(seen[what, yes] for what in ("known", "enters", "leaves") for yes in (True, False)), seen


@pytest.mark.parametrize(("rising", "enters"), [(2, 1), (1, 0)])
def test_momentum_wants_most_of_its_hours_to_rise(rising: int, enters: int) -> None:
    """Of three hours 60 % must have risen; one leap does not."""
    closes = [PRICE] * 60 + [PRICE + 60_000 * (n + 1 if rising == 2 else 2) // 2 for n in range(2) for _ in range(4)]
    assert of_momentum(steady([closes], ONE)).enter[-4:, 0].tolist()[-1] == enters


@pytest.mark.parametrize(("share_pct", "enters"), [(50.0, 1), (50.01, 0)])
def test_exactly_the_share_is_enough(share_pct: float, enters: int) -> None:
    edits = {"strategies__momentum__window_h": 2, "strategies__momentum__min_share_pct": share_pct}
    settings = policy(**LIVELY | edits)
    frame = steady([[PRICE] * 60 + [PRICE + 60_000] * 5], ONE)
    one = of_momentum(frame, settings)
    assert one.enter[-1, 0] == enters


def test_momentum_wants_every_hour_s_price() -> None:
    """Two missing bars are forgiven, a price that never was is not."""
    frame = steady([[PRICE] * 60], ONE)
    present = np.arange(60)[:, None] >= 20
    closes = np.where(present, frame.close, 0)
    one = of_momentum(replace(frame, present=present, close=closes, high=closes, low=closes, open=closes))
    assert np.flatnonzero(one.known[:, 0])[0] == 20 + 4 * SOME.strategies.momentum.window_h


def test_mean_reversion_equals_its_slow_twin() -> None:
    seen: Counter[tuple[str, bool]] = Counter()
    chosen = SOME.strategies.mean_reversion

    @given(frames(bars=220), ROWS)
    @examples(30)
    def holds(frame: Frame, rows: list[int]) -> None:
        one, seen_by = of_mean_reversion(frame), Market(frame, SOME, 0)
        atr = seen_by.atr[seen_by.hour]
        for column in range(len(SYMBOLS)):
            series = twin.Series(frame, SOME, column)
            for row in rows:
                cell, at, window = twin.Cell(series, row), (row, column), 4 * chosen.window_h
                closes = cell.column_of("close", window)
                known = row >= window - 1 and window - len(closes) <= MISSING
                assert bool(one.known[at]) is known
                deviation = sqrt(exact_variance(closes)) if known else 0.0
                still = not known or deviation <= 1e-5 * mean(closes)
                below = 0.0 if still else float(Fraction(sum(closes), len(closes)) - cell.price()) / deviation
                assert one.value[at] == pytest.approx(below, rel=1e-6, abs=1e-6)
                far = known and below >= chosen.entry_sigma
                assert bool(one.enter[at]) is (far and bool(frame.present[at]) and bool(atr[at] > 0))
                assert bool(one.leave[at]) is (known and below <= 0)
                if atr[at] > 0:
                    assert one.stop_bps[at] == max(floor(1e4 * chosen.stop_atr * atr[at] / cell.price()), 1)
                    assert one.target_bps[at] == max(floor(1e4 * chosen.target_atr * atr[at] / cell.price()), 1)
                seen.update([("known", known), ("enters", far), ("leaves", bool(one.leave[at]))])

    holds()
    assert all(seen[what, yes] for what in ("known", "enters", "leaves") for yes in (True, False)), seen


def exact_variance(closes: list[int]) -> Fraction:
    middle = Fraction(sum(closes), len(closes))
    return sum(((one - middle) * (one - middle) for one in closes), Fraction()) / len(closes)


def test_further_below_the_mean_convinces_more() -> None:
    calm = [PRICE + (600 if n % 2 else -600) for n in range(99)]
    fell = [of_mean_reversion(steady([[*calm, PRICE - fall]], ONE)) for fall in (1_000, 2_000, 3_000, 60_000)]
    convictions = [float(one.conviction[-1, 0]) for one in fell]
    assert convictions == sorted(set(convictions))
    assert [int(one.enter[-1, 0]) for one in fell] == [1, 1, 1, 1]
    closes = [*calm[-11:], PRICE - 1_000]
    expected = (mean(closes) - closes[-1]) / pstdev(closes)
    assert float(fell[0].value[-1, 0]) == pytest.approx(expected, rel=1e-6)


def test_a_market_that_stands_still_is_at_its_mean() -> None:
    """Not even the last digit of a sum may look like a deviation. What is held there is at its mean, and is sold."""
    for price in (1, 7, PRICE, 3_782_211_717_940_759, 2**53 - 1):
        one = of_mean_reversion(steady([[price] * 120], ONE))
        assert one.known[-1, 0] and one.leave[-1, 0] and not one.enter.any() and not one.value.any()


def test_without_an_average_true_range_there_are_no_exits_and_so_no_entry() -> None:
    closes = [PRICE + (600 if n % 2 else -600) for n in range(119)] + [PRICE - 6_000]
    settings = policy(**LIVELY | {"signals__guards__atr_h": 40})
    short = of_mean_reversion(steady([closes], ONE), settings)
    assert short.known[-1, 0] and short.value[-1, 0] >= short.limit[-1, 0] and not short.enter.any()
    assert of_mean_reversion(steady([closes], ONE)).enter[-1, 0] == 1


def test_a_wild_range_keeps_the_stop_above_nothing() -> None:
    settings = policy(**LIVELY | {"strategies__mean_reversion__stop_atr": 20.0})
    closes = [PRICE * (3 if n % 2 else 1) for n in range(120)]
    one = of_mean_reversion(steady([closes], ONE), settings)
    assert one.stop_bps[-1, 0] == 9_900


@pytest.mark.parametrize("price", [1_000, PRICE, 2**52])
def test_the_cross_equals_exact_averages(price: int) -> None:
    seen: Counter[tuple[str, bool]] = Counter()
    chosen = SOME.strategies.sma_cross

    @given(st.lists(st.integers(-3, 3), min_size=30, max_size=60))
    @examples(25)
    def holds(steps: list[int]) -> None:
        closes = np.cumsum([price, *steps]).tolist()
        one = of_sma_cross(steady([closes], ONE))

        def above(row: int) -> bool:
            fast, slow = (closes[row + 1 - length : row + 1] for length in (chosen.fast_bars, chosen.slow_bars))
            return Fraction(sum(fast), len(fast)) > Fraction(sum(slow), len(slow))

        assert not one.known[: chosen.slow_bars].any() and one.known[chosen.slow_bars :].all()
        for row in range(chosen.slow_bars, len(closes)):
            enters = above(row) and not above(row - 1)
            assert (bool(one.enter[row, 0]), bool(one.leave[row, 0])) == (enters, not above(row))
            seen.update([("enters", enters), ("leaves", not above(row))])

    holds()
    assert all(seen[what, yes] for what in ("enters", "leaves") for yes in (True, False)), seen


def test_the_cross_does_not_wrap_at_the_longest_windows_and_the_highest_prices() -> None:
    settings = policy(strategies__sma_cross__fast_bars=500, strategies__sma_cross__slow_bars=1000)
    closes = [2**51] * 1100 + [2**53 - 1] * 300
    one = of_sma_cross(steady([closes], ONE), settings)
    assert one.enter[1000:, 0].tolist() == [0] * 100 + [1] + [0] * 299
    assert not one.leave[1100:].any()


def test_holds_stand_in_milliseconds_and_sizes_are_the_tier_s_own() -> None:
    frame = steady([[PRICE] * 60], ONE)
    for one, hours in ((of_momentum(frame), 72), (of_mean_reversion(frame), 24), (of_sma_cross(frame), 120)):
        assert set(one.hold_ms.ravel().tolist()) == {hours * HOUR_MS}
        assert set(one.scale.ravel().tolist()) == {1.0}


def test_a_hole_in_the_last_bar_is_not_bought() -> None:
    closes = [PRICE] * 60 + [PRICE + 10_000 * n for n in range(1, 13)]
    frame = steady([closes], ONE)
    assert of_momentum(frame).enter[-1, 0] == 1
    parts: dict[str, Any] = {part: getattr(frame, part).copy() for part in PARTS}
    for part in parts.values():
        part[-1] = 0
    assert of_momentum(replace(frame, **parts)).enter[-1, 0] == 0
