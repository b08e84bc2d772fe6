"""The rolling tools against plain loops, on numbers of any size."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.market.make import frame, policy
from trader_core.market import loops, moves, windows
from trader_core.market.guards import medians_at
from trader_core.rulebook.limits import Ints

HUGE = 2**62
lengths, steps = st.integers(1, 12), st.integers(1, 5)


@st.composite
def tables(draw: st.DrawFn, low: int = 0, high: int = HUGE) -> Ints:
    """A few columns; every third number or so is 0, and none are very many."""
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(0, 3))
    number = st.just(0) | st.integers(low, 9) | st.integers(low, high)
    cells = draw(st.lists(number, min_size=rows * columns, max_size=rows * columns))
    return np.array(cells, np.int64).reshape(rows, columns)


def points(values: Ints, t: int, i: int, count: int, step: int) -> list[int]:
    return [int(values[t - k * step, i]) for k in range(count) if t - k * step >= 0]


def wrapped(total: int) -> int:
    return (total + 2**63) % 2**64 - 2**63


@given(tables(low=-HUGE), st.integers(0, 12), steps)
@examples(60)
def test_a_strided_sum_is_exact_whatever_wraps_on_the_way(values: Ints, count: int, step: int) -> None:
    with np.errstate(over="ignore"):
        sums = windows.strided_sum(values, count, step)
    for t, i in np.ndindex(*values.shape):
        assert sums[t, i] == wrapped(sum(points(values, t, i, count, step)))


@given(tables(), lengths)
@examples(60)
def test_extremes_do_not_see_what_is_absent(values: Ints, length: int) -> None:
    high, low = windows.highest(values, length), windows.lowest(values, length)
    for t, i in np.ndindex(*values.shape):
        there = [one for one in points(values, t, i, length, 1) if one]
        assert high[t, i] == max(there, default=0)
        assert low[t, i] == min(there, default=0)


@given(tables(), st.integers(0, 12), steps)
@examples(60)
def test_the_newest_is_no_older_than_asked(values: Ints, count: int, step: int) -> None:
    found = windows.newest(values, count, step)
    for t, i in np.ndindex(*values.shape):
        assert found[t, i] == next((one for one in points(values, t, i, count + 1, step) if one), 0)


@given(tables(), lengths, steps)
@examples(60)
def test_points_are_known_where_none_is_missing_or_before_the_frame(values: Ints, count: int, step: int) -> None:
    known = windows.all_known(values, count, step)
    for t, i in np.ndindex(*values.shape):
        there = points(values, t, i, count, step)
        assert known[t, i] == (len(there) == count and all(there))


@given(tables(), st.integers(0, 50), st.integers(-1, 1))
@examples(30)
def test_back_is_what_stood_there_before(values: Ints, rows: int, fill: int) -> None:
    moved = windows.back(values, rows, fill)
    for t, i in np.ndindex(*values.shape):
        assert moved[t, i] == (values[t - rows, i] if t >= rows else fill)


@given(tables(high=9), lengths)
@examples(60)
def test_a_median_counts_what_is_unknown_as_highest(values: Ints, count: int) -> None:
    shares = np.where(values == 0, np.inf, values.astype(np.float64))
    rows, columns = (each.ravel() for each in np.indices(values.shape))
    found = medians_at(shares, count, rows, columns).reshape(values.shape)
    for t, i in np.ndindex(*values.shape):
        there = [float(shares[t - k, i]) for k in range(count) if t - k >= 0]
        assert found[t, i] == (sorted(there)[count // 2] if len(there) == count else np.inf)


@pytest.mark.parametrize("share", [1.0, 0.3])
@pytest.mark.parametrize("count", [5, 32, 101, 168])
def test_medians_of_many_cells_are_those_of_each(count: int, share: float) -> None:
    """However many are asked for, in whatever order, with what is unknown between them; no seam shows."""
    random = np.random.default_rng(count)
    shares = random.integers(0, 50, (4_000, 2)).astype(np.float64)
    shares[random.random(shares.shape) < 0.05] = np.inf
    shares[2_000:2_090, 1] = np.inf
    rows, columns = np.nonzero(random.random(shares.shape) <= share)
    order = random.permutation(len(rows))
    rows, columns = rows[order], columns[order]
    for row, column, found in zip(rows, columns, medians_at(shares, count, rows, columns), strict=True):
        window = np.sort(shares[max(row - count + 1, 0) : row + 1, column])
        assert found == (window[count // 2] if len(window) == count else np.inf)


@given(tables(low=-HUGE), st.integers(0, 12))
@examples(60)
def test_a_difference_of_sums_is_the_sum_of_the_rows_between(values: Ints, length: int) -> None:
    with np.errstate(over="ignore"):
        found = windows.difference(moves.sums_before(values), length)
    for t, i in np.ndindex(*values.shape):
        assert found[t, i] == wrapped(sum(points(values, t, i, length, 1)))


@given(st.integers(1, 10**12), st.integers(1, 10**12))
@examples(200)
def test_a_fall_is_the_rise_that_would_undo_it(now: int, then: int) -> None:
    up, down = (moves.signed_move(np.array([a]), np.array([b]))[0] for a, b in ((now, then), (then, now)))
    assert up == -down
    assert up == pytest.approx(now / then - 1 if now >= then else 1 - then / now, abs=0)


def test_a_move_from_or_to_an_unknown_price_is_none() -> None:
    assert moves.signed_move(np.array([0, 5, 0]), np.array([5, 0, 0])).tolist() == [0.0, 0.0, 0.0]


def deviation_of(steps: Ints) -> float:
    total, squares = (windows.rolling_sum(each, len(steps)) for each in (steps, steps * steps))
    return float(windows.deviation_by(total, squares, len(steps))[-1])


@given(st.integers(0, 2**32), st.sampled_from([0, 1, 300, loops.MOVE_MAX]))
@examples(20)
def test_a_deviation_is_exact_for_the_longest_window_of_the_largest_moves(seed: int, size: int) -> None:
    random, count = Random(seed), 720
    steps = [random.choice((-size, size, random.randint(-size, size))) for _ in range(count)]
    variance = float(count * sum(m * m for m in steps) - sum(steps) ** 2) / (count * (count - 1))
    assert deviation_of(np.array(steps, np.int64)) == np.sqrt(variance)


def test_the_largest_moves_of_the_longest_window_do_not_wrap() -> None:
    wild = np.full(720, loops.MOVE_MAX, np.int64)
    assert deviation_of(wild) == 0.0
    wild[::2] *= -1
    assert deviation_of(wild) == pytest.approx(loops.MOVE_MAX, rel=1e-3)


def test_a_window_is_complete_with_few_enough_holes_and_enough_rows() -> None:
    seen = frame([1, 1, 0, 1, 1, 0, 0, 1])
    assert windows.complete(seen, 3, 1)[:, 0].tolist() == [False, False, True, True, True, True, False, False]
    assert windows.complete(seen, 1, 5)[:, 0].tolist() == [True, True, False, True, True, False, False, True]


def test_a_window_in_hours_has_as_many_rows_as_the_bars_make() -> None:
    policies = [policy(policy__cycle__base_bar_min=bar) for bar in (1, 5, 15, 60)]
    assert [windows.rows_in(each, 3) for each in policies] == [180, 36, 12, 3]
    assert [windows.rows_of_hours(each, 3) for each in policies] == [239, 47, 15, 3]
