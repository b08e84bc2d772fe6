"""The guards against their slow twins, and the cases that each exists for."""

from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from tests.market import twins
from tests.market.make import cut, frame, market, policy, walks
from trader_core.market.guards import Guards, guards, guards_lookback
from trader_core.rulebook.state import NO_TICKS
from trader_core.settings.schema import Settings

SHORT = {"outlier_bars": 8, "jump_bars": 12, "atr_h": 2, "atr_median_h": 5, "volatility_h": 4}


def short(bar_min: int = 15, *, missing: int = 2, **changes: Any) -> Settings:
    edits = {f"signals__guards__{key}": value for key, value in {**SHORT, **changes}.items()}
    return policy(policy__cycle__base_bar_min=bar_min, signals__windows__max_missing_bars=missing, **edits)


def guarded(close: object, volume: object = None, bar_min: int = 15, **changes: Any) -> Guards:
    return guards(market(frame(close, volume, bar_min=bar_min), short(bar_min, **changes)))


@pytest.mark.parametrize(
    ("bar_min", "seed", "missing"), [(1, 1, 2), (1, 2, 2), (5, 3, 2), (15, 4, 2), (15, 5, 2), (1, 6, 100), (15, 7, 5)]
)
def test_the_guards_are_their_slow_twins(bar_min: int, seed: int, missing: int) -> None:
    random = Random(seed)
    settings = short(bar_min, outlier_deviation_pct=2.0, outlier_volume_pct=30.0, missing=missing)
    seen = walks(random, 500, bar_min)
    here = market(seen, settings)
    found = guards(here)
    for t, i in [(random.randrange(seen.rows), random.randrange(4)) for _ in range(150)]:
        deviation, outlier = twins.outlier(seen, t, i, settings)
        assert found.deviation[t, i] == pytest.approx(deviation)
        assert found.outlier[t, i] == outlier
        assert found.jump[t, i] == pytest.approx(twins.jump(seen, t, i, settings) if bar_min == 1 else NO_TICKS)
        assert found.volatility[t, i] == pytest.approx(twins.volatility(seen, t, i, 4))
        assert here.atr[t, i] == twins.atr(seen, t, i, settings)
        assert found.atr_ratio[t, i] == pytest.approx(twins.atr_ratio(seen, t, i, settings))


@pytest.mark.parametrize("bar_min", [1, 15])
def test_walks_show_the_known_and_the_unknown_of_every_guard(bar_min: int) -> None:
    """Else the twins above would agree on little."""
    found = guards(market(walks(Random(1), 500, bar_min), short(bar_min, outlier_deviation_pct=2.0)))
    for figure in (found.deviation, found.volatility, found.atr_ratio):
        assert 0.03 < (figure < 0).mean() < 0.9
    assert (found.jump == -1.0).any() == (found.jump > 1.0).any() == (bar_min == 1)
    known = found.deviation >= 0
    assert {0, 1} == set(found.outlier[known].tolist())


@pytest.mark.parametrize("bar_min", [1, 5, 15])
@pytest.mark.parametrize("holes", [0.0, 0.02, 0.5])
def test_no_guard_ever_is_no_number(bar_min: int, holes: float) -> None:
    """A comparison with one would open the gate."""
    found = guards(market(walks(Random(3), 400, bar_min, holes=holes), short(bar_min)))
    assert all(np.isfinite(figure).all() for figure in vars(found).values())
    for figure in (found.deviation, found.volatility, found.atr_ratio):
        assert np.isin(figure[figure < 0], [-1.0]).all()


STEADY, USUAL = [1000] * 8, [100] * 8


@pytest.mark.parametrize(
    ("close", "volume", "outlier"),
    [
        (1111, 9, 1),  # 11 % on 9 % of the usual volume
        (889, 9, 1),  # a fall as well
        (1100, 9, 0),  # 10 % is not beyond 10 %
        (1111, 10, 0),  # enough volume
        (1000, 0, 0),
    ],
)
def test_a_price_is_an_outlier_when_it_is_far_away_on_hardly_any_volume(close: int, volume: int, outlier: int) -> None:
    found = guarded([*STEADY, close], [*USUAL, volume])
    assert found.outlier[-1, 0] == outlier
    assert found.deviation[-1, 0] == pytest.approx(abs(close - 1000) / 10)


def test_nothing_after_nothing_does_not_back_a_price() -> None:
    assert guarded([*STEADY, 1200], [*[0] * 8, 0]).outlier[-1, 0] == 1
    assert guarded([*STEADY, 1200], [*[0] * 8, 1]).outlier[-1, 0] == 0


def test_a_close_with_too_little_before_it_is_not_believed() -> None:
    assert guarded([1000] * 8).outlier[-1, 0] == 1
    assert guarded([1000] * 9).outlier[-1, 0] == 0
    assert guarded([1000, 0, 0, *[1000] * 6]).outlier[-1, 0] == 0
    assert guarded([1000, 0, 0, 0, *[1000] * 5]).outlier[-1, 0] == 1


def test_an_absent_bar_has_no_close_to_judge() -> None:
    found = guarded([*STEADY, 0])
    assert (found.outlier[-1, 0], found.deviation[-1, 0]) == (0, -1.0)


WIGGLE = [1000 + n % 2 for n in range(13)]


def test_a_jump_is_measured_by_the_moves_before_it() -> None:
    usual = np.std([round(1e6 * twins.signed(b, a)) for a, b in pairwise(WIGGLE)], ddof=1)
    found = guarded([*WIGGLE, 1050], bar_min=1)
    assert found.jump[-1, 0] == pytest.approx(50_000 / usual)
    assert found.jump[-2, 0] == -1.0
    assert guarded([*WIGGLE, 950], bar_min=1).jump[-1, 0] == pytest.approx(1e6 * (1000 / 950 - 1) / usual, rel=1e-4)


def test_a_jump_is_unknown_where_a_price_of_its_window_is_or_too_many_bars_are_missing() -> None:
    assert guarded([1000, 0, *WIGGLE], bar_min=1).jump[-1, 0] > 0.0
    assert guarded([0, 0, *WIGGLE], bar_min=1).jump[-1, 0] == -1.0
    assert guarded([1000, 1000, *WIGGLE], bar_min=1, missing=0).jump[-1, 0] > 0.0
    assert guarded([1000, 0, *WIGGLE], bar_min=1, missing=0).jump[-1, 0] == -1.0


def test_where_nothing_ever_moved_any_move_is_a_jump() -> None:
    assert guarded([1000] * 14, bar_min=1).jump[-1, 0] == 0.0
    assert guarded([*[1000] * 13, 1001], bar_min=1).jump[-1, 0] == 1e6


@pytest.mark.parametrize("bar_min", [5, 15])
def test_coarse_bars_show_no_jump(bar_min: int) -> None:
    assert (guarded([*[1000] * 400, 2000], bar_min=bar_min).jump == NO_TICKS).all()


def test_a_market_that_never_moves_is_as_usual_and_one_that_awakes_is_beyond_it() -> None:
    still = [1000] * 40
    assert guarded(still).atr_ratio[-1, 0] == 1.0
    assert guarded([*still, 1010]).atr_ratio[-1, 0] == 1e6


def test_the_range_of_an_hour_starts_at_the_close_before_it() -> None:
    close = np.array([1000] * 8 + [1100] * 4 + [1090] * 4)
    seen = frame(close, high=close + 5, low=close - 7)
    assert market(seen, short()).atr[-1, 0] == ((1105 - 1000) + (1100 - 1083)) / 2


@pytest.mark.parametrize(
    ("name", "bar_min", "changes", "rows"),
    [
        ("volatility", 1, {"volatility_h": 7}, 7 * 60),
        ("volatility", 15, {"volatility_h": 7}, 7 * 4),
        ("atr_ratio", 5, {"atr_h": 3}, 7 * 12),
        ("atr_ratio", 15, {"atr_h": 3}, 7 * 4),
        ("jump", 1, {"jump_bars": 479}, 8 * 60),
    ],
)
def test_the_lookback_is_as_short_as_it_can_be(name: str, bar_min: int, changes: dict[str, int], rows: int) -> None:
    """Its first bar is the oldest price that counts, and no later bar makes up for it."""
    settings, hour = short(bar_min, missing=100, **changes), 60 // bar_min
    assert guards_lookback(settings) == rows + 96
    prices = np.zeros(rows + 96, np.int64)
    hours = rows // hour
    prices[0], prices[95 + hour :: hour] = 1000, [1000 + n * n for n in range(1, hours + 1)]
    if name == "jump":
        prices[96:] = 1000 + np.arange(rows) % 2
    whole = frame(prices, bar_min=bar_min)
    live, shorter = (guards(market(each, settings)) for each in (whole, cut(whole, 1, rows + 96)))
    assert getattr(live, name)[-1, 0] > 0
    assert getattr(live, name)[-1, 0] != getattr(shorter, name)[-1, 0]
