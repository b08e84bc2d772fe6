"""Can these prices be believed, and is this a market to be in? Hours, age, outliers, jumps, volatility, quiet,
and conviction on a restless day."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import BY_SIGNAL, CLOSED, NOT_HERE, PASS, Verdict
from trader_core.rulebook.gates.note import Judged, note
from trader_core.rulebook.limits import Floats, Law
from trader_core.rulebook.state import NO_TICKS, OPEN, Columns, Draft


@rule
def judge_prices(law: Law, columns: Columns, t: int, draft: Draft, lots: int, trace: Floats) -> int:
    lots = note(trace, Verdict.CALENDAR, gate_calendar(columns, t, draft, lots))
    lots = note(trace, Verdict.STALE_DATA, gate_data_age(law, columns, t, draft, lots))
    lots = note(trace, Verdict.OUTLIER, gate_outlier(law, columns, t, draft, lots))
    return note(trace, Verdict.JUMP, gate_jump(law, columns, t, draft, lots))


@rule
def gate_calendar(columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    """A market is entered in its hours; one whose hours nobody knows is shut."""
    now = columns.trading[columns.asked[t], draft.instrument]
    return (PASS if now == OPEN else CLOSED), lots, float(now), float(OPEN)


@rule
def gate_data_age(law: Law, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    age = columns.age_ms[t, draft.instrument]
    stale = columns.close[t, draft.instrument] == 0 or age > law.market.max_age_ms
    return (CLOSED if stale else PASS), lots, age / 1e3, law.market.max_age_ms / 1e3


@rule
def gate_outlier(law: Law, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    """Far from the closes before it, on hardly any volume: not a price to buy at."""
    i = draft.instrument
    deviation = columns.deviation[columns.asked[t], i]
    return (CLOSED if columns.outlier[t, i] else PASS), lots, deviation, law.market.max_deviation


@rule
def gate_jump(law: Law, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    """The middle price's move within 60 seconds; bars coarser than a minute cannot show it."""
    jump = columns.jump[columns.asked[t], draft.instrument]
    if jump == NO_TICKS:
        return NOT_HERE, lots, 0.0, law.market.max_jump
    return (CLOSED if jump < 0 or jump > law.market.max_jump else PASS), lots, jump, law.market.max_jump


@rule
def judge_weather(law: Law, columns: Columns, t: int, draft: Draft, lots: int, trace: Floats) -> int:
    lots = note(trace, Verdict.VOLATILITY, gate_volatility(law, columns, t, draft, lots))
    lots = note(trace, Verdict.QUIET_MARKET, gate_quiet_market(law, columns, t, draft, lots))
    return note(trace, Verdict.LOW_CONFIDENCE, gate_low_confidence(law, columns, t, draft, lots))


@rule
def gate_volatility(law: Law, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    """Realised volatility; unknown counts as too much."""
    now, limit = columns.volatility[columns.asked[t], draft.instrument], law.market.max_volatility
    return (CLOSED if now < 0 or now > limit else PASS), lots, now, limit


@rule
def gate_quiet_market(law: Law, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    """A market that moves less than it usually does has no edge to pay the costs with; unknown counts as quiet."""
    limit = law.market.min_atr_ratio[columns.regime[columns.hour[t]]]
    now = columns.atr_ratio[columns.asked[t], draft.instrument]
    return (CLOSED if now < 0 or now < limit else PASS), lots, now, limit


@rule
def gate_low_confidence(law: Law, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    """On a restless day only the convinced may enter; a day whose range is unknown counts as restless."""
    if draft.reason != BY_SIGNAL:
        return NOT_HERE, lots, 0.0, 0.0
    now = columns.day_range[columns.hour[t], draft.instrument]
    limit = law.market.min_restless_conviction if now < 0 or now > law.market.calm_range else 0.0
    return (CLOSED if draft.conviction < limit else PASS), lots, 100.0 * draft.conviction, 100.0 * limit
