"""What a turn does with orders, number by number: why one is canceled, what one says that is placed, who is bought
first, and who waits."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from tests.laws.budget import examples
from tests.laws.make import BAR_MS
from tests.laws.test_turn import Before, asked, at_bid, eve, held_bitcoin, sold_bitcoin, turned, waiting
from tests.laws.worlds import COUNT, E8, STRATEGY_COUNT, copied, dice
from trader_core.rulebook import codes
from trader_core.rulebook.codes import (
    BY_SIGNAL,
    CANCEL,
    ENTRY,
    EXIT,
    FILLED,
    KIND,
    LIMIT,
    LOTS,
    MAKER,
    NEVER,
    PLACE,
    REASON,
    STOP,
    TAKER,
    TRIGGER,
    WANTED,
    Verdict,
)
from trader_core.rulebook.state import empty_plan
from trader_core.rulebook.turn import is_stop_over, maker_price, step_turn

ETH = 2
Change = Callable[[Before], Before]


def put(part: str, name: str, key: object, value: float) -> Change:
    """One number of guard, state or columns."""

    def change(world: Before) -> Before:
        getattr(getattr(world, part), name)[key] = value
        return world

    return change


def guarded(name: str, value: Any) -> Change:
    return lambda world: world._replace(guard=world.guard._replace(**{name: value}))


def orders(**edits: Any) -> Change:
    return lambda world: world._replace(law=world.law._replace(orders=world.law.orders._replace(**edits)))


def exits(**edits: Any) -> Change:
    return lambda world: world._replace(law=world.law._replace(exits=world.law.exits._replace(**edits)))


def risk(**edits: Any) -> Change:
    return lambda world: world._replace(law=world.law._replace(risk=world.law.risk._replace(**edits)))


def changed(world: Before, *changes: Change) -> Before:
    for change in changes:
        world = change(world)
    return world


def proposed(*who: int, strategy: int = 1) -> Before:
    """Calm everywhere, and these are proposed by one strategy on terms of its own."""
    world = sold_bitcoin(BY_SIGNAL)
    world.state.exit_ms[:] = NEVER
    columns = world.columns
    columns.enter[:] = 0
    for i in who:
        columns.enter[strategy, 0, i] = 1
        columns.conviction[strategy, 0, i], columns.scale[strategy, 0, i] = 0.75, 0.8
        columns.stop_bps[strategy, 0, i], columns.target_bps[strategy, 0, i] = 700, 900
        columns.hold_ms[strategy, 0, i] = 3_600
    return world


def resting(filled: int = 0, lots: int = 10**6) -> Before:
    """A maker of ETH that has been resting for a bar, its time over now; nobody is proposed."""
    world = proposed()
    now = int(world.columns.at_ms[0])
    world.state.orders[ETH, ENTRY] = (
        MAKER, lots, filled, 999_000, 0, now - BAR_MS, now, BY_SIGNAL, 1, 700, 900, 3_600, 0,
    )  # fmt: skip
    return changed(world, orders(maker_ttl_ms=2 * BAR_MS, max_reprices=1))


# --- entries that are canceled ---------------------------------------------------------------------------------------


NOON = int(sold_bitcoin(BY_SIGNAL).columns.at_ms[0])
LATER = put("state", "orders", (ETH, ENTRY, codes.EXPIRES_MS), NOON + 1)


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        (guarded("troubles", 1), True), (guarded("halted", codes.REDUCING), False), (guarded("paused", 1), False),
        (put("guard", "barred", ETH, 1), False), (put("guard", "barred", 0, 1), True),
        (put("state", "orders", (ETH, ENTRY, codes.STRATEGY), 0), True),
        (put("state", "orders", (ETH, ENTRY, codes.STRATEGY), NEVER), False),
        (put("guard", "banned_ms", ETH, NOON), True), (put("guard", "banned_ms", ETH, NOON + 1), False),
        (put("state", "orders", (ETH, EXIT, KIND), TAKER), False),
        (put("state", "exit_ms", 1, NOON - BAR_MS), True), (put("state", "exit_ms", 1, NOON - BAR_MS + 1), False),
        (put("state", "exit_ms", 0, NOON), True), (put("guard", "unknown", ETH, 1), True),
        (put("state", "halt", codes.HALT, codes.KILLED), False),
        (put("state", "orders", (ETH, ENTRY, codes.EXPIRES_MS), NOON), False),
    ],
)  # fmt: skip
def test_an_entry_stays_while_nothing_speaks_against_it_and_each_ground_alone_cancels_it(
    change: Change, stays: bool
) -> None:
    """Of its time that is over the rest is repriced, and what stood is canceled all the same."""
    world = changed(resting(), LATER, change)
    assert int(world.law.instruments.asset[ETH]) == 1
    _, plan = turned(world)
    assert ((CANCEL, ETH, ENTRY) not in asked(plan)) == stays


def test_of_an_entry_whose_fate_is_unknown_nothing_is_repriced_though_its_time_is_over() -> None:
    world = changed(resting(), put("guard", "unknown", ETH, 1))
    after, plan = turned(world)
    assert asked(plan) == [] and (after.orders[ETH] == world.state.orders[ETH]).all()


# --- what an order says ----------------------------------------------------------------------------------------------


def test_a_new_entry_says_what_its_strategy_asked_for_and_rests_for_its_time() -> None:
    """A maker below the ask for its time to live, a taker through the ask for a bar; four hundredths of the equity."""
    for ttl_ms, kind, price, life_ms in ((2 * BAR_MS, MAKER, 999_999, 2 * BAR_MS), (0, TAKER, 1_010_000, BAR_MS)):
        after, plan = turned(changed(proposed(ETH), orders(maker_ttl_ms=ttl_ms, band_ppm=10_000)))
        lots = 4 * 10**4 * E8 // price
        assert asked(plan) == [(PLACE, ETH, ENTRY)] and plan.entered.tolist() == [0, 1]
        assert after.orders[ETH, ENTRY].tolist() == [
            kind, lots, 0, price, 0, NOON, NOON + life_ms, BY_SIGNAL, 1, 700, 900, 3_600, 0,
        ]  # fmt: skip
        assert after.clock[codes.DAY_ENTRIES] == 1 and after.entry_ms.tolist() == [NEVER, NOON, NEVER]


def test_what_is_left_of_an_entry_keeps_its_terms_and_is_no_new_one() -> None:
    """At the new bid for a new time to live, then through the ask for a bar; nobody's convictions are asked again."""
    for tries, kind, reason, price, life_ms in (
        (0, MAKER, codes.BY_REPRICE, 999_999, 2 * BAR_MS), (1, TAKER, codes.BY_FALLBACK, 1_010_000, BAR_MS),
    ):  # fmt: skip
        world = changed(resting(filled=10**5), orders(band_ppm=10_000))
        world.state.orders[ETH, ENTRY, codes.TRIES] = tries
        after, plan = turned(world)
        assert asked(plan) == [(CANCEL, ETH, ENTRY), (PLACE, ETH, ENTRY)]
        assert after.orders[ETH, ENTRY].tolist() == [
            kind, 9 * 10**5, 0, price, 0, NOON, NOON + life_ms, reason, 1, 700, 900, 3_600, tries + 1,
        ]  # fmt: skip
        assert after.clock[codes.DAY_ENTRIES] == 0 and plan.entered.tolist() == [0, 0]
        assert plan.trace[ETH, Verdict.EQUITY_UNKNOWN - 1, 0] == 10**6


def test_more_of_a_position_is_its_holder_s_order_whoever_proposed_it() -> None:
    world = proposed(ETH)
    world.state.lots[ETH], world.state.strategy[ETH], world.state.stop_bps[ETH] = 1, 0, 700
    world.columns.close[0, ETH] = world.columns.bid[0, ETH] = 1_000_000
    after, plan = turned(world)
    assert after.orders[ETH, ENTRY, [KIND, codes.STRATEGY]].tolist() == [TAKER, 0]
    assert plan.chosen[ETH] == 1 and plan.entered.tolist() == [0, 1] and after.adds.tolist() == [0, 1, 0]


@pytest.mark.parametrize(("bid", "ask", "price"), [(5, 6, 5), (5, 7, 5), (5, 5, 4), (2, 2, 1), (1, 1, 0), (0, 0, 0)])
def test_a_maker_rests_at_the_bid_or_a_tick_below_the_ask_and_nowhere_where_there_is_no_such_tick(
    bid: int, ask: int, price: int
) -> None:
    columns = sold_bitcoin(BY_SIGNAL).columns
    columns.bid[0, ETH], columns.ask[0, ETH] = bid, ask
    assert maker_price(columns, 0, ETH) == price


def test_a_sale_asks_for_no_less_than_the_band_below_the_bid_and_never_for_nothing() -> None:
    """Of a whole coin for a tick it takes what there is."""
    for bid, band_ppm, limit in (
        (900_000, 0, 900_000),
        (900_000, 10_000, 891_000),
        (900_000, 10**6, 1),
        (1, 500_000, 1),
    ):
        after, _ = turned(changed(at_bid(held_bitcoin(), bid), orders(band_ppm=band_ppm)))
        assert after.orders[0, EXIT, LIMIT] == limit, (bid, band_ppm)


# --- who is sold, and why --------------------------------------------------------------------------------------------


def test_of_all_reasons_to_sell_the_first_counts_and_each_counts_alone() -> None:
    """Ordered, put off, at a level, tripped, purged, above the cap."""
    first: list[tuple[int, tuple[Change, ...]]] = [
        (codes.BY_LIQUIDATION, (put("guard", "forced", 0, codes.BY_LIQUIDATION),)),
        (codes.BY_TIME, (put("state", "deferred", 0, codes.BY_TIME),)),
        (BY_SIGNAL, (put("columns", "leave", (0, 0, 0), 1),)),
        (codes.BY_TRIP, (tripped,)),
        (codes.BY_PURGE, (exits(purge_ms=1), put("guard", "barred", 0, 1), put("state", "outcast_ms", 0, NOON - 1))),
        (codes.BY_TRIM, (exits(trim_ppm=1), risk(max_asset=1e-9))),
    ]
    for n, (reason, alone) in enumerate(first):
        together = [change for _, changes in first[n:] for change in changes]
        for changes in (alone, together):
            after, _ = turned(changed(held_bitcoin(), *changes))
            assert after.orders[0, EXIT, REASON] == reason
    after, _ = turned(held_bitcoin())
    assert after.orders[0, EXIT, KIND] == 0


def tripped(world: Before) -> Before:
    world.state.halt[codes.HALT] = codes.TRIPPED
    world.state.halt[codes.CAUSE_SET] = codes.BY_OPERATOR
    return world._replace(law=world.law._replace(halts=world.law.halts._replace(on_trip=codes.FLATTEN)))


def test_what_the_venue_will_not_have_sold_keeps_its_stop_as_long_as_that_is_below_the_bid() -> None:
    """It is sold at its stop, and at any price where somebody orders it."""
    refused, forced = put("guard", "refused", 0, 1), put("guard", "forced", 0, codes.BY_LIQUIDATION)
    leaving = put("columns", "leave", (0, 0, 0), 1)
    for bid, changes, reason in (
        (10**6, (leaving,), BY_SIGNAL), (10**6, (leaving, refused), 0), (950_001, (leaving, refused), 0),
        (950_000, (refused,), codes.BY_STOP), (10**6, (refused, forced), codes.BY_LIQUIDATION),
    ):  # fmt: skip
        after, _ = turned(changed(at_bid(held_bitcoin(), bid), *changes))
        assert after.orders[0, EXIT, REASON] == reason
        assert (after.orders[0, STOP, KIND] != 0) == (reason == 0)


def test_of_a_shut_market_nothing_is_sold_not_even_what_is_ordered_and_the_first_reason_is_remembered() -> None:
    shut = put("columns", "shut", (0, 0), 1)
    world = changed(held_bitcoin(), shut, put("guard", "forced", 0, codes.BY_LIQUIDATION))
    after, _ = turned(world)
    assert after.orders[0, EXIT, KIND] == 0 and after.deferred[0] == 0
    after, _ = turned(changed(held_bitcoin(), shut, put("columns", "leave", (0, 0, 0), 1)))
    assert after.orders[0, EXIT, KIND] == 0 and after.deferred[0] == BY_SIGNAL
    standing = changed(held_bitcoin(), guarded("halted", codes.STANDING), put("columns", "leave", (0, 0, 0), 1), shut)
    assert turned(standing)[0].deferred[0] == 0, "what is standing wants nothing"


def test_without_a_bid_nothing_is_sold_whoever_ordered_it() -> None:
    for change in (
        put("guard", "forced", 0, codes.BY_LIQUIDATION),
        put("state", "deferred", 0, codes.BY_TIME),
        tripped,
    ):
        world = changed(held_bitcoin(), change, put("columns", "bid", (0, 0), 0))
        assert asked(turned(world)[1]) == [(PLACE, 0, STOP)]


def test_a_position_without_a_stop_has_none_resting() -> None:
    """Ten thousand basis points below cost is nowhere."""
    world = changed(held_bitcoin(), put("state", "stop_bps", 0, 10_000))
    after, plan = turned(world)
    assert asked(plan) == [] and plan.levels[0, 0] == 0
    world.state.stop_bps[0] = 9_999
    after, plan = turned(world)
    assert asked(plan) == [(PLACE, 0, STOP)] and after.orders[0, STOP, codes.TRIGGER] == plan.levels[0, 0] == 100


def test_an_instrument_with_nothing_but_an_order_has_no_levels_and_what_rests_to_sell_it_is_canceled() -> None:
    world = proposed()
    world.state.orders[ETH, STOP, [KIND, LOTS, codes.TRIGGER]] = codes.STOP_MARKET, 5, 7
    after, plan = turned(world)
    assert asked(plan) == [(CANCEL, ETH, STOP)] and not after.orders.any()
    assert plan.levels[ETH].tolist() == [0, 0]


def test_one_lot_that_is_held_is_held() -> None:
    """It is protected once, sold, and too much."""

    def one_lot(*changes: Change) -> Before:
        return changed(held_bitcoin(), put("state", "lots", 0, 1), put("state", "cost", 0, 10**4), *changes)

    after, plan = turned(one_lot())
    assert asked(plan) == [(PLACE, 0, STOP)] and asked(turned(one_lot(), state=after)[1]) == []
    for sold in ((put("columns", "leave", (0, 0, 0), 1),), (exits(trim_ppm=1), risk(max_asset=1e-12))):
        assert asked(turned(one_lot(*sold))[1]) == [(PLACE, 0, EXIT)]


# --- who is bought, and who waits ------------------------------------------------------------------------------------


def test_the_rest_of_an_entry_comes_first_then_who_waits_then_the_most_convinced() -> None:
    """Of two slots the rest keeps its own, who waits takes the other, and who is proposed waits."""
    world = waiting(1)
    world.columns.enter[0, 0, [0, 3]], world.columns.conviction[0, 0, [0, 3]] = 1, (0.8, 0.9)
    old = resting().state.orders[ETH, ENTRY]
    world.state.orders[ETH, ENTRY] = old
    world = changed(world, orders(maker_ttl_ms=BAR_MS, max_reprices=1), risk(max_positions=3, max_wait_ms=BAR_MS))
    after, plan = turned(world)
    assert [one[1:] for one in asked(plan) if one[0] == PLACE] == [(ETH, ENTRY), (1, ENTRY), (3, ENTRY)]
    assert plan.verdict.tolist() == [Verdict.MAX_POSITIONS, Verdict.OK, Verdict.OK, Verdict.OK]
    assert after.clock[codes.QUEUED] == 1 and after.queue[0, codes.W_INSTRUMENT] == 0


def test_whoever_is_proposed_is_judged_however_many_wait_and_however_little_they_are_convinced_of() -> None:
    world = waiting(1, 2)
    world.columns.enter[0, 0, :], world.columns.conviction[0, 0, :] = 1, 0.0
    _, plan = turned(world)
    assert plan.verdict.tolist() == [Verdict.CONVICTION, Verdict.OK, Verdict.OK, Verdict.CONVICTION]


def test_who_finds_no_slot_waits_on_the_terms_that_it_was_proposed_on() -> None:
    """A position of the tier is scaled by what the strategy asked, the regime by what it is when it is bought."""
    world = changed(proposed(ETH), put("state", "lots", 0, 1), put("state", "strategy", 0, 0))
    for slots, verdict in ((1, Verdict.MAX_POSITIONS), (2, Verdict.OK)):
        after, plan = turned(changed(world, risk(max_positions=slots, max_wait_ms=BAR_MS)))
        assert plan.verdict[ETH] == verdict
        waits = verdict != Verdict.OK
        assert after.clock[codes.QUEUED] == waits
        assert after.queue[0].tolist() == ([ETH, 1, 750_000, 800_000, 700, 900, 3_600, NOON] if waits else [0] * 8)


def test_nobody_waits_who_is_refused_for_another_reason_or_is_the_rest_of_an_entry() -> None:
    full = (risk(max_positions=1, max_wait_ms=BAR_MS), put("state", "lots", 0, 1), put("state", "strategy", 0, 0))
    after, plan = turned(changed(resting(), *full))
    assert plan.verdict[ETH] == Verdict.MAX_POSITIONS and after.clock[codes.QUEUED] == 0
    after, plan = turned(changed(proposed(ETH), *full, put("guard", "banned_ms", ETH, NOON + 1)))
    assert plan.verdict[ETH] == Verdict.BANNED and after.clock[codes.QUEUED] == 0


@pytest.mark.parametrize("most", [10**9 * E8, 500 * E8])
def test_a_bad_day_halves_whoever_is_proposed(most: int) -> None:
    """Whatever scale its strategy asks for, and what a cap of sizing has left of that too."""

    def capped(world: Before) -> Before:
        return world._replace(law=world.law._replace(sizing=world.law.sizing._replace(max_position=most)))

    calm, bad = changed(proposed(ETH), capped), changed(proposed(ETH), capped, risk(halve_at_day_loss=0.03))
    bad.state.clock[[codes.DAY, codes.DAY_OPEN, codes.DAY_LOW]] = NOON // 86_400_000, 104 * 10**4 * E8, 10**6 * E8
    calm_lots, bad_lots = (int(turned(world)[0].orders[ETH, ENTRY, LOTS]) for world in (calm, bad))
    assert bad_lots == calm_lots // 2 > 0


@given(dice.map(lambda die: (eve(die), eve(die))))
@examples(40)
def test_a_plan_says_nothing_of_the_turn_before(worlds: tuple[Before, Before]) -> None:
    used, fresh = empty_plan(COUNT, STRATEGY_COUNT), empty_plan(COUNT, STRATEGY_COUNT)
    before, (law, guard, state, columns) = worlds
    step_turn(before.law, before.guard, copied(before.state), before.columns, 0, used)
    for plan in (used, fresh):
        step_turn(law, guard, copied(state), columns, 0, plan)
    assert asked(used) == asked(fresh)
    for name in ("verdict", "chosen", "entered", "measured", "shrunk", "many"):
        assert np.array_equal(getattr(used, name), getattr(fresh, name)), name
    judged = fresh.verdict != NEVER
    assert np.array_equal(used.trace[judged], fresh.trace[judged])
    assert np.array_equal(used.sizes[:, WANTED], fresh.sizes[:, WANTED])
    assert (fresh.sizes[~judged, WANTED] == NEVER).all()
    held = (state.lots > 0) & (guard.unknown == 0) & (state.orders[:, EXIT, KIND] == 0)
    assert np.array_equal(used.levels[held], fresh.levels[held])


@pytest.mark.parametrize(
    ("held", "sold", "left", "filled", "trigger", "is_over"),
    [
        pytest.param(10, 0, 10, 0, 95, False, id="as it should be"),
        pytest.param(10, 0, 10, 3, 95, False, id="a part of it has sold"),
        pytest.param(10, 0, 10, 0, 96, False, id="it belongs elsewhere, where the venue takes none of this size"),
        pytest.param(10, 0, 8, 0, 95, False, id="for less than is held, and the venue takes no other"),
        pytest.param(10, 0, 11, 0, 95, True, id="for more than is held"),
        pytest.param(10, 0, 10, 0, 0, True, id="none is wanted"),
        pytest.param(10, 0, 10, 0, 1, False, id="one is wanted, as low as may be"),
        pytest.param(10, 1, 8, 0, 95, True, id="one lot is sold now"),
        pytest.param(10, 4, 6, 0, 95, False, id="a part is sold now, and it is for the rest"),
        pytest.param(10, 10, 0, 0, 95, True, id="all is sold now"),
    ],
)
def test_a_stop_is_over_where_it_would_be_wrong_to_leave_it(
    held: int, sold: int, left: int, filled: int, trigger: int, is_over: bool
) -> None:
    assert stop_is_over(held, sold, left, filled, trigger) == is_over


@pytest.mark.parametrize(
    ("left", "opened_ms", "is_over"), [(10, 5, True), (1, 5, True), (0, 5, False), (0, NEVER, True), (10, NEVER, True)]
)
def test_of_nothing_that_is_held_a_stop_that_may_sell_is_over(left: int, opened_ms: int, is_over: bool) -> None:
    assert stop_is_over(0, 0, left, 0, 95, opened_ms) == is_over


def test_a_stop_that_belongs_elsewhere_is_over_where_the_venue_takes_another() -> None:
    assert stop_is_over(10, 0, 10, 0, 96, least=0)


def stop_is_over(
    held: int, sold: int, left: int, filled: int, trigger: int, opened_ms: int = 5, least: int = 10**18
) -> bool:
    """Of one that rests at 95 ticks, at a venue that takes no order of less."""
    law, _, state, _ = sold_bitcoin(BY_SIGNAL)
    law.instruments.min_notional[:] = least
    state.lots[0], state.opened_ms[0] = held, opened_ms
    stop = state.orders[0, STOP]
    stop[LOTS], stop[FILLED], stop[TRIGGER] = left + filled, filled, 95
    return is_stop_over(law, state, 0, sold, trigger)
