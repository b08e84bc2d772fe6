"""What an adversary found once, each as it was found: through the whole program, and never again."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from tests.tampering import altered
from tests.world import Bar, Series, World, at, bar_of, outcomes, sent, write_candles
from trader_core.bootstrap import settings_of
from trader_core.desk import archive_paper, open_desk
from trader_core.domain.clocktime import HOUR_MS, EpochMs, parse_utc
from trader_core.domain.errors import ConfigInvalid, GateClosed, StateUnusable, UsageError, VenueUnavailable
from trader_core.domain.facts import Banned, Filled, HaltChanged
from trader_core.domain.fill import Side
from trader_core.domain.halt import tripped
from trader_core.domain.order import ApprovedOrder, Order, OrderReport, Role
from trader_core.domain.values import replace
from trader_core.engine.replay import Replayed, replay
from trader_core.engine.run import cycles
from trader_core.ports import VenueReader, VenueTrader
from trader_core.store.sqlite import SqliteStore
from trader_core.worlds.simulated import source_of

UP = [100, 100, 100, 100, 100, 102]
START = "2024-03-04"


def replayed(world: World, **changed: Any) -> Replayed:
    options = world.options(**changed)
    policy = settings_of(options)
    source = source_of(policy, options)
    return replay(source, policy, options.since_ms or 0, options.until_ms or (source.end_ms or 0))


@pytest.mark.parametrize("winner", ["BTC", "ETH"])
def test_a_gain_at_the_open_does_not_erase_a_loss_of_the_same_bar(winner: str, tmp_path: Path) -> None:
    """The streak goes by instrument in both books, whatever order the venue accepted the orders in."""
    win: Series = [*UP, 102.5, 103, 110, *[109] * 6, 108, 107, 106, 115, 116, 117]
    lose: Series = [*UP, 102.5, 103, 103.5, Bar(103.5, 103.6, 90, 103.5), *[103.6] * 4, 102, 101, 101, 110, 111, 112]
    world = World(tmp_path).market(BTC=win if winner == "BTC" else lose, ETH=lose if winner == "BTC" else win)
    world.configured(
        strategies__sma_cross__target_pct=6,
        policy__pacing__max_losing_streak=1,
        policy__pacing__losing_streak_pause_min=600,
    )
    paper = world.run()
    fast = replayed(world)
    told = [
        (r.decision_ms, j.symbol, j.outcome) for r in paper if r.decision for j in r.decision.judgements
        if j.outcome.isupper()
    ]  # fmt: skip
    assert told[: len(fast.verdicts)] == [(v.decision_ms, v.symbol, v.verdict) for v in fast.verdicts]
    sides = [fact.fill.side for fact in world.facts() if isinstance(fact, Filled)]
    assert sides.count(Side.SELL) >= 2


class DeafToPurchases:
    """A trader whose venue does not answer when a purchase is to be canceled."""

    def __init__(self, trader: VenueTrader) -> None:
        self._trader = trader

    def payload(self, client_order_id: str, order: ApprovedOrder) -> str:
        return self._trader.payload(client_order_id, order)

    def place(self, client_order_id: str, order: ApprovedOrder, payload: str) -> OrderReport:
        return self._trader.place(client_order_id, order, payload)

    def cancel(self, order: Order) -> OrderReport:
        if order.approved.side is Side.BUY:
            raise VenueUnavailable("the cancel timed out")
        return self._trader.cancel(order)


@contextmanager
def deaf(world: World) -> Iterator[Any]:
    with world.system() as system:
        yield replace(system, ports=replace(system.ports, trader=DeafToPurchases(system.ports.trader)))


def test_a_purchase_that_cannot_be_canceled_does_not_cost_a_position_its_stop(tmp_path: Path) -> None:
    """Part of an entry is held, the rest still rests, and a falling average wants to sell."""
    thin = (Bar(102, 102.2, 101, 102, 30), Bar(102, 103, 102, 103, 1), Bar(103, 103, 102.5, 103, 1))
    fall = (Bar(103, 103, 97.5, 98, 1), Bar(98, 98, 60, 60), 60, 60)
    world = World(tmp_path).market(BTC=[*UP, *thin, *fall]).configured(policy__orders__maker_ttl_bars=6)
    with deaf(world) as system:
        reports = list(cycles(system.ports, system.policy, system.journal, lambda: False))
    for report in reports:
        if "BTC-USD" in report.book.held:
            protected = [report.book.working("BTC-USD", role) for role in (Role.STOP, Role.EXIT)]
            assert any(protected), f"naked at {report.decision_ms}"
    sold = [f.fill.price for f in world.facts() if isinstance(f, Filled) and f.fill.side is Side.SELL]
    assert sold[0] > 90, "what was held then is not sold at the bottom of the fall"


class Stutters:
    """A venue that tells each fill twice in one answer."""

    def __init__(self, reader: VenueReader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def fills(self, cursor: str) -> tuple[Filled, ...]:
        return tuple(one for told in self._reader.fills(cursor) for one in (told, told))


def test_a_fill_that_is_told_twice_at_once_is_written_down_once(tmp_path: Path) -> None:
    """Found by `prove sim` with seed 0 and 300 cycles: the ledger counted it once, the journal and the report twice."""
    world = World(tmp_path).market(BTC=[*UP, 102.5, 103, 90, 80, 80])
    world.wired = lambda ports: replace(ports, reader=cast(VenueReader, Stutters(ports.reader)))
    reports = world.run()
    told = [fact.fill.trade_id for fact in world.facts() if isinstance(fact, Filled)]
    assert len(told) == len(set(told)) == sum(len(one.fills) for one in reports) >= 2


def test_a_venue_that_is_silent_is_no_delisting_though_another_pair_has_not_begun(tmp_path: Path) -> None:
    world = World(tmp_path, bar_min=5).market(BTC=[*UP, 103, 104, 105, 106, *[None] * 110, 107, 108, 109, 108, 100, 98])
    rows = [(parse_utc(START) + n * world.bar_ms, bar_of(100, 100)) for n in range(125, 130)]
    write_candles(world.data / "ETH-USD" / "5m.parquet", rows)
    reports = world.configured().run()
    fast = replayed(world)
    assert not reports[-1].book.delisted
    assert [(r.decision_ms, o) for r in reports if r.decision for o in r.decision.orders][: len(fast.orders)] == [
        (placed.decision_ms, placed.order) for placed in fast.orders
    ]


@pytest.mark.parametrize("silent", [0, 1, 3])
def test_a_price_that_is_not_believed_moves_no_mark_and_no_stop(silent: int, tmp_path: Path) -> None:
    """One bar at six times the price, on no volume, while the coin is held and its stop follows; it is the newest price
    for as long as no bar comes after it."""
    absurd = Bar(106, 600, 106, 600, 0.001)
    later = (Bar(107, 107.5, 106.5, 107), 107, 108, 109, 110, 111, 112)
    world = World(tmp_path).market(ETH=[*UP, 103, 104, 105, 106, absurd, *[None] * silent, *later])
    world.configured(
        policy__exits__use_trailing_stop=True,
        policy__exits__trailing_stop_pct=5,
        policy__risk__max_drawdown_pct=10,
        signals__guards__outlier_deviation_pct=10,
        signals__guards__outlier_volume_pct=5,
        strategies__sma_cross__target_pct=900,
    )
    reports = world.run()
    unknown = [report for report in reports if report.decision and report.decision.equity is None]
    assert [report.decision_ms for report in unknown] == [at(10 + n) for n in range(silent + 1)]
    book = reports[-1].book
    assert book.high is not None and book.high < 10_100
    triggers = [order.trigger for report in reports if report.decision for order in report.decision.orders]
    assert max(triggers) < 107, "no stop follows it"


def test_who_stops_one_of_two_accounts_must_say_which(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=[*UP, 103, 103, 103]).configured()
    world.run(limit=1)
    world.run(limit=1, mode="DRY_RUN")
    with pytest.raises(UsageError, match="PAPER"), open_desk(world.options(mode=None)):
        pass
    with open_desk(world.options(mode="PAPER")) as desk:
        assert desk.files.mode == "PAPER"


def test_an_account_without_a_cycle_has_no_time_to_count_a_ban_from(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=UP).configured()
    with world.system():
        pass
    with pytest.raises(GateClosed, match="has not run a cycle"), open_desk(world.options()):
        pass


def test_a_strategy_that_is_switched_off_buys_no_more_not_even_the_rest(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=[*UP, 103, 104, 105, 106]).configured()
    world.run(until_ms=at(6))
    assert [role for _, role, _ in sent(world.run(limit=0))] == []
    world.configured(strategies__sma_cross__enabled=False, strategies__momentum__enabled=True)
    later = world.run()
    assert not [order for order in sent(later) if order[1] == "ENTRY"]
    assert not later[-1].book.held


@pytest.mark.parametrize("quantity", [10**9, 10**11, 10**12])
def test_more_coins_than_can_be_counted_are_more_than_any_cap_allows(quantity: int, tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=[*UP, 103, 104]).configured(app__paper__holdings={"BTC": quantity})
    assert "ASSET_CAP" in outcomes(world.run(), "BTC-USD")


def test_the_account_s_own_currency_is_no_holding(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=UP).configured(app__paper__holdings={"USD": 5})
    with pytest.raises(ConfigInvalid, match=r"paper\.holdings names USD"):
        world.run()


def test_a_later_ban_does_not_shorten_an_earlier_one(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=[100] * 10 + [102, 103, 103]).configured()
    world.run(limit=1)
    for reason, hours in (("exploit", 72), ("again", 1)):
        world.tell(Banned("BTC", reason, at(3), EpochMs(at(3) + hours * HOUR_MS)))
    assert "BANNED" in outcomes(world.run(), "BTC-USD")


def test_a_new_account_is_not_a_way_around_a_halt(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=UP).configured()
    world.run(limit=1)
    with open_desk(world.options()) as desk:
        desk.journal.record(desk.at_ms, [HaltChanged(tripped(desk.journal.book.halt, "a drill", desk.at_ms))])
    with pytest.raises(GateClosed, match="TRIPPED"):
        archive_paper(world.options())


def test_a_first_start_that_is_cut_short_anywhere_can_begin_again(tmp_path: Path) -> None:
    """Between making the tables and saying whose they are."""
    world = World(tmp_path).market(BTC=UP).configured()
    world.state.mkdir()
    SqliteStore(world.state / "paper.db", {}).close()
    altered(world.state / "paper.db", "DELETE FROM journal")
    altered(world.state / "paper.db", "DELETE FROM head")
    with pytest.raises(StateUnusable, match="never begun"), open_desk(world.options()):
        pass
    assert world.run()


def test_a_stop_and_what_completes_its_entry_meet_a_bar_in_the_same_order_in_both_twins(tmp_path: Path) -> None:
    """A repriced maker meets the bar after the stop that protects its first part."""
    thin = Bar(102, 102.01, 101, 102, 30)
    world = World(tmp_path).market(BTC=[*UP, thin, thin, Bar(102, 102.01, 90, 95), 96, 97, 98, 99])
    world.configured(policy__orders__maker_max_reprices=2, app__paper__max_share_of_volume_pct=5)
    paper, fast = world.run(), replayed(world)
    orders = [(r.decision_ms, o) for r in paper if r.decision for o in r.decision.orders]
    assert orders[: len(fast.orders)] == [(placed.decision_ms, placed.order) for placed in fast.orders]
    assert fast.cash == Decimal(paper[-1].book.cash or 0) or len(orders) > len(fast.orders)
