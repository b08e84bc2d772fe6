"""A turn of the law: halted it only protects, in doubt it waits, and no entry ever stands in the way of an exit."""

from random import Random
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.make import AXES
from tests.laws.worlds import COUNT, E8, STRATEGY_COUNT, Array, Dice, bytes_of, copied, dice, open_guard
from trader_core.rulebook import codes
from trader_core.rulebook.codes import CANCEL, ENTRY, EXIT, FILLED, KIND, LOTS, PLACE, STOP, TRIGGER, Verdict
from trader_core.rulebook.exits import stop_price
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import Columns, Guard, Plan, State, empty_plan
from trader_core.rulebook.turn import step_turn


class Before(NamedTuple):
    """A world on the eve of a turn."""

    law: Law
    guard: Guard
    state: State
    columns: Columns


def eve(die: Dice) -> Before:
    law = die.law()
    columns = die.columns(law)
    return Before(law, die.guard(), die.state(law, columns), columns)


eves = dice.map(eve)


def turned(world: Before, t: int = 0, state: State | None = None) -> tuple[State, Plan]:
    """The state after one turn, and what it asked for; the world stays as it was."""
    after, plan = copied(state or world.state), empty_plan(COUNT)
    step_turn(world.law, world.guard, after, world.columns, t, plan)
    return after, plan


def asked(plan: Plan) -> list[tuple[int, int, int]]:
    """(CANCEL or PLACE, instrument, slot), in order."""
    return [(action, i, slot) for action, i, slot in plan.actions[: plan.asked[0]].tolist()]


@given(eves)
@examples(150)
def test_halted_entries_go_stops_stay_and_every_proposal_is_refused(world: Before) -> None:
    """Nothing is bought and nothing sold; an exit that is out already may finish."""
    world = world._replace(guard=world.guard._replace(halted=1))
    after, plan = turned(world)
    assert {(action, slot) for action, _, slot in asked(plan)} <= {(CANCEL, ENTRY), (CANCEL, STOP), (PLACE, STOP)}
    known = world.guard.unknown == 0
    assert not after.orders[known, ENTRY].any()
    assert np.array_equal(after.orders[:, EXIT], world.state.orders[:, EXIT])
    leaving = world.state.orders[:, EXIT, KIND] != 0
    held = known & ~leaving & (world.state.lots > 0) & (world.state.stop_bps > 0)
    assert (after.orders[held, STOP, LOTS] - after.orders[held, STOP, FILLED] == world.state.lots[held]).all()
    assert bytes_of((after.lots, after.cash)) == bytes_of((world.state.lots, world.state.cash))
    assert set(plan.verdict.tolist()) <= {codes.NEVER, Verdict.HALTED}
    proposed = world.columns.enter[:, 0].any(axis=0) & (world.state.clock[codes.DECIDED_MS] < world.columns.at_ms[0])
    assert ((plan.verdict == Verdict.HALTED) == (proposed & (world.guard.barred == 0))).all()


@given(eves)
@examples(150)
def test_an_instrument_with_an_order_of_unknown_fate_is_left_alone(world: Before) -> None:
    after, plan = turned(world)
    doubtful = set(np.flatnonzero(world.guard.unknown).tolist())
    assert not {i for _, i, _ in asked(plan)} & doubtful
    for i in doubtful:
        assert np.array_equal(after.orders[i], world.state.orders[i])
        assert plan.verdict[i] in (codes.NEVER, Verdict.HALTED, Verdict.UNRESOLVED)


@given(eves)
@examples(150)
def test_an_instrument_is_decided_once_a_bar(world: Before) -> None:
    after, first = turned(world)
    entries = [i for action, i, slot in asked(first) if (action, slot) == (PLACE, ENTRY)]
    assert len(entries) == len(set(entries))
    assert sorted(entries) == sorted(np.flatnonzero(first.verdict == Verdict.OK).tolist())
    again, second = turned(world, state=after)
    assert set(second.verdict.tolist()) == {codes.NEVER}
    assert not any(slot == ENTRY and action == PLACE for action, _, slot in asked(second))
    assert again.clock[codes.DECIDED_MS] == world.columns.at_ms[0]


@given(eves)
@examples(200)
def test_every_position_is_being_sold_or_has_one_stop_for_all_of_it(world: Before) -> None:
    world = world._replace(guard=open_guard())
    after, plan = turned(world)
    for i in range(COUNT):
        stop, leaving = after.orders[i, STOP], after.orders[i, EXIT, KIND] != 0
        if world.state.lots[i] == 0 or leaving:
            assert stop[KIND] == 0 or world.state.orders[i, EXIT, KIND] != 0
        else:
            assert stop[KIND] == codes.STOP_MARKET
            assert stop[LOTS] - stop[FILLED] == world.state.lots[i]
            assert stop[TRIGGER] == stop_price(world.law, after, i) > 0
    slots = [(i, slot) for action, i, slot in asked(plan) if action == PLACE]
    assert len(slots) == len(set(slots))


@given(eves)
@examples(200)
def test_no_order_stands_before_its_predecessor_is_canceled(world: Before) -> None:
    after, plan = turned(world)
    free = {(i, slot) for i in range(COUNT) for slot in range(3) if world.state.orders[i, slot, KIND] == 0}
    for action, i, slot in asked(plan):
        assert ((i, slot) in free) == (action == PLACE)
        free ^= {(i, slot)}
    assert free == {(i, slot) for i in range(COUNT) for slot in range(3) if after.orders[i, slot, KIND] == 0}


@given(eves)
@examples(200)
def test_exits_and_stops_are_the_same_whatever_the_entries_do(world: Before) -> None:
    silent = world.columns._replace(enter=np.zeros_like(world.columns.enter))
    with_entries, plan = turned(world)
    without, quiet = turned(world._replace(columns=silent))
    assert [one for one in asked(plan) if one[2] != ENTRY] == [one for one in asked(quiet) if one[2] != ENTRY]
    assert np.array_equal(with_entries.orders[:, [EXIT, STOP]], without.orders[:, [EXIT, STOP]])
    unpriced = world.state._replace(known=np.zeros(1, np.int64))  # equity unknown closes entries, never an exit
    blind, _ = turned(world, state=unpriced)
    assert np.array_equal(with_entries.orders[:, [EXIT, STOP]], blind.orders[:, [EXIT, STOP]])


@given(eves)
@examples(150)
def test_what_is_being_sold_is_not_bought_on(world: Before) -> None:
    after, plan = turned(world)
    for action, i, slot in asked(plan):
        if (action, slot) == (PLACE, EXIT):
            assert after.orders[i, ENTRY, KIND] == 0
            assert (CANCEL, i, ENTRY) in asked(plan) or world.state.orders[i, ENTRY, KIND] == 0


@given(eves, st.integers(0, COUNT - 1))
@examples(150)
def test_what_the_universe_has_no_place_for_is_only_sold(world: Before, i: int) -> None:
    allowed, _ = turned(world._replace(guard=open_guard()))
    barred = open_guard()
    barred.barred[i] = 1
    after, plan = turned(world._replace(guard=barred))
    assert after.orders[i, ENTRY, KIND] == 0
    assert plan.verdict[i] == codes.NEVER
    assert np.array_equal(after.orders[i, [EXIT, STOP]], allowed.orders[i, [EXIT, STOP]])


@given(eves)
@examples(150)
def test_an_entry_placed_before_its_asset_was_sold_is_canceled(world: Before) -> None:
    world = world._replace(guard=open_guard())
    _, plan = turned(world)
    for i in range(COUNT):
        entry, sold_ms = world.state.orders[i, ENTRY], world.state.exit_ms[world.law.instruments.asset[i]]
        if entry[KIND] != 0 and sold_ms > entry[codes.PLACED_MS]:
            assert (CANCEL, i, ENTRY) in asked(plan)


# --- T2: an asset rests under every pair that trades it -----------------------------------------------------


def sold_bitcoin(reason: int) -> Before:
    """Calm everywhere; BTC was sold now, and every instrument is proposed."""
    die = Dice(Random(1))
    law = die.law()._replace(costs=die.law().costs._replace(maker_fee_ppm=0, taker_fee_ppm=0))
    risk = law.risk._replace(
        max_total=1.0, max_asset=0.1, max_positions=5, max_day_loss=0.5, max_cost_ppm=10**6, min_notional=1,
        cooldown_exit_ms=1_800_000, cooldown_stop_ms=7_200_000, max_age_ms=86_400_000,
    )  # fmt: skip
    columns = die.columns(law)
    flat = np.full_like(columns.close, 10**6)
    ones = np.ones((STRATEGY_COUNT, *flat.shape), np.int8)
    columns = columns._replace(close=flat, bid=flat, ask=flat, age_ms=0 * flat, enter=ones, leave=0 * ones)
    state = die.state(law, columns)
    for each in (state.orders, state.lots, state.cost, state.exit_reason):
        each[...] = 0
    state.exit_ms[:] = codes.NEVER
    state.clock[:] = codes.NEVER
    state.cash[0], state.known[0] = 10**6 * E8, 1
    asset = AXES.assets.index("BTC")
    state.exit_ms[asset], state.exit_reason[asset] = columns.at_ms[0], reason
    orders = law.orders._replace(position=0.05, maker_ttl_ms=0, band_ppm=0)
    return Before(law._replace(risk=risk, orders=orders), open_guard(), state, columns)


def refused(plan: Plan, verdict: Verdict) -> set[str]:
    return {one.symbol for i, one in enumerate(AXES.instruments) if plan.verdict[i] == verdict}


def at_minute(world: Before, minute: int) -> Plan:
    later: Array = world.columns.at_ms + 60_000 * minute
    return turned(world._replace(columns=world.columns._replace(at_ms=later)))[1]


def test_a_sale_blocks_re_entry_under_any_quote_until_the_cooldown_is_over() -> None:
    for reason, minutes in ((codes.BY_TARGET, 30), (codes.BY_SIGNAL, 30), (codes.BY_STOP, 120)):
        world = sold_bitcoin(reason)
        assert refused(at_minute(world, 0), Verdict.COOLDOWN) == {"BTC-USD", "BTC-USDC"}
        assert refused(at_minute(world, minutes - 1), Verdict.COOLDOWN) == {"BTC-USD", "BTC-USDC"}
        assert refused(at_minute(world, minutes), Verdict.COOLDOWN) == set()
        assert {"ETH-USD", "SHIB-USD"} <= refused(at_minute(world, 0), Verdict.OK)


def test_two_pairs_of_one_asset_share_its_cap() -> None:
    world = sold_bitcoin(codes.BY_SIGNAL)
    world.state.exit_ms[:] = codes.NEVER
    world = world._replace(law=world.law._replace(risk=world.law.risk._replace(max_asset=0.05)))
    _, plan = turned(world)
    assert len(refused(plan, Verdict.ASSET_CAP)) == 1
    assert refused(plan, Verdict.ASSET_CAP) < {"BTC-USD", "BTC-USDC"}
    assert refused(plan, Verdict.OK) == {one.symbol for one in AXES.instruments} - refused(plan, Verdict.ASSET_CAP)
