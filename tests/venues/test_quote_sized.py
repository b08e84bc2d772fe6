"""T6: a market buy sized in quote is booked in base, to the lot, at what it really cost."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.make import BAR_MS, START, instrument, market, policy
from trader_core.domain.account import Balance
from trader_core.domain.fill import Side
from trader_core.domain.money import Base, Quote
from trader_core.domain.order import ApprovedOrder, Order, OrderKind, OrderStatus, Role
from trader_core.engine.law import costs_of
from trader_core.venues.simulated.books import Books
from trader_core.venues.simulated.venue import SimulatedVenue

CASH = 10_000
LISTED = (
    instrument("BTC-USD", "0.01", "0.00000001"),
    instrument("ETH-USD", "0.05", "0.001"),
    instrument("SHIB-USD", "0.00000003", "2.5"),
)


@given(
    st.sampled_from(LISTED),
    st.integers(1, 10**7),
    st.decimals("0.00000001", "9999", places=8),
    st.sampled_from([0, 60, 120, 500]),
)
@settings(max_examples=150, deadline=None)
def test_what_a_quote_sized_order_buys_is_whole_lots_and_all_that_the_amount_pays_for(
    one: object, ticks: int, amount: Decimal, fee_bps: int
) -> None:
    listed = next(found for found in LISTED if found == one)
    settings_ = policy(app__paper__taker_fee_bps=fee_bps, app__paper__maker_fee_bps=0)
    bars = [(START + n * BAR_MS, ticks, ticks, ticks, ticks, 10**6) for n in range(3)]
    books = Books(None)
    venue = SimulatedVenue(
        market([listed], {listed.symbol: bars}),
        costs_of(settings_),
        books,
        CASH * 10**8,
        {},
        settings_.universe.tier_of,
    )
    venue.advance(START + BAR_MS)
    placed = venue.buy_for("by hand", listed.symbol, Quote(amount))
    venue.advance(START + 2 * BAR_MS)
    told = venue.orders([by_hand(listed.symbol)])["by hand"]
    fills = [filled.fill for filled in venue.fills("")]
    held = {balance.asset: balance for balance in venue.balances("").balances}
    books.close()
    assert placed.status is OrderStatus.WORKING
    assert held["USD"].hold == 0, "nothing stays blocked"
    spent, bought = CASH - held["USD"].available, held.get(listed.base, Balance(listed.base, Decimal(0), Decimal(0)))
    unit = (ticks * (1 + Decimal("0.0036")) + 1) * listed.tick * listed.lot * (1 + Decimal(fee_bps) / 10_000)
    assert 0 <= spent <= amount, "never more than was asked for"
    assert amount - spent <= unit + 2 * Decimal("1e-8"), "one more lot would have been too much"
    assert bought.available % listed.lot == 0
    if not fills:
        assert spent == 0 and told.status is OrderStatus.EXPIRED
        return
    (fill,) = fills
    assert told.status is OrderStatus.FILLED
    assert bought.available == fill.quantity
    assert spent == fill.value + fill.fee
    assert 0 <= fill.value - fill.price * fill.quantity < Decimal("1e-8"), "price times size, to the grain"


def test_an_amount_that_is_not_there_is_refused() -> None:
    bars = [(START, 100, 100, 100, 100, 10**6)]
    books = Books(None)
    source, tier_of = market(LISTED[:1], {"BTC-USD": bars}), policy().universe.tier_of
    venue = SimulatedVenue(source, costs_of(policy()), books, CASH * 10**8, {}, tier_of)
    venue.advance(START + BAR_MS)
    refused = venue.buy_for("too much", "BTC-USD", Quote(Decimal(CASH + 1)))
    assert refused.status is OrderStatus.REJECTED
    assert venue.balances("").balances[0] == Balance("USD", Decimal(CASH), Decimal(0))
    books.close()


def by_hand(symbol: str) -> Order:
    """An order known by its id alone."""
    nothing = ApprovedOrder(
        symbol,
        Side.BUY,
        Role.ENTRY,
        OrderKind.TAKER,
        Base(Decimal(1)),
        Decimal(1),
        Decimal(0),
        "",
        "",
        0,
        0,
        0,
        0,
        START,
    )
    return Order("by hand", nothing, START)
