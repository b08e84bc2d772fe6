"""Why a cycle did what it did with an instrument, from what it wrote down at the time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import GateRow, Judgement
from trader_core.domain.facts import CycleClosed, Decided, Fact, Filled, Intended, Moved
from trader_core.domain.fill import Fill
from trader_core.domain.instrument import base_of
from trader_core.domain.values import replace
from trader_core.report.orders import Fates, OrderOutcome
from trader_core.rulebook.codes import GATES, Verdict

OK, NOT_APPLICABLE = Verdict.OK.name, Verdict.NOT_APPLICABLE.name
SHRANK = "SHRANK"  # a gate passed, and made the order smaller
STATE = "state"  # the unit of what has no more or less
SENSE_OF = {gate.name: gate.sense for gate in GATES}
GATE_NAMES = frozenset(gate.name for gate in GATES)
NEAREST = 3  # gates that passed and are shown all the same


class FillSeen(Struct, frozen=True):
    """A fill that the cycle read from the venue."""

    at_ms: EpochMs
    side: str
    price: Decimal
    quantity: Decimal
    value: Decimal
    fee: Decimal


class SymbolAnswer(Struct, frozen=True):
    symbol: str
    outcome: str
    detail: str
    gates: tuple[GateRow, ...]
    orders: tuple[OrderOutcome, ...]
    fills: tuple[FillSeen, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One cycle, by symbol. `problem` says why nothing was judged, where nothing was; `away` is the closed file that
    was not looked into, or is not there, and what was judged stands in it."""

    cycle: int
    decision_ms: EpochMs
    problem: str
    symbols: tuple[SymbolAnswer, ...]
    away: str | None = None


@dataclass
class _Seen:
    """What the journal says about one cycle and the fate of its orders."""

    decided: Decided | None = None
    closed: CycleClosed | None = None
    fates: Fates = field(default_factory=Fates)
    fills: list[Fill] = field(default_factory=list)


def answer(facts: Iterable[Fact], cycle: int | None) -> Answer | None:
    """The cycle with that number, the newest where none is given; None where there is no such cycle."""
    told = tuple(facts)
    number = sum(isinstance(one, CycleClosed) for one in told) if cycle is None else cycle
    seen = _gathered(told, number)
    at_ms = seen.decided.decision_ms if seen.decided else seen.closed.decision_ms if seen.closed else None
    if at_ms is None:
        return None
    judgements = seen.decided.judgements if seen.decided else ()
    orders = seen.fates.outcomes()
    symbols = tuple(_symbol(one, orders, seen.fills) for one in _with_traded(judgements, orders, seen.fills))
    away = seen.decided.file if isinstance(seen.decided, Moved) else None
    return Answer(number, at_ms, seen.closed.problem if seen.closed else "", symbols, away)


def decided_in(facts: Iterable[Fact], cycle: int) -> int | None:
    """The newest cycle up to that one which took a decision; None where none did."""
    running, found = 1, None
    for fact in facts:
        if running > cycle:
            break
        if isinstance(fact, Decided):
            found = running
        running += isinstance(fact, CycleClosed)
    return found


def _gathered(facts: Iterable[Fact], number: int) -> _Seen:
    """One walk: what lies between two closings is one cycle; the fate of its orders comes in it or later."""
    seen, running = _Seen(), 1
    for fact in facts:
        seen.fates.follow(fact)
        if isinstance(fact, CycleClosed):
            seen.closed = fact if running == number else seen.closed
            running += 1
        elif running != number:
            continue
        elif isinstance(fact, Filled):
            seen.fills.append(fact.fill)
        elif isinstance(fact, Decided):
            seen.decided = fact if seen.decided is None else seen.decided  # a resumed cycle decides exits again
        elif isinstance(fact, Intended):
            seen.fates.intend(fact)
    return seen


def _with_traded(
    judgements: Sequence[Judgement], orders: Sequence[OrderOutcome], fills: Sequence[Fill]
) -> list[Judgement]:
    """The judgements, and a word on what traded without being judged."""
    known = {one.symbol for one in judgements}
    traded = {one.symbol for one in orders} | {one.symbol for one in fills}
    return [*judgements, *(Judgement(symbol, "not_judged", "", ()) for symbol in sorted(traded - known))]


def _symbol(judgement: Judgement, orders: Sequence[OrderOutcome], fills: Sequence[Fill]) -> SymbolAnswer:
    return SymbolAnswer(
        judgement.symbol,
        judgement.outcome,
        judgement.detail,
        tuple(worded(row, judgement.outcome) for row in judgement.rows),
        tuple(one for one in orders if one.symbol == judgement.symbol),
        tuple(
            FillSeen(one.at_ms, one.side.value, one.price, one.quantity, one.value, one.fee)
            for one in fills
            if one.symbol == judgement.symbol
        ),
    )


# --- rows of numbers -------------------------------------------------------------------------------------------------


def worded(row: GateRow, outcome: str) -> GateRow:
    """A gate that let a smaller order pass says so; one that had nothing to measure has no numbers."""
    if row.verdict == NOT_APPLICABLE:
        return replace(row, value=None, limit=None, margin=None)
    if row.gate in GATE_NAMES and is_judged(outcome) and row.verdict == OK and row.margin is not None:
        return replace(row, verdict=SHRANK if row.margin < 0 else OK)
    return row


def is_judged(outcome: str) -> bool:
    """Whether it came as far as the gates: verdicts are upper case, stages before them are not."""
    return outcome.isupper()


def relative(row: GateRow) -> float | None:
    """A row's margin as a part of its limit; of its value where the limit is zero. None where there is no more or
    less, or where both are nothing."""
    if row.unit == STATE or row.margin is None or row.value is None or row.limit is None:
        return None
    whole = abs(row.limit) or abs(row.value)
    return row.margin / whole if whole else None


def decisive(outcome: str, rows: Sequence[GateRow]) -> GateRow | None:
    """The gate that said no; of what came to no gate, the opinion that missed by least, else the first that is
    unknown. None where everything passed."""
    if is_judged(outcome):
        return next((row for row in rows if row.verdict == outcome and outcome != OK), None)
    return nearest([row for row in rows if row.verdict != OK]) or next((row for row in rows if row.verdict != OK), None)


def nearest(rows: Sequence[GateRow]) -> GateRow | None:
    """Of the rows that missed, the one that missed by least."""
    missed = [(-by, row) for row in rows if (by := relative(row)) is not None and by < 0]
    return min(missed, key=lambda one: one[0])[1] if missed else None


def worth_showing(outcome: str, rows: Sequence[GateRow]) -> tuple[GateRow, ...]:
    """What a person wants to see of many rows: opinions, every gate that closed or shrank, and those that were
    nearest to closing. All of what came to no gate."""
    if not is_judged(outcome):
        return tuple(rows)
    passed = [row for row in rows if row.gate in GATE_NAMES and row.verdict in (OK, NOT_APPLICABLE)]
    left = [(by, row) for row in passed if row.verdict == OK and (by := relative(row)) is not None]
    near = [row for _, row in sorted(left, key=lambda one: one[0])[:NEAREST]]
    return tuple(row for row in rows if row not in passed or row in near)


def matching(symbols: Sequence[str], asked: str) -> tuple[str, ...]:
    """The symbols that somebody means by 'BTC-USD' or 'btc'."""
    wanted = asked.upper()
    return tuple(one for one in symbols if one == wanted) or tuple(one for one in symbols if base_of(one) == wanted)
