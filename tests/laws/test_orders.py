"""The three slots of an instrument: what is placed stands there with all its terms, and nowhere else."""

import numpy as np
import pytest

from tests.laws.worlds import COUNT, STRATEGY_COUNT
from trader_core.rulebook.codes import (
    BY_PARTIAL,
    BY_STOP,
    CANCEL,
    ENTRY,
    EXIT,
    EXPIRES_MS,
    FILLED,
    HOLD_MS,
    KIND,
    LIMIT,
    LOTS,
    ORDER_FIELDS,
    PLACE,
    PLACED_MS,
    REASON,
    STOP,
    STOP_BPS,
    STRATEGY,
    TAKER,
    TARGET_BPS,
    TRIES,
    TRIGGER,
)
from trader_core.rulebook.orders import is_open, step_ask, step_close, step_place, step_progress
from trader_core.rulebook.state import State, empty_plan, empty_state

SLOTS = [ENTRY, EXIT, STOP]


def placed(slot: int, lots: int = 70) -> State:
    """One order of the third instrument, every term of it another number; every sale of it waits for its market."""
    state = empty_state(COUNT, COUNT, STRATEGY_COUNT)
    state.deferred[:] = BY_STOP
    step_place(state, 2, slot, TAKER, lots, 90, 80, 1_000, 2_000, BY_PARTIAL, 1, 500, 900, 3_600, 4)
    return state


@pytest.mark.parametrize("slot", SLOTS)
def test_an_order_stands_in_its_slot_with_all_its_terms_and_is_gone_whole(slot: int) -> None:
    state = placed(slot)
    terms = {
        KIND: TAKER, LOTS: 70, FILLED: 0, LIMIT: 90, TRIGGER: 80, PLACED_MS: 1_000, EXPIRES_MS: 2_000,
        REASON: BY_PARTIAL, STRATEGY: 1, STOP_BPS: 500, TARGET_BPS: 900, HOLD_MS: 3_600, TRIES: 4,
    }  # fmt: skip
    assert state.orders[2, slot].tolist() == [terms[field] for field in range(ORDER_FIELDS)]
    assert [is_open(state, 2, one) for one in SLOTS] == [one == slot for one in SLOTS]
    step_close(state, 2, slot)
    assert not state.orders.any() and not is_open(state, 2, slot)


@pytest.mark.parametrize("slot", SLOTS)
def test_a_sale_that_leaves_waits_for_its_market_no_more_and_all_others_do(slot: int) -> None:
    waits = [BY_STOP] * COUNT
    waits[2] = 0 if slot == EXIT else BY_STOP
    assert placed(slot).deferred.tolist() == waits


def test_an_order_leaves_its_slot_with_its_last_lot() -> None:
    state = placed(STOP)
    for lots, left in ((40, 30), (29, 1)):
        step_progress(state, 2, STOP, lots)
        assert state.orders[2, STOP, LOTS] - state.orders[2, STOP, FILLED] == left
    step_progress(state, 2, STOP, 1)
    assert not state.orders.any()


def test_a_turn_s_actions_are_told_in_their_order() -> None:
    plan = empty_plan(COUNT, STRATEGY_COUNT)
    actions = [(CANCEL, 3, STOP), (PLACE, 3, EXIT), (PLACE, 0, ENTRY)]
    for action in actions:
        step_ask(plan, *action)
    assert plan.asked[0] == len(actions)
    assert np.array_equal(plan.actions[: len(actions)], actions)
