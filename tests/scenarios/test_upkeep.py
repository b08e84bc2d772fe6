"""What is done with a position beside its own exits: a shut market defers them, what is too large is trimmed, what has
no place is purged, and what stood without a stop for too long halts the machine."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Inside
from tests.scenarios.limits import hand_over, outcast, taken_over, too_large, troubled
from tests.scenarios.test_exits import fills, orders
from tests.world import World, at, sent
from trader_core.domain.clocktime import HOUR_MS, MINUTE_MS, EpochMs
from trader_core.domain.facts import HaltChanged
from trader_core.domain.fill import Side
from trader_core.domain.halt import HaltState
from trader_core.domain.order import Role
from trader_core.engine.cycle import CycleReport

OPENS = 57  # the bar of a quarter of an hour that ends at 09:30 in New York


def decided(reports: list[CycleReport], reason: str) -> list[EpochMs]:
    """When an exit for that reason was decided."""
    return [
        one.decision_ms
        for one in reports
        for order in (one.decision.orders if one.decision else ())
        if (order.role, order.reason) == (Role.EXIT, reason)
    ]


@pytest.mark.parametrize("restarts", [False, True])
def test_an_exit_in_a_shut_market_waits_until_it_opens_and_why_says_so(restarts: bool, tmp_path: Path) -> None:
    """An hour before the open the target is met once, and never again: it is sold at the open all the same."""
    world = World(tmp_path, restarts=restarts).market(BTC=(*[100] * 54, 106, *[101] * 6))
    world.configured(universe__tiers__tier_1_core__asset_class="EQUITY").run(limit=1, since_ms=at(51))
    hand_over(world, at(51))
    reports = world.run()
    assert decided(reports, "target") == [at(OPENS)]
    met = next(one for one in reports if one.decision_ms == at(54))
    assert met.book.holdings["BTC-USD"].deferred == "target"
    for report in (one for one in reports if at(54) <= one.decision_ms < at(OPENS)):
        told = world.why(report.cycle_id, "BTC-USD")
        assert told.outcome in ("exit_deferred", "CALENDAR"), "the strategy wants more of it, and meets the gate"
        assert told.detail == "target: it is sold when its market opens"
    assert world.why(reports[0].cycle_id, "BTC-USD").outcome == "no_signal"
    assert not reports[-1].book.held and reports[-1].book.exits["BTC"].reason == "target"


def test_crypto_never_shuts(tmp_path: Path) -> None:
    reports, _ = taken_over(World(tmp_path), (*[100] * 20, 106, *[101] * 4))
    assert decided(reports, "target") == [at(20)]


def test_a_market_whose_hours_nobody_knows_is_left_at_once(tmp_path: Path) -> None:
    """What is missing refuses an entry, never an exit."""
    edits: dict[str, Any] = {"universe__tiers__tier_1_core__asset_class": "UNKNOWN"}
    assert decided(taken_over(World(tmp_path), (*[100] * 20, 106, *[101] * 4), **edits)[0], "target") == [at(20)]


@pytest.mark.parametrize("restarts", [False, True])
def test_what_stands_above_its_cap_by_more_than_the_band_is_sold_down_to_it_once(
    restarts: bool, tmp_path: Path
) -> None:
    reports, symbol = too_large(World(tmp_path, restarts=restarts))
    assert len(decided(reports, "trim")) == 1, "nothing comes back to be sold again"
    book = reports[-1].book
    assert book.equity is not None
    left = book.holdings[symbol].quantity * 100 / book.equity
    assert Decimal("0.0079") < left < Decimal("0.00801"), "the cap, and what the sale itself has cost"
    stop = book.working(symbol, Role.STOP)
    assert stop and stop.approved.quantity == book.holdings[symbol].quantity


def test_the_band_is_as_wide_as_selling_and_buying_back_would_cost(tmp_path: Path) -> None:
    """Of a cap of 0.96 percent a coin of 0.99 stands three percent above; two taker's fees and the spread are 2.5."""
    edits: dict[str, Any] = {"policy__risk__max_per_asset_pct": 0.96, "policy__exits__trim_above_cap_pct": 0.01}
    assert decided(too_large(World(tmp_path / "dear"), **edits)[0], "trim")
    edits["app__paper__taker_fee_bps"] = 150
    assert not decided(too_large(World(tmp_path / "dearer"), **edits)[0], "trim")


@pytest.mark.parametrize("restarts", [False, True])
def test_what_the_universe_has_no_place_for_is_sold_after_so_long(restarts: bool, tmp_path: Path) -> None:
    world = World(tmp_path, restarts=restarts)
    reports, _ = outcast(world)
    since = reports[0].decision_ms
    assert decided(reports, "purge") == [since + HOUR_MS] and sent(reports)[-1][1:] == ("EXIT", "purge")
    assert not reports[-1].book.held


def test_what_has_a_place_again_in_time_begins_anew(tmp_path: Path) -> None:
    world = World(tmp_path)
    out, symbol = outcast(world, limit=3)
    assert out[-1].book.holdings[symbol].outcast_ms == out[0].decision_ms
    back = world.configured(universe__tiers__tier_1_core__bases=["ETH", "BTC"]).run(limit=1)
    assert back[-1].book.holdings[symbol].outcast_ms == -1
    again = world.configured(universe__tiers__tier_1_core__bases=["ETH"]).run(limit=4)
    assert not decided(again, "purge") and again[-1].book.held


def test_a_position_that_had_no_stop_for_too_long_halts_the_machine(tmp_path: Path) -> None:
    """Half an hour and more, which nothing but a person's coins can do here: the stop is placed, entries are closed."""
    world = World(tmp_path).market(BTC=(100,) * 8, ETH=(*[100] * 5, 102, 104, 106))
    world.configured().run(limit=1)
    hour_ago = EpochMs(at(3) - HOUR_MS)
    hand_over(world, hour_ago)
    after = world.run()
    (trip,) = [one for one in world.facts() if isinstance(one, HaltChanged)]
    assert [(one.name, one.value, one.limit) for one in trip.halt.causes] == [("naked", 75.0, 30.0)]
    assert trip.halt.reason == "time without a stop 75 min of 30 min"
    assert [one.role for one in orders(after, Role.STOP)] == [Role.STOP] and not fills(after, Side.BUY)
    refused = next(one for one in after if one.decision and one.decision.refusals)
    assert world.why(refused.cycle_id, "ETH-USD").outcome == "HALTED"
    shown = Inside(tmp_path)("status", "--json", "--state", world.state, "--config", world.config)
    assert shown.data["halt_state"] == "TRIPPED" and shown.data["longest_naked_min"] is None


def test_within_a_bar_a_position_may_be_without_its_first_stop(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=(100,) * 8).configured(
        policy__exits__max_naked_min=0,
    )  # fmt: skip
    world.run(limit=1)
    bar_ago = EpochMs(at(4) - 15 * MINUTE_MS)
    hand_over(world, bar_ago)
    assert world.run()[-1].book.halt.state is HaltState.ARMED


@pytest.mark.parametrize("restarts", [False, True])
def test_cycle_after_cycle_without_a_whole_reading_halts_the_machine(restarts: bool, tmp_path: Path) -> None:
    world = World(tmp_path, restarts=restarts)
    reports, _ = troubled(world)
    assert [one.book.halt.state for one in reports[:3]] == [HaltState.ARMED, HaltState.ARMED, HaltState.TRIPPED]
    assert reports[-1].book.halt.reason == "cycles in a row that could not read the venue 3 of 3"


def test_one_whole_reading_in_between_begins_anew(tmp_path: Path) -> None:
    world = World(tmp_path)
    limit = {"policy__halt__max_venue_troubles": 3}
    assert troubled(world, limit=2, **limit)[0][-1].book.troubles == 2
    world.wired = lambda ports: ports
    assert world.run(limit=1)[-1].book.troubles == 0
    again = troubled(world, limit=2, **limit)[0][-1].book
    assert (again.troubles, again.halt.state) == (2, HaltState.ARMED)
