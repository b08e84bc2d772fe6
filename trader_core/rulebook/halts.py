"""The halt machine: may we take new risk at all? Judged at every mark, before exits, whether or not anybody wants to
buy. What it measures is the account's; what a trip does to orders is in the turn."""

from trader_core.rulebook import rule
from trader_core.rulebook.account import DAY_MS, moment, step_ring
from trader_core.rulebook.codes import (
    ACTIVE,
    ARMED,
    BY_OPERATOR,
    CANCEL_ENTRIES,
    CAUSE_SET,
    COOLING_DOWN,
    DAY,
    DAY_LOSS_PPM,
    DAY_OPEN,
    DISABLED,
    ERROR_RUN,
    ERRORS,
    FEED_AGE_MS,
    FLATTEN,
    HALT,
    KILLED,
    MEASURES,
    NAKED_MS,
    NEVER,
    OPEN_LOSS_PPM,
    REDUCING,
    RING,
    SEEN_DAY,
    SEEN_DAY_PPM,
    SEEN_OPEN_PPM,
    SINCE_MS,
    STANDING,
    STOP_HITS,
    STOPS,
    TRIPPED,
    TRIPS,
    TROUBLE_RUN,
    UNTIL_MS,
)  # fmt: skip
from trader_core.rulebook.limits import Halts, Ints, Law
from trader_core.rulebook.money import PPM, mul_div_down, mul_div_up, value_down
from trader_core.rulebook.orders import is_ours
from trader_core.rulebook.state import Columns, Guard, Plan, State


@rule
def halted_of(guard: Guard, state: State) -> int:
    """ACTIVE, REDUCING or STANDING: the machine, or what stands outside of it, whichever allows less."""
    machine = state.halt[HALT]
    if machine == KILLED:
        return STANDING
    stopped = machine in (TRIPPED, COOLING_DOWN)
    return int(max(REDUCING if stopped else ACTIVE, guard.halted))


@rule
def spares_entries(law: Law, guard: Guard, state: State) -> bool:
    """Whether what rests may go on resting: nothing is halted, or a trip alone, under a policy that lets it."""
    if halted_of(guard, state) == ACTIVE:
        return True
    return bool(state.halt[HALT] != KILLED and guard.halted == ACTIVE and law.halts.on_trip < CANCEL_ENTRIES)


@rule
def flattens(law: Law, state: State) -> bool:
    """Whether everything is sold, because the machine has tripped."""
    return bool(law.halts.on_trip == FLATTEN and state.halt[HALT] in (TRIPPED, COOLING_DOWN))


@rule
def step_halt(law: Law, guard: Guard, state: State, columns: Columns, t: int, equity: int, plan: Plan) -> None:
    """Measure, trip, and cool down. `plan.measured` says whether the machine has moved.

    Every evaluator is asked and every cause kept. One more on top of a trip does not restart its timer; one more in a
    cooldown is a new trip. A cooldown ends by itself when its time is over and nothing is breached any more, all
    figures are known and account and venue agree; else it is extended by itself. A kill moves for no figure.
    """
    halt, now = state.halt, moment(columns, t)
    step_measured(law, guard, state, columns, t, equity, plan.measured)
    machine, causes, until = halt[HALT], halt[CAUSE_SET], halt[UNTIL_MS]
    step_switched(law.halts, halt, now)
    if halt[HALT] != DISABLED and halt[HALT] != KILLED:
        breached = breaches(law.halts, halt, plan.measured, now)
        fresh = breached - (breached & causes)
        if fresh != 0:
            step_tripped(halt, fresh, now)
        if halt[HALT] == COOLING_DOWN and now >= halt[UNTIL_MS]:
            wrong = breached != 0 or equity < 0 or is_unsure(guard, state)
            step_cooled(law.halts, halt, wrong, now)
        by_itself = halt[CAUSE_SET] != 0 and halt[CAUSE_SET] & BY_OPERATOR == 0
        if halt[HALT] == TRIPPED and law.halts.auto_rearm != 0 and by_itself:
            halt[HALT], halt[UNTIL_MS] = COOLING_DOWN, max(halt[SINCE_MS] + law.halts.cooldown_ms, now)
    moved = machine != halt[HALT] or causes != halt[CAUSE_SET] or until != halt[UNTIL_MS]
    plan.measured[0] = 1 if moved else 0


@rule
def step_switched(limits: Halts, halt: Ints, now: int) -> None:
    """What the policy says of the machine itself. A halt in force is never relaxed by that."""
    if halt[HALT] == ARMED and limits.enabled == 0:
        halt[HALT], halt[SINCE_MS] = DISABLED, now
    elif halt[HALT] == DISABLED and limits.enabled != 0:
        halt[HALT], halt[SINCE_MS] = ARMED, now


@rule
def step_tripped(halt: Ints, causes: int, now: int) -> None:
    if halt[HALT] != TRIPPED:
        halt[HALT], halt[SINCE_MS], halt[UNTIL_MS] = TRIPPED, now, NEVER
        halt[TRIPS] += 1
    halt[CAUSE_SET] = halt[CAUSE_SET] | causes


@rule
def step_cooled(limits: Halts, halt: Ints, wrong: bool, now: int) -> None:
    if wrong:
        halt[UNTIL_MS] = max(halt[UNTIL_MS] + limits.cooldown_ms, now + 1)
    else:
        halt[HALT], halt[SINCE_MS], halt[UNTIL_MS], halt[CAUSE_SET] = ARMED, now, NEVER, 0


@rule
def is_unsure(guard: Guard, state: State) -> bool:
    """Whether an order's fate is unknown, or account and venue differ. Of a market that takes no order, and in which
    nothing is ours, there is nothing to know."""
    for i in range(guard.unknown.shape[0]):
        if guard.differs[i] != 0 or (guard.unknown[i] != 0 and is_ours(state, i)):
            return True
    return False


# --- what is measured ---------------------------------------------------------------------------------------------


@rule
def step_measured(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, equity: int, measured: Ints
) -> None:  # fmt: skip
    now = moment(columns, t)
    measured[1 + DAY_LOSS_PPM] = day_loss_ppm(state, now, equity)
    measured[1 + OPEN_LOSS_PPM] = open_loss_ppm(law, state, columns, t, equity)
    step_counted(law.halts, state.halt, now, measured)
    measured[1 + FEED_AGE_MS] = feed_age_ms(state, columns, t)
    measured[1 + NAKED_MS], measured[1 + TROUBLE_RUN] = guard.naked_ms, guard.troubles


@rule
def step_counted(limits: Halts, halt: Ints, now: int, measured: Ints) -> None:
    """What is known without a market."""
    measured[1 + ERROR_RUN] = recent(halt, ERRORS, now, limits.error_window_ms)
    measured[1 + STOP_HITS] = recent(halt, STOPS, now, limits.stop_window_ms)


@rule
def day_loss_ppm(state: State, now: int, equity: int) -> int:
    """Loss since the day's opening, of it, rounded down; -1 where either is unknown."""
    opening = state.clock[DAY_OPEN] if state.clock[DAY] == now // DAY_MS else 0
    if opening <= 0 or equity < 0:
        return NEVER
    return int(mul_div_down(max(opening - equity, 0), PPM, opening))


@rule
def open_loss_ppm(law: Law, state: State, columns: Columns, t: int, equity: int) -> int:
    """What the losing positions are worth less than was paid for them, of the equity; winners make up for nothing."""
    if equity < 0:
        return NEVER
    lost = 0
    for i in range(state.lots.shape[0]):
        if state.lots[i] > 0:
            lost += max(state.cost[i] - value_down(law.instruments, i, state.lots[i], columns.close[t, i]), 0)
    return part_ppm(lost, equity)


@rule
def part_ppm(lost: int, equity: int) -> int:
    """Rounded down; all of it where it is no less than the whole."""
    if lost <= 0:
        return 0
    return PPM if lost >= equity else int(mul_div_down(lost, PPM, equity))


@rule
def recent(halt: Ints, ring: int, now: int, window_ms: int) -> int:
    """How many moments of a ring are no older than the window."""
    count = 0
    for n in range(RING):
        at_ms = halt[ring + n]
        if at_ms == NEVER:
            break
        if now - at_ms <= window_ms:
            count += 1
    return count


@rule
def feed_age_ms(state: State, columns: Columns, t: int) -> int:
    """Age of the oldest price of what is held; 0 where nothing is."""
    oldest = 0
    for i in range(state.lots.shape[0]):
        if state.lots[i] > 0:
            oldest = max(oldest, columns.age_ms[t, i])
    return int(oldest)


# --- what is too much ---------------------------------------------------------------------------------------------


@rule
def breaches(limits: Halts, halt: Ints, measured: Ints, now: int) -> int:
    """Every evaluator that has reached its limit, as a set of bits."""
    found = 0
    for n in range(MEASURES):
        limit = limit_of(limits, halt, n, now)
        if limit > 0 and measured[1 + n] >= limit:
            found += 1 << n
    return found


@rule
def limit_of(limits: Halts, halt: Ints, measure: int, now: int) -> int:
    """0 is off. A loss that a person has seen at a reset counts again on the next day, or when it is a step larger."""
    seen = halt[SEEN_DAY] == now // DAY_MS
    if measure == DAY_LOSS_PPM:
        return beyond(limits.max_day_loss_ppm, halt[SEEN_DAY_PPM], limits.retrip_ppm, seen)
    if measure == OPEN_LOSS_PPM:
        return beyond(limits.max_open_loss_ppm, halt[SEEN_OPEN_PPM], limits.retrip_ppm, seen)
    if measure == ERROR_RUN:
        return limits.max_errors
    if measure == STOP_HITS:
        return limits.max_stops
    if measure == FEED_AGE_MS:
        return limits.max_feed_age_ms
    return limits.max_naked_ms if measure == NAKED_MS else limits.max_troubles


@rule
def beyond(limit: int, seen_ppm: int, step_ppm: int, seen: bool) -> int:
    return int(max(limit, seen_ppm + step_ppm)) if seen and seen_ppm >= limit else limit


# --- how far nothing can trip -------------------------------------------------------------------------------------


@rule
def lowest_calm(law: Law, state: State, now: int) -> int:
    """An equity above this one trips no limit of the day's loss."""
    halt, opening = state.halt, state.clock[DAY_OPEN]
    if not may_be_a_cause(halt, DAY_LOSS_PPM) or opening <= 0:
        return 0
    limit = limit_of(law.halts, halt, DAY_LOSS_PPM, now)
    return int(max(opening - mul_div_up(opening, min(limit, PPM), PPM), 0))


@rule
def may_be_a_cause(halt: Ints, measure: int) -> bool:
    """Whether a breach of it would move the machine."""
    asleep = halt[HALT] == DISABLED or halt[HALT] == KILLED
    return bool(not asleep and halt[CAUSE_SET] & (1 << measure) == 0)


@rule
def can_lose_too_much(law: Law, state: State, lost: int, equity: int, now: int) -> bool:
    """Whether positions that have lost so much, in an account worth so little, would move the machine."""
    if not may_be_a_cause(state.halt, OPEN_LOSS_PPM):
        return False
    return bool(part_ppm(lost, equity) >= limit_of(law.halts, state.halt, OPEN_LOSS_PPM, now))


# --- what failures and stops leave behind -------------------------------------------------------------------------


@rule
def step_failed(state: State, at_ms: int) -> None:
    """The order path has failed once more in a row."""
    step_ring(state.halt, ERRORS, at_ms)


@rule
def step_succeeded(state: State) -> None:
    """It works: the run of failures is over."""
    for n in range(RING):
        state.halt[ERRORS + n] = NEVER


@rule
def step_recounted(state: State) -> None:
    """A person has armed the machine: failures and stops are counted anew."""
    for n in range(RING):
        state.halt[ERRORS + n] = NEVER
        state.halt[STOPS + n] = NEVER
