"""One turn of the law at a bar's close: mark, exits, order care, entries. A live cycle runs it on a State made
from the ledger; a replay runs it on a State that goes on from bar to bar."""

from trader_core.rulebook import rule
from trader_core.rulebook.account import equity_of, moment, step_decided, step_entered, step_flat, step_mark, step_peaks
from trader_core.rulebook.codes import (
    ACTIVE,
    BY_FALLBACK,
    BY_REPRICE,
    BY_SIGNAL,
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
    STANDING,
    STOP,
    STOP_BPS,
    STOP_MARKET,
    STRATEGY,
    TAKER,
    TARGET_BPS,
    TRIES,
    TRIGGER,
    Verdict,
)  # fmt: skip
from trader_core.rulebook.exits import Levels, exit_reason, levels
from trader_core.rulebook.exposure import owner_of
from trader_core.rulebook.judge import judge
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import less, more
from trader_core.rulebook.orders import is_open, step_ask, step_close, step_place
from trader_core.rulebook.sizing import regime_scale, wanted_lots
from trader_core.rulebook.state import Columns, Draft, Guard, Plan, State

UNMARKED = -2  # what no equity is


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
                step_proposed(plan, i)
                break
    return step_judged(law, guard, state, columns, t, plan, UNMARKED)


@rule
def step_proposed(plan: Plan, i: int) -> None:
    plan.proposed[plan.many[0]] = i
    plan.many[0] += 1


@rule
def step_judged(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, plan: Plan, marked: int
) -> int:  # fmt: skip
    """A turn over what the plan lists as proposed. Of a row that is `marked` with its equity already there is nothing
    to sell, to protect or to cancel."""
    now, equity = moment(columns, t), marked
    if marked == UNMARKED:
        equity = equity_of(law.instruments, state, columns, t)
        step_mark(state, now, equity)
        step_peaks(state, columns, t)
    plan.asked[0] = 0
    for s in range(plan.entered.shape[0]):
        plan.entered[s] = 0
    for i in range(state.lots.shape[0]):
        plan.verdict[i], plan.chosen[i] = NEVER, NEVER
        if marked == UNMARKED and guard.unknown[i] == 0 and is_ours(state, i):
            step_exit(law, guard, state, columns, t, i, plan)
            step_obsolete(law, guard, state, columns, t, i, plan)
    if state.clock[DECIDED_MS] < now:
        step_entries(law, guard, state, columns, t, plan, equity)
        step_decided(state, now)
    return equity


@rule
def is_ours(state: State, i: int) -> bool:
    """Whether anything is held or open."""
    orders = is_open(state, i, ENTRY) or is_open(state, i, EXIT) or is_open(state, i, STOP)
    return bool(state.lots[i] > 0 or orders)


@rule
def step_exit(law: Law, guard: Guard, state: State, columns: Columns, t: int, i: int, plan: Plan) -> None:
    """Sell when there is a reason to; otherwise see that a stop for the whole position rests at the venue."""
    if is_open(state, i, EXIT):
        return
    now, held, strategy = moment(columns, t), state.lots[i], state.strategy[i]
    at = levels(law, state, i) if held > 0 else Levels(0, 0, 0)
    plan.levels[i, 0], plan.levels[i, 1] = at.stop, at.target
    reason = exit_reason(state, columns, t, i, at) if held > 0 and guard.halted != STANDING else 0
    if held > 0 and guard.forced[i] != 0 and columns.bid[t, i] > 0:
        reason = guard.forced[i]
    trigger = at.stop
    stop = state.orders[i, STOP]
    if stop[KIND] != 0 and (reason != 0 or stop[TRIGGER] != trigger or stop[LOTS] - stop[FILLED] != held):
        step_cancel(state, i, STOP, plan)
    if reason != 0:
        limit, expires = max(less(columns.bid[t, i], law.orders.band_ppm), 1), now + law.orders.bar_ms
        step_place(state, i, EXIT, TAKER, held, limit, trigger, now, expires, reason, strategy, 0, 0, 0, 0)
        step_ask(plan, PLACE, i, EXIT)
    elif trigger > 0 and not is_open(state, i, STOP):
        step_place(state, i, STOP, STOP_MARKET, held, 0, trigger, now, NEVER, at.reason, strategy, 0, 0, 0, 0)
        step_ask(plan, PLACE, i, STOP)


@rule
def step_obsolete(law: Law, guard: Guard, state: State, columns: Columns, t: int, i: int, plan: Plan) -> None:
    """Cancel an entry whose ground is gone: halted, paused, barred or banned since, of a strategy that is no more,
    being sold, or sold after it was placed."""
    entry = state.orders[i, ENTRY]
    sold = state.exit_ms[law.instruments.asset[i]] > entry[PLACED_MS]
    shut = guard.halted != ACTIVE or guard.paused != 0 or guard.barred[i] != 0
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
    """First the remainders of expired makers, then new proposals, the most convinced first."""
    count = state.lots.shape[0]
    for n in range(2 * count):
        if n < count:
            draft = step_expired(law, guard, state, columns, t, n, plan, equity)
        else:
            i, strategy = best_candidate(guard, columns, t, plan)
            if i == NEVER:
                break
            draft = new_draft(law, columns, t, i, strategy, equity)
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
def new_draft(law: Law, columns: Columns, t: int, i: int, strategy: int, equity: int) -> Draft:
    """A maker joins the bid for its time to live; with none, a taker goes through the ask within the band."""
    if law.orders.maker_ttl_ms > 0:
        kind, price = MAKER, maker_price(columns, t, i)
    else:
        kind, price = TAKER, more(columns.ask[t, i], law.orders.band_ppm)
    asked = columns.asked[t]
    scale = regime_scale(law, columns, t) * columns.scale[strategy, asked, i]
    return Draft(
        i, strategy, kind, price, wanted_lots(law, i, equity, price, scale), BY_SIGNAL, 0, equity,
        columns.conviction[strategy, asked, i], columns.stop_bps[strategy, asked, i],
        columns.target_bps[strategy, asked, i], columns.hold_ms[strategy, asked, i],
    )  # fmt: skip


@rule
def step_entry(law: Law, guard: Guard, state: State, columns: Columns, t: int, plan: Plan, draft: Draft) -> None:
    """Judge one draft; what passes is reserved at once, so the next draft sees it."""
    i = draft.instrument
    code, lots = judge(law, guard, state, columns, t, draft, plan.entered, plan.desk, plan.trace[i])
    plan.verdict[i], plan.chosen[i] = code, draft.strategy
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
