"""Which sales a ledger covers: as a law over orders, whatever their sizes."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.fill import Side
from trader_core.domain.instrument import base_of
from trader_core.domain.money import Base, Quote
from trader_core.kill.reach.sweep import uncovered
from trader_core.venues.coinbase.words import OrderShape, Shape, Status, VenueOrder

PRODUCTS = ("ETH-USD", "ETH-USDC", "BTC-USD")
tenths = st.integers(1, 50).map(lambda number: Decimal(number) / 10)


@st.composite
def sales(draw: st.DrawFn) -> dict[str, VenueOrder]:
    found = {}
    for number in range(draw(st.integers(0, 6))):
        size = draw(st.none() | tenths)
        filled = draw(st.sampled_from([Decimal(0), (size or Decimal(1)) / 2]))
        stop = draw(st.none() | st.just(Decimal(90)))
        shape = OrderShape(Shape.LIMIT_GTC, Base(size) if size else None, None, Decimal(88), stop)
        found[f"o{number}"] = VenueOrder(
            f"o{number}", f"c{number}", draw(st.sampled_from(PRODUCTS)), Side.SELL, Status.OPEN, "OPEN", shape,
            Base(filled), Quote(Decimal(0)), Quote(Decimal(0)), 0, EpochMs(draw(st.integers(0, 3))), None, False, False,
            "", "",
        )  # fmt: skip
    return found


def remaining(order: VenueOrder) -> Decimal:
    assert order.shape.base_size is not None
    return order.shape.base_size - order.filled_size


@given(orders=sales(), held=st.dictionaries(st.sampled_from(["ETH", "BTC"]), tenths))
def test_what_is_kept_is_covered_and_nothing_that_fits_is_given_up(
    orders: dict[str, VenueOrder], held: dict[str, Decimal]
) -> None:
    beyond = uncovered(orders, held)
    kept = {key: one for key, one in orders.items() if key not in beyond}
    free = dict(held)
    for one in kept.values():
        free[base_of(one.product_id)] -= remaining(one)
    assert all(left >= 0 for left in free.values())
    for one in beyond.values():
        unknown = one.shape.base_size is None
        assert unknown or remaining(one) > free.get(base_of(one.product_id), Decimal(0))


def test_a_stop_comes_before_what_is_older() -> None:
    def sale(number: int, stop: Decimal | None) -> VenueOrder:
        shape = OrderShape(Shape.LIMIT_GTC, Base(Decimal(1)), None, Decimal(88), stop)
        return VenueOrder(
            f"o{number}", "", "ETH-USD", Side.SELL, Status.OPEN, "OPEN", shape, Base(Decimal(0)), Quote(Decimal(0)),
            Quote(Decimal(0)), 0, EpochMs(number), None, False, False, "", "",
        )  # fmt: skip

    both = {"old": sale(1, None), "stop": sale(2, Decimal(90))}
    assert uncovered(both, {"ETH": Decimal(1)}).keys() == {"old"}
