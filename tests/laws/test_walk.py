"""The small steps of a walk: what it notes, where it looks next, and when it must not coast."""

from typing import Any

import numpy as np
import pytest

from tests.laws.test_turn import held_bitcoin, turned
from tests.laws.worlds import ints
from trader_core.domain.clocktime import DAY_MS
from trader_core.rulebook import codes
from trader_core.rulebook.codes import BUSY, FILL_FIELDS, FLIP, FLOW, HELD, NEVER, STOP
from trader_core.rulebook.state import Journey, empty_plan, empty_tape
from trader_core.rulebook.walk import FILLED as NOTED
from trader_core.rulebook.walk import (
    coast_end,
    note_fills,
    step_busy,
    step_flipped,
    step_flows,
    step_held,
    step_next,
)

COUNT = 4


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


def test_a_coast_ends_before_the_first_of_a_day_a_deposit_a_cooldown_and_a_time_to_leave() -> None:
    world, path = held_bitcoin(), journey(held=np.array([[0, 0, 1, 9], [2, 0, 1, 9]]))
    state, columns, minute = world.state, world.columns, 60_000
    columns = columns._replace(at_ms=columns.at_ms[0] + minute * np.arange(2000))
    state.known[0], state.clock[codes.EQUITY] = 1, 5
    midnight = (DAY_MS - int(columns.at_ms[0]) % DAY_MS) // minute
    state.opened_ms[[0, 2]] = columns.at_ms[0]

    def end(t: int = 1, until: int = 1_999) -> int:
        return int(coast_end(state, columns, path, minute, 2, t, until))

    assert (end(), end(until=40), end(t=40, until=40)) == (midnight, 40, 40)
    state.hold_ms[2] = 30 * minute
    assert end() == 30, "who has no such time is not asked to leave"
    state.halt[codes.HALT], state.halt[codes.UNTIL_MS] = codes.COOLING_DOWN, columns.at_ms[20]
    assert end() == 20
    state.halt[codes.HALT] = codes.TRIPPED
    assert end() == 30, "a trip ends by no clock"
    path.next[FLOW], later = 0, path._replace(flows=np.array([[7, 1]]))
    assert int(coast_end(state, columns, later, minute, 2, 1, 1_999)) == 7
    for stop in ("known", "equity", "queue"):
        state.known[0], state.clock[codes.EQUITY] = stop != "known", 0 if stop == "equity" else 5
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
