"""Integer money against Python's own exact integers: no rounding is ever towards risk, and none is lost."""

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from cli.show import money
from tests.laws.budget import examples
from tests.laws.worlds import instrument_rows
from trader_core.rulebook.limits import Instruments
from trader_core.rulebook.money import (
    LIMIT,
    PPM,
    add_values,
    less,
    lots_for,
    more,
    mul_div_down,
    mul_div_up,
    value_down,
    value_up,
)

BIG = 2**62 - 1
amounts = st.one_of(st.integers(0, 100), st.integers(0, BIG), st.integers(0, 62).map(lambda bits: min(2**bits, BIG)))
ROWS = instrument_rows([(1, 1), (1, 100), (15, 2), (7, 1_000_000), (60, 1)])


@st.composite
def factors(draw: st.DrawFn) -> tuple[int, int, int]:
    """(a, b, c) of any size whose a * b / c fits into 62 bits; often beyond 64 bits on the way, often exact."""
    a, b = draw(amounts), draw(amounts)
    lowest = max(a * b // BIG + 1, 1)
    c = draw(st.one_of(st.integers(lowest, max(lowest, BIG)), st.just(max(a, lowest)), st.just(max(b, lowest))))
    return a, b, min(c, BIG)


@given(factors())
@examples(400)
def test_a_product_divided_is_python_s_own_result_whatever_its_size(abc: tuple[int, int, int]) -> None:
    a, b, c = abc
    assert mul_div_down(a, b, c) == a * b // c
    assert mul_div_up(a, b, c) == -(-a * b // c)


@given(factors())
@examples(200)
def test_sixty_four_bits_are_enough_on_the_way(abc: tuple[int, int, int]) -> None:
    """numpy's int64 warns where it wraps, and a warning fails a test."""
    a, b, c = (np.int64(one) for one in abc)
    assert int(mul_div_down(a, b, c)) == abc[0] * abc[1] // abc[2]  # type: ignore[arg-type]
    assert int(mul_div_up(a, b, c)) == -(-abc[0] * abc[1] // abc[2])  # type: ignore[arg-type]


def unit(rows: Instruments, i: int) -> Fraction:
    return Fraction(int(rows.num[i]), int(rows.den[i]))


@given(i=st.integers(0, 4), lots=st.integers(0, 2**36), ticks=st.integers(1, 2**20))
@examples(200)
def test_what_is_paid_rounds_up_and_what_is_received_rounds_down(i: int, lots: int, ticks: int) -> None:
    exact = lots * ticks * unit(ROWS, i)
    assert value_up(ROWS, i, lots, ticks) == ceil(exact)
    assert value_down(ROWS, i, lots, ticks) == floor(exact)


@given(
    i=st.integers(0, 4),
    lots=st.one_of(st.integers(0, 2**36), st.integers(0, 2**57)),
    ticks=st.lists(st.one_of(st.integers(0, 200), st.integers(0, 2**20)), max_size=5),
    before=st.integers(0, 2**60),
)
@example(i=1, lots=2**50 * 100 - 1, ticks=[1, 0], before=0)
@example(i=0, lots=2**50 + 1, ticks=[1], before=0)
@example(i=2, lots=2**57 + 1, ticks=[1], before=0)
@example(i=2, lots=2**46 - 1, ticks=[1, 2, 3], before=7)
@examples(300)
def test_values_by_row_are_those_of_each_row(i: int, lots: int, ticks: list[int], before: int) -> None:
    exact = [lots * price * unit(ROWS, i) for price in ticks]
    assume(all(value < 2**61 for value in exact) and all(lots * price < 2**62 for price in ticks))
    amounts = np.full(len(ticks) + 1, before)
    add_values(ROWS, i, np.int64(lots), np.array(ticks, np.int64), amounts)  # type: ignore[arg-type]
    assert amounts.tolist() == [*(before + floor(value) for value in exact), before]


@st.composite
def budgets(draw: st.DrawFn) -> tuple[int, int]:
    """(instrument, grains): any, or about as much as its lots can be counted for."""
    i, near = draw(st.integers(0, 4)), draw(st.integers(-15, 15))
    most = LIMIT * int(ROWS.num[i]) // int(ROWS.den[i])
    return i, draw(st.one_of(st.integers(-10, 100), st.integers(0, 10**17), st.just(min(most, BIG) + near)))


@given(budgets(), st.one_of(st.integers(0, 3), st.integers(1, 2**53)))
@examples(300)
def test_lots_for_are_the_most_that_the_grains_pay_for(budget: tuple[int, int], ticks: int) -> None:
    i, grains = budget
    lots = int(lots_for(ROWS, i, grains, ticks))
    if grains <= 0 or ticks <= 0:
        assert lots == 0
        return
    assert lots * ticks * unit(ROWS, i) <= grains
    assert lots * ticks <= LIMIT
    assert (lots + 1) * ticks * unit(ROWS, i) > grains or (lots + 1) * ticks > LIMIT


@given(ticks=st.integers(0, 2**53), ppm=st.one_of(st.integers(0, 50), st.integers(0, 3 * PPM)))
@examples(200)
def test_a_price_is_raised_upwards_and_lowered_downwards(ticks: int, ppm: int) -> None:
    assert more(ticks, ppm) == ceil(Fraction(ticks * (PPM + ppm), PPM))
    assert less(ticks, ppm) == floor(max(Fraction(ticks * (PPM - ppm), PPM), Fraction(0)))


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (Decimal("1.005"), "1.01"), (Decimal("-1.005"), "-1.01"), (Decimal("2.675"), "2.68"),
        ((Decimal("50000.10") - Decimal("49999.95")) * Decimal("0.037"), "0.01"), (Decimal("-0.004"), "0.00"),
    ],
)  # fmt: skip
def test_v44_what_is_told_to_the_cent_has_never_been_a_float(amount: Decimal, told: str) -> None:
    """A binary float makes 1.00 and 2.67 of the first and the third."""
    assert money(amount) == told
