"""The halt machine through the whole program: what trips it, what a trip does, what survives, and the ways back.

V1 to V8 are the vectors of the specification.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Done, Program
from tests.scenarios.scenes import DIP, RISE, STOPPED
from tests.tampering import altered
from tests.world import BAR_MS, START, Series, World, at, outcomes, sent
from trader_core.domain.clocktime import MINUTE_MS, EpochMs, parse_utc, rfc3339
from trader_core.domain.errors import JournalBroken, StateUnusable
from trader_core.domain.facts import (
    Acknowledged,
    CycleClosed,
    Fact,
    HaltChanged,
    HaltReset,
    Intended,
    Marked,
    SendFailed,
)
from trader_core.domain.halt import HaltState
from trader_core.domain.order import Role

WHY = "the drill is over and done"
NOW = EpochMs(parse_utc(START) + 4 * BAR_MS)


def command(world: World, *words: str) -> Done:
    return Program(world.root)(*words, "--state", world.state, "--config", world.config, "--mode", "PAPER", "--json")


def reset(world: World, *words: str) -> Done:
    return command(world, "halt", "reset", "--user", "me", "--reason", WHY, *words)


def shown(world: World) -> dict[str, Any]:
    return command(world, "halt", "show").data


def lost(tmp_path: Path, restarts: bool = False, **edits: Any) -> World:
    """BTC is stopped out at a quarter percent of the account; ETH and SOL rise one and two hours later."""
    world = World(tmp_path, restarts=restarts).market(
        BTC=(*STOPPED, *[80] * 11), ETH=(*[100] * 10, 102, 104, *[104] * 8), SOL=(*[100] * 16, 102, 104, 106, 106)
    )
    return world.configured(**{"policy__halt__max_day_loss_pct": 0.2} | edits)


def moves(facts: list[Fact]) -> list[str]:
    return [one.halt.state.value for one in facts if isinstance(one, HaltChanged | HaltReset)]


# --- V1, V4: what trips is on disk first, survives, and is explained --------------------------------------------------


@pytest.mark.parametrize("restarts", [False, True])
def test_a_day_s_loss_trips_and_nothing_enters_until_a_person_says_so(restarts: bool, tmp_path: Path) -> None:
    world = lost(tmp_path, restarts)
    reports = world.run()
    assert reports[-1].book.halt.state is HaltState.TRIPPED
    assert "HALTED" in outcomes(reports, "ETH-USD") and "OK" not in outcomes(reports, "ETH-USD")
    (cause,) = reports[-1].book.halt.causes
    assert (cause.name, cause.limit, cause.unit) == ("day_loss", 0.2, "pct") and 0.2 <= (cause.value or 0) < 0.3
    assert moves(world.facts()) == ["TRIPPED"]
    refused = next(n for n, one in enumerate(outcomes(reports, "ETH-USD"), 1) if one == "HALTED")
    why = world.why(refused, "ETH-USD")
    assert (why.outcome, "loss of the day" in why.detail) == ("HALTED", True)
    assert shown(world)["causes"][0]["name"] == "day_loss"


def test_a_trip_is_on_disk_before_anything_that_follows_from_it(tmp_path: Path) -> None:
    """V1's order: marked, tripped, and only then what the trip makes of orders."""
    world = lost(tmp_path, policy__halt__on_trip="flatten", policy__halt__max_open_loss_pct=0.05)
    world.run()
    facts = world.facts()
    at_trip = next(n for n, one in enumerate(facts) if isinstance(one, HaltChanged))
    assert isinstance(facts[at_trip - 1], Marked)
    following = facts[at_trip + 1 :]
    assert not [one for one in facts[:at_trip] if isinstance(one, Intended) and one.approved.reason == "trip"]
    assert next(one for one in following if isinstance(one, CycleClosed))


@pytest.mark.parametrize(
    ("on_trip", "rests", "held"), [("hold", True, True), ("cancel", False, True), ("flatten", False, False)]
)
def test_what_a_trip_does_to_orders_and_positions(on_trip: str, rests: bool, held: bool, tmp_path: Path) -> None:
    """SOL is held and an entry of ETH rests when BTC's stop trips the machine; in the next cycle it is done."""
    rests_below: Series = (*[100.0] * 5, 102, 110, 110, 110, 110)
    world = World(tmp_path).market(
        BTC=(*STOPPED, 80, 80), ETH=rests_below, SOL=(*RISE[:6], DIP, 103, 103.5, 104),
    ).configured(
        policy__halt__max_day_loss_pct=0.2, policy__orders__maker_ttl_bars=50, policy__halt__on_trip=on_trip,
    )  # fmt: skip
    reports = world.run()
    book = reports[-1].book
    assert book.halt.state is HaltState.TRIPPED
    assert (book.working("ETH-USD", Role.ENTRY) is not None, "SOL-USD" in book.held) == (rests, held)
    assert (("SOL-USD", "EXIT", "trip") in sent(reports)) == (not held)
    assert book.working("SOL-USD", Role.STOP) if held else book.exits["SOL"].reason == "trip"


def test_a_flatten_sells_all_of_what_has_gained_enough_for_a_part_of_it(tmp_path: Path) -> None:
    """Of SOL a part falls due in the very bar in which BTC's stop trips the machine."""
    world = World(tmp_path).market(BTC=(*STOPPED, 80, 80), SOL=(*RISE[:6], DIP, 110, 110, 110)).configured(
        policy__halt__max_stop_hits=1, policy__halt__on_trip="flatten", policy__exits__partial_target_pct=5,
    )  # fmt: skip
    reports = world.run()
    sales = [one for one in sent(reports) if one[:2] == ("SOL-USD", "EXIT")]
    assert reports[-1].book.halt.state is HaltState.TRIPPED
    assert sales == [("SOL-USD", "EXIT", "trip")]


def test_every_cause_is_kept_and_the_first_is_the_headline(tmp_path: Path) -> None:
    """V2: the loser alone counts, although the winner has gained more."""
    world = World(tmp_path).market(
        BTC=(*RISE[:6], DIP, 92, 92, 92), ETH=(*RISE[:6], DIP, 130, 131, 132)
    ).configured(
        strategies__sma_cross__stop_pct=20, policy__halt__max_open_loss_pct=0.2, policy__halt__max_day_loss_pct=0.01,
    )  # fmt: skip
    reports = world.run()
    halt = reports[-1].book.halt
    assert [one.name for one in halt.causes] == ["day_loss", "open_loss"]
    assert halt.trips == 1 and halt.reason.startswith("loss of the day")
    open_loss = halt.causes[1].value or 0
    assert 0.2 <= open_loss < 0.5


# --- V3: failures of the order path -----------------------------------------------------------------------------------


def test_failures_in_a_row_trip_and_one_success_begins_anew(tmp_path: Path) -> None:
    world = World(tmp_path).configured(policy__halt__max_execution_errors=5).market(BTC=[100.0] * 12)
    (first,) = world.run(limit=1)
    failed = SendFailed("o", "no answer", EpochMs(first.decision_ms + 4 * BAR_MS))
    for facts, state in (
        ([failed] * 4, "ARMED"),
        ([Acknowledged("o", NOW)], "ARMED"),
        ([failed], "ARMED"),
        ([failed] * 4, "TRIPPED"),
    ):
        world.tell(*facts)
        assert world.run(limit=1)[-1].book.halt.state == state
    (cause,) = [one.halt.causes[0] for one in world.facts() if isinstance(one, HaltChanged)]
    assert (cause.name, cause.value, cause.limit) == ("execution_errors", 5, 5)


def test_a_failure_that_is_sixteen_minutes_old_does_not_count(tmp_path: Path) -> None:
    for age_min, state in ((15, "TRIPPED"), (16, "ARMED")):
        world = World(tmp_path / str(age_min)).configured(policy__halt__max_execution_errors=5).market(BTC=[100.0] * 8)
        (first,) = world.run(limit=1)
        following = first.decision_ms + BAR_MS
        old = SendFailed("o", "no answer", EpochMs(following - age_min * MINUTE_MS))
        world.tell(old, *[SendFailed("o", "no answer", EpochMs(following))] * 4)
        assert world.run(limit=1)[-1].book.halt.state == state


# --- V5: acknowledged -------------------------------------------------------------------------------------------------


def test_a_cooldown_lasts_to_the_last_millisecond(tmp_path: Path) -> None:
    """Tripped by hand at the first bar's close: with 15 minutes the next cycle is free, with a bar more it is not."""
    for cooldown_min, expected in ((15, "ARMED"), (16, "COOLING_DOWN")):
        world = World(tmp_path / str(cooldown_min)).market(BTC=[100.0] * 9)
        world.configured(policy__halt__cooldown_min=cooldown_min).run(limit=1)
        assert command(world, "halt", "trip", "--reason", "a drill").code == 0
        assert command(world, "halt", "ack").data["state"] == "COOLING_DOWN"
        assert world.run(limit=1)[-1].book.halt.state == expected
        assert world.run(limit=1)[-1].book.halt.state is HaltState.ARMED


def test_the_history_tells_when_each_move_was_made_and_not_when_the_trip_was(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=[100.0] * 9).configured(policy__halt__cooldown_min=45)
    (tripped,) = world.run(limit=1)
    assert command(world, "halt", "trip", "--reason", "a drill").code == 0
    acknowledged = world.run(limit=2)[-1]
    assert command(world, "halt", "ack").code == 0
    (armed,) = world.run(limit=1)
    assert armed.book.halt.state is HaltState.ARMED
    events = command(world, "halt", "history").data["events"]
    assert [(one["state"], one["time"]) for one in events] == [
        ("TRIPPED", rfc3339(tripped.decision_ms)), ("COOLING_DOWN", rfc3339(acknowledged.decision_ms)),
        ("ARMED", rfc3339(armed.decision_ms)),
    ]  # fmt: skip


def test_a_cooldown_is_longer_while_the_breach_holds(tmp_path: Path) -> None:
    world = lost(tmp_path, policy__halt__auto_rearm=True)
    reports = world.run()
    ends = {one.book.halt.until_ms for one in reports if one.book.halt.state is HaltState.COOLING_DOWN}
    assert len(ends) > 3 and reports[-1].book.halt.trips == 1, "the day's loss holds until the day is over"


# --- V6, V7: reset ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        (), ("--reason", WHY), ("--user", "me"), ("--user", " ", "--reason", WHY),
        ("--user", "me", "--reason", "too short"), ("--user", "me", "--reason", WHY),
    ],
)  # fmt: skip
def test_a_reset_without_a_name_a_reason_or_force_changes_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    """The last one has both; the day's loss still holds, and it is not forced."""
    world = lost(tmp_path)
    world.run(until_ms=at(8))
    before = len(world.facts())
    done = command(world, "halt", "reset", *words)
    assert (done.code, len(world.facts())) == (20, before)
    assert "nothing was changed" in done.err
    assert len(words) < 4 or words[1] != "me" or words[3] != WHY or "still holds" in done.err


def test_a_reset_is_kept_with_everything_and_neither_forgets_nor_trips_at_once(tmp_path: Path) -> None:
    world = lost(tmp_path, policy__halt__retrip_step_pct=0.1)
    world.run(until_ms=at(8))
    done = reset(world, "--force")
    assert (done.code, done.data["state"]) == (0, "ARMED")
    fact = next(one for one in world.facts() if isinstance(one, HaltReset))
    assert (fact.user, fact.reason, fact.forced, fact.previous.state) == ("me", WHY, True, HaltState.TRIPPED)
    assert fact.host_user and len(fact.config_digest) == 64
    assert [one.name for one in fact.measures] == [
        "day_loss", "open_loss", "execution_errors", "stop_hits", "feed_age", "naked", "venue_troubles",
    ]  # fmt: skip
    assert fact.halt.seen_day_ppm >= 2_000
    reports = world.run()
    assert "OK" in outcomes(reports, "ETH-USD"), "the loss was seen"
    events = command(world, "halt", "history").data["events"]
    assert [(one["state"], one["by"]) for one in events] == [("TRIPPED", ""), ("ARMED", "me")]
    assert events[0]["causes"][0]["name"] == "day_loss" and events[1]["forced"]


# --- V8: what cannot be read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "failure", "code"),
    [
        ("UPDATE halt SET body = replace(body, 'TRIPPED', 'ARMED')", StateUnusable, 13),
        ("UPDATE journal SET body = replace(body, 'TRIPPED', 'ARMED') WHERE kind = 'halt_changed'", JournalBroken, 61),
    ],
)
def test_a_halt_that_cannot_be_read_lets_nothing_in_and_leaves_the_stops(
    spoil: str, failure: type[Exception], code: int, tmp_path: Path
) -> None:
    """No cycle runs: nothing is bought, and the program sells nothing either. What protects rests at the venue, and
    works there without us."""
    world = lost(tmp_path)
    world.market(BTC=(*RISE[:6], DIP, 103, 103, 90, 90))
    world.run(until_ms=at(8))
    assert command(world, "halt", "trip", "--reason", "a drill").code == 0
    assert stops_at_the_venue(world) == 1
    altered(world.state / "paper.db", spoil)
    with pytest.raises(failure):
        world.run()
    assert reset(world, "--force").code == code
    assert command(world, "halt", "show").code == code
    assert stops_at_the_venue(world) == 1


def stops_at_the_venue(world: World) -> int:
    with closing(sqlite3.connect(world.state / "paper.venue.db")) as venue:
        query = "SELECT count(*) FROM orders WHERE status = 'WORKING' AND trigger_ticks > 0"
        return int(venue.execute(query).fetchone()[0])
