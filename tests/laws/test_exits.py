"""Where a position is left, beside the same levels in fractions, and how much of it is sold there."""

from fractions import Fraction
from math import ceil, floor
from random import Random
from typing import Any, NamedTuple

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.test_turn import Before, held_bitcoin
from tests.laws.worlds import COUNT, E8, Dice, instrument_rows, ints, randoms
from trader_core.rulebook import codes
from trader_core.rulebook.account import step_funding
from trader_core.rulebook.exits import (
    NO_LIMIT,
    Levels,
    cost_price,
    exit_reason,
    is_sellable,
    levels,
    lots_above_cap,
    lots_to_sell,
)
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import Columns, State, empty_state

BPS, PPM = 10**4, 10**6
distances = st.sampled_from([0, 1, 200, 999, 10_000, 12_000])
shares = st.sampled_from([0, 1, 10_000, 333_333])


class Position(NamedTuple):
    law: Law
    state: State
    i: int

    def __repr__(self) -> str:
        """Whole states fill pages."""
        return f"{self.law.exits}, {self.law.orders}, paid {self.paid}, peak {self.state.peak[self.i]}"

    @property
    def paid(self) -> Fraction:
        """Ticks a lot."""
        units, lots = self.law.instruments, int(self.state.lots[self.i])
        worth = Fraction(int(self.state.cost[self.i]) * int(units.den[self.i]))
        return worth / (lots * int(units.num[self.i]))


@st.composite
def positions(draw: st.DrawFn) -> Position:
    """Of any instrument, with or without each kind of exit, of its own or by the policy."""
    law, i = Dice(draw(randoms)).law(), draw(st.integers(0, COUNT - 1))
    exits = law.exits._replace(
        default_stop_bps=draw(distances), default_target_bps=draw(distances), break_even_ppm=draw(shares),
        partial_ppm=draw(shares), partial_share_ppm=draw(st.sampled_from([1, 300_000, 500_000, 999_999])),
    )  # fmt: skip
    law = law._replace(exits=exits, orders=law.orders._replace(trailing_ppm=draw(shares)))
    state = empty_state(COUNT, COUNT, 2)
    lots, price = draw(st.integers(1, 10**9)), draw(st.integers(1, 10**6))
    worth = -(-lots * price * int(law.instruments.num[i]) // int(law.instruments.den[i]))
    state.lots[i], state.cost[i] = lots, worth + draw(st.integers(0, 99))
    state.stop_bps[i], state.target_bps[i] = draw(distances), draw(distances)
    state.peak[i] = price * draw(st.integers(90, 250)) // 100
    state.parted[i] = draw(st.integers(0, 1))
    return Position(law, state, i)


@given(positions())
@examples(200)
def test_every_level_is_where_fractions_put_it(held: Position) -> None:
    law, state, i = held
    average, peak = floor(held.paid), int(state.peak[i])
    own_stop, own_target = int(state.stop_bps[i]), int(state.target_bps[i])
    stop_bps = own_stop if own_stop > 0 else law.exits.default_stop_bps
    target_bps = own_target if own_target > 0 else law.exits.default_target_bps
    target = ceil(Fraction(average * (BPS + target_bps), BPS)) if target_bps else 0
    parted = law.exits.partial_ppm == 0 or state.parted[i]
    partial = 0 if parted else ceil(Fraction(average * (PPM + law.exits.partial_ppm), PPM))
    stops = {codes.BY_STOP: max(ceil(Fraction(average * (BPS - stop_bps), BPS)), 0) if stop_bps else 0}
    even = ceil(Fraction(ceil(held.paid) * PPM, PPM - law.costs.taker_fee_ppm))
    armed = max(ceil(Fraction(average * (PPM + law.exits.break_even_ppm), PPM)), even + 1)
    ahead = [one for one in (target, partial) if one]
    if law.exits.break_even_ppm and peak >= armed:
        stops[codes.BY_BREAK_EVEN] = even
    elif law.exits.break_even_ppm:
        ahead.append(armed)
    if law.orders.trailing_ppm:
        stops[codes.BY_TRAILING] = floor(Fraction(peak * (PPM - law.orders.trailing_ppm), PPM))
        ahead.append(peak + 1)
    at = levels(law, state, i)
    assert (at.target, at.partial, at.ceiling) == (target, partial, min(ahead, default=NO_LIMIT))
    assert at.stop == max(stops.values())
    assert at.reason == next(reason for reason, stop in stops.items() if stop == at.stop), "of equals the first"
    assert cost_price(law, state, i) == even


def test_break_even_needs_a_bid_above_what_cost_and_fee_come_to() -> None:
    """Else the stop would stand at the bid that has armed it, and sell at once."""
    world = held_bitcoin()
    law = world.law._replace(
        exits=world.law.exits._replace(break_even_ppm=1), costs=world.law.costs._replace(taker_fee_ppm=5_000)
    )
    even = ceil(Fraction(10**6 * PPM, PPM - 5_000))
    for peak, reason in ((even, codes.BY_STOP), (even + 1, codes.BY_BREAK_EVEN)):
        world.state.peak[0] = peak
        at = levels(law, world.state, 0)
        assert (at.reason, at.stop == even) == (reason, reason == codes.BY_BREAK_EVEN)


def test_of_two_stops_at_one_price_the_position_s_own_is_named() -> None:
    """A coin of one tick, without a fee: its stop is rounded up to what it cost."""
    world = held_bitcoin()
    law = world.law._replace(exits=world.law.exits._replace(break_even_ppm=10_000))
    num, den = (int(each[0]) for each in (law.instruments.num, law.instruments.den))
    world.state.cost[0], world.state.stop_bps[0], world.state.peak[0] = 10**6 * num // den, 1, 9
    at = levels(law, world.state, 0)
    assert (at.stop, at.reason) == (1, codes.BY_STOP)
    world.state.cost[0] *= 2
    assert levels(law, world.state, 0)[:3:2] == (2, codes.BY_STOP)
    world.state.cost[0] += 1
    assert levels(law, world.state, 0)[:3:2] == (3, codes.BY_BREAK_EVEN), "a part of a tick is paid as well"


def parting(world: Before, **exits: int) -> Law:
    return world.law._replace(exits=world.law.exits._replace(**{"partial_share_ppm": 300_000, **exits}))


def test_a_part_is_sold_where_both_the_part_and_the_rest_can_be_sold() -> None:
    """The rest at its stop too, which is lower than the bid; elsewhere all of it or nothing."""
    world = held_bitcoin()
    state, law = world.state, parting(world)
    held, price, stop = int(state.lots[0]), 10**6, 950_000
    assert lots_to_sell(law, state, 0, codes.BY_PARTIAL, price, stop, 0) == held * 3 // 10
    assert lots_to_sell(law, state, 0, codes.BY_TARGET, price, stop, 0) == held
    assert lots_to_sell(law, state, 0, 0, price, stop, 0) == 0

    def with_floor(grains: int) -> Law:
        return law._replace(instruments=law.instruments._replace(min_notional=ints(*[grains] * COUNT)))

    def sold(grains: int, reason: int = codes.BY_PARTIAL, stop: int = stop) -> int:
        return int(lots_to_sell(with_floor(grains), state, 0, reason, price, stop, 0))

    unit = Fraction(int(law.instruments.num[0]), int(law.instruments.den[0]))
    part, rest, whole = (int(lots * price * unit) for lots in (held * 3 // 10, held * 7 // 10, held))
    assert (sold(part), sold(part + 1)) == (held * 3 // 10, 0)
    assert (sold(whole, codes.BY_TIME), sold(whole + 1, codes.BY_TIME)) == (held, 0)
    larger = parting(world, partial_share_ppm=700_000)
    law = larger
    assert rest * 3 // 7 == part
    assert (sold(part * 95 // 100), sold(part * 95 // 100 + 1)) == (held * 7 // 10, 0), "the rest's stop is lower"
    assert (sold(part, stop=0), sold(part + 1, stop=0)) == (held * 7 // 10, 0), (
        "and where it has none, its price counts"
    )
    assert (sold(part, stop=2 * price), sold(part + 1, stop=2 * price)) == (held * 7 // 10, 0)


@st.composite
def crowded(draw: st.DrawFn) -> tuple[Law, State, Columns]:
    """Three instruments, two of one coin, of a few lots each, in an account worth about as little."""
    world = held_bitcoin()
    few, law = st.integers(0, 12), world.law
    units = instrument_rows([(1, 1), (3, 2), (1, 1)], [0, 0, 1])
    exits = law.exits._replace(trim_ppm=draw(st.sampled_from([0, 1, 100_000, 500_000])))
    costs = law.costs._replace(taker_fee_ppm=draw(st.sampled_from([0, 50_000])),
                               half_spread_ppm=draw(st.sampled_from([0, 25_000])))  # fmt: skip
    risk = law.risk._replace(max_asset=draw(st.sampled_from([0.0, 0.5, 1.0])))
    state = empty_state(3, 2, 1)
    state.lots[:] = [draw(few) for _ in range(3)]
    state.clock[codes.EQUITY] = draw(st.integers(-1, 40))
    for j in range(3):
        state.orders[j, codes.EXIT, codes.KIND] = draw(st.sampled_from([0, 0, 0, codes.TAKER]))
    columns = world.columns._replace(bid=np.array([[draw(st.integers(0, 3)) for _ in range(3)]], np.int64))
    return law._replace(instruments=units, exits=exits, costs=costs, risk=risk), state, columns


@given(crowded(), st.integers(0, 2))
@examples(600)
def test_what_stands_above_a_cap_is_what_a_count_in_fractions_finds(
    account: tuple[Law, State, Columns], i: int
) -> None:
    """The fewest lots after which the asset stands below its cap, counted as if each sold at the bid."""
    law, state, columns = account
    equity, bids, units = int(state.clock[codes.EQUITY]), columns.bid[0].tolist(), law.instruments
    per_lot = [Fraction(int(units.num[j]) * bids[j], int(units.den[j])) for j in range(3)]
    same = [j for j in range(3) if units.asset[j] == units.asset[i] and state.orders[j, codes.EXIT, codes.KIND] == 0]
    cap, worth = floor(law.risk.max_asset * equity), sum(ceil(int(state.lots[j]) * per_lot[j]) for j in same)
    band_ppm = law.exits.trim_ppm + 2 * (law.costs.taker_fee_ppm + law.costs.half_spread_ppm)
    inside = worth <= cap + ceil(Fraction(cap * band_ppm, PPM))
    if law.exits.trim_ppm == 0 or equity <= 0 or bids[i] == 0 or inside:
        expected = 0
    else:
        expected = min(floor((worth - cap) / per_lot[i]) + 1, int(state.lots[i]))
    assert lots_above_cap(law, state, columns, 0, i) == expected


def test_dust_is_not_sellable_and_nothing_is_neither() -> None:
    world = held_bitcoin()
    law = world.law._replace(instruments=world.law.instruments._replace(min_notional=ints(*[0] * COUNT)))
    assert not is_sellable(law, 0, 0, 10**6)
    assert is_sellable(law, 0, 1, 10**6)


def test_a_partial_target_is_a_reason_after_every_other() -> None:
    world = held_bitcoin()
    columns, state = world.columns, world.state
    columns.bid[0, 0] = 10**6
    at = Levels(0, 0, codes.BY_STOP, 10**6, NO_LIMIT)
    assert exit_reason(state, columns, 0, 0, at) == codes.BY_PARTIAL
    assert exit_reason(state, columns, 0, 0, at._replace(partial=10**6 + 1)) == 0
    assert exit_reason(state, columns, 0, 0, at._replace(partial=0)) == 0
    assert exit_reason(state, columns, 0, 0, at._replace(target=10**6)) == codes.BY_TARGET
    columns.leave[0, 0, 0] = 1
    assert exit_reason(state, columns, 0, 0, at) == codes.BY_SIGNAL
    state.strategy[0] = codes.NEVER
    columns.leave[:] = 1
    assert exit_reason(state, columns, 0, 0, at) == codes.BY_PARTIAL, "of a strategy that is no more nobody leaves"


# --- what holding costs ----------------------------------------------------------------------------------------------


@given(
    st.integers(-50_000, 50_000) | st.sampled_from([-1, 1]),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    randoms,
)
@example(ppm=10_000, lots=10**6, close=1, random=Random(1))
@examples(100)
def test_funding_takes_its_part_of_what_is_held_and_rounds_against_us(
    ppm: int, lots: int, close: int, random: Random
) -> None:
    die = Dice(random)
    law, state = die.law(), empty_state(COUNT, COUNT, 2)
    columns: Columns = die.columns(law)
    edits: dict[str, Any] = {"funding_ppm": np.zeros_like(columns.close), "close": columns.close.copy()}
    columns = columns._replace(**edits)
    columns.funding_ppm[0, 1], columns.close[0, 1], state.lots[1] = ppm, close, lots
    state.cash[0] = 5 * E8
    step_funding(law.instruments, state, columns, 0)
    worth = floor(Fraction(lots * close * int(law.instruments.num[1]), int(law.instruments.den[1])))
    paid = ceil(Fraction(worth * ppm, PPM))
    assert state.cash[0] == 5 * E8 - paid
    assert state.flow.tolist() == [-paid if i == 1 else 0 for i in range(COUNT)]
