"""What a cycle leaves when it is cut short, and what is told of orders that nobody knows: nothing is done twice, and
nothing is made up."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest

from tests.laws.make import AXES, BAR_MS, FOUR, START, policy, world
from tests.laws.markets import LIVELY
from tests.laws.test_slow_twin import CYCLES, lively
from tests.laws.test_two_books import approved, assert_one_truth, flow, told
from tests.market.make import frame
from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Peak
from trader_core.domain.facts import Acknowledged, Decided, Intended, Leaving, Marked, Resent
from trader_core.domain.inputs import Bar
from trader_core.domain.money import Quote
from trader_core.domain.order import ApprovedOrder, OrderKind, OrderReport, Role
from trader_core.domain.values import replace
from trader_core.engine.adopt import adopt
from trader_core.engine.cycle import run_cycle
from trader_core.engine.inputs import Recorder, Shelf
from trader_core.engine.journal import Journal
from trader_core.kill.sales import Sale
from trader_core.ledger.fold import apply
from trader_core.ledger.integers import step, to_state
from trader_core.ports import Ports, VenueTrader
from trader_core.settings.schema import Settings
from trader_core.store.memory import MemoryStore


class PowerCut(Exception):
    """Nobody catches it."""


@dataclass(frozen=True)
class Cut:
    """A venue's trader in a machine that dies as the first order leaves."""

    trader: VenueTrader

    def payload(self, client_order_id: str, order: ApprovedOrder) -> str:
        return self.trader.payload(client_order_id, order)

    def place(self, client_order_id: str, order: ApprovedOrder, payload: str) -> OrderReport:
        raise PowerCut

    def cancel(self, order: object) -> OrderReport:
        raise PowerCut


def run(ports: Ports, settings: Settings, journal: Journal) -> None:
    while (now := ports.clock.next_decision_ms(journal.book.decided_ms)) is not None:
        run_cycle(ports, settings, journal, now)


def test_a_cycle_that_was_cut_as_its_order_left_decides_nothing_anew() -> None:
    source, settings = lively(1), policy(**LIVELY, policy__orders__maker_ttl_bars=0)
    with world(source, settings, START, START + CYCLES * BAR_MS) as paper:
        ports, journal = paper.ports, paper.journal
        assert ports.trader
        dying = replace(ports, trader=Cut(ports.trader))
        with pytest.raises(PowerCut):
            run(dying, settings, journal)
        now = journal.book.decided_ms
        opened = Journal(ports.store)
        assert opened.book == journal.book
        before = list(ports.store.facts())
        run_cycle(ports, settings, opened, EpochMs(now))
        after = list(ports.store.facts())[len(before) :]
        assert not [one for one in after if isinstance(one, (Decided, Intended))], "it was decided, and once"
        assert opened.book.cycles == journal.book.cycles + 1
        run_cycle(ports, settings, opened, EpochMs(now + BAR_MS))
        assert opened.book.decided_ms == now + BAR_MS


def test_what_is_told_of_an_order_that_nobody_knows_changes_nothing() -> None:
    book = told(flow(1_000))
    at_ms = EpochMs(START)
    for fact in (Resent("nobody", at_ms), Acknowledged("nobody", at_ms), Leaving("nobody", at_ms, at_ms)):
        assert apply(book, fact).orders == {}


def test_an_order_sent_once_more_is_counted_and_reserves_no_more() -> None:
    buy = approved(FOUR[2], Role.STOP, 100, 5_000, OrderKind.STOP)
    book = told(flow(1_000), Intended("s", buy, EpochMs(START)))
    state = to_state(book, AXES)
    step(state, Resent("s", EpochMs(START)), book, AXES)
    again = apply(book, Resent("s", EpochMs(START)))
    assert [again.orders["s"].sends, book.orders["s"].sends] == [2, 1]
    assert_one_truth(state, again)


def test_a_highest_bid_of_what_is_not_held_any_more_is_nobody_s() -> None:
    """It was marked before the sale was told."""
    late = Marked(EpochMs(START), Quote(Decimal(1_000)), (Peak(FOUR[2].symbol, Decimal(500)),))
    book = told(flow(1_000), late)
    assert book.holdings.get(FOUR[2].symbol) is None or book.holdings[FOUR[2].symbol].peak == 0
    assert isinstance(book, Book) and not to_state(book, AXES).peak.any()


def test_a_sale_of_a_kill_is_taken_over_once() -> None:
    """A second process that has read the same list of sales adds nothing."""
    journal = Journal(MemoryStore())
    journal.record(EpochMs(START), [flow(1_000)])
    sale = Sale("k-1", FOUR[2].symbol, "2", "10", "{}", START)
    for _ in range(2):
        adopt(journal, [sale], EpochMs(START))
    assert list(journal.book.orders) == ["k-1"] and journal.book.orders["k-1"].sends == 2


def test_a_window_that_lies_beyond_all_that_was_told_is_told_whole() -> None:
    """A process that stood still for longer than its window."""
    close = np.arange(100, 100 + 3 * 40, dtype=np.int64)[:, None]
    whole = frame(close, symbols=("BTC-USD",))
    early, late = (whole.part(first, first + 40) for first in (0, 80))
    recorder = Recorder(lambda symbol, since_ms, until_ms: ())
    assert len(recorder.news(early)) == 40
    recorder.written()
    assert recorder.news(late) == Recorder(lambda symbol, since_ms, until_ms: ()).news(late)
    assert [one[5] for one in recorder.news(late)] == close[80:, 0].tolist()


def test_a_shelf_of_candles_grows_and_keeps_what_it_was_told() -> None:
    shelf, rows = Shelf(int(START), BAR_MS), (0, 1_023, 1_024, 5_000)
    for row in rows:
        shelf.put([Bar("BTC-USD", int(START) + row * BAR_MS, 10 + row, 30 + row, 5 + row, 20 + row, 7)])
    frame = shelf.frame(("BTC-USD", "ETH-USD"), int(START), 5_001)
    assert frame.present.nonzero()[0].tolist() == list(rows) and not frame.present[:, 1].any()
    assert frame.close[list(rows), 0].tolist() == [20 + row for row in rows]
    assert frame.close[2, 0] == 0
