"""The halt machine in words: what its evaluators measured, and what the rule made of it, as a value for the journal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trader_core.domain.book import Book
from trader_core.domain.clocktime import MINUTE_MS, EpochMs, day_index
from trader_core.domain.errors import GateClosed
from trader_core.domain.facts import HaltReset
from trader_core.domain.halt import REASON_CHARS_MIN, Halt, HaltState, Measure, Seen, reset
from trader_core.domain.values import replace
from trader_core.engine.law import bar_ms_of, halts_of
from trader_core.engine.outside import naked_ms
from trader_core.ledger.integers import Axes, to_state
from trader_core.report.halts import causes_of, measure, told
from trader_core.rulebook import codes, halts
from trader_core.rulebook.limits import Halts, Ints
from trader_core.rulebook.state import State, empty_plan

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

COOLED = "the cooldown is over"
NOTHING_CHANGED = "nothing was changed"
REMEDY = "trader halt reset --user NAME --reason 'what happened, and why it is right now'"


def measures_of(limits: Halts, halt: Ints, measured: Sequence[int], at_ms: int) -> tuple[Measure, ...]:
    """Every evaluator, in the order of judgement; those that are off, and what is unknown, without a figure."""
    return tuple(
        measure(n, int(value), int(halts.limit_of(limits, halt, n, at_ms))) for n, value in enumerate(measured)
    )


def moved(before: Halt, halt: Ints, measures: Sequence[Measure]) -> Halt:
    """The machine as a rule has left it."""
    until = None if halt[codes.UNTIL_MS] < 0 else EpochMs(int(halt[codes.UNTIL_MS]))
    state, since = HaltState(codes.HALT_STATES[int(halt[codes.HALT])]), EpochMs(int(halt[codes.SINCE_MS]))
    after = replace(before, state=state, since_ms=since, until_ms=until, trips=int(halt[codes.TRIPS]))
    if state is HaltState.DISABLED:
        return replace(after, reason="halt.enabled is false")
    if state is HaltState.ARMED:
        words = COOLED if before.state is HaltState.COOLING_DOWN else "halt.enabled is true"
        return replace(after, reason=words, causes=())
    known = {one.name for one in before.causes}
    fresh = tuple(one for one in causes_of(int(halt[codes.CAUSE_SET]), measures) if one.name not in known)
    if not fresh:
        return after
    order = {name: place for place, name in enumerate(codes.CAUSES)}
    causes = tuple(sorted((*before.causes, *fresh), key=lambda one: order[one.name]))
    words = f"{before.reason}; {told(fresh)}" if before.causes else told(fresh)
    return replace(after, reason=words, causes=causes)


# --- at a reset ------------------------------------------------------------------------------------------------------


def measured_now(book: Book, policy: "Settings", at_ms: EpochMs) -> tuple[Measure, ...]:
    """What the newest mark said, and what is counted; the age of prices is not known without a market."""
    state, measured = _counted(book, policy, at_ms)
    return measures_of(halts_of(policy), state.halt, measured, at_ms)


def breached_now(book: Book, policy: "Settings", at_ms: EpochMs) -> tuple[Measure, ...]:
    """The evaluators that would trip now."""
    state, measured = _counted(book, policy, at_ms)
    limits, room = halts_of(policy), empty_plan(0, 0).measured
    room[1:] = measured
    return causes_of(halts.breaches(limits, state.halt, room, at_ms), measures_of(limits, state.halt, measured, at_ms))


def seen_now(book: Book, policy: "Settings", at_ms: EpochMs) -> Seen:
    _, measured = _counted(book, policy, at_ms)
    day, lost = max(measured[codes.DAY_LOSS_PPM], 0), max(measured[codes.OPEN_LOSS_PPM], 0)
    return Seen(day_index(at_ms), day, lost)


def _counted(book: Book, policy: "Settings", at_ms: EpochMs) -> tuple[State, list[int]]:
    state, plan = to_state(book, Axes((), ())), empty_plan(0, 0)
    halts.step_counted(halts_of(policy), state.halt, at_ms, plan.measured)
    worth = int(state.clock[codes.EQUITY])
    plan.measured[1 + codes.DAY_LOSS_PPM] = halts.day_loss_ppm(state, at_ms, worth)
    plan.measured[1 + codes.OPEN_LOSS_PPM] = codes.NEVER if book.open_loss_ppm is None else book.open_loss_ppm
    plan.measured[1 + codes.FEED_AGE_MS] = codes.NEVER
    plan.measured[1 + codes.NAKED_MS] = naked_ms(book, at_ms, bar_ms_of(policy))
    plan.measured[1 + codes.TROUBLE_RUN] = book.troubles
    return state, [int(one) for one in plan.measured[1:]]


def check_asked(user: str, reason: str) -> None:
    """Whether somebody asks, and says why. Raises GateClosed: nothing was changed."""
    if not user.strip():
        raise GateClosed("a reset needs to know who asks for it", safe=NOTHING_CHANGED, remedy=REMEDY)
    if len(reason.strip()) < REASON_CHARS_MIN:
        what = f"a reset needs a reason of at least {REASON_CHARS_MIN} characters"
        raise GateClosed(what, safe=NOTHING_CHANGED, remedy=REMEDY)


def reset_fact(
    book: Book, halt: Halt, policy: "Settings", at_ms: EpochMs, user: str, host_user: str, reason: str, forced: bool,
    config_digest: str,
) -> HaltReset:  # fmt: skip
    """The machine armed again by a person, out of `halt`. Raises GateClosed where that must not be, or must be forced:
    a kill has no cooldown, and always needs a person."""
    check_asked(user, reason)
    armed = reset(halt, reason, at_ms, seen_now(book, policy, at_ms))
    if halt.state is not HaltState.KILLED and not policy.policy.halt.allow_manual_reset:
        what = "halt.allow_manual_reset is false: only a cooldown leads back"
        raise GateClosed(what, safe=NOTHING_CHANGED, remedy="trader halt ack")
    against = against_reset(book, halt, policy, at_ms)
    if against and not forced:
        raise GateClosed(f"not yet: {against}", safe=NOTHING_CHANGED, remedy=f"wait, or: {REMEDY} --force")
    measures = measured_now(book, policy, at_ms)
    return HaltReset(armed, user, host_user, reason, forced, halt, measures, config_digest, at_ms)


def against_reset(book: Book, halt: Halt, policy: "Settings", at_ms: EpochMs) -> str:
    """What a person must force a reset against; empty where nothing stands in its way."""
    found = [f"{told([one])} still holds" for one in breached_now(book, policy, at_ms)]
    ends = halt.since_ms + halts_of(policy).cooldown_ms if halt.until_ms is None else halt.until_ms
    if halt.state is not HaltState.KILLED and at_ms < ends:
        found.append(f"the cooldown runs for another {-(-(ends - at_ms) // MINUTE_MS)} min")
    return "; ".join(found)
