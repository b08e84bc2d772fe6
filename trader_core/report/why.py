"""Why a cycle did what it did with an instrument, from what it wrote down at the time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import GateRow, Judgement
from trader_core.domain.facts import Acknowledged, Closed, CycleClosed, Decided, Fact, Filled, Intended
from trader_core.domain.fill import Fill
from trader_core.domain.instrument import base_of
from trader_core.domain.money import EXACT
from trader_core.domain.order import OrderStatus


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """An order of the cycle, and what has become of it since."""

    client_order_id: str
    role: str
    side: str
    kind: str
    quantity: Decimal
    limit: Decimal | None
    trigger: Decimal | None
    reason: str
    status: str
    note: str  # the venue's words, where it closed the order
    filled: Decimal
    average_price: Decimal | None


@dataclass(frozen=True, slots=True)
class FillSeen:
    """A fill that the cycle read from the venue."""

    at_ms: EpochMs
    side: str
    price: Decimal
    quantity: Decimal
    value: Decimal
    fee: Decimal


@dataclass(frozen=True, slots=True)
class SymbolAnswer:
    symbol: str
    outcome: str
    detail: str
    gates: tuple[GateRow, ...]
    orders: tuple[OrderOutcome, ...]
    fills: tuple[FillSeen, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One cycle, by symbol. `problem` says why nothing was judged, where nothing was."""

    cycle: int
    decision_ms: EpochMs
    problem: str
    symbols: tuple[SymbolAnswer, ...]


@dataclass
class _Seen:
    """What the journal says about one cycle and the fate of its orders."""

    decided: Decided | None = None
    closed: CycleClosed | None = None
    intents: dict[str, Intended] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    last: dict[str, Acknowledged | Closed] = field(default_factory=dict)
    traded: dict[str, list[Fill]] = field(default_factory=dict)


def answer(facts: Iterable[Fact], cycle: int | None) -> Answer | None:
    """The cycle with that number, the newest where none is given; None where there is no such cycle."""
    told = tuple(facts)
    number = sum(isinstance(one, CycleClosed) for one in told) if cycle is None else cycle
    seen = _gathered(told, number)
    at_ms = seen.decided.decision_ms if seen.decided else seen.closed.decision_ms if seen.closed else None
    if at_ms is None:
        return None
    judgements = seen.decided.judgements if seen.decided else ()
    symbols = tuple(_symbol(one, seen) for one in _with_traded(judgements, seen))
    return Answer(number, at_ms, seen.closed.problem if seen.closed else "", symbols)


def _gathered(facts: Sequence[Fact], number: int) -> _Seen:
    """One walk: what lies between two closings is one cycle; the fate of its orders comes in it or later."""
    seen, running = _Seen(), 1
    for fact in facts:
        if isinstance(fact, CycleClosed):
            seen.closed = fact if running == number else seen.closed
            running += 1
        elif isinstance(fact, Acknowledged | Closed) and fact.client_order_id in seen.intents:
            seen.last[fact.client_order_id] = fact
        elif isinstance(fact, Filled):
            if running == number:
                seen.fills.append(fact.fill)
            if fact.fill.client_order_id in seen.intents:
                seen.traded.setdefault(fact.fill.client_order_id, []).append(fact.fill)
        elif running == number and isinstance(fact, Decided):
            seen.decided = fact if seen.decided is None else seen.decided  # a resumed cycle decides exits again
        elif running == number and isinstance(fact, Intended):
            seen.intents[fact.client_order_id] = fact
    return seen


def _with_traded(judgements: Sequence[Judgement], seen: _Seen) -> list[Judgement]:
    """The judgements, and a word on what traded without being judged."""
    known = {one.symbol for one in judgements}
    traded = {one.approved.symbol for one in seen.intents.values()} | {one.symbol for one in seen.fills}
    return [*judgements, *(Judgement(symbol, "not_judged", "", ()) for symbol in sorted(traded - known))]


def _symbol(judgement: Judgement, seen: _Seen) -> SymbolAnswer:
    symbol = judgement.symbol
    orders = [_outcome(one, seen) for one in seen.intents.values() if one.approved.symbol == symbol]
    fills = [
        FillSeen(one.at_ms, one.side.value, one.price, one.quantity, one.value, one.fee)
        for one in seen.fills
        if one.symbol == symbol
    ]
    return SymbolAnswer(symbol, judgement.outcome, judgement.detail, judgement.rows, tuple(orders), tuple(fills))


def _outcome(intent: Intended, seen: _Seen) -> OrderOutcome:
    terms, last = intent.approved, seen.last.get(intent.client_order_id)
    fills = seen.traded.get(intent.client_order_id, [])
    filled = sum((one.quantity for one in fills), Decimal(0))
    value = sum((one.value for one in fills), Decimal(0))
    return OrderOutcome(
        client_order_id=intent.client_order_id,
        role=terms.role.value,
        side=terms.side.value,
        kind=terms.kind.value,
        quantity=terms.quantity,
        limit=terms.limit or None,
        trigger=terms.trigger or None,
        reason=terms.reason,
        status=_status(last, filled, terms.quantity).value,
        note=last.reason if isinstance(last, Closed) else "",
        filled=filled,
        average_price=EXACT.divide(value, filled).normalize() if filled else None,
    )


def _status(last: Acknowledged | Closed | None, filled: Decimal, quantity: Decimal) -> OrderStatus:
    if filled >= quantity:
        return OrderStatus.FILLED
    if isinstance(last, Closed):
        return last.status
    return OrderStatus.WORKING if last or filled else OrderStatus.INTENDED


def matching(symbols: Sequence[str], asked: str) -> tuple[str, ...]:
    """The symbols that somebody means by 'BTC-USD' or 'btc'."""
    wanted = asked.upper()
    return tuple(one for one in symbols if one == wanted) or tuple(one for one in symbols if base_of(one) == wanted)
