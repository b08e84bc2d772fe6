"""The account: the only writers of cash, lots, loss windows and what is counted for pacing."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import (
    BY_PARTIAL,
    BY_SIGNAL,
    BY_STOP,
    BY_TRAILING,
    DAY,
    DAY_ENTRIES,
    DAY_HIGH,
    DAY_LOW,
    DAY_OPEN,
    DECIDED_MS,
    ENTERED_MS,
    ENTRY_DAY,
    EQUITY,
    GAINED,
    HIGH,
    HOUR,
    HOUR_ENTRIES,
    LAST,
    LOSS_MS,
    LOSSES,
    LOST,
    NEVER,
    RING,
    STOPS,
    STREAK,
    WEEK,
    WEEK_LOW,
    WEEK_OPEN,
    WINS,
)  # fmt: skip
from trader_core.rulebook.limits import Instruments, Ints
from trader_core.rulebook.money import PPM, mul_div_down, mul_div_up, value_down
from trader_core.rulebook.state import FAR_OFF, Columns, State

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
MONDAY_MS = 4 * DAY_MS  # the epoch was a Thursday
LATE_MS = 600_000  # a day's first mark that comes later than this may have missed a loss


@rule
def moment(columns: Columns, t: int) -> int:
    """When row t closes. Rows are a bar apart: to look it up would be one memory more to wait for."""
    first_ms = columns.at_ms[0]
    return int(first_ms + t * (columns.at_ms[min(1, columns.at_ms.shape[0] - 1)] - first_ms))


@rule
def equity_of(instruments: Instruments, state: State, columns: Columns, t: int) -> int:
    """Cash plus positions at the last known closes; -1 where the cash or a held price is unknown, or not believed."""
    if state.known[0] == 0:
        return -1
    total = state.cash[0]
    for i in range(state.lots.shape[0]):
        if state.lots[i] > 0:
            if columns.close[t, i] == 0 or is_outlier(columns, t, i):
                return -1
            total += value_down(instruments, i, state.lots[i], columns.close[t, i])
    return max(int(total), 0)


@rule
def is_outlier(columns: Columns, t: int, i: int) -> bool:
    """A price known to be far off on hardly any volume: it moves no mark, in neither direction."""
    return bool(columns.outlier[t, i] == FAR_OFF)


@rule
def week_of(at_ms: int) -> int:
    """Weeks since the epoch's own; they begin on Monday 00:00 UTC."""
    return (at_ms - MONDAY_MS) // WEEK_MS


@rule
def step_mark(state: State, now_ms: int, equity: int) -> None:
    """Open the loss windows at the first equity of a UTC day and week, keep their lowest and the day's highest, and
    raise the highest one."""
    clock = state.clock
    clock[EQUITY] = equity
    if equity < 0:
        return
    today = now_ms // DAY_MS
    if today != clock[DAY] or clock[DAY_OPEN] <= 0:
        clock[DAY_OPEN] = opening_of(clock[DAY], clock[LAST], now_ms, equity)
        clock[DAY], clock[DAY_LOW], clock[DAY_HIGH] = today, equity, equity
    if week_of(now_ms) != clock[WEEK] or clock[WEEK_OPEN] <= 0:
        clock[WEEK], clock[WEEK_OPEN], clock[WEEK_LOW] = week_of(now_ms), clock[DAY_OPEN], equity
    clock[DAY_LOW], clock[WEEK_LOW] = min(clock[DAY_LOW], equity), min(clock[WEEK_LOW], equity)
    clock[HIGH], clock[DAY_HIGH] = max(clock[HIGH], equity), max(clock[DAY_HIGH], equity)
    clock[LAST] = equity


@rule
def opening_of(newest_day: int, newest: int, now_ms: int, equity: int) -> int:
    """A day opens at its first mark. One that comes late opens it at yesterday's last that was known, where that was
    more: what was lost in between is a loss of this day, and of a week that begins."""
    today = now_ms // DAY_MS
    late = now_ms - today * DAY_MS > LATE_MS and newest_day == today - 1
    return int(max(newest, equity)) if late else equity


@rule
def step_peaks(state: State, columns: Columns, t: int) -> None:
    """Raise the highest bid that each position has seen, and that was to be believed."""
    for i in range(state.lots.shape[0]):
        if state.lots[i] > 0 and not is_outlier(columns, t, i):
            state.peak[i] = max(state.peak[i], columns.bid[t, i])


@rule
def step_decided(state: State, now_ms: int) -> None:
    state.clock[DECIDED_MS] = now_ms


@rule
def step_cash(state: State, amount: int) -> None:
    """A deposit or withdrawal: neither gain nor loss, so every mark moves in the proportion of the equity it changed,
    rounded up. Where that equity is not known, nothing can be in proportion, and the marks move by the amount."""
    clock = state.clock
    before = clock[EQUITY]
    state.cash[0] += amount
    state.known[0] = 1
    for mark in (DAY_OPEN, DAY_LOW, DAY_HIGH, WEEK_OPEN, WEEK_LOW, HIGH):
        clock[mark] = moved(clock[mark], before, amount)
    if before != 0:  # what comes to an account worth nothing is first known at its mark
        clock[LAST] = moved(clock[LAST], before, amount)
    if before > 0:
        clock[EQUITY] = max(before + amount, 0)


@rule
def step_funding(instruments: Instruments, state: State, columns: Columns, t: int) -> None:
    """What holding costs or, below zero, brings at a funding time; rounded against us. Nothing on spot."""
    for i in range(state.lots.shape[0]):
        ppm = columns.funding_ppm[t, i] if state.lots[i] > 0 else 0
        if ppm != 0 and columns.close[t, i] > 0:
            value = value_down(instruments, i, state.lots[i], columns.close[t, i])
            paid = mul_div_up(value, ppm, PPM) if ppm > 0 else -mul_div_down(value, -ppm, PPM)
            state.cash[0] -= paid
            state.flow[i] -= paid


@rule
def moved(mark: int, before: int, amount: int) -> int:
    """A mark of an equity that was `before` when the amount came in."""
    if mark < 0:
        return mark
    return mul_div_up(mark, max(before + amount, 0), before) if before > 0 else max(mark + amount, 0)


@rule
def step_entered(state: State, i: int, asset: int, reason: int, at_ms: int) -> None:
    """A new entry was decided: what spacing and counts go by. What completes an entry is not a new one."""
    if reason != BY_SIGNAL:
        return
    clock = state.clock
    if at_ms // HOUR_MS != clock[HOUR]:
        clock[HOUR], clock[HOUR_ENTRIES] = at_ms // HOUR_MS, 0
    if at_ms // DAY_MS != clock[ENTRY_DAY]:
        clock[ENTRY_DAY], clock[DAY_ENTRIES] = at_ms // DAY_MS, 0
    clock[HOUR_ENTRIES] += 1
    clock[DAY_ENTRIES] += 1
    clock[ENTERED_MS] = at_ms
    state.entry_ms[asset] = at_ms
    if state.lots[i] > 0:
        if at_ms // DAY_MS != state.add_day[asset]:
            state.add_day[asset], state.adds[asset] = at_ms // DAY_MS, 0
        state.adds[asset] += 1


@rule
def step_fill(
    state: State, i: int, asset: int, buys: bool, lots: int, value: int, fee: int, at_ms: int,
    reason: int, strategy: int, stop_bps: int, target_bps: int, hold_ms: int,
) -> None:  # fmt: skip
    """One execution under these terms. The first purchase sets a position's exits, the last sale clears them."""
    if buys:
        if state.lots[i] == 0:
            state.strategy[i], state.stop_bps[i], state.target_bps[i] = strategy, stop_bps, target_bps
            state.hold_ms[i], state.opened_ms[i] = hold_ms, at_ms
        state.cash[0] -= value + fee
        state.cost[i] += value
        state.flow[i] -= value + fee
        state.lots[i] += lots
    else:
        state.cash[0] += value - fee
        state.flow[i] += value - fee
        gone = state.cost[i] if lots >= state.lots[i] else mul_div_down(state.cost[i], lots, state.lots[i])
        state.cost[i] -= gone
        state.lots[i] -= lots
        step_sold(state, i, asset, at_ms, reason)
    if state.lots[i] == 0:
        step_flat(state, i)


@rule
def step_sold(state: State, i: int, asset: int, at_ms: int, reason: int) -> None:
    """What cooldowns go by; a sale that is told late is not the newest. A position that is flat has won or lost."""
    won = state.lots[i] == 0 and state.flow[i] > 0
    if reason == BY_PARTIAL:
        state.parted[i] = 1
    if at_ms >= state.exit_ms[asset]:
        state.exit_ms[asset], state.exit_reason[asset] = at_ms, reason
        state.exit_won[asset] = 1 if won else 0
    if state.lots[i] == 0:
        if reason in (BY_STOP, BY_TRAILING):
            step_ring(state.halt, STOPS, at_ms)
        step_recorded(state, i, won)
        if won:
            state.clock[STREAK] = 0
        else:
            state.clock[STREAK] += 1
            state.clock[LOSS_MS] = max(state.clock[LOSS_MS], at_ms)


@rule
def step_ring(halt: Ints, ring: int, at_ms: int) -> None:
    """One more moment in front of a ring; the oldest falls out."""
    for n in range(RING - 1):
        halt[ring + RING - 1 - n] = halt[ring + RING - 2 - n]
    halt[ring] = at_ms


@rule
def step_recorded(state: State, i: int, won: bool) -> None:
    """What a position that is over brought, to the record of its strategy. One that nobody is known to have opened is
    nobody's."""
    if state.strategy[i] >= 0:
        record = state.record[state.strategy[i], i]
        if won:
            record[WINS], record[GAINED] = record[WINS] + 1, record[GAINED] + state.flow[i]
        else:
            record[LOSSES], record[LOST] = record[LOSSES] + 1, record[LOST] - state.flow[i]


@rule
def step_flat(state: State, i: int) -> None:
    """Forget a position: sold, or written off."""
    state.lots[i], state.cost[i], state.flow[i], state.strategy[i] = 0, 0, 0, NEVER
    state.stop_bps[i], state.target_bps[i], state.hold_ms[i] = 0, 0, 0
    state.opened_ms[i], state.peak[i], state.parted[i] = NEVER, 0, 0
    state.deferred[i], state.outcast_ms[i] = 0, NEVER
