"""The gates. Each judges one draft and returns (verdict, lots, value, limit); it may shrink the lots, never
enlarge them, and it touches nothing. Units of value and limit stand in codes.GATES."""

from trader_core.rulebook import rule
from trader_core.rulebook.account import DAY_MS
from trader_core.rulebook.codes import BY_FALLBACK, BY_STOP, DAY, DAY_OPEN, ENTRY, EXIT, KIND, Verdict
from trader_core.rulebook.costs import entry_cost_ppm, worst_fee_ppm
from trader_core.rulebook.exposure import cost_with_fee, exposure, positions_without, reserved_cash
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import PPM, lots_for, mul_div_down, value_down
from trader_core.rulebook.state import Columns, Draft, Guard, State

E8 = 100_000_000.0
Judged = tuple[int, int, float, float]


@rule
def gate_halt(guard: Guard, lots: int) -> Judged:
    return (Verdict.HALTED if guard.halted else Verdict.OK), lots, float(guard.halted), 0.0


@rule
def gate_unresolved(guard: Guard, draft: Draft, lots: int) -> Judged:
    """Nothing trades an instrument while an order's fate or the venue's balance of it is unknown."""
    open_questions = guard.unknown[draft.instrument] + guard.differs[draft.instrument]
    return (Verdict.UNRESOLVED if open_questions else Verdict.OK), lots, float(open_questions), 0.0


@rule
def gate_equity(draft: Draft, lots: int) -> Judged:
    """Unknown is not neutral: without equity there are no entries."""
    return (Verdict.EQUITY_UNKNOWN if draft.equity <= 0 else Verdict.OK), lots, draft.equity / E8, 1 / E8


@rule
def gate_data_age(law: Law, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    age = columns.age_ms[t, draft.instrument]
    unknown = columns.close[t, draft.instrument] == 0
    stale = unknown or age > law.risk.max_age_ms
    return (Verdict.STALE_DATA if stale else Verdict.OK), lots, age / 1e3, law.risk.max_age_ms / 1e3


@rule
def gate_day_loss(law: Law, state: State, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    """Realised and unrealised loss since the first mark of the UTC day; reaching the limit closes entries."""
    opened, today = state.clock[DAY_OPEN], columns.at_ms[t] // DAY_MS
    known = opened > 0 and state.clock[DAY] == today
    lost = (opened - draft.equity) / opened if known else 0.0
    closed = known and lost >= law.risk.max_day_loss
    return (Verdict.DAY_LOSS if closed else Verdict.OK), lots, 100.0 * lost, 100.0 * law.risk.max_day_loss


@rule
def gate_cooldown(law: Law, state: State, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    """After a sale the asset rests, longer after a stop, under every pair that trades it."""
    asset = law.instruments.asset[draft.instrument]
    since = state.exit_ms[asset]
    rest = law.risk.cooldown_stop_ms if state.exit_reason[asset] == BY_STOP else law.risk.cooldown_exit_ms
    left = max(0, since + rest - columns.at_ms[t]) if since >= 0 and draft.reason != BY_FALLBACK else 0
    return (Verdict.COOLDOWN if left > 0 else Verdict.OK), lots, left / 1e3, 0.0


@rule
def gate_held(state: State, draft: Draft, lots: int) -> Judged:
    """One entry per position, none while it is being sold; the fallback of a partly filled entry completes it."""
    i = draft.instrument
    count = 1 if state.lots[i] > 0 and draft.reason != BY_FALLBACK else 0
    count += 1 if state.orders[i, ENTRY, KIND] != 0 else 0
    count += 1 if state.orders[i, EXIT, KIND] != 0 else 0
    return (Verdict.HELD if count > 0 else Verdict.OK), lots, float(count), 0.0


@rule
def gate_open_positions(law: Law, state: State, draft: Draft, lots: int) -> Judged:
    after = positions_without(state, draft.instrument) + 1
    limit = law.risk.max_positions
    return (Verdict.MAX_POSITIONS if after > limit else Verdict.OK), lots, float(after), float(limit)


@rule
def fit(law: Law, draft: Draft, lots: int, room: int) -> int:
    """The most lots that `room` pays for, fees included, to the last lot; never more than asked."""
    value = mul_div_down(max(room, 0), PPM, PPM + worst_fee_ppm(law.costs))
    return max(min(lots, lots_for(law.instruments, draft.instrument, value, draft.price)), 0)


@rule
def gate_cash(law: Law, state: State, draft: Draft, lots: int) -> Judged:
    """Our own cash, less what working entries may still take."""
    room = state.cash[0] - reserved_cash(law, state)
    cost = cost_with_fee(law, draft.instrument, lots, draft.price)
    left = fit(law, draft, lots, room)
    return (Verdict.CASH if left < 1 <= lots else Verdict.OK), left, cost / E8, room / E8


@rule
def share_gate(
    law: Law, state: State, columns: Columns, t: int, draft: Draft, lots: int, asset: int, cap: float, no: int
) -> Judged:
    """Exposure after the trade as a share of equity, working orders at their worst."""
    used = exposure(law, state, columns, t, asset)
    cost = cost_with_fee(law, draft.instrument, lots, draft.price)
    room = int(cap * max(draft.equity, 0)) - used
    left = fit(law, draft, lots, room)
    after = 100.0 * (used + cost) / draft.equity if draft.equity > 0 else 0.0
    return (no if left < 1 <= lots else Verdict.OK), left, after, 100.0 * cap


@rule
def gate_asset_cap(law: Law, state: State, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    asset = law.instruments.asset[draft.instrument]
    return share_gate(law, state, columns, t, draft, lots, asset, law.risk.max_asset, Verdict.ASSET_CAP)


@rule
def gate_total_exposure(law: Law, state: State, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    return share_gate(law, state, columns, t, draft, lots, -1, law.risk.max_total, Verdict.TOTAL_EXPOSURE)


@rule
def gate_cost(law: Law, draft: Draft, lots: int) -> Judged:
    cost = entry_cost_ppm(law.costs, draft.kind)
    return (Verdict.COST if cost > law.risk.max_cost_ppm else Verdict.OK), lots, cost / 100, law.risk.max_cost_ppm / 100


@rule
def gate_min_notional(law: Law, draft: Draft, lots: int) -> Judged:
    """What is left of the order after the fee must still be worth having, for us and for the venue."""
    i = draft.instrument
    value = value_down(law.instruments, i, lots, draft.price)
    net = value - (cost_with_fee(law, i, lots, draft.price) - value) if lots > 0 else 0
    floor = max(law.risk.min_notional, law.instruments.min_notional[i])
    return (Verdict.MIN_NOTIONAL if lots < 1 or net < floor else Verdict.OK), lots, net / E8, floor / E8
