"""Have we lost enough? Realised and unrealised together; reaching a limit closes entries: for the rest of the day or
the week, whatever the market does then, and in a drawdown until it is smaller."""

from trader_core.rulebook import rule
from trader_core.rulebook.account import DAY_MS, moment, week_of
from trader_core.rulebook.codes import (
    CLOSED,
    DAY,
    DAY_HIGH,
    DAY_LOW,
    DAY_OPEN,
    HIGH,
    NOT_HERE,
    PASS,
    WEEK,
    WEEK_LOW,
    WEEK_OPEN,
    Verdict,
)  # fmt: skip
from trader_core.rulebook.gates.note import Judged, note
from trader_core.rulebook.limits import Floats, Law
from trader_core.rulebook.state import Columns, Draft, State

HALVED = 0.5


@rule
def judge_losses(law: Law, state: State, columns: Columns, t: int, draft: Draft, lots: int, trace: Floats) -> int:
    lots = note(trace, Verdict.DAY_LOSS, gate_day_loss(law, state, columns, t, draft, lots))
    lots = note(trace, Verdict.WEEK_LOSS, gate_week_loss(law, state, columns, t, draft, lots))
    lots = note(trace, Verdict.DRAWDOWN, gate_drawdown(law, state, draft, lots))
    lots = note(trace, Verdict.DAY_STOP, gate_day_stop(law, state, columns, t, draft, lots))
    return note(trace, Verdict.DAY_TARGET, gate_day_target(law, state, columns, t, draft, lots))


@rule
def loss_gate(mark: int, equity: int, limit: float, lots: int) -> Judged:
    """Loss since a mark, as a share of it. Of an unknown equity the equity gate has said no."""
    known, lost = mark > 0 and equity >= 0, lost_of(mark, equity)
    return (CLOSED if known and lost >= limit else PASS), lots, 100.0 * lost, 100.0 * limit


@rule
def lost_of(mark: int, equity: int) -> float:
    return (mark - equity) / mark if mark > 0 and equity >= 0 else 0.0


@rule
def gate_day_loss(law: Law, state: State, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    opening, lowest = day_marks(state, moment(columns, t), draft.equity)
    return loss_gate(opening, lowest, law.risk.max_day_loss, lots)


@rule
def day_marks(state: State, now: int, equity: int) -> tuple[int, int]:
    """The day's opening, 0 where it has none yet, and its lowest equity."""
    opening = state.clock[DAY_OPEN] if state.clock[DAY] == now // DAY_MS else 0
    return int(opening), int(lower(state.clock[DAY_LOW], equity))


@rule
def loss_scale(law: Law, state: State, now: int, equity: int) -> float:
    """How far the day's loss scales new positions: the first step of the ladder, before entries close and the machine
    trips."""
    opening, lowest = day_marks(state, now, equity)
    return HALVED if lost_of(opening, lowest) >= law.risk.halve_at_day_loss else 1.0


@rule
def gate_week_loss(law: Law, state: State, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    now = state.clock[WEEK] == week_of(moment(columns, t))
    lowest = lower(state.clock[WEEK_LOW], draft.equity)
    return loss_gate(state.clock[WEEK_OPEN] if now else 0, lowest, law.risk.max_week_loss, lots)


@rule
def lower(lowest: int, equity: int) -> int:
    """The lower of both, where the first is known; an unknown equity stays unknown."""
    return min(lowest, equity) if lowest >= 0 else equity


@rule
def gate_drawdown(law: Law, state: State, draft: Draft, lots: int) -> Judged:
    return loss_gate(state.clock[HIGH], draft.equity, law.risk.max_drawdown, lots)


@rule
def day_opening(state: State, columns: Columns, t: int) -> int:
    """Equity at the day's first mark; 0 where there was none yet."""
    today = state.clock[DAY] == moment(columns, t) // DAY_MS
    return max(state.clock[DAY_OPEN], 0) if today else 0


@rule
def gate_day_stop(law: Law, state: State, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    """The whole account's stop for a day, in a profile that has one. Without an opening nobody can tell: closed."""
    opened, limit = day_opening(state, columns, t), law.risk.day_stop
    if limit < 0.0:
        return NOT_HERE, lots, 0.0, 0.0
    lowest = lower(state.clock[DAY_LOW], draft.equity)
    lost = (opened - lowest) / opened if opened > 0 and lowest >= 0 else 0.0
    return (CLOSED if opened == 0 or lost >= limit else PASS), lots, 100.0 * lost, 100.0 * limit


@rule
def gate_day_target(law: Law, state: State, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    """The whole account's target for a day: once it was reached, nothing new until the next one."""
    opened, limit = day_opening(state, columns, t), law.risk.day_target
    if limit < 0.0:
        return NOT_HERE, lots, 0.0, 0.0
    gained = (max(state.clock[DAY_HIGH], draft.equity) - opened) / opened if opened > 0 else 0.0
    return (CLOSED if opened == 0 or gained >= limit else PASS), lots, 100.0 * gained, 100.0 * limit
