"""When to leave. Exits meet no entry gate, and run every cycle, whatever the market or the entries do."""

from typing import NamedTuple

from trader_core.rulebook import rule
from trader_core.rulebook.account import moment
from trader_core.rulebook.codes import BY_SIGNAL, BY_STOP, BY_TARGET, BY_TIME, BY_TRAILING
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import less, mul_div_down, mul_div_up
from trader_core.rulebook.state import Columns, State

BPS = 10_000


class Levels(NamedTuple):
    """Prices in ticks; 0 is none."""

    stop: int  # the higher of the position's own and the one that follows the highest bid
    target: int
    reason: int  # which of the two stops it is


@rule
def average_entry(law: Law, state: State, i: int) -> int:
    """Average price paid for the held lots, in ticks, rounded down."""
    return int(mul_div_down(state.cost[i], law.instruments.den[i], law.instruments.num[i] * state.lots[i]))


@rule
def levels(law: Law, state: State, i: int) -> Levels:
    """Where a position is left. A fixed stop is rounded up: it fires earlier rather than later."""
    fixed, trailing, target = 0, 0, 0
    if state.stop_bps[i] > 0 or state.target_bps[i] > 0:
        average = average_entry(law, state, i)
        if state.stop_bps[i] > 0:
            fixed = mul_div_up(average, max(BPS - state.stop_bps[i], 0), BPS)
        if state.target_bps[i] > 0:
            target = mul_div_up(average, BPS + state.target_bps[i], BPS)
    if law.orders.trailing_ppm > 0:
        trailing = less(state.peak[i], law.orders.trailing_ppm)
    return Levels(max(fixed, trailing), target, BY_TRAILING if trailing > fixed else BY_STOP)


@rule
def stop_price(law: Law, state: State, i: int) -> int:
    """Trigger of the protective stop; 0 is none."""
    return levels(law, state, i).stop


@rule
def exit_reason(state: State, columns: Columns, t: int, i: int, at: Levels) -> int:
    """Why the position should be sold now, judged on the bid we would sell into; 0 to hold."""
    bid = columns.bid[t, i]
    if bid == 0:
        return 0
    if bid <= at.stop:
        return at.reason
    if 0 < at.target <= bid:
        return BY_TARGET
    if state.hold_ms[i] > 0 and moment(columns, t) - state.opened_ms[i] >= state.hold_ms[i]:
        return BY_TIME
    strategy = state.strategy[i]
    return BY_SIGNAL if strategy >= 0 and columns.leave[strategy, t, i] else 0
