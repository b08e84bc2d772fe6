"""The numbers of one turn in words: what `why` will show, for every instrument, traded or not."""

from collections.abc import Mapping, Sequence

from trader_core.domain.decision import GateRow, Judgement
from trader_core.domain.instrument import Exclusion
from trader_core.ledger.integers import Axes
from trader_core.rulebook import codes
from trader_core.rulebook.state import Columns, Plan
from trader_core.strategies import STRATEGIES
from trader_core.strategies.base import Proposals

DIGITS = 6


def judgements_of(
    plan: Plan,
    columns: Columns,
    row: int,
    proposals: Mapping[str, Proposals],
    axes: Axes,
    exclusions: Sequence[Exclusion],
    decided_before: bool,
    max_age_ms: int,
) -> tuple[Judgement, ...]:
    """One judgement per instrument: through the gates if it was proposed, else how far it came."""
    out = [Judgement(one.symbol, "excluded", one.reason, ()) for one in exclusions]
    excluded = {one.symbol for one in exclusions}
    signals = [_signal_rows(name, one, row) for name, one in proposals.items()]
    ages, verdicts = columns.age_ms[row].tolist(), plan.verdict.tolist()
    for i, instrument in enumerate(axes.instruments):
        if instrument.symbol in excluded:
            continue
        opinions = tuple(rows[i] for rows in signals)
        if verdicts[i] >= 0:
            name = codes.Verdict(verdicts[i]).name
            out.append(Judgement(instrument.symbol, name, "", opinions + _gate_rows(plan, i)))
        else:
            age = _row("data_age", ages[i] / 1e3, max_age_ms / 1e3, 1, "s", "OK")
            out.append(Judgement(instrument.symbol, _stage(opinions, decided_before), "", (age, *opinions)))
    return tuple(sorted(out, key=lambda one: one.symbol))


def _stage(opinions: Sequence[GateRow], decided_before: bool) -> str:
    if decided_before:
        return "decided_before"
    return "no_signal" if any(row.value is not None for row in opinions) else "warming_up"


def _signal_rows(name: str, one: Proposals, row: int) -> list[GateRow]:
    """What a strategy measured on each instrument."""
    unit = STRATEGIES[name].unit
    measured = zip(
        one.known[row].tolist(), one.value[row].tolist(), one.limit[row].tolist(), one.enter[row].tolist(), strict=True
    )
    return [
        _row(name, value, limit, -1, unit, "OK" if enter else "no_signal")
        if known
        else GateRow(name, None, None, None, unit, "unknown")
        for known, value, limit, enter in measured
    ]


def _gate_rows(plan: Plan, i: int) -> tuple[GateRow, ...]:
    return tuple(
        _row(gate.name, value, limit, gate.sense, gate.unit, codes.Verdict(int(verdict)).name)
        for gate, (value, limit, verdict) in zip(codes.GATES, plan.trace[i].tolist(), strict=True)
    )


def _row(gate: str, value: float, limit: float, sense: int, unit: str, verdict: str) -> GateRow:
    margin = round(sense * (limit - value), DIGITS)
    return GateRow(gate, round(value, DIGITS), round(limit, DIGITS), margin, unit, verdict)
