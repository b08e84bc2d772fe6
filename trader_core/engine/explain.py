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
    for i, instrument in enumerate(axes.instruments):
        if instrument.symbol in excluded:
            continue
        signals = tuple(_signal_row(name, one, columns, row, i) for name, one in proposals.items())
        verdict = int(plan.verdict[i])
        if verdict >= 0:
            name = codes.Verdict(verdict).name
            out.append(Judgement(instrument.symbol, name, "", signals + _gate_rows(plan, i)))
        else:
            age = _row("data_age", columns.age_ms[row, i] / 1e3, max_age_ms / 1e3, 1, "s", "OK")
            out.append(Judgement(instrument.symbol, _stage(signals, decided_before), "", (age, *signals)))
    return tuple(sorted(out, key=lambda one: one.symbol))


def _stage(signals: Sequence[GateRow], decided_before: bool) -> str:
    if decided_before:
        return "decided_before"
    return "no_signal" if any(row.value is not None for row in signals) else "warming_up"


def _signal_row(name: str, one: Proposals, columns: Columns, row: int, i: int) -> GateRow:
    unit = STRATEGIES[name].unit
    if not one.known[row, i]:
        return GateRow(name, None, None, None, unit, "unknown")
    return _row(name, one.value[row, i], one.limit[row, i], -1, unit, "OK" if one.enter[row, i] else "no_signal")


def _gate_rows(plan: Plan, i: int) -> tuple[GateRow, ...]:
    return tuple(
        _row(gate.name, value, limit, gate.sense, gate.unit, codes.Verdict(int(verdict)).name)
        for gate, (value, limit, verdict) in zip(codes.GATES, plan.trace[i].tolist(), strict=True)
    )


def _row(gate: str, value: float, limit: float, sense: int, unit: str, verdict: str) -> GateRow:
    margin = sense * (limit - value)
    return GateRow(gate, _round(value), _round(limit), _round(margin), unit, verdict)


def _round(figure: float) -> float:
    return round(float(figure), DIGITS)
