"""What became of orders, from the facts about them: the journal never forgets one."""

from dataclasses import dataclass, field
from decimal import Decimal

from msgspec import Struct

from trader_core.domain.book import ZERO
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Acknowledged, Closed, Delisted, Fact, Filled, Intended
from trader_core.domain.fill import Fill
from trader_core.domain.money import EXACT
from trader_core.domain.order import OrderStatus

DELISTED = "delisted"


class OrderOutcome(Struct, frozen=True):
    """An order, and what has become of it since."""

    client_order_id: str
    placed_ms: EpochMs
    symbol: str
    role: str
    side: str
    kind: str
    quantity: Decimal
    limit: Decimal | None
    trigger: Decimal | None
    reason: str
    strategy: str
    status: str
    note: str  # the venue's words, where it closed the order
    filled: Decimal
    average_price: Decimal | None
    fees: Decimal

    @property
    def is_open(self) -> bool:
        return self.status in (OrderStatus.INTENDED, OrderStatus.WORKING)


@dataclass
class Fates:
    """Orders in the order of their intents; facts about others are passed over."""

    intents: dict[str, Intended] = field(default_factory=dict)
    _last: dict[str, Acknowledged | Closed] = field(default_factory=dict)
    _fills: dict[str, dict[str, Fill]] = field(default_factory=dict)  # by order and trade id: each counts once

    def intend(self, fact: Intended) -> None:
        self.intents[fact.client_order_id] = fact

    def follow(self, fact: Fact) -> None:
        """As the ledger does: what is over stays so, and with a listing end the orders in it."""
        if isinstance(fact, Acknowledged) and fact.client_order_id in self.intents:
            self._last.setdefault(fact.client_order_id, fact)
        elif isinstance(fact, Closed) and fact.client_order_id in self.intents:
            self._last[fact.client_order_id] = fact
        elif isinstance(fact, Delisted):
            for name, intent in self.intents.items():
                if intent.approved.symbol == fact.symbol and self._outcome(intent).is_open:
                    self._last[name] = Closed(name, OrderStatus.CANCELED, DELISTED, fact.at_ms)
        elif isinstance(fact, Filled) and fact.fill.client_order_id in self.intents:
            self._fills.setdefault(fact.fill.client_order_id, {})[fact.fill.trade_id] = fact.fill

    def outcomes(self) -> tuple[OrderOutcome, ...]:
        return tuple(self._outcome(one) for one in self.intents.values())

    def _outcome(self, intent: Intended) -> OrderOutcome:
        terms, last = intent.approved, self._last.get(intent.client_order_id)
        fills = self._fills.get(intent.client_order_id, {}).values()
        filled = sum((one.quantity for one in fills), ZERO)
        value = sum((one.value for one in fills), ZERO)
        return OrderOutcome(
            client_order_id=intent.client_order_id,
            placed_ms=intent.at_ms,
            symbol=terms.symbol,
            role=terms.role.value,
            side=terms.side.value,
            kind=terms.kind.value,
            quantity=terms.quantity,
            limit=terms.limit or None,
            trigger=terms.trigger or None,
            reason=terms.reason,
            strategy=terms.strategy,
            status=_status(last, filled, terms.quantity).value,
            note=last.reason if isinstance(last, Closed) else "",
            filled=filled,
            average_price=EXACT.divide(value, filled).normalize() if filled else None,
            fees=sum((one.fee for one in fills), ZERO),
        )


def _status(last: Acknowledged | Closed | None, filled: Decimal, quantity: Decimal) -> OrderStatus:
    if filled >= quantity:
        return OrderStatus.FILLED
    if isinstance(last, Closed):
        return last.status
    return OrderStatus.WORKING if last or filled else OrderStatus.INTENDED
