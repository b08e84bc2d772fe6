"""What the venue's word makes of our book: nothing is believed before it must be, and nothing is lost while it lags."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.journals import Account as Journal
from trader_core.domain.account import Balance
from trader_core.domain.book import Book
from trader_core.domain.clocktime import SECOND_MS, EpochMs
from trader_core.domain.facts import Acknowledged, Banned, Closed, Intended, Resent
from trader_core.domain.fill import Side
from trader_core.domain.money import Base
from trader_core.domain.order import OrderReport, OrderStatus, Role
from trader_core.execution.protection import BAN_MS, REFUSALS_MAX, bans_of_unprotected, unprotected
from trader_core.execution.reconcile import Account, difference_facts, differences, order_facts, undead
from trader_core.ledger.fold import fold

NOW = EpochMs(1_800_000_000_000)
UNSEEN_MS = 90 * SECOND_MS
CENT = Decimal("0.01")


def told(name: str, status: OrderStatus, filled: str | None = None) -> dict[str, OrderReport]:
    return {name: OrderReport(name, status, "", NOW, "v-1", None if filled is None else Base(Decimal(filled)))}


def intended(role: Role = Role.ENTRY, sent_ms: int = NOW) -> tuple[Book, str]:
    """A book with one order that was written down at `sent_ms`, and nobody knows whether it arrived."""
    journal = Journal()
    name = journal.place("BTC-USD", role, "1", acknowledged=False)
    last = journal.facts.pop()
    assert isinstance(last, Intended)
    journal.facts.append(Intended(name, last.approved, last.at_ms, "{}", EpochMs(sent_ms)))
    return fold(journal.facts), name


# --- orders ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2 * UNSEEN_MS), st.integers(0, 2 * UNSEEN_MS))
def test_an_intent_that_no_list_shows_is_given_up_when_its_time_is_over_by_both_clocks_and_not_before(
    ours_ms: int, theirs_ms: int
) -> None:
    book, name = intended()
    passed_ms, placed_ms = min(ours_ms, theirs_ms), book.orders[name].placed_ms
    facts = order_facts(book, {}, NOW, host_ms=NOW + ours_ms, seen_ms=placed_ms + theirs_ms, unseen_ms=UNSEEN_MS)
    assert bool(facts) is (passed_ms >= UNSEEN_MS)
    assert all(isinstance(one, Closed) and one.status is OrderStatus.REJECTED for one in facts)
    assert fold(facts, book).orders[name].is_open is (passed_ms < UNSEEN_MS)


def test_an_intent_that_turns_up_is_ours_under_the_venues_name() -> None:
    book, name = intended()
    after = fold(order_facts(book, told(name, OrderStatus.WORKING), NOW, host_ms=NOW, unseen_ms=UNSEEN_MS), book)
    assert (after.orders[name].status, after.orders[name].venue_order_id) == (OrderStatus.WORKING, "v-1")


def test_an_intent_that_was_turned_away_is_closed_without_ever_having_worked() -> None:
    book, name = intended()
    facts = order_facts(book, told(name, OrderStatus.REJECTED, "0"), NOW, host_ms=NOW, unseen_ms=UNSEEN_MS)
    assert [type(one) for one in facts] == [Closed]


@pytest.mark.parametrize("status", [OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.FILLED])
def test_an_order_stays_open_until_its_fills_are_told(status: OrderStatus) -> None:
    journal = Journal()
    name = journal.place("BTC-USD", Role.ENTRY, "1")
    book = fold(journal.facts)
    assert order_facts(book, told(name, status, "0.4"), NOW) == ()
    journal.fill(name, "BTC-USD", Side.BUY, "0.4", "100", "0.1")
    book = fold(journal.facts)
    facts = order_facts(book, told(name, status, "0.4"), NOW)
    assert [one.status for one in facts if isinstance(one, Closed)] == [status] * (status is not OrderStatus.FILLED)


@given(st.integers(0, 2 * UNSEEN_MS), st.integers(0, 2 * UNSEEN_MS))
def test_a_working_order_that_the_venue_does_not_know_is_over_and_not_before_the_lists_have_had_their_time(
    ours_ms: int, theirs_ms: int
) -> None:
    journal = Journal()
    name = journal.place("BTC-USD", Role.STOP, "1")
    book = fold(journal.facts)
    sent_ms, placed_ms = book.orders[name].sent_ms, book.orders[name].placed_ms
    facts = order_facts(book, {}, NOW, host_ms=sent_ms + ours_ms, seen_ms=placed_ms + theirs_ms, unseen_ms=UNSEEN_MS)
    lost = Closed(name, OrderStatus.CANCELED, "the venue does not know it", NOW)
    assert facts == (lost,) * (min(ours_ms, theirs_ms) >= UNSEEN_MS)


def test_what_is_over_for_us_and_works_at_the_venue_is_found() -> None:
    book, name = intended()
    over = fold([Closed(name, OrderStatus.REJECTED, "the venue never saw it", NOW)], book)
    shown = tuple(told(name, OrderStatus.WORKING).values())
    assert [one.client_order_id for one in undead(over, shown)] == [name]
    assert undead(book, shown) == ()
    assert undead(over, tuple(told(name, OrderStatus.CANCELED).values())) == ()


def test_a_resent_order_is_remembered_and_an_acknowledged_name_stays() -> None:
    book, name = intended(Role.STOP)
    book = fold([Resent(name, NOW), Acknowledged(name, NOW, "v-9")], book)
    assert (book.orders[name].sends, book.orders[name].venue_order_id, book.orders[name].payload) == (2, "v-9", "{}")
    over = fold([Closed(name, OrderStatus.CANCELED, "", NOW), Acknowledged(name, NOW, "v-9")], book)
    assert over.orders[name].status is OrderStatus.CANCELED, "late news does not bring it back"


# --- what differs ----------------------------------------------------------------------------------------------------


def held(quantity: str = "2") -> Book:
    journal = Journal(cash="1000")
    name = journal.place("BTC-USD", Role.ENTRY, quantity)
    journal.fill(name, "BTC-USD", Side.BUY, quantity, "100", "1")
    return fold(journal.facts)


def account(cash: str, coins: str, *marked: OrderReport) -> Account:
    nothing = Decimal(0)
    return Account({}, marked, (Balance("USD", Decimal(cash), nothing), Balance("BTC", Decimal(coins), nothing)))


@given(st.decimals("-5", "5", places=4), st.decimals("-1", "1", places=4))
def test_cash_off_by_a_cent_and_coins_that_are_missing_differ_and_more_coins_do_not(
    cash: Decimal, coins: Decimal
) -> None:
    book = held()
    assert book.cash is not None
    found = differences(book, account(str(book.cash + cash), str(2 + coins)), "USD", CENT)
    assert ("USD" in found) is (abs(cash) >= CENT)
    assert ("BTC" in found) is (coins < 0)
    assert found.keys() <= {"USD", "BTC"}


def test_what_differs_is_told_in_one_order_whatever_that_of_sets_is() -> None:
    """Found by the simulation: two processes wrote two journals of the same life."""
    journal, coins = Journal(cash="10000"), [f"{letter}{letter}{letter}" for letter in "QWERTZ"]
    for coin in coins:
        journal.fill(journal.place(f"{coin}-USD", Role.ENTRY, "1"), f"{coin}-USD", Side.BUY, "1", "100", "1")
    found = differences(fold(journal.facts), Account({}, (), ()), "USD", CENT)
    assert [one for one in found if one in coins] == sorted(coins)


def test_a_marked_order_that_is_not_ours_is_another_trader() -> None:
    book = held()
    stranger = OrderReport("7adeca5e-0000-5000-8000-000000000000", OrderStatus.WORKING, "", NOW)
    found = differences(book, account(str(book.cash), "2", stranger), "USD", CENT)
    assert "another one uses this account" in found["orders"]
    after = fold(difference_facts(book, found, NOW), book)
    assert after.discrepancies == found
    assert difference_facts(after, found, NOW) == ()
    assert fold(difference_facts(after, {}, NOW), after).discrepancies == {}


# --- what nothing protects -------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from([OrderStatus.REJECTED, OrderStatus.CANCELED]), max_size=6))
def test_a_position_whose_last_stops_were_all_refused_is_given_up(stops: list[OrderStatus]) -> None:
    journal = Journal()
    name = journal.place("BTC-USD", Role.ENTRY, "2")
    journal.fill(name, "BTC-USD", Side.BUY, "2", "100", "1")
    for status in stops:
        stop = journal.place("BTC-USD", Role.STOP, "2", acknowledged=False)
        journal.facts.append(Closed(stop, status, "", EpochMs(journal.now_ms)))
    book = fold(journal.facts)
    refused = stops[-REFUSALS_MAX:] == [OrderStatus.REJECTED] * REFUSALS_MAX
    assert unprotected(book) == ({"BTC-USD"} if refused else set())
    bans = bans_of_unprotected(book, NOW)
    assert [one.asset for one in bans if isinstance(one, Banned)] == ["BTC"] * refused
    banned = fold(bans, book)
    assert bans_of_unprotected(banned, EpochMs(NOW + BAN_MS - 1)) == (), "once"
    again = bans_of_unprotected(banned, EpochMs(NOW + BAN_MS))
    assert [one.asset for one in again if isinstance(one, Banned)] == ["BTC"] * refused, "a ban of before has lapsed"


def test_nothing_is_given_up_that_is_not_held() -> None:
    journal = Journal()
    for _ in range(REFUSALS_MAX):
        stop = journal.place("BTC-USD", Role.STOP, "2", acknowledged=False)
        journal.facts.append(Closed(stop, OrderStatus.REJECTED, "", EpochMs(journal.now_ms)))
    assert unprotected(fold(journal.facts)) == frozenset()
