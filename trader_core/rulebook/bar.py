"""What one bar does to the open orders of a replay: the fill model applied to the State."""

from trader_core.rulebook import rule
from trader_core.rulebook.account import moment, step_fill
from trader_core.rulebook.codes import (
    ENTRY,
    EXIT,
    FILLED,
    HOLD_MS,
    KIND,
    LIMIT,
    LOTS,
    MAKER,
    PLACED_MS,
    REASON,
    STOP,
    STOP_BPS,
    STOP_MARKET,
    STRATEGY,
    TAKER,
    TARGET_BPS,
    TRIGGER,
)  # fmt: skip
from trader_core.rulebook.costs import fee_of, slippage_of
from trader_core.rulebook.limits import Ints, Law
from trader_core.rulebook.matching import meet
from trader_core.rulebook.money import value_down, value_up
from trader_core.rulebook.orders import is_open, step_close, step_progress
from trader_core.rulebook.state import Bars, Columns, State


@rule
def step_bar(law: Law, state: State, columns: Columns, bars: Bars, t: int, fills: Ints) -> int:
    """Match every open order against bar t, book the fills, write them to `fills` and return their number."""
    count = 0
    for i in range(state.lots.shape[0]):
        if is_open(state, i, ENTRY) or is_open(state, i, EXIT) or is_open(state, i, STOP):
            for turn in range(3):
                slot = slot_in_turn(state, i, turn)
                if is_open(state, i, slot):
                    count += step_match(law, state, columns, bars, t, i, slot, fills, count)
    return count


@rule
def slot_in_turn(state: State, i: int, turn: int) -> int:
    """Orders meet a bar in the order of their acceptance, as at a venue: a stop is younger than the resting entry that
    made the position, and older than what completes that; of one turn, exits and stops are sent first."""
    if turn == 0:
        return EXIT
    stop_first = state.orders[i, STOP, PLACED_MS] <= state.orders[i, ENTRY, PLACED_MS]
    return STOP if (turn == 1) == stop_first else ENTRY


@rule
def step_match(
    law: Law, state: State, columns: Columns, bars: Bars, t: int, i: int, slot: int, fills: Ints, row: int
) -> int:
    order = state.orders[i, slot]
    kind, rest = order[KIND], order[LOTS] - order[FILLED]
    if kind == STOP_MARKET and bars.low[t, i] > order[TRIGGER]:
        return 0  # as `meet` would say, without looking at the rest of the bar
    close_ms, opened = moment(columns, t), bars.open[t, i]
    slippage = 0
    if kind != MAKER and law.costs.slippage.base_ppm[law.instruments.tier[i]] != 0:
        worth, before = value_up(law.instruments, i, rest, opened), columns.hour[max(t - 1, 0)]
        slippage = slippage_of(law.costs, law.instruments.tier[i], worth, columns.day_range[before, i])
    lots, ticks, at_ms = meet(
        law.costs, slippage, kind, slot == ENTRY, rest, order[LIMIT], order[TRIGGER],
        opened, bars.high[t, i], bars.low[t, i], bars.volume[t, i],
        close_ms - law.orders.bar_ms, close_ms,
    )  # fmt: skip
    if lots > 0:
        value = value_down(law.instruments, i, lots, ticks)
        if slot == ENTRY:
            value = value_up(law.instruments, i, lots, ticks)
        fee = fee_of(law.costs, kind, value)
        reason, strategy, stop_bps, target_bps = order[REASON], order[STRATEGY], order[STOP_BPS], order[TARGET_BPS]
        fills[row, 0], fills[row, 1], fills[row, 2], fills[row, 3] = i, slot, lots, ticks
        fills[row, 4], fills[row, 5], fills[row, 6], fills[row, 7] = value, fee, at_ms, reason
        fills[row, 8] = strategy
        asset = law.instruments.asset[i]
        step_fill(
            state, i, asset, slot == ENTRY, lots, value, fee, at_ms, reason, strategy, stop_bps, target_bps,
            order[HOLD_MS],
        )  # fmt: skip
        step_progress(state, i, slot, lots)
    if kind == TAKER and lots < rest:
        step_close(state, i, slot)
    return 1 if lots > 0 else 0
