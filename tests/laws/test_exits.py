"""Where a position is left, beside the same levels in fractions, and how much of it is sold there."""

from fractions import Fraction
from math import ceil, floor
from random import Random
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.test_turn import Before, held_bitcoin
from tests.laws.worlds import COUNT, E8, Dice, copied, instrument_rows, ints, open_guard, randoms
from trader_core.rulebook import codes
from trader_core.rulebook.account import step_funding
from trader_core.rulebook.exits import (
    NO_LIMIT,
    Levels,
    cost_price,
    exit_reason,
    is_purged,
    is_sellable,
    levels,
    lots_above_cap,
    lots_to_sell,
    step_outcast,
)
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import Columns, State, empty_state

BPS, PPM = 10**4, 10**6
distances = (0, 1, 200, 999, 10_000, 12_000)
shares = (0, 0, 1, 10_000, 333_333)
CALM = held_bitcoin()


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


def position(random: Random) -> Position:
    """Of any instrument, with or without each kind of exit, of its own or by the policy."""
    law, i, one_of = Dice(random).law(), random.randrange(COUNT), random.choice
    exits = law.exits._replace(
        default_stop_bps=one_of(distances), default_target_bps=one_of(distances), break_even_ppm=one_of(shares),
        partial_ppm=one_of(shares), partial_share_ppm=one_of((1, 300_000, 500_000, 999_999)),
    )  # fmt: skip
    law = law._replace(exits=exits, orders=law.orders._replace(trailing_ppm=one_of(shares)))
    state = empty_state(COUNT, COUNT, 2)
    lots, price = random.randint(1, 10**9), random.randint(1, 10 ** random.randint(0, 6))
    worth = -(-lots * price * int(law.instruments.num[i]) // int(law.instruments.den[i]))
    state.lots[i], state.cost[i] = lots, worth + random.randint(0, 99)
    state.stop_bps[i], state.target_bps[i] = one_of(distances), one_of(distances)
    state.peak[i] = price * one_of((90, 100, 101, 102, 110, 134, 250)) // 100 + one_of((0, 0, 1))
    state.parted[i] = random.randint(0, 1)
    return Position(law, state, i)


@given(randoms.map(position))
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
    lowest = part // price
    assert (sold(lowest, stop=1), sold(lowest + 1, stop=1)) == (held * 7 // 10, 0)
    assert (sold(part, stop=2 * price), sold(part + 1, stop=2 * price)) == (held * 7 // 10, 0)


def crowded(random: Random) -> tuple[Law, State, Columns]:
    """Three instruments, two of one coin, of a few lots each, in an account worth about as little."""
    law, one_of = CALM.law, random.choice
    units = instrument_rows([(1, 1), (3, 2), (1, 1)], [0, 0, 1])
    exits = law.exits._replace(trim_ppm=one_of((0, 1, 1, 100_000, 500_000)))
    costs = law.costs._replace(taker_fee_ppm=one_of((0, 100_000)), half_spread_ppm=one_of((0, 0, 250_000)))
    risk = law.risk._replace(max_asset=one_of((0.0, 0.5, 1.0)))
    state = empty_state(3, 2, 1)
    state.lots[:] = [random.randint(0, 12) for _ in range(3)]
    state.clock[codes.EQUITY] = one_of((-1, 0, 1, random.randint(2, 40)))
    for j in range(3):
        state.orders[j, codes.EXIT, codes.KIND] = one_of((0, 0, 0, codes.TAKER))
    columns = CALM.columns._replace(bid=np.array([[random.randint(0, 3) for _ in range(3)]], np.int64))
    return law._replace(instruments=units, exits=exits, costs=costs, risk=risk), state, columns


@given(randoms.map(crowded), st.integers(0, 2))
@examples(400)
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


def test_the_part_that_is_above_its_cap_may_be_all_of_it() -> None:
    """Whatever the venue would say of the nothing that is left."""
    world = held_bitcoin()
    held = int(world.state.lots[0])
    units = world.law.instruments._replace(min_notional=ints(*[1] * COUNT))
    law = parting(world)._replace(instruments=units)
    for above, sold in ((held, held), (held - 1, 0), (held // 2, held // 2)):
        assert lots_to_sell(law, world.state, 0, codes.BY_TRIM, 10**6, 1, above) == sold


@given(randoms)
@examples(400)
def test_of_all_reasons_to_leave_the_first_in_rank_is_told_and_without_a_bid_there_is_none(random: Random) -> None:
    """In figures as small as they can be: a stop or a target of one tick is one, and none of nothing."""
    state, few = copied(CALM.state), (0, 1, 2, 3)
    columns = CALM.columns._replace(bid=CALM.columns.bid.copy(), leave=CALM.columns.leave.copy())
    bid, stop, target, partial = (random.choice(few) for _ in range(4))
    if random.random() < 0.7:
        stop = 0
    strategy, hold_ms, held_ms = random.randint(-1, 1), random.randint(0, 2), random.randint(0, 2)
    leave = [random.randint(0, 1) for _ in range(2)]
    columns.bid[0, 0], columns.leave[:, 0, 0] = bid, leave
    state.strategy[0], state.hold_ms[0], state.opened_ms[0] = strategy, hold_ms, columns.at_ms[0] - held_ms
    ranked = (
        (codes.BY_BREAK_EVEN, bid <= stop),
        (codes.BY_TARGET, bid >= target > 0),
        (codes.BY_TIME, held_ms >= hold_ms > 0),
        (codes.BY_SIGNAL, strategy >= 0 and leave[strategy] == 1),
        (codes.BY_PARTIAL, bid >= partial > 0),
    )
    expected = next((reason for reason, holds in ranked if holds and bid > 0), 0)
    assert exit_reason(state, columns, 0, 0, Levels(stop, target, codes.BY_BREAK_EVEN, partial, NO_LIMIT)) == expected


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 1, 2]), st.integers(0, 1), st.integers(0, 1)), max_size=6),
    st.sampled_from([0, 1, 2, 3]),
)
@examples(200)
def test_what_the_universe_has_had_no_place_for_long_enough_is_sold(
    turns: list[tuple[int, int, int]], purge_ms: int
) -> None:
    """Since it has had none in every turn, and while it is held."""
    state, guard, now, outcast = copied(CALM.state), open_guard(), 0, list[int]()
    law = CALM.law._replace(exits=CALM.law.exits._replace(purge_ms=purge_ms))
    for later_ms, lots, barred in turns:
        now += later_ms
        state.lots[0], guard.barred[0] = lots, barred
        step_outcast(guard, state, 0, now)
        outcast = [*outcast, now] if lots and barred else []
        assert state.outcast_ms[0] == (outcast[0] if outcast else codes.NEVER)
        assert is_purged(law, state, 0, now) is bool(purge_ms and outcast and now - outcast[0] >= purge_ms)


# --- what holding costs ----------------------------------------------------------------------------------------------


@given(randoms)
@examples(150)
def test_funding_takes_its_part_of_what_is_held_and_rounds_against_us(random: Random) -> None:
    """Of a single lot at a single tick, and of more than 62 bits hold in between."""
    law, state = CALM.law, empty_state(COUNT, COUNT, 2)
    zeros = np.zeros_like(CALM.columns.close)
    columns = CALM.columns._replace(funding_ppm=zeros, close=zeros.copy())
    ppm = random.choice((-50_000, -1, 0, 1, 10_000, 50_000))
    lots, close = (random.choice((0, 1, 1_000, 10**6, random.randint(0, 10**9))) for _ in range(2))
    columns.funding_ppm[0, 1], columns.close[0, 1], state.lots[1] = ppm, close, lots
    state.cash[0] = 5 * E8
    step_funding(law.instruments, state, columns, 0)
    worth = floor(Fraction(lots * close * int(law.instruments.num[1]), int(law.instruments.den[1])))
    paid = ceil(Fraction(worth * ppm, PPM))
    assert state.cash[0] == 5 * E8 - paid
    assert state.flow.tolist() == [-paid if i == 1 else 0 for i in range(COUNT)]
