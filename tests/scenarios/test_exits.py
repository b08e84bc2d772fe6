"""How positions end, and how entries are completed or let go: trailing stop, longest hold, repricing, adds."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.scenarios.limits import trailed
from tests.scenarios.scenes import DIP, RISE, adding
from tests.world import START, Bar, Series, World, at, outcomes, sent
from trader_core.domain.clocktime import DAY_MS, HOUR_MS, parse_utc
from trader_core.domain.fill import Fill, Side
from trader_core.domain.order import ApprovedOrder, OrderKind, Role
from trader_core.engine.cycle import CycleReport


def fills(reports: list[CycleReport], side: Side) -> list[Fill]:
    return [told.fill for one in reports for told in one.fills if told.fill.side is side]


def orders(reports: list[CycleReport], role: Role) -> list[ApprovedOrder]:
    return [order for one in reports if one.decision for order in one.decision.orders if order.role is role]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_trailing_stop_follows_the_highest_bid_and_never_goes_back(restarts: bool, tmp_path: Path) -> None:
    """Bids of 101.94, 105.94, 109.94, 107.94: three percent below the highest it stands, and sells inside the bar."""
    reports, _ = trailed(World(tmp_path, restarts=restarts))
    stops = orders(reports, Role.STOP)
    assert [(one.trigger, one.reason) for one in stops] == [
        (Decimal(trigger), "trailing") for trigger in ("98.88", "102.76", "106.64")
    ]
    (sold,) = fills(reports, Side.SELL)
    assert sold.at_ms == at(10) and sold.price == Decimal("106.58"), "less the slippage"
    last = reports[-1].book
    assert (last.exits["BTC"].reason, last.exits["BTC"].won) == ("trailing", True)
    assert last.held == frozenset() and last.pacing.losing_streak == 0


def test_the_stop_that_was_entered_with_stands_where_the_trailing_one_is_lower(tmp_path: Path) -> None:
    world = (
        World(tmp_path)
        .market(BTC=(*RISE[:6], DIP, 101.9, 101, 96))
        .configured(policy__exits__use_trailing_stop=True, policy__exits__trailing_stop_pct=5)
    )
    reports = world.run()
    assert {(one.trigger, one.reason) for one in orders(reports, Role.STOP)} == {(Decimal("96.85"), "stop")}


@pytest.mark.parametrize("restarts", [False, True])
def test_what_was_held_for_its_longest_time_is_sold(restarts: bool, tmp_path: Path) -> None:
    """Bought inside the seventh bar; an hour later its time is up, while the averages would hold on."""
    creep: Series = [102 + n / 10 for n in range(1, 9)]
    world = World(tmp_path, restarts=restarts).market(BTC=(*RISE[:6], DIP, *creep))
    reports = world.configured(strategies__sma_cross__max_hold_h=1).run()
    bought, sold = fills(reports, Side.BUY)[0], fills(reports, Side.SELL)[0]
    (exit_,) = orders(reports, Role.EXIT)
    decided = next(one.decision_ms for one in reports if one.decision and exit_ in one.decision.orders)
    assert (exit_.reason, decided) == ("time", bought.at_ms + HOUR_MS)
    assert sold.at_ms == decided and sold.quantity == bought.quantity


@pytest.mark.parametrize("restarts", [False, True])
def test_an_entry_is_put_at_the_new_bid_so_often_and_then_taken(restarts: bool, tmp_path: Path) -> None:
    world = World(tmp_path, restarts=restarts).market(BTC=(*RISE[:6], 103, 104, 105, 106, 107))
    reports = world.configured(policy__orders__maker_max_reprices=2).run()
    entries = orders(reports, Role.ENTRY)
    assert [(one.reason, one.kind, one.tries) for one in entries] == [
        ("signal", OrderKind.MAKER, 0), ("reprice", OrderKind.MAKER, 1),
        ("reprice", OrderKind.MAKER, 2), ("fallback", OrderKind.TAKER, 3),
    ]  # fmt: skip
    assert [one.limit for one in entries[:3]] == [Decimal("101.94"), Decimal("102.94"), Decimal("103.94")]
    assert sum(fill.quantity for fill in fills(reports, Side.BUY)) == entries[-1].quantity <= entries[0].quantity
    assert reports[-1].book.pacing.day_entries == 1, "what completes an entry is not another one"


def test_what_is_repriced_is_only_the_rest(tmp_path: Path) -> None:
    """Two fifths fill; the new order asks for the other three."""
    thin = Bar(102, 102.01, 101, 102, 14)
    world = World(tmp_path).market(BTC=(*RISE[:6], thin, 103, 104, 105))
    reports = world.configured(policy__orders__maker_max_reprices=1).run()
    first, second, third = orders(reports, Role.ENTRY)
    assert [one.reason for one in (first, second, third)] == ["signal", "reprice", "fallback"]
    filled = fills(reports, Side.BUY)[0].quantity
    assert filled == Decimal("1.4") and second.quantity == third.quantity == first.quantity - filled
    assert reports[-1].book.holdings["BTC-USD"].quantity == first.quantity


@pytest.mark.parametrize("restarts", [False, True])
def test_without_a_fallback_the_rest_is_let_go_and_the_part_is_protected(restarts: bool, tmp_path: Path) -> None:
    thin = Bar(102, 102.01, 101, 102, 14)
    world = World(tmp_path, restarts=restarts).market(BTC=(*RISE[:6], thin, 103, 104, 105))
    reports = world.configured(policy__orders__taker_fallback=False).run()
    assert sent(reports) == [("BTC-USD", "ENTRY", "signal"), ("BTC-USD", "STOP", "stop")]
    book = reports[-1].book
    assert book.holdings["BTC-USD"].quantity == Decimal("1.4")
    assert book.working("BTC-USD", Role.ENTRY) is None
    stop = book.working("BTC-USD", Role.STOP)
    assert stop and stop.approved.quantity == Decimal("1.4")


def test_a_second_add_on_the_same_day_is_refused_and_the_stop_grows_with_the_position(tmp_path: Path) -> None:
    world = World(tmp_path, restarts=True)
    reports, symbol = adding(world, policy__adds__max_per_day=1)
    assert [one for one in outcomes(reports, symbol) if one.isupper()][:3] == ["OK", "OK", "ADDS_PER_DAY"]
    book = reports[-1].book
    assert book.entries["BTC"].adds == 1
    stop = book.working("BTC-USD", Role.STOP)
    assert stop and stop.approved.quantity == book.holdings["BTC-USD"].quantity
    average = book.holdings["BTC-USD"].cost / book.holdings["BTC-USD"].quantity
    assert abs(stop.approved.trigger - average * Decimal("0.92")) < Decimal("0.02"), "below the new average"


def test_the_next_day_allows_another_add(tmp_path: Path) -> None:
    """The position is held over midnight, and the price rises again at one in the morning."""
    overnight = [107.0] * 90
    again = [Bar(107 + n, 109 + n, 106 + n, 108.5 + n) for n in range(4)]
    reports, symbol = adding(World(tmp_path), later=(*overnight, *again), policy__adds__max_per_day=1)
    monday = [one for one in reports if one.decision_ms < parse_utc(START) + DAY_MS]
    judged = [[one for one in outcomes(day, symbol) if one.isupper()] for day in (monday, reports[len(monday) :])]
    assert [day[:3] for day in judged] == [["OK", "OK", "ADDS_PER_DAY"], ["OK", "ADDS_PER_DAY", "ADDS_PER_DAY"]]
    assert [one.reason for one in orders(reports, Role.ENTRY)] == ["signal"] * 3
    assert not orders(reports, Role.EXIT)


def test_adds_keep_their_distance(tmp_path: Path) -> None:
    """Half an hour between them, in a market that would have one each quarter."""
    reports, symbol = adding(World(tmp_path), policy__adds__min_spacing_min=30)
    judged = [one for one in outcomes(reports, symbol) if one.isupper()]
    assert judged == ["OK", "ADD_SPACING", "OK", "ADD_SPACING", "OK", "ADD_SPACING"]
