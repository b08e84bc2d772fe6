"""Is it too soon, or too much at once? What completes an entry that was let pass is not asked again."""

from trader_core.rulebook import rule
from trader_core.rulebook.account import DAY_MS, HOUR_MS, moment
from trader_core.rulebook.codes import (
    BY_SIGNAL,
    BY_STOP,
    CLOSED,
    DAY_ENTRIES,
    ENTERED_MS,
    ENTRY,
    ENTRY_DAY,
    EXIT,
    HOUR,
    HOUR_ENTRIES,
    KIND,
    LOSS_MS,
    NOT_HERE,
    PASS,
    STREAK,
    Verdict,
)  # fmt: skip
from trader_core.rulebook.exposure import positions_without
from trader_core.rulebook.gates.note import Judged, note
from trader_core.rulebook.limits import Floats, Ints, Law
from trader_core.rulebook.state import Columns, Draft, State


@rule
def judge_pacing(
    law: Law, state: State, columns: Columns, t: int, draft: Draft, entered: Ints, lots: int, trace: Floats
) -> int:
    now, asset = moment(columns, t), law.instruments.asset[draft.instrument]
    lots = note(trace, Verdict.COOLDOWN, gate_cooldown(law, state, asset, now, draft, lots))
    lots = note(trace, Verdict.LOSING_STREAK, gate_losing_streak(law, state, now, draft, lots))
    lots = note(trace, Verdict.SPACING, gate_spacing(law, state, now, draft, lots))
    lots = note(trace, Verdict.ASSET_SPACING, gate_asset_spacing(law, state, asset, now, draft, lots))
    lots = note(trace, Verdict.HOUR_ENTRIES, gate_hour_entries(law, state, now, draft, lots))
    lots = note(trace, Verdict.DAY_ENTRIES, gate_day_entries(law, state, now, draft, lots))
    lots = note(trace, Verdict.CYCLE_ENTRIES, gate_cycle_entries(law, draft, entered, lots))
    lots = note(trace, Verdict.STRATEGY_TRADES, gate_strategy_trades(law, draft, entered, lots))
    return note(trace, Verdict.CONVICTION, gate_conviction(law, draft, lots))


@rule
def waits(draft: Draft, left_ms: int, lots: int) -> Judged:
    """Closed while there is time left to wait."""
    if draft.reason != BY_SIGNAL:
        return NOT_HERE, lots, 0.0, 0.0
    return (CLOSED if left_ms > 0 else PASS), lots, max(left_ms, 0) / 1e3, 0.0


@rule
def counts(draft: Draft, after: int, limit: int, lots: int) -> Judged:
    """Closed where one more would be too many."""
    if draft.reason != BY_SIGNAL:
        return NOT_HERE, lots, 0.0, float(limit)
    return (CLOSED if after > limit else PASS), lots, float(after), float(limit)


@rule
def gate_cooldown(law: Law, state: State, asset: int, now: int, draft: Draft, lots: int) -> Judged:
    """After a sale the asset rests under every pair that trades it: longest after a stop, shortest after a gain."""
    rest = law.pacing.cooldown_loss_ms
    if state.exit_reason[asset] == BY_STOP:
        rest = law.pacing.cooldown_stop_ms
    elif state.exit_won[asset]:
        rest = law.pacing.cooldown_win_ms
    return waits(draft, state.exit_ms[asset] + rest - now if state.exit_ms[asset] >= 0 else 0, lots)


@rule
def gate_losing_streak(law: Law, state: State, now: int, draft: Draft, lots: int) -> Judged:
    """So many losses in a row pause everything for a while after the last one."""
    lost = state.clock[STREAK] >= law.pacing.max_streak
    return waits(draft, state.clock[LOSS_MS] + law.pacing.streak_pause_ms - now if lost else 0, lots)


@rule
def gate_spacing(law: Law, state: State, now: int, draft: Draft, lots: int) -> Judged:
    """Between the entries of two cycles; those of one cycle are counted instead."""
    last = state.clock[ENTERED_MS]
    return waits(draft, last + law.pacing.spacing_ms - now if 0 <= last < now else 0, lots)


@rule
def gate_asset_spacing(law: Law, state: State, asset: int, now: int, draft: Draft, lots: int) -> Judged:
    last = state.entry_ms[asset]
    return waits(draft, last + law.pacing.asset_spacing_ms - now if last >= 0 else 0, lots)


@rule
def gate_hour_entries(law: Law, state: State, now: int, draft: Draft, lots: int) -> Judged:
    so_far = state.clock[HOUR_ENTRIES] if state.clock[HOUR] == now // HOUR_MS else 0
    return counts(draft, so_far + 1, law.pacing.per_hour, lots)


@rule
def gate_day_entries(law: Law, state: State, now: int, draft: Draft, lots: int) -> Judged:
    so_far = state.clock[DAY_ENTRIES] if state.clock[ENTRY_DAY] == now // DAY_MS else 0
    return counts(draft, so_far + 1, law.pacing.per_day, lots)


@rule
def gate_cycle_entries(law: Law, draft: Draft, entered: Ints, lots: int) -> Judged:
    so_far = 0
    for s in range(entered.shape[0]):
        so_far += entered[s]
    return counts(draft, so_far + 1, law.pacing.per_cycle, lots)


@rule
def gate_strategy_trades(law: Law, draft: Draft, entered: Ints, lots: int) -> Judged:
    s = draft.strategy
    if draft.reason != BY_SIGNAL:
        return NOT_HERE, lots, 0.0, 0.0
    return counts(draft, entered[s] + 1, law.strategies.max_trades[s], lots)


@rule
def gate_conviction(law: Law, draft: Draft, lots: int) -> Judged:
    if draft.reason != BY_SIGNAL:
        return NOT_HERE, lots, 0.0, 0.0
    limit = law.strategies.min_conviction[draft.strategy]
    return (CLOSED if draft.conviction < limit else PASS), lots, 100.0 * draft.conviction, 100.0 * limit


@rule
def judge_slots(law: Law, state: State, columns: Columns, t: int, draft: Draft, lots: int, trace: Floats) -> int:
    now, asset = moment(columns, t), law.instruments.asset[draft.instrument]
    lots = note(trace, Verdict.HELD, gate_held(law, state, draft, lots))
    lots = note(trace, Verdict.ADD_SPACING, gate_add_spacing(law, state, asset, now, draft, lots))
    lots = note(trace, Verdict.ADDS_PER_DAY, gate_adds_per_day(law, state, asset, now, draft, lots))
    return note(trace, Verdict.MAX_POSITIONS, gate_open_positions(law, state, columns, t, draft, lots))


@rule
def gate_held(law: Law, state: State, draft: Draft, lots: int) -> Judged:
    """Nothing is bought twice at once or while it is sold; what is held is bought again only where adds are allowed."""
    i = draft.instrument
    count = 1 if state.lots[i] > 0 and draft.reason == BY_SIGNAL and law.pacing.adds_allowed == 0 else 0
    count += 1 if state.orders[i, ENTRY, KIND] != 0 else 0
    count += 1 if state.orders[i, EXIT, KIND] != 0 else 0
    return (CLOSED if count > 0 else PASS), lots, float(count), 0.0


@rule
def gate_add_spacing(law: Law, state: State, asset: int, now: int, draft: Draft, lots: int) -> Judged:
    if state.lots[draft.instrument] == 0:
        return NOT_HERE, lots, 0.0, 0.0
    last = state.entry_ms[asset]
    return waits(draft, last + law.pacing.add_spacing_ms - now if last >= 0 else 0, lots)


@rule
def gate_adds_per_day(law: Law, state: State, asset: int, now: int, draft: Draft, lots: int) -> Judged:
    if state.lots[draft.instrument] == 0:
        return NOT_HERE, lots, 0.0, float(law.pacing.adds_per_day)
    so_far = state.adds[asset] if state.add_day[asset] == now // DAY_MS else 0
    return counts(draft, so_far + 1, law.pacing.adds_per_day, lots)


@rule
def gate_open_positions(law: Law, state: State, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    after = positions_without(law, state, columns, t, draft.instrument) + 1
    limit = law.risk.max_positions
    return (CLOSED if after > limit else PASS), lots, float(after), float(limit)
