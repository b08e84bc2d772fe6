"""How a gate's answer gets into the trace."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import CLOSED, NOT_HERE, PASS, Verdict
from trader_core.rulebook.limits import Floats

Judged = tuple[int, int, float, float]


@rule
def shrunk(lots: int, left: int, value: float, limit: float) -> Judged:
    """Closed where not one lot is left of some. What is refused is not shrunk as well: each gate measures the order
    that it would refuse."""
    if left < 1 <= lots:
        return CLOSED, lots, value, limit
    return PASS, left, value, limit


@rule
def note(trace: Floats, verdict: Verdict, judged: Judged) -> int:
    """Write (value, limit, verdict) into the gate's row and return the lots that it leaves."""
    gate, code = verdict - 1, 0
    if judged[0] == CLOSED:
        code = verdict + 0  # a plain integer; the compiler has no int() of an enum's member
    elif judged[0] == NOT_HERE:
        code = Verdict.NOT_APPLICABLE + 0
    trace[gate, 0], trace[gate, 1], trace[gate, 2] = judged[2], judged[3], code
    return judged[1]
