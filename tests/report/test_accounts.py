"""Orders, positions and the state of an account, as a person is told of them."""

from decimal import Decimal

from hypothesis import given

from tests.laws.budget import examples
from tests.report.journals import BAR_MS, START, Account, accounts, figures
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Acknowledged, Closed, Delisted, Marked
from trader_core.domain.fill import Side
from trader_core.domain.money import Quote
from trader_core.domain.order import OrderStatus, Role
from trader_core.ledger.fold import fold
from trader_core.report.positions import positions
from trader_core.report.status import is_virtual, next_decision_ms, status
from trader_core.report.trades import history


@examples(40)
@given(accounts())
def test_the_journal_knows_of_every_order_what_the_book_knows(account: Account) -> None:
    past = history(account.facts)
    told = {one.client_order_id: one for one in past.orders}
    assert len(told) == past.book.intents
    for name, order in past.book.orders.items():  # the book forgets those that are long over
        assert (told[name].status, told[name].filled) == (order.status, order.filled)
    assert {name for name, one in told.items() if one.is_open} == {
        name for name, order in past.book.orders.items() if order.is_open
    }


def test_orders_in_what_is_listed_no_more_are_over_for_a_reader_too() -> None:
    """The ledger closes them with the listing, and asks the venue of them no more."""
    account = Account().buy("BTC-USD", "3", "100", "1").buy("ETH-USD", "1", "50", "1")
    stops = [account.place(symbol, Role.STOP, "1", price="40") for symbol in ("BTC-USD", "ETH-USD")]
    account.facts.append(Delisted("BTC-USD", EpochMs(START)))
    past = history(account.facts)
    assert [past.book.orders[one].status for one in stops] == ["CANCELED", "WORKING"]
    assert {one.client_order_id: one.status for one in past.orders if one.role == "STOP"} == dict(
        zip(stops, ("CANCELED", "WORKING"), strict=True)
    )
    assert [one.client_order_id for one in past.orders if one.is_open] == [stops[1]]


def test_what_is_over_is_not_opened_again_by_the_venues_word_that_it_came() -> None:
    account = Account().reject("BTC-USD", "the venue never saw it")
    name = next(iter(fold(account.facts).orders))
    account.facts.append(Acknowledged(name, EpochMs(account.now_ms)))
    past = history(account.facts)
    assert past.book.orders[name].status == past.orders[0].status == OrderStatus.REJECTED
    assert past.orders[0].note == "the venue never saw it"


def test_an_order_has_the_venues_words_and_its_average_price() -> None:
    account = Account().reject("ETH-USD", "insufficient funds")
    name = account.place("BTC-USD", Role.ENTRY, "4", reason="fallback")
    account.fill(name, "BTC-USD", Side.BUY, "1", "100", "0.1")
    account.fill(name, "BTC-USD", Side.BUY, "1", "110", "0.2")
    account.facts.append(account.facts[-1])  # told twice
    account.facts.append(Closed(name, OrderStatus.EXPIRED, "its time was over", EpochMs(account.now_ms)))
    refused, partly = history(account.facts).orders
    assert (refused.status, refused.note, refused.average_price) == ("REJECTED", "insufficient funds", None)
    assert (partly.status, partly.note) == ("EXPIRED", "its time was over")
    assert figures(partly.filled, partly.average_price, partly.fees) == "2 105 0.3"


def test_a_position_says_what_protects_it_and_when_it_is_over() -> None:
    account = Account()
    name = account.place("BTC-USD", Role.ENTRY, "3", hold_ms=4 * BAR_MS)
    account.fill(name, "BTC-USD", Side.BUY, "3", "100", "1")
    account.place("BTC-USD", Role.STOP, "3", price="97")
    (one,) = positions(fold(account.facts), {"BTC-USD": Decimal(101)})
    assert figures(one.cost, one.fees, one.entry_price, one.stop, one.target) == "300 1 100 97 109"
    assert figures(one.value, one.unrealised, one.peak) == "303 2 -"
    assert (one.opened_ms, one.sell_by_ms, one.delisted) == (START, START + 4 * BAR_MS, False)


def test_what_is_not_listed_any_more_is_still_held() -> None:
    account = Account().buy("BTC-USD", "3", "100", "1")
    account.facts.append(Delisted("BTC-USD", EpochMs(START)))
    book = fold(account.facts)
    assert [(one.symbol, one.delisted) for one in positions(book, {})] == [("BTC-USD", True)]
    assert status(book).positions == 1


def test_the_worth_of_positions_is_that_of_a_mark_after_the_newest_fill() -> None:
    account = Account(cash="1000").buy("BTC-USD", "3", "100", "1").cycle(equity="1050")
    assert history(account.facts).worth == 1050 - 699
    account.buy("BTC-USD", "1", "100", "1")
    assert history(account.facts).worth is None
    account.facts.append(Marked(EpochMs(account.now_ms), None, ()))
    assert history(account.facts).worth is None
    account.facts.append(Marked(EpochMs(account.now_ms), Quote(Decimal(1040)), ()))
    assert history(account.facts).worth == 1040 - 598


def test_where_nothing_is_held_it_is_worth_nothing() -> None:
    """A venue's cash has more digits than a mark."""
    past = history(Account(cash="1000.000000005").cycle(equity="1000").facts)
    assert past.worth == 0


def test_the_next_cycle_is_due_a_bar_after_the_last_one() -> None:
    account = Account()
    assert next_decision_ms(fold(account.facts), f"virtual, {BAR_MS} ms") is None
    book = fold(account.cycle().facts)
    assert next_decision_ms(book, f"virtual, {BAR_MS} ms") == START + BAR_MS
    assert next_decision_ms(book, "") is None
    assert (is_virtual("virtual, 900000 ms"), is_virtual("wall, 900000 ms")) == (True, False)
