"""What must stay true of a position and an account while things go wrong around them."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.world import BAR_MS, START, Bar, Price, Series, World, at, outcomes, sent
from trader_core.domain.clocktime import EpochMs, parse_utc
from trader_core.domain.errors import OutcomeUnknown, StateUnusable, Unreachable, VenueUnavailable
from trader_core.domain.facts import Closed, Filled, HaltChanged, Intended
from trader_core.domain.fill import Side
from trader_core.domain.market import Candles, TopOfBook
from trader_core.domain.order import ApprovedOrder, Order, OrderReport, OrderStatus, Role
from trader_core.domain.values import replace
from trader_core.engine.cycle import CycleReport
from trader_core.engine.run import cycles
from trader_core.execution.protection import naked_since
from trader_core.ports import VenueTrader
from trader_core.venues.wrappers import ReadOnly

RISE: tuple[Price, ...] = (100, 100, 100, 100, 100, 102)
DIP = Bar(102, 102.01, 101, 102)
HELD: tuple[Price, ...] = (*RISE, DIP, 103)


def fills(world: World, side: Side) -> list[Any]:
    return [fact.fill for fact in world.facts() if isinstance(fact, Filled) and fact.fill.side is side]


def working(report: CycleReport, role: Role) -> list[str]:
    return [o.approved.symbol for o in report.book.orders.values() if o.is_open and o.approved.role is role]


@dataclass
class KillAfter:
    """The kill file appears after so many looks."""

    looks: int

    def kill_requested(self) -> str | None:
        self.looks -= 1
        return "somebody pulled the plug" if self.looks < 0 else None


@dataclass
class Trader:
    """The venue's trader, through hands that may fail it."""

    inner: VenueTrader
    place_with: Callable[[VenueTrader, str, ApprovedOrder], OrderReport]

    def payload(self, client_order_id: str, order: ApprovedOrder) -> str:
        return self.inner.payload(client_order_id, order)

    def place(self, client_order_id: str, order: ApprovedOrder, payload: str) -> OrderReport:
        return self.place_with(self.inner, client_order_id, order)

    def cancel(self, order: Order) -> OrderReport:
        return self.inner.cancel(order)


class NoCandlesOf(ReadOnly):
    """A venue that cannot answer for one symbol."""

    silent = "ETH-USD"

    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles:
        if symbol == self.silent:
            raise VenueUnavailable("no answer")
        return super().candles(symbol, since_ms, until_ms)


class NoQuotes(ReadOnly):
    def quotes(self, symbols: Sequence[str]) -> dict[str, TopOfBook]:
        raise VenueUnavailable("no quotes")


class Ahead(ReadOnly):
    """Quotes that are stamped so many ms after the market's own time."""

    ahead_ms = 5_001

    def quotes(self, symbols: Sequence[str]) -> dict[str, TopOfBook]:
        found = super().quotes(symbols)
        return {name: replace(one, at_ms=EpochMs(one.at_ms + self.ahead_ms)) for name, one in found.items()}


class AlmostAhead(Ahead):
    ahead_ms = 5_000


class NoBalances(ReadOnly):
    def balances(self, cursor: str) -> Any:
        raise VenueUnavailable("no balances")


class NoFills(ReadOnly):
    def fills(self, cursor: str) -> Any:
        raise VenueUnavailable("no fills")


class NoInstruments(ReadOnly):
    def instruments(self) -> Any:
        raise VenueUnavailable("nothing at all")


def run_with(world: World, limit: int | None = None, **ports: Any) -> list[CycleReport]:
    """Cycles with some ports exchanged; a callable is given the port it stands in for."""
    with world.system() as system:
        made = {name: one(getattr(system.ports, name)) if callable(one) else one for name, one in ports.items()}
        return list(cycles(replace(system.ports, **made), system.policy, system.journal, lambda: False, limit))


@pytest.mark.parametrize("looks", range(1, 6))
def test_a_kill_between_any_two_steps_leaves_no_position_without_its_stop(looks: int, tmp_path: Path) -> None:
    """Sold on a signal: the stop gives way to the exit. Whenever the kill comes, one of both is at the venue."""
    world = World(tmp_path).market(BTC=(*HELD, 104, 104, 97, 97, 70, 70))
    bought = world.run(limit=6)
    assert working(bought[-1], Role.STOP) == ["BTC-USD"]
    after = run_with(world, halts=KillAfter(looks))
    assert after[-1].book.held == frozenset(), "the stop or the exit has sold it"


def test_an_exit_that_finds_no_buyer_is_protected_by_its_stop_inside_the_same_bar(tmp_path: Path) -> None:
    gap = Bar(98, 98, 60, 60)
    world = World(tmp_path).market(BTC=(*HELD, 103, 103, gap, 60, 30)).configured(policy__orders__limit_band_bps=1)
    reports = world.run()
    assert ("BTC-USD", "EXIT", "signal") in sent(reports)
    (sold,) = fills(world, Side.SELL)
    assert sold.at_ms == at(10)
    assert 96 < sold.price < 97, "at the stop, five percent below 101.9, not at 60"


@pytest.mark.parametrize(("reader", "is_stale"), [(Ahead, True), (AlmostAhead, False)])
def test_a_quote_from_the_future_buys_nothing(reader: Any, is_stale: bool, tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=(*HELD, 104, 104))
    told = outcomes(run_with(world, reader=reader), "BTC-USD")
    assert ("STALE_DATA" in told, "OK" in told) == (is_stale, not is_stale)


def test_a_quote_from_the_future_still_sells(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=(*HELD, 104, 104, 97, 97))
    assert working(world.run(limit=6)[-1], Role.STOP) == ["BTC-USD"]
    assert ("BTC-USD", "EXIT", "signal") in sent(run_with(world, reader=Ahead))


@pytest.mark.parametrize("blind", [NoCandlesOf, NoQuotes, NoBalances])
def test_a_failed_reading_closes_entries_and_nothing_else(blind: Any, tmp_path: Path) -> None:
    """While one reading fails: no entry, the stop still sells, the fill is folded, and the reason is recorded."""
    world = World(tmp_path).market(BTC=(*HELD, 104, 90, 90, 90), ETH=(*[50] * 7, 52, 54, 56, 58))
    world.run(limit=4)
    reports = run_with(world, reader=blind)
    assert not [order for order in sent(reports) if order[1] == "ENTRY"]
    assert all(report.problem for report in reports)
    refused = [one for report in reports for one in outcomes([report], "ETH-USD")]
    assert set(refused) <= {"UNRESOLVED", "no_signal", "warming_up", "excluded"}
    assert reports[-1].book.held == frozenset()
    assert "UNRESOLVED" in refused or blind is NoCandlesOf


@pytest.mark.parametrize("bars", [1, 4])
def test_an_exit_that_takes_at_once_protects_nothing_when_its_bar_is_over(bars: int, tmp_path: Path) -> None:
    """It is sent, and from then on no fill can be read: nobody knows how much of the position is still there."""
    world = World(tmp_path).market(BTC=(*HELD, 104, 104, 97, 97, 97, 97, 97, 97))
    world.configured(policy__halt__max_venue_troubles=0)
    sold = world.run(limit=8)
    assert sent(sold)[-1] == ("BTC-USD", "EXIT", "signal")
    blind = run_with(world, limit=bars, reader=NoFills)
    assert working(blind[-1], Role.EXIT) == ["BTC-USD"]
    causes = [cause.name for one in world.facts() if isinstance(one, HaltChanged) for cause in one.halt.causes]
    assert causes == (["naked"] if bars == 4 else [])
    assert naked_since(blind[-1].book) == {"BTC-USD": EpochMs(sold[-1].decision_ms + BAR_MS)}


def never_leaves(venue: VenueTrader, client_order_id: str, order: ApprovedOrder) -> OrderReport:
    if order.role is Role.ENTRY:
        return venue.place(client_order_id, order, "")
    raise Unreachable("no route to the venue")


def test_what_never_left_protects_nothing(tmp_path: Path) -> None:
    """Its stop is sent anew in every cycle, and none of them ever stood at the venue."""
    world = World(tmp_path).market(BTC=(*HELD, 104, 104, 105, 106, 107))
    world.configured(policy__halt__max_execution_errors=100)
    reports = run_with(world, trader=lambda inner: Trader(inner, never_leaves))
    opened_ms = reports[-1].book.holdings["BTC-USD"].opened_ms
    assert naked_since(reports[-1].book) == {"BTC-USD": opened_ms}
    causes = [cause.name for one in world.facts() if isinstance(one, HaltChanged) for cause in one.halt.causes]
    assert causes == ["naked"]


def test_a_venue_that_answers_nothing_leaves_a_record_and_the_next_cycle_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=(*HELD, 104, 104, 105))
    world.run(limit=4)
    (blind,) = run_with(world, limit=1, reader=NoInstruments)
    assert blind.decision is None
    assert blind.problem.startswith("the venue does not say what it lists: ")
    assert world.run()[0].cycle_id == blind.cycle_id + 1


def test_an_order_the_venue_has_lost_is_closed_and_its_stop_placed_anew(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=(*HELD, 104, 105, 106, 70))
    world.run(limit=5)
    with sqlite3.connect(world.state / "paper.venue.db") as venue:
        venue.execute("UPDATE balances SET available = available + hold, hold = 0 WHERE asset = 'BTC'")
        venue.execute("DELETE FROM orders WHERE status = 'WORKING'")
    venue.close()
    reports = world.run()
    assert working(reports[0], Role.STOP) == ["BTC-USD"]
    assert any(isinstance(one, Closed) and one.reason == "the venue does not know it" for one in world.facts())
    assert reports[-1].book.held == frozenset()


@pytest.mark.parametrize("arrives", [True, False])
def test_an_order_of_unknown_fate_is_asked_for_and_never_sent_twice(arrives: bool, tmp_path: Path) -> None:
    """The answer to an entry is lost. Whether it arrived or not, there is one order at most, and it is owned."""

    def lost(trader: VenueTrader, client_order_id: str, order: ApprovedOrder) -> OrderReport:
        if arrives:
            trader.place(client_order_id, order, "")
        raise OutcomeUnknown("the line went dead")

    world = World(tmp_path).market(BTC=(*RISE, DIP, 103, 104))
    reports = run_with(world, limit=3, trader=lambda inner: Trader(inner, lost))
    (order,) = reports[-1].book.orders.values()
    assert order.status is OrderStatus.INTENDED
    after = world.run()
    entries = [f for f in world.facts() if isinstance(f, Intended) and f.approved.role is Role.ENTRY]
    assert len(entries) == 1
    assert (after[-1].book.held == {"BTC-USD"}) is arrives
    assert not after[-1].book.discrepancies


def test_what_may_not_be_traded_any_more_is_not_bought_on_and_can_still_be_sold(tmp_path: Path) -> None:
    """A resting entry is canceled, and the rest of a part-filled one is not taken."""
    thin = Bar(102, 102.01, 101, 102, 10)
    world = World(tmp_path).market(BTC=(*RISE, thin, 102.5, 103, 101, 90)).configured(policy__orders__maker_ttl_bars=3)
    world.run(limit=4)
    assert fills(world, Side.BUY)
    world.configured(universe__never_trade=["BTC"], universe__tiers__tier_1_core__bases=["ETH", "SOL"])
    reports = world.run()
    assert len(fills(world, Side.BUY)) == 1
    assert not working(reports[0], Role.ENTRY)
    assert reports[-1].book.held == frozenset(), "sold all the same"


def test_an_entry_does_not_go_on_buying_what_its_stop_has_sold(tmp_path: Path) -> None:
    """A part of the entry was stopped out: the rest is canceled, and the coin rests for its two hours."""
    thin, crash, dip = Bar(102, 102.01, 101, 102, 2), Bar(102, 102.4, 90, 102.4, 2), Bar(102.4, 102.6, 101, 102.6)
    world = (
        World(tmp_path)
        .market(BTC=(*RISE, thin, 102.2, crash, dip, 103, 104))
        .configured(policy__orders__maker_ttl_bars=8)
    )
    world.run()
    (stopped,) = fills(world, Side.SELL)
    assert stopped.at_ms == at(8)
    assert [fill for fill in fills(world, Side.BUY) if fill.at_ms <= stopped.at_ms]
    assert not [fill for fill in fills(world, Side.BUY) if fill.at_ms > stopped.at_ms]


def test_a_jump_in_time_still_meets_every_bar_on_the_way(tmp_path: Path) -> None:
    days = 100
    fall = [90.0] * (96 * days)
    world = World(tmp_path).market(BTC=(*HELD, 104, *fall, *[150.0] * 96))
    world.run(limit=6)
    world.run(since_ms=parse_utc(START) + 96 * days * BAR_MS, limit=2)
    (sold,) = fills(world, Side.SELL)
    assert 96 < sold.price < 97


def test_an_account_set_back_behind_its_venue_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=(*HELD, 104, 105, 106, 107))
    world.run(limit=3)
    kept = (world.state / "paper.db").read_bytes()
    world.run(limit=3)
    (world.state / "paper.db").write_bytes(kept)
    with pytest.raises(StateUnusable, match="ahead of its account"):
        world.run()


def test_candles_appended_while_away_are_traded_from_where_it_stopped(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=[100.0] * 100)
    first = world.run(since_ms=None)
    world.market(BTC=[100.0] * 400)
    second = world.run(since_ms=None)
    assert second[0].decision_ms == first[-1].decision_ms + BAR_MS
    assert len(second) == 300


def test_a_kill_cancels_what_would_buy_and_places_the_stop_that_is_missing(tmp_path: Path) -> None:
    """Half of an entry fills, and the kill comes before its stop: no more is bought, and the stop still goes out."""
    thin = Bar(102, 102.01, 101, 102, 10)
    world = World(tmp_path).market(BTC=(*RISE, thin, 102.2, DIP, 90, 90)).configured(policy__orders__maker_ttl_bars=8)
    world.run(limit=3)
    (world.state / "KILL_SWITCH").touch()
    reports = world.run()
    assert len(fills(world, Side.BUY)) == 1
    assert not working(reports[0], Role.ENTRY)
    assert working(reports[0], Role.STOP) == ["BTC-USD"]
    assert {order[1] for order in sent(reports)} == {"STOP"}
    (sold,) = fills(world, Side.SELL)
    assert 96 < sold.price < 97


def test_a_resting_entry_runs_out_at_the_venue_when_nobody_is_there_to_cancel_it(tmp_path: Path) -> None:
    """The machine is off for a day; the market comes back to the price long after the entry was wanted."""
    away: Series = (*[110.0] * 20, DIP, *[110.0] * 80)
    world = World(tmp_path).market(BTC=(*RISE, 110, *away))
    world.run(limit=3)
    reports = world.run(since_ms=parse_utc(START) + 100 * BAR_MS, limit=1)
    assert not fills(world, Side.BUY)
    assert not working(reports[0], Role.ENTRY)


def test_what_is_held_is_watched_to_the_end_of_its_candles(tmp_path: Path) -> None:
    """Asked for a span that ETH's candles do not reach, an account that holds ETH still sells it."""
    tail: Series = [104.0, 104, *[90.0] * 30]
    world = World(tmp_path).market(BTC=[50.0] * 400, ETH=(*HELD, *tail))
    world.run(until_ms=parse_utc(START) + 8 * BAR_MS)
    reports = world.run(until_ms=parse_utc(START) + 400 * BAR_MS, limit=50)
    assert fills(world, Side.SELL)
    assert reports[-1].book.held == frozenset()


def test_chunks_of_a_run_are_the_run(tmp_path: Path) -> None:
    """A pair whose candles begin inside the span stays excluded, however often the account goes on."""
    rough = [100.0 + (n * 7 % 13) - (n * 3 % 5) for n in range(400)]
    late = (*[None] * 200, *rough[:200])
    whole, parts = World(tmp_path / "whole"), World(tmp_path / "parts")
    for world in (whole, parts):
        world.market(BTC=rough, ETH=(rough[0], *late[1:]))
    once = whole.run(until_ms=parse_utc(START) + 380 * BAR_MS)
    told: list[CycleReport] = []
    while len(told) < len(once):
        told += parts.run(until_ms=parse_utc(START) + 380 * BAR_MS, limit=90)
    assert [report.decision for report in told] == [report.decision for report in once]
    assert sent(once)
