"""How much may it be? Caps on exposure after the trade, working orders at their worst; they shrink what they can."""

from typing import NamedTuple

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


class Bought(NamedTuple):
    """What is left of a draft, and what it costs."""

    lots: int
    cost: int  # the most that it can take out of the account, 1e-8 quote


@rule
def judge_caps(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, draft: Draft, lots: int, trace: Floats
) -> int:
    i, risk, kinds = draft.instrument, law.risk, law.instruments
    owner, scale = owner_of(state, draft), regime_scale(law, columns, t)
    used = exposures(law, guard, state, columns, t, i, owner)
    budget, spent = risk.max_total, used.total  # of a strategy that is no more
    if owner >= 0:
        budget, spent = law.strategies.max_at_risk[owner], used.strategy
    buys = bought(law, draft, lots)
    buys = less_of(law, draft, buys, note(trace, Verdict.CASH, gate_cash(law, state, draft, buys)))
    judged = gate_cap(law, draft, buys, spent, budget, scale)
    buys = less_of(law, draft, buys, note(trace, Verdict.STRATEGY_CAP, judged))
    judged = gate_cap(law, draft, buys, used.asset, risk.max_asset, scale)
    buys = less_of(law, draft, buys, note(trace, Verdict.ASSET_CAP, judged))
    judged = gate_cap(law, draft, buys, used.theme, risk.max_theme[kinds.theme[i]], scale)
    buys = less_of(law, draft, buys, note(trace, Verdict.THEME_CAP, judged))
    judged = gate_cap(law, draft, buys, used.tier, risk.max_tier[kinds.tier[i]], scale)
    buys = less_of(law, draft, buys, note(trace, Verdict.TIER_CAP, judged))
    judged = gate_cap(law, draft, buys, used.total, risk.max_total, scale)
    return min(buys.lots, note(trace, Verdict.TOTAL_EXPOSURE, judged))


@rule
def bought(law: Law, draft: Draft, lots: int) -> Bought:
    return Bought(lots, cost_with_fee(law, draft.instrument, lots, draft.price))


@rule
def less_of(law: Law, draft: Draft, buys: Bought, left: int) -> Bought:
    """What a gate leaves of it. To reckon with the cost of the same lots once more would only take time."""
    return bought(law, draft, left) if left < buys.lots else buys


@rule
def fit(law: Law, draft: Draft, buys: Bought, room: int) -> int:
    """The most lots that `room` pays for, fees included, to the last lot; never more than asked."""
    if buys.cost <= room:
        return max(buys.lots, 0)
    value = mul_div_down(max(room, 0), PPM, PPM + worst_fee_ppm(law.costs))
    return max(min(buys.lots, lots_for(law.instruments, draft.instrument, value, draft.price)), 0)


@rule
def gate_cap(law: Law, draft: Draft, buys: Bought, used: int, written: float, scale: float) -> Judged:
    """Exposure after the trade as a share of equity, against the cap that is in force in this regime."""
    cap = effective_cap(written, scale)
    if draft.equity <= 0:
        return PASS, buys.lots, 0.0, 100.0 * cap  # a share of nothing: the equity gate has said no
    left = fit(law, draft, buys, int(cap * draft.equity) - used)
    after = 100.0 * (float(used) + buys.cost) / draft.equity
    return shrunk(buys.lots, left, after, 100.0 * cap)


@rule
def gate_cash(law: Law, state: State, draft: Draft, buys: Bought) -> Judged:
    """Our own cash, less what working entries may still take."""
    room = state.cash[0] - reserved_cash(law, state)
    return shrunk(buys.lots, fit(law, draft, buys, room), buys.cost / E8, room / E8)
