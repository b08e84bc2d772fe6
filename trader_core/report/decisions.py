"""Every decision as one record: what was decided, by which policy, from which inputs, and what became of its orders.

Events are what the journal says of them, in its order and under its hashes; nothing here is kept anywhere else.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct

from trader_core.domain.book import ZERO
from trader_core.domain.clocktime import EpochMs, rfc3339
from trader_core.domain.decision import Judgement
from trader_core.domain.facts import (
    Acknowledged,
    Closed,
    Decided,
    Delisted,
    Fact,
    Filled,
    Intended,
    Marked,
    PolicyApplied,
    Resent,
)
from trader_core.domain.money import Quote, plain
from trader_core.domain.order import ApprovedOrder, OrderStatus
from trader_core.domain.policy import WRITTEN
from trader_core.domain.values import is_value, names_of
from trader_core.report.orders import DELISTED
from trader_core.report.why import is_judged
from trader_core.rulebook.codes import GATES

SCHEMA = 2
LENGTHS = ("hold_ms",)  # of time; every other name that ends so is a moment


class JournalRow(Protocol):
    """Where a fact stands in the journal."""

    @property
    def seq(self) -> int: ...
    @property
    def cycle_id(self) -> int: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def config_digest(self) -> str: ...
    @property
    def prev_hash(self) -> str: ...
    @property
    def hash(self) -> str: ...


class Event(Struct, frozen=True):
    """gated, reserved, sent, partial, filled, rejected or closed. A quantity is an order's or a fill's."""

    seq: int
    hash: str
    at_ms: EpochMs
    kind: str
    symbol: str
    client_order_id: str
    detail: str
    quantity: Decimal | None = None
    price: Decimal | None = None
    fee: Decimal | None = None


class Record(Struct, frozen=True):
    """One decision. It is over when all its orders are and another one was taken; until then events may follow."""

    schema_version: int
    id: str
    cycle: int
    decision_ms: EpochMs
    digest: str
    inputs: str  # digest of what it was taken from; empty: an older trader kept none
    config_digest: str  # of what the files said
    policy_version: int  # under which it was taken, and the digest of the settings in force then
    policy_digest: str
    seq: int  # its row in the journal, and the row's hashes
    prev_hash: str
    hash: str
    equity: Quote | None
    judgements: tuple[Judgement, ...]
    orders: tuple[ApprovedOrder, ...]
    events: tuple[Event, ...]
    over: bool

    @property
    def away(self) -> bool:
        """Whether it stands in a closed file that is not there: then nobody knows more of it than its orders."""
        return not self.digest

    @property
    def symbols(self) -> frozenset[str]:
        return frozenset(one.symbol for one in self.judgements) | frozenset(one.symbol for one in self.orders)

    @property
    def file_name(self) -> str:
        return f"{rfc3339(self.decision_ms)[:10]}_{self.id}.json"


@dataclass
class _Draft:
    row: JournalRow
    decided: Decided
    equity: Quote | None
    policy: PolicyApplied
    orders: dict[str, ApprovedOrder] = field(default_factory=dict)
    filled: dict[str, Decimal] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)


def id_of(digest: str, instance: str) -> str:
    """A UUID of that decision of that account."""
    return str(UUID(bytes=sha256(f"{instance}|{digest}".encode()).digest()[:16], version=5))


def instance_of(identity: Mapping[str, str]) -> str:
    """What tells this account from every other."""
    return "|".join(f"{key}={value}" for key, value in sorted(identity.items()))


def decisions(told: Iterable[tuple[JournalRow, Fact]], instance: str) -> tuple[Record, ...]:
    """All of them, oldest first. An order belongs to the newest decision before it."""
    drafts: list[_Draft] = []
    owner: dict[str, _Draft] = {}
    marked: Quote | None = None
    applied: PolicyApplied | None = None  # None: nothing but what is written ever was in force
    for row, fact in told:
        if isinstance(fact, Marked):
            marked = fact.equity
        elif isinstance(fact, Decided):
            in_force = applied or PolicyApplied(WRITTEN, row.config_digest, fact.decision_ms)
            drafts.append(_Draft(row, fact, marked, in_force))
            drafts[-1].events += [_gated(row, one) for one in fact.judgements if is_judged(one.outcome)]
        elif isinstance(fact, Intended):
            if drafts:
                owner[fact.client_order_id] = drafts[-1]
                _reserve(drafts[-1], row, fact)
        elif isinstance(fact, PolicyApplied):
            applied = fact
        elif isinstance(fact, Delisted):
            for name, draft in owner.items():  # with a listing end the orders in it
                if name in draft.open and draft.orders[name].symbol == fact.symbol:
                    _follow(draft, row, Closed(name, OrderStatus.CANCELED, DELISTED, fact.at_ms), name)
        else:
            name = _order_of(fact)
            if name in owner:
                _follow(owner[name], row, fact, name)
    return tuple(_record(one, instance, one is drafts[-1]) for one in drafts)


def _order_of(fact: Fact) -> str:
    if isinstance(fact, Filled):
        return fact.fill.client_order_id
    return fact.client_order_id if isinstance(fact, Acknowledged | Resent | Closed) else ""


def _gated(row: JournalRow, one: Judgement) -> Event:
    return Event(row.seq, row.hash, EpochMs(row.at_ms), "gated", one.symbol, "", one.outcome)


def _reserve(draft: _Draft, row: JournalRow, fact: Intended) -> None:
    terms, name = fact.approved, fact.client_order_id
    draft.orders[name] = terms
    draft.open.add(name)
    told = f"{terms.role} {terms.kind} {terms.reason}"
    draft.events.append(
        Event(row.seq, row.hash, fact.at_ms, "reserved", terms.symbol, name, told, terms.quantity,
              terms.limit or terms.trigger or None)
    )  # fmt: skip


def _follow(draft: _Draft, row: JournalRow, fact: Fact, name: str) -> None:
    terms = draft.orders[name]
    if isinstance(fact, Acknowledged | Resent):
        again = "" if isinstance(fact, Acknowledged) else "the same bytes once more"
        draft.events.append(Event(row.seq, row.hash, fact.at_ms, "sent", terms.symbol, name, again))
    elif isinstance(fact, Closed):
        draft.open.discard(name)
        kind = "rejected" if fact.status is OrderStatus.REJECTED else "closed"
        told = f"{fact.status}: {fact.reason}" if fact.reason else fact.status.value
        draft.events.append(Event(row.seq, row.hash, fact.at_ms, kind, terms.symbol, name, told))
    elif isinstance(fact, Filled):
        fill = fact.fill
        draft.filled[name] = draft.filled.get(name, ZERO) + fill.quantity
        whole = draft.filled[name] >= terms.quantity
        if whole:
            draft.open.discard(name)
        draft.events.append(
            Event(row.seq, row.hash, fill.at_ms, "filled" if whole else "partial", terms.symbol, name, fill.trade_id,
                  fill.quantity, fill.price, fill.fee)
        )  # fmt: skip


def _record(draft: _Draft, instance: str, newest: bool) -> Record:
    row, decided = draft.row, draft.decided
    return Record(
        schema_version=SCHEMA,
        id=id_of(decided.digest, instance) if decided.digest else "",
        cycle=row.cycle_id,
        decision_ms=decided.decision_ms,
        digest=decided.digest,
        inputs=decided.inputs,
        config_digest=row.config_digest,
        policy_version=draft.policy.version,
        policy_digest=draft.policy.digest,
        seq=row.seq,
        prev_hash=row.prev_hash,
        hash=row.hash,
        equity=draft.equity,
        judgements=decided.judgements,
        orders=tuple(draft.orders.values()),
        events=tuple(draft.events),
        over=not draft.open and not newest,
    )


def wanted(
    records: Iterable[Record], since_ms: int | None, symbols: Sequence[str], verdict: str | None
) -> list[Record]:
    """Decisions from that time on, in which one of the symbols met that verdict."""
    return [one for one in records if (since_ms is None or one.decision_ms >= since_ms) and _met(one, symbols, verdict)]


def verdicts(records: Iterable[Record]) -> set[str]:
    """Those of the gates, and whatever else was said in these."""
    return {"OK", *(gate.verdict.name for gate in GATES), *(it.outcome for one in records for it in one.judgements)}


def _met(record: Record, symbols: Sequence[str], verdict: str | None) -> bool:
    if verdict is None:
        return not symbols or any(one in record.symbols for one in symbols)
    return any(one.outcome == verdict and (not symbols or one.symbol in symbols) for one in record.judgements)


def canonical(record: Record) -> str:
    """The record as one JSON document: sorted keys, decimals as strings, times in RFC 3339. The same record, the same
    bytes."""
    return json.dumps(_plain(record), sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if is_value(value):
        return dict(_member(name, getattr(value, name)) for name in names_of(value))
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def _member(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_ms") and name not in LENGTHS:
        return f"{name.removesuffix('_ms')}_time", None if value < 0 else rfc3339(value)
    return name, _plain(value)
