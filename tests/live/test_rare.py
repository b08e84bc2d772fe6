"""What hardly ever happens at a venue, met by the program as it is wired: it says so, and nothing is invented."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.cli.program import Inside
from tests.live.conftest import Stage
from tests.live.stage import Live, now_ms
from tests.live.test_liquidate import RISE, on_paper
from tests.live.test_scenarios import ORDERS, facts, waited
from tests.world import World, at
from trader_core.bootstrap import open_system
from trader_core.domain.account import BalancePage
from trader_core.domain.clocktime import SECOND_MS, rfc3339
from trader_core.domain.errors import StateLocked
from trader_core.domain.facts import CoinsMoved
from trader_core.domain.fill import Side
from trader_core.domain.money import Base
from trader_core.domain.order import Role
from trader_core.domain.values import replace
from trader_core.engine import liquidate as selling
from trader_core.engine.cycle import look, run_cycle
from trader_core.engine.glance import glance
from trader_core.engine.monitor import is_due
from trader_core.engine.reconciling import compare, settle_up
from trader_core.engine.review import judged_again
from trader_core.engine.run import cycles
from trader_core.engine.stages import Stages
from trader_core.hand import liquidated
from trader_core.ops.lock import StateLock
from trader_core.settings.options import Options
from trader_core.venues.wrappers import ReadOnly

NO_FEES = {"kind": "truncated_json", "path": "/transaction_summary"}
DOWN = {"kind": "truncated_json", "method": "GET"}
SLOW = {"kind": "latency", "ms": 2_000, "phase": "after", "method": "POST", "path": ORDERS, "count": 1}
TARGET = {"strategies__sma_cross__stop_pct": 2, "strategies__sma_cross__target_pct": 5}


@pytest.fixture
def bought(stage: Stage) -> Live:
    return holding(stage("BTC", **TARGET))


def holding(live: Live) -> Live:
    live.sim.risen()
    done = live.cycle()
    assert (done.code, done.data["positions"]) == (0, 1), done.err
    return live


@contextmanager
def opened(live: Live) -> Iterator[Any]:
    """The account as the program has it open."""
    with live.at_home(), open_system(Options()) as system:
        yield system


# --- between two cycles ----------------------------------------------------------------------------------------------


def test_a_cycle_is_due_where_something_cannot_wait_and_not_where_nothing_can_be_read(bought: Live) -> None:
    with opened(bought) as system:
        held = system.ports, system.policy, system.journal
        assert not is_due(*held), "nothing has happened"
        bought.sim.price("69000.00")
        assert is_due(*held), "the target is reached"
        bought.sim.fault(DOWN)
        assert not is_due(*held), "nobody knows; the next look comes soon"
        bought.sim.cleared()


def test_a_cycle_is_due_where_the_halt_machine_would_trip_by_the_limits_in_force(bought: Live) -> None:
    """The fee of its purchase is lost already; nobody minds until a person does."""
    with opened(bought) as system:
        held = system.ports, system.policy, system.journal
        assert not is_due(*held)
        tighter = ("policy", "set", "halt.max_day_loss_pct=0.01", "--reason", "a storm", "--mode", "LIVE")
        assert bought.inside(*tighter).code == 0
        assert is_due(*held)


def test_what_was_loosened_ends_at_its_moment_also_between_two_bars(bought: Live) -> None:
    """The decision time is the newest bar's, and by that time it had not ended yet."""
    with opened(bought) as system:
        held = system.ports, system.policy, system.journal
        shared = ("halt.max_day_loss_pct", "--reason", "a storm", "--mode", "LIVE")
        assert bought.inside("policy", "set", f"{shared[0]}=0.01", *shared[1:]).code == 0
        until = now_ms() // SECOND_MS * SECOND_MS + 4 * SECOND_MS
        done = bought.inside("policy", "set", f"{shared[0]}=5", *shared[1:], "--expires", rfc3339(until))
        assert done.code == 0, done.err
        assert not is_due(*held)
        assert waited(lambda: now_ms() > until, 10)
        assert is_due(*held), "it trips by the limit that holds again"


def test_people_are_told_that_a_loosening_is_over_when_it_is_also_between_two_bars(bought: Live) -> None:
    def told() -> list[str]:
        found = bought.inside("alerts", "list", "--json").data["alerts"]
        return [one["what"] for one in found if one["code"] == "limit_loosened" and one["state"] == "open"]

    until = now_ms() // SECOND_MS * SECOND_MS + 4 * SECOND_MS
    loosen = ("policy", "set", "risk.max_open_positions=30", "--reason", "room", "--expires", rfc3339(until))
    done = bought.inside(*loosen)
    assert done.code == 0, done.err
    bought.cycle()
    assert len(told()) == 1
    assert waited(lambda: now_ms() > until, 10)
    bought.cycle()
    assert told() == []


def test_a_cycle_is_due_where_a_stop_never_came_to_the_venue(stage: Stage) -> None:
    """Nothing is news: it was turned away in the cycle that bought."""
    live = stage("BTC")
    live.sim.risen()
    live.sim.fault({"kind": "unauthorized_text", "method": "POST", "path": ORDERS, "side": "SELL"})
    done = live.cycle()
    assert (done.code, done.data["unprotected"]) == (42, ["BTC-USD"]), done.err
    live.sim.cleared()
    with opened(live) as system:
        assert is_due(system.ports, system.policy, system.journal)


def test_before_the_first_cycle_nothing_is_due(stage: Stage) -> None:
    with opened(stage("BTC")) as system:
        assert not is_due(system.ports, system.policy, system.journal)


# --- a journal that cannot be written any more -----------------------------------------------------------------------


def test_a_cycle_that_breaks_off_after_a_purchase_does_not_say_that_nothing_was_sent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trader_core.store.sqlite.BUSY_TIMEOUT_MS", 200)
    live, over = stage("BTC"), Event()
    live.sim.risen()
    live.sim.fault(SLOW)

    def hold() -> None:
        assert waited(lambda: live.sim.state()["orders"], 20)
        with closing(sqlite3.connect(live.journal, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            over.wait(20)

    holder = Thread(target=hold)
    holder.start()
    done = live.cycle()
    over.set()
    holder.join()
    assert done.code == 14 and "database is locked" in done.err
    assert live.checked().venue_orders, "it was bought"
    assert "nothing was sent" not in done.err and "may have been sent" in done.data["error"]["safe"]
    assert "database is locked" in " ".join(told(live)), "nobody asked for this"
    assert live.settled().code == 0
    assert list(live.checked().working.values()) == ["SELL"], "and protected by the next"


def test_a_cycle_that_breaks_off_before_it_wrote_anything_down_says_that_nothing_was_sent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trader_core.store.sqlite.BUSY_TIMEOUT_MS", 200)
    live = stage("BTC")
    live.sim.risen()
    with opened(live) as system, closing(sqlite3.connect(live.journal, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateLocked) as broken:
            next(cycles(system.ports, system.policy, system.journal, lambda: False, 1))
    assert broken.value.safe == "nothing was sent"
    assert not live.sim.state()["orders"]


def told(live: Live) -> list[str]:
    """What broke off, as people are told of it."""
    kept = live.inside("alerts", "list", "--all", "--json").data["alerts"]
    return [one["what"] for one in kept if one["code"] == "exception"]


@pytest.mark.parametrize("words", [("run-cycle",), ("run", "--cycles", "1")])
def test_a_start_beside_another_that_owns_the_account_alarms_nobody(stage: Stage, words: tuple[str, ...]) -> None:
    live = stage("BTC")
    assert live.cycle().code == 0
    with StateLock(live.state / "live.lock"):
        assert live.inside(*words).code == 14
    assert told(live) == []


# --- readings --------------------------------------------------------------------------------------------------------


def test_candles_that_cannot_be_kept_are_a_missing_reading_and_what_is_held_is_cared_for(bought: Live) -> None:
    kept = bought.state / "candles"
    kept.rename(bought.state / "candles.away")
    kept.write_text("not a folder")
    bought.sim.price("69000.00")
    done = bought.cycle()
    assert done.code == 30 and f"{kept}" in done.data["problem"], done.err
    assert list(bought.checked().working.values()) == []
    assert sum(size for size in bought.checked().held.values()) == 0, "sold at its target all the same"


def test_a_venue_that_does_not_even_say_what_it_lists_is_in_trouble_cycle_after_cycle(stage: Stage) -> None:
    """A cycle that decides nothing is counted as well, and the next one that can decides on it."""
    live = stage("BTC", policy__halt__max_venue_troubles=2)
    live.sim.fault({"kind": "truncated_json", "path": "/products$"})
    assert [live.cycle().code for _ in range(2)] == [30, 30]
    live.sim.cleared()
    done = live.cycle()
    assert (done.code, done.data["halt_state"]) == (21, "TRIPPED"), done.err
    assert "venue" in done.data["halt_reason"]


def test_what_filled_last_is_known_though_nothing_more_is_sent_in_this_cycle(bought: Live) -> None:
    """The book is so thin that every pass sells a part; the next cycle may be a bar away."""
    bought.sim.fault({"kind": "partial_fill", "fraction": "0.4", "side": "SELL"})
    bought.sim.price("69000.00")
    done = bought.cycle()
    (left,) = bought.inside("positions", "--json").data["positions"]
    assert Decimal(left["quantity"]) == bought.checked().held["BTC-USD"], done.data
    assert bought.checked().wrong == ()
    bought.sim.cleared()


def test_without_the_fees_no_purchase_is_decided(stage: Stage) -> None:
    live = stage("BTC")
    live.sim.risen()
    live.sim.fault(NO_FEES)
    done = live.cycle()
    assert done.code == 30 and not [one for one in live.truth if one["kind"] == "order"], done.err
    live.sim.cleared()


class Endless(ReadOnly):
    """A list of balances of which there is always one more page."""

    def balances(self, cursor: str) -> BalancePage:
        return replace(self._venue.balances(""), next_cursor=f"{cursor}+")


def test_a_list_that_never_ends_is_told_and_decides_nothing(bought: Live) -> None:
    with opened(bought) as system:
        ports = replace(system.ports, reader=Endless(system.ports.reader))
        report = run_cycle(ports, system.policy, system.journal, system.journal.book.closed_ms + 60_000)
    assert "did not end after" in report.problem and not report.placed


# --- selling everything ----------------------------------------------------------------------------------------------


def test_coins_that_the_venue_does_not_list_cannot_be_sold(bought: Live) -> None:
    done = bought.inside("liquidate", "--asset", "NOSUCH", "--yes", "--json")
    assert (done.code, "NOSUCH cannot be sold for USD: the venue does not list it" in done.err) == (20, True), done.err
    assert bought.inside("positions", "--json").data["positions"], "nothing was sent"


def test_an_account_that_cannot_be_read_at_the_end_is_not_flat_for_sure(bought: Live) -> None:
    def stops() -> bool:
        bought.sim.fault(DOWN)
        return True

    with bought.at_home():
        done = liquidated(Options(), (), None, stops)
    bought.sim.cleared()
    assert not done.is_flat and "the account could not be read at the end" in done.unsure


def test_more_rounds_than_anybody_waits_for_end_it(bought: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selling, "ROUNDS_MAX", 1)
    bought.sim.admin("product", product="BTC-USD", flags={"cancel_only": True})
    with bought.at_home():
        done = liquidated(Options(), (), None, lambda: False)
    assert (done.is_flat, done.stopped) == (False, "1 rounds were not enough")


def test_a_market_that_ends_before_the_sale_has_met_a_bar_is_told(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=RISE[:12]).configured(policy__orders__maker_ttl_bars=0)
    report = world.run(len(RISE[:12]) - 4)[-1]
    assert report.book.held == {"BTC-USD"}
    done = liquidated(world.options(since_ms=None), (), None, lambda: False)
    assert (done.is_flat, done.stopped) == (False, "the market has ended")


def test_on_paper_a_sale_at_a_real_venue_waits_for_the_bar_that_it_meets(stage: Stage) -> None:
    live = stage("BTC", app__paper__holdings={"ETH": 3})
    live.configured(mode="PAPER")
    done = live.inside("liquidate", "--asset", "ETH", "--yes", "--json")
    assert (done.code, done.data["flat"]) == (50, False), done.err
    assert done.data["stopped"] == selling.NEXT_BAR


# --- at the end of a market ------------------------------------------------------------------------------------------


def test_there_is_nothing_to_preview_and_nothing_to_glance_at_where_a_market_has_ended(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=RISE).configured()
    with world.system(since_ms=at(9), until_ms=at(9)) as system:
        assert glance(system.ports, system.policy, system.journal) is None
    world.run()
    own = ("--mode", "PAPER", "--venue", "simulated", "--state", world.state, "--config", world.config)
    done = Inside(tmp_path)("preview", *own, "--data", world.data)
    assert (done.code, "the market has ended: there is no next cycle" in done.err) == (0, True), done.err


# --- account against ledger ------------------------------------------------------------------------------------------


def test_a_deposit_that_no_cycle_has_seen_is_a_flow(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=RISE).configured()
    world.run(3)
    world.move_cash(500)
    done = on_paper(world, "reconcile")
    (found,) = done.data["differences"]
    assert (done.code, found["kind"]) == (40, "flow") and "not in the ledger yet" in found["detail"]


def test_an_order_that_arrived_after_all_is_named_and_its_cash_stays_reserved(stage: Stage) -> None:
    live = stage("BTC", policy__orders__maker_ttl_bars=9)
    live.sim.risen()
    live.sim.fault({"kind": "5xx_after", "path": ORDERS, "count": 1}, {"kind": "list_lag", "ms": 60_000})
    assert live.cycle().code == 41
    live.sim.cleared()
    done = live.inside("reconcile", "--json")
    assert [(one["kind"], "the venue has it" in one["detail"]) for one in done.data["differences"]] == [
        ("lost order", True)
    ], done.err
    done = live.inside("reconcile", "--apply", "--json")
    assert (done.code, done.data["applied"]) == (0, []), done.err


def test_without_a_trader_an_order_that_works_and_is_over_stays(stage: Stage) -> None:
    from tests.live.test_reconcile import _tell

    live = stage("BTC", policy__orders__maker_ttl_bars=9)
    live.sim.risen()
    assert live.cycle().data["placed"] == 1
    (entry,) = live.sim.open_orders()
    name = entry["client_order_id"]
    _tell(live, "closed", [name, "REJECTED", "never arrived", 0])
    with opened(live) as system:
        done = settle_up(replace(system.ports, trader=None), system.journal, system.journal.book.closed_ms, "")
    assert (done.done, done.why_not) == ((), (f"{name} could not be canceled",))


def test_a_ledger_that_breaks_its_own_laws_is_told(bought: Live) -> None:
    with opened(bought) as system:
        at_ms = system.journal.book.closed_ms
        sold = CoinsMoved("too-many", "BTC-USD", Side.SELL, Base(Decimal(9)), Decimal(50_000), at_ms, "a mistake")
        system.journal.record(at_ms, [sold])
        found = compare(system.ports, system.journal, at_ms)
    assert ["sold more than was bought" in one.detail for one in found if one.kind == "ledger"] == [True]


def test_coins_of_two_pairs_are_written_down_once(bought: Live) -> None:
    """The ledger holds more of one coin than the account: what is missing is taken from the first pair alone."""
    with opened(bought) as system:
        at_ms, book = system.journal.book.closed_ms, system.journal.book
        more = CoinsMoved("once-more", "BTC-EUR", Side.BUY, Base(Decimal("0.5")), Decimal(50_000), at_ms, "a mistake")
        system.journal.record(at_ms, [more])
        found = compare(system.ports, system.journal, at_ms)
        assert "missing coins" in [one.kind for one in found]
        done = settle_up(system.ports, system.journal, at_ms, "there never were more")
        assert [one for one in done.done if one.startswith("wrote")] == [
            one for one in done.done if "BTC-EUR down by 0.5 " in one
        ] and done.done
        assert system.journal.book.holdings["BTC-USD"] == book.holdings["BTC-USD"]


def test_a_purchase_that_rests_where_no_order_is_taken_any_more_is_canceled(stage: Stage) -> None:
    live = stage("BTC", policy__orders__maker_ttl_bars=9)
    live.sim.risen()
    assert live.cycle().data["placed"] == 1 and len(live.sim.open_orders()) == 1
    live.sim.admin("product", product="BTC-USD", flags={"cancel_only": True})
    live.cycle()
    assert live.sim.open_orders() == []
    assert live.checked().wrong == ()


# --- judged again ----------------------------------------------------------------------------------------------------


def test_a_purchase_that_waited_does_not_leave_while_the_account_cannot_be_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trader_core.engine.review.FRESH_MS", 500)
    live = stage("BTC", "ETH")
    live.sim.risen("BTC-USD", "ETH-USD")
    live.sim.fault(SLOW)

    def meddle() -> None:
        assert waited(lambda: [one for one in live.truth if one["kind"] == "order"], 20)
        live.sim.fault(SLOW, {"kind": "unauthorized_text", "path": "/fills$"})

    with ThreadPoolExecutor(1) as beside:
        meddling = beside.submit(meddle)
        live.cycle()
        meddling.result()
    live.sim.cleared()
    (why,) = [one[2] for one in facts(live.journal, "closed") if "not sent" in one[2]]
    assert "judged again " in why and "s after it was decided: " in why
    assert [one["product_id"] for one in live.truth if one["kind"] == "order" and one["side"] == "BUY"] == ["BTC-USD"]


def test_for_what_is_not_listed_any_more_there_is_no_place(bought: Live) -> None:
    with opened(bought) as system:
        ports, policy, journal = system.ports, system.policy, system.journal
        now = look(ports, policy, journal, journal.book.closed_ms, Stages()).snapshot
        entry = next(one for one in journal.book.orders.values() if one.approved.role is Role.ENTRY)
        assert judged_again(now, journal.book, policy, entry.approved) != "there is no place for it any more"
        gone = replace(now, instruments=tuple(one for one in now.instruments if one.symbol != "BTC-USD"))
        assert judged_again(gone, journal.book, policy, entry.approved) == "there is no place for it any more"
