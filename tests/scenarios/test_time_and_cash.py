"""T20: what is counted by the hour, the day and the week is forgotten once, by the calendar. T8: cash that comes and
goes is neither gain nor loss."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.scenarios.scenes import DIP, RISE, STOPPED
from tests.world import BAR_MS, START, Bar, Series, World, at, outcomes
from trader_core.domain.book import Book
from trader_core.domain.clocktime import HOUR_MS, day_index, parse_utc, week_index
from trader_core.domain.facts import CashFlow
from trader_core.engine.cycle import CycleReport

MIDNIGHT = parse_utc(START)  # a Monday
DAY = 96  # bars


def days(count: int, *rises: int, first: float = 100) -> Series:
    """Nothing happens, but that the price rises by two percent in these bars and comes back a little later."""
    series: list[float] = [first] * (count * DAY)
    for bar in rises:
        series[bar : bar + 4] = [first + 2, first + 2, first + 1, first + 1]
    return series


def asked(world: World, *bars: int) -> list[CycleReport]:
    """The cycles of these bars and no others: the machine is off in between."""
    return [one for bar in bars for one in world.run(since_ms=at(bar), until_ms=at(bar) + 1)]


def test_t20_an_hours_entries_are_forgotten_when_the_same_hour_comes_back_a_day_later(tmp_path: Path) -> None:
    """One entry at 01:30. The machine is off for 24 hours, and at 01:30 the hour's name is the same."""
    world = World(tmp_path).market(BTC=days(2, 5, 5 + DAY), ETH=days(2, 6, 6 + DAY))
    world.configured(
        policy__pacing__max_entries_per_cycle=1,
        policy__pacing__max_entries_per_hour=1,
        policy__orders__taker_fallback=False,
    )
    reports = asked(world, 5, 6, 5 + DAY, 6 + DAY)
    assert outcomes(reports, "BTC-USD")[::2] == ["OK", "OK"]
    assert outcomes(reports, "ETH-USD")[1::2] == ["HOUR_ENTRIES", "HOUR_ENTRIES"]
    counted = [(one.book.pacing.hour, one.book.pacing.hour_entries) for one in reports]
    hours = [one.decision_ms // HOUR_MS for one in reports]
    assert counted == [(hour, 1) for hour in hours] and hours[2] - hours[0] == 24


def test_t20_a_days_entries_are_forgotten_at_midnight_once(tmp_path: Path) -> None:
    rises = (88, 93, DAY + 1, DAY + 6)  # at 22:15 and 23:30, and at 00:30 and 01:45
    world = World(tmp_path).market(BTC=days(2, rises[0], rises[2]), ETH=days(2, rises[1], rises[3]))
    world.configured(
        policy__pacing__max_entries_per_cycle=1,
        policy__pacing__max_entries_per_hour=1,
        policy__pacing__max_entries_per_day=1,
        policy__orders__taker_fallback=False,
    )
    reports = asked(world, *rises)
    assert outcomes(reports, "BTC-USD")[::2] == ["OK", "OK"]
    assert outcomes(reports, "ETH-USD")[1::2] == ["DAY_ENTRIES", "DAY_ENTRIES"]
    monday = day_index(MIDNIGHT)
    counted = [(one.book.pacing.day - monday, one.book.pacing.day_entries) for one in reports]
    assert counted == [(0, 1), (0, 1), (1, 1), (1, 1)]


def test_t20_the_day_loss_is_forgotten_at_midnight_once(tmp_path: Path) -> None:
    """A loss closes the day; after a pause over midnight the new day starts from what is left, and keeps that."""
    world = World(tmp_path).market(BTC=(*STOPPED, *[80.0] * 190), ETH=days(2, 9, 20 + DAY, first=50))
    world.configured(policy__risk__max_day_loss_pct=0.2)
    monday = world.run(until_ms=at(9) + 1)
    assert outcomes(monday, "ETH-USD")[-1] == "DAY_LOSS"
    tuesday = asked(world, 5 + DAY, 20 + DAY, 21 + DAY)
    assert {one.book.day for one in tuesday} == {monday[0].book.day + 1}
    assert {one.book.day_open for one in tuesday} == {tuesday[0].book.equity}, "set once, to what is left"
    assert tuesday[0].book.equity != monday[0].book.day_open
    assert outcomes(tuesday, "ETH-USD")[1] == "OK"


@pytest.mark.parametrize("restarts", [False, True])
def test_a_loss_that_closed_the_day_closes_all_of_it_however_prices_recover(restarts: bool, tmp_path: Path) -> None:
    """BTC dips and then earns more than it lost; ETH is refused all the same, and may be bought the next day."""
    dip: Series = (*RISE[:6], DIP, 102, 100.1, 104, 110, 110.1, 110.2, 110.3)
    held: Series = [110.4 + n / 100 for n in range(DAY)]
    rises = (12, DAY + 8)
    world = World(tmp_path, restarts=restarts).market(BTC=(*dip, *held), ETH=days(2, *rises, first=50))
    world.configured(
        policy__risk__max_day_loss_pct=0.06,
        strategies__momentum__enabled=True,
        strategies__momentum__window_h=2,
        strategies__momentum__min_rise_pct=0.5,
        strategies__momentum__min_share_pct=0,
        strategies__sma_cross__enabled=False,
    )
    monday = world.run(until_ms=at(12) + 1)
    book = monday[-1].book
    assert book.equity and book.day_open and book.equity > book.day_open
    assert outcomes(monday, "ETH-USD")[-1] == "DAY_LOSS"
    told = Program(world.root)("status", "--state", world.state, "--config", world.config, "--mode", "PAPER").out
    assert re.search(r"today +\+\d+\.\d\d % \(low -\d+\.\d\d %, limit -0\.06 %\)", told), told
    assert "OK" in outcomes(asked(world, DAY + 6, DAY + 8), "ETH-USD")


def test_t20_the_week_loss_is_forgotten_on_monday_once(tmp_path: Path) -> None:
    """Tuesday is another day of the same week; next Monday is another week."""
    rises = (9, 10 + DAY, 9 + 7 * DAY)
    world = World(tmp_path).market(BTC=(*STOPPED, *[80.0] * (7 * DAY + 20)), ETH=days(8, *rises, first=50))
    world.configured(
        policy__sizing__tier_1_position_pct=7,
        policy__risk__max_day_loss_pct=0.3,
        policy__risk__max_week_loss_pct=0.31,
    )
    monday = world.run(until_ms=at(9) + 1)
    assert outcomes(monday, "ETH-USD")[-1] == "DAY_LOSS"
    tuesday = asked(world, 10 + DAY)
    assert outcomes(tuesday, "ETH-USD") == ["WEEK_LOSS"]
    assert {one.book.week_open for one in monday + tuesday} == {Decimal(10_000)}
    next_week = asked(world, 3 + 7 * DAY, 9 + 7 * DAY, 10 + 7 * DAY)
    assert outcomes(next_week, "ETH-USD")[1] == "OK"
    assert {one.book.week for one in next_week} == {week_index(MIDNIGHT) + 1}
    assert {one.book.week_open for one in next_week} == {next_week[0].book.equity}, "set once"


def test_t20_a_losing_streak_pauses_for_its_time_and_is_not_forgotten_by_a_new_day(tmp_path: Path) -> None:
    """A loss late on Monday: the pause goes on over midnight and ends by itself; the streak stands."""
    quiet = [100.0] * (DAY - 12)
    rises = {"ETH": DAY + 1, "SOL": DAY + 9}
    world = World(tmp_path).market(
        BTC=(*quiet, *STOPPED, *[80.0] * DAY), ETH=days(2, rises["ETH"]), SOL=days(2, rises["SOL"])
    )
    world.configured(policy__pacing__max_losing_streak=1, policy__pacing__losing_streak_pause_min=120)
    reports = world.run(since_ms=at(DAY - 10), until_ms=at(DAY + 10))
    assert "LOSING_STREAK" in outcomes(reports, "ETH-USD")
    assert "OK" in outcomes(reports, "SOL-USD")
    assert reports[-1].book.pacing.losing_streak == 1


def drawdown(book: Book) -> Decimal:
    assert book.high and book.equity is not None
    return (book.high - book.equity) / book.high


@pytest.mark.parametrize("amount", [10_000, -9_000])
def test_t8_cash_that_comes_or_goes_changes_no_loss(amount: int, tmp_path: Path) -> None:
    """A quarter of a percent was lost. It still is, of the day, of the week and of the highest equity."""
    series: Series = (*STOPPED, *[80.0] * 8)
    still, moved = World(tmp_path / "still"), World(tmp_path / "moved")
    for world in (still, moved):
        world.market(BTC=series, ETH=(*[50] * 13, 52, 53))
        world.run(until_ms=at(9) + 1)
    before = still.run(limit=1)[0].book
    moved.move_cash(amount)
    after = moved.run(limit=1)[0].book
    assert after.cash == (before.cash or 0) + amount and after.flows == before.flows + amount
    assert drawdown(before) > Decimal("0.002")
    assert abs(drawdown(after) - drawdown(before)) < Decimal("1e-10")
    for mark in ("day_open", "week_open", "high"):
        was, now = getattr(before, mark), getattr(after, mark)
        assert before.equity and after.equity
        assert abs(now / after.equity - was / before.equity) < Decimal("1e-10"), mark
    assert (after.realised, after.pacing) == (before.realised, before.pacing), "neither gain nor loss"
    assert not after.discrepancies


@pytest.mark.parametrize("amount", [10_000, -9_000])
def test_t8_a_drawdown_that_closed_entries_keeps_them_closed_whatever_is_paid_in_or_out(
    amount: int, tmp_path: Path
) -> None:
    world = World(tmp_path).market(BTC=(*STOPPED, 80, 80, 80, 80), ETH=(*[50] * 11, 52, 53))
    world.configured(policy__risk__max_drawdown_pct=0.2).run(until_ms=at(9))
    world.move_cash(amount)
    reports = world.run()
    assert "DRAWDOWN" in outcomes(reports, "ETH-USD")
    flows = [fact.amount for fact in world.facts() if isinstance(fact, CashFlow)]
    assert flows == [10_000, amount], "each told once"


def test_t8_a_flow_is_booked_once_over_restarts_and_a_position_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path, restarts=True).market(BTC=(*RISE[:6], DIP, 103, 104, 105, 106, 107))
    world.run(limit=5)
    world.move_cash(1_000)
    world.move_cash(-250)
    reports = world.run()
    book = reports[-1].book
    assert book.flows == 10_750 and book.held == {"BTC-USD"} and not book.discrepancies
    assert book.high == max(one.book.equity for one in reports if one.book.equity is not None)


def test_what_was_lost_while_no_price_was_believed_over_midnight_is_a_loss_of_the_day(tmp_path: Path) -> None:
    """BTC has gained a quarter and goes on rising for hours. The bar that ends the day falls on hardly any volume,
    which is not believed; the next one says the same."""
    held: Series = (*[100.0] * 66, *RISE[4:6], DIP, *[130 + n / 10 for n in range(26)])
    thin = Bar(132, 132, 100, 100, 1)
    world = World(tmp_path).market(BTC=(*held, thin, 100, 100)).configured(
        strategies__sma_cross__stop_pct=40, policy__halt__max_day_loss_pct=0.2,
        signals__guards__outlier_deviation_pct=10, signals__guards__outlier_volume_pct=10,
    )  # fmt: skip
    reports = world.run(since_ms=parse_utc(START) + 66 * BAR_MS)
    marks = [one.decision.equity for one in reports if one.decision]
    assert marks[-3] is None and reports[-3].decision_ms == parse_utc(START) + 96 * BAR_MS
    assert [one.book.halt.state.value for one in reports[-3:]] == ["ARMED", "TRIPPED", "TRIPPED"]
