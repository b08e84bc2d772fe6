"""T24: a coin's candles end while it is held. Its orders are over, it counts nothing, and everything else goes on."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.scenes import DIP, RISE
from tests.world import BAR_MS, START, Series, World, outcomes
from trader_core.bootstrap import settings_of
from trader_core.domain.clocktime import parse_utc
from trader_core.domain.facts import Closed, Delisted, Intended
from trader_core.domain.fill import Side
from trader_core.domain.market import MARK_BARS
from trader_core.domain.order import Role
from trader_core.engine.cycle import CycleReport
from trader_core.engine.replay import replay
from trader_core.report.status import status
from trader_core.worlds.simulated import source_of

HELD: Series = (*RISE[:6], DIP, 103)
LAST = len(HELD) - 1  # ETH's last bar
GONE = LAST + MARK_BARS  # the bar at whose close it has been silent for so long
CREEP = [103 + n / 100 for n in range(1, 103)]  # BTC is held on, and longer than ETH is listed
LATER: Series = (*CREEP, 101, 100, 99, 99, 99, 102, 104, 104, 105)  # then it is sold, and bought again
SEEN = parse_utc(START) + len(HELD) * BAR_MS
UNTIL = parse_utc(START) + (len(HELD) + len(LATER)) * BAR_MS


@dataclass(frozen=True)
class Story:
    """The account with both coins in it, and what came after ETH's last bar."""

    world: World
    before: list[CycleReport]
    after: list[CycleReport]

    @property
    def gone(self) -> int:
        """The cycle that wrote it off, counted in `after`."""
        return next(n for n, one in enumerate(self.after) if one.book.delisted)


def made(root: Path) -> World:
    """What is written off is lost on that day: a day's limit that bears it lets the other coin be bought again."""
    made = World(root).market(BTC=(*HELD, *LATER), ETH=HELD)
    return made.configured(policy__risk__max_day_loss_pct=50)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """BTC and ETH are bought; then ETH's candles end, and the market goes on without them."""
    world = made(tmp_path_factory.mktemp("delisted"))
    return Story(world, world.run(until_ms=SEEN), world.run(until_ms=UNTIL))


def test_it_is_an_incident_in_the_journal_once(story: Story) -> None:
    assert story.before[-1].book.held == {"BTC-USD", "ETH-USD"}
    told = [fact for fact in story.world.facts() if isinstance(fact, Delisted)]
    assert [(one.symbol, one.at_ms) for one in told] == [("ETH-USD", parse_utc(START) + (GONE + 1) * BAR_MS)]


def test_until_then_it_is_held_at_its_last_price_and_after_that_it_counts_nothing(story: Story) -> None:
    quantity = story.before[-1].book.holdings["ETH-USD"].quantity
    last, first = story.after[story.gone - 1], story.after[story.gone]
    assert {one.book.equity is None for one in story.after} == {False}, "equity is known all the way"
    assert last.book.held == {"BTC-USD", "ETH-USD"}
    assert first.book.held == {"BTC-USD"} and first.book.stranded == {"ETH-USD"}
    assert first.book.holdings["ETH-USD"].quantity == quantity, "the coins are still ours, for a person to deal with"
    rise = first.book.holdings["BTC-USD"].quantity * (first.prices["BTC-USD"] - last.prices["BTC-USD"])
    assert last.book.equity and first.book.equity
    assert first.book.equity - last.book.equity == rise - quantity * 103


def test_its_orders_are_over_and_it_is_never_bought_or_sold_again(story: Story) -> None:
    stop = story.before[-1].book.working("ETH-USD", Role.STOP)
    assert stop
    facts = story.world.facts()
    told = next(one for one in facts if isinstance(one, Closed) and one.client_order_id == stop.client_order_id)
    assert told.reason == "delisted"
    open_orders = [order for order in story.after[-1].book.orders.values() if order.is_open]
    assert "ETH-USD" not in {order.approved.symbol for order in open_orders}
    later = [one for one in facts if isinstance(one, Intended) and one.at_ms > told.at_ms]
    assert later and {one.approved.symbol for one in later} == {"BTC-USD"}


def test_it_is_excluded_with_a_reason_and_named_among_what_a_person_must_sell(story: Story) -> None:
    told = story.world.why(story.after[-1].cycle_id, "ETH")
    assert (told.outcome, told.detail) == ("excluded", "the venue does not list it")
    assert [one.symbol for one in status(story.after[-1].book).open_positions if one.delisted] == ["ETH-USD"]


def test_the_other_coin_is_sold_and_bought_all_the_same(story: Story) -> None:
    after = story.after[story.gone :]
    assert "OK" in outcomes(after, "BTC-USD")
    assert {fill.fill.side for one in after for fill in one.fills} == {Side.BUY, Side.SELL}


def test_what_is_written_off_is_a_loss_of_its_day(tmp_path: Path) -> None:
    """3.5 percent of the account; three are allowed."""
    world = made(tmp_path).configured(policy__risk__max_day_loss_pct=3)
    assert "DAY_LOSS" in outcomes(world.run(until_ms=SEEN) + world.run(until_ms=UNTIL), "BTC-USD")


def test_a_restart_changes_nothing_of_it(story: Story, tmp_path: Path) -> None:
    """A new process for each of the cycles around the delisting."""
    world = made(tmp_path)
    reports = world.run(until_ms=SEEN) + world.run(until_ms=parse_utc(START) + (GONE - 1) * BAR_MS)
    world.restarts = True
    reports += world.run(limit=5, until_ms=UNTIL)
    assert reports[-1].book.delisted
    assert [one.decision for one in reports] == [one.decision for one in (story.before + story.after)[: len(reports)]]


def test_a_coin_that_comes_back_after_it_was_written_off_is_not_touched(tmp_path: Path) -> None:
    """A person has to look at it first: what it is worth now, nobody has said."""
    silence: Series = [None] * (MARK_BARS + 2)
    back: Series = (50, 50, 50, 55, 60, 65)
    length = len(HELD) + len(silence) + len(back)
    world = World(tmp_path).market(BTC=[100.0] * length, ETH=(*HELD, *silence, *back))
    reports = world.run()
    assert reports[-1].book.stranded == {"ETH-USD"} and not reports[-1].book.discrepancies
    gone = next(one.decision_ms for one in reports if one.book.delisted)
    assert not [one for one in world.facts() if isinstance(one, Intended) and one.at_ms >= gone]


def test_a_venue_that_is_silent_for_a_day_delists_nothing_and_the_backtest_agrees(tmp_path: Path) -> None:
    """No pair sends anything; afterwards the position is still there, and so is what protects it."""
    silence: Series = [None] * (MARK_BARS + 8)
    fall: Series = (90, 90, 90, 90)
    quiet = (*[50.0] * len(HELD), *silence, *[50.0] * len(fall))
    world = World(tmp_path).market(BTC=(*HELD, *silence, *fall), ETH=quiet)
    reports = world.run()
    assert not reports[-1].book.delisted and reports[-1].book.held == frozenset()
    options = world.options()
    policy = settings_of(options)
    source = source_of(policy, options)
    told = replay(source, policy, options.since_ms or 0, source.end_ms or 0)
    assert [one.order for one in told.orders] == [f.approved for f in world.facts() if isinstance(f, Intended)]
    assert told.cash == reports[-1].book.cash
