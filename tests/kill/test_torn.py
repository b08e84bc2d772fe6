"""What of an order cannot be read does not cost a position its stop."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from time import monotonic
from types import MappingProxyType
from typing import Any, cast

import pytest

from tests.kill.scene import id_of
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.fill import Side
from trader_core.domain.money import Base, Quote
from trader_core.domain.order import ApprovedOrder, Order, OrderKind, OrderStatus, Role
from trader_core.domain.values import replace
from trader_core.kill.reach.ledger import Ledger
from trader_core.kill.reach.sweep import Sweep
from trader_core.kill.run import Progress
from trader_core.venues.coinbase.client import CoinbaseClient
from trader_core.venues.coinbase.words import OrderShape, Shape, Status, VenueOrder

ETH, ALIAS = "ETH-USD", "ETH-USDC"
NOW = EpochMs(1_700_000_000_000)
NONE = Decimal(0)
SIZE = Base(Decimal("1"))
STOP = VenueOrder(
    "v1", id_of(1, 0), ETH, Side.SELL, Status.OPEN, "OPEN",
    OrderShape(Shape.STOP_LIMIT_GTC, SIZE, None, Decimal(88), Decimal(90)), Base(NONE), Quote(NONE), Quote(NONE), 0,
    NOW, None, False, False, "", "",
)  # fmt: skip
UNREAD: Mapping[str, Mapping[str, Any]] = {
    "side": {"side": None},
    "product_id": {"product_id": ""},
    "order_configuration": {"shape": OrderShape(Shape.UNKNOWN)},
    "client_order_id": {"client_order_id": ""},
}


class Told:
    """A venue that has these orders."""

    def __init__(self, orders: Sequence[VenueOrder]):
        self._orders = {one.order_id: one for one in orders}

    def orders_open(self) -> tuple[VenueOrder, ...]:
        return tuple(self._orders.values())

    def orders_waiting(self) -> tuple[VenueOrder, ...]:
        return ()

    def orders_since(self, since_ms: EpochMs) -> tuple[VenueOrder, ...]:
        return tuple(self._orders.values())

    def order(self, order_id: str) -> VenueOrder | None:
        return self._orders.get(order_id)

    def cancel(self, order_ids: Sequence[str]) -> None:
        for one in order_ids:
            del self._orders[one]


def torn(order: VenueOrder, field: str) -> VenueOrder:
    return replace(order, **UNREAD[field], torn=(field,))


def ledger(is_open: bool = True) -> Ledger:
    """It holds what the stop sells, and knows the stop."""
    terms = ApprovedOrder(
        ETH, Side.SELL, Role.STOP, OrderKind.STOP, SIZE, NONE, Decimal(90), "stop", "rules", 0, 0, 0, 0, NOW
    )
    ours = Order(STOP.client_order_id, terms, NOW, OrderStatus.WORKING, venue_order_id=STOP.order_id)
    working = {STOP.client_order_id: ours} if is_open else {}
    return Ledger(
        MappingProxyType({ETH: Decimal("1")}), MappingProxyType(dict.fromkeys(working, STOP.order_id)),
        working=MappingProxyType(working), names=frozenset({STOP.client_order_id}),
    )  # fmt: skip


@pytest.mark.parametrize("field", UNREAD)
def test_the_stop_of_a_position_stays_also_where_it_cannot_be_read_whole(field: str) -> None:
    venue, progress = Told([torn(STOP, field)]), Progress()
    Sweep(cast(CoinbaseClient, venue), ledger(), progress, monotonic() + 60, monotonic()).run(False, False)
    assert [one.order_id for one in venue.orders_open()] == [STOP.order_id]
    assert (progress.verified, progress.problems, len(progress.kept), progress.canceled) == (True, [], 1, [])


def test_a_sale_that_cannot_be_read_whole_and_is_not_written_down_goes() -> None:
    venue, progress = Told([torn(replace(STOP, client_order_id=id_of(2, 0), order_id="v2"), "product_id")]), Progress()
    Sweep(cast(CoinbaseClient, venue), ledger(), progress, monotonic() + 60, monotonic()).run(False, False)
    assert venue.orders_open() == ()
