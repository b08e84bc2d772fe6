"""Loops over bars beside what is made of whole arrays: as written, and as machine code, the same to the bit."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.market.make import frame, market, policy
from tests.market.test_guards import frames_of_prices, short
from tests.market.test_windows import tables
from trader_core.engine.replay import prepare
from trader_core.market import loops, moves
from trader_core.market.guards import day_ranges, deviations_at, jumps_at, outliers
from trader_core.market.universe import volumes
from trader_core.rulebook.costs import BAR_CENTS_MAX
from trader_core.rulebook.limits import Ints
from trader_core.strategies.sma_cross import PRODUCT_MAX, sma_cross

ARRAYS: Mapping[str, Any] = {}
WRITTEN: Mapping[str, Any] = {loop.__name__: loop for loop in loops.LOOPS}


@pytest.fixture(params=["written", "compiled"])
def made(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    if request.param == "written":
        return WRITTEN
    prepare(policy())
    compiled = dict(loops._MACHINE_CODE)
    assert compiled.keys() == WRITTEN.keys()
    return compiled


@contextmanager
def run_by(code: Mapping[str, Any]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loops, "_MACHINE_CODE", dict(code))
        yield


def both(code: Mapping[str, Any], find: Callable[[], Any]) -> tuple[Any, Any]:
    with np.errstate(over="ignore"):  # sums may wrap
        with run_by(ARRAYS):
            known = find()
        with run_by(code):
            return known, find()


@given(tables(high=10**7), st.sampled_from([1, 7, 65_536, 140_000]))
@examples(20)
def test_moves_add_up_to_what_each_row_moved(values: Ints, more: int) -> None:
    before = np.arange(more)[:, None] * 7919 % 1_000 + np.arange(1, values.shape[1] + 1)
    prices = np.concatenate([before, values])
    with run_by(ARRAYS):
        sums, squares = moves.move_sums(prices)
    ppm = np.rint(1e6 * moves.signed_move(prices[1:], prices[:-1])).clip(-loops.MOVE_MAX, loops.MOVE_MAX)
    assert np.diff(sums, axis=0)[1:].tolist() == ppm.tolist() and not sums[:2].any()
    assert np.diff(squares, axis=0)[1:].tolist() == (ppm * ppm).tolist() and not squares[:2].any()


def test_moves_add_up_bar_by_bar_to_the_same(made: Mapping[str, Any]) -> None:
    @given(tables() | tables(high=10**7), st.integers(1, 3), st.booleans())
    @examples(100)
    def holds(values: Ints, step: int, side_by_side: bool) -> None:
        prices = (values.T.copy().T if side_by_side else values)[::step]
        known, found = both(made, lambda: moves.move_sums(prices))
        assert [each.tolist() for each in found] == [each.tolist() for each in known]

    holds()


def test_averages_cross_where_whole_arrays_say(made: Mapping[str, Any]) -> None:
    """In markets without a hole, windows of all lengths, prices that come near what a product may be, and ties."""

    @given(st.data(), st.integers(2, 9), st.integers(1, 30), st.integers(2, 80), st.booleans(), st.booleans())
    @examples(200)
    def holds(data: st.DataObject, fast: int, more: int, rows: int, whole: bool, huge: bool) -> None:
        slow, price = fast + more, st.integers(1, 4)
        close = np.array([data.draw(st.tuples(price, price)) for _ in range(rows)], np.int64)
        if huge:
            close *= PRODUCT_MAX // (4 * fast * slow)
        if not whole:
            close[data.draw(st.integers(0, rows - 1))] = 0
        edits = {"strategies__sma_cross__fast_bars": fast, "strategies__sma_cross__slow_bars": slow}
        here = market(frame(close), settings := policy("sma_cross", **edits))
        known, found = both(made, lambda: sma_cross.columns(here, settings.strategies.sma_cross))
        for name in ("enter", "leave"):
            assert np.array_equal(getattr(found, name), getattr(known, name)), name
        row, column = np.nonzero(known.enter)
        assert np.array_equal(found.terms(row, column).conviction, known.terms(row, column).conviction)

    holds()


def test_every_loop_is_asked_where_no_bar_is_missing() -> None:
    asked = set[str]()

    def noted(name: str) -> Callable[..., None]:
        return lambda *arguments: (asked.add(name), WRITTEN[name](*arguments))[1]  # type: ignore[func-returns-value]

    seen, settings = frame(np.arange(1000, 3000), bar_min=1), policy("sma_cross")
    here, cell = market(seen, settings), np.array([1500])
    with run_by({name: noted(name) for name in WRITTEN}):
        outliers(here), day_ranges(seen), volumes(here, np.array([1.0]))
        deviations_at(here, cell, cell * 0), jumps_at(here, cell, cell * 0)
        sma_cross.columns(here, settings.strategies.sma_cross)
    assert asked == WRITTEN.keys()


def test_crossings_are_found_by_the_loop_itself(made: Mapping[str, Any]) -> None:
    close = np.array([[9], [9], [8], [7], [9], [12], [12], [8], [3]], np.int64)
    edits = {"strategies__sma_cross__fast_bars": 2, "strategies__sma_cross__slow_bars": 3}
    here, asked = market(frame(close), settings := policy("sma_cross", **edits)), list[str]()

    def noted(name: str) -> Callable[..., None]:
        def run(*arguments: Any) -> None:
            asked.append(name)
            made[name](*arguments)

        return run

    with run_by({name: noted(name) for name in made}):
        found = sma_cross.columns(here, settings.strategies.sma_cross)
    assert asked == ["find_crossings"]
    assert found.enter[:, 0].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert found.leave[:, 0].tolist() == [0, 0, 0, 1, 1, 0, 0, 1, 1]


def test_blocks_are_cleared_by_the_same_extremes(made: Mapping[str, Any]) -> None:
    @given(frames_of_prices(), st.integers(0, 40))
    @examples(60)
    def holds(seen: Any, first: int) -> None:
        known, found = both(made, lambda: outliers(market(seen, short(), min(first, seen.rows - 1))))
        assert np.array_equal(found, known)

    holds()


@st.composite
def whole_frames(draw: st.DrawFn) -> Any:
    """Hours of two instruments without a gap, mostly quiet, of few rows or of some days."""
    seed, rows, calm = draw(st.integers(0, 2**32)), draw(st.integers(1, 8) | st.integers(9, 90)), draw(st.booleans())
    random = np.random.default_rng(seed)
    moves = random.integers(-3, 4, (rows, 2)) * (random.random((rows, 2)) < (0.2 if calm else 1.0))
    close = np.maximum(draw(st.sampled_from([4, 100, 10**7])) + np.cumsum(moves, axis=0), 1)
    high, low = close + random.integers(0, 5, (rows, 2)), np.maximum(close - random.integers(0, 5, (rows, 2)), 1)
    return frame(close, random.integers(0, 10**9, (rows, 2)), high, low, bar_min=60)


def test_the_range_of_a_day_is_the_same_bar_by_bar(made: Mapping[str, Any]) -> None:
    @given(whole_frames() | frames_of_prices())
    @examples(100)
    def holds(seen: Any) -> None:
        known, found = both(made, lambda: day_ranges(seen))
        assert np.array_equal(found, known)

    holds()


def test_the_volume_of_a_day_is_the_same_hour_by_hour(made: Mapping[str, Any]) -> None:
    @given(whole_frames(), st.sampled_from([1.0, 2.5e5, 1e14]), st.sampled_from([1.0, 1e6]))
    @examples(60)
    def holds(seen: Any, one: float, other: float) -> None:
        here = market(seen, policy())
        known, found = both(made, lambda: volumes(here, np.array([one, other])))
        assert np.array_equal(found.day_cents, known.day_cents) and found.day_cents.max(initial=0) <= 24 * BAR_CENTS_MAX

    holds()


def test_doubts_about_a_cell_are_the_same(made: Mapping[str, Any]) -> None:
    @given(whole_frames(), st.data(), st.integers(2, 12), st.integers(10, 30))
    @examples(100)
    def holds(seen: Any, data: st.DataObject, bars: int, count: int) -> None:
        here = market(seen, policy(signals__guards__outlier_bars=bars, signals__guards__jump_bars=count))
        cells = data.draw(st.lists(st.tuples(st.integers(0, seen.rows - 1), st.integers(0, 1)), max_size=20))
        rows, columns = np.array(cells, np.int64).reshape(-1, 2).T.copy()
        for find in (deviations_at, jumps_at):
            known, found = both(made, lambda find=find: find(here, rows, columns))  # type: ignore[misc]
            assert found.tolist() == known.tolist(), find.__name__

    holds()
