"""Resting orders: three slots per instrument, so at most one entry, one exit and one stop can be open."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import (
    ENTRY,
    EXIT,
    EXPIRES_MS,
    FILLED,
    HOLD_MS,
    KIND,
    LIMIT,
    LOTS,
    ORDER_FIELDS,
    PLACED_MS,
    REASON,
    STOP,
    STOP_BPS,
    STRATEGY,
    TARGET_BPS,
    TRIES,
    TRIGGER,
)  # fmt: skip
from trader_core.rulebook.state import Plan, State


@rule
def is_open(state: State, i: int, slot: int) -> bool:
    return bool(state.orders[i, slot, KIND] != 0)


@rule
def is_ours(state: State, i: int) -> bool:
    """Whether anything is held or open."""
    orders = is_open(state, i, ENTRY) or is_open(state, i, EXIT) or is_open(state, i, STOP)
    return bool(state.lots[i] > 0 or orders)


@rule
def step_place(
    state: State, i: int, slot: int, kind: int, lots: int, limit: int, trigger: int, placed_ms: int,
    expires_ms: int, reason: int, strategy: int, stop_bps: int, target_bps: int, hold_ms: int, tries: int,
) -> None:  # fmt: skip
    """Open an order in its slot; from now on it is reserved at its worst price. An exit waits for no
    market any more."""
    if slot == EXIT:
        state.deferred[i] = 0
    order = state.orders[i, slot]
    order[KIND], order[LOTS], order[LIMIT], order[TRIGGER] = kind, lots, limit, trigger
    order[PLACED_MS], order[EXPIRES_MS] = placed_ms, expires_ms
    order[REASON], order[STRATEGY] = reason, strategy
    order[STOP_BPS], order[TARGET_BPS], order[HOLD_MS], order[TRIES] = stop_bps, target_bps, hold_ms, tries


@rule
def step_close(state: State, i: int, slot: int) -> None:
    """Free a slot: filled, canceled, expired or rejected."""
    for field in range(ORDER_FIELDS):
        state.orders[i, slot, field] = 0


@rule
def step_progress(state: State, i: int, slot: int, lots: int) -> None:
    """Lots filled of the order in a slot; a complete order leaves it."""
    state.orders[i, slot, FILLED] += lots
    if state.orders[i, slot, FILLED] >= state.orders[i, slot, LOTS]:
        step_close(state, i, slot)


@rule
def step_ask(plan: Plan, action: int, i: int, slot: int) -> None:
    """Note an action. There is room for every one: a turn cancels and places at most once per slot."""
    n = plan.asked[0]
    plan.actions[n, 0], plan.actions[n, 1], plan.actions[n, 2] = action, i, slot
    plan.asked[0] = n + 1
