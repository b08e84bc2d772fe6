"""What a person or a trip forbids: no entries, and nothing else. Exits, stops and order care go on."""

import sqlite3
from pathlib import Path
from typing import Any, cast

import pytest

from tests.scenarios.scenes import DIP, NOW, RISE
from tests.world import BAR_MS, START, Series, World, at, outcomes, sent
from trader_core.domain.clocktime import HOUR_MS, EpochMs, parse_utc
from trader_core.domain.facts import BanLifted, Banned, Fact, HaltChanged, Paused, Resumed
from trader_core.domain.halt import ARMED, HaltState, Trading, acknowledged, tripped
from trader_core.domain.order import Role
from trader_core.domain.values import replace
from trader_core.ports import VenueReader

HELD: Series = (*RISE[:6], DIP, 103)  # bought in the seventh bar, held in the eighth
RESTS: Series = (*[100.0] * 7, 102)  # its entry is placed at the eighth bar's close
TRIP = HaltChanged(tripped(ARMED, "a drill", NOW))
LONG = EpochMs(NOW + 1000 * HOUR_MS)
AWAY = {"policy__orders__maker_ttl_bars": 50}


def told_with_an_entry_at_rest(world: World, fact: Fact) -> World:
    """BTC is held with its stop, an entry of ETH rests, SOL has not risen yet; then somebody says so."""
    world.market(BTC=(*HELD, 104, 104, 97, 96), ETH=(*RESTS, 110, 111, 112, 112), SOL=(*[100.0] * 9, 102, 104, 105))
    world.configured(**AWAY).run(until_ms=at(7) + 1)
    world.tell(fact)
    return world


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("fact", "verdict"), [(TRIP, "HALTED"), (Paused("lunch", NOW), "PAUSED")])
def test_entries_are_refused_and_canceled_while_exits_and_stops_go_on(
    fact: Fact, verdict: str, restarts: bool, tmp_path: Path
) -> None:
    world = told_with_an_entry_at_rest(World(tmp_path, restarts=restarts), fact)
    reports = world.run()
    assert reports[0].book.working("ETH-USD", Role.ENTRY) is None, "what would still buy is canceled"
    assert verdict in outcomes(reports, "SOL-USD")
    assert reports[0].book.working("BTC-USD", Role.STOP), "what protects stays"
    assert ("BTC-USD", "EXIT", "signal") in sent(reports)
    assert not [one for one in sent(reports) if one[1] == "ENTRY"]
    assert reports[-1].book.held == frozenset()


def test_a_trip_does_not_go_away_and_a_pause_ends_when_somebody_says_so(tmp_path: Path) -> None:
    later: Series = (*[100.0] * 12, 102, 104)
    for name, fact, over, expected in (
        ("trip", TRIP, None, "HALTED"),
        ("pause", Paused("lunch", NOW), Resumed("back", NOW), "OK"),
    ):
        world = World(tmp_path / name).market(BTC=later)
        world.run(limit=1)
        world.tell(fact)
        world.run(limit=2)
        if over:
            world.tell(over)
        assert expected in outcomes(world.run(), "BTC-USD"), name


def test_an_acknowledged_trip_arms_itself_again_when_its_cooldown_is_over(tmp_path: Path) -> None:
    """Tripped at the fourth bar's close, for an hour: the fifth hour's entry is free again."""
    world = World(tmp_path).market(BTC=RISE, ETH=(*[100.0] * 8, 102, 104))
    (first,) = world.run(limit=1)
    world.tell(HaltChanged(acknowledged(tripped(ARMED, "a drill", first.decision_ms), HOUR_MS, first.decision_ms)))
    reports = world.run()
    assert [one.book.halt.state for one in reports] == [HaltState.COOLING_DOWN] * 3 + [HaltState.ARMED] * 3
    assert outcomes(reports, "BTC-USD")[1] == "HALTED" and outcomes(reports, "ETH-USD")[4] == "OK"
    assert (reports[-1].book.halt.trips, reports[-1].book.halt.resets) == (1, 0)


def test_a_cooldown_is_extended_while_account_and_venue_do_not_agree(tmp_path: Path) -> None:
    """It ends after half an hour, in which money went missing: half an hour more, and again, until it is back."""
    half = HOUR_MS // 2
    world = World(tmp_path).market(BTC=[100.0] * 14).configured(policy__halt__cooldown_min=30)
    (first,) = world.run(limit=1)
    world.tell(HaltChanged(acknowledged(tripped(ARMED, "a drill", first.decision_ms), half, first.decision_ms)))
    move_behind_its_back(world, -1)
    wrong = world.run(limit=5)
    ends = [(one.book.halt.until_ms or 0) - first.decision_ms for one in wrong]
    assert ends == [half, 2 * half, 2 * half, 3 * half, 3 * half]
    move_behind_its_back(world, +1)
    right = world.run()
    assert {one.book.halt.trading for one in wrong} == {Trading.REDUCING}
    assert right[-1].book.halt.state is HaltState.ARMED


class Frozen:
    """A venue one of whose markets takes no order."""

    def __init__(self, reader: VenueReader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def frozen(self) -> frozenset[str]:
        return frozenset({"SOL-USD"})


def test_a_market_that_takes_no_order_keeps_no_cooldown_from_ending(tmp_path: Path) -> None:
    """Nothing of it is held or ordered: every order's fate is known, and account and venue agree."""
    world = World(tmp_path).market(BTC=[100.0] * 14, SOL=[100.0] * 14).configured(policy__halt__cooldown_min=30)
    world.wired = lambda ports: replace(ports, reader=cast(VenueReader, Frozen(ports.reader)))
    (first,) = world.run(limit=1)
    half = HOUR_MS // 2
    world.tell(HaltChanged(acknowledged(tripped(ARMED, "a drill", first.decision_ms), half, first.decision_ms)))
    assert [one.book.halt.state.value for one in world.run(limit=3)] == ["COOLING_DOWN", "ARMED", "ARMED"]


def move_behind_its_back(world: World, amount: int) -> None:
    with sqlite3.connect(world.state / "paper.venue.db") as venue:
        venue.execute("UPDATE balances SET available = available + ? WHERE asset = 'USD'", (amount * 10**8,))
    venue.close()


@pytest.mark.parametrize("restarts", [False, True])
def test_a_ban_cancels_what_would_buy_and_leaves_what_is_held_its_exits(restarts: bool, tmp_path: Path) -> None:
    world = told_with_an_entry_at_rest(World(tmp_path, restarts=restarts), Banned("ETH", "an exploit", NOW, LONG))
    world.tell(Banned("BTC", "an exploit", NOW, LONG))
    reports = world.run()
    assert reports[0].book.working("ETH-USD", Role.ENTRY) is None
    assert "OK" in outcomes(reports, "SOL-USD"), "of the others nothing is forbidden"
    assert ("BTC-USD", "EXIT", "signal") in sent(reports)
    assert not reports[-1].book.held & {"BTC-USD", "ETH-USD"}


@pytest.mark.parametrize("lifted", [False, True])
def test_a_ban_is_over_when_its_time_is_or_when_it_is_lifted(lifted: bool, tmp_path: Path) -> None:
    rises_twice: Series = (*RISE[:6], 103, 99, 99, 99, 103, 104)
    world = World(tmp_path).market(BTC=rises_twice)
    world.run(limit=1)
    until = EpochMs(parse_utc(START) + 8 * BAR_MS)
    world.tell(Banned("BTC", "a rumour", NOW, LONG if lifted else until))
    banned = world.run(limit=4)
    if lifted:
        world.tell(BanLifted("BTC", "nothing in it", NOW))
    assert "BANNED" in outcomes(banned, "BTC-USD")
    assert "OK" in outcomes(world.run(), "BTC-USD")
