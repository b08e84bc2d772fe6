"""The fill model is never kinder than a market: no price beyond an order's own, no share or fee that flatters."""

from fractions import Fraction
from math import ceil

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.worlds import Dice, dice
from trader_core.rulebook import codes
from trader_core.rulebook.bar import FILL_FIELDS, step_bar
from trader_core.rulebook.codes import ENTRY, EXIT, MAKER, STOP, STOP_MARKET, TAKER
from trader_core.rulebook.costs import fee_of, worst_fee
from trader_core.rulebook.exposure import cost_with_fee
from trader_core.rulebook.limits import Costs
from trader_core.rulebook.matching import match
from trader_core.rulebook.money import PPM
from trader_core.rulebook.state import Bars

ppm = st.sampled_from([0, 1, 500, 12_000, 60_000])
costs = st.builds(Costs, ppm, ppm, ppm, ppm, st.sampled_from([1, 10_000, 333_333, PPM]))
ticks = st.one_of(st.integers(1, 30), st.integers(9_000, 11_000), st.integers(1, 10**9))
lots = st.one_of(st.integers(1, 20), st.integers(1, 10**9))
volumes = st.one_of(st.integers(0, 200), st.integers(0, 2**56))


@st.composite
def bars(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """(open, high, low, volume); prices close together, or far apart."""
    opened = draw(ticks)
    reach = draw(st.sampled_from([0, 1, 50, opened // 2]))
    return opened, opened + draw(st.integers(0, reach)), max(opened - draw(st.integers(0, reach)), 1), draw(volumes)


near = st.integers(-60, 60)
Bar = tuple[int, int, int, int]


@given(costs, st.booleans(), lots, bars(), near)
@examples(300)
def test_a_taker_fills_whole_at_the_open_made_worse_and_never_beyond_its_limit(
    model: Costs, buys: bool, wanted: int, bar: Bar, off: int
) -> None:
    limit = max(bar[0] + off, 1)
    got, price = match(model, TAKER, buys, wanted, limit, 0, *bar)
    worse = Fraction(model.half_spread_ppm + model.slippage_ppm, PPM)
    if got == 0:
        assert bar[0] * (1 + worse) > limit - 1 if buys else bar[0] * (1 - worse) < limit + 1
        return
    assert got == wanted
    assert bar[0] * (1 + worse) <= price <= limit if buys else bar[0] * (1 - worse) >= price >= limit


@given(costs, st.booleans(), lots, bars(), near)
@examples(300)
def test_a_maker_fills_at_its_limit_only_when_traded_through_and_only_a_share_of_the_volume(
    model: Costs, buys: bool, wanted: int, bar: Bar, off: int
) -> None:
    _, high, low, volume = bar
    limit = max((low if buys else high) + off, 1)
    got, price = match(model, MAKER, buys, wanted, limit, 0, *bar)
    share = Fraction(volume * model.max_share_ppm, PPM)
    through = low < limit if buys else high > limit
    assert got == (min(wanted, int(share)) if through else 0)
    assert price == (limit if got else 0)


@given(costs, lots, bars(), near)
@examples(300)
def test_a_stop_fills_when_touched_and_never_better_than_its_trigger_or_the_open(
    model: Costs, held: int, bar: Bar, off: int
) -> None:
    opened, _, low, _ = bar
    trigger = max(low + off, 1)
    got, price = match(model, STOP_MARKET, False, held, 0, trigger, *bar)
    worst = min(trigger, opened) * Fraction(max(PPM - model.slippage_ppm, 0), PPM)
    assert got == (held if low <= trigger and worst >= 1 else 0)
    assert price <= worst
    assert got == 0 or price > worst - 1


@given(costs, st.sampled_from([MAKER, TAKER, STOP_MARKET]), st.booleans(), lots, ticks)
@examples(50)
def test_a_bar_that_the_venue_does_not_have_fills_nothing(
    model: Costs, kind: int, buys: bool, wanted: int, limit: int
) -> None:
    assert match(model, kind, buys, wanted, limit, limit, 0, 0, 0, 0) == (0, 0)


@given(costs, st.sampled_from([MAKER, TAKER, STOP_MARKET]), st.integers(0, 10**17))
@examples(150)
def test_fees_round_up_and_a_reservation_covers_each_of_them(model: Costs, kind: int, value: int) -> None:
    rate = model.maker_fee_ppm if kind == MAKER else model.taker_fee_ppm
    assert fee_of(model, kind, value) == ceil(Fraction(value * rate, PPM))
    assert fee_of(model, kind, value) <= worst_fee(model, value)


@given(dice, st.lists(bars(), min_size=4, max_size=4))
@examples(150)
def test_an_order_never_fills_more_than_its_lots_nor_costs_more_than_was_reserved(die: Dice, shapes: list[Bar]) -> None:
    law = die.law()
    columns = die.columns(law)
    state = die.state(law, columns)
    close = np.maximum(columns.close[:1], 1)
    scaled = np.array(shapes, np.int64)
    window = Bars(*(scaled[None, :, part] for part in range(4))) if die.half() else Bars(
        close, close + close // 10, np.maximum(close - close // 10, 1), close * 0 + die.between(0, 10**6)
    )  # fmt: skip
    before, held = state.orders.copy(), state.lots.copy()
    fills = np.zeros((3 * len(held), FILL_FIELDS), np.int64)
    count = step_bar(law, state, window, 0, int(columns.at_ms[1]), fills)
    for i, slot, got, price, value, fee, *_ in fills[:count].tolist():
        order = before[i, slot]
        rest = order[codes.LOTS] - order[codes.FILLED]
        assert 0 < got <= rest
        assert slot != ENTRY or value + fee <= cost_with_fee(law, i, rest, order[codes.LIMIT])
        assert slot != ENTRY or price <= order[codes.LIMIT]
        assert slot != EXIT or price >= order[codes.LIMIT]
        assert slot != STOP or price <= order[codes.TRIGGER]
    kinds = state.orders[:, :, codes.KIND]
    assert not (kinds == TAKER).any(), "a taker that meets a bar is over"
    still = kinds != 0
    assert (state.orders[:, :, codes.FILLED] <= state.orders[:, :, codes.LOTS])[still].all()
