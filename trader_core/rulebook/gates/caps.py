"""How much may it be? Caps on exposure after the trade, working orders at their worst; they shrink what they can."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import PASS, Verdict
from trader_core.rulebook.costs import worst_fee_ppm
from trader_core.rulebook.exposure import (
    cost_with_fee,
    effective_cap,
    exposures,
    owner_of,
    reserved_cash,
)  # fmt: skip
from trader_core.rulebook.gates.note import Judged, note, shrunk
from trader_core.rulebook.gates.standing import E8
from trader_core.rulebook.limits import Floats, Law
from trader_core.rulebook.money import PPM, lots_for, mul_div_down
from trader_core.rulebook.sizing import regime_scale
from trader_core.rulebook.state import Columns, Draft, Guard, State


@rule
def judge_caps(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, draft: Draft, lots: int, trace: Floats
) -> int:
    i, risk, kinds = draft.instrument, law.risk, law.instruments
    owner, scale = owner_of(state, draft), regime_scale(law, columns, t)
    used = exposures(law, guard, state, columns, t, i, owner)
    lots = min(lots, note(trace, Verdict.CASH, gate_cash(law, state, draft, lots)))
    budget, spent = risk.max_total, used.total  # of a strategy that is no more
    if owner >= 0:
        budget, spent = law.strategies.max_at_risk[owner], used.strategy
    lots = min(lots, note(trace, Verdict.STRATEGY_CAP, gate_cap(law, draft, lots, spent, budget, scale)))
    lots = min(lots, note(trace, Verdict.ASSET_CAP, gate_cap(law, draft, lots, used.asset, risk.max_asset, scale)))
    cap = risk.max_theme[kinds.theme[i]]
    lots = min(lots, note(trace, Verdict.THEME_CAP, gate_cap(law, draft, lots, used.theme, cap, scale)))
    cap = risk.max_tier[kinds.tier[i]]
    lots = min(lots, note(trace, Verdict.TIER_CAP, gate_cap(law, draft, lots, used.tier, cap, scale)))
    judged = gate_cap(law, draft, lots, used.total, risk.max_total, scale)
    return min(lots, note(trace, Verdict.TOTAL_EXPOSURE, judged))


@rule
def fit(law: Law, draft: Draft, lots: int, cost: int, room: int) -> int:
    """The most lots that `room` pays for, fees included, to the last lot; never more than asked, which cost `cost`."""
    if cost <= room:
        return max(lots, 0)
    value = mul_div_down(max(room, 0), PPM, PPM + worst_fee_ppm(law.costs))
    return max(min(lots, lots_for(law.instruments, draft.instrument, value, draft.price)), 0)


@rule
def gate_cap(law: Law, draft: Draft, lots: int, used: int, written: float, scale: float) -> Judged:
    """Exposure after the trade as a share of equity, against the cap that is in force in this regime."""
    cap = effective_cap(written, scale)
    cost = cost_with_fee(law, draft.instrument, lots, draft.price)
    if draft.equity <= 0:
        return PASS, lots, 0.0, 100.0 * cap  # a share of nothing: the equity gate has said no
    left = fit(law, draft, lots, cost, int(cap * draft.equity) - used)
    after = 100.0 * (float(used) + cost) / draft.equity
    return shrunk(lots, left, after, 100.0 * cap)


@rule
def gate_cash(law: Law, state: State, draft: Draft, lots: int) -> Judged:
    """Our own cash, less what working entries may still take."""
    room = state.cash[0] - reserved_cash(law, state)
    cost = cost_with_fee(law, draft.instrument, lots, draft.price)
    return shrunk(lots, fit(law, draft, lots, cost, room), cost / E8, room / E8)
