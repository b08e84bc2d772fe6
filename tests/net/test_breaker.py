"""Breakers: the figures of the specification, and who may pass when."""

from pathlib import Path

import pytest

from tests.net.wire import Clock
from trader_core.domain.errors import StateUnusable, Unreachable
from trader_core.net.breaker import Breakers, Direction
from trader_core.net.rows import LocalRows, Rows, Step, T
from trader_core.store.buckets import SharedRows

ENTRIES, EXITS = Direction.ENTRIES, Direction.EXITS
LEASE_S = 20.0


def breakers(clock: Clock, rows: Rows, chance: float = 0.5, lines: list[str] | None = None) -> Breakers:
    told = [] if lines is None else lines
    return Breakers(rows, clock.host_ms, lambda: chance, told.append)


def call(one: Breakers, well: bool | None, direction: Direction = ENTRIES) -> None:
    one.tell(one.enter("orders", direction, LEASE_S), well)


def refused(one: Breakers, direction: Direction = ENTRIES) -> bool:
    try:
        one.enter("orders", direction, LEASE_S)
    except Unreachable:
        return True
    return False


def opened(clock: Clock, rows: Rows) -> Breakers:
    """Five failures at 0, 1, 2, 3 and 4 s."""
    one = breakers(clock, rows)
    for _ in range(5):
        call(one, False)
        clock.pause(1)
    clock.pause(-1)
    return one


def test_the_figures_of_the_specification() -> None:
    """V27: open from 4 s to 64 s, then one probe; if it fails open for 120 s; if it is well closed."""
    clock = Clock()
    one = opened(clock, LocalRows())
    clock.pause(59.999)
    assert refused(one)
    clock.pause(0.001)
    probe = one.enter("orders", ENTRIES, LEASE_S)
    assert probe.is_probe and refused(one)
    one.tell(probe, False)
    clock.pause(119.999)
    assert refused(one)
    clock.pause(0.001)
    call(one, True)
    assert one.closed("orders", ENTRIES)
    for _ in range(4):
        call(one, False)
    assert one.closed("orders", ENTRIES)
    call(one, False)
    clock.pause(59.999)
    assert refused(one)
    clock.pause(0.001)
    assert one.closed("orders", ENTRIES)


def test_the_time_doubles_up_to_a_quarter_of_an_hour() -> None:
    clock = Clock()
    one = opened(clock, LocalRows())
    waits = []
    for _ in range(6):
        before = clock.now_ms
        while refused(one):
            clock.pause(10)
        waits.append((clock.now_ms - before) // 1_000)
        clock.pause(LEASE_S)
        call(one, False)
    assert waits == [60, 120, 240, 480, 900, 900]


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 54), (0.5, 60), (1.0, 66)])
def test_it_is_shaken_by_a_tenth(chance: float, seconds: int) -> None:
    clock = Clock()
    one = breakers(clock, LocalRows(), chance)
    for _ in range(5):
        call(one, False)
    clock.pause(seconds - 1)
    assert refused(one)
    clock.pause(1)
    assert not refused(one)


def test_only_failures_in_a_row_open_it() -> None:
    one = breakers(Clock(), LocalRows())
    for well in (False, False, False, False, True, False, False, False, False, None, None):
        call(one, well)
    assert one.closed("orders", ENTRIES)


def test_a_process_that_dies_with_the_probe_blocks_nobody_for_long(tmp_path: Path) -> None:
    """V28. Another process, after a restart, reads the same file."""
    clock = Clock()
    opened(clock, SharedRows(tmp_path)).closed("orders", ENTRIES)
    clock.pause(60)
    assert breakers(clock, SharedRows(tmp_path)).enter("orders", ENTRIES, LEASE_S).is_probe
    later = breakers(clock, SharedRows(tmp_path))
    clock.pause(LEASE_S - 0.001)
    assert refused(later)
    clock.pause(0.001)
    assert later.enter("orders", ENTRIES, LEASE_S).is_probe


def test_a_probe_that_was_never_made_is_free_again() -> None:
    clock = Clock()
    one = opened(clock, LocalRows())
    clock.pause(60)
    call(one, None)
    assert one.enter("orders", ENTRIES, LEASE_S).is_probe


def test_a_call_that_began_before_it_opened_decides_nothing() -> None:
    clock = Clock()
    rows = LocalRows()
    old = breakers(clock, rows).enter("orders", ENTRIES, LEASE_S)
    one = opened(clock, rows)
    one.tell(old, True)
    assert refused(one)


def test_exits_have_one_of_their_own_that_tries_every_five_seconds() -> None:
    clock = Clock()
    one = opened(clock, LocalRows())
    for _ in range(9):
        call(one, False, EXITS)
    assert not refused(one, EXITS)
    call(one, False, EXITS)
    for _ in range(3):
        assert refused(one, EXITS)
        clock.pause(5)
        call(one, False, EXITS)
    assert refused(one, ENTRIES)


def test_a_clock_that_goes_back_keeps_it_open_no_longer_than_it_would_be() -> None:
    clock = Clock()
    one = opened(clock, LocalRows())
    clock.pause(-86_400)
    assert refused(one)
    clock.pause(60)
    assert not refused(one)


class Broken:
    """Rows that nobody can use."""

    def change(self, key: str, step: Step[T]) -> T:
        raise StateUnusable("the disk is gone")


def garbled(text: str) -> Rows:
    rows = LocalRows()
    for direction in Direction:
        rows.change(f"breaker orders {direction}", lambda old: (text, None))
    return rows


@pytest.mark.parametrize(
    "rows", [Broken(), *(garbled(text) for text in ("", "[]", "null", "{}x", '{"failures": "9"}', '{"until_ms": -1}'))]
)
def test_what_nobody_knows_is_closed_to_entries_and_open_to_exits(rows: Rows) -> None:
    lines: list[str] = []
    one = breakers(Clock(), rows, lines=lines)
    assert refused(one) and not one.closed("orders", ENTRIES)
    for _ in range(12):
        if not refused(one, EXITS):
            call(one, True, EXITS)
    assert lines and not refused(one, EXITS)
