"""Sales that an emergency sent past the journal become orders of ours: their fills are then booked like any other."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Fact, Intended, Resent
from trader_core.domain.money import Base
from trader_core.engine.decide import emergency_sale
from trader_core.engine.journal import Journal
from trader_core.ports import Store


@dataclass(frozen=True, slots=True)
class EmergencySale:
    """What was sent, when by this machine's clock, and under which id."""

    client_order_id: str
    symbol: str
    quantity: Base
    limit: Decimal
    payload: str
    sent_ms: EpochMs


def adopt(journal: Journal, store: Store, sales: Sequence[EmergencySale], host_ms: EpochMs) -> None:
    """Once each, whenever that was. They may have left already, so they count as sent again: nobody repeats them."""
    if not sales:
        return
    known = {fact.client_order_id for fact in store.facts() if isinstance(fact, Intended)}
    at_ms = EpochMs(max(journal.book.closed_ms, 0)) or host_ms
    facts: list[Fact] = []
    for one in sales:
        if one.client_order_id not in known:
            order = emergency_sale(one.symbol, one.quantity, one.limit, at_ms)
            facts += [Intended(one.client_order_id, order, at_ms, one.payload, one.sent_ms)]
            facts += [Resent(one.client_order_id, at_ms)]
    journal.record(at_ms, facts)
