"""Sales that an emergency sent past the journal become orders of ours: their fills are then booked like any other."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Fact, Intended, Resent
from trader_core.domain.money import Base
from trader_core.engine.decide import emergency_sale
from trader_core.engine.journal import Journal
from trader_core.ports import Store


class Sale(Protocol):
    """What was sent, when by this machine's clock, and under which id; amounts are exact decimals as text."""

    @property
    def client_order_id(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def quantity(self) -> str: ...
    @property
    def limit(self) -> str: ...
    @property
    def payload(self) -> str: ...
    @property
    def host_ms(self) -> int: ...


def adopt(journal: Journal, store: Store, sales: Sequence[Sale], host_ms: EpochMs) -> None:
    """Once each, whenever that was. They may have left already, so they count as sent again: nobody repeats them."""
    known = {fact.client_order_id for fact in store.facts(judged=False) if isinstance(fact, Intended)}
    at_ms = EpochMs(max(journal.book.closed_ms, 0)) or host_ms
    facts: list[Fact] = []
    for one in sales:
        if one.client_order_id not in known:
            order = emergency_sale(one.symbol, Base(Decimal(one.quantity)), Decimal(one.limit), at_ms)
            facts += [Intended(one.client_order_id, order, at_ms, one.payload, EpochMs(one.host_ms))]
            facts += [Resent(one.client_order_id, at_ms)]
    journal.record(at_ms, facts)
