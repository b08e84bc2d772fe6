"""What of an order cannot be read does not cost a position its stop, and no person a coin."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
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
from trader_core.kill.reach.owned import owned
from trader_core.kill.reach.sweep import Sweep
from trader_core.kill.run import Progress
from trader_core.venues.coinbase.client import CoinbaseClient
from trader_core.venues.coinbase.words import FillRow, Liquidity, OrderShape, Shape, Status, StrangeFill, VenueOrder

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
    """A venue that has these orders and tells of these fills."""

    def __init__(self, orders: Sequence[VenueOrder], fills: Sequence[FillRow] = (), odd: Sequence[StrangeFill] = ()):
        self._orders, self._fills = {one.order_id: one for one in orders}, (tuple(fills), tuple(odd))

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

    def fills_since(self, since_ms: EpochMs) -> tuple[tuple[FillRow, ...], tuple[StrangeFill, ...]]:
        return self._fills


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


def fill(product_id: str, side: Side = Side.SELL) -> FillRow:
    return FillRow("e1", "t1", STOP.order_id, product_id, side, Decimal(90), SIZE, Quote(Decimal(90)), Quote(NONE), NOW,
                   Liquidity.of("TAKER"))  # fmt: skip


def for_sale(venue: Told, known: Ledger, state: Path, progress: Progress) -> dict[str, Decimal]:
    return owned(cast(CoinbaseClient, venue), known, state, {}, progress, monotonic() + 60)


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


@pytest.mark.parametrize("field", ["product_id", "client_order_id"])
@pytest.mark.parametrize("product", [ETH, ALIAS])
def test_a_coin_with_a_fill_that_is_none_is_not_sold_whatever_cannot_be_read_of_its_order(
    tmp_path: Path, field: str, product: str
) -> None:
    odd, progress = StrangeFill("e1", STOP.order_id, product, "a correction"), Progress()
    order = torn(replace(STOP, status=Status.FILLED), field)
    assert for_sale(Told([order], odd=[odd]), ledger(is_open=False), tmp_path, progress) == {}
    assert progress.problems == [f"{product} is not sold: the fill e1 is a correction"]


@pytest.mark.parametrize("field", ["product_id", "client_order_id"])
@pytest.mark.parametrize("product", [ETH, ALIAS])
def test_what_an_order_sold_under_another_name_of_its_product_is_not_sold_again(
    tmp_path: Path, field: str, product: str
) -> None:
    order = torn(replace(STOP, status=Status.FILLED, filled_size=SIZE), field)
    assert for_sale(Told([order], [fill(product)]), ledger(is_open=False), tmp_path, Progress()) == {}
