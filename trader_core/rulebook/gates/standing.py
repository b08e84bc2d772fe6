"""May we enter this instrument at all? Halt, pause, open questions, universe, bans, regime."""

from trader_core.rulebook import rule
from trader_core.rulebook.account import moment
from trader_core.rulebook.codes import ACTIVE, CLOSED, PASS, Verdict
from trader_core.rulebook.gates.note import Judged, note
from trader_core.rulebook.halts import halted_of
from trader_core.rulebook.limits import Floats, Law
from trader_core.rulebook.sizing import regime_scale
from trader_core.rulebook.state import Columns, Draft, Guard, State

E8 = 100_000_000.0
LOW_VOLUME, WIDE_SPREAD, THIN_BOOK, NOT_NEAR_ENOUGH = 1, 2, 3, 4  # why an instrument is not eligible
NEARLY = 2  # Columns.eligible of an asset that nearly trades enough
MIN_SCALE_PCT = 0.01


@rule
def judge_standing(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, draft: Draft, lots: int, trace: Floats
) -> int:
    lots = note(trace, Verdict.HALTED, gate_halt(guard, state, lots))
    lots = note(trace, Verdict.PAUSED, gate_pause(guard, lots))
    lots = note(trace, Verdict.UNRESOLVED, gate_unresolved(guard, draft, lots))
    lots = note(trace, Verdict.POLICY_STALE, gate_policy(law, guard, lots))
    lots = note(trace, Verdict.EQUITY_UNKNOWN, gate_equity(draft, lots))
    lots = note(trace, Verdict.INPUT_MISSING, gate_quote_time(guard, draft, lots))
    lots = note(trace, Verdict.INELIGIBLE, gate_eligible(law, guard, columns, t, draft, lots))
    lots = note(trace, Verdict.BANNED, gate_ban(guard, columns, t, draft, lots))
    return note(trace, Verdict.REGIME, gate_regime(law, columns, t, lots))


@rule
def gate_halt(guard: Guard, state: State, lots: int) -> Judged:
    halted = halted_of(guard, state)
    return (CLOSED if halted != ACTIVE else PASS), lots, float(halted), 0.0


@rule
def gate_pause(guard: Guard, lots: int) -> Judged:
    return (CLOSED if guard.paused else PASS), lots, float(guard.paused), 0.0


@rule
def gate_unresolved(guard: Guard, draft: Draft, lots: int) -> Judged:
    """Nothing trades an instrument while an order's fate or the venue's balance of it is unknown."""
    open_questions = guard.unknown[draft.instrument] + guard.differs[draft.instrument]
    return (CLOSED if open_questions else PASS), lots, float(open_questions), 0.0


@rule
def gate_policy(law: Law, guard: Guard, lots: int) -> Judged:
    """A policy that nobody could read again for too long may have been tightened since."""
    limit = law.market.max_policy_age_ms
    return (CLOSED if guard.policy_ms > limit else PASS), lots, guard.policy_ms / 1e3, limit / 1e3


@rule
def gate_equity(draft: Draft, lots: int) -> Judged:
    """Unknown is not neutral: without equity there are no entries."""
    return (CLOSED if draft.equity <= 0 else PASS), lots, draft.equity / E8, 1 / E8


@rule
def gate_quote_time(guard: Guard, draft: Draft, lots: int) -> Judged:
    """A price is known, and the venue told no quote of it, or not of when: what is missing is never neutral."""
    told = guard.unquoted[draft.instrument] == 0
    return (PASS if told else CLOSED), lots, (1.0 if told else 0.0), 1.0


@rule
def spread_ppm(columns: Columns, t: int, i: int) -> float:
    """Distance of bid and ask over their middle; 1e6 where there is no book."""
    bid, ask = columns.bid[t, i], columns.ask[t, i]
    return 2e6 * (ask - bid) / (ask + bid) if bid > 0 and ask > 0 else 1e6


@rule
def shortfall(law: Law, columns: Columns, t: int, i: int) -> int:
    """What keeps an instrument out of its tier: 0 nothing, else the first of the four reasons."""
    tier, volume, spread = law.instruments.tier[i], columns.eligible[columns.asked[t], i], spread_ppm(columns, t, i)
    if volume == 0:
        return LOW_VOLUME
    if spread > law.tiers.max_spread_ppm[tier]:
        return WIDE_SPREAD
    if columns.depth[columns.asked[t], i] < law.tiers.min_depth[tier]:
        return THIN_BOOK
    return NOT_NEAR_ENOUGH if volume == NEARLY and spread > law.tiers.near_spread_ppm else 0


@rule
def gate_eligible(law: Law, guard: Guard, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    """The universe as of this bar: volume counted over the bars before, spread and depth of the book as it is."""
    i = draft.instrument
    out = guard.barred[i] != 0 or shortfall(law, columns, t, i) != 0
    return (CLOSED if out else PASS), lots, (0.0 if out else 1.0), 1.0


@rule
def gate_ban(guard: Guard, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    left = max(0, guard.banned_ms[draft.instrument] - moment(columns, t))
    return (CLOSED if left > 0 else PASS), lots, left / 1e3, 0.0


@rule
def gate_regime(law: Law, columns: Columns, t: int, lots: int) -> Judged:
    """A regime that scales positions to nothing, or that nobody knows, allows no entry."""
    scale = 100.0 * regime_scale(law, columns, t)
    return (CLOSED if scale < MIN_SCALE_PCT else PASS), lots, scale, MIN_SCALE_PCT
