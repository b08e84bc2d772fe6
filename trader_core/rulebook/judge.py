"""The order of judgement. Every gate is measured; the first no decides; lots only ever shrink."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import GATE_COUNT, Verdict
from trader_core.rulebook.gates import (
    gate_asset_cap,
    gate_cash,
    gate_cooldown,
    gate_cost,
    gate_data_age,
    gate_day_loss,
    gate_equity,
    gate_halt,
    gate_held,
    gate_min_notional,
    gate_open_positions,
    gate_total_exposure,
    gate_unresolved,
)  # fmt: skip
from trader_core.rulebook.limits import Floats, Law
from trader_core.rulebook.state import Columns, Draft, Guard, State


@rule
def judge(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, draft: Draft, trace: Floats
) -> tuple[int, int]:
    """(verdict, lots) for one draft; `trace[gate]` becomes (value, limit, verdict) in the order of codes.GATES."""
    code, lots = 0, draft.lots
    for g in range(GATE_COUNT):
        if g == 0:
            judged = gate_halt(guard, lots)
        elif g == 1:
            judged = gate_unresolved(guard, draft, lots)
        elif g == 2:
            judged = gate_equity(draft, lots)
        elif g == 3:
            judged = gate_data_age(law, columns, t, draft, lots)
        elif g == 4:
            judged = gate_day_loss(law, state, columns, t, draft, lots)
        elif g == 5:
            judged = gate_cooldown(law, state, columns, t, draft, lots)
        elif g == 6:
            judged = gate_held(state, draft, lots)
        elif g == 7:
            judged = gate_open_positions(law, state, draft, lots)
        elif g == 8:
            judged = gate_cash(law, state, draft, lots)
        elif g == 9:
            judged = gate_asset_cap(law, state, columns, t, draft, lots)
        elif g == 10:
            judged = gate_total_exposure(law, state, columns, t, draft, lots)
        elif g == 11:
            judged = gate_cost(law, draft, lots)
        else:
            judged = gate_min_notional(law, draft, lots)
        verdict = judged[0] + 0  # a plain integer; the compiler has no int() of an enum's member
        trace[g, 0], trace[g, 1], trace[g, 2] = judged[2], judged[3], verdict
        lots = min(lots, judged[1])
        if code == 0:
            code = verdict
    return code, (lots if code == Verdict.OK else 0)
