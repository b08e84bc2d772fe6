"""Sales that an emergency sent past the journal become orders of ours: their fills are then booked like any other."""

from collections.abc import Sequence
from decimal import Decimal

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.emergency import EmergencySale
from trader_core.domain.facts import Fact, Intended, Resent
from trader_core.domain.money import Base
from trader_core.engine.decide import emergency_sale
from trader_core.engine.journal import Journal


def adopt(journal: Journal, sales: Sequence[EmergencySale], at_ms: EpochMs) -> None:
    """Once each. They may have left already, so they count as sent again: nobody repeats them."""
    facts: list[Fact] = []
    for one in sales:
        if one.client_order_id not in journal.book.orders:
            order = emergency_sale(one.symbol, Base(Decimal(one.quantity)), Decimal(one.limit), at_ms)
            facts += [Intended(one.client_order_id, order, at_ms, one.payload, EpochMs(one.host_ms))]
            facts += [Resent(one.client_order_id, at_ms)]
    journal.record(at_ms, facts)
