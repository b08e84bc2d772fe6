"""The halt machine's own law: exact limits, every edge of its table, and that no state is a trap."""

from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.worlds import COUNT, E8, NOON_MS, Dice, open_guard
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS
from trader_core.rulebook import codes, halts
from trader_core.rulebook.account import MONDAY_MS, WEEK_MS, step_mark
from trader_core.rulebook.limits import Halts, Law
from trader_core.rulebook.money import value_down
from trader_core.rulebook.state import Columns, Plan, State, empty_plan, empty_state

LIMITS = Halts(
    enabled=1, max_day_loss_ppm=50_000, max_open_loss_ppm=100_000, retrip_ppm=10_000, max_errors=5,
    error_window_ms=15 * MINUTE_MS, max_stops=0, stop_window_ms=15 * MINUTE_MS, max_feed_age_ms=0,
    max_naked_ms=30 * MINUTE_MS, max_troubles=0,
    cooldown_ms=15 * MINUTE_MS, on_trip=codes.CANCEL_ENTRIES, auto_rearm=0,
)  # fmt: skip


class Machine:
    """An account that opened the day with ten thousand, and its machine."""

    def __init__(self, **edits: Any) -> None:
        die = Dice(Random(1))
        law: Law = die.law()
        self.law = law._replace(halts=LIMITS._replace(**edits))
        self.columns: Columns = die.columns(law)
        self.state: State = empty_state(COUNT, 3, 1)
        self.plan: Plan = empty_plan(COUNT, 1)
        self.at(0)
        step_mark(self.state, self.now, 10_000 * E8)

    def at(self, minute: float) -> None:
        self.now = NOON_MS + int(minute * MINUTE_MS)
        self.columns = self.columns._replace(at_ms=np.array([self.now, self.now + 1], np.int64))

    def turn(self, equity: float) -> int:
        step_mark(self.state, self.now, round(equity * E8))
        halts.step_halt(self.law, open_guard(), self.state, self.columns, 0, round(equity * E8), self.plan)
        return int(self.state.halt[codes.HALT])

    def hold(self, *pnl: int) -> None:
        """Positions whose worth is known, bought for that much less or more."""
        units = self.law.instruments
        for i, gain in enumerate(pnl):
            self.columns.close[0, i] = 100_000
            self.state.lots[i] = 1_000 * E8 * int(units.den[i]) // int(units.num[i]) // 100_000
            worth = int(value_down(units, i, self.state.lots[i], 100_000))
            self.state.cost[i] = worth - gain * E8


@pytest.mark.parametrize(("equity", "state"), [(9_500, codes.TRIPPED), (9_500.01, codes.ARMED), (20_000, codes.ARMED)])
def test_five_percent_of_the_day_trip_exactly(equity: float, state: int) -> None:
    """V1."""
    assert Machine().turn(equity) == state


def test_winners_make_up_for_no_loser() -> None:
    """V2."""
    for pnl, state in (((-600, -400, 900), codes.TRIPPED), ((-600, -399, 900), codes.ARMED), ((900, 900), codes.ARMED)):
        machine = Machine()
        machine.hold(*pnl)
        assert machine.turn(10_000) == state
        assert machine.state.halt[codes.CAUSE_SET] == (1 << codes.OPEN_LOSS_PPM if state == codes.TRIPPED else 0)


@pytest.mark.parametrize(("cooldown_ms", "until_ms"), [(MINUTE_MS, 7 + MINUTE_MS), (0, NOON_MS + 1)])
def test_a_cooldown_that_may_not_end_goes_on_for_as_long_again_and_a_millisecond_at_least(
    cooldown_ms: int, until_ms: int
) -> None:
    limits, halt = LIMITS._replace(cooldown_ms=cooldown_ms), empty_state(COUNT, 3, 1).halt
    halt[[codes.HALT, codes.UNTIL_MS, codes.CAUSE_SET]] = codes.COOLING_DOWN, 7 if cooldown_ms == 0 else NOON_MS + 7, 1
    halts.step_cooled(limits, halt, True, NOON_MS)
    assert halt[codes.UNTIL_MS] == (until_ms if cooldown_ms == 0 else NOON_MS + until_ms)
    assert (halt[codes.HALT], halt[codes.CAUSE_SET]) == (codes.COOLING_DOWN, 1)
    halts.step_cooled(limits, halt, False, NOON_MS)
    assert [int(halt[one]) for one in (codes.HALT, codes.SINCE_MS, codes.UNTIL_MS, codes.CAUSE_SET)] == [
        codes.ARMED, NOON_MS, codes.NEVER, 0,
    ]  # fmt: skip


def test_of_an_account_worth_nothing_every_loss_is_all_of_it_and_of_an_unknown_one_nobody_knows() -> None:
    for equity, found in ((0, 1_000_000), (-1, codes.NEVER)):
        machine = Machine()
        machine.hold(-1)
        halts.step_halt(machine.law, open_guard(), machine.state, machine.columns, 0, equity, machine.plan)
        measured = [int(machine.plan.measured[1 + one]) for one in (codes.DAY_LOSS_PPM, codes.OPEN_LOSS_PPM)]
        assert measured == [found, found]


def test_five_failures_in_a_row_trip_while_they_are_young() -> None:
    """V3."""
    for ages, state in (((0,) * 5, codes.TRIPPED), ((0,) * 4, codes.ARMED), ((0, 0, 0, 0, 16), codes.ARMED)):
        machine = Machine()
        for age in sorted(ages, reverse=True):
            halts.step_failed(machine.state, machine.now - age * MINUTE_MS)
        assert machine.turn(10_000) == state
    machine = Machine()
    for _ in range(4):
        halts.step_failed(machine.state, machine.now)
    halts.step_succeeded(machine.state)
    halts.step_failed(machine.state, machine.now)
    assert machine.turn(10_000) == codes.ARMED


def test_a_cooldown_ends_at_its_millisecond() -> None:
    """V5."""
    for minute, state in ((15 - 0.001 / 60, codes.COOLING_DOWN), (15, codes.ARMED)):
        machine = Machine()
        halt = machine.state.halt
        halt[codes.HALT], halt[codes.SINCE_MS] = codes.COOLING_DOWN, machine.now
        halt[codes.UNTIL_MS] = machine.now + 15 * MINUTE_MS
        machine.at(minute)
        assert machine.turn(10_000) == state


def test_a_loss_that_was_seen_trips_when_it_has_grown_or_on_the_next_day() -> None:
    """V7."""
    for equity, state in ((9_400, codes.ARMED), (9_350, codes.ARMED), (9_300.01, codes.ARMED), (9_300, codes.TRIPPED)):
        machine = Machine()
        machine.state.halt[codes.SEEN_DAY], machine.state.halt[codes.SEEN_DAY_PPM] = machine.now // DAY_MS, 60_000
        assert machine.turn(equity) == state
        machine = Machine()
        machine.state.halt[codes.SEEN_DAY], machine.state.halt[codes.SEEN_DAY_PPM] = machine.now // DAY_MS - 1, 60_000
        assert machine.turn(equity) == codes.TRIPPED, "seen yesterday"
    for seen_ppm, state in ((49_999, codes.TRIPPED), (50_000, codes.ARMED)):
        machine = Machine()
        machine.state.halt[codes.SEEN_DAY], machine.state.halt[codes.SEEN_DAY_PPM] = machine.now // DAY_MS, seen_ppm
        assert machine.turn(9_450) == state, "what was seen is a loss that had reached the limit"


def test_a_late_first_mark_counts_what_was_lost_since_yesterday_s_last() -> None:
    for minutes, opening in ((10, 9_000), (11, 10_000)):
        state = empty_state(COUNT, 3, 1)
        midnight = (NOON_MS // DAY_MS + 1) * DAY_MS
        step_mark(state, midnight - 1, 10_000 * E8)
        step_mark(state, midnight + minutes * MINUTE_MS, 9_000 * E8)
        assert state.clock[codes.DAY_OPEN] == opening * E8


def test_a_late_first_mark_of_a_week_opens_it_as_its_day() -> None:
    """A loss that counts against the day counts against the week that the day is of."""
    for minutes, opening in ((10, 9_000), (11, 10_000)):
        state = empty_state(COUNT, 3, 1)
        monday = (NOON_MS - MONDAY_MS) // WEEK_MS * WEEK_MS + WEEK_MS + MONDAY_MS
        step_mark(state, monday - 1, 10_000 * E8)
        step_mark(state, monday + minutes * MINUTE_MS, 9_000 * E8)
        assert state.clock[codes.DAY_OPEN] == state.clock[codes.WEEK_OPEN] == opening * E8
        step_mark(state, monday + DAY_MS, 9_500 * E8)
        assert (state.clock[codes.DAY_OPEN], state.clock[codes.WEEK_OPEN]) == (9_500 * E8, opening * E8)


def test_a_late_first_mark_after_an_unknown_one_counts_from_yesterday_s_last_that_was_known() -> None:
    """Prices that could not be read at the end of a day hide no loss from the next one."""
    state = empty_state(COUNT, 3, 1)
    midnight = (NOON_MS // DAY_MS + 1) * DAY_MS
    for before_min, equity in ((60, 9_500 * E8), (45, 10_100 * E8), (30, 10_000 * E8), (15, -1)):
        step_mark(state, midnight - before_min * MINUTE_MS, equity)
    step_mark(state, midnight + 30 * MINUTE_MS, 9_000 * E8)
    assert state.clock[codes.DAY_OPEN] == 10_000 * E8


def test_unknown_equity_trips_nothing_and_ends_no_cooldown() -> None:
    machine = Machine(auto_rearm=1, cooldown_ms=0)
    assert machine.turn(9_000) == codes.COOLING_DOWN
    halt = machine.state.halt
    halts.step_halt(machine.law, open_guard(), machine.state, machine.columns, 0, -1, machine.plan)
    assert halt[codes.HALT] == codes.COOLING_DOWN and halt[codes.UNTIL_MS] > machine.now


MEASURED_BY = (
    "max_day_loss_ppm", "max_open_loss_ppm", "max_errors", "max_stops", "max_feed_age_ms", "max_naked_ms",
    "max_troubles",
)  # fmt: skip
OFF = dict.fromkeys(MEASURED_BY, 0)


@pytest.mark.parametrize("measure", range(codes.MEASURES))
def test_each_measure_has_a_limit_of_its_own_and_reaching_it_is_enough(measure: int) -> None:
    name, halt = MEASURED_BY[measure], empty_state(COUNT, 3, 1).halt
    measured = np.zeros(1 + codes.MEASURES, np.int64)
    for limit, value, found in ((1, 0, 0), (1, 1, 1 << measure), (7, 6, 0), (7, 7, 1 << measure)):
        limits = LIMITS._replace(**OFF)._replace(**{name: limit})
        measured[1 + measure] = value
        assert halts.breaches(limits, halt, measured, NOON_MS) == found
    measured[:] = 10**12
    assert halts.breaches(limits, halt, measured, NOON_MS) == 1 << measure
    assert halts.breaches(limits._replace(**{name: 0}), halt, measured, NOON_MS) == 0


@given(st.integers(0, 2**32))
@examples(200)
def test_what_is_measured_is_what_a_count_in_other_words_finds(seed: int) -> None:
    die = Dice(Random(seed), 0.2)
    law = die.law()
    columns = die.columns(law)
    state, plan, held = die.state(law, columns), empty_plan(COUNT, 1), Random(seed)
    guard = open_guard()._replace(naked_ms=held.randint(0, 10**6), troubles=held.randint(0, 9))
    columns.age_ms[0] = [held.randint(0, 10**6) for _ in range(COUNT)]
    equity = held.choice((-1, 0, 1, die.grains()))
    if held.random() < 0.3:
        state.clock[codes.DAY_OPEN] = held.choice((-1, 0, 1, 7))
    now, units, clock = int(columns.at_ms[0]), law.instruments, state.clock
    errors, stops = ([now - held.choice((0, 1, law.halts.error_window_ms, law.halts.error_window_ms + 1, 10**9))
                      for _ in range(held.randint(0, codes.RING))] for _ in range(2))  # fmt: skip
    for ring, moments in ((codes.ERRORS, errors), (codes.STOPS, stops)):
        state.halt[ring : ring + codes.RING] = codes.NEVER
        state.halt[ring : ring + len(moments)] = moments
    halts.step_measured(law, guard, state, columns, 0, equity, plan.measured)
    opening = int(clock[codes.DAY_OPEN]) if clock[codes.DAY] == now // DAY_MS else 0
    mine = [i for i in range(COUNT) if state.lots[i] > 0]
    worth = {i: int(state.lots[i]) * int(columns.close[0, i]) * int(units.num[i]) // int(units.den[i]) for i in mine}
    lost = sum(max(int(state.cost[i]) - worth[i], 0) for i in mine)
    of_all = 10**6 if lost >= equity else lost * 10**6 // max(equity, 1)
    assert plan.measured[1:].tolist() == [
        -1 if opening <= 0 or equity < 0 else max(opening - equity, 0) * 10**6 // opening,
        -1 if equity < 0 else of_all if lost else 0,
        sum(now - one <= law.halts.error_window_ms for one in errors),
        sum(now - one <= law.halts.stop_window_ms for one in stops),
        max((int(columns.age_ms[0, i]) for i in mine), default=0),
        guard.naked_ms,
        guard.troubles,
    ]


def test_a_trip_counts_once_and_a_machine_that_has_moved_says_so() -> None:
    machine = Machine()
    for equity, trips, moved in ((10_000, 0, 0), (9_400, 1, 1), (9_300, 1, 0)):
        machine.turn(equity)
        assert (machine.state.halt[codes.TRIPS], machine.plan.measured[0]) == (trips, moved)


def test_an_account_that_is_worth_nothing_and_lost_nothing_cools_down() -> None:
    machine = Machine(**OFF)
    machine.state.clock[codes.DAY_OPEN] = 0
    machine.state.halt[[codes.HALT, codes.UNTIL_MS]] = codes.COOLING_DOWN, machine.now
    halts.step_halt(machine.law, open_guard(), machine.state, machine.columns, 0, 0, machine.plan)
    assert machine.state.halt[codes.HALT] == codes.ARMED


def test_what_is_held_can_lose_too_much_only_where_that_would_move_the_machine() -> None:
    state, law = empty_state(COUNT, 3, 1), Machine().law
    for lost, found in ((99, False), (100, True), (1_000, True)):
        assert halts.can_lose_too_much(law, state, lost, 1_000, NOON_MS) is found
    for halt, causes in ((codes.DISABLED, 0), (codes.KILLED, 0), (codes.TRIPPED, 1 << codes.OPEN_LOSS_PPM)):
        state.halt[[codes.HALT, codes.CAUSE_SET]] = halt, causes
        assert halts.can_lose_too_much(law, state, 1_000, 1_000, NOON_MS) is False


@pytest.mark.parametrize("state", range(len(codes.HALT_STATES)), ids=codes.HALT_STATES)
def test_the_machine_and_what_stands_outside_of_it_allow_what_the_stricter_of_them_does(state: int) -> None:
    """A trip alone spares what rests, or sells all, where the policy says so; a kill does neither."""
    machine = Machine()
    machine.state.halt[codes.HALT] = state
    tripped = state in (codes.TRIPPED, codes.COOLING_DOWN)
    own = codes.STANDING if state == codes.KILLED else codes.REDUCING if tripped else codes.ACTIVE
    for outside in (codes.ACTIVE, codes.REDUCING, codes.STANDING):
        guard = open_guard()._replace(halted=outside)
        assert halts.halted_of(guard, machine.state) == max(own, outside)
        for on_trip in (codes.HOLD, codes.CANCEL_ENTRIES, codes.FLATTEN):
            law = machine.law._replace(halts=LIMITS._replace(on_trip=on_trip))
            spared = outside == codes.ACTIVE and (own == codes.ACTIVE or (tripped and on_trip == codes.HOLD))
            assert halts.spares_entries(law, guard, machine.state) is spared
            assert halts.flattens(law, machine.state) is (tripped and on_trip == codes.FLATTEN)


def test_a_trip_cools_down_by_itself_from_its_beginning_on_and_never_what_a_person_has_tripped() -> None:
    now = Machine().now
    operator, both = codes.BY_OPERATOR, codes.BY_OPERATOR + 1
    for since_min, rearms, causes, until_ms in (
        (5, 1, 1, now + 10 * MINUTE_MS), (20, 1, 1, now), (5, 0, 1, codes.NEVER), (5, 1, operator, codes.NEVER),
        (5, 1, both, codes.NEVER),
    ):  # fmt: skip
        machine = Machine(auto_rearm=rearms)
        halt = machine.state.halt
        halt[[codes.HALT, codes.SINCE_MS, codes.CAUSE_SET]] = codes.TRIPPED, now - since_min * MINUTE_MS, causes
        assert machine.turn(10_000) == (codes.TRIPPED if until_ms == codes.NEVER else codes.COOLING_DOWN)
        assert (halt[codes.UNTIL_MS], halt[codes.CAUSE_SET]) == (until_ms, causes)


@pytest.mark.parametrize(
    ("doubt", "is_open", "state"),
    [("unknown", 1, codes.COOLING_DOWN), ("unknown", 0, codes.ARMED), ("differs", 0, codes.COOLING_DOWN)],
)
@pytest.mark.parametrize("i", [0, COUNT - 1])
def test_no_cooldown_ends_while_one_order_or_one_position_is_in_doubt(
    doubt: str, is_open: int, state: int, i: int
) -> None:
    """A market that takes no order, and in which none is open, is in no doubt."""
    for wrong, expected in ((0, codes.ARMED), (1, state)):
        machine, guard = Machine(), open_guard()
        getattr(guard, doubt)[i], machine.state.orders[i, codes.ENTRY, codes.KIND] = wrong, is_open
        machine.state.halt[[codes.HALT, codes.UNTIL_MS]] = codes.COOLING_DOWN, machine.now
        halts.step_halt(machine.law, guard, machine.state, machine.columns, 0, 10_000 * E8, machine.plan)
        assert machine.state.halt[codes.HALT] == expected


def test_who_arms_the_machine_begins_to_count_anew() -> None:
    state = empty_state(COUNT, 3, 1)
    state.halt[:] = 7
    halts.step_recounted(state)
    assert (state.halt[: codes.ERRORS] == 7).all() and (state.halt[codes.ERRORS :] == codes.NEVER).all()


@given(
    st.sampled_from([1, 2, 3, 1_000, 999_983, 10**14]),
    st.sampled_from([1, 20_000, 333_333, 999_999, 10**6]),
    st.sampled_from([0, 20_000, 10**6]),
    st.integers(-2, 2),
)
@examples(200)
def test_no_equity_above_the_lowest_calm_one_trips_by_the_day_s_loss_and_every_other_does(
    opening: int, limit_ppm: int, seen_ppm: int, off: int
) -> None:
    """A replay that coasts by it leaves no trip out."""
    machine = Machine(**OFF | {"max_day_loss_ppm": limit_ppm})
    state = machine.state
    state.clock[[codes.DAY_OPEN, codes.DAY_LOW]] = opening, opening
    state.halt[[codes.SEEN_DAY, codes.SEEN_DAY_PPM]] = machine.now // DAY_MS, seen_ppm
    floor = halts.lowest_calm(machine.law, state, machine.now)
    assert 0 <= floor < opening
    equity = max(floor + off, 0)
    halts.step_halt(machine.law, open_guard(), state, machine.columns, 0, equity, machine.plan)
    limit = max(limit_ppm, seen_ppm + LIMITS.retrip_ppm) if seen_ppm >= limit_ppm else limit_ppm
    trips = max(opening - equity, 0) * 10**6 >= limit * opening
    assert trips is bool(state.halt[codes.HALT] == codes.TRIPPED)
    assert trips is bool(equity <= floor and limit <= 10**6)


def test_what_cannot_trip_by_the_day_s_loss_is_calm_at_any_equity() -> None:
    """Where nothing is known of the day, the machine sleeps, or has that cause already."""
    machine = Machine()
    halt, clock = machine.state.halt, machine.state.clock
    assert halts.lowest_calm(machine.law, machine.state, machine.now) == 9_500 * E8
    for state, causes, opening in (
        (codes.DISABLED, 0, 10**12), (codes.KILLED, 0, 10**12), (codes.TRIPPED, 1, 10**12), (codes.ARMED, 0, -1),
        (codes.ARMED, 0, 0),
    ):  # fmt: skip
        halt[[codes.HALT, codes.CAUSE_SET]], clock[codes.DAY_OPEN] = (state, causes), opening
        assert halts.lowest_calm(machine.law, machine.state, machine.now) <= 1


EDGES = {
    ("ARMED", "TRIPPED"), ("ARMED", "COOLING_DOWN"), ("ARMED", "DISABLED"), ("DISABLED", "ARMED"),
    ("DISABLED", "TRIPPED"), ("DISABLED", "COOLING_DOWN"),
    ("TRIPPED", "COOLING_DOWN"), ("COOLING_DOWN", "TRIPPED"), ("COOLING_DOWN", "ARMED"),
}  # fmt: skip


def test_every_edge_by_itself_is_one_of_the_table_and_each_is_taken() -> None:
    """A kill moves for no figure, a trip goes to no other state than a cooldown, and causes are never lost in one."""
    taken: Counter[tuple[str, str]] = Counter()

    @given(st.integers(0, 2**32))
    @examples(400)
    def holds(seed: int) -> None:
        die = Dice(Random(seed), 0.3)
        law, guard = die.law(), open_guard()
        columns = die.columns(law)
        state, plan = die.state(law, columns), empty_plan(COUNT, 1)
        equity = die.one_of((-1, die.grains()))
        before = state.halt.copy()
        halts.step_halt(law, guard, state, columns, 0, equity, plan)
        after = state.halt
        names = (codes.HALT_STATES[before[codes.HALT]], codes.HALT_STATES[after[codes.HALT]])
        assert names[0] == names[1] or names in EDGES
        taken[names] += 1
        if names[1] in ("TRIPPED", "COOLING_DOWN"):
            assert after[codes.CAUSE_SET] & before[codes.CAUSE_SET] == before[codes.CAUSE_SET]
        if names == ("TRIPPED", "TRIPPED"):
            assert after[codes.SINCE_MS] == before[codes.SINCE_MS] and after[codes.TRIPS] == before[codes.TRIPS]
        assert bool(plan.measured[0]) == (
            names[0] != names[1]
            or after[codes.CAUSE_SET] != before[codes.CAUSE_SET]
            or after[codes.UNTIL_MS] != before[codes.UNTIL_MS]
        )

    holds()
    assert {*taken} >= EDGES, EDGES - {*taken}
