"""The numbers of one turn in words: what `why` will show, for every instrument, traded or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trader_core.domain.decision import GateRow, Judgement, Waiting
from trader_core.domain.instrument import Exclusion
from trader_core.engine.columns import Opinions
from trader_core.ledger.integers import Axes
from trader_core.market.regime import describe
from trader_core.rulebook import codes
from trader_core.rulebook.gates import standing
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import Columns, Plan
from trader_core.strategies import STRATEGIES

DIGITS = 6
E8 = 1e8
MULTIPLIERS = ("size_by_confidence", "size_by_calm", "size_by_recovery", "size_by_record")


@dataclass(frozen=True)
class Seen:
    """What the turn looked at."""

    law: Law
    columns: Columns
    row: int
    opinions: Opinions
    axes: Axes
    exclusions: Sequence[Exclusion]
    decided_before: bool
    halted: str = ""  # why the halt machine lets nothing in; empty where it does
    waiting: Sequence[Waiting] = ()
    deferred: Mapping[str, str] = field(default_factory=dict)  # what waits for its market to open: symbol, why


def judgements_of(seen: Seen, plan: Plan) -> tuple[Judgement, ...]:
    """One judgement per instrument: through the gates if it was proposed, else how far it came."""
    out = [Judgement(one.symbol, "excluded", one.reason, ()) for one in seen.exclusions]
    excluded = {one.symbol for one in seen.exclusions}
    signals = [_signal_rows(name, seen) for name in seen.axes.strategies]
    for i, instrument in enumerate(seen.axes.instruments):
        if instrument.symbol not in excluded:
            out.append(_judgement(seen, plan, i, tuple(rows[i] for rows in signals)))
    return tuple(sorted(out, key=lambda one: one.symbol))


def _judgement(seen: Seen, plan: Plan, i: int, opinions: tuple[GateRow, ...]) -> Judgement:
    symbol, why_not = seen.axes.instruments[i].symbol, ineligible(seen, i)
    waits = f"{seen.deferred[symbol]}: it is sold when its market opens" if symbol in seen.deferred else ""
    if plan.verdict[i] >= 0:
        strategy = seen.axes.strategies[plan.chosen[i]] if plan.chosen[i] >= 0 else ""
        verdict = codes.Verdict(int(plan.verdict[i]))
        words = {
            codes.Verdict.HALTED: seen.halted,
            codes.Verdict.INELIGIBLE: why_not,
            codes.Verdict.REGIME: describe(seen.opinions.market, seen.row),
            codes.Verdict.MAX_POSITIONS: _turn(seen, symbol),
            codes.Verdict.VAR: unknown_days(seen, plan, i),
        }
        detail = waits or words.get(verdict) or strategy
        return Judgement(
            symbol, verdict.name, detail, opinions + _scale_rows(plan) + _size_rows(plan, i) + _gate_rows(plan, i)
        )
    age = _row("data_age", int(seen.columns.age_ms[seen.row, i]) / 1e3, seen.law.market.max_age_ms / 1e3, 1, "s", "OK")
    rows = (age, *opinions)
    if waits:
        return Judgement(symbol, "exit_deferred", waits, rows)
    if seen.decided_before:
        return Judgement(symbol, "decided_before", "", rows)
    if not any(row.value is not None for row in opinions):
        return Judgement(symbol, "warming_up", "", rows)
    return Judgement(symbol, "excluded" if why_not else "no_signal", why_not, rows)


def _turn(seen: Seen, symbol: str) -> str:
    """Its place in the queue; empty where it does not wait."""
    places = [n + 1 for n, one in enumerate(seen.waiting) if one.symbol == symbol]
    return f"waits for a free slot, number {places[0]} of {len(seen.waiting)}" if places else ""


def unknown_days(seen: Seen, plan: Plan, i: int) -> str:
    """Why nobody knows what a bad day would cost; empty where it is known."""
    needed = seen.law.portfolio.var_min_days
    told = f"the value at risk is unknown: fewer than {needed} days of returns"
    return told if plan.trace[i, codes.Verdict.VAR - 1, 0] < 0 else ""


def ineligible(seen: Seen, i: int) -> str:
    """Why the universe has no place for it at this bar; empty where it has one."""
    tier, code = int(seen.law.instruments.tier[i]), standing.shortfall(seen.law, seen.columns, seen.row, i)
    spread = standing.spread_ppm(seen.columns, seen.row, i) / 100
    if code == standing.LOW_VOLUME:
        volume = int(seen.opinions.hours.day_cents_at(seen.columns.hour[seen.row, None], np.array([i]))[0]) / 100
        return f"24 h volume {volume:,.0f}: not long enough above the floor of tier {tier}"
    if code == standing.WIDE_SPREAD and not seen.columns.bid[seen.row, i]:
        return "nobody quotes it"
    if code == standing.WIDE_SPREAD:
        return f"spread {spread:.1f} bps, tier {tier} allows {seen.law.tiers.max_spread_ppm[tier] / 100:g}"
    if code == standing.THIN_BOOK:
        depth, floor = seen.columns.depth[seen.columns.asked[seen.row], i] / E8, seen.law.tiers.min_depth[tier] / E8
        return f"depth {depth:,.0f} within 20 bps, tier {tier} asks for {floor:,.0f}"
    if code == standing.NOT_NEAR_ENOUGH:
        return f"volume just below tier {tier}'s floor, and the spread of {spread:.1f} bps is too wide for that"
    return ""


def _signal_rows(name: str, seen: Seen) -> list[GateRow]:
    """What a strategy measured on each instrument; nothing where it broke."""
    unit, one = STRATEGIES[name].unit, seen.opinions.measured.get(name)
    if one is None:
        return [GateRow(name, None, None, None, unit, "unknown") for _ in seen.axes.instruments]
    entered = seen.columns.enter[seen.axes.strategies.index(name), seen.columns.asked[seen.row]]
    measured = zip(one.known.tolist(), one.value.tolist(), one.limit.tolist(), entered.tolist(), strict=True)
    return [
        _row(name, value, limit, -1, unit, "OK" if enter else "no_signal")
        if known
        else GateRow(name, None, None, None, unit, "unknown")
        for known, value, limit, enter in measured
    ]


def _scale_rows(plan: Plan) -> tuple[GateRow, ...]:
    """How far the day's loss has shrunk what was wanted, where it has."""
    scale = 100 * float(plan.shrunk[0])
    return (_row("loss_scale", scale, 100.0, -1, "pct", "OK"),) if scale < 100 else ()


def _size_rows(plan: Plan, i: int) -> tuple[GateRow, ...]:
    """What was wanted, what the sizing rule left of it and what binds it; and each multiplier that is not 1."""
    sizes = plan.sizes[i].tolist()
    if sizes[codes.WANTED] < 0:
        return ()
    binding = codes.BINDING[int(sizes[codes.BOUND_BY])]
    size = _row("size", sizes[codes.WANTED] / E8, sizes[codes.ALLOWED] / E8, 1, "quote", f"by_{binding}")
    scales = zip(MULTIPLIERS, sizes[codes.CONFIDENCE :], strict=True)
    return (size, *(_row(name, scale, 1.0, 1, "ratio", "scaled") for name, scale in scales if scale != 1.0))


def _gate_rows(plan: Plan, i: int) -> tuple[GateRow, ...]:
    return tuple(
        _row(gate.name, value, limit, gate.sense, gate.unit, codes.Verdict(int(verdict)).name)
        for gate, (value, limit, verdict) in zip(codes.GATES, plan.trace[i].tolist(), strict=True)
    )


def _row(gate: str, value: float, limit: float, sense: int, unit: str, verdict: str) -> GateRow:
    margin = round(sense * (limit - value), DIGITS)
    return GateRow(gate, round(value, DIGITS), round(limit, DIGITS), margin, unit, verdict)
