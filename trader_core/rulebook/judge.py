"""The order of judgement. Every gate is measured; the first no decides; lots only ever shrink."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import GATE_COUNT, Verdict
from trader_core.rulebook.gates.book import judge_book
from trader_core.rulebook.gates.caps import judge_caps
from trader_core.rulebook.gates.liquidity import judge_liquidity
from trader_core.rulebook.gates.losses import judge_losses
from trader_core.rulebook.gates.pacing import judge_pacing, judge_slots
from trader_core.rulebook.gates.prices import judge_prices, judge_weather
from trader_core.rulebook.gates.standing import judge_standing
from trader_core.rulebook.limits import Floats, Ints, Law
from trader_core.rulebook.state import Columns, Desk, Draft, Guard, State


@rule
def judge(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, draft: Draft, entered: Ints, desk: Desk,
    trace: Floats,
) -> tuple[int, int]:  # fmt: skip
    """(verdict, lots) for one draft; `trace[gate]` becomes (value, limit, verdict) in the order of codes.GATES."""
    lots = draft.lots
    lots = judge_standing(law, guard, state, columns, t, draft, lots, trace)
    lots = judge_prices(law, columns, t, draft, lots, trace)
    lots = judge_losses(law, state, columns, t, draft, lots, trace)
    lots = judge_pacing(law, state, columns, t, draft, entered, lots, trace)
    lots = judge_weather(law, columns, t, draft, lots, trace)
    lots = judge_slots(law, state, columns, t, draft, lots, trace)
    lots = judge_caps(law, guard, state, columns, t, draft, lots, trace)
    lots = judge_book(law, state, columns, t, draft, desk, lots, trace)
    lots = judge_liquidity(law, columns, t, draft, lots, trace)
    code = first_no(trace)
    return code, (lots if code == Verdict.OK else 0)


@rule
def first_no(trace: Floats) -> int:
    for g in range(GATE_COUNT):
        code = int(trace[g, 2])
        if code != Verdict.OK and code != Verdict.NOT_APPLICABLE:
            return code
    return 0
