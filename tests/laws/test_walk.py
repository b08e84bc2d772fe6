"""The small steps of a walk: what it notes, where it looks next, and when it must not coast."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from tests.laws.budget import examples
from tests.laws.test_turn import held_bitcoin, turned
from tests.laws.worlds import COUNT, STRATEGY_COUNT, Dice, bytes_of, copied, edited, ints, open_guard, randoms
from trader_core.domain.clocktime import DAY_MS
from trader_core.rulebook import codes
from trader_core.rulebook.account import step_cash, step_funding
from trader_core.rulebook.bar import step_bar
from trader_core.rulebook.codes import BUSY, FILL_FIELDS, FLIP, FLOW, HELD, NEVER, STOP
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import Bars, Journey, Plan, State, empty_plan, empty_tape
from trader_core.rulebook.turn import step_turn
from trader_core.rulebook.walk import FILLED as NOTED
from trader_core.rulebook.walk import (
    coast_end,
    has_room,
    note_fills,
    step_busy,
    step_flipped,
    step_flows,
    step_foreign,
    step_held,
    step_listings,
    step_next,
    step_row,
)

Change = Callable[[Law, State, Plan], Law]


def journey(**given: Any) -> Journey:
    """From row 0 on, with nothing ahead but what is said."""
    plain = Journey(
        coasts=1, first=0, busy=np.zeros((0, 2), np.int64), flips=ints(), listed=np.zeros(COUNT, np.int64),
        foreign=np.zeros(COUNT, np.int64), flows=np.zeros((0, 2), np.int64), next=np.array([0, 0, 0, NEVER, NEVER]),
        held=np.zeros((COUNT, 4), np.int64),
    )  # fmt: skip
    return plain._replace(**given)


def test_every_fill_of_a_bar_has_a_row_of_its_own_behind_those_before() -> None:
    tape = empty_tape(COUNT, 9)
    for t, count in ((3, 2), (4, 0), (5, 3)):
        tape.bar[:count] = np.arange(count * FILL_FIELDS).reshape(count, FILL_FIELDS) + 100 * t
        note_fills(tape, t, count)
    assert tape.used[NOTED] == 5
    assert tape.filled[:5, 0].tolist() == [3, 3, 5, 5, 5]
    assert tape.filled[:5, 1].tolist() == [300, 300 + FILL_FIELDS, 500, 500 + FILL_FIELDS, 500 + 2 * FILL_FIELDS]
    assert tape.filled[4, 1:].tolist() == [500 + 2 * FILL_FIELDS + n for n in range(FILL_FIELDS)]


def test_a_price_that_comes_or_goes_is_seen_in_its_row_and_once() -> None:
    """Also of two in one row, and of some in rows that were not walked."""
    path = journey(flips=ints(2, 3, 3, 5, 7, 8))
    assert [t for t in (0, 1, 2, 3, 4, 6, 7, 8, 9) if step_flipped(path, t)] == [0, 2, 3, 6, 7, 8]
    assert path.next[FLIP] == 6


def test_money_that_moves_is_booked_in_its_row_and_once() -> None:
    state, path = held_bitcoin().state, journey(flows=np.array([[2, 5], [2, 7], [4, -3]]))
    before, seen = int(state.cash[0]), []
    for t in (0, 2, 3, 5):
        step_flows(state, path, t)
        seen.append(int(state.cash[0]) - before)
    assert seen == [0, 12, 12, 9] and path.next[FLOW] == 3


def test_the_next_row_in_which_anybody_enters_is_looked_for_from_here_on() -> None:
    path = journey(busy=np.array([[2, 0], [2, 1], [6, 0]]))
    assert [step_next(path, t) for t in (0, 2, 3, 6)] == [2, 2, 6, 6]
    assert path.next[BUSY] == 2
    assert step_next(path, 7) == 1 << 62


def test_of_what_was_proposed_in_rows_gone_by_nothing_is_listed() -> None:
    world, plan = held_bitcoin(), empty_plan(COUNT, 2)
    world.columns.enter[:] = 1
    path = journey(busy=np.array([[0, 3], [1, 2], [2, 0], [2, 1], [4, 2]]))
    for t, listed in ((2, [0, 1]), (3, []), (4, [2])):
        columns = world.columns._replace(asked=np.zeros(9, np.int64))
        step_busy(columns, path, plan, t)
        assert plan.proposed[: plan.many[0]].tolist() == listed
    assert path.next[BUSY] == 5, "nothing is looked at twice"


def test_a_coast_ends_before_the_first_of_a_day_a_deposit_a_cooldown_and_a_time_to_leave() -> None:
    world, path = held_bitcoin(), journey(held=np.array([[0, 0, 1, 9], [2, 0, 1, 9]]))
    state, columns, minute = world.state, world.columns, 60_000
    columns = columns._replace(at_ms=columns.at_ms[0] + minute * np.arange(2000))
    state.known[0], state.clock[codes.EQUITY] = 1, 1
    midnight = (DAY_MS - int(columns.at_ms[0]) % DAY_MS) // minute
    state.opened_ms[[0, 2]] = columns.at_ms[0]

    def end(t: int = 1, until: int = 1_999) -> int:
        return int(coast_end(state, columns, path, minute, 2, t, until))

    assert (end(), end(until=40), end(t=40, until=40)) == (midnight, 40, 40)
    state.hold_ms[2] = 30 * minute
    assert end() == 30, "who has no such time is not asked to leave"
    state.hold_ms[2] += 1
    assert end() == 31, "its time is over in between"
    state.hold_ms[2] = 1
    assert end() == 1
    state.hold_ms[2] = 30 * minute
    state.halt[codes.HALT], state.halt[codes.UNTIL_MS] = codes.COOLING_DOWN, columns.at_ms[20]
    assert end() == 20
    state.halt[codes.HALT] = codes.TRIPPED
    assert end() == 30, "a trip ends by no clock"
    path.next[FLOW], later = 0, path._replace(flows=np.array([[7, 1]]))
    assert int(coast_end(state, columns, later, minute, 2, 1, 1_999)) == 7
    for stop in ("known", "equity", "queue"):
        state.known[0], state.clock[codes.EQUITY] = stop != "known", 0 if stop == "equity" else 1
        state.clock[codes.QUEUED] = stop == "queue"
        assert end() == 1, stop


@pytest.mark.parametrize(
    ("field", "value"),
    [(codes.TRIGGER, 949_999), (codes.LOTS, 10**6 - 1), (codes.KIND, 0)],
    ids=["price", "size", "none"],
)
def test_nothing_is_coasted_over_while_a_stop_is_not_where_it_belongs(field: int, value: int) -> None:
    world, path = held_bitcoin(), journey()
    law = world.law._replace(halts=world.law.halts._replace(enabled=0))
    state, plan = turned(world)
    state.halt[codes.HALT] = codes.DISABLED
    now = int(world.columns.at_ms[0])
    assert step_held(law, state, path, plan, now) == 1
    assert path.held[0].tolist() == [0, 0, 950_000, plan.levels[0, 1]]
    state.orders[0, STOP, field] = value
    assert step_held(law, state, path, plan, now) == -1
    assert path.next[HELD] == NEVER, "who asks writes it down"


@pytest.mark.parametrize("slot", [codes.ENTRY, codes.EXIT])
def test_nothing_is_coasted_over_while_an_order_is_open_that_a_bar_may_fill(slot: int) -> None:
    world = held_bitcoin()
    state, plan = turned(world)
    state.halt[codes.HALT] = codes.DISABLED
    state.orders[1, slot, codes.KIND] = codes.MAKER
    assert step_held(world.law, state, journey(), plan, int(world.columns.at_ms[0])) == -1


def with_law(group: str, **edits: Any) -> Change:
    def change(law: Law, state: State, plan: Plan) -> Law:
        return edited(law, group, getattr(law, group)._replace(**edits))

    return change


def with_state(name: str, key: Any, value: Any) -> Change:
    def change(law: Law, state: State, plan: Plan) -> Law:
        getattr(state, name)[key] = value
        return law

    return change


def both(one: Change, other: Change) -> Change:
    return lambda law, state, plan: other(one(law, state, plan), state, plan)


def stopped_at(ticks: int) -> Change:
    def change(law: Law, state: State, plan: Plan) -> Law:
        plan.levels[0, 0] = state.orders[0, STOP, codes.TRIGGER] = ticks
        return law

    return change


PURGES, FLATTENS = with_law("exits", purge_ms=1), with_law("halts", on_trip=codes.FLATTEN)
OUT = with_state("outcast_ms", 0, 0)


@pytest.mark.parametrize(
    ("change", "listed"),
    [
        (with_law("halts", max_feed_age_ms=1), -1), (with_law("exits", trim_ppm=1), -1), (PURGES, 1), (OUT, 1),
        (both(PURGES, OUT), -1), (with_state("deferred", 0, 1), -1), (with_state("deferred", 1, 1), 1),
        (FLATTENS, 1), (both(FLATTENS, with_state("halt", codes.HALT, codes.TRIPPED)), -1),
        (with_state("strategy", 0, NEVER), -1), (stopped_at(1), 1), (stopped_at(0), -1),
        (both(with_state("lots", 0, 1), with_state("orders", (0, STOP, codes.LOTS), 1)), 1),
    ],
)  # fmt: skip
def test_nothing_is_coasted_over_while_what_is_held_may_be_sold_for_no_price_of_its_own(
    change: Change, listed: int
) -> None:
    """A price too old, a cap, a place in the universe, a market that opens, a trip, nobody who would leave, no stop."""
    world = held_bitcoin()
    state, plan = turned(world)
    law = change(world.law, state, plan)
    assert step_held(law, state, journey(), plan, int(world.columns.at_ms[0])) == listed


def test_nothing_is_coasted_over_while_all_stops_together_would_lose_what_trips() -> None:
    """Two that lose at their stops and one that gains: gains make up for no loss, but are part of the equity. A
    twentieth of that is too much, and one grain of equity more makes it less than a twentieth."""
    world, path = held_bitcoin(), journey()
    law = world.law._replace(halts=world.law.halts._replace(max_open_loss_ppm=50_000))
    state, plan = turned(world)
    at_stop = {0: 900_000, 2: 700_000, 3: 1_200_000}
    for i, ticks in at_stop.items():
        state.lots[i], state.strategy[i] = 1_000 * law.instruments.den[i], i % 2
        state.cost[i] = 1_000 * 10**6 * law.instruments.num[i]
        state.orders[i, STOP, [codes.KIND, codes.LOTS, codes.TRIGGER]] = codes.STOP_MARKET, state.lots[i], ticks
        plan.levels[i] = ticks, 2_000_000 + i
    worth = {i: 1_000 * ticks * int(law.instruments.num[i]) for i, ticks in at_stop.items()}
    lost = sum(max(int(state.cost[i]) - worth[i], 0) for i in at_stop)
    now = int(world.columns.at_ms[0])
    for more, listed in ((0, -1), (1, 3)):
        state.cash[0] = 20 * lost - sum(worth.values()) + more
        assert step_held(law, state, path, plan, now) == listed
    assert path.held[:3].tolist() == [
        [0, 0, 900_000, 2_000_000], [2, 0, 700_000, 2_000_002], [3, 1, 1_200_000, 2_000_003],
    ]  # fmt: skip


# --- what a row is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "rows"), [(0, COUNT), (1, 6 * COUNT), (2, 3 * COUNT), (3, 1)])
def test_a_row_is_walked_only_where_all_that_it_can_say_fits_on_the_tape(kind: int, rows: int) -> None:
    """A verdict of each instrument, a cancel, an order and a fill of each of its slots, and the halt machine."""
    tape = empty_tape(COUNT, 9)
    room = len((tape.judged, tape.asked, tape.filled, tape.halted)[kind])
    assert has_room(tape, COUNT)
    for used, fits in ((room - rows, True), (room - rows + 1, False)):
        tape.used[kind] = used
        assert has_room(tape, COUNT) == fits


def test_what_falls_silent_is_written_off_and_not_bought_again_unless_everybody_is_silent() -> None:
    """Of four one is held and silent, and one is only ordered; all that had a price keep what they have."""
    world, guard = held_bitcoin(), open_guard()
    state, columns, path = world.state, world.columns, journey(foreign=ints(0, 0, 7, 0))
    state.lots[2], state.strategy[2], state.cost[2] = 1, 1, 500
    state.orders[:, :, codes.KIND] = 1
    before = copied(state)
    for silent in (range(COUNT), ()):
        columns.close[0] = [0 if i in silent else 10**6 for i in range(COUNT)]
        step_listings(guard, state, columns, path, 0)
        assert bytes_of(state) == bytes_of(before)
    columns.close[0] = 10**6, 0, 0, 10**6
    step_listings(guard, state, columns, path, 0)
    assert path.foreign.tolist() == [0, 0, 8, 0] and guard.barred.tolist() == [0, 0, 1, 0]
    assert state.lots.tolist() == [10**6, 0, 0, 0] and state.strategy.tolist() == [0, NEVER, NEVER, NEVER]
    assert state.orders[:, :, codes.KIND].tolist() == [[1] * 3, [0] * 3, [0] * 3, [1] * 3]
    assert state.cash[0] == before.cash[0]


def test_coins_that_are_not_ours_count_until_their_pair_is_not_listed_any_more() -> None:
    """Also those whose first price is still to come; one that has none any more counts no more."""
    world, guard = held_bitcoin(), open_guard()
    world.columns.close[0] = 0, 10**6, 0, 10**6
    step_foreign(guard, world.columns, journey(foreign=ints(5, 6, 7, 0), listed=ints(1, 0, -3, 0)), 0)
    assert guard.foreign.tolist() == [5, 6, 0, 0]


@given(randoms.map(lambda random: Dice(random, trouble=0.1)))
@examples(30)
def test_a_row_is_the_money_that_moved_what_the_bar_filled_and_the_turn_that_a_live_cycle_runs(die: Dice) -> None:
    """Both rows of a market, and what is written down of each."""
    law = die.law()
    columns = die.columns(law)
    columns.funding_ppm[:] = die.one_of((0, 1_000))
    for each in (columns.close, columns.bid, columns.ask):
        each[1] = each[0] * 101 // 100  # no coin is worth a million times as much a bar later
    bars = Bars(columns.close.copy(), columns.close + 9, columns.close * 97 // 100, np.full_like(columns.close, 10**12))
    start, guard = die.state(law, columns), die.guard()
    cells = [(t, i) for t in range(2) for i in range(COUNT) if columns.enter[:, t, i].any()]
    path = journey(busy=np.array(cells).reshape(-1, 2), flows=np.array([[0, 9], [1, -3]]), foreign=guard.foreign.copy())
    walked, live = copied(start), copied(start)
    guard = guard._replace(foreign=np.zeros(COUNT, np.int64))
    tape, plan, expected = empty_tape(COUNT, 2), empty_plan(COUNT, STRATEGY_COUNT), list[list[Any]]([[], [], [], []])
    alive = guard._replace(foreign=np.where(columns.close[0] == 0, 0, path.foreign))
    for t in range(2):
        step_row(law, guard, walked, columns, bars, path, plan, tape, t)
        told, fills = empty_plan(COUNT, STRATEGY_COUNT), np.zeros((3 * COUNT, FILL_FIELDS), np.int64)
        step_cash(live, (9, -3)[t])
        count = step_bar(law, live, columns, bars, t, fills) if t else 0
        step_funding(law.instruments, live, columns, t)
        assert step_turn(law, alive, live, columns, t, told) == tape.equity[t]
        assert bytes_of(walked, guard) == bytes_of(live, alive)
        judged, asked, filled, halted = expected
        judged += [[t, i, told.chosen[i], told.verdict[i]] for i in range(COUNT) if told.verdict[i] != NEVER]
        for action, i, slot in told.actions[: told.asked[0]].tolist():
            order = live.orders[i, slot].tolist() if action == codes.PLACE else [0] * codes.ORDER_FIELDS
            asked.append([t, action, i, slot, *order])
        filled += [[t, *fill] for fill in fills[:count].tolist()]
        machine = live.halt[[codes.HALT, codes.CAUSE_SET, codes.UNTIL_MS]]
        halted += [[t, *machine, *told.measured[1:]]] if told.measured[0] else []
    parts = (tape.judged, tape.asked, tape.filled, tape.halted)
    assert [each[:used].tolist() for each, used in zip(parts, tape.used, strict=True)] == expected
