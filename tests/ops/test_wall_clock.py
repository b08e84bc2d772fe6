"""Decisions come with the ends of bars, on a clock that really runs."""

from collections.abc import Callable
from threading import Timer
from time import monotonic

import pytest

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import VenueUnavailable
from trader_core.ops.clock import SETTLE_MS, STEP_MS, WallClock, host_ms

BAR_MS = 1_000


def clock(
    alarmed: Callable[[], bool] = lambda: False, waits: bool = True, until_ms: int | None = None, monitor_ms: int = 600
) -> WallClock:  # fmt: skip
    return WallClock(BAR_MS, host_ms, host_ms, alarmed, waits, monitor_ms, until_ms)


def newest() -> int:
    return (host_ms() - SETTLE_MS) // BAR_MS * BAR_MS


def test_it_waits_for_the_next_end_and_not_longer() -> None:
    after = newest()
    found = clock().next_decision_ms(after)
    assert found is not None and found > after
    assert 0 <= host_ms() - SETTLE_MS - found < BAR_MS + 500, "the venue has had its time to close the bar"


def test_what_was_missed_is_not_made_up_for() -> None:
    began = newest()
    found = clock().next_decision_ms(began - 100 * BAR_MS)
    assert found is not None and began <= found <= newest()


def test_without_waiting_the_last_end_comes_again() -> None:
    after = newest() + 60_000
    assert clock(waits=False).next_decision_ms(after) == after, "time never goes back"


class Leaping:
    """This machine's clock, which somebody sets, and what it takes for the venue's time since it asked."""

    def __init__(self) -> None:
        self.by_ms, self.offset_ms, self.asked, self.is_silent = 0, 0, 0, False
        self.clock = WallClock(BAR_MS, self.host_ms, self.seen_ms, lambda: False, True, 600, None, self.ask)

    def host_ms(self) -> EpochMs:
        return EpochMs(host_ms() + self.by_ms)

    def seen_ms(self) -> EpochMs:
        return EpochMs(self.host_ms() + self.offset_ms)

    def ask(self) -> None:
        self.asked += 1
        if self.is_silent:
            raise VenueUnavailable("no answer")
        self.offset_ms = -self.by_ms


@pytest.mark.parametrize("by_ms", [86_400_000, -86_400_000, STEP_MS + 500])
def test_a_clock_that_was_set_makes_no_decision_time_before_the_venue_was_asked(by_ms: int) -> None:
    leaping = Leaping()
    assert leaping.clock.next_decision_ms(0) and not leaping.asked
    for leaping.by_ms in (by_ms, 0):
        leaping.asked, began = 0, newest()
        found = leaping.clock.next_decision_ms(0)
        assert found is not None and began <= found <= newest() and leaping.asked == 1


def test_while_the_venue_does_not_tell_its_time_no_new_decision_time_comes() -> None:
    leaping, after = Leaping(), newest() - 60 * BAR_MS
    leaping.by_ms, leaping.is_silent, calls = 86_400_000, True, iter([False, True])
    assert leaping.clock.next_decision_ms(after, lambda: next(calls)) is None and leaping.asked == 2
    assert leaping.clock.next_decision_ms(after, is_due=lambda: True) == after, "what is held is cared for"
    leaping.clock.waits = False
    with pytest.raises(VenueUnavailable):
        leaping.clock.next_decision_ms(after)
    leaping.is_silent = False
    found = leaping.clock.next_decision_ms(after)
    assert found is not None and after < found <= newest()


def test_a_loop_makes_no_new_decision_time_by_our_own_clock_alone_before_the_venue_ever_answered() -> None:
    """As after a start without a network, where nothing has set the clock yet either."""
    asked, after = list[int](), newest() - 60 * BAR_MS

    def know() -> None:
        asked.append(len(asked))
        if len(asked) < 2:
            raise VenueUnavailable("no answer")

    starting = WallClock(BAR_MS, host_ms, host_ms, lambda: False, True, 0, know=know)
    assert starting.next_decision_ms(after, is_due=lambda: True) == after and asked == [0]
    found = starting.next_decision_ms(after)
    assert found is not None and after < found <= newest()


def test_whoever_gives_up_is_let_go() -> None:
    stopped: list[bool] = []
    Timer(0.2, lambda: stopped.append(True)).start()
    began = monotonic()
    assert clock().next_decision_ms(newest() + 3_600_000, lambda: bool(stopped)) is None
    assert monotonic() - began < 1.5


def test_an_alarm_ends_the_waiting_within_a_second_and_once() -> None:
    rings: list[bool] = []
    waiting = clock(alarmed=lambda: bool(rings))
    after = newest() + 3_600_000
    Timer(0.2, lambda: rings.append(True)).start()
    began = monotonic()
    assert waiting.next_decision_ms(after) == after
    assert monotonic() - began < 1.2
    calls = iter([False, True])
    assert waiting.next_decision_ms(after, lambda: next(calls)) is None, "the same alarm does not ring twice"


@pytest.mark.parametrize("over", [0, 5 * BAR_MS])
def test_at_the_end_of_the_period_it_is_over(over: int) -> None:
    assert clock(until_ms=newest() - over).next_decision_ms(0) is None


def test_what_is_due_is_asked_now_and_then_and_ends_the_waiting() -> None:
    asked: list[int] = []

    def is_due() -> bool:
        asked.append(host_ms())
        return len(asked) == 2

    after, began = newest() + 3_600_000, host_ms()
    assert clock(monitor_ms=600).next_decision_ms(after, is_due=is_due) == after, "the newest time comes again"
    first, second = asked
    assert 600 <= first - began < 1_600 and 600 <= second - first < 1_600
