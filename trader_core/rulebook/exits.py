"""When to leave. Exits meet no entry gate, and run every cycle, whatever the market or the entries do."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import BY_SIGNAL, BY_STOP, BY_TARGET, BY_TIME, BY_TRAILING
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import less, mul_div_down, mul_div_up
from trader_core.rulebook.state import Columns, State

BPS = 10_000


@rule
def average_entry(law: Law, state: State, i: int) -> int:
    """Average price paid for the held lots, in ticks, rounded down."""
    return int(mul_div_down(state.cost[i], law.instruments.den[i], law.instruments.num[i] * state.lots[i]))


@rule
def fixed_stop(law: Law, state: State, i: int) -> int:
    """Where the position's own stop lies, rounded up: it fires earlier rather than later. 0 is none."""
    if state.stop_bps[i] <= 0:
        return 0
    return mul_div_up(average_entry(law, state, i), max(BPS - state.stop_bps[i], 0), BPS)


@rule
def trailing_stop(law: Law, state: State, i: int) -> int:
    """Where the stop has followed the highest bid to, rounded down; 0 where it does not follow."""
    return less(state.peak[i], law.orders.trailing_ppm) if law.orders.trailing_ppm > 0 else 0


@rule
def stop_price(law: Law, state: State, i: int) -> int:
    """Trigger of the protective stop: the higher of both. 0 is none."""
    return max(fixed_stop(law, state, i), trailing_stop(law, state, i))


@rule
def stop_reason(law: Law, state: State, i: int) -> int:
    return BY_TRAILING if trailing_stop(law, state, i) > fixed_stop(law, state, i) else BY_STOP


@rule
def target_price(law: Law, state: State, i: int) -> int:
    """Where the target is reached, rounded up. 0 is none."""
    if state.target_bps[i] <= 0:
        return 0
    return mul_div_up(average_entry(law, state, i), BPS + state.target_bps[i], BPS)


@rule
def exit_reason(law: Law, state: State, columns: Columns, t: int, i: int) -> int:
    """Why the position should be sold now, judged on the bid we would sell into; 0 to hold."""
    bid = columns.bid[t, i]
    if bid == 0:
        return 0
    if bid <= stop_price(law, state, i):
        return stop_reason(law, state, i)
    target = target_price(law, state, i)
    if target > 0 and bid >= target:
        return BY_TARGET
    if state.hold_ms[i] > 0 and columns.at_ms[t] - state.opened_ms[i] >= state.hold_ms[i]:
        return BY_TIME
    strategy = state.strategy[i]
    return BY_SIGNAL if strategy >= 0 and columns.leave[strategy, t, i] else 0
