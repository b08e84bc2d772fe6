"""What must hold after every fold is seen where it does not: a ledger that was made wrong says so, in words."""

from decimal import Decimal

from tests.laws.make import FOUR
from tests.laws.test_two_books import approved, filled, flow, told
from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Acknowledged, Intended
from trader_core.domain.money import Base, Quote
from trader_core.domain.order import OrderKind, Role
from trader_core.domain.values import replace
from trader_core.ledger.fold import apply
from trader_core.ledger.laws import broken_laws

ONE = FOUR[2]
AT = EpochMs(1_709_510_400_000)


def sound() -> Book:
    """A position, a stop that rests below it, and an entry that is over."""
    buy = approved(ONE, Role.ENTRY, 100, 5_000, OrderKind.TAKER)
    stop = approved(ONE, Role.STOP, 100, 4_500, OrderKind.STOP)
    return told(
        flow(1_000), Intended("b", buy, AT), filled("b", buy, 1, 100, 5_000, 700, AT), Intended("s", stop, AT),
        Acknowledged("s", AT),
    )  # fmt: skip


def test_a_sound_ledger_breaks_no_law() -> None:
    assert broken_laws(Book()) == broken_laws(sound()) == ()


def held(book: Book, **changed: Base | Quote) -> Book:
    return replace(book, holdings={ONE.symbol: replace(book.holdings[ONE.symbol], **changed)})  # type: ignore[arg-type]


def test_a_position_below_nothing_is_named() -> None:
    (said,) = broken_laws(held(sound(), quantity=Base(Decimal("-0.5"))))
    assert said == f"{ONE.symbol}: sold more than was bought (-0.5)"


def test_a_flat_position_that_still_cost_something_is_named() -> None:
    (said,) = broken_laws(held(sound(), quantity=Base(Decimal(0))))
    assert said.startswith(f"{ONE.symbol}: a flat position still has a cost of ")
    found = held(sound(), quantity=Base(Decimal(0)), cost=Quote(Decimal(0)))
    assert any("fees of 0.00000700" in one for one in broken_laws(found))


def test_cash_that_is_not_what_came_in_less_what_was_paid_is_named() -> None:
    book = sound()
    assert book.cash is not None
    (said,) = broken_laws(replace(book, cash=Quote(book.cash + Decimal("0.00000001"))))
    assert said.startswith("cash ") and " realised " in said
    assert broken_laws(replace(book, cash=None)) == (), "of what nobody knows nothing is wrong"


def test_two_open_orders_in_one_place_are_named() -> None:
    book = sound()
    stop = book.orders["s"]
    twice = replace(book, orders={**book.orders, "again": replace(stop, client_order_id="again")})
    assert broken_laws(twice) == (f"{ONE.symbol}: two open orders as STOP",)
    elsewhere = replace(stop, approved=replace(stop.approved, symbol=FOUR[0].symbol))
    assert broken_laws(replace(book, orders={**book.orders, "again": elsewhere})) == ()


def test_an_order_filled_beyond_its_quantity_is_named() -> None:
    book = sound()
    more = replace(book.orders["s"], filled=Base(book.orders["s"].approved.quantity + ONE.lot))
    (said,) = broken_laws(replace(book, orders={**book.orders, "s": more}))
    assert said.startswith("s: filled ")


def test_a_law_that_a_real_fact_breaks_is_seen_after_the_fold() -> None:
    """Nothing repairs it: what was sold and never bought stays visible."""
    sale = approved(ONE, Role.EXIT, 300, 5_000, OrderKind.TAKER, "target")
    book = apply(apply(sound(), Intended("x", sale, AT)), filled("x", sale, 2, 300, 5_000, 0, AT))
    assert any("sold more than was bought" in one for one in broken_laws(book))
