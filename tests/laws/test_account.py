"""The account beside its own diary: all that a State holds of the past, counted once more from the list of what was."""

from fractions import Fraction
from math import ceil
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws import oracle
from tests.laws.budget import examples
from tests.laws.test_gate_independence import base
from tests.laws.worlds import COUNT, Dice, Seeded, randoms
from trader_core.domain.clocktime import DAY_MS, HOUR_MS, MINUTE_MS
from trader_core.rulebook import codes
from trader_core.rulebook.account import (
    MONDAY_MS,
    WEEK_MS,
    equity_of,
    moment,
    step_cash,
    step_entered,
    step_fill,
    step_flat,
    step_mark,
    step_peaks,
    step_ring,
)
from trader_core.rulebook.state import FAR_OFF, INCOMPARABLE, State, empty_state

SUNDAY_MS = MONDAY_MS + 2_800 * WEEK_MS - DAY_MS
ASSET = (0, 0, 1)  # of three instruments
CALM = base().columns


def clock_of(state: State, *fields: int) -> tuple[int, ...]:
    return tuple(int(state.clock[one]) for one in fields)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_row_closes_when_its_column_says_so(rows: int) -> None:
    columns = CALM._replace(at_ms=SUNDAY_MS + HOUR_MS * np.arange(rows))
    assert [moment(columns, t) for t in range(rows)] == columns.at_ms.tolist()


# --- what it is worth -------------------------------------------------------------------------------------------------


@given(randoms)
@examples(60)
def test_an_equity_is_cash_and_positions_and_of_a_price_that_is_far_off_nobody_knows(random: Random) -> None:
    """Nor of one that is missing; what is not held may have any. A bid that is far off is no highest one either."""
    die = Dice(random)
    law = die.law()
    columns = die.columns(law)
    state = die.state(law, columns)
    columns.outlier[0] = [die.one_of((0, 0, 0, FAR_OFF, INCOMPARABLE)) for _ in range(COUNT)]
    if die.often(0.2):
        state.cash[0] = die.one_of((0, -die.grains()))
    if die.often(0.1):
        state.known[0] = 0
    if die.often():
        state.lots[:] = np.minimum(state.lots, 1)
    held = [i for i in range(COUNT) if state.lots[i] > 0]
    doubtful = [i for i in range(COUNT) if columns.outlier[0, i] == FAR_OFF]
    expected = -1 if {*held} & {*doubtful} else oracle.equity(law, state, columns, 0)
    assert equity_of(law.instruments, state, columns, 0) == expected
    seen = state.peak.tolist()
    step_peaks(state, columns, 0)
    for i in range(COUNT):
        counts = i in held and i not in doubtful
        assert state.peak[i] == (max(seen[i], int(columns.bid[0, i])) if counts else seen[i])


# --- what was lost in a day and a week -------------------------------------------------------------------------------

Mark = tuple[int, int]  # time, equity


def opening(marks: list[Mark], first: int) -> int:
    """Of the day that the first of these is of, by all that were before it."""
    now, equity = marks[first]
    known = [(at_ms, worth) for at_ms, worth in marks[:first] if worth >= 0]
    if now % DAY_MS <= 10 * MINUTE_MS or not known or known[-1][0] // DAY_MS != now // DAY_MS - 1:
        return equity
    return max(equity, known[-1][1])


def life(random: Random) -> list[Mark]:
    """Marks of some days, many of them beside a midnight, of an account that has little."""
    marks, now = list[Mark](), SUNDAY_MS
    for _ in range(random.randint(0, 12)):
        now += random.choice((0, 1, 9 * MINUTE_MS, HOUR_MS, 9 * HOUR_MS, DAY_MS, 6 * DAY_MS))
        if random.random() < 0.4:
            beside_ms = (-1, 0, 10 * MINUTE_MS, 10 * MINUTE_MS + 1, 10 * MINUTE_MS + 1)
            now = (now // DAY_MS + 1) * DAY_MS + random.choice(beside_ms)
        marks.append((now, random.choice((-1, 0, 1, 2, 98, 99, 100, 101))))
    return marks


@given(randoms.map(life))
@examples(300)
def test_the_loss_windows_are_what_all_marks_of_a_life_say(marks: list[Mark]) -> None:
    state = empty_state(1, 1, 1)
    for now, equity in marks:
        step_mark(state, now, equity)
    assert clock_of(state, codes.EQUITY) == (marks[-1][1] if marks else -1,)
    known = [n for n, (_, equity) in enumerate(marks) if equity >= 0]
    if not known:
        return
    assert clock_of(state, codes.HIGH) == (max(marks[n][1] for n in known),)

    def window(length_ms: int, offset_ms: int = 0) -> tuple[int, list[int], list[int]]:
        """Its number, and places of its marks: all, and those since it was opened."""
        number = (marks[known[-1]][0] - offset_ms) // length_ms
        inside = [n for n in known if (marks[n][0] - offset_ms) // length_ms == number]
        first = next((n for n in inside if opens(n, inside) > 0), inside[-1])
        return number, inside, inside[inside.index(first) :]

    def opens(n: int, inside: list[int]) -> int:
        same = [k for k in known if marks[k][0] // DAY_MS == marks[n][0] // DAY_MS and k <= n]
        return next((found for k in same if (found := opening(marks, k) if k == same[0] else marks[k][1]) > 0), 0)

    day, inside, since = window(DAY_MS)
    worth = [marks[n][1] for n in since]
    assert clock_of(state, codes.DAY, codes.DAY_OPEN, codes.DAY_LOW, codes.DAY_HIGH) == (
        day, opens(since[0], inside), min(worth), max(worth),
    )  # fmt: skip
    week, inside, since = window(WEEK_MS, MONDAY_MS)
    assert clock_of(state, codes.WEEK, codes.WEEK_OPEN, codes.WEEK_LOW) == (
        week, opens(since[0], inside), min(marks[n][1] for n in since),
    )  # fmt: skip


@given(st.sampled_from([-1, 0, 1, 2, 10**6]), st.integers(-3, 3) | st.integers(-(10**6), 10**6), randoms)
@examples(100)
def test_money_that_comes_or_goes_moves_every_mark_in_its_proportion(before: int, amount: int, random: Random) -> None:
    """By the amount where nobody knows of what; what was never marked stays so."""
    state = empty_state(1, 1, 1)
    marks = (codes.DAY_OPEN, codes.DAY_LOW, codes.DAY_HIGH, codes.WEEK_OPEN, codes.WEEK_LOW, codes.HIGH)
    state.clock[[*marks]] = [random.choice((-1, 0, 1, random.randint(1, 10**12))) for _ in marks]
    state.clock[codes.EQUITY] = before
    state.clock[codes.LAST] = before if before >= 0 else random.choice((-1, 0, 10**12))
    moving = (*marks, codes.EQUITY, codes.LAST)
    was, others = state.clock.copy(), [n for n in range(codes.CLOCK_FIELDS) if n not in moving]
    step_cash(state, amount)
    assert (state.cash[0], state.known[0]) == (amount, 1)
    for mark in marks:
        moved = int(was[mark]) + amount if before <= 0 else ceil(Fraction(int(was[mark]) * (before + amount), before))
        assert state.clock[mark] == (max(moved, 0) if was[mark] >= 0 else -1)
    assert state.clock[codes.EQUITY] == (max(before + amount, 0) if before > 0 else before)
    last = int(was[codes.LAST])
    assert state.clock[codes.LAST] == (last if last < 0 or before == 0 else max(last + amount, 0))
    assert (state.clock[others] == was[others]).all()


def test_what_comes_to_an_account_worth_nothing_is_first_known_at_its_mark() -> None:
    """A day that this mark opens late has lost nothing yet; the first money of another account was known before."""
    for before, opened in ((0, 90), (1, 101)):
        state, midnight = empty_state(1, 1, 1), SUNDAY_MS + DAY_MS
        step_mark(state, midnight - HOUR_MS, before)
        step_cash(state, 100)
        step_mark(state, midnight + HOUR_MS, 90)
        assert clock_of(state, codes.DAY_OPEN) == (opened,)


# --- what was bought and sold ----------------------------------------------------------------------------------------


class Fill(NamedTuple):
    i: int
    buys: bool
    lots: int
    value: int
    fee: int
    at_ms: int
    reason: int
    terms: tuple[int, int, int, int]  # strategy, stop, target, time to hold

    @property
    def flow(self) -> int:
        return (-self.value if self.buys else self.value) - self.fee


def trades(random: Random) -> list[Fill]:
    """Of three instruments, two of one coin; at times a sale is told after a newer one."""
    fills, held, now = list[Fill](), [0, 0, 0], SUNDAY_MS
    reasons = (codes.BY_SIGNAL, codes.BY_STOP, codes.BY_TRAILING, codes.BY_PARTIAL)
    for _ in range(random.randint(0, 14)):
        i, now = random.randrange(3), now + random.choice((0, 0, 1, HOUR_MS))
        buys = held[i] == 0 or random.random() < 0.3
        lots = random.randint(1, 9) if buys else random.choice((held[i], random.randint(1, held[i])))
        terms = random.randint(-1, 1), random.randint(1, 9), random.randint(1, 9), random.randint(0, 9)
        told_ms = now - random.choice((0, 0, 0, 1, 2 * HOUR_MS))
        value, fee = lots * random.randint(1, 4), random.choice((0, 0, 1))
        fills.append(Fill(i, buys, lots, value, fee, told_ms, random.choice(reasons), terms))
        held[i] += lots if buys else -lots
    return fills


def positions_of(fills: list[Fill]) -> tuple[list[list[Fill]], list[Fill]]:
    """An instrument's, from its first purchase to its last sale: those that are over, and the one that is not."""
    over, held = [list[Fill]()], 0
    for one in fills:
        over[-1].append(one)
        held += one.lots if one.buys else -one.lots
        if held == 0:
            over.append([])
    return over[:-1], over[-1]


def cost_of(position: list[Fill]) -> int:
    """Sales take along their part of what was paid, rounded down."""
    lots = cost = 0
    for one in position:
        cost += one.value if one.buys else -(cost * one.lots // lots)
        lots += one.lots if one.buys else -one.lots
    return cost


@given(st.integers(0, 2**32).map(Seeded))
@examples(200)
def test_positions_records_and_pauses_are_what_the_list_of_all_fills_says(random: Random) -> None:
    state, fills = empty_state(3, 2, 2), trades(random)
    for one in fills:
        state.peak[one.i] = state.deferred[one.i] = state.outcast_ms[one.i] = 7
        step_fill(state, one.i, ASSET[one.i], *one[1:7], *one.terms)
    assert state.cash[0] == sum(one.flow for one in fills)
    ended, record = list[list[Fill]](), np.zeros_like(state.record)
    for i in range(3):
        over, mine = positions_of([one for one in fills if one.i == i])
        ended += over
        assert state.lots[i] == sum(one.lots if one.buys else -one.lots for one in mine)
        assert (state.cost[i], state.flow[i]) == (cost_of(mine), sum(one.flow for one in mine))
        terms = [int(each[i]) for each in (state.strategy, state.stop_bps, state.target_bps, state.hold_ms)]
        assert terms == (list(mine[0].terms) if mine else [-1, 0, 0, 0]), "the first purchase sets them"
        assert state.opened_ms[i] == (mine[0].at_ms if mine else -1)
        assert state.parted[i] == any(not one.buys and one.reason == codes.BY_PARTIAL for one in mine)
        touched = 7 if mine else 0
        assert (state.peak[i], state.deferred[i], state.outcast_ms[i]) == (touched, touched, touched or -1)
    ended.sort(key=lambda one: index(fills, one[-1]))
    gains = [sum(one.flow for one in position) for position in ended]
    for position, gain in zip(ended, gains, strict=True):
        if position[0].terms[0] >= 0:
            told = (codes.WINS, codes.GAINED) if gain > 0 else (codes.LOSSES, codes.LOST)
            record[position[0].terms[0], position[0].i, told] += (1, abs(gain))
    assert (state.record == record).all()
    lost = [gain <= 0 for gain in gains]
    assert state.clock[codes.STREAK] == (lost[::-1].index(False) if False in lost else len(lost))
    assert state.clock[codes.LOSS_MS] == max(
        (p[-1].at_ms for p, bad in zip(ended, lost, strict=True) if bad), default=-1
    )
    stopped = [one[-1].at_ms for one in ended if one[-1].reason in (codes.BY_STOP, codes.BY_TRAILING)]
    assert state.halt[codes.STOPS :][: len(stopped) + 1].tolist() == [*stopped[::-1], -1]
    for asset in range(2):
        sales = [one for one in fills if ASSET[one.i] == asset and not one.buys]
        if sales:
            newest = max(one.at_ms for one in sales)
            last = [one for one in sales if one.at_ms == newest][-1]
            won = any(position[-1] is last and gain > 0 for position, gain in zip(ended, gains, strict=True))
            assert (state.exit_ms[asset], state.exit_reason[asset], state.exit_won[asset]) == (newest, last.reason, won)
        else:
            assert (state.exit_ms[asset], state.exit_reason[asset], state.exit_won[asset]) == (-1, 0, 0)


def index(fills: list[Fill], one: Fill) -> int:
    return next(n for n, each in enumerate(fills) if each is one)


def test_a_position_that_is_over_leaves_nothing_behind_and_touches_no_other() -> None:
    fresh, state = empty_state(3, 2, 2), empty_state(3, 2, 2)
    for each in state:
        if each.shape == (3,):
            each[:] = 7
    step_flat(state, 1)
    for name, each in state._asdict().items():
        if each.shape == (3,):
            assert each.tolist() == [7, int(getattr(fresh, name)[1]), 7], name


def test_a_ring_keeps_the_newest_hundred_and_touches_no_other() -> None:
    halt = empty_state(1, 1, 1).halt
    for n in range(codes.RING + 5):
        step_ring(halt, codes.ERRORS, n)
        step_ring(halt, codes.STOPS, 1_000 + n)
    for ring, first in ((codes.ERRORS, codes.RING + 4), (codes.STOPS, codes.RING + 1_004)):
        assert halt[ring : ring + codes.RING].tolist() == list(range(first, first - codes.RING, -1))
    assert halt[: codes.ERRORS].tolist() == empty_state(1, 1, 1).halt[: codes.ERRORS].tolist()


entries = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from([codes.BY_SIGNAL, codes.BY_SIGNAL, codes.BY_REPRICE, codes.BY_FALLBACK]),
        st.sampled_from([0, 1, HOUR_MS - 1, HOUR_MS, DAY_MS - HOUR_MS, DAY_MS]),
    ),
    max_size=10,
)  # fmt: skip


@given(entries, st.sets(st.integers(0, 2)))
@examples(80)
def test_new_entries_are_counted_by_hour_and_day_and_adds_by_asset(
    steps: list[tuple[int, int, int]], held: set[int]
) -> None:
    """What completes an entry is none, and only more of a position is an add."""
    state, new, now = empty_state(3, 2, 2), list[tuple[int, int]](), SUNDAY_MS
    state.lots[[*held]] = 1
    for i, reason, later_ms in steps:
        now += later_ms
        step_entered(state, i, ASSET[i], reason, now)
        if reason == codes.BY_SIGNAL:
            new.append((i, now))
    last = new[-1][1] if new else -1
    hour, day = (last // HOUR_MS, last // DAY_MS)
    assert clock_of(state, codes.ENTERED_MS, codes.HOUR, codes.ENTRY_DAY) == (last, hour, day)
    assert clock_of(state, codes.HOUR_ENTRIES, codes.DAY_ENTRIES) == (
        sum(at_ms // HOUR_MS == hour for _, at_ms in new), sum(at_ms // DAY_MS == day for _, at_ms in new),
    )  # fmt: skip
    for asset in range(2):
        mine = [(i, at_ms) for i, at_ms in new if ASSET[i] == asset]
        added = [at_ms // DAY_MS for i, at_ms in mine if i in held]
        assert state.entry_ms[asset] == (mine[-1][1] if mine else -1)
        assert (state.add_day[asset], state.adds[asset]) == ((added[-1], added.count(added[-1])) if added else (-1, 0))
