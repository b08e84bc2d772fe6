"""The two sides of a comparison in the same words: what each cycle of a paper account did, and each row of a replay."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Judgement
from trader_core.domain.facts import (
    Banned,
    CashFlow,
    Closed,
    CycleClosed,
    Decided,
    Fact,
    Filled,
    HaltChanged,
    HaltReset,
    Intended,
    Marked,
    Paused,
)
from trader_core.domain.fill import Fill
from trader_core.domain.halt import OPERATOR, Halt, HaltState
from trader_core.domain.order import ApprovedOrder, OrderStatus
from trader_core.engine.replay import Executed, Replayed
from trader_core.rulebook import codes

F = TypeVar("F")

FILL, EQUITY, HALT, VERDICT, CANCEL, ORDER = "fill", "equity", "halt", "verdict", "cancel", "order"
KINDS = (FILL, EQUITY, HALT, VERDICT, CANCEL, ORDER)  # as one follows from the other within a cycle
_WORDS = (codes.Verdict.HALTED, codes.Verdict.INELIGIBLE, codes.Verdict.REGIME, codes.Verdict.MAX_POSITIONS)
UNNAMED = tuple(one.name for one in (*_WORDS, codes.Verdict.VAR))  # a journal says why, and not of which strategy

Terms = Mapping[str, ApprovedOrder]  # by client order id


class Spoken(Struct, frozen=True):
    """The verdict on one proposal."""

    symbol: str
    verdict: str
    strategy: str


class Canceled(Struct, frozen=True):
    symbol: str
    role: str


class Machine(Struct, frozen=True):
    """Where the halt machine went, and why."""

    symbol: str
    state: str
    causes: tuple[str, ...]
    until_ms: EpochMs | None


class Amount(Struct, frozen=True):
    """Money of the whole account; None is unknown."""

    symbol: str
    amount: Decimal | None


class Lived(Struct, frozen=True):
    """What one cycle did, on one side."""

    at_ms: EpochMs
    did: Mapping[str, list[Any]]  # by kind, in order
    flows: tuple[Decimal, ...] = ()  # money that came in or, below zero, went out before it
    problem: str = ""  # what it could not read
    by_hand: tuple[str, ...] = ()  # what a person did before it


# --- paper -----------------------------------------------------------------------------------------------------------


def lived_on_paper(facts: Iterable[Fact]) -> list[Lived]:
    """Every cycle of a journal that ran to its end."""
    out, terms, now = list[Lived](), dict[str, ApprovedOrder](), list[Fact]()
    for fact in facts:
        now.append(fact)
        if isinstance(fact, Intended):
            terms[fact.client_order_id] = fact.approved
        elif isinstance(fact, CycleClosed):
            out.append(_cycle(fact, now, terms, opening=not out))
            now = []
    return out


def _cycle(closed: CycleClosed, facts: Sequence[Fact], terms: Terms, opening: bool) -> Lived:
    """One cycle's facts. The first flow of the first one is what the account was opened with."""
    canceled = [terms[one.client_order_id] for one in _of(facts, Closed) if one.status is OrderStatus.CANCELED]
    did: dict[str, list[Any]] = {
        FILL: [_executed(one.fill, terms[one.fill.client_order_id]) for one in _of(facts, Filled)],
        EQUITY: [Amount("", one.equity) for one in _of(facts, Marked)],
        HALT: [_machine(one.halt) for one in _of(facts, HaltChanged) if not _by_hand(one)],
        VERDICT: [said for one in _of(facts, Decided) for said in _spoken(one.judgements)],
        CANCEL: [Canceled(one.symbol, one.role.value) for one in canceled],
        ORDER: [one.approved for one in _of(facts, Intended)],
    }
    flows = tuple(one.amount for one in _of(facts, CashFlow))
    by_hand = tuple(words for one in facts if (words := _by_hand(one)))
    return Lived(closed.decision_ms, did, flows[1:] if opening else flows, closed.problem, by_hand)


def _of(facts: Sequence[Fact], kind: type[F]) -> list[F]:
    return [one for one in facts if isinstance(one, kind)]


def _spoken(judgements: Sequence[Judgement]) -> list[Spoken]:
    said = [one for one in judgements if one.outcome.isupper()]
    return [Spoken(one.symbol, one.outcome, "" if one.outcome in UNNAMED else one.detail) for one in said]


def _machine(halt: Halt) -> Machine:
    return Machine("", halt.state, tuple(one.name for one in halt.causes), halt.until_ms)


def _executed(fill: Fill, order: ApprovedOrder) -> Executed:
    return Executed(
        fill.at_ms, fill.symbol, fill.side, fill.price, fill.quantity, fill.value, fill.fee, order.reason,
        order.strategy,
    )  # fmt: skip


def _by_hand(fact: Fact) -> str:
    """What a replay knows nothing of."""
    match fact:
        case Paused():
            return f"paused ({fact.reason})"
        case Banned():
            return f"told not to buy {fact.asset} ({fact.reason})"
        case HaltChanged() if fact.halt.state is HaltState.KILLED or OPERATOR in {one.name for one in fact.halt.causes}:
            return f"halted ({fact.halt.reason})"
        case HaltReset():
            return f"armed again ({fact.reason})"
    return ""


# --- replay ----------------------------------------------------------------------------------------------------------


def lived_in_replay(replayed: Replayed) -> list[Lived]:
    """Every row of a replay."""
    out = [Lived(EpochMs(at_ms), {kind: [] for kind in KINDS}) for at_ms in replayed.at_ms.tolist()]
    rows = {one.at_ms: one for one in out}
    for moved in replayed.halts:
        rows[moved.decision_ms].did[HALT].append(Machine("", moved.state, moved.causes, moved.until_ms))
    symbols, strategies = [one.symbol for one in replayed.instruments], replayed.axes.strategies
    for one, (_, equity) in zip(out, replayed.equity, strict=True):
        one.did[EQUITY].append(Amount("", equity))
    for (row, i, chosen, _), said in zip(replayed.judged.tolist(), replayed.verdicts, strict=True):
        nameless = chosen < 0 or said.verdict in UNNAMED
        out[row].did[VERDICT].append(Spoken(symbols[i], said.verdict, "" if nameless else strategies[chosen]))
    for row, action, i, slot in replayed.asked[:, :4].tolist():
        if action == codes.CANCEL:
            out[row].did[CANCEL].append(Canceled(symbols[i], codes.SLOTS[slot]))
    placed = replayed.asked[replayed.asked[:, 1] == codes.PLACE, 0].tolist()
    for row, order in zip(placed, replayed.orders, strict=True):
        out[row].did[ORDER].append(order.order)
    for row, fill in zip(replayed.filled[:, 0].tolist(), replayed.fills, strict=True):
        out[row].did[FILL].append(fill)
    return out
