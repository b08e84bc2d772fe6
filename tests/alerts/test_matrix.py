"""Every row of the alert matrix: the program gets into that trouble, and a real server is told of it."""

import json
import shlex
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cli.again import typed
from cli.options import Shared
from cli.show import shell
from tests.alerts.receiver import Receiver
from tests.alerts.told import ToldWorld, drained, environment
from tests.cli.program import Inside
from tests.live.stage import BAR_MS, Live, Venue, staged, venue_served, wait_for_room
from tests.ops.ntp import ntp_servers
from tests.scenarios import scenes
from tests.scenarios.scenes import DIP, RISE
from tests.scenarios.test_protection import NoBalances, NoInstruments, Trader
from tests.scenarios.test_strategy_failure import Flawed, divides
from tests.world import START, World, at
from trader_core.alerts.outbox import CYCLE, Outbox, Sample
from trader_core.domain.clocktime import EpochMs, parse_utc
from trader_core.domain.errors import OutcomeUnknown
from trader_core.domain.facts import Fact, HaltChanged, Paused
from trader_core.domain.halt import ARMED, tripped
from trader_core.domain.order import OrderReport, OrderStatus, Role
from trader_core.domain.values import replace
from trader_core.engine.run import cycles
from trader_core.net.breaker import Breakers, Direction
from trader_core.ops.clock import host_ms
from trader_core.policies import Asked, change
from trader_core.ports import Ports
from trader_core.report.alarms import MATRIX, addressed, alarm_of
from trader_core.store.buckets import SharedRows
from trader_core.strategies import STRATEGIES
from trader_core.venues.wrappers import ReadOnly

BOUGHT = (*RISE[:6], DIP)
HOUR_MS = 3_600_000
DRAIN = ("alerts", "drain", "--once", "--state")
Fire = Callable[[World], object]


def kill(world: World) -> None:
    world.market(BTC=RISE).run(limit=1)
    (world.state / "KILL_SWITCH").touch()
    world.run(limit=1)


def halt(world: World) -> None:
    world.market(BTC=RISE).run(limit=1)
    world.tell(HaltChanged(tripped(ARMED, "a drill", EpochMs(parse_utc(START)))))
    world.run(limit=1)


def losing_position(world: World) -> None:
    world.market(BTC=(*BOUGHT, 103, 101)).configured(app__alerts__max_position_loss_pct=0.5).run()


def unprotected(world: World) -> None:
    """The venue takes no stop."""
    world.wired = with_hands(without_stops)
    world.market(BTC=(*BOUGHT, 103)).run()


def with_hands(place: Any) -> Callable[[Ports], Ports]:
    def wired(ports: Ports) -> Ports:
        assert ports.trader
        return replace(ports, trader=Trader(ports.trader, place))

    return wired


def without_stops(inner: Any, name: str, order: Any) -> OrderReport:
    if order.role is Role.STOP:
        return OrderReport(name, OrderStatus.REJECTED, "no stops today", at(8))
    report: OrderReport = inner.place(name, order, "")
    return report


def rejections(world: World) -> None:
    world.configured(app__alerts__min_orders=2)
    unprotected(world)


def unknown_order(world: World) -> None:
    def lost(inner: Any, name: str, order: Any) -> OrderReport:
        raise OutcomeUnknown("the answer is lost")

    world.wired = with_hands(lost)
    world.market(BTC=RISE).run(limit=3)


class Unlisted(ReadOnly):
    """A venue that lists ETH no more."""

    def instruments(self) -> Any:
        return tuple(one for one in super().instruments() if one.symbol != "ETH-USD")

    def knows(self, symbol: str) -> bool:
        return symbol != "ETH-USD" and super().knows(symbol)


def delisting(world: World) -> None:
    world.market(BTC=(*BOUGHT, 103, 103), ETH=(*BOUGHT, 103, 103)).run(limit=5)
    world.wired = lambda ports: replace(ports, reader=Unlisted(ports.reader))
    world.run(limit=1)


def target_hit(world: World) -> None:
    world.market(BTC=(*BOUGHT, 110, 110, 110)).configured(strategies__sma_cross__target_pct=6).run()


def stop_hit(world: World) -> None:
    world.market(BTC=scenes.STOPPED).run()


def unreadable(world: World) -> None:
    world.wired = lambda ports: replace(ports, reader=NoBalances(ports.reader))
    world.market(BTC=RISE).run(limit=1)


def stale_data(world: World) -> None:
    """It is held, and the venue sends no bars of it any more."""
    world.market(BTC=(*BOUGHT, 103, None, None, None, 103)).run()


def no_trade(world: World) -> None:
    """The averages cross every hour, and BTC is banned."""
    world.market(BTC=(*RISE[:6], 99, 99, 102, 99, 99, 103)).configured(
        app__alerts__no_trade_h=1, universe__never_trade=[], policy__liquidity__max_spread_bps=5
    ).run()


def strategy_failed(world: World) -> None:
    own = STRATEGIES["mean_reversion"]
    STRATEGIES["mean_reversion"] = Flawed(divides, frozenset(range(20)))
    try:
        world.market(BTC=RISE).configured(strategies__mean_reversion__enabled=True).run(limit=2)
    finally:
        STRATEGIES["mean_reversion"] = own


def limit_loosened(world: World) -> None:
    world.market(BTC=RISE).run(limit=1)
    change(world.options(), {"risk.max_day_loss_pct": "4"}, Asked("a drill of an hour", lasts_ms=HOUR_MS))
    world.run(limit=1)


def disk(world: World) -> None:
    world.market(BTC=RISE).configured(app__alerts__min_free_mb=100_000_000).run(limit=1)


def breaker_open(world: World) -> None:
    """Another process has failed five times, two minutes ago."""
    world.market(BTC=RISE).run(limit=1)
    then_ms = host_ms() - 120_000
    with closing(SharedRows(world.state)) as rows:
        breakers = Breakers(rows, lambda: then_ms, lambda: 0.5)
        for _ in range(5):
            breakers.tell(breakers.enter("coinbase data", Direction.ENTRIES, 1.0), well=False)
    world.run(limit=1)


def exception(world: World) -> None:
    """The state is no database any more."""
    world.market(BTC=RISE).run(limit=1)
    (world.state / "paper.db").write_bytes(b"\0" * 4096)
    options = ("--mode", "PAPER", "--venue", "simulated", "--data", world.data)
    assert Inside(world.root)("run-cycle", *options, "--state", world.state, "--config", world.config).code == 13


def reported(world: World) -> None:
    """A unit of the service manager failed."""
    world.market(BTC=RISE).run(limit=1)
    words = ("alerts", "raise", "--subject", "trader.service", "the unit failed")
    assert Inside(world.root)(*words, "--state", world.state, "--config", world.config).code == 0


def cycle_missing(world: World) -> None:
    """An hour ago there was a cycle of the real time, and since then none."""
    world.market(BTC=RISE).run(limit=1)
    later(world.state / "alerts.db", "PAPER", expected=True)


def later(outbox: Path, account: str, by_ms: int = HOUR_MS, **more: bool) -> None:
    """An hour after its newest cycle."""
    with closing(sqlite3.connect(outbox, isolation_level=None)) as db:
        ((text,),) = db.execute("SELECT value FROM rows WHERE key = ?", (f"{CYCLE}{account}",)).fetchall()
        newest = json.loads(text)
        newest |= {"at_ms": newest["at_ms"] - by_ms, **more}
        db.execute("UPDATE rows SET value = ? WHERE key = ?", (json.dumps(newest), f"{CYCLE}{account}"))


ON_PAPER: dict[str, tuple[str, Fire]] = {
    "kill": ("CRITICAL trader PAPER kill", kill),
    "halt": ("CRITICAL trader PAPER halt", halt),
    "day_stop": ("CRITICAL trader PAPER day_stop", scenes.day_loss),
    "week_stop": ("CRITICAL trader PAPER week_stop", scenes.week_loss),
    "drawdown": ("CRITICAL trader PAPER drawdown", scenes.drawdown),
    "losing_position": ("WARNING trader PAPER losing_position BTC-USD", losing_position),
    "unprotected": ("CRITICAL trader PAPER unprotected BTC-USD", unprotected),
    "rejections": ("WARNING trader PAPER rejections", rejections),
    "unknown_order": ("CRITICAL trader PAPER unknown_order BTC-USD", unknown_order),
    "reconcile_break": ("CRITICAL trader PAPER reconcile_break", scenes.unresolved),
    "delisting": ("CRITICAL trader PAPER delisting ETH-USD", delisting),
    "stop_hit": ("WARNING trader PAPER stop_hit BTC-USD", stop_hit),
    "target_hit": ("INFO trader PAPER target_hit BTC-USD", target_hit),
    "unreadable": ("WARNING trader PAPER unreadable", unreadable),
    "stale_data": ("CRITICAL trader PAPER stale_data", stale_data),
    "empty_universe": ("CRITICAL trader PAPER empty_universe", scenes.ineligible),
    "objection": ("WARNING trader PAPER objection", scenes.policy_stale),
    "strategy_failed": ("WARNING trader PAPER strategy_failed mean_reversion", strategy_failed),
    "no_trade": ("WARNING trader PAPER no_trade", no_trade),
    "limit_loosened": ("WARNING trader PAPER limit_loosened policy.risk.max_day_loss_pct", limit_loosened),
    "breaker_open": ("WARNING trader PAPER breaker_open coinbase-data-entries", breaker_open),
    "disk": ("CRITICAL trader PAPER disk", disk),
    "reported": ("CRITICAL trader PAPER reported trader.service", reported),
    "exception": ("WARNING trader PAPER exception", exception),
    "cycle_missing": ("CRITICAL trader PAPER cycle_missing", cycle_missing),
}
LIVE = {
    "api_errors": "WARNING trader LIVE api_errors",
    "clock": "CRITICAL trader LIVE clock",
    "latency": "WARNING trader LIVE latency cycle",
    "secrets_age": "WARNING trader LIVE secrets_age",
}


def test_every_row_is_fired_here() -> None:
    assert {row.code for row in MATRIX} == {*ON_PAPER, *LIVE, "undelivered"}


@pytest.mark.parametrize("code", ON_PAPER)
def test_it_is_told_of(code: str, receiver: Receiver, tmp_path: Path) -> None:
    title, fire = ON_PAPER[code]
    world = ToldWorld(tmp_path)
    fire(world)
    done = world.drained(receiver)
    assert done.code == 0, done.err
    told = [one for one in receiver.took if one["title"].startswith(title)]
    assert told, receiver.titles
    row = next(one for one in MATRIX if one.code == code)
    assert f"already done: {row.done[:20]}" in told[0]["message"] or not row.done
    assert "exposure now: " in told[0]["message"] and "next: " in told[0]["message"]


@pytest.mark.parametrize(
    ("code", "shown"),
    [("rejections", "no stops today"), ("unknown_order", "BTC-USD"), ("halt", "TRIPPED"), ("stop_hit", "BTC-USD")],
)
def test_the_first_of_what_it_says_to_type_shows_what_it_is_about(code: str, shown: str, tmp_path: Path) -> None:
    world = ToldWorld(tmp_path)
    ON_PAPER[code][1](world)
    remedy = next(one["remedy"] for one in listed(world) if one["code"] == code)
    first = shlex.split(remedy.partition(",")[0])
    done = Inside(tmp_path)(*first[1:])
    assert (done.code, shown in done.out) == (0, True), done.out


def test_every_command_of_the_matrix_is_told_with_the_account_that_it_is_about() -> None:
    said, words = Shared(state="/a b", mode="PAPER"), shell({"mode": "PAPER", "state": "/a b"})
    for row in MATRIX:
        (told,) = addressed([alarm_of(row.code, "", "", "BTC-USD")], words)
        assert told.remedy == typed(row.remedy.replace("SYMBOL", "BTC-USD"), said)
        assert told.remedy.count("--state '/a b'") == row.remedy.count("trader ")


def test_of_a_stop_that_may_be_gone_no_alert_says_that_it_rests(tmp_path: Path) -> None:
    """The venue takes no stop; and after `kill --flatten` and `kill --all` there is none."""
    naked, killed = ToldWorld(tmp_path / "naked"), ToldWorld(tmp_path / "killed")
    naked.configured(app__alerts__max_position_loss_pct=0.5)
    naked.wired = with_hands(without_stops)
    naked.market(BTC=(*BOUGHT, 103, 101)).run()
    kill(killed)
    done = {one["code"]: one["done"] for world in (naked, killed) for one in listed(world)}
    assert done.keys() >= {"losing_position", "unprotected", "kill"}
    assert "rests" not in done["losing_position"]
    assert "but for --flatten and --all" in done["kill"]


def listed(world: World) -> list[dict[str, Any]]:
    """Every alert that there was, as `alerts list` tells it."""
    done = Inside(world.root)("alerts", "list", "--all", "--state", world.state, "--json")
    found: list[dict[str, Any]] = done.data["alerts"]
    return found


def test_old_quotes_of_what_is_held_are_told_of_also_where_it_may_not_be_bought_any_more(tmp_path: Path) -> None:
    """What is excluded comes to no gate, and its age is judged by none."""
    world = ToldWorld(tmp_path)
    world.market(BTC=(*BOUGHT, 103, None, None, None, 103)).run(limit=5)
    assert not any("held of these" in one["what"] for one in listed(world))
    world.configured(universe__tiers__tier_1_core__bases=["ETH"]).run()
    (told,) = (one for one in listed(world) if "held of these: BTC-USD" in one["what"])
    assert (told["code"], told["severity"]) == ("stale_data", "CRITICAL")


def test_a_loosening_is_told_of_by_what_is_left_of_it_and_is_over_with_that(receiver: Receiver, tmp_path: Path) -> None:
    """3 are written; 4 are allowed for an hour, then 3.5, then 2. Version 3 takes from it."""
    world = ToldWorld(tmp_path)
    limit_loosened(world)
    told = list[str]()
    for value in ("3.5", "2"):
        change(world.options(), {"risk.max_day_loss_pct": value}, Asked("a little less"))
        world.run(limit=1)
        assert world.drained(receiver).code == 0
        done = Inside(tmp_path)("alerts", "list", "--state", world.state, "--json").data["alerts"]
        told += [one["what"] for one in done if one["code"] == "limit_loosened" and one["state"] == "open"]
    assert told == ["policy.risk.max_day_loss_pct=3.5 is looser than it will be again, by version 3 of the policy"]
    assert receiver.titles[-1].startswith("OVER WARNING trader PAPER limit_loosened")


def test_an_account_on_paper_that_the_files_have_left_is_not_expected_to_go_on(
    receiver: Receiver, tmp_path: Path
) -> None:
    """A timer's cycles go where the files say, and have moved on to real money."""
    world = ToldWorld(tmp_path)
    world.configured(app__mode="PAPER")
    cycle_missing(world)
    world.configured(app__mode="LIVE")
    assert world.drained(receiver).code == 0
    assert receiver.titles == []
    world.configured(app__mode="PAPER")
    assert world.drained(receiver).code == 0
    assert receiver.titles == ["CRITICAL trader PAPER cycle_missing"]


def test_a_loop_that_ended_before_the_clock_was_set_back_is_missed(receiver: Receiver, tmp_path: Path) -> None:
    """Its newest cycle is of a time to come, and nobody waits until that is there."""
    world = ToldWorld(tmp_path)
    world.market(BTC=RISE).run(limit=1)
    later(world.state / "alerts.db", "PAPER", by_ms=-HOUR_MS, expected=True)
    assert world.drained(receiver).code == 0
    assert receiver.titles == ["CRITICAL trader PAPER cycle_missing"]


def test_failures_of_before_the_clock_was_set_back_are_not_counted_as_of_now(
    receiver: Receiver, tmp_path: Path
) -> None:  # fmt: skip
    """Else one failure would be many, until the time is there at which they were noted."""
    world, outbox = ToldWorld(tmp_path), Outbox(tmp_path / "state")
    outbox.count("PAPER", {"exceptions": Sample(99, 99)}, host_ms() + HOUR_MS)
    outbox.close()
    world.configured(app__mode="PAPER")
    exception(world)
    assert world.drained(receiver).code == 0
    assert "WARNING trader PAPER exception" in receiver.titles


def test_what_is_reported_is_of_the_account_that_had_the_newest_cycle(receiver: Receiver, tmp_path: Path) -> None:
    """Of two accounts in one directory the one is a rehearsal, and over."""
    world = ToldWorld(tmp_path)
    world.market(BTC=RISE).run(limit=1)
    files = ("--state", world.state, "--config", world.config)
    other = ("--mode", "DRY_RUN", "--venue", "simulated", "--data", world.data)
    assert Inside(tmp_path)("run-cycle", *other, *files).code == 0
    assert Inside(tmp_path)("alerts", "raise", "--subject", "trader.service", "the unit failed", *files).code == 0
    assert world.drained(receiver).code == 0
    assert receiver.titles == ["CRITICAL trader DRY_RUN reported trader.service"]


def test_a_channel_that_takes_nothing_is_told_of_to_the_others(receiver: Receiver, tmp_path: Path) -> None:
    world = ToldWorld(tmp_path)
    kill(world)
    dead = "json://127.0.0.1:1/nobody-listens-here"
    urls = f"{receiver.url} {dead}"
    for _ in range(2):
        with environment(TRADER_ALERT_URLS=urls):
            assert Inside(tmp_path)(*DRAIN, world.state, "--config", world.config).code == 70
        with closing(sqlite3.connect(world.state / "alerts.db", isolation_level=None)) as db:
            db.execute("UPDATE notices SET made_ms = made_ms - ?", (HOUR_MS,))
            db.execute("UPDATE deliveries SET next_ms = 0")
    assert [one.partition(" json-")[0] for one in receiver.titles[1:]] == ["WARNING trader undelivered"]


def test_a_cycle_that_sees_nothing_calls_nothing_over_that_it_would_have_seen(
    receiver: Receiver, tmp_path: Path
) -> None:
    world = ToldWorld(tmp_path)
    world.market(BTC=RISE).configured(universe__tiers__tier_1_core__min_day_volume_quote=10_000_000_000).run(limit=1)
    world.wired = lambda ports: replace(ports, reader=NoInstruments(ports.reader))
    world.run(limit=1)
    assert world.drained(receiver).code == 0
    assert receiver.titles == ["CRITICAL trader PAPER empty_universe", "WARNING trader PAPER unreadable"]
    world.wired = lambda ports: ports
    world.configured(universe__tiers__tier_1_core__min_day_volume_quote=0).run(limit=1)
    assert world.drained(receiver).code == 0
    assert sorted(receiver.titles[2:]) == [
        "OVER CRITICAL trader PAPER empty_universe", "OVER WARNING trader PAPER unreadable",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "closed", [Paused("lunch", EpochMs(parse_utc(START))), HaltChanged(tripped(ARMED, "a drill", parse_utc(START)))]
)
def test_an_empty_universe_is_not_over_because_a_person_closed_entries(
    closed: Fact, receiver: Receiver, tmp_path: Path
) -> None:
    world = ToldWorld(tmp_path)
    world.market(BTC=RISE).configured(universe__tiers__tier_1_core__min_day_volume_quote=10_000_000_000)
    world.run(limit=1)
    world.tell(closed)
    later = world.run()
    outcomes = {one.outcome for report in later if report.decision for one in report.decision.judgements}
    assert outcomes & {"PAUSED", "HALTED"}, "an entry was proposed, and refused before its volume was"
    assert world.drained(receiver).code == 0
    told = [title for title in receiver.titles if "empty_universe" in title]
    assert told == ["CRITICAL trader PAPER empty_universe"]


def test_an_event_that_could_not_be_written_down_is_told_as_soon_as_it_can(receiver: Receiver, tmp_path: Path) -> None:
    world = ToldWorld(tmp_path)
    world.market(BTC=scenes.STOPPED).configured()
    with world.system() as system:
        running = cycles(
            system.ports, system.policy, system.journal, lambda: False, None, system.telling.cycle
        )  # fmt: skip
        next(running)
        with closing(sqlite3.connect(world.state / "alerts.db", isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            assert [one.book.closed_ms for one in running], "the cycles go on"
            assert "the alerts could not be told" in system.telling.problem
        system.telling.ended()
        assert system.telling.problem == ""
    assert world.drained(receiver).code == 0
    assert "WARNING trader PAPER stop_hit BTC-USD" in receiver.titles


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A live account for which everything goes wrong at once: the venue fails and is slow, and so are the clocks."""
    folder = tmp_path_factory.mktemp("live")
    with venue_served(folder) as venue, ntp_servers(900, 900, 900) as servers:
        for server in servers:
            server.skew_ms = 0
        home = folder / "home"
        home.mkdir()
        live: Live = staged(
            home, venue, servers, app__alerts__max_cycle_s=1, app__alerts__max_api_errors_pct=0,
            app__alerts__min_api_calls=1, app__secrets__warn_age_days=0,
        )  # fmt: skip
        worry(live, venue)
        yield live


def worry(live: Live, venue: Venue) -> None:
    for server in live.servers:
        server.skew_ms = 900
    (live.state / "clock.json").unlink()
    slow = {"kind": "latency", "ms": 1_100, "path": "/accounts", "count": 1}
    venue.fault(slow, {"kind": "5xx_before", "path": "/accounts", "count": 1})
    assert live.cycle().code == 12


@pytest.mark.parametrize("code", LIVE)
def test_it_is_told_of_where_the_venue_is_a_real_one(code: str, troubled: Live, server: Receiver) -> None:
    if not any("LIVE" in one for one in server.titles):
        drained(troubled.home, troubled.state, troubled.config, server)
    assert any(one.startswith(LIVE[code]) for one in server.titles), server.titles


def test_a_machine_whose_clock_is_behind_the_venue_misses_its_cycles_too(tmp_path: Path, receiver: Receiver) -> None:
    """There a cycle decides at a moment that has yet to come."""
    with venue_served(tmp_path) as venue, ntp_servers(0, 0, 0) as servers:
        (tmp_path / "home").mkdir()
        live: Live = staged(tmp_path / "home", venue, servers)
        wait_for_room(BAR_MS)
        ahead_ms = BAR_MS - host_ms() % BAR_MS + 5_000  # just behind the end of a bar
        venue.fault({"kind": "clock_skew", "ms": ahead_ms})
        live.cycle()
        assert EpochMs(parse_utc(live.inside("status", "--json").data["last_decision_time"])) > host_ms()
        later(live.state / "alerts.db", "LIVE")
        drained(live.home, live.state, live.config, receiver)
        assert "CRITICAL trader LIVE cycle_missing" in receiver.titles


def test_an_empty_universe_is_not_over_because_a_cycle_between_two_bars_asks_for_no_entry(tmp_path: Path) -> None:
    with venue_served(tmp_path) as venue, ntp_servers(0, 0, 0) as servers:
        (tmp_path / "home").mkdir()
        live: Live = staged(
            tmp_path / "home", venue, servers, universe__tiers__tier_1_core__min_day_volume_quote=10**12
        )
        wait_for_room(BAR_MS)
        for _ in range(2):
            assert live.cycle().code == 0
            open_now = live.inside("alerts", "list", "--json").data["alerts"]
            assert [one["code"] for one in open_now] == ["empty_universe"]
