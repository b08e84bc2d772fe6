"""A replay: row after row over a State that goes on. Where it can be proved that nothing but marks will change, it
coasts.

Only replays come here. A live cycle is one `step_turn`; what the venue did since the one before is told by its facts.
"""

from trader_core.rulebook import rule
from trader_core.rulebook.account import (
    DAY_MS,
    moment,
    step_cash,
    step_decided,
    step_funding,
    step_mark,
)
from trader_core.rulebook.bar import step_bar
from trader_core.rulebook.codes import (
    BUSY,
    CAUSE_SET,
    COOLING_DOWN,
    ENTRY,
    EQUITY,
    EXIT,
    FILL_FIELDS,
    FLIP,
    FLOW,
    HALT,
    HELD,
    LOTS,
    MEASURES,
    NEVER,
    ORDER_FIELDS,
    PLACE,
    QUEUED,
    QUIET,
    STOP,
    TRIGGER,
    UNTIL_MS,
)  # fmt: skip
from trader_core.rulebook.halts import can_lose_too_much, flattens, lowest_calm
from trader_core.rulebook.limits import Ints, Law
from trader_core.rulebook.money import add_values, value_down
from trader_core.rulebook.orders import is_open, step_close
from trader_core.rulebook.state import Bars, Columns, Guard, Journey, Plan, State, Tape
from trader_core.rulebook.turn import UNMARKED, step_delisted, step_judged, step_proposed

JUDGED, ASKED, FILLED, HALTED = range(4)  # of Tape.used
NO_LIMIT = 1 << 62
STRETCH = 256  # rows that are looked at together, position by position


@rule
def step_walk(
    law: Law, guard: Guard, state: State, columns: Columns, bars: Bars, journey: Journey, plan: Plan, tape: Tape,
    t: int, end: int,
) -> int:  # fmt: skip
    """Rows from `t` to before `end`. Returns the row that comes next, which is before `end` where the tape is full."""
    row = t
    for _ in range(t, end):
        if row >= end or not has_room(tape, state.lots.shape[0]):
            break
        step_row(law, guard, state, columns, bars, journey, plan, tape, row)
        row += 1
        if journey.coasts != 0:
            row = step_coast(law, state, columns, bars, journey, plan, tape, row, end)
    return row


@rule
def has_room(tape: Tape, instruments: int) -> bool:
    """Whether one more row fits, whatever happens in it."""
    judged = tape.used[JUDGED] + instruments <= tape.judged.shape[0]
    asked = tape.used[ASKED] + 6 * instruments <= tape.asked.shape[0]
    halted = tape.used[HALTED] < tape.halted.shape[0]
    return bool(judged and asked and halted and tape.used[FILLED] + 3 * instruments <= tape.filled.shape[0])


@rule
def step_row(
    law: Law, guard: Guard, state: State, columns: Columns, bars: Bars, journey: Journey, plan: Plan, tape: Tape, t: int
) -> None:
    """One row as a cycle would live it: money that came or went, what the bar filled, what is listed, and a turn. Of a
    quiet row entries are left."""
    quiet = journey.next[QUIET] == t
    if not quiet:
        step_flows(state, journey, t)
        if t > journey.first:
            count = step_bar(law, state, columns, bars, t, tape.bar)
            note_fills(tape, t - journey.first, count)
    if step_flipped(journey, t):
        if t > journey.first:
            step_listings(guard, state, columns, journey, t)
        step_foreign(guard, columns, journey, t)
    if not quiet:
        step_funding(law.instruments, state, columns, t)
    step_busy(columns, journey, plan, t)
    tape.equity[t] = step_judged(law, guard, state, columns, t, plan, tape.equity[t] if quiet else UNMARKED)
    note_plan(state, plan, tape, t - journey.first)
    note_halt(state, plan, tape, t - journey.first)
    if not quiet or plan.asked[0] > 0:
        journey.next[HELD] = NEVER


@rule
def step_flows(state: State, journey: Journey, t: int) -> None:
    """Deposits and withdrawals that are due."""
    for n in range(journey.next[FLOW], journey.flows.shape[0]):
        if journey.flows[n, 0] > t:
            break
        step_cash(state, journey.flows[n, 1])
        journey.next[FLOW] = n + 1


@rule
def step_flipped(journey: Journey, t: int) -> bool:
    """Whether a price came or went since the row that was walked before; at first, always."""
    start = journey.next[FLIP]
    for n in range(start, journey.flips.shape[0]):
        if journey.flips[n] > t:
            break
        journey.next[FLIP] = n + 1
    return bool(t == journey.first or journey.next[FLIP] > start)


@rule
def step_busy(columns: Columns, journey: Journey, plan: Plan, t: int) -> None:
    """List what is proposed in this row."""
    plan.many[0] = 0
    for n in range(journey.next[BUSY], journey.busy.shape[0]):
        if journey.busy[n, 0] > t:
            break
        journey.next[BUSY] = n + 1
        if journey.busy[n, 0] == t:
            step_proposed(plan, columns, t, journey.busy[n, 1])


@rule
def step_listings(guard: Guard, state: State, columns: Columns, journey: Journey, t: int) -> None:
    """What has sent no bar for so long is not listed any more: its orders are over, and what is held of it is written
    off, not ours any more and not bought again. Where no pair has a price it is the venue that is silent, and nothing
    is known."""
    count, priced = state.lots.shape[0], 0
    for i in range(count):
        priced += 1 if columns.close[t, i] != 0 else 0
    if priced == 0 or priced == count:
        return
    for i in range(count):
        if columns.close[t, i] == 0:
            if state.lots[i] > 0:
                journey.foreign[i] += state.lots[i]
                step_delisted(state, i)
                guard.barred[i] = 1
            for slot in range(3):
                step_close(state, i, slot)


@rule
def step_foreign(guard: Guard, columns: Columns, journey: Journey, t: int) -> None:
    """Coins that are not ours count, before the pair's first price as more than any cap allows, and no more when it is
    not listed any more."""
    for i in range(journey.foreign.shape[0]):
        gone = columns.close[t, i] == 0 and t >= journey.listed[i]
        guard.foreign[i] = 0 if gone else journey.foreign[i]


@rule
def note_fills(tape: Tape, at: int, count: int) -> None:
    """What was filled in a row, which is counted from the first decision, as in all notes."""
    row = tape.used[FILLED]
    for n in range(count):
        tape.filled[row + n, 0] = at
        for field in range(FILL_FIELDS):
            tape.filled[row + n, 1 + field] = tape.bar[n, field]
    tape.used[FILLED] += count


@rule
def note_plan(state: State, plan: Plan, tape: Tape, at: int) -> None:
    """The turn's verdicts by instrument, and what it asked for in its order."""
    row = tape.used[JUDGED]
    for i in range(plan.verdict.shape[0]):
        if plan.verdict[i] != NEVER:
            tape.judged[row, 0], tape.judged[row, 1] = at, i
            tape.judged[row, 2], tape.judged[row, 3] = plan.chosen[i], plan.verdict[i]
            row += 1
    tape.used[JUDGED] = row
    row = tape.used[ASKED]
    for n in range(plan.asked[0]):
        action, i, slot = plan.actions[n, 0], plan.actions[n, 1], plan.actions[n, 2]
        tape.asked[row, 0], tape.asked[row, 1], tape.asked[row, 2], tape.asked[row, 3] = at, action, i, slot
        for field in range(ORDER_FIELDS):
            tape.asked[row, 4 + field] = state.orders[i, slot, field] if action == PLACE else 0
        row += 1
    tape.used[ASKED] = row


@rule
def note_halt(state: State, plan: Plan, tape: Tape, at: int) -> None:
    """The halt machine, where it has moved, with all that was measured."""
    if plan.measured[0] != 0:
        record = tape.halted[tape.used[HALTED]]
        record[0], record[1], record[2], record[3] = at, state.halt[HALT], state.halt[CAUSE_SET], state.halt[UNTIL_MS]
        for n in range(MEASURES):
            record[4 + n] = plan.measured[1 + n]
        tape.used[HALTED] += 1


@rule
def step_coast(
    law: Law, state: State, columns: Columns, bars: Bars, journey: Journey, plan: Plan, tape: Tape, t: int, end: int
) -> int:
    """Mark the rows from `t` on in which neither a bar nor a turn can do more than that; returns the first one left.

    That is so while no entry or exit is open, no money moves, the UTC day is the same, the halt machine would not move,
    and all that is held is priced, above its stop, below its target, in its time, and not given up by its strategy. A
    row like these in which some strategy enters is marked, and left as a quiet one: what may be entered is judged
    there, and nothing else.
    """
    if journey.next[HELD] == NEVER:
        journey.next[HELD] = step_held(law, state, journey, plan, moment(columns, t - 1))
    count, busy, following = journey.next[HELD], step_next(journey, t), t
    if busy < NO_LIMIT:
        expect(columns.asked, busy)
        expect(columns.hour, busy)
        expect(bars.open[:, journey.busy[journey.next[BUSY], 1]], busy + 1)
    end = coast_end(state, columns, journey, law.orders.bar_ms, count, t, min(end, busy + 1)) if count >= 0 else t
    for start in range(t, end, STRETCH):
        asked = min(end - start, STRETCH)
        rows = step_quiet(law, state, columns, bars, journey, tape.equity[start : start + asked], count, start)
        following = start + rows
        if rows < asked:
            break
    if following > busy:
        journey.next[QUIET], following = busy, busy
    for n in range(count):
        expect(bars.open[:, journey.held[n, 0]], following + 1)
    if following > t:
        step_decided(state, moment(columns, following - 1))
    return following


@rule
def expect(column: Ints, t: int) -> None:
    """That row, be it there or not, is read soon: a machine fetches it meanwhile. Interpreted nothing happens."""


@rule
def step_next(journey: Journey, t: int) -> int:
    """The first row from `t` on in which some strategy enters."""
    for n in range(journey.next[BUSY], journey.busy.shape[0]):
        if journey.busy[n, 0] >= t:
            return int(journey.busy[n, 0])
        journey.next[BUSY] = n + 1
    return NO_LIMIT


@rule
def step_quiet(
    law: Law, state: State, columns: Columns, bars: Bars, journey: Journey, equity: Ints, count: int, t: int
) -> int:
    """Mark the rows from `t` on, as many as `equity` has room for, until one in which more may happen; their number."""
    rows, floor = equity.shape[0], lowest_calm(law, state, moment(columns, t))
    cash = state.cash[0]
    for k in range(rows):
        equity[k] = cash
    for n in range(count):
        rows = add_quiet(law, state, columns, bars, journey.held[n], equity[:rows], t)
    lowest, highest = cash, cash
    if count > 0:
        rows, lowest, highest = calm_ones(equity[:rows], floor)
    for n in range(count):
        i = journey.held[n, 0]
        bid, peak = columns.bid[t : t + rows, i], state.peak[i]
        for k in range(rows):
            peak = max(peak, bid[k])
        state.peak[i] = peak
    if rows > 0:
        now = moment(columns, t + rows - 1)
        step_mark(state, now, lowest)
        step_mark(state, now, highest)
        step_mark(state, now, equity[rows - 1])
    return int(rows)


@rule
def calm_ones(equity: Ints, floor: int) -> tuple[int, int, int]:
    """How many there are before the first that is not above the floor; the lowest and the highest of them."""
    lowest, highest = NO_LIMIT, 0
    for k in range(equity.shape[0]):
        if equity[k] <= floor:
            return int(k), lowest, highest
        lowest, highest = min(lowest, equity[k]), max(highest, equity[k])
    return int(equity.shape[0]), lowest, highest


@rule
def add_quiet(law: Law, state: State, columns: Columns, bars: Bars, held: Ints, equity: Ints, t: int) -> int:
    """Add what one position is worth in each row, until one in which a bar or a turn may touch it; their number."""
    i = held[0]
    rows = untouched(columns, bars, held, t, t + equity.shape[0])
    add_values(law.instruments, i, state.lots[i], columns.close[t : t + rows, i], equity)
    return rows


@rule
def untouched(columns: Columns, bars: Bars, held: Ints, t: int, end: int) -> int:
    """How many rows from `t` to before `end` come before one in which a bar or a turn may touch a position."""
    i, strategy, floor, ceiling = held[0], held[1], held[2], held[3]
    close, bid, low = columns.close[t:end, i], columns.bid[t:end, i], bars.low[t:end, i]
    outlier, funding = columns.outlier[t:end, i], columns.funding_ppm[t:end, i]
    leave = columns.leave[strategy, t:end, i]
    for k in range(end - t):
        moved = low[k] <= floor or bid[k] <= floor or bid[k] >= ceiling
        if moved or close[k] == 0 or outlier[k] != 0 or funding[k] != 0 or leave[k] != 0:
            return int(k)
    return int(end - t)


@rule
def coast_end(state: State, columns: Columns, journey: Journey, bar_ms: int, count: int, t: int, end: int) -> int:
    """The first row from `t` on that must be walked for another reason than a price."""
    flow = journey.next[FLOW]
    if flow < journey.flows.shape[0]:
        end = min(end, journey.flows[flow, 0])
    if t >= end or state.known[0] == 0 or state.clock[EQUITY] <= 0 or state.clock[QUEUED] > 0:
        return t
    now = moment(columns, t - 1)
    before_ms = (now // DAY_MS + 1) * DAY_MS
    if state.halt[HALT] == COOLING_DOWN:
        before_ms = min(before_ms, state.halt[UNTIL_MS])
    for n in range(count):
        i = journey.held[n, 0]
        if state.hold_ms[i] > 0:
            before_ms = min(before_ms, state.opened_ms[i] + state.hold_ms[i])
    return int(min(end, t + (before_ms - 1 - now) // bar_ms))


@rule
def step_held(law: Law, state: State, journey: Journey, plan: Plan, now: int) -> int:
    """List what is held, with the prices that must stay above its stop and below what would move anything, as the last
    turn has them; their number, or -1 where an order is open that a bar may fill, a stop is not where it belongs, or
    the halt machine may move, or sell, before a stop is met."""
    count, held, lost, least = 0, journey.held, 0, state.cash[0]
    restless = law.halts.max_feed_age_ms > 0 or flattens(law, state) or law.exits.trim_ppm > 0
    for i in range(state.lots.shape[0]):
        if is_open(state, i, ENTRY) or is_open(state, i, EXIT):
            return -1
        if state.lots[i] > 0:
            stop, ceiling = plan.levels[i, 0], plan.levels[i, 1]
            leaves = state.deferred[i] != 0 or (law.exits.purge_ms > 0 and state.outcast_ms[i] != NEVER)
            if state.strategy[i] < 0 or stop <= 0 or not is_open(state, i, STOP) or restless or leaves:
                return -1
            if state.orders[i, STOP, TRIGGER] != stop or state.orders[i, STOP, LOTS] != state.lots[i]:
                return -1
            held[count, 0], held[count, 1], held[count, 2], held[count, 3] = i, state.strategy[i], stop, ceiling
            count += 1
            worth = value_down(law.instruments, i, state.lots[i], stop)
            lost, least = lost + max(state.cost[i] - worth, 0), least + worth
    return -1 if can_lose_too_much(law, state, lost, least, now) else count
