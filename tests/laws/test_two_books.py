"""Two books, one truth: the Decimal ledger folds facts, the integer State steps through them, and they never part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import permutations
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.make import AXES, FOUR, START, STRATEGY
from trader_core.domain.book import Book, Holding
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, EpochMs
from trader_core.domain.facts import (
    Acknowledged,
    CashFlow,
    CashObserved,
    Closed,
    Decided,
    Fact,
    Filled,
    Intended,
    Marked,
)
from trader_core.domain.fill import Fill, Side
from trader_core.domain.instrument import Instrument
from trader_core.domain.money import Base, Quote, from_grains, grains_down
from trader_core.domain.order import ApprovedOrder, Order, OrderKind, OrderStatus, Role
from trader_core.ledger.fold import FORGET_AFTER_MS, apply, fold
from trader_core.ledger.integers import lots_of, step, to_state
from trader_core.ledger.laws import broken_laws
from trader_core.rulebook.money import mul_div_down, mul_div_up
from trader_core.rulebook.state import State

OVER = (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED)
prices = st.one_of(st.integers(100, 200), st.integers(100, 10**7))
lot_counts = st.one_of(st.integers(1, 9), st.integers(1, 10**9))
money = st.one_of(st.integers(1, 100), st.integers(1, 10**16)).map(lambda grains: Quote(from_grains(grains)))


def value_of(one: Instrument, side: Side, lots: int, ticks: int) -> Quote:
    """As the simulated venue counts: a purchase rounds up, a sale down, to the grain."""
    unit = one.grains_per_unit
    rounded = mul_div_up if side is Side.BUY else mul_div_down
    return Quote(from_grains(rounded(lots * ticks, unit.numerator, unit.denominator)))


def approved(
    one: Instrument, role: Role, lots: int, ticks: int = 100, kind: OrderKind = OrderKind.MAKER
) -> ApprovedOrder:
    price, stop = ticks * one.tick, kind is OrderKind.STOP
    return ApprovedOrder(
        symbol=one.symbol,
        side=Side.BUY if role is Role.ENTRY else Side.SELL,
        role=role,
        kind=kind,
        quantity=Base(lots * one.lot),
        limit=Decimal(0) if stop else price,
        trigger=price if stop else Decimal(0),
        reason={Role.ENTRY: "signal", Role.EXIT: "target", Role.STOP: "stop"}[role],
        strategy=STRATEGY,
        stop_bps=500 if role is Role.ENTRY else 0,
        target_bps=1000 if role is Role.ENTRY else 0,
        expires_ms=EpochMs(-1 if stop else START),
    )


def filled(order_id: str, terms: ApprovedOrder, trade: int, lots: int, ticks: int, fee: int, at_ms: int) -> Filled:
    one = next(one for one in FOUR if one.symbol == terms.symbol)
    value = value_of(one, terms.side, lots, ticks)
    told = Fill(
        f"t-{trade}", order_id, one.symbol, terms.side, ticks * one.tick, Base(lots * one.lot), value,
        Quote(from_grains(fee)), EpochMs(at_ms),
    )  # fmt: skip
    return Filled(told, str(trade))


def assert_one_truth(state: State, book: Book) -> None:
    truth = to_state(book, AXES)
    for name in State._fields:
        ours, theirs = getattr(state, name), getattr(truth, name)
        assert np.array_equal(ours, theirs), f"{name}: stepped {ours.tolist()}, folded {theirs.tolist()}"


@dataclass
class History:
    """A legal past under construction: both books, and every order and fill so far."""

    draw: Callable[..., Any]
    traded: Sequence[Instrument]  # few, so that an order's slot is often used again
    book: Book = field(default_factory=Book)
    state: State = field(default_factory=lambda: to_state(Book(), AXES))
    now_ms: int = START
    orders: dict[str, Order] = field(default_factory=dict)  # as intended; what became of them is in the book
    filled: dict[str, int] = field(default_factory=dict)  # lots, also of orders that the book has forgotten
    fills: list[Filled] = field(default_factory=list)

    def tell(self, fact: Fact) -> None:
        step(self.state, fact, self.book, AXES)
        self.book = apply(self.book, fact)
        assert_one_truth(self.state, self.book)

    def held(self, one: Instrument) -> int:
        return lots_of(one, self.book.holdings.get(one.symbol, Holding()).quantity)

    def at(self) -> EpochMs:
        """Now, or earlier: what is told late carries its own time."""
        return EpochMs(self.now_ms - self.draw(st.sampled_from([0, 0, 1, MINUTE_MS, DAY_MS])))

    def deposit(self) -> None:
        self.tell(CashFlow(self.draw(money), self.at(), "deposit"))

    def withdraw(self) -> None:
        if self.book.cash and self.book.cash > 0:
            share = self.draw(st.sampled_from([Decimal("0.5"), Decimal(1)]))
            grains = grains_down(self.book.cash * share)
            self.tell(CashFlow(Quote(-from_grains(grains)), self.at(), "withdrawal"))

    def mark(self) -> None:
        self.now_ms += self.draw(st.sampled_from([0, 15 * MINUTE_MS, 8 * 60 * MINUTE_MS, DAY_MS, FORGET_AFTER_MS]))
        self.tell(Marked(EpochMs(self.now_ms), self.draw(st.one_of(st.none(), money))))

    def decide(self) -> None:
        self.tell(Decided(EpochMs(self.now_ms), "", ()))

    def intend(self) -> None:
        one, role = self.draw(st.sampled_from(self.traded)), self.draw(st.sampled_from(list(Role)))
        most = self.held(one)
        if self.book.working(one.symbol, role) or (role is not Role.ENTRY and most < 1):
            return
        lots = self.draw(lot_counts) if role is Role.ENTRY else self.draw(st.integers(1, most) | st.just(most))
        kind = OrderKind.STOP if role is Role.STOP else self.draw(st.sampled_from([OrderKind.MAKER, OrderKind.TAKER]))
        terms, name = approved(one, role, lots, self.draw(prices), kind), f"o-{len(self.orders)}"
        self.orders[name] = Order(name, terms, EpochMs(self.now_ms))
        self.filled[name] = 0
        self.tell(Intended(name, terms, EpochMs(self.now_ms)))

    def acknowledge(self) -> None:
        if order := self.pick([one for one in self.book.orders.values() if one.is_open]):
            self.tell(Acknowledged(order.client_order_id, self.at()))

    def close(self) -> None:
        if order := self.pick(list(self.book.orders.values())):
            sent = order.status is OrderStatus.INTENDED
            legal = [order.status] if not order.is_open else [one for one in OVER if sent or one is not OVER[-1]]
            status = self.draw(st.sampled_from(legal))
            self.tell(Closed(order.client_order_id, status, "", self.at()))

    def fill(self) -> None:
        """Of any order that is not complete: open, closed since, or forgotten."""
        name = self.draw(st.sampled_from(sorted(self.orders))) if self.orders else ""
        if not name:
            return
        terms = self.orders[name].approved
        one = next(one for one in FOUR if one.symbol == terms.symbol)
        rest = lots_of(one, terms.quantity) - self.filled[name]
        most = min(rest, self.held(one)) if terms.side is Side.SELL else rest
        lots = self.draw(st.integers(1, most) | st.just(most)) if most > 0 else 0
        ticks = self.draw(prices)
        if lots and value_of(one, terms.side, lots, ticks) > 0:
            fee = self.draw(st.integers(0, 10**8))
            self.fills.append(filled(name, terms, len(self.fills), lots, ticks, fee, self.at()))
            self.filled[name] += lots
            self.tell(self.fills[-1])

    def repeat(self) -> None:
        if self.fills:
            self.tell(self.draw(st.sampled_from(self.fills)))

    def pick(self, orders: Sequence[Order]) -> Order | None:
        return self.draw(st.sampled_from(orders)) if orders else None


MOVES = ("intend", "fill") * 4 + ("acknowledge", "close", "mark", "repeat") * 2 + ("deposit", "withdraw", "decide")


@given(st.data())
@examples(120)
def test_the_ledger_and_the_law_s_own_state_are_one_truth_after_every_fact(data: st.DataObject) -> None:
    history = History(data.draw, data.draw(st.lists(st.sampled_from(FOUR), min_size=1, max_size=2)))
    history.deposit()
    for move in data.draw(st.lists(st.sampled_from(MOVES), min_size=10, max_size=45)):
        getattr(history, move)()
        assert broken_laws(history.book) == ()


def test_a_withdrawal_beyond_the_day_s_opening_moves_it_below_zero_in_both_books() -> None:
    grown = Quote(Decimal(1000))
    facts: list[Fact] = [
        CashFlow(grown, START, ""), Marked(START, Quote(Decimal(10))), CashFlow(Quote(Decimal(-500)), START, ""),
        CashFlow(Quote(Decimal(7)), START, ""),
    ]  # fmt: skip
    state, book = to_state(Book(), AXES), Book()
    for fact in facts:
        step(state, fact, book, AXES)
        book = apply(book, fact)
    assert book.day_open == -483
    assert_one_truth(state, book)


def test_a_part_of_a_cost_is_rounded_down_however_close_to_the_next_grain_it_comes() -> None:
    """999999999.99... of 29 digits: a division in Decimal's default 28 digits would round it up."""
    one, lots, cost = FOUR[2], 1_000_000_000_039, 99_999_500_003_899_979
    book = Book(
        cash=Quote(Decimal(0)),
        holdings={one.symbol: Holding(quantity=Base(lots * one.lot), cost=Quote(from_grains(cost)))},
    )
    state, sold = to_state(book, AXES), lots // 3 + 1
    sale = filled("unknown", approved(one, Role.EXIT, sold), 0, sold, 1, 0, START)
    step(state, sale, book, AXES)
    book = apply(book, sale)
    assert grains_down(book.holdings[one.symbol].cost) == cost - cost * sold // lots
    assert_one_truth(state, book)


def test_a_late_fill_of_a_closed_order_does_not_fill_its_successor() -> None:
    first, second = approved(FOUR[0], Role.ENTRY, 9), approved(FOUR[0], Role.ENTRY, 5)
    facts: list[Fact] = [
        CashFlow(Quote(Decimal(1000)), START, ""),
        Intended("o-0", first, START),
        Closed("o-0", OrderStatus.CANCELED, "", START),
        Intended("o-1", second, START),
        filled("o-0", first, 0, 3, 10**6, 0, START),
    ]
    state, book = to_state(Book(), AXES), Book()
    for fact in facts:
        step(state, fact, book, AXES)
        book = apply(book, fact)
    assert book.orders["o-1"].filled == 0
    assert_one_truth(state, book)


def test_observed_cash_is_the_cash_of_both_books() -> None:
    state, fact = to_state(Book(), AXES), CashObserved(Quote(Decimal("12.5")), START)
    step(state, fact, Book(), AXES)
    assert_one_truth(state, apply(Book(), fact))
    assert state.cash[0] == 1_250_000_000


# --- T3: the same fill three times, late and out of order ---------------------------------------------------


@st.composite
def executions(draw: st.DrawFn) -> tuple[list[Fact], list[Filled]]:
    """(everything before, the fills of one order of either side)."""
    one, side = draw(st.sampled_from(FOUR)), draw(st.sampled_from(Side))
    parts = draw(st.lists(st.tuples(lot_counts, prices, st.integers(0, 10**6)), min_size=1, max_size=4))
    total = sum(lots for lots, _, _ in parts)
    before: list[Fact] = [CashFlow(Quote(Decimal(10**6)), START, "")]
    terms = approved(one, Role.ENTRY, total + draw(st.integers(0, 5)))
    if side is Side.SELL:
        bought = lots_of(one, terms.quantity)
        before += [Intended("o-0", terms, START), filled("o-0", terms, 99, bought, draw(prices), 5, START)]
        terms = approved(one, Role.EXIT, total)
    before += [Intended("o-1", terms, START), Acknowledged("o-1", START)]
    times = [START + draw(st.integers(0, 3)) * MINUTE_MS for _ in parts]
    fills = [filled("o-1", terms, n, *part, at_ms) for n, (part, at_ms) in enumerate(zip(parts, times, strict=True))]
    fills = [one for one in fills if one.fill.value > 0]
    return before, fills


def effect(book: Book, symbol: str) -> tuple[object, ...]:
    """What no order of telling may change. Realised and cost may differ by a grain each, never together."""
    held = book.holdings[symbol]
    exits = {asset: exit.at_ms for asset, exit in book.exits.items()}
    return book.cash, held.quantity, held.realised - held.cost - held.entry_fees, held.trades, exits, held.stop_bps


@given(executions(), st.data())
@examples(100)
def test_fills_told_thrice_late_and_in_any_order_count_once(
    told: tuple[list[Fact], list[Filled]], data: st.DataObject
) -> None:
    before, fills = told
    expected = fold([*before, *fills])
    late: list[Fact] = [Closed("o-1", OrderStatus.CANCELED, "", START)] if data.draw(st.booleans()) else []
    shuffled = data.draw(st.permutations(fills * 3))
    book = fold([*before, *late, *shuffled])
    symbol = fills[0].fill.symbol
    assert effect(book, symbol) == effect(expected, symbol)
    assert broken_laws(book) == broken_laws(expected) == ()
    state = to_state(fold(before), AXES)
    grown = fold(before)
    for fact in [*late, *shuffled]:
        step(state, fact, grown, AXES)
        grown = apply(grown, fact)
    assert_one_truth(state, grown)


def test_a_sale_told_late_does_not_shorten_the_rest_of_its_asset() -> None:
    one = FOUR[0]
    buy, sell = approved(one, Role.ENTRY, 9), approved(one, Role.EXIT, 9)
    before: list[Fact] = [
        CashFlow(Quote(Decimal(1000)), START, ""), Intended("b", buy, START), filled("b", buy, 0, 9, 10**6, 0, START),
        Intended("s", sell, START),
    ]  # fmt: skip
    sales = [filled("s", sell, n, 3, 10**6, 0, START + n * MINUTE_MS) for n in (1, 2, 3)]
    newest = {fold([*before, *order]).exits["BTC"].at_ms for order in permutations(sales)}
    assert newest == {START + 3 * MINUTE_MS}


def test_a_sale_worth_less_than_a_grain_is_still_a_fill() -> None:
    """Lots so small that their value rounds down to nothing leave the position all the same."""
    one = FOUR[0]
    held = Holding(quantity=Base(5 * one.lot), cost=Quote(from_grains(3)))
    book = Book(cash=Quote(Decimal(0)), holdings={one.symbol: held})
    state, sale = to_state(book, AXES), filled("unknown", approved(one, Role.EXIT, 5), 0, 5, 1, 0, START)
    step(state, sale, book, AXES)
    assert sale.fill.value == 0
    assert_one_truth(state, apply(book, sale))
