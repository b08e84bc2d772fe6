"""How much may it be? Caps on exposure after the trade, working orders at their worst; they shrink what they can."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import PASS, Verdict
from trader_core.rulebook.costs import worst_fee_ppm
from trader_core.rulebook.exposure import (
    ALL,
    OF_ASSET,
    OF_STRATEGY,
    OF_THEME,
    OF_TIER,
    cost_with_fee,
    effective_cap,
    exposure,
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
    lots = min(lots, note(trace, Verdict.CASH, gate_cash(law, state, draft, lots)))
    for verdict in (
        Verdict.STRATEGY_CAP, Verdict.ASSET_CAP, Verdict.THEME_CAP, Verdict.TIER_CAP, Verdict.TOTAL_EXPOSURE,
    ):  # fmt: skip
        lots = min(lots, note(trace, verdict, gate_cap(law, guard, state, columns, t, draft, lots, verdict)))
    return lots


@rule
def fit(law: Law, draft: Draft, lots: int, room: int) -> int:
    """The most lots that `room` pays for, fees included, to the last lot; never more than asked."""
    value = mul_div_down(max(room, 0), PPM, PPM + worst_fee_ppm(law.costs))
    return max(min(lots, lots_for(law.instruments, draft.instrument, value, draft.price)), 0)


@rule
def cap_of(law: Law, state: State, draft: Draft, verdict: Verdict) -> tuple[float, int, int]:
    """(cap as a fraction of equity, what it counts, of which one)."""
    i = draft.instrument
    if verdict == Verdict.STRATEGY_CAP:
        owner = owner_of(state, draft)
        if owner < 0:
            return law.risk.max_total, ALL, 0  # of a strategy that is no more
        return law.strategies.max_at_risk[owner], OF_STRATEGY, owner
    if verdict == Verdict.ASSET_CAP:
        return law.risk.max_asset, OF_ASSET, law.instruments.asset[i]
    if verdict == Verdict.THEME_CAP:
        return law.risk.max_theme[law.instruments.theme[i]], OF_THEME, law.instruments.theme[i]
    if verdict == Verdict.TIER_CAP:
        return law.risk.max_tier[law.instruments.tier[i]], OF_TIER, law.instruments.tier[i]
    return law.risk.max_total, ALL, 0


@rule
def gate_cap(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, draft: Draft, lots: int, verdict: Verdict
) -> Judged:
    """Exposure after the trade as a share of equity, against the cap that is in force in this regime."""
    written, kind, key = cap_of(law, state, draft, verdict)
    cap = effective_cap(written, regime_scale(law, columns, t))
    used = exposure(law, guard, state, columns, t, kind, key)
    cost = cost_with_fee(law, draft.instrument, lots, draft.price)
    if draft.equity <= 0:
        return PASS, lots, 0.0, 100.0 * cap  # a share of nothing: the equity gate has said no
    left = fit(law, draft, lots, int(cap * draft.equity) - used)
    after = 100.0 * (float(used) + cost) / draft.equity
    return shrunk(lots, left, after, 100.0 * cap)


@rule
def gate_cash(law: Law, state: State, draft: Draft, lots: int) -> Judged:
    """Our own cash, less what working entries may still take."""
    room = state.cash[0] - reserved_cash(law, state)
    cost = cost_with_fee(law, draft.instrument, lots, draft.price)
    return shrunk(lots, fit(law, draft, lots, room), cost / E8, room / E8)
