"""Why there was no trade: which gate said no how often over a span, and what came nearest to passing."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import GateRow, Judgement
from trader_core.domain.facts import CycleClosed, Decided, Fact, Moved
from trader_core.report.why import GATE_NAMES, NOT_APPLICABLE, OK, decisive, is_judged, nearest, relative
from trader_core.rulebook.codes import GATES, Verdict

NO_SIGNAL = "no_signal"
SMALLEST_ORDER = GATES[Verdict.MIN_NOTIONAL - 1].name


class Outcome(Struct, frozen=True):
    """How often an instrument in a cycle came to this. `code` is the first gate that closed, or how far it came."""

    code: str
    times: int
    symbols: int
    last_cycle: int


class Miss(Struct, frozen=True):
    """`short_pct` is what was missing in percent of the limit; `also` are further gates that were closed to it."""

    cycle: int
    decision_ms: EpochMs
    symbol: str
    outcome: str
    row: GateRow
    short_pct: float
    also: tuple[str, ...]


class NoTrade(Struct, frozen=True):
    """`judged` counts instruments, cycle by cycle: `proposals` came to the gates, `passed` of them through."""

    cycles: int
    unread: int  # cycles in which something of the venue could not be read
    objected: int  # cycles with everything read, in which entries were not even judged
    away: int  # cycles whose judgements stand in closed files that are not there
    judged: int
    proposals: int
    passed: int
    refusals: tuple[Outcome, ...]  # most frequent first
    stages: tuple[Outcome, ...]  # likewise, of what came to no gate
    nearest_refusal: Miss | None
    nearest_signal: Miss | None


class Judged(Struct, frozen=True):
    """One instrument in one cycle, without its numbers; `miss` is what it came to grief on, where that is a figure."""

    cycle: int
    decision_ms: EpochMs
    symbol: str
    outcome: str
    miss: Miss | None


class Told(Struct, frozen=True):
    """All that a journal has to say about not trading."""

    cycles: tuple[CycleClosed, ...]
    judged: tuple[Judged, ...]
    symbols: tuple[str, ...]
    away: tuple[EpochMs, ...]  # decision times of which nothing more is here


def told(facts: Iterable[Fact]) -> Told:
    """One walk. A cycle that a crash cut short has decided once, whatever it says when it comes again."""
    cycles: list[CycleClosed] = []
    judged: list[Judged] = []
    away: list[EpochMs] = []
    decided = 0
    for fact in facts:
        if isinstance(fact, CycleClosed):
            cycles.append(fact)
        elif isinstance(fact, Decided) and decided <= len(cycles):
            decided = len(cycles) + 1
            judged += [_judged(one, decided, fact.decision_ms) for one in fact.judgements]
            away += [fact.decision_ms] if isinstance(fact, Moved) else []
    return Told(tuple(cycles), tuple(judged), tuple(sorted({one.symbol for one in judged})), tuple(away))


def _judged(one: Judgement, cycle: int, at_ms: EpochMs) -> Judged:
    row = decisive(one.outcome, one.rows) if is_judged(one.outcome) else nearest(one.rows)
    by = relative(row) if row else None
    miss = None
    if row and by is not None and by < 0:
        miss = Miss(cycle, at_ms, one.symbol, one.outcome, row, round(-100 * by, 4), _also(one, row))
    return Judged(cycle, at_ms, one.symbol, one.outcome, miss)


def _also(one: Judgement, row: GateRow) -> tuple[str, ...]:
    """Gates that were closed besides. Where another one has left nothing of an order, that nothing is too small is
    no news."""
    closed = [other for other in one.rows if other.gate in GATE_NAMES and other.verdict not in (OK, NOT_APPLICABLE)]
    return tuple(
        other.gate for other in closed if other is not row and (other.value or other.gate != SMALLEST_ORDER)
    )  # fmt: skip


def no_trade(journal: Told, from_ms: int | None, symbols: Sequence[str] = ()) -> NoTrade:
    """Of the cycles decided at or after that time, for these symbols; for all where none are named."""
    cycles = [one for one in journal.cycles if from_ms is None or one.decision_ms >= from_ms]
    judged = [
        one
        for one in journal.judged
        if (from_ms is None or one.decision_ms >= from_ms) and (not symbols or one.symbol in symbols)
    ]
    proposals = [one for one in judged if is_judged(one.outcome)]
    return NoTrade(
        cycles=len(cycles),
        unread=sum(one.troubled for one in cycles),
        objected=sum(bool(one.problem) and not one.troubled for one in cycles),
        away=sum(from_ms is None or at_ms >= from_ms for at_ms in journal.away),
        judged=len(judged),
        proposals=len(proposals),
        passed=sum(one.outcome == OK for one in proposals),
        refusals=_histogram([one for one in proposals if one.outcome != OK]),
        stages=_histogram([one for one in judged if not is_judged(one.outcome)]),
        nearest_refusal=_nearest(proposals),
        nearest_signal=_nearest([one for one in judged if one.outcome == NO_SIGNAL]),
    )


def _histogram(judged: Sequence[Judged]) -> tuple[Outcome, ...]:
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        groups.setdefault(one.outcome, []).append(one)
    found = [
        Outcome(code, len(those), len({one.symbol for one in those}), those[-1].cycle) for code, those in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.times, one.code)))


def _nearest(judged: Sequence[Judged]) -> Miss | None:
    """What was short by least; the newest of equals."""
    return min((one.miss for one in reversed(judged) if one.miss), key=lambda one: one.short_pct, default=None)
