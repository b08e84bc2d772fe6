"""Two books, one truth: the Decimal ledger folds facts, the integer State steps through them, and they never part."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.make import AXES, FOUR, START, STRATEGY
from tests.laws.worlds import randoms
from trader_core.domain.book import Book, Holding
from trader_core.domain.clocktime import DAY_MS, HOUR_MS, MINUTE_MS, EpochMs
from trader_core.domain.decision import Peak, Waiting
from trader_core.domain.facts import (
    Acknowledged,
    CashFlow,
    CashObserved,
    Closed,
    CoinsMoved,
    Decided,
    Delisted,
    Fact,
    Filled,
    HaltChanged,
    HaltReset,
    Intended,
    Marked,
    QueueChanged,
    Remembered,
    SendFailed,
)
from trader_core.domain.fill import Fill, Side
from trader_core.domain.halt import HaltState, Seen, acknowledged, killed, reset, tripped
from trader_core.domain.instrument import Instrument
from trader_core.domain.money import Base, Quote, from_grains, grains_down
from trader_core.domain.order import ApprovedOrder, Order, OrderKind, OrderStatus, Role
from trader_core.domain.values import replace
from trader_core.ledger.fold import FORGET_AFTER_MS, apply, fold
from trader_core.ledger.integers import lots_of, step, to_state
from trader_core.ledger.laws import broken_laws
from trader_core.rulebook.money import mul_div_down, mul_div_up
from trader_core.rulebook.state import State

OVER = (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED)
prices = st.one_of(st.integers(100, 200), st.integers(100, 10**7))
lot_counts = st.one_of(st.integers(1, 9), st.integers(1, 10**9))
MARK_MAX = 2**61  # no account has lost so large a part of itself that a deposit would move a mark beyond this
REASONS = {
    Role.ENTRY: ("signal", "signal", "fallback", "reprice"),
    Role.EXIT: ("signal", "stop", "trailing", "target", "time"),
    Role.STOP: ("stop", "trailing", "break_even"),
}


def value_of(one: Instrument, side: Side, lots: int, ticks: int) -> Quote:
    """As the simulated venue counts: a purchase rounds up, a sale down, to the grain."""
    unit = one.grains_per_unit
    rounded = mul_div_up if side is Side.BUY else mul_div_down
    return Quote(from_grains(rounded(lots * ticks, unit.numerator, unit.denominator)))


def approved(
    one: Instrument, role: Role, lots: int, ticks: int = 100, kind: OrderKind = OrderKind.MAKER, reason: str = "",
    tries: int = 0,
) -> ApprovedOrder:  # fmt: skip
    price, stop, buys = ticks * one.tick, kind is OrderKind.STOP, role is Role.ENTRY
    return ApprovedOrder(
        symbol=one.symbol,
        side=Side.BUY if role is Role.ENTRY else Side.SELL,
        role=role,
        kind=kind,
        quantity=Base(lots * one.lot),
        limit=Decimal(0) if stop else price,
        trigger=price if stop else Decimal(0),
        reason=reason or REASONS[role][0],
        strategy=STRATEGY,
        stop_bps=500 if buys else 0,
        target_bps=1000 if buys else 0,
        hold_ms=HOUR_MS if buys else 0,
        tries=tries,
        expires_ms=EpochMs(-1 if stop else START),
    )


def filled(order_id: str, terms: ApprovedOrder, trade: int, lots: int, ticks: int, fee: int, at_ms: int) -> Filled:
    one = next(one for one in FOUR if one.symbol == terms.symbol)
    value = value_of(one, terms.side, lots, ticks)
    fill = Fill(
        f"t-{trade}", order_id, one.symbol, terms.side, ticks * one.tick, Base(lots * one.lot), value,
        Quote(from_grains(fee)), EpochMs(at_ms),
    )  # fmt: skip
    return Filled(fill, str(trade))


def assert_one_truth(state: State, book: Book) -> None:
    truth = to_state(book, AXES)
    for name in State._fields:
        ours, theirs = getattr(state, name), getattr(truth, name)
        assert np.array_equal(ours, theirs), f"{name}: stepped {ours.tolist()}, folded {theirs.tolist()}"


class History:
    """A legal past under construction, by chance: both books, and every order and fill so far."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.traded = random.sample(FOUR, random.randint(1, 2))  # few, so that an order's slot is often used again
        self.book, self.now_ms = Book(), int(START)
        self.state = to_state(self.book, AXES)
        self.orders: dict[str, ApprovedOrder] = {}  # as intended; what became of them is in the book
        self.filled: dict[str, int] = {}  # lots, also of orders that the book has forgotten
        self.fills: list[Filled] = []
        self.deposit()
        self.mark()

    def tell(self, fact: Fact) -> None:
        step(self.state, fact, self.book, AXES)
        self.book = apply(self.book, fact)
        assert_one_truth(self.state, self.book)
        assert broken_laws(self.book) == ()

    def held(self, one: Instrument) -> int:
        return lots_of(one, self.book.holdings.get(one.symbol, Holding()).quantity)

    def at(self) -> EpochMs:
        """Now, or earlier: what is told late carries its own time."""
        return EpochMs(self.now_ms - self.random.choice([0, 0, 1, MINUTE_MS, DAY_MS]))

    def number(self, *highest: int) -> int:
        """Small or large."""
        return self.random.randint(1, self.random.choice(highest))

    def ticks(self) -> int:
        return self.random.choice([100, 5_000, 10**7]) + self.number(5, 200)

    def part_of(self, amount: Decimal, *pcts: int) -> Quote:
        return Quote(from_grains(grains_down(amount * self.random.choice(pcts) / 100)))

    # --- facts ------------------------------------------------------------------------------------------------

    def deposit(self) -> None:
        self.flow(Quote(from_grains(self.number(100, 10**12, 10**16))))

    def withdraw(self) -> None:
        if self.book.cash and self.book.cash > 0:
            self.flow(Quote(-self.part_of(self.book.cash, 10, 50, 100)))

    def flow(self, amount: Quote) -> None:
        before, after = self.book.equity, (self.book.equity or 0) + amount
        marks = (self.book.day_open, self.book.week_open, self.book.high)
        if not before or all(grains_down(mark or Decimal(0)) * after / before < MARK_MAX for mark in marks):
            self.tell(CashFlow(amount, self.at(), "", ""))

    def mark(self) -> None:
        """Mostly close to the mark before, as equity is; peaks only of what is held."""
        self.now_ms += self.random.choice([0, 15 * MINUTE_MS, 8 * HOUR_MS, DAY_MS, FORGET_AFTER_MS, 7 * DAY_MS])
        fate = self.random.random()
        worth = None if fate < 0.1 else Quote(from_grains(self.number(100, 10**16)))
        if self.book.equity and fate > 0.3:
            worth = self.part_of(self.book.equity, 90, 99, 101, 110)
        held = [one for one in self.traded if one.symbol in self.book.held and self.random.random() < 0.7]
        peaks = tuple(Peak(one.symbol, self.ticks() * one.tick) for one in held)
        self.tell(Marked(EpochMs(self.now_ms), worth, peaks))

    def decide(self) -> None:
        self.tell(Decided(EpochMs(self.now_ms), "", ()))

    def carry(self) -> None:
        """Coins in or out without a trade: a person takes coins over, or writes a position down."""
        one, side = self.random.choice(self.traded), self.random.choice(list(Side))
        most = self.held(one)
        if one.symbol in self.book.delisted or (side is Side.SELL and not most):
            return
        lots = self.random.choice([most, self.random.randint(1, most)]) if side is Side.SELL else self.number(9, 10**6)
        worth, before = lots * self.ticks(), self.book.equity
        value = value_of(one, side, lots, worth // lots)
        marks = (self.book.day_open, self.book.week_open, self.book.high)
        after = (before or 0) + (value if side is Side.BUY else -value)
        if before and any(grains_down(mark or Decimal(0)) * after / before >= MARK_MAX for mark in marks):
            return
        price = worth // lots * one.tick
        name = f"moved-{self.random.getrandbits(64)}"
        self.tell(CoinsMoved(name, one.symbol, side, Base(lots * one.lot), price, self.at(), "a person"))

    def observe(self) -> None:
        """Cash as a reader reports it; where there is a ledger it says what that says."""
        if self.book.cash is not None:
            self.tell(CashObserved(self.book.cash, self.at()))

    def queue(self) -> None:
        """Some wait for a slot; what nobody trades any more does not."""
        there = self.random.sample([one.symbol for one in FOUR], self.random.randint(0, 3))
        terms = (500_000, 800_000, 500, self.number(100_000), 0, EpochMs(self.now_ms))
        waiting = [Waiting(one, self.random.choice([STRATEGY, "other", "of old"]), *terms) for one in there]
        self.tell(QueueChanged(tuple(waiting), (), self.at()))

    def note(self) -> None:
        """Something held is to be sold when its market opens, or has no place in the universe; or not any more."""
        for one in self.traded:
            deferred, since = self.random.choice(["", "stop", "target"]), self.random.choice([-1, self.now_ms])
            self.tell(Remembered(one.symbol, deferred, EpochMs(since), self.at()))

    def fail(self) -> None:
        self.tell(SendFailed(self.random.choice(sorted(self.orders) or ["o"]), "no answer", self.at()))

    def halt(self) -> None:
        """A person trips, acknowledges, kills or arms again, whatever of it is legal."""
        halt, at_ms = self.book.halt, EpochMs(self.now_ms)
        if halt.state is HaltState.ARMED:
            self.tell(HaltChanged(self.random.choice([tripped, killed])(halt, "a drill", at_ms)))
        elif halt.state is HaltState.TRIPPED and self.random.random() < 0.5:
            self.tell(HaltChanged(acknowledged(halt, HOUR_MS, at_ms)))
        else:
            armed = reset(halt, "the drill is over", at_ms, Seen(self.now_ms // DAY_MS, self.number(9, 60_000), 7))
            self.tell(HaltReset(armed, "me", "root", "the drill is over", False, halt, (), "", at_ms))

    def delist(self) -> None:
        """Something held; its orders are over with it. What is told of it later moves the ledger's cash alone."""
        gone = sorted(self.book.held)
        if gone and self.random.random() < 0.5:
            self.tell(Delisted(gone[0], EpochMs(self.now_ms)))

    def intend(self) -> None:
        one, role = self.random.choice(self.traded), self.random.choice(list(Role))
        most = self.held(one)
        if self.is_free(one, role) and (role is Role.ENTRY or most > 0):
            few = self.random.choice([most, self.random.randint(1, max(most, 1))])
            self.write_down(one, role, self.number(9, 10**9) if role is Role.ENTRY else few)

    def is_free(self, one: Instrument, role: Role) -> bool:
        return one.symbol not in self.book.delisted and not self.book.working(one.symbol, role)

    def write_down(self, one: Instrument, role: Role, lots: int, reason: str = "") -> str:
        kind = OrderKind.STOP if role is Role.STOP else self.random.choice([OrderKind.MAKER, OrderKind.TAKER])
        terms = approved(
            one,
            role,
            lots,
            self.ticks(),
            kind,
            reason or self.random.choice(REASONS[role]),
            self.random.randint(0, 2),
        )
        if role is Role.ENTRY:
            terms = replace(
                terms, strategy=self.random.choice([STRATEGY, "other", "of old"]), stop_bps=self.number(10_000),
                target_bps=self.number(100_000), hold_ms=self.random.choice([0, DAY_MS]),
            )  # fmt: skip
        name = f"o-{len(self.orders)}"
        self.orders[name], self.filled[name] = terms, 0
        self.tell(Intended(name, terms, EpochMs(self.now_ms)))
        return name

    def buy(self) -> None:
        """A position, or more of one."""
        one = self.random.choice(self.traded)
        if self.is_free(one, Role.ENTRY):
            self.execute(self.write_down(one, Role.ENTRY, self.number(9, 10**9)), 1)

    def sell(self) -> None:
        """The whole of a position, so that it is won or lost."""
        one = self.random.choice(self.traded)
        if self.is_free(one, Role.EXIT) and self.held(one) > 0:
            self.execute(self.write_down(one, Role.EXIT, self.held(one)), 1)

    def part(self) -> None:
        """A part of a position at its own target."""
        one = self.random.choice(self.traded)
        if self.is_free(one, Role.EXIT) and self.held(one) > 1:
            self.execute(self.write_down(one, Role.EXIT, self.held(one) // 2, "partial"), 1)

    def acknowledge(self) -> None:
        if order := self.pick([one for one in self.book.orders.values() if one.is_open]):
            self.tell(Acknowledged(order.client_order_id, self.at()))

    def close(self) -> None:
        if order := self.pick(list(self.book.orders.values())):
            sent = order.status is OrderStatus.INTENDED
            legal = [order.status] if not order.is_open else [one for one in OVER if sent or one is not OVER[-1]]
            self.tell(Closed(order.client_order_id, self.random.choice(legal), "", self.at()))

    def fill(self) -> None:
        """Of any order that is not complete: open, closed since, or forgotten."""
        if self.orders:
            self.execute(self.random.choice(sorted(self.orders)), self.random.choice([1, 2, 3]))

    def execute(self, name: str, parts: int) -> None:
        """A part of what is open of an order; nothing of a pair that the venue lists no more."""
        terms, ticks = self.orders[name], self.ticks()
        one = next(one for one in FOUR if one.symbol == terms.symbol)
        rest = lots_of(one, terms.quantity) - self.filled[name]
        lots = (min(rest, self.held(one)) if terms.side is Side.SELL else rest) // parts
        if lots > 0 and one.symbol not in self.book.delisted and value_of(one, terms.side, lots, ticks) > 0:
            fee = self.random.choice([0, 1, 10**8])
            self.fills.append(filled(name, terms, len(self.fills), lots, ticks, fee, self.at()))
            self.filled[name] += lots
            self.tell(self.fills[-1])

    def repeat(self) -> None:
        if self.fills:
            self.tell(self.random.choice(self.fills))

    def pick(self, orders: Sequence[Order]) -> Order | None:
        return self.random.choice(orders) if orders else None


MOVES = (
    *("intend", "fill", "buy", "sell", "mark") * 3, *("acknowledge", "close", "repeat", "part") * 2,
    "deposit", "withdraw", "carry", "decide", "delist", "observe", "fail", "halt", "queue", "note",
)  # fmt: skip


def test_the_ledger_and_the_law_s_own_state_are_one_truth_after_every_fact() -> None:
    seen: Counter[str] = Counter()

    @given(randoms)
    @examples(250)
    def holds(random: Random) -> None:
        history = History(random)
        for _ in range(40):
            getattr(history, random.choice(MOVES))()
        seen.update(what_happened(history))

    holds()
    assert min(seen[one] for one in HAPPENINGS) > 5, f"too quiet to prove anything: {seen}"


HAPPENINGS = (
    "won", "lost", "added", "delisted", "peaked", "moved", "failed", "stopped", "halted", "parted", "recorded",
    "noted",
)  # fmt: skip


def what_happened(history: History) -> list[str]:
    book = history.book
    happened = (
        any(one.won for one in book.exits.values()), book.pacing.losing_streak > 0,
        any(one.adds for one in book.entries.values()), bool(book.delisted),
        any(one.peak for one in book.holdings.values()), book.high != book.equity,
        bool(book.failed), bool(book.stopped), book.halt.trips > 0,
        any(one.parted for one in book.holdings.values()),
        any(one.wins and one.losses for one in book.records.values()),
        any(one.deferred for one in book.holdings.values()),
    )  # fmt: skip
    return [name for name, yes in zip(HAPPENINGS, happened, strict=True) if yes]


def told(*facts: Fact) -> Book:
    """Both books after these facts; they must agree after each."""
    state, book = to_state(Book(), AXES), Book()
    for fact in facts:
        step(state, fact, book, AXES)
        book = apply(book, fact)
        assert_one_truth(state, book)
    return book


def flow(amount: Decimal | int) -> CashFlow:
    return CashFlow(Quote(Decimal(amount)), EpochMs(START), "", "")


def marked(equity: Decimal | int, at_ms: int = START) -> Marked:
    return Marked(EpochMs(at_ms), Quote(Decimal(equity)), ())


# --- a deposit is no gain and a withdrawal no loss ------------------------------------------------------------


def losses(book: Book) -> list[Fraction]:
    """Loss since the openings of day and week and since the highest equity, each as a share of it."""
    now = Fraction(book.equity or 0)
    return [1 - now / Fraction(mark) for mark in (book.day_open, book.week_open, book.high) if mark]


def test_a_deposit_of_ten_thousand_and_a_withdrawal_of_nine_leave_every_loss_as_it_was() -> None:
    before: list[Fact] = [
        flow(10_000),
        marked(10_000),
        marked(11_000),
        marked(10_500, START + DAY_MS),
        marked(9_900, START + DAY_MS),
    ]
    lost = told(*before)
    after = told(*before, flow(10_000), flow(-9_000))
    assert after.equity == 10_900
    for was, now in zip(losses(lost), losses(after), strict=True):
        assert 0 <= now - was < Fraction(2, 10**12)
    assert [float(one) for one in losses(after)] == pytest.approx([600 / 10_500, 100 / 10_000, 1_100 / 11_000])


@given(
    st.lists(st.integers(10**8, 10**14), min_size=1, max_size=4),
    st.lists(st.integers(-90, 300), min_size=1, max_size=6),
)
@examples(100)
def test_flows_move_no_loss_but_by_their_rounding_and_never_hide_one(marks: list[int], parts: list[int]) -> None:
    """Each flow is so many percent of the equity it meets. A mark is rounded up by a grain at most each time."""
    facts: list[Fact] = [flow(1), *(marked(from_grains(one)) for one in marks)]
    lost = book = fold(facts)
    smallest = min(marks)
    for part in parts:
        facts.append(flow(from_grains(grains_down((book.equity or Decimal(0)) * part / 100))))
        book = apply(book, facts[-1])
        smallest = min(smallest, *(grains_down(mark) for mark in (book.day_open, book.week_open, book.high) if mark))
    assert told(*facts) == book
    for was, now in zip(losses(lost), losses(book), strict=True):
        assert 0 <= now - was <= Fraction(len(parts), smallest) * max(1 - was, Fraction(1))


def test_where_equity_is_unknown_a_flow_moves_the_marks_by_its_amount() -> None:
    book = told(flow(100), marked(100), Marked(EpochMs(START), None, ()), flow(50), flow(-400))
    assert [book.day_open, book.high, book.equity] == [0, 0, None]
    assert told(flow(100), marked(100), Marked(EpochMs(START), None, ()), flow(50)).high == 150


def test_all_that_was_there_withdrawn_and_paid_in_again_is_a_new_account() -> None:
    book = told(flow(100), marked(80), flow(-80), flow(500), marked(500), marked(450))
    assert [book.day_open, book.week_open, book.high] == [500, 500, 500]


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
        flow(1000),
        Intended("o-0", first, START),
        Closed("o-0", OrderStatus.CANCELED, "", START),
        Intended("o-1", second, START),
        filled("o-0", first, 0, 3, 10**6, 0, START),
    ]
    assert told(*facts).orders["o-1"].filled == 0


def test_observed_cash_is_the_cash_of_both_books() -> None:
    state, fact = to_state(Book(), AXES), CashObserved(Quote(Decimal("12.5")), START)
    step(state, fact, Book(), AXES)
    assert_one_truth(state, apply(Book(), fact))
    assert state.cash[0] == 1_250_000_000


# --- coins that come and go without a trade ------------------------------------------------------------------


def moved(side: Side, lots: int, ticks: int, name: str = "m") -> CoinsMoved:
    one = FOUR[0]
    return CoinsMoved(name, one.symbol, side, Base(lots * one.lot), ticks * one.tick, EpochMs(START), "said so")


def test_coins_that_come_are_a_deposit_in_kind_and_no_gain() -> None:
    """Their cost is their value; every loss is what it was."""
    before: list[Fact] = [flow(10_000), marked(10_000), marked(9_000)]
    lost, book = told(*before), told(*before, moved(Side.BUY, 1_000, 10**6))
    value = value_of(FOUR[0], Side.BUY, 1_000, 10**6)
    held = book.holdings[FOUR[0].symbol]
    assert [held.cost, book.cash, book.flows, held.realised] == [value, 10_000, 10_000 + value, 0]
    assert book.equity == 9_000 + value
    for was, now in zip(losses(lost), losses(book), strict=True):
        assert 0 <= now - was < Fraction(2, 10**11)
    assert broken_laws(book) == ()


def test_coins_that_are_gone_leave_at_their_price_and_are_no_loss_of_the_day() -> None:
    """What they had gained or lost until then is realised; that they are gone is neither."""
    bought: list[Fact] = [flow(10_000), moved(Side.BUY, 1_000, 10**6), marked(10_000)]
    book = told(*bought, moved(Side.SELL, 1_000, 2 * 10**6, "gone"))
    cost, value = (value_of(FOUR[0], Side.SELL, 1_000, ticks * 10**6) for ticks in (1, 2))
    assert [book.cash, book.realised, *book.held] == [10_000, value - cost]
    assert [float(one) for one in losses(book)] == pytest.approx([0, 0, 0], abs=1e-9)
    assert told(*bought, moved(Side.SELL, 400, 10**6, "gone")).holdings[FOUR[0].symbol].quantity == 600 * FOUR[0].lot


def test_the_same_move_told_twice_counts_once() -> None:
    once: list[Fact] = [flow(10_000), moved(Side.BUY, 5, 10**6)]
    assert told(*once, once[1]) == told(*once)


# --- T3: the same fill three times, late and out of order ---------------------------------------------------


@st.composite
def executions(draw: st.DrawFn) -> tuple[list[Fact], list[Filled]]:
    """(everything before, the fills of one order of either side)."""
    one, side = draw(st.sampled_from(FOUR)), draw(st.sampled_from(Side))
    parts = draw(st.lists(st.tuples(lot_counts, prices, st.integers(0, 10**6)), min_size=1, max_size=4))
    total = sum(lots for lots, _, _ in parts)
    before: list[Fact] = [flow(10**6)]
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
    past: tuple[list[Fact], list[Filled]], data: st.DataObject
) -> None:
    before, fills = past
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
        flow(1000), Intended("b", buy, START), filled("b", buy, 0, 9, 10**6, 0, START),
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
