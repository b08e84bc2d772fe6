"""Pacing counts by absolute hours, days and weeks, so each is forgotten exactly once, in both books alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.make import AXES, FOUR, START
from tests.laws.test_gate_independence import ETH, base
from tests.laws.test_gates import judged
from tests.laws.test_two_books import approved, filled, flow, marked, told
from tests.laws.worlds import ints
from trader_core.domain.clocktime import DAY_MS, HOUR_MS, MINUTE_MS, EpochMs, week_index
from trader_core.domain.facts import Closed, Fact, Intended
from trader_core.domain.instrument import Instrument
from trader_core.domain.money import E8
from trader_core.domain.order import OrderKind, OrderStatus, Role
from trader_core.domain.values import replace
from trader_core.ledger.fold import LATE_MS
from trader_core.ledger.integers import step, to_state
from trader_core.rulebook.account import week_of
from trader_core.rulebook.codes import DAY_OPEN, NEVER, WEEK_OPEN, Verdict
from trader_core.rulebook.state import State

PAUSE_MS = 60 * MINUTE_MS


def entry(n: int, at_ms: int, one: Instrument = FOUR[ETH], reason: str = "signal") -> list[Fact]:
    """An entry that is decided, and never fills."""
    terms = approved(one, Role.ENTRY, 9, reason=reason)
    return [
        Intended(f"e{n}", terms, EpochMs(at_ms)), Closed(f"e{n}", OrderStatus.CANCELED, "", EpochMs(at_ms)),
    ]  # fmt: skip


def position(n: int, at_ms: int, bought: int, sold: int) -> list[Fact]:
    """A position from purchase to sale, at these prices in ticks, without fees."""
    one = FOUR[ETH]
    buy = replace(approved(one, Role.ENTRY, 9, bought, OrderKind.TAKER), expires_ms=EpochMs(at_ms))
    sell = approved(one, Role.EXIT, 9, sold, OrderKind.TAKER, "target")
    return [
        Intended(f"b{n}", buy, EpochMs(at_ms)), filled(f"b{n}", buy, 2 * n, 9, bought, 0, at_ms),
        Intended(f"s{n}", sell, EpochMs(at_ms)), filled(f"s{n}", sell, 2 * n + 1, 9, sold, 0, at_ms),
    ]  # fmt: skip


def state_after(*facts: Fact) -> State:
    return to_state(told(flow(1_000), *facts), AXES)


def measured(state: State, verdict: Verdict, now_ms: int, **pacing: int) -> tuple[float, bool]:
    """(value, whether closed) of one gate at a time."""
    scene = base()
    law = scene.law._replace(pacing=scene.law.pacing._replace(**pacing))
    _, _, trace = judged(scene._replace(law=law, state=state, columns=scene.columns._replace(at_ms=ints(now_ms))))
    return float(trace[verdict - 1, 0]), bool(trace[verdict - 1, 2] == verdict)


gaps = st.sampled_from([0, 1, 15 * MINUTE_MS, HOUR_MS - 1, HOUR_MS, DAY_MS - HOUR_MS, DAY_MS, DAY_MS + 1, 8 * DAY_MS])


@given(
    st.lists(st.tuples(gaps, st.sampled_from(["signal", "signal", "fallback", "reprice"])), min_size=1, max_size=9),
    gaps,
)
@examples(80)
def test_entries_are_counted_in_their_own_hour_and_day_and_in_no_other(
    steps: list[tuple[int, str]], later: int
) -> None:
    """Also after a pause of a day, when the hour has the same number; what completes an entry is not a new one."""
    facts: list[Fact] = []
    now, new = int(START) + 7 * HOUR_MS, []
    for n, (gap, reason) in enumerate(steps):
        now += gap
        facts += entry(n, now, reason=reason)
        new += [now] if reason == "signal" else []
    state, now = state_after(*facts), now + later
    for verdict, length in ((Verdict.HOUR_ENTRIES, HOUR_MS), (Verdict.DAY_ENTRIES, DAY_MS)):
        so_far = sum(one // length == now // length for one in new)
        assert measured(state, verdict, now) == (so_far + 1, so_far + 1 > (3 if length == HOUR_MS else 9))
    last = new[-1] if new else NEVER
    waits = max(last + MINUTE_MS - now, 0) / 1e3 if 0 <= last < now else 0
    assert measured(state, Verdict.SPACING, now) == (waits, waits > 0)


def test_a_day_s_pause_with_the_same_hour_number_forgets_the_hour_and_a_full_hour_is_kept_to_its_end() -> None:
    at = START + 7 * HOUR_MS
    state = state_after(*(fact for n in range(3) for fact in entry(n, at)))
    closed = [measured(state, Verdict.HOUR_ENTRIES, at + later)[1] for later in (0, HOUR_MS - 1, HOUR_MS, DAY_MS)]
    assert closed == [True, True, False, False]
    state = state_after(*(fact for n in range(9) for fact in entry(n, at)))
    closed = [measured(state, Verdict.DAY_ENTRIES, at + later)[1] for later in (0, 17 * HOUR_MS - 1, 17 * HOUR_MS)]
    assert closed == [True, True, False]


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(0, 2 * PAUSE_MS))
@examples(60)
def test_a_losing_streak_is_the_losses_since_the_last_gain_and_pauses_from_its_last(
    wins: list[bool], later: int
) -> None:
    facts = [
        fact for n, won in enumerate(wins) for fact in position(n, START + n * HOUR_MS, 10**6, 10**6 + 2 * won - 1)
    ]
    state, last = state_after(*facts), len(wins) - 1
    streak = next((n for n, won in enumerate(reversed(wins)) if won), len(wins))
    losses = [n for n, won in enumerate(wins) if not won]
    now = START + last * HOUR_MS + later
    left = (START + losses[-1] * HOUR_MS + PAUSE_MS - now) if streak >= 3 else 0
    assert measured(state, Verdict.LOSING_STREAK, now, streak_pause_ms=PAUSE_MS) == (max(left, 0) / 1e3, left > 0)


def test_a_position_sold_for_what_it_cost_has_not_won() -> None:
    book = told(flow(1_000), *position(0, START, 10**6, 10**6))
    assert book.pacing.losing_streak == 1
    assert not book.exits["ETH"].won
    assert told(flow(1_000), *position(0, START, 10**6, 10**6 + 1)).exits["ETH"].won


@pytest.mark.parametrize(("reason", "won", "minutes"), [
    ("stop", False, 120), ("stop", True, 120), ("trailing", True, 10), ("trailing", False, 60), ("target", True, 10),
    ("signal", False, 60), ("time", True, 10), ("time", False, 60),
])  # fmt: skip
def test_an_asset_rests_by_the_outcome_of_its_sale(reason: str, won: bool, minutes: int) -> None:
    facts = position(0, START, 10**6, 10**6 + (1 if won else -1))
    sell = approved(FOUR[ETH], Role.EXIT, 9, 10**6, OrderKind.TAKER, reason)
    facts[2] = Intended("s0", sell, EpochMs(START))
    state, end = state_after(*facts), START + minutes * MINUTE_MS
    assert [measured(state, Verdict.COOLDOWN, at) for at in (end - 1, end)] == [(0.001, True), (0.0, False)]


def test_adds_are_counted_by_asset_and_utc_day_and_only_of_what_is_held() -> None:
    """Bitcoin's two pairs are one asset; the first purchase of each is no add."""
    usd, usdc = FOUR[0], FOUR[1]
    at = START + 23 * HOUR_MS
    bought = approved(usd, Role.ENTRY, 9, 10**6, OrderKind.TAKER)
    facts: list[Fact] = [Intended("b", bought, EpochMs(at)), filled("b", bought, 0, 9, 10**6, 0, at)]
    adds = [
        told(flow(1_000), *facts, *more).entries["BTC"].adds
        for more in (
            [], entry(1, at, usd), [*entry(1, at, usd), *entry(2, at + 1, usd)], entry(1, at, usdc),
            [*entry(1, at, usd), *entry(2, at + HOUR_MS, usd)], entry(1, at, usd, "fallback"),
        )
    ]  # fmt: skip
    assert adds == [0, 1, 2, 0, 1, 0]


def test_adds_of_yesterday_are_forgotten() -> None:
    at, one = START + 12 * HOUR_MS, FOUR[ETH]
    bought = approved(one, Role.ENTRY, 9, 10**6, OrderKind.TAKER)
    facts: list[Fact] = [Intended("b", bought, EpochMs(at)), filled("b", bought, 0, 9, 10**6, 0, at)]
    state = state_after(*facts, *entry(1, at), *entry(2, at))
    assert [measured(state, Verdict.ADDS_PER_DAY, at + later) for later in (0, 12 * HOUR_MS - 1, 12 * HOUR_MS)] == [
        (3.0, True), (3.0, True), (1.0, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "late_ms", "opened"), [
        (6, 0, [90, 90]), (6, LATE_MS, [90, 90]), (6, LATE_MS + 1, [100, 100]), (6, 9 * HOUR_MS, [100, 100]),
        (5, 9 * HOUR_MS, [100, 100]), (4, DAY_MS + 9 * HOUR_MS, [90, 100]), (5, DAY_MS + 9 * HOUR_MS, [90, 90]),
    ],
)  # fmt: skip
def test_what_was_lost_over_midnight_is_a_loss_of_the_day_and_over_a_sunday_s_of_the_week(
    day: int, late_ms: int, opened: list[int]
) -> None:
    """Day 6 is a Sunday. What is marked on time opens anew, and so does what comes after a whole day of nothing."""
    evening, now = START + day * DAY_MS + 23 * HOUR_MS, START + (day + 1) * DAY_MS + late_ms
    facts = flow(100), marked(100, evening)
    before, after = told(*facts), marked(90, now)
    book, state = told(*facts, after), to_state(before, AXES)
    step(state, after, before, AXES)
    assert [book.day_open, book.week_open] == opened
    assert [int(state.clock[mark]) // E8 for mark in (DAY_OPEN, WEEK_OPEN)] == opened


@given(st.integers(0, 3_000 * DAY_MS), st.sampled_from([0, 1, HOUR_MS, DAY_MS - 1, DAY_MS, 3 * DAY_MS, 7 * DAY_MS]))
@examples(100)
def test_loss_windows_open_once_a_day_and_once_a_week_on_monday(at_ms: int, later: int) -> None:
    assert week_of(at_ms) == week_index(at_ms)
    book = told(flow(100), marked(100, at_ms), marked(90, at_ms + later))
    same_day, next_day = ((at_ms + later) // DAY_MS - at_ms // DAY_MS == days for days in (0, 1))
    late = next_day and (at_ms + later) % DAY_MS > LATE_MS  # a loss in the gap still counts
    assert book.day_open == (100 if same_day or late else 90)
    monday = START  # one of them
    same_week = (at_ms - monday) // (7 * DAY_MS) == (at_ms + later - monday) // (7 * DAY_MS)
    assert book.week_open == (100 if same_week or late else 90)
    assert book.high == 100
