"""One turn of the law at a bar's close: mark, exits, order care, entries. A live cycle runs it on a State made
from the ledger; a replay runs it on a State that goes on from bar to bar."""

from trader_core.rulebook import rule
from trader_core.rulebook.account import equity_of, step_decided, step_mark
from trader_core.rulebook.codes import (
    BY_FALLBACK,
    BY_SIGNAL,
    BY_STOP,
    CANCEL,
    DECIDED_MS,
    ENTRY,
    EXIT,
    EXPIRES_MS,
    FILLED,
    KIND,
    LOTS,
    MAKER,
    NEVER,
    PLACE,
    PLACED_MS,
    STOP,
    STOP_MARKET,
    STRATEGY,
    TAKER,
    TRIGGER,
    Verdict,
)  # fmt: skip
from trader_core.rulebook.exits import exit_reason, stop_price
from trader_core.rulebook.judge import judge
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import less, more
from trader_core.rulebook.orders import is_open, step_ask, step_close, step_place
from trader_core.rulebook.sizing import wanted_lots
from trader_core.rulebook.state import Columns, Draft, Guard, Plan, State


@rule
def step_turn(law: Law, guard: Guard, state: State, columns: Columns, t: int, plan: Plan) -> int:
    """Fill `plan`, reserve what it places, and return the equity (1e-8 quote, -1 unknown).

    Halted, it refuses every entry, cancels those that rest, sells nothing itself, and sees that stops are in place.
    """
    now = columns.at_ms[t]
    equity = equity_of(law.instruments, state, columns, t)
    step_mark(state, now, equity)
    plan.asked[0] = 0
    plan.verdict[:] = NEVER
    for i in range(state.lots.shape[0]):
        if guard.unknown[i] == 0:
            step_exit(law, guard, state, columns, t, i, plan)
            step_obsolete(law, guard, state, i, plan)
    if state.clock[DECIDED_MS] < now:
        step_entries(law, guard, state, columns, t, plan, equity)
        step_decided(state, now)
    return equity


@rule
def step_exit(law: Law, guard: Guard, state: State, columns: Columns, t: int, i: int, plan: Plan) -> None:
    """Sell when there is a reason to; otherwise see that a stop for the whole position rests at the venue."""
    if is_open(state, i, EXIT):
        return
    now, held, strategy = columns.at_ms[t], state.lots[i], state.strategy[i]
    reason = exit_reason(law, state, columns, t, i) if held > 0 and not guard.halted else 0
    trigger = stop_price(law, state, i) if held > 0 else 0
    stop = state.orders[i, STOP]
    if stop[KIND] != 0 and (reason != 0 or stop[TRIGGER] != trigger or stop[LOTS] - stop[FILLED] != held):
        step_cancel(state, i, STOP, plan)
    if reason != 0:
        limit, expires = max(less(columns.bid[t, i], law.orders.band_ppm), 1), now + law.orders.bar_ms
        step_place(state, i, EXIT, TAKER, held, limit, trigger, now, expires, reason, strategy, 0, 0)
        step_ask(plan, PLACE, i, EXIT)
    elif trigger > 0 and not is_open(state, i, STOP):
        step_place(state, i, STOP, STOP_MARKET, held, 0, trigger, now, NEVER, BY_STOP, strategy, 0, 0)
        step_ask(plan, PLACE, i, STOP)


@rule
def step_obsolete(law: Law, guard: Guard, state: State, i: int, plan: Plan) -> None:
    """Cancel an entry whose ground is gone: halted or barred since, being sold, or sold after it was placed."""
    entry = state.orders[i, ENTRY]
    sold = state.exit_ms[law.instruments.asset[i]] > entry[PLACED_MS]
    gone = guard.halted != 0 or guard.barred[i] != 0 or is_open(state, i, EXIT) or sold
    if entry[KIND] != 0 and gone:
        step_cancel(state, i, ENTRY, plan)


@rule
def step_cancel(state: State, i: int, slot: int, plan: Plan) -> None:
    step_close(state, i, slot)
    step_ask(plan, CANCEL, i, slot)


@rule
def step_entries(law: Law, guard: Guard, state: State, columns: Columns, t: int, plan: Plan, equity: int) -> None:
    """First the remainders of expired makers, then new proposals, the most convinced first."""
    for i in range(state.lots.shape[0]):
        if not guard.halted and guard.unknown[i] == 0:
            order = state.orders[i, ENTRY]
            if order[KIND] == MAKER and columns.at_ms[t] >= order[EXPIRES_MS]:
                rest, strategy = order[LOTS] - order[FILLED], order[STRATEGY]
                step_cancel(state, i, ENTRY, plan)
                limit = more(columns.ask[t, i], law.orders.band_ppm)
                draft = Draft(i, strategy, TAKER, limit, rest, BY_FALLBACK, equity)
                step_entry(law, guard, state, columns, t, plan, draft)
    for _ in range(state.lots.shape[0]):
        i, strategy = best_candidate(guard, columns, t, plan)
        if i == NEVER:
            break
        step_entry(law, guard, state, columns, t, plan, new_draft(law, columns, t, i, strategy, equity))


@rule
def best_candidate(guard: Guard, columns: Columns, t: int, plan: Plan) -> tuple[int, int]:
    """The most convinced proposal among the instruments not judged this turn; the first of equals."""
    best, chosen, conviction = NEVER, NEVER, -1.0
    for i in range(plan.verdict.shape[0]):
        if plan.verdict[i] == NEVER and guard.barred[i] == 0:
            for s in range(columns.enter.shape[0]):
                if columns.enter[s, t, i] and columns.conviction[s, t, i] > conviction:
                    best, chosen, conviction = i, s, columns.conviction[s, t, i]
    return best, chosen


@rule
def new_draft(law: Law, columns: Columns, t: int, i: int, strategy: int, equity: int) -> Draft:
    """A maker joins the bid for its time to live; with none, a taker goes through the ask within the band.

    Where bid and ask are one price the maker stays a tick below it: a post-only order at the ask is turned away.
    """
    if law.orders.maker_ttl_ms > 0:
        kind, price = MAKER, max(min(columns.bid[t, i], columns.ask[t, i] - 1), 0)
    else:
        kind, price = TAKER, more(columns.ask[t, i], law.orders.band_ppm)
    return Draft(i, strategy, kind, price, wanted_lots(law, i, equity, price), BY_SIGNAL, equity)


@rule
def step_entry(law: Law, guard: Guard, state: State, columns: Columns, t: int, plan: Plan, draft: Draft) -> None:
    """Judge one draft; what passes is reserved at once, so the next draft sees it."""
    i = draft.instrument
    code, lots = judge(law, guard, state, columns, t, draft, plan.trace[i])
    plan.verdict[i] = code
    if code == Verdict.OK:
        life = law.orders.maker_ttl_ms if draft.kind == MAKER else law.orders.bar_ms
        now = columns.at_ms[t]
        step_place(
            state, i, ENTRY, draft.kind, lots, draft.price, 0, now, now + life, draft.reason, draft.strategy,
            law.strategies.stop_bps[draft.strategy], law.strategies.target_bps[draft.strategy],
        )  # fmt: skip
        step_ask(plan, PLACE, i, ENTRY)
