"""A turn of the law: halted it only protects, in doubt it waits, and no entry ever stands in the way of an exit."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.make import AXES, BAR_MS
from tests.laws.test_gate_independence import base
from tests.laws.worlds import (
    COUNT,
    E8,
    NOON_MS,
    STRATEGY_COUNT,
    Array,
    Dice,
    bytes_of,
    changed,
    copied,
    dice,
    ints,
    open_guard,
)
from trader_core.domain.clocktime import DAY_MS
from trader_core.rulebook import codes
from trader_core.rulebook.codes import (
    ACTIVE,
    BY_SIGNAL,
    CANCEL,
    ENTRY,
    EXIT,
    FILLED,
    KIND,
    LOTS,
    PLACE,
    REASON,
    REDUCING,
    STANDING,
    STOP,
    TRIGGER,
    Verdict,
)
from trader_core.rulebook.exits import is_sellable, levels
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import PPM, less
from trader_core.rulebook.state import Columns, Guard, Plan, State, empty_plan, empty_state
from trader_core.rulebook.turn import conviction_of, step_turn


class Before(NamedTuple):
    """A world on the eve of a turn."""

    law: Law
    guard: Guard
    state: State
    columns: Columns


def eve(die: Dice) -> Before:
    """Nobody waits for a slot: what is judged is what is proposed."""
    law = die.law()
    columns = die.columns(law)
    state = die.state(law, columns)
    state.queue[:], state.clock[codes.QUEUED] = 0, 0
    return Before(law, die.guard(), state, columns)


eves = dice.map(eve)


def turned(world: Before, t: int = 0, state: State | None = None) -> tuple[State, Plan]:
    """The state after one turn, and what it asked for; the world stays as it was."""
    after, plan = copied(state or world.state), empty_plan(COUNT, STRATEGY_COUNT)
    step_turn(world.law, world.guard, after, world.columns, t, plan)
    return after, plan


def sellable(world: Before, prices: Sequence[int]) -> Array:
    """Which positions are no dust at these prices."""
    rows = zip(world.state.lots.tolist(), prices, strict=True)
    return np.array([is_sellable(world.law, i, lots, max(int(price), 1)) for i, (lots, price) in enumerate(rows)])


def protectable(world: Before, after: State) -> Array:
    """Which positions a stop can rest for."""
    held = np.flatnonzero(world.state.lots > 0).tolist()
    return sellable(world, [int(levels(world.law, after, i).stop) if i in held else 0 for i in range(COUNT)])


def asked(plan: Plan) -> list[tuple[int, int, int]]:
    """(CANCEL or PLACE, instrument, slot), in order."""
    return [(action, i, slot) for action, i, slot in plan.actions[: plan.asked[0]].tolist()]


@given(eves, st.sampled_from([REDUCING, STANDING]))
@examples(120)
def test_halted_entries_go_stops_stay_and_every_proposal_is_refused(world: Before, halted: int) -> None:
    """Standing, nothing is sold either; an exit that is out already may finish. Reducing sells as ever."""
    world = world._replace(guard=world.guard._replace(forced=np.zeros_like(world.guard.forced)))
    active, _ = turned(world._replace(guard=world.guard._replace(halted=ACTIVE)))
    world = world._replace(guard=world.guard._replace(halted=halted))
    after, plan = turned(world)
    legal = {(CANCEL, ENTRY), (CANCEL, STOP), (PLACE, STOP)} | ({(PLACE, EXIT)} if halted == REDUCING else set())
    assert {(action, slot) for action, _, slot in asked(plan)} <= legal
    known = world.guard.unknown == 0
    assert not after.orders[known, ENTRY].any()
    if halted == REDUCING:
        assert np.array_equal(after.orders[:, [EXIT, STOP]], active.orders[:, [EXIT, STOP]])
    else:
        assert np.array_equal(after.orders[:, EXIT], world.state.orders[:, EXIT])
    leaving = after.orders[:, EXIT, KIND] != 0
    held = known & ~leaving & (world.state.lots > 0) & protectable(world, after)
    assert (after.orders[held, STOP, LOTS] - after.orders[held, STOP, FILLED] == world.state.lots[held]).all()
    assert bytes_of(after.lots, after.cash) == bytes_of(world.state.lots, world.state.cash)
    assert set(plan.verdict.tolist()) <= {codes.NEVER, Verdict.HALTED}
    proposed = world.columns.enter[:, 0].any(axis=0) & (world.state.clock[codes.DECIDED_MS] < world.columns.at_ms[0])
    assert ((plan.verdict == Verdict.HALTED) == (proposed & (world.guard.barred == 0))).all()


@given(eves, st.sampled_from([ACTIVE, REDUCING, STANDING]))
@examples(100)
def test_what_is_ordered_closed_is_sold_whole_and_at_once_whatever_else_holds(world: Before, halted: int) -> None:
    world = world._replace(guard=world.guard._replace(halted=halted))
    state, guard = world.state, world.guard
    after, _ = turned(world)
    can = (state.lots > 0) & (guard.unknown == 0) & (world.columns.bid[0] > 0) & (state.orders[:, EXIT, KIND] == 0)
    can &= world.columns.shut[0] == 0
    limits = [less(int(bid), world.law.orders.band_ppm) for bid in world.columns.bid[0]]
    ordered = can & (guard.forced != 0) & sellable(world, limits)
    assert (after.orders[ordered, EXIT, LOTS] == state.lots[ordered]).all()
    assert (after.orders[ordered, EXIT, codes.REASON] == codes.BY_LIQUIDATION).all()
    assert not after.orders[ordered, STOP].any()
    if halted == STANDING:
        assert not after.orders[can & (guard.forced == 0), EXIT].any()


def paused(guard: Guard, i: int) -> Guard:
    return guard._replace(paused=1)


def banned(guard: Guard, i: int) -> Guard:
    return guard._replace(banned_ms=changed(guard.banned_ms, i, NOON_MS + 1))


def barred(guard: Guard, i: int) -> Guard:
    return guard._replace(barred=changed(guard.barred, i, 1))


@pytest.mark.parametrize("close", [paused, banned, barred], ids=lambda one: one.__name__)
def test_what_is_paused_banned_or_barred_buys_nothing_keeps_no_entry_and_leaves_as_ever(
    close: Callable[[Guard, int], Guard],
) -> None:
    canceled = 0

    @given(eves, st.integers(0, COUNT - 1))
    @examples(80)
    def holds(world: Before, i: int) -> None:
        nonlocal canceled
        allowed, _ = turned(world._replace(guard=open_guard()))
        after, plan = turned(world._replace(guard=close(open_guard(), i)))
        assert after.orders[i, ENTRY, KIND] == 0
        assert plan.verdict[i] == codes.NEVER or (
            Verdict.OK < plan.verdict[i] <= Verdict.BANNED and close is not barred
        )
        assert np.array_equal(after.orders[i, [EXIT, STOP]], allowed.orders[i, [EXIT, STOP]])
        canceled += (CANCEL, i, ENTRY) in asked(plan)

    holds()
    assert canceled > 3, "an entry that was resting must be among the examples"


@given(eves)
@examples(100)
def test_an_instrument_with_an_order_of_unknown_fate_is_left_alone(world: Before) -> None:
    after, plan = turned(world)
    doubtful = set(np.flatnonzero(world.guard.unknown).tolist())
    assert not {i for _, i, _ in asked(plan)} & doubtful
    for i in doubtful:
        assert np.array_equal(after.orders[i], world.state.orders[i])
        assert plan.verdict[i] in (codes.NEVER, Verdict.HALTED, Verdict.PAUSED, Verdict.UNRESOLVED)


@given(eves)
@examples(100)
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
@examples(120)
def test_every_position_is_being_sold_or_has_one_stop_for_all_of_it(world: Before) -> None:
    world = world._replace(guard=open_guard())
    after, plan = turned(world)
    for i in range(COUNT):
        stop, leaving = after.orders[i, STOP], after.orders[i, EXIT, KIND] != 0
        if after.orders[i, EXIT, REASON] == codes.BY_PARTIAL:
            assert stop[LOTS] - stop[FILLED] == world.state.lots[i] - after.orders[i, EXIT, LOTS] > 0
        elif world.state.lots[i] == 0 or leaving:
            assert stop[KIND] == 0 or world.state.orders[i, EXIT, KIND] != 0
        elif protectable(world, after)[i]:
            assert stop[KIND] == codes.STOP_MARKET
            assert stop[LOTS] - stop[FILLED] == world.state.lots[i]
            assert stop[TRIGGER] == levels(world.law, after, i).stop > 0
    slots = [(i, slot) for action, i, slot in asked(plan) if action == PLACE]
    assert len(slots) == len(set(slots))


@given(eves)
@examples(120)
def test_no_order_stands_before_its_predecessor_is_canceled(world: Before) -> None:
    after, plan = turned(world)
    free = {(i, slot) for i in range(COUNT) for slot in range(3) if world.state.orders[i, slot, KIND] == 0}
    for action, i, slot in asked(plan):
        assert ((i, slot) in free) == (action == PLACE)
        free ^= {(i, slot)}
    assert free == {(i, slot) for i in range(COUNT) for slot in range(3) if after.orders[i, slot, KIND] == 0}


@given(eves)
@examples(120)
def test_exits_and_stops_are_the_same_whatever_the_entries_do(world: Before) -> None:
    silent = world.columns._replace(enter=np.zeros_like(world.columns.enter))
    with_entries, plan = turned(world)
    without, quiet = turned(world._replace(columns=silent))
    assert [one for one in asked(plan) if one[2] != ENTRY] == [one for one in asked(quiet) if one[2] != ENTRY]
    assert np.array_equal(with_entries.orders[:, [EXIT, STOP]], without.orders[:, [EXIT, STOP]])
    unpriced = world.state._replace(known=np.zeros(1, np.int64))  # equity unknown closes entries, never an exit
    blind, _ = turned(world, state=unpriced)
    if world.law.halts.on_trip != codes.FLATTEN:  # no loss of an unknown equity trips
        assert np.array_equal(with_entries.orders[:, [EXIT, STOP]], blind.orders[:, [EXIT, STOP]])


@given(eves)
@examples(100)
def test_what_is_being_sold_is_not_bought_on(world: Before) -> None:
    after, plan = turned(world)
    for action, i, slot in asked(plan):
        if (action, slot) == (PLACE, EXIT):
            assert after.orders[i, ENTRY, KIND] == 0
            assert (CANCEL, i, ENTRY) in asked(plan) or world.state.orders[i, ENTRY, KIND] == 0


@given(eves)
@examples(100)
def test_an_entry_placed_before_its_asset_was_sold_is_canceled(world: Before) -> None:
    world = world._replace(guard=open_guard())
    _, plan = turned(world)
    for i in range(COUNT):
        entry, sold_ms = world.state.orders[i, ENTRY], world.state.exit_ms[world.law.instruments.asset[i]]
        if entry[KIND] != 0 and sold_ms > entry[codes.PLACED_MS]:
            assert (CANCEL, i, ENTRY) in asked(plan)


@given(eves)
@examples(100)
def test_a_turn_enters_no_more_than_a_cycle_and_a_strategy_may(world: Before) -> None:
    pacing, most = world.law.pacing._replace(per_cycle=2), ints(1, 2)
    law = world.law._replace(pacing=pacing, strategies=world.law.strategies._replace(max_trades=most))
    after, plan = turned(world._replace(law=law))
    new = [
        i for i in np.flatnonzero(plan.verdict == Verdict.OK).tolist() if after.orders[i, ENTRY, REASON] == BY_SIGNAL
    ]
    chosen = [int(plan.chosen[i]) for i in new]
    assert [chosen.count(s) for s in range(STRATEGY_COUNT)] == plan.entered.tolist()
    assert len(new) <= 2
    assert (plan.entered <= most).all()
    counted = after.clock[codes.DAY_ENTRIES] - (
        world.state.clock[codes.DAY_ENTRIES]
        if world.state.clock[codes.ENTRY_DAY] == after.clock[codes.ENTRY_DAY]
        else 0
    )
    assert not new or counted == len(new)


# --- what a position meets on its way -------------------------------------------------------------------------


def held_bitcoin(trailing_ppm: int = 0) -> Before:
    """A position at 100,000 ticks with a stop a twentieth below, nothing proposed and nobody in the way."""
    world = sold_bitcoin(codes.BY_SIGNAL)
    law = world.law._replace(orders=world.law.orders._replace(trailing_ppm=trailing_ppm))
    columns = world.columns._replace(enter=np.zeros_like(world.columns.enter))
    state = world.state
    state.exit_ms[:] = codes.NEVER
    state.lots[0], state.cost[0], state.strategy[0] = 10**6, 10**6 * 10**6 // 100, 0
    state.stop_bps[0], state.target_bps[0], state.opened_ms[0] = 500, 0, columns.at_ms[0]
    return Before(law, world.guard, state, columns)


def at_bid(world: Before, bid: int, ms_later: int = 0) -> Before:
    columns = world.columns
    moved: dict[str, Any] = {name: np.full_like(columns.bid, bid) for name in ("close", "bid", "ask")}
    return world._replace(columns=columns._replace(**moved, at_ms=columns.at_ms + ms_later))


@given(st.lists(st.integers(900_000, 2_000_000), min_size=2, max_size=12), st.sampled_from([1, 10_000, 100_000]))
@examples(60)
def test_a_trailing_stop_only_rises_and_follows_the_highest_bid(bids: list[int], trailing_ppm: int) -> None:
    world = held_bitcoin(trailing_ppm=trailing_ppm)
    state, before, highest = world.state, 0, 0
    fixed = -(-(10**6) * 9_500 // 10_000)
    for bid in bids:
        state, _ = turned(at_bid(world, bid), state=state)
        highest = max(highest, bid)
        assert state.peak[0] == highest
        if state.orders[0, EXIT, KIND]:
            assert bid <= max(fixed, highest * (PPM - trailing_ppm) // PPM)
            return
        trigger = int(state.orders[0, STOP, TRIGGER])
        assert trigger == max(fixed, highest * (PPM - trailing_ppm) // PPM) >= before
        expected = codes.BY_TRAILING if trigger > fixed else codes.BY_STOP
        assert state.orders[0, STOP, REASON] == expected
        before = trigger


def reason_at(world: Before, bid: int, ms_later: int = 0) -> int:
    """Why the position is sold; 0 where it is kept."""
    after, _ = turned(at_bid(world, bid, ms_later))
    return int(after.orders[0, EXIT, REASON])


def test_each_reason_to_sell_has_its_own_edge() -> None:
    world = held_bitcoin()
    assert [reason_at(world, bid) for bid in (950_001, 950_000)] == [0, codes.BY_STOP]
    world.state.target_bps[0] = 1_000
    assert [reason_at(world, bid) for bid in (1_099_999, 1_100_000)] == [0, codes.BY_TARGET]
    world.state.hold_ms[0] = 3_600_000
    assert [reason_at(world, 10**6, later) for later in (3_599_999, 3_600_000)] == [0, codes.BY_TIME]
    world.columns.leave[0, 0, 0] = 1
    assert reason_at(world, 10**6) == codes.BY_SIGNAL
    assert reason_at(world, 0) == 0, "without a bid there is nobody to sell to"
    trailing = held_bitcoin(trailing_ppm=100_000)
    trailing.state.peak[0] = 2_000_000
    assert [reason_at(trailing, bid) for bid in (1_800_001, 1_800_000)] == [0, codes.BY_TRAILING]


def test_what_stands_above_its_cap_is_trimmed_and_a_stop_for_the_rest_stays() -> None:
    """A tenth of the equity is held. Of a cap of eight hundredths a fifth is too much, and one lot goes with it."""
    world = held_bitcoin()
    world.state.cash[0] = 9 * 10**10
    law = world.law._replace(exits=world.law.exits._replace(trim_ppm=1))
    for share, sold in ((0.25, 0), (0.1, 0), (0.08, 200_001)):
        after, _ = turned(world._replace(law=law._replace(risk=law.risk._replace(max_asset=share))))
        assert after.orders[0, EXIT, [LOTS, REASON]].tolist() == [sold, codes.BY_TRIM if sold else 0]
        assert after.orders[0, STOP, LOTS] == 10**6 - sold


def test_what_the_universe_has_no_place_for_is_sold_when_its_time_is_over_and_forgiven_when_it_is_back() -> None:
    world = held_bitcoin()
    law = world.law._replace(exits=world.law.exits._replace(purge_ms=60_000))
    out, back = barred(world.guard, 0), world.guard
    world, begun = world._replace(law=law), int(world.columns.at_ms[0])
    state, _ = turned(world._replace(guard=out))
    assert state.outcast_ms.tolist() == [begun] + [codes.NEVER] * (COUNT - 1)
    for guard, later, since, reason in (
        (out, 59_999, begun, 0), (out, 60_000, begun, codes.BY_PURGE), (back, 60_000, codes.NEVER, 0),
    ):  # fmt: skip
        after, _ = turned(at_bid(world._replace(guard=guard), 10**6, later), state=state)
        assert (after.outcast_ms[0], after.orders[0, EXIT, REASON]) == (since, reason)


def test_what_a_shut_market_kept_from_being_sold_comes_first_when_it_opens() -> None:
    """The first reason stays, though another one or none holds by then."""
    world = held_bitcoin()
    world.state.target_bps[0] = 1_000
    shut = world._replace(columns=world.columns._replace(shut=np.ones_like(world.columns.shut)))
    state, _ = turned(at_bid(shut, 950_000))
    assert state.deferred[0] == codes.BY_STOP and not state.orders[0, EXIT, KIND]
    state, _ = turned(at_bid(shut, 1_100_000, 1), state=state)
    assert state.deferred[0] == codes.BY_STOP
    state, _ = turned(at_bid(world, 1_000_000, 2), state=state)
    assert state.orders[0, EXIT, [LOTS, REASON]].tolist() == [10**6, codes.BY_STOP]


def test_no_part_is_sold_first_where_all_of_it_has_to_go() -> None:
    """Nor is what waits for its market to open a part, once the stop is met."""
    world = held_bitcoin()
    exits = world.law.exits._replace(partial_ppm=50_000, partial_share_ppm=300_000, purge_ms=60_000)
    halts = world.law.halts._replace(on_trip=codes.FLATTEN)
    world = at_bid(world._replace(law=world.law._replace(exits=exits, halts=halts)), 1_100_000)
    begun = int(world.columns.at_ms[0])
    for machine, since, deferred, bid, reason, sold in (
        (codes.ARMED, codes.NEVER, 0, 1_100_000, codes.BY_PARTIAL, 300_000),
        (codes.TRIPPED, codes.NEVER, 0, 1_100_000, codes.BY_TRIP, 10**6),
        (codes.ARMED, begun - 60_000, 0, 1_100_000, codes.BY_PURGE, 10**6),
        (codes.ARMED, codes.NEVER, codes.BY_PARTIAL, 950_000, codes.BY_STOP, 10**6),
        (codes.ARMED, codes.NEVER, codes.BY_PARTIAL, 1_000_000, codes.BY_PARTIAL, 300_000),
    ):
        state = copied(world.state)
        state.halt[codes.HALT], state.outcast_ms[0], state.deferred[0] = machine, since, deferred
        after, _ = turned(at_bid(world._replace(guard=barred(open_guard(), 0)), bid), state=state)
        assert after.orders[0, EXIT, [LOTS, REASON]].tolist() == [sold, reason]


def test_a_stop_that_was_filled_in_part_is_right_for_what_is_left() -> None:
    world = held_bitcoin()
    state, _ = turned(world)
    state.orders[0, STOP, FILLED], state.lots[0], state.cost[0] = 10**5, 9 * 10**5, 9 * 10**9
    _, plan = turned(world, state=state)
    assert asked(plan) == []
    state.lots[0], state.cost[0] = 11 * 10**5, 11 * 10**9
    _, plan = turned(world, state=state)
    assert asked(plan) == [(CANCEL, 0, STOP), (PLACE, 0, STOP)]


def worked(max_reprices: int, fallback: int, filled: float = 0.0) -> list[tuple[int, int, int]]:
    """(kind, reason, tries) of an entry of which so much fills at first and then no more, turn by turn, until nothing
    of it is left."""
    world = sold_bitcoin(codes.BY_SIGNAL)
    orders = world.law.orders._replace(maker_ttl_ms=BAR_MS, max_reprices=max_reprices, fallback=fallback)
    world = world._replace(law=world.law._replace(orders=orders))
    state, seen = world.state, []
    for n in range(8):
        enter = world.columns.enter.copy()
        enter[...] = 0
        enter[0, 0, 2] = n == 0
        columns = at_bid(world, 10**6 + n, n * BAR_MS).columns._replace(enter=enter)
        state, plan = turned(world._replace(columns=columns), state=state)
        order = state.orders[2, ENTRY]
        if order[KIND] and (PLACE, 2, ENTRY) in asked(plan):
            assert order[codes.LIMIT] >= 10**6 + n - 1, "repriced at the new bid"
            seen.append((int(order[KIND]), int(order[REASON]), int(order[codes.TRIES])))
            order[LOTS] -= order[LOTS] % 100
            order[FILLED] = round(filled * order[LOTS])
        if order[KIND] == codes.TAKER:
            break
    return seen


def test_what_is_left_of_a_maker_is_repriced_so_often_and_then_taken_or_let_go() -> None:
    maker, taker = codes.MAKER, codes.TAKER
    assert worked(0, 1) == [(maker, BY_SIGNAL, 0), (taker, codes.BY_FALLBACK, 1)]
    again = [(maker, codes.BY_REPRICE, 1), (maker, codes.BY_REPRICE, 2)]
    assert worked(2, 1) == [(maker, BY_SIGNAL, 0), *again, (taker, codes.BY_FALLBACK, 3)]
    assert worked(1, 0) == [(maker, BY_SIGNAL, 0), again[0]]


def test_v12_nine_tenths_of_an_entry_are_enough() -> None:
    maker, taker = codes.MAKER, codes.TAKER
    assert worked(0, 1, 0.89) == [(maker, BY_SIGNAL, 0), (taker, codes.BY_FALLBACK, 1)]
    assert worked(0, 1, 0.90) == [(maker, BY_SIGNAL, 0)]


def test_a_maker_never_stands_at_the_ask() -> None:
    """A post-only order there is turned away, and where bid and ask are one price the bid is the ask."""
    world = sold_bitcoin(codes.BY_SIGNAL)
    world = world._replace(law=world.law._replace(orders=world.law.orders._replace(maker_ttl_ms=BAR_MS)))
    after, _ = turned(world)
    assert after.orders[2, ENTRY, codes.LIMIT] == world.columns.ask[0, 2] - 1


def test_a_stop_rests_with_its_trigger_and_no_other_terms_and_an_exit_until_the_bar_ends() -> None:
    """No limit, no end, and nothing of an entry's."""
    world = held_bitcoin()
    now, fields = int(world.columns.at_ms[0]), len(turned(world)[0].orders[0, STOP])
    stop = dict(zip(range(fields), turned(world)[0].orders[0, STOP].tolist(), strict=True))
    assert stop == dict.fromkeys(range(fields), 0) | {
        KIND: codes.STOP_MARKET, LOTS: 10**6, TRIGGER: 950_000, codes.PLACED_MS: now, codes.EXPIRES_MS: codes.NEVER,
        REASON: codes.BY_STOP,
    }  # fmt: skip
    sold, _ = turned(at_bid(world, 900_000))
    left = dict(zip(range(fields), sold.orders[0, EXIT].tolist(), strict=True))
    assert left == dict.fromkeys(range(fields), 0) | {
        KIND: codes.TAKER, LOTS: 10**6, codes.LIMIT: 900_000, TRIGGER: 950_000, codes.PLACED_MS: now,
        codes.EXPIRES_MS: now + BAR_MS, REASON: codes.BY_STOP,
    }  # fmt: skip


def test_more_of_a_position_is_sized_by_the_stop_that_it_has() -> None:
    """Whatever stop the one who adds proposes; of a new position, that one counts."""

    def bought(held: bool, proposed_bps: int) -> int:
        world = sold_bitcoin(codes.BY_SIGNAL)
        world.state.exit_ms[:] = codes.NEVER
        world.columns.enter[:] = 0
        world.columns.enter[0, 0, 2], world.columns.stop_bps[0, 0, 2] = 1, proposed_bps
        if held:
            world.state.lots[2], world.state.strategy[2], world.state.stop_bps[2] = 1, 0, 1_000
        sizing, pacing = world.law.sizing._replace(max_stop_loss=0.001), world.law.pacing._replace(adds_allowed=1)
        after, _ = turned(world._replace(law=world.law._replace(sizing=sizing, pacing=pacing)))
        return int(after.orders[2, ENTRY, LOTS])

    assert bought(True, 1_000) == bought(True, 200) == bought(True, 5_000) > 0
    assert bought(False, 500) == 2 * bought(False, 1_000) > bought(False, 5_000) > 0


def test_the_most_convinced_proposal_comes_first_and_of_equals_the_first() -> None:
    world = sold_bitcoin(codes.BY_SIGNAL)
    world.state.exit_ms[:] = codes.NEVER
    world = world._replace(law=world.law._replace(pacing=world.law.pacing._replace(per_cycle=1)))
    for convictions, expected in (
        ([[0.5] * 4, [0.5] * 4], (0, 0)), ([[0.5] * 4, [0.5, 0.5, 0.6, 0.5]], (2, 1)), ([[0.4] * 4, [0.5] * 4], (0, 1)),
        ([[0.4, 0.7, 0.4, 0.7], [0.5] * 4], (1, 0)),
    ):  # fmt: skip
        world.columns.conviction[:, 0] = np.array(convictions)
        _, plan = turned(world)
        entered = np.flatnonzero(plan.verdict == Verdict.OK).tolist()
        assert [(i, int(plan.chosen[i])) for i in entered] == [expected]


def test_who_waits_and_may_not_be_bought_any_more_leaves_the_queue_and_is_not_judged() -> None:
    world = waiting(1, 2)
    world.guard.barred[1] = 1
    after, plan = turned(world)
    assert plan.verdict.tolist() == [codes.NEVER, codes.NEVER, Verdict.OK, codes.NEVER]
    assert after.clock[codes.QUEUED] == 0


def test_who_waits_and_was_judged_in_this_turn_already_leaves_the_queue() -> None:
    """What is left of its own entry came first."""
    world = waiting(2, 2)
    world.state.orders[2, ENTRY, [KIND, LOTS, codes.LIMIT]] = codes.MAKER, 10**6, 10**6
    after, plan = turned(world)
    assert [one for one in asked(plan) if one[1:] == (2, ENTRY)] == [(CANCEL, 2, ENTRY), (PLACE, 2, ENTRY)]
    assert after.orders[2, ENTRY, REASON] == codes.BY_REPRICE
    assert after.clock[codes.QUEUED] == 0


def test_nobody_s_turn_comes_while_no_slot_is_free() -> None:
    world = waiting(1, 2)
    world.state.lots[[0, 3]], world.state.strategy[[0, 3]] = 10**6, 0
    for slots, left in ((2, 2), (3, 1), (4, 0)):
        after, plan = turned(world._replace(law=world.law._replace(risk=world.law.risk._replace(max_positions=slots))))
        assert after.clock[codes.QUEUED] == left
        assert np.flatnonzero(plan.verdict >= 0).tolist() == [1, 2][: 2 - left]
        assert after.queue[:left, codes.W_INSTRUMENT].tolist() == [1, 2][2 - left :]


def test_who_waited_is_bought_on_the_terms_it_was_deferred_with() -> None:
    """Half of the convinced size, as its tier and regime gave it then, at today's price."""
    whole, half = waiting(1), waiting(1)
    half.state.queue[0, codes.W_SCALE_PPM] = 500_000
    orders = [turned(world)[0].orders[1, ENTRY] for world in (whole, half)]
    assert orders[0][LOTS] // 2 == orders[1][LOTS] > 0
    for order in orders:
        assert order[[codes.STRATEGY, codes.STOP_BPS, codes.TARGET_BPS, codes.HOLD_MS]].tolist() == [1, 700, 900, 3_600]
        assert order[REASON] == BY_SIGNAL
    doubtful = waiting(1)
    doubtful.state.queue[0, codes.W_CONVICTION_PPM] = 250_000
    _, plan = turned(doubtful)
    assert plan.verdict[1] == Verdict.CONVICTION, "0.25 of the 0.3 that its strategy asks for"
    assert plan.trace[1, Verdict.CONVICTION - 1, 0] == 25.0


def test_who_waited_is_bought_at_half_the_size_on_a_day_that_lost_as_much_as_halves_it() -> None:
    calm, bad = waiting(1), waiting(1)
    day = int(bad.columns.at_ms[0]) // DAY_MS
    bad.state.clock[[codes.DAY, codes.DAY_OPEN, codes.DAY_LOW]] = day, 104 * 10**4 * E8, 10**6 * E8
    bad = bad._replace(law=bad.law._replace(risk=bad.law.risk._replace(halve_at_day_loss=0.03)))
    orders = [turned(world)[0].orders[1, ENTRY] for world in (calm, bad)]
    assert orders[0][LOTS] // 2 == orders[1][LOTS] > 0


def test_who_has_waited_for_too_long_is_forgotten_before_anybody_is_judged() -> None:
    world = waiting(1, 2)
    law = world.law._replace(risk=world.law.risk._replace(max_wait_ms=60_000))
    world.state.queue[0, codes.W_SINCE_MS] -= 60_001
    world.state.queue[1, codes.W_SINCE_MS] -= 60_000
    after, plan = turned(world._replace(law=law))
    assert np.flatnonzero(plan.verdict != codes.NEVER).tolist() == [2]
    assert after.clock[codes.QUEUED] == 0


def waiting(*who: int) -> Before:
    """Nobody is proposed, and these wait for a slot."""
    world = sold_bitcoin(codes.BY_SIGNAL)
    world.state.exit_ms[:] = codes.NEVER
    columns = world.columns._replace(enter=np.zeros_like(world.columns.enter))
    for n, i in enumerate(who):
        world.state.queue[n, : codes.W_SINCE_MS] = (i, 1, 800_000, 1_000_000, 700, 900, 3_600)
        world.state.queue[n, codes.W_SINCE_MS] = columns.at_ms[0]
    world.state.clock[codes.QUEUED] = len(who)
    return world._replace(columns=columns)


def test_of_a_hundred_proposals_only_those_who_enter_are_asked_how_convinced_they_are() -> None:
    """The conviction of a strategy that does not enter says nothing."""
    world = sold_bitcoin(codes.BY_SIGNAL)
    world.columns.enter[0, 0, 2], world.columns.conviction[:, 0, 2] = 0, (0.9, 0.4)
    assert conviction_of(world.columns, 0, 2) == 0.4
    world.columns.enter[0, 0, 2] = 1
    assert conviction_of(world.columns, 0, 2) == 0.9


# --- T2: an asset rests under every pair that trades it -----------------------------------------------------


def sold_bitcoin(reason: int, won: int = 0) -> Before:
    """Calm everywhere, as where the gates stand alone; BTC was sold now, and every instrument is proposed."""
    scene = base()
    law, columns, state = scene.law, scene.columns, empty_state(COUNT, len(AXES.assets), len(AXES.strategies))
    law = law._replace(
        costs=law.costs._replace(
            maker_fee_ppm=0, taker_fee_ppm=0, half_spread_ppm=0,
            slippage=law.costs.slippage._replace(base_ppm=np.zeros(4, np.int64)),
        ),
        risk=law.risk._replace(max_total=1.0, max_asset=0.1, max_positions=5, max_day_loss=0.5),
        liquidity=law.liquidity._replace(min_notional=1, min_edge_ppm=0),
        pacing=law.pacing._replace(
            per_cycle=9, per_hour=9, spacing_ms=0, asset_spacing_ms=0, cooldown_win_ms=600_000,
            cooldown_loss_ms=1_800_000, cooldown_stop_ms=7_200_000,
        ),
        orders=law.orders._replace(maker_ttl_ms=0, band_ppm=0, position=np.full(4, 0.05)),
        strategies=law.strategies._replace(max_trades=ints(9, 9)),
        market=law.market._replace(scale=np.ones(5)),
        sizing=law.sizing._replace(doubtful_scale=1.0),
        exits=law.exits._replace(default_target_bps=0),
    )  # fmt: skip
    flat = np.full_like(columns.close, 10**6)
    columns = columns._replace(close=flat, bid=flat.copy(), ask=flat.copy())
    state.cash[0], state.known[0] = 10**6 * E8, 1
    asset = AXES.assets.index("BTC")
    state.exit_ms[asset], state.exit_reason[asset], state.exit_won[asset] = columns.at_ms[0], reason, won
    return Before(law, open_guard(), state, columns)


def refused(plan: Plan, verdict: Verdict) -> set[str]:
    return {one.symbol for i, one in enumerate(AXES.instruments) if plan.verdict[i] == verdict}


def at_minute(world: Before, minute: int) -> Plan:
    later: Array = world.columns.at_ms + 60_000 * minute
    return turned(world._replace(columns=world.columns._replace(at_ms=later)))[1]


def test_a_sale_blocks_re_entry_under_any_quote_until_the_cooldown_of_its_outcome_is_over() -> None:
    stop, target, trailing = codes.BY_STOP, codes.BY_TARGET, codes.BY_TRAILING
    outcomes = ((target, 1, 10), (target, 0, 30), (trailing, 1, 10), (trailing, 0, 30), (stop, 0, 120), (stop, 1, 120))
    for reason, won, minutes in outcomes:
        world = sold_bitcoin(reason, won)
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
