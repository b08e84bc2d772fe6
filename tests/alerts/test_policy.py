"""What is told of an alert, and when: T23, and the laws behind it. Time is an argument."""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader_core.alerts.policy import (
    BACKWARDS_MS,
    Rules,
    acknowledged,
    due,
    is_closed,
    raised,
    resolved,
    told,
    wakes_ms,
)
from trader_core.alerts.text import notice_of
from trader_core.domain.alert import Alarm, Alert, Kind, Severity
from trader_core.domain.values import replace

INFO, WARNING, CRITICAL = Severity
RULES = Rules(dedupe_ms=60_000, escalate_ms=120_000, remind_ms=1_800_000, least=INFO)
LOUD = (Kind.OPENED, Kind.REMINDED)  # what is told of an alert that has not changed


def alarm(what: str = "it lost 5 %", severity: Severity = WARNING, **other: object) -> Alarm:
    made = Alarm("losing_position", "BTC-USD", severity, what, None, "1 position", "its stop rests", "trader positions")
    return replace(made, **other)  # type: ignore[arg-type]


@dataclass
class Story:
    """One fingerprint over time, and everything that was told of it: (when, kind, severity)."""

    rules: Rules = RULES
    alert: Alert | None = None
    older: list[Alert] = field(default_factory=list)
    told: list[tuple[int, Kind, Severity]] = field(default_factory=list)

    def look(self, now_ms: int) -> None:
        """As the outbox does: whatever is due becomes a notice."""
        alerts = [*self.older, *([self.alert] if self.alert else [])]
        for n, alert in enumerate(alerts):
            while kind := due(alert, self.rules, now_ms):
                alert, severity = told(alert, kind, now_ms)
                self.told.append((now_ms, kind, severity))
            alerts[n] = alert
        self.older, self.alert = alerts[:-1], alerts[-1] if alerts else None

    def raise_(self, now_ms: int, what: Alarm | None = None) -> None:
        before = self.alert
        self.alert = raised(before, what or alarm(f"it lost {now_ms} %"), now_ms)
        if before and is_closed(before):
            self.older.append(before)
        self.look(now_ms)

    def resolve(self, now_ms: int) -> None:
        if self.alert:
            self.alert = resolved(self.alert, now_ms)
        self.look(now_ms)

    def acknowledge(self, now_ms: int) -> None:
        if self.alert:
            self.alert = acknowledged(self.alert, now_ms)
        self.look(now_ms)


def test_t23_a_hundred_alarms_with_other_numbers_are_one_alert() -> None:
    story = Story()
    for second in range(100):
        story.raise_(second * 500)
    assert story.told == [(0, Kind.OPENED, WARNING)]
    assert story.alert and story.alert.count == 100
    story.look(119_999)
    assert len(story.told) == 1, "not yet two minutes"
    story.look(120_000)
    assert story.told[1:] == [(120_000, Kind.ESCALATED, CRITICAL)], "a level higher, and nobody raised it again"
    story.look(1_000_000)
    story.resolve(1_000_001)
    story.look(90_000_000)
    assert story.told[2:] == [(1_000_001, Kind.OVER, CRITICAL)], "resolving closes it, and is told once"


@pytest.mark.parametrize("every_ms", [1_000, 20_000, 60_000])
def test_t23_of_events_with_other_numbers_one_is_told_in_each_window(every_ms: int) -> None:
    story = Story()
    for n in range(100):
        story.raise_(n * every_ms, alarm(f"sold at {n}", is_event=True))
    windows = [at_ms // 60_000 for at_ms, _, _ in story.told]
    assert windows == sorted(set(windows))
    assert len(windows) == -(-100 * every_ms // 60_000), "and one in each"
    assert {kind for _, kind, _ in story.told} == {Kind.OPENED}, "an event is over by itself"


def test_who_acknowledges_is_left_alone_until_it_becomes_worse() -> None:
    story = Story()
    story.raise_(0)
    story.acknowledge(1_000)
    story.raise_(200_000)
    story.look(10_000_000)
    assert [kind for _, kind, _ in story.told] == [Kind.OPENED]
    story.raise_(10_000_001, alarm(severity=CRITICAL))
    assert story.told[1:] == [(10_000_001, Kind.WORSE, CRITICAL)], "at once"
    story.look(10_120_001)
    assert story.told[2:] == [(10_120_001, Kind.ESCALATED, CRITICAL)], "it has to be acknowledged again"


def test_worse_is_told_although_the_escalation_had_said_as_much() -> None:
    story = Story()
    story.raise_(0)
    story.look(120_000)
    story.raise_(130_000, alarm("now it really is", severity=CRITICAL))
    assert [one[1:] for one in story.told] == [
        (Kind.OPENED, WARNING), (Kind.ESCALATED, CRITICAL), (Kind.WORSE, CRITICAL),
    ]  # fmt: skip


def test_it_reminds_every_half_an_hour_and_where_told_so_never() -> None:
    story, silent = Story(), Story(replace(RULES, remind_ms=0))
    for one in (story, silent):
        one.raise_(0)
        for minute in range(0, 125):
            one.look(minute * 60_000)
    assert [at_ms // 60_000 for at_ms, kind, _ in story.told if kind is Kind.REMINDED] == [32, 62, 92, 122]
    assert {severity for _, kind, severity in story.told if kind is Kind.REMINDED} == {CRITICAL}
    assert [kind for _, kind, _ in silent.told] == [Kind.OPENED, Kind.ESCALATED]


def test_what_cannot_be_hurried_is_not_escalated() -> None:
    story = Story()
    story.raise_(0, alarm(escalates=False))
    story.look(1_000_000)
    assert [kind for _, kind, _ in story.told] == [Kind.OPENED]
    story.look(1_800_000)
    assert story.told[1:] == [(1_800_000, Kind.REMINDED, WARNING)]


def test_what_comes_and_goes_is_told_once_a_minute_and_what_nobody_heard_of_is_over_silently() -> None:
    story = Story()
    for n in range(60):
        story.raise_(n * 2_000)
        story.resolve(n * 2_000 + 1_000)
    opened = [at_ms for at_ms, kind, _ in story.told if kind is Kind.OPENED]
    assert opened == [0, 60_000]
    assert [kind for _, kind, _ in story.told].count(Kind.OVER) == 2


@pytest.mark.parametrize("is_event", [True, False])
def test_what_was_over_and_comes_back_worse_is_told_at_once(is_event: bool) -> None:
    """A quote of something that is held grows old, seconds after others were fresh again."""
    story = Story()
    for at_ms, severity in ((0, WARNING), (20_000, WARNING), (30_000, CRITICAL), (40_000, CRITICAL)):
        story.raise_(at_ms, alarm(severity=severity, is_event=is_event))
        story.resolve(at_ms + 1_000)
    opened = [(at_ms, severity) for at_ms, kind, severity in story.told if kind is Kind.OPENED]
    assert opened == [(0, WARNING), (30_000, CRITICAL)]


def test_a_clock_that_went_back_silences_nothing() -> None:
    story = Story()
    story.raise_(10_000_000)
    story.look(1_000)
    assert [kind for _, kind, _ in story.told] == [Kind.OPENED, Kind.ESCALATED], "nobody knows how long it has been"
    moved = Story()
    moved.raise_(10_000_000)
    moved.look(10_000_000 - BACKWARDS_MS)
    assert [kind for _, kind, _ in moved.told] == [Kind.OPENED], "a minute is no such step"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 90_000), st.sampled_from(["raise", "worse", "resolve", "ack", "look"]),
        ),
        max_size=60,
    )
)  # fmt: skip
def test_laws_of_whatever_happens(steps: list[tuple[int, str]]) -> None:
    story, now_ms = Story(), 0
    for wait_ms, what in steps:
        now_ms += wait_ms
        if what in ("raise", "worse"):
            story.raise_(now_ms, alarm(f"{now_ms}", CRITICAL if what == "worse" else WARNING))
        elif what == "resolve":
            story.resolve(now_ms)
        elif what == "ack":
            story.acknowledge(now_ms)
        else:
            story.look(now_ms)
        if story.alert:
            at_ms = wakes_ms(story.alert, RULES)
            assert due(story.alert, RULES, now_ms) is None, "what is due is told at once"
            assert at_ms is None or due(story.alert, RULES, at_ms) is not None, "it wakes for something"
            assert at_ms is None or at_ms > now_ms
    loud = [one for one in story.told if one[1] in LOUD]
    worse = [at_ms for at_ms, kind, severity in loud if (kind, severity) == (Kind.OPENED, CRITICAL)]
    usual = [later[0] - earlier[0] for earlier, later in pairwise(loud) if later[0] not in worse]
    assert all(gap_ms >= RULES.dedupe_ms for gap_ms in (*usual, *(two - one for one, two in pairwise(worse))))
    ends = [kind for _, kind, _ in story.told if kind is Kind.OVER]
    assert len(ends) <= sum(kind is Kind.OPENED for _, kind, _ in story.told)


def test_the_words_are_what_since_exposure_done_next_and_never_too_many() -> None:
    story = Story()
    story.raise_(1_732_000_000_000, alarm("x" * 9_000, exposure="y" * 9_000, remedy="trader kill"))
    assert story.alert
    notice = notice_of(7, "LIVE", Path("/my state"), story.alert, Kind.OPENED, WARNING)
    assert notice.title == "WARNING trader LIVE losing_position BTC-USD"
    assert len(notice.title) + len(notice.body) < 4_096
    lines = notice.body.splitlines()
    names = [line.partition(":")[0] for line in lines[1:6]]
    assert names == ["since", "exposure now", "already done", "next", "acknowledge"]
    assert "since: 2024-11-19T07:06:40Z" in lines
    assert lines[-2:] == ["acknowledge: trader alerts ack 7 --state '/my state'", "alert 7"]
