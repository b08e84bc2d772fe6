"""The account: the only writers of cash, lots and the day's opening equity."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import DAY, DAY_OPEN, DECIDED_MS, NEVER
from trader_core.rulebook.limits import Instruments
from trader_core.rulebook.money import mul_div_down, value_down
from trader_core.rulebook.state import Columns, State

DAY_MS = 86_400_000


@rule
def equity_of(instruments: Instruments, state: State, columns: Columns, t: int) -> int:
    """Cash plus positions at the last known closes; -1 where the cash or a held price is unknown."""
    if state.known[0] == 0:
        return -1
    total = state.cash[0]
    for i in range(state.lots.shape[0]):
        if state.lots[i] > 0:
            if columns.close[t, i] == 0:
                return -1
            total += value_down(instruments, i, state.lots[i], columns.close[t, i])
    return max(int(total), 0)


@rule
def step_mark(state: State, now_ms: int, equity: int) -> None:
    """Open the loss window at the first known equity of a UTC day."""
    if equity >= 0 and now_ms // DAY_MS != state.clock[DAY]:
        state.clock[DAY] = now_ms // DAY_MS
        state.clock[DAY_OPEN] = equity


@rule
def step_decided(state: State, now_ms: int) -> None:
    state.clock[DECIDED_MS] = now_ms


@rule
def step_cash(state: State, amount: int) -> None:
    """A deposit or withdrawal; it moves the day's opening equity along, so it is neither gain nor loss."""
    state.cash[0] += amount
    state.known[0] = 1
    if state.clock[DAY] != NEVER:  # the opening equity itself may be below zero after a withdrawal
        state.clock[DAY_OPEN] += amount


@rule
def step_fill(
    state: State, i: int, asset: int, buys: bool, lots: int, value: int, fee: int, at_ms: int,
    reason: int, strategy: int, stop_bps: int, target_bps: int,
) -> None:  # fmt: skip
    """One execution under these terms. The first purchase sets a position's exits, the last sale clears them."""
    if buys:
        if state.lots[i] == 0:
            state.strategy[i], state.stop_bps[i], state.target_bps[i] = strategy, stop_bps, target_bps
        state.cash[0] -= value + fee
        state.cost[i] += value
        state.lots[i] += lots
    else:
        state.cash[0] += value - fee
        gone = state.cost[i] if lots >= state.lots[i] else mul_div_down(state.cost[i], lots, state.lots[i])
        state.cost[i] -= gone
        state.lots[i] -= lots
        if at_ms >= state.exit_ms[asset]:  # a sale that is told late is not the newest
            state.exit_ms[asset], state.exit_reason[asset] = at_ms, reason
    if state.lots[i] == 0:
        state.cost[i], state.strategy[i], state.stop_bps[i], state.target_bps[i] = 0, NEVER, 0, 0
