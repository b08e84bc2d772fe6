"""The fill model is never kinder than a market: no price beyond an order's own, no share or fee that flatters."""

from fractions import Fraction
from math import ceil, floor
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws import oracle
from tests.laws.budget import examples
from tests.laws.make import BAR_MS
from tests.laws.worlds import (
    ASSET_COUNT,
    COUNT,
    NOON_MS,
    STRATEGY_COUNT,
    Array,
    Dice,
    copied,
    dice,
    ints,
    randoms,
)
from trader_core.rulebook import codes
from trader_core.rulebook.bar import step_bar
from trader_core.rulebook.codes import ENTRY, EXIT, MAKER, STOP, STOP_MARKET, TAKER
from trader_core.rulebook.costs import (
    bar_cents,
    depth_of,
    entry_cost_ppm,
    fee_of,
    round_trip_ppm,
    slippage_of,
    worst_fee,
)
from trader_core.rulebook.exposure import cost_with_fee
from trader_core.rulebook.limits import Costs, Slippage
from trader_core.rulebook.matching import match, meet
from trader_core.rulebook.money import PPM
from trader_core.rulebook.orders import step_place
from trader_core.rulebook.state import Bars, State, empty_state

PPMS = (0, 1, 500, 12_000, 60_000)
ppm = st.sampled_from(PPMS)


def modelled(die: Dice) -> Costs:
    """Any fill model."""
    maker, taker, half_spread = (die.one_of(PPMS) for _ in range(3))
    base = np.array([die.one_of(PPMS) for _ in range(4)], np.int64)
    large, restless = (die.one_of((0, 10**12)), die.one_of((0.0, 0.2)), die.one_of((1.0, 1.2))), (1.0, 5.0)
    slippage = Slippage(base, *large, die.one_of(restless), die.one_of((1.0, 1.5)))
    return Costs(maker, taker, half_spread, slippage, die.one_of((1, 10_000, 333_333, PPM)), 5_000)


costs = dice.map(modelled)
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


@given(costs, ppm, st.booleans(), lots, bars(), near)
@examples(300)
def test_a_taker_fills_whole_at_the_open_made_worse_and_never_beyond_its_limit(
    model: Costs, slippage: int, buys: bool, wanted: int, bar: Bar, off: int
) -> None:
    limit = max(bar[0] + off, 0)
    worse = Fraction(model.half_spread_ppm + slippage, PPM)
    price = ceil(bar[0] * (1 + worse)) if buys else floor(bar[0] * (1 - worse))
    within = price <= limit if buys else price >= max(limit, 1)
    expected = (wanted, price) if within else (0, 0)
    assert match(model, slippage, TAKER, buys, wanted, limit, 0, *bar) == expected


@given(costs, st.booleans(), lots, bars(), near)
@examples(300)
def test_a_maker_fills_at_its_limit_only_when_traded_through_and_only_a_share_of_the_volume(
    model: Costs, buys: bool, wanted: int, bar: Bar, off: int
) -> None:
    _, high, low, volume = bar
    limit = max((low if buys else high) + off, 1)
    got, price = match(model, 0, MAKER, buys, wanted, limit, 0, *bar)
    share = Fraction(volume * model.max_share_ppm, PPM)
    through = low < limit if buys else high > limit
    assert got == (min(wanted, int(share)) if through else 0)
    assert price == (limit if got else 0)


@given(costs, ppm, lots, bars(), near)
@examples(300)
def test_a_stop_fills_when_touched_and_never_better_than_its_trigger_or_the_open(
    model: Costs, slippage: int, held: int, bar: Bar, off: int
) -> None:
    opened, _, low, _ = bar
    trigger = max(low + off, 1)
    got, price = match(model, slippage, STOP_MARKET, False, held, 0, trigger, *bar)
    worst = min(trigger, opened) * Fraction(max(PPM - slippage, 0), PPM)
    assert got == (held if low <= trigger and worst >= 1 else 0)
    assert price <= worst
    assert got == 0 or price > worst - 1


OPEN_MS, CLOSE_MS = 900, 1_800


@pytest.mark.parametrize(
    ("kind", "buys", "limit", "trigger", "expected"),
    [
        (TAKER, True, 100, 0, (7, 100, OPEN_MS)), (TAKER, True, 99, 95, (0, 0, OPEN_MS)),
        (TAKER, False, 100, 95, (7, 100, OPEN_MS)), (TAKER, False, 101, 95, (7, 95, CLOSE_MS)),
        (TAKER, False, 101, 90, (7, 90, CLOSE_MS)), (TAKER, False, 101, 89, (0, 0, CLOSE_MS)),
        (TAKER, False, 101, 0, (0, 0, OPEN_MS)), (MAKER, True, 91, 0, (7, 91, CLOSE_MS)),
        (MAKER, False, 104, 0, (7, 104, CLOSE_MS)), (STOP_MARKET, False, 0, 95, (7, 95, CLOSE_MS)),
    ],
)  # fmt: skip
def test_a_taker_meets_the_opening_all_else_the_close_and_a_sale_without_a_buyer_is_the_stop_it_replaced(
    kind: int, buys: bool, limit: int, trigger: int, expected: tuple[int, int, int]
) -> None:
    """A bar from 100 up to 105 and down to 90."""
    free = Slippage(np.zeros(4, np.int64), 0, 0.0, 1.0, 5.0, 1.0)
    model = Costs(0, 0, 0, free, PPM, 0)
    assert meet(model, 0, kind, buys, 7, limit, trigger, 100, 105, 90, 1_000, OPEN_MS, CLOSE_MS) == expected


def test_a_stop_that_a_sale_has_replaced_slips_and_rests_as_low_as_a_price_goes() -> None:
    model = Costs(0, 0, 0, Slippage(np.zeros(4, np.int64), 0, 0.0, 1.0, 5.0, 1.0), PPM, 0)
    assert meet(model, 20_000, TAKER, False, 7, 101, 95, 100, 105, 90, 0, OPEN_MS, CLOSE_MS) == (7, 93, CLOSE_MS)
    assert meet(model, 0, TAKER, False, 7, 2, 1, 1, 1, 1, 0, OPEN_MS, CLOSE_MS) == (7, 1, CLOSE_MS)


@given(costs, st.sampled_from([MAKER, TAKER, STOP_MARKET]), st.booleans(), lots, ticks)
@examples(50)
def test_a_bar_that_the_venue_does_not_have_fills_nothing(
    model: Costs, kind: int, buys: bool, wanted: int, limit: int
) -> None:
    assert match(model, 0, kind, buys, wanted, limit, limit, 0, 0, 0, 0) == (0, 0)


@given(costs, st.sampled_from([MAKER, TAKER, STOP_MARKET]), st.integers(0, 10**17))
@examples(150)
def test_fees_round_up_and_a_reservation_covers_each_of_them(model: Costs, kind: int, value: int) -> None:
    rate = model.maker_fee_ppm if kind == MAKER else model.taker_fee_ppm
    assert fee_of(model, kind, value) == ceil(Fraction(value * rate, PPM))
    assert fee_of(model, kind, value) <= worst_fee(model, value)


@given(costs, st.integers(1, 3), st.integers(0, 10**16), st.one_of(st.just(-1.0), st.floats(0, 50)))
@examples(300)
def test_slippage_grows_with_tier_size_and_restlessness_within_its_bounds(
    model: Costs, tier: int, value: int, range_pct: float
) -> None:
    slippage, base = model.slippage, int(model.slippage.base_ppm[tier])
    found = slippage_of(model, tier, value, range_pct)
    assert base <= found <= base * slippage.most_large * slippage.most_restless + 1
    assert found <= slippage_of(model, tier, 10 * value, range_pct)
    assert found <= slippage_of(model, tier, value, -1.0), "an unknown range is as bad as any"
    if value <= slippage.large and 0 <= range_pct <= slippage.restless_pct:
        assert found == base


def test_slippage_by_the_figures_of_the_specification() -> None:
    """25 bps in tier 2; ten times 10,000 adds a fifth, twice it 0.3 of that; a range of 6 % on a limit of 5 % makes it
    a fifth more."""
    model = Slippage(np.array([0, 1_000, 2_500, 5_000], np.int64), 10_000 * 10**8, 0.2, 1.2, 5.0, 1.5)
    costs_of_it = Costs(4_000, 6_000, 0, model, 10_000, 5_000)
    for value, range_pct, ppm_expected in (
        (10_000, 5.0, 2_500), (20_000, 5.0, 2_651), (100_000, 5.0, 3_000), (10_000_000, 5.0, 3_000),
        (10_000, 6.0, 3_000), (10_000, 50.0, 3_750), (10_000, -1.0, 3_750), (100_000, 6.0, 3_600),
    ):  # fmt: skip
        assert slippage_of(costs_of_it, 2, value * 10**8, range_pct) == ppm_expected
    of_a_grain = costs_of_it._replace(slippage=model._replace(large=1))
    assert [slippage_of(of_a_grain, 2, value, 0.0) for value in (1, 10)] == [2_500, 3_000]


@pytest.mark.parametrize(
    ("lots", "ticks", "unit", "cents"),
    [
        (3, 333_333, 1.0, 0), (4, 250_000, 1.0, 1), (3, 500_000, 1.0, 1), (3, 500_000, 7.5, 11),
        (3, 500_000, 0.01, 0), (300, 500_000, 0.01, 1), (2**40, 2**40, 1.0, 2**42),
    ],
)  # fmt: skip
def test_a_bar_s_volume_is_worth_whole_cents_at_its_close_and_no_more_than_adds_up(
    lots: int, ticks: int, unit: float, cents: int
) -> None:
    """A cent is a million grains."""
    assert bar_cents(np.array([lots], np.float64), np.array([ticks], np.float64), unit).tolist() == [cents]


def test_the_depth_that_is_assumed_is_a_part_of_the_day_s_volume_and_can_be_counted() -> None:
    model = Costs(0, 0, 0, Slippage(np.zeros(4, np.int64), 0, 0.0, 1.0, 5.0, 1.0), PPM, 5_000)
    found = depth_of(model, np.array([0.0, 1.0, 100_000.0, 2.0**55])).tolist()
    assert found == [0, 5_000, 5 * 10**8, 2**61], "of a thousand quote five"


@given(costs, st.sampled_from([MAKER, TAKER]), st.integers(0, 5_000), st.integers(0, 5_000))
@examples(50)
def test_who_enters_pays_a_fee_and_what_it_loses_on_the_way_and_leaves_by_the_worst_way(
    model: Costs, kind: int, entering: int, leaving: int
) -> None:
    """A maker loses nothing on the way in; everybody is a taker on the way out, across half the spread."""
    paid = model.maker_fee_ppm if kind == MAKER else model.taker_fee_ppm + entering
    assert entry_cost_ppm(model, kind, entering) == paid
    out = model.taker_fee_ppm + model.half_spread_ppm + leaving
    assert round_trip_ppm(model, kind, entering, leaving) == paid + out


def around(die: Dice, close: Array) -> Bars:
    """A bar up to a half away from each close, with little or much volume."""
    opened, high, low = (np.maximum(close * die.between(5, 15) // 10, 1) for _ in range(3))
    high, low = np.maximum(opened, high), np.minimum(opened, low)
    return Bars(opened, high, low, np.full_like(close, die.between(0, 10 ** die.between(0, 12))))


@given(dice)
@examples(200)
def test_an_order_never_fills_more_than_its_lots_nor_costs_more_than_was_reserved(die: Dice) -> None:
    law = die.law()
    columns = die.columns(law)
    state = die.state(law, columns)
    window = around(die, np.maximum(columns.close[:1], 1))
    before, held = state.orders.copy(), state.lots.copy()
    fills = np.zeros((3 * len(held), codes.FILL_FIELDS), np.int64)
    count = step_bar(law, state, columns, window, 0, fills)
    for i, slot, got, price, value, fee, *_ in fills[:count].tolist():
        order = before[i, slot]
        rest = order[codes.LOTS] - order[codes.FILLED]
        assert 0 < got <= rest
        assert slot != ENTRY or value + fee <= cost_with_fee(law, i, rest, order[codes.LIMIT])
        assert slot != ENTRY or price <= order[codes.LIMIT]
        as_stop = window.low[0, i] <= order[codes.TRIGGER] and price <= order[codes.TRIGGER]
        assert slot != EXIT or price >= order[codes.LIMIT] or as_stop
        assert slot != STOP or price <= order[codes.TRIGGER]
    kinds = state.orders[:, :, codes.KIND]
    assert not (kinds == TAKER).any(), "a taker that meets a bar is over"
    still = kinds != 0
    assert (state.orders[:, :, codes.FILLED] <= state.orders[:, :, codes.LOTS])[still].all()


def test_a_stop_is_younger_than_the_resting_entry_and_older_than_what_completes_it() -> None:
    """As at a venue, in the order of acceptance; the order decides which lots' cost the sale takes along."""
    die = Dice(Random(1))
    law = die.law()
    free = law.costs.slippage._replace(base_ppm=np.zeros(4, np.int64))
    law, columns = law._replace(costs=Costs(0, 0, 0, free, PPM, 0)), die.columns(law)
    bar = Bars(*(np.full((1, 4), price, np.int64) for price in (100, 110, 90, 10**6)))
    cases = ((MAKER, 1, [ENTRY, STOP]), (MAKER, 0, [STOP, ENTRY]), (TAKER, 0, [STOP, ENTRY]))
    for kind, stop_ms, expected in cases:
        state = empty_state(4, 3, 1)
        state.lots[1] = state.cost[1] = 500
        step_place(state, 1, ENTRY, kind, 300, 100, 0, 0, 0, codes.BY_SIGNAL, 0, 0, 0, 0, 0)
        step_place(state, 1, STOP, STOP_MARKET, 500, 0, 95, stop_ms, codes.NEVER, codes.BY_STOP, 0, 0, 0, 0, 0)
        fills = np.zeros((12, codes.FILL_FIELDS), np.int64)
        assert step_bar(law, state, columns, bar, 0, fills) == 2
        assert fills[:2, 1].tolist() == expected
        assert state.lots[1] == 300


# --- what a bar leaves in the books ----------------------------------------------------------------------------------


CALM = Dice(Random(1)).columns(Dice(Random(1)).law(), 3)


def ordered(random: Random, state: State, i: int, bar_ms: int) -> None:
    """A position with any of its three orders, of few lots each, around a price of a hundred."""
    one_of, few = random.choice, (1, 1, 2, 9)
    leaving, resting = one_of((0, *few)), one_of((0, *few))
    state.lots[i] = leaving + resting + one_of((0, 1))
    state.cost[i], state.strategy[i] = 7 * state.lots[i], 1 if state.lots[i] else codes.NEVER
    around = (98, 100, 102)
    orders = (
        (ENTRY, one_of((MAKER, TAKER, TAKER)), one_of((0, *few)), one_of(around), 0),
        (EXIT, TAKER, leaving, one_of(around), one_of((0, *around))),
        (STOP, STOP_MARKET, resting, 0, one_of(around)),
    )
    for slot, kind, lots, limit, trigger in orders:
        before = one_of((0, 0, 1, 5))
        placed_ms, terms = random.randint(0, 2) * bar_ms, (random.randint(1, 14), random.randint(0, 1), 3, 5, 7)
        if lots:
            step_place(state, i, slot, kind, lots + before, limit, trigger, placed_ms, 0, *terms, 0)
            state.orders[i, slot, codes.FILLED] = before


def in_turn(orders: Array) -> list[int]:
    """Exits first; of stop and entry the older, and the stop of two that are as old."""
    aged = sorted((STOP, ENTRY), key=lambda slot: int(orders[slot, codes.PLACED_MS]))
    return [slot for slot in (EXIT, *aged) if orders[slot, codes.KIND]]


@given(randoms)
@examples(150)
def test_a_bar_books_what_the_model_fills_each_order_once_and_touches_nothing_else(random: Random) -> None:
    """Slippage is that of the hour in which the order was sent; purchases are rounded up, sales down."""
    die = Dice(random)
    law, state, t = die.law(), empty_state(COUNT, ASSET_COUNT, STRATEGY_COUNT), random.randint(0, 2)
    large = law.costs.slippage._replace(base_ppm=ints(0, *(random.choice((0, 1, 9_000)) for _ in range(3))))
    law = law._replace(costs=law.costs._replace(slippage=large, max_share_ppm=random.choice((300_000, PPM))))
    columns, cells = CALM._replace(day_range=np.array([[1.0], [6.0], [-1.0]]) * np.ones(COUNT)), range(3 * COUNT)
    opened = np.array([random.choice((0, 95, 100, 100, 105)) for _ in cells], np.int64).reshape(3, COUNT)
    high, low = opened + random.choice((0, 5)), np.maximum(opened - random.choice((0, 2, 5)), 0)
    bars = Bars(opened, high, low, np.full_like(opened, random.choice((0, 1, 7, 10**6))))
    for i in range(COUNT):
        ordered(random, state, i, law.orders.bar_ms)
    before, fills = copied(state), np.zeros((3 * COUNT, codes.FILL_FIELDS), np.int64)
    count = step_bar(law, state, columns, bars, t, fills)
    close_ms, expected = NOON_MS + t * BAR_MS, list[list[int]]()
    for i in range(COUNT):
        first, highest, lowest, volume = (int(each[t, i]) for each in bars)
        for slot in in_turn(before.orders[i]):
            order = [int(one) for one in before.orders[i, slot]]
            kind, rest = order[codes.KIND], order[codes.LOTS] - order[codes.FILLED]
            tier, worth = int(law.instruments.tier[i]), ceil(oracle.value(law, i, rest, first))
            slippage = slippage_of(law.costs, tier, worth, float(columns.day_range[max(t - 1, 0), i]))
            limit, trigger = order[codes.LIMIT], order[codes.TRIGGER]
            got, price, at_ms = meet(
                law.costs, slippage, kind, slot == ENTRY, rest, limit, trigger, first, highest, lowest, volume,
                close_ms - BAR_MS, close_ms,
            )  # fmt: skip
            if got:
                exact = oracle.value(law, i, got, price)
                value = ceil(exact) if slot == ENTRY else floor(exact)
                terms = order[codes.REASON], order[codes.STRATEGY]
                expected.append([i, slot, got, price, value, fee_of(law.costs, kind, value), at_ms, *terms])
            left = 0 if got == rest or kind == TAKER else kind
            assert state.orders[i, slot, codes.KIND] == left
            assert state.orders[i, slot, codes.FILLED] == (order[codes.FILLED] + got if left else 0)
        mine = [one for one in expected if one[0] == i]
        assert state.lots[i] - before.lots[i] == sum(one[2] if one[1] == ENTRY else -one[2] for one in mine)
        if before.lots[i] == 0 and mine:
            own = [int(each[i]) for each in (state.strategy, state.stop_bps, state.target_bps, state.hold_ms)]
            assert own == [mine[0][8], 3, 5, 7]
        if not mine:
            for each, was in zip(state[2:14], before[2:14], strict=True):
                assert each[i] == was[i]
    assert fills[:count].tolist() == expected
    assert state.cash[0] == sum((-one[4] if one[1] == ENTRY else one[4]) - one[5] for one in expected)
    sellers = {int(law.instruments.asset[one[0]]) for one in expected if one[1] != ENTRY}
    assert set(np.flatnonzero(state.exit_ms >= 0).tolist()) == sellers
