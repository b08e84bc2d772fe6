"""Positions watched: what is left without a strategy's word, at cost or in part, and what is too small to leave."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.program import Inside
from tests.scenarios.limits import broken_even, parted, taken_over
from tests.scenarios.scenes import DIP, RISE, day_stop, day_target
from tests.scenarios.test_exits import fills, orders
from tests.world import START, Bar, World, at, outcomes, sent
from trader_core.domain.clocktime import MINUTE_MS, EpochMs, parse_utc
from trader_core.domain.facts import CoinsMoved
from trader_core.domain.fill import Side
from trader_core.domain.money import Base
from trader_core.domain.order import Role
from trader_core.ledger.fold import fold
from trader_core.report.records import statistics
from trader_core.report.trades import history


@pytest.mark.parametrize(("last", "reason"), [(98.0, "stop"), (105.0, "target"), (98.1, ""), (104.9, "")])
def test_what_nobody_gave_exits_leaves_at_two_percent_below_or_five_above_its_cost(
    last: float, reason: str, tmp_path: Path
) -> None:
    """The bid decides: there is no spread here. Quotes of 98.00 and 105.00 close what was bought at 100."""
    reports, _ = taken_over(World(tmp_path), ((100,) * 6 + (last,)), app__paper__half_spread_bps=0)
    assert {one.trigger for one in orders(reports, Role.STOP)} == {Decimal(98)}
    sold = {one.reason for one in reports[-1].book.exits.values()} | {one.reason for one in orders(reports, Role.EXIT)}
    assert sold == ({reason} if reason else set()), "by its order at the venue, or by ours"


@pytest.mark.parametrize("restarts", [False, True])
def test_a_bid_far_enough_above_cost_lifts_the_stop_to_cost_and_exit_fee(restarts: bool, tmp_path: Path) -> None:
    reports, _ = broken_even(World(tmp_path, restarts=restarts))
    bought, stops = fills(reports, Side.BUY)[0], orders(reports, Role.STOP)
    assert [one.reason for one in stops] == ["stop", "break_even"]
    paid = stops[-1].trigger * stops[-1].quantity * (1 - Decimal("0.012"))
    assert paid >= bought.value > paid - Decimal("0.1"), "cost and a taker's fee, to the tick"
    assert reports[-1].book.exits["BTC"].reason == "break_even"


@pytest.mark.parametrize("restarts", [False, True])
def test_a_part_is_sold_once_and_the_rest_keeps_a_stop_all_the_while(restarts: bool, tmp_path: Path) -> None:
    reports, _ = parted(World(tmp_path, restarts=restarts))
    bought, (part,) = fills(reports, Side.BUY)[0].quantity, orders(reports, Role.EXIT)
    assert (part.reason, part.quantity) == ("partial", bought / 2)
    turn = next(one.decision for one in reports if one.decision and part in one.decision.orders)
    assert [(one.role, one.quantity) for one in turn.orders] == [(Role.EXIT, bought / 2), (Role.STOP, bought / 2)]
    book = reports[-1].book
    stop = book.working("BTC-USD", Role.STOP)
    assert stop and stop.approved.quantity == book.holdings["BTC-USD"].quantity == bought / 2
    assert book.holdings["BTC-USD"].parted


def test_a_part_or_a_rest_that_the_venue_would_not_take_is_not_sold(tmp_path: Path) -> None:
    """A hundredth of three and a half is less than the smallest order of one."""
    world = World(tmp_path).market(BTC=(*RISE[:6], DIP, 106, 108, 110, 110)).configured(
        policy__exits__partial_target_pct=4, policy__exits__partial_share_pct=1, app__paper__cash_quote=1000,
        policy__sizing__min_notional_quote=1,
    )  # fmt: skip
    assert not orders(world.run(), Role.EXIT)


@pytest.mark.parametrize("restarts", [False, True])
def test_dust_is_shown_and_not_tried_again_at_every_pass(restarts: bool, tmp_path: Path) -> None:
    """All but half a dollar of a position is written down; its longest time is over in every cycle after."""
    world = World(tmp_path, restarts=restarts).market(BTC=(*RISE[:6], DIP, *[102.0] * 12))
    world.configured(strategies__sma_cross__max_hold_h=2)
    before = world.run(limit=5)
    held = before[-1].book.holdings["BTC-USD"].quantity
    assert held > 0
    gone = Base(held - Decimal("0.005"))
    world.tell(CoinsMoved("written down", "BTC-USD", Side.SELL, gone, Decimal(102), at(8), "a person"))
    after = world.run()
    assert len(after) > 8 and sent(after) == [], "no stop, and no exit that the venue would refuse"
    assert after[-1].book.dust == {"BTC-USD"}
    program = Inside(tmp_path)
    looked = program("status", "--json", "--state", world.state, "--config", world.config)
    assert looked.data["dust"] == ["BTC-USD"] and looked.data["longest_naked_min"] is None
    assert looked.code == 0, "what the venue takes no order for is not called unprotected"
    shown = program("positions", "--state", world.state, "--config", world.config)
    assert "dust" in shown.out


@pytest.mark.parametrize("restarts", [False, True])
def test_dust_takes_no_slot_from_another(restarts: bool, tmp_path: Path) -> None:
    """There is one. Half a dollar's worth of a purchase is filled, and no more of it is tried; then ether rises."""
    thin = Bar(102, 102.01, 101, 102, volume=0.005)
    late = (*[100.0] * 12, *(100.0 + 2 * n for n in range(1, 5)))
    world = World(tmp_path, restarts=restarts).market(BTC=(*RISE[:6], thin, *[102.0] * 9), ETH=late)
    world.configured(
        policy__risk__max_open_positions=1, policy__orders__maker_max_reprices=0,
        policy__orders__taker_fallback=False, app__paper__max_share_of_volume_pct=100,
    )  # fmt: skip
    reports = world.run()
    left = reports[-1].book.holdings["BTC-USD"].quantity
    assert reports[-1].book.dust == {"BTC-USD"} and left == Decimal("0.005")
    assert {one.symbol for one in orders(reports, Role.ENTRY)} == {"BTC-USD", "ETH-USD"}


def test_how_long_nothing_has_protected_a_position_is_a_figure_of_status(tmp_path: Path) -> None:
    world = (
        World(tmp_path)
        .market(BTC=(100,) * 8)
        .configured(policy__exits__max_naked_min=74, app__paper__cash_quote=10_000)
    )
    world.run(limit=1)
    at_ms = EpochMs(parse_utc(START) - 15 * MINUTE_MS)
    world.tell(CoinsMoved("by hand", "BTC-USD", Side.BUY, Base(Decimal(1)), Decimal(100), at_ms, "a person"))
    looked = Inside(tmp_path)("status", "--json", "--state", world.state, "--config", world.config)
    assert (looked.code, looked.data["longest_naked_min"]) == (42, 75), "bought 75 minutes before the newest cycle"
    world.configured(policy__exits__max_naked_min=75)
    looked = Inside(tmp_path)("status", "--state", world.state, "--config", world.config)
    assert looked.code == 0 and "for 75 min" in looked.out


@pytest.mark.parametrize("scene", [day_stop, day_target], ids=lambda one: one.__name__)
def test_only_the_cautious_profile_has_a_stop_and_a_target_for_a_day(scene: object, tmp_path: Path) -> None:
    other = World(tmp_path / "other", fixed={"policy.profile": "DEFENSIVE"})
    reports, symbol = scene(other)  # type: ignore[operator]
    assert "OK" in outcomes(reports, symbol)
    bought = next(one for one in reports if "OK" in outcomes([one], symbol))
    gates = {one.gate: one.verdict for one in other.why(bought.cycle_id, symbol).gates}
    assert gates["day_stop"] == gates["day_target"] == "NOT_APPLICABLE"


def test_records_are_what_the_ledger_s_closed_positions_say(tmp_path: Path) -> None:
    """One position won by its part and its stop at cost; the book, its statistics and its words agree."""
    world = World(tmp_path)
    world.market(BTC=(*RISE[:6], DIP, 106, 108, 110, 110, 96, 96, 96)).configured(
        policy__exits__partial_target_pct=4, strategies__sma_cross__target_pct=50
    )
    world.run()
    book, (found,) = fold(world.facts()), statistics(history(world.facts()))
    record = book.records["BTC-USD sma_cross"]
    assert (found.symbol, found.strategy, found.trades) == ("BTC-USD", "sma_cross", 1)
    assert (found.won, found.lost) == (record.wins, record.losses)
    assert found.pnl == record.gained - record.lost == book.realised
    assert found.average_r is not None and (found.average_r > 0) == (found.pnl > 0)
    told = Inside(tmp_path)("trades", "--stats", "--state", world.state, "--config", world.config)
    assert told.code == 0 and "sma_cross" in told.out and "profit factor" in told.out
    (figures,) = Inside(tmp_path)("trades", "--stats", "--json", "--state", world.state, "--config", world.config).data[
        "statistics"
    ]
    assert (figures["symbol"], figures["trades"]) == ("BTC-USD", figures["won"] + figures["lost"])
    nothing = Inside(tmp_path)("trades", "--stats", "--since", "1m", "--state", world.state, "--config", world.config)
    assert nothing.out.splitlines()[1].startswith("no position was closed since")
    assert found.expectancy == found.pnl, "of one trade"
