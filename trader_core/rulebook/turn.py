"""One turn of the law at a bar's close: mark, halt, exits, order care, entries. A live cycle runs it on a State made
from the ledger; a replay runs it on a State that goes on from bar to bar."""

from trader_core.rulebook import rule
from trader_core.rulebook.account import equity_of, moment, step_decided, step_entered, step_flat, step_mark, step_peaks
from trader_core.rulebook.codes import (
    BY_FALLBACK,
    BY_PARTIAL,
    BY_PURGE,
    BY_REPRICE,
    BY_SIGNAL,
    BY_TRIM,
    BY_TRIP,
    CANCEL,
    DECIDED_MS,
    ENTRY,
    EXIT,
    EXPIRES_MS,
    FILLED,
    HOLD_MS,
    KIND,
    LOTS,
    MAKER,
    NEVER,
    PLACE,
    PLACED_MS,
    QUEUED,
    STANDING,
    STOP,
    STOP_BPS,
    STOP_MARKET,
    STRATEGY,
    TAKER,
    TARGET_BPS,
    TRIES,
    TRIGGER,
    W_CONVICTION_PPM,
    W_HOLD_MS,
    W_SCALE_PPM,
    W_STOP_BPS,
    W_STRATEGY,
    W_TARGET_BPS,
    Verdict,
)  # fmt: skip
from trader_core.rulebook.exits import (
    Levels,
    exit_reason,
    is_purged,
    is_sellable,
    levels,
    lots_above_cap,
    lots_to_sell,
    lowest_sale,
    step_outcast,
    stop_bps_of,
    target_bps_of,
)  # fmt: skip
from trader_core.rulebook.exposure import owner_of
from trader_core.rulebook.gates.losses import loss_scale
from trader_core.rulebook.halts import flattens, halted_of, spares_entries, step_halt
from trader_core.rulebook.judge import judge
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import PPM, more
from trader_core.rulebook.orders import is_open, is_ours, step_ask, step_close, step_place
from trader_core.rulebook.queue import first_waiting, step_deferred, step_late, step_left
from trader_core.rulebook.sizing import step_unsized, wanted_lots
from trader_core.rulebook.state import Columns, Draft, Guard, Plan, State, Terms

UNMARKED = -2  # what no equity is
PROPOSALS_MAX = 100  # looked at in one turn


@rule
def step_turn(law: Law, guard: Guard, state: State, columns: Columns, t: int, plan: Plan) -> int:
    """Fill `plan`, reserve what it places, and return the equity (1e-8 quote, -1 unknown).

    Reducing, it refuses every entry and cancels those that rest. Standing, it also sells nothing itself; stops are
    kept in place always.
    """
    plan.many[0], asked = 0, columns.asked[t]
    for i in range(state.lots.shape[0]):
        for s in range(columns.enter.shape[0]):
            if columns.enter[s, asked, i]:
                step_proposed(plan, columns, t, i)
                break
    return step_judged(law, guard, state, columns, t, plan, UNMARKED)


@rule
def step_proposed(plan: Plan, columns: Columns, t: int, i: int) -> None:
    """One instrument more, once; where as many are listed as are looked at, in the place of the least convinced, and of
    such the oldest, if it is more convinced than that one."""
    count, place = plan.many[0], plan.many[0]
    if count == PROPOSALS_MAX:
        place = 0
        for n in range(1, count):
            if conviction_of(columns, t, plan.proposed[n]) < conviction_of(columns, t, plan.proposed[place]):
                place = n
        if conviction_of(columns, t, i) <= conviction_of(columns, t, plan.proposed[place]):
            return
    plan.proposed[place] = i
    plan.many[0] = max(count, place + 1)


@rule
def conviction_of(columns: Columns, t: int, i: int) -> float:
    """Of the strategy that is most convinced of it, among those that enter."""
    most, asked = 0.0, columns.asked[t]
    for s in range(columns.enter.shape[0]):
        if columns.enter[s, asked, i]:
            most = max(most, columns.conviction[s, asked, i])
    return most


@rule
def step_judged(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, plan: Plan, marked: int
) -> int:  # fmt: skip
    """A turn over what the plan lists as proposed. Of a row that is `marked` with its equity already there is nothing
    to sell, to protect or to cancel."""
    now, equity = moment(columns, t), marked
    plan.measured[0] = 0
    if marked == UNMARKED:
        equity = equity_of(law.instruments, state, columns, t)
        step_mark(state, now, equity)
        step_halt(law, guard, state, columns, t, equity, plan)
        step_peaks(state, columns, t)
    plan.shrunk[0] = loss_scale(law, state, now, equity)
    plan.asked[0] = 0
    for s in range(plan.entered.shape[0]):
        plan.entered[s] = 0
    for i in range(state.lots.shape[0]):
        plan.verdict[i], plan.chosen[i] = NEVER, NEVER
        step_unsized(plan.sizes[i])
        if marked == UNMARKED and guard.unknown[i] == 0 and is_ours(state, i):
            step_exit(law, guard, state, columns, t, i, plan)
            step_obsolete(law, guard, state, columns, t, i, plan)
    if state.clock[DECIDED_MS] < now:
        step_entries(law, guard, state, columns, t, plan, equity)
        step_decided(state, now)
    return equity


@rule
def step_exit(law: Law, guard: Guard, state: State, columns: Columns, t: int, i: int, plan: Plan) -> None:
    """Sell when there is a reason to; otherwise see that a stop for all that stays rests at the venue. Of dust neither
    is asked for."""
    if is_open(state, i, EXIT):
        return
    now, held, strategy = moment(columns, t), state.lots[i], state.strategy[i]
    at = levels(law, state, i) if held > 0 else Levels(0, 0, 0, 0, 0)
    plan.levels[i, 0], plan.levels[i, 1] = at.stop, at.ceiling
    step_outcast(guard, state, i, now)
    above = lots_above_cap(law, state, columns, t, i) if held > 0 else 0
    reason = step_reason(law, guard, state, columns, t, i, at, above) if held > 0 else 0
    limit, trigger = lowest_sale(law, columns.bid[t, i]), at.stop
    sold = lots_to_sell(law, state, i, reason, limit, trigger, above) if held > 0 else 0
    stop, rest = state.orders[i, STOP], held - sold
    if stop[KIND] != 0 and is_stop_over(law, state, i, sold, trigger):
        step_cancel(state, i, STOP, plan)
    if sold > 0:
        expires = now + law.orders.bar_ms
        step_place(state, i, EXIT, TAKER, sold, limit, trigger, now, expires, reason, strategy, 0, 0, 0, 0)
        step_ask(plan, PLACE, i, EXIT)
    if rest > 0 and trigger > 0 and not is_open(state, i, STOP) and is_sellable(law, i, rest, trigger):
        step_place(state, i, STOP, STOP_MARKET, rest, 0, trigger, now, NEVER, at.reason, strategy, 0, 0, 0, 0)
        step_ask(plan, PLACE, i, STOP)


@rule
def is_stop_over(law: Law, state: State, i: int, sold: int, trigger: int) -> bool:
    """Whether the stop that rests has to go: for what is sold now, for another in its place, or since it would sell
    more than is held. What the venue would not take again, for its steps or its smallest order have grown, stays."""
    stop, held = state.orders[i, STOP], state.lots[i]
    rest, left = held - sold, stop[LOTS] - stop[FILLED]
    if held == 0:
        return bool(left > 0 or state.opened_ms[i] == NEVER)
    if rest > 0 and stop[TRIGGER] == trigger and left == rest:
        return False
    return bool(sold > 0 or trigger == 0 or left > rest or is_sellable(law, i, rest, trigger))


@rule
def step_reason(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, i: int, at: Levels, above: int
) -> int:  # fmt: skip
    """Why what is held is sold in this turn; 0 to hold. Of a shut market nothing is asked: what its price, its time or
    its strategy wanted then is remembered, and comes first when it opens. Everything else says so again by itself. No
    part is sold first where all of it has to go. What the venue will not have sold now keeps its stop, as long as that
    is below the price."""
    standing = halted_of(guard, state) == STANDING
    reason = 0 if standing else exit_reason(state, columns, t, i, at)
    if columns.bid[t, i] == 0:
        return 0
    if columns.shut[t, i] != 0:
        if state.deferred[i] == 0:
            state.deferred[i] = reason
        return 0
    if not standing:
        if reason == 0 or state.deferred[i] not in (0, BY_PARTIAL):
            reason = state.deferred[i]
        if reason in (0, BY_PARTIAL) and flattens(law, state):
            reason = BY_TRIP
        if reason in (0, BY_PARTIAL) and is_purged(law, state, i, moment(columns, t)):
            reason = BY_PURGE
        if reason == 0 and above > 0:
            reason = BY_TRIM
    if guard.refused[i] != 0 and columns.bid[t, i] > at.stop:
        reason = 0
    return int(guard.forced[i] if guard.forced[i] != 0 else reason)


@rule
def step_obsolete(law: Law, guard: Guard, state: State, columns: Columns, t: int, i: int, plan: Plan) -> None:
    """Cancel an entry whose ground is gone: halted, paused, barred or banned since, of a strategy that is no more,
    being sold, or sold after it was placed."""
    entry = state.orders[i, ENTRY]
    sold = state.exit_ms[law.instruments.asset[i]] > entry[PLACED_MS]
    shut = not spares_entries(law, guard, state) or guard.paused != 0 or guard.barred[i] != 0
    gone = shut or entry[STRATEGY] < 0 or guard.banned_ms[i] > moment(columns, t) or is_open(state, i, EXIT) or sold
    if entry[KIND] != 0 and gone:
        step_cancel(state, i, ENTRY, plan)


@rule
def step_cancel(state: State, i: int, slot: int, plan: Plan) -> None:
    step_close(state, i, slot)
    step_ask(plan, CANCEL, i, slot)


@rule
def step_delisted(state: State, i: int) -> None:
    """The venue has stopped listing it: worth nothing to us, and nothing we can sell."""
    step_flat(state, i)
    for slot in range(3):
        step_close(state, i, slot)


@rule
def step_entries(law: Law, guard: Guard, state: State, columns: Columns, t: int, plan: Plan, equity: int) -> None:
    """First the remainders of expired makers, then what waits for a slot, then new proposals, the most convinced
    first."""
    step_late(law, state, moment(columns, t))
    count, waiting = state.lots.shape[0], state.clock[QUEUED]
    for n in range(2 * count + waiting):
        if n < count:
            draft = step_expired(law, guard, state, columns, t, n, plan, equity)
        elif n < count + waiting:
            draft = step_waited(law, guard, state, columns, t, plan, equity)
        else:
            i, s = best_candidate(guard, columns, t, plan)
            if i == NEVER:
                break
            draft = new_draft(law, state, columns, t, i, proposed_terms(columns, t, i, s), equity, plan)
        if draft.kind != 0:
            step_entry(law, guard, state, columns, t, plan, draft)


@rule
def step_expired(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, i: int, plan: Plan, equity: int
) -> Draft:
    """Cancel a maker whose time is over. What is left of it, at the new bid while it may be repriced, then taken; of
    no kind where it is let go, where nine tenths are filled, which is enough, or where there is none."""
    order = state.orders[i, ENTRY]
    over = order[KIND] == MAKER and moment(columns, t) >= order[EXPIRES_MS] and guard.unknown[i] == 0
    short = over and 10 * order[FILLED] < 9 * order[LOTS]
    draft = rest_of(law, state, columns, t, i, equity) if short else Draft(i, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0)
    if over:
        step_cancel(state, i, ENTRY, plan)
    return draft


@rule
def rest_of(law: Law, state: State, columns: Columns, t: int, i: int, equity: int) -> Draft:
    order = state.orders[i, ENTRY]
    kind, reason, price = 0, BY_FALLBACK, more(columns.ask[t, i], law.orders.band_ppm)
    if order[TRIES] < law.orders.max_reprices:
        kind, reason, price = MAKER, BY_REPRICE, maker_price(columns, t, i)
    elif law.orders.fallback != 0:
        kind = TAKER
    return Draft(
        i, order[STRATEGY], kind, price, order[LOTS] - order[FILLED], reason, order[TRIES] + 1, equity, 0.0,
        order[STOP_BPS], order[TARGET_BPS], order[HOLD_MS],
    )  # fmt: skip


@rule
def step_waited(law: Law, guard: Guard, state: State, columns: Columns, t: int, plan: Plan, equity: int) -> Draft:
    """The first of the queue at today's prices; of no kind where no slot is free, or it may not be bought any more, or
    was judged in this turn."""
    i = first_waiting(law, state, columns, t)
    if i == NEVER:
        return Draft(0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0)
    one = state.queue[0]
    terms = Terms(
        one[W_STRATEGY], one[W_SCALE_PPM] / PPM, one[W_CONVICTION_PPM] / PPM, one[W_STOP_BPS], one[W_TARGET_BPS],
        one[W_HOLD_MS],
    )  # fmt: skip
    step_left(state, 0)
    if guard.barred[i] != 0 or plan.verdict[i] != NEVER:
        return Draft(i, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0)
    return new_draft(law, state, columns, t, i, terms, equity, plan)


@rule
def proposed_terms(columns: Columns, t: int, i: int, s: int) -> Terms:
    asked = columns.asked[t]
    return Terms(
        s, columns.scale[s, asked, i], columns.conviction[s, asked, i], columns.stop_bps[s, asked, i],
        columns.target_bps[s, asked, i], columns.hold_ms[s, asked, i],
    )  # fmt: skip


@rule
def best_candidate(guard: Guard, columns: Columns, t: int, plan: Plan) -> tuple[int, int]:
    """The most convinced proposal among the instruments not judged this turn; the first of equals."""
    best, chosen, conviction, asked = NEVER, NEVER, -1.0, columns.asked[t]
    for n in range(plan.many[0]):
        i = plan.proposed[n]
        if plan.verdict[i] == NEVER and guard.barred[i] == 0:
            for s in range(columns.enter.shape[0]):
                if columns.enter[s, asked, i] and columns.conviction[s, asked, i] > conviction:
                    best, chosen, conviction = i, s, columns.conviction[s, asked, i]
    return best, chosen


@rule
def maker_price(columns: Columns, t: int, i: int) -> int:
    """The bid; where bid and ask are one price, a tick below it: a post-only order at the ask is turned away."""
    return int(max(min(columns.bid[t, i], columns.ask[t, i] - 1), 0))


@rule
def new_draft(
    law: Law, state: State, columns: Columns, t: int, i: int, terms: Terms, equity: int, plan: Plan
) -> Draft:  # fmt: skip
    """A maker joins the bid for its time to live; with none, a taker goes through the ask within the band. More of a
    position is sized by the stop that it has. What the day has lost shrinks what every cap of sizing has left."""
    if law.orders.maker_ttl_ms > 0:
        kind, price = MAKER, maker_price(columns, t, i)
    else:
        kind, price = TAKER, more(columns.ask[t, i], law.orders.band_ppm)
    stop_bps = stop_bps_of(law, terms.stop_bps)
    standing = stop_bps_of(law, state.stop_bps[i]) if state.lots[i] > 0 else stop_bps
    lots = wanted_lots(law, state, columns, t, i, terms, equity, price, standing, plan.sizes[i])
    if plan.shrunk[0] < 1.0:
        lots = int(lots * plan.shrunk[0])
    return Draft(
        i, terms.strategy, kind, price, lots, BY_SIGNAL, 0, equity, terms.conviction, stop_bps,
        target_bps_of(law, terms.target_bps), terms.hold_ms,
    )  # fmt: skip


@rule
def step_entry(law: Law, guard: Guard, state: State, columns: Columns, t: int, plan: Plan, draft: Draft) -> None:
    """Judge one draft; what passes is reserved at once, so the next draft sees it."""
    i = draft.instrument
    code, lots = judge(law, guard, state, columns, t, draft, plan.entered, plan.desk, plan.trace[i])
    plan.verdict[i], plan.chosen[i] = code, draft.strategy
    if code == Verdict.MAX_POSITIONS and draft.reason == BY_SIGNAL:
        step_deferred(law, state, draft, columns.scale[draft.strategy, columns.asked[t], i], moment(columns, t))
    if code == Verdict.OK:
        life = law.orders.maker_ttl_ms if draft.kind == MAKER else law.orders.bar_ms
        now = moment(columns, t)
        step_entered(state, i, law.instruments.asset[i], draft.reason, now)
        if draft.reason == BY_SIGNAL:
            plan.entered[draft.strategy] += 1
        step_place(
            state, i, ENTRY, draft.kind, lots, draft.price, 0, now, now + life, draft.reason, owner_of(state, draft),
            draft.stop_bps, draft.target_bps, draft.hold_ms, draft.tries,
        )  # fmt: skip
        step_ask(plan, PLACE, i, ENTRY)
