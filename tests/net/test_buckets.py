"""Token buckets: the figures of the specification, the law of the rate, and the processes that share them."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.net.wire import RULES, Clock
from tests.shared import ROOT
from trader_core.domain.errors import RateLimited, StateUnusable
from trader_core.net.buckets import LEASE_MS, Buckets, Level, Rule, Urgency, filled, take
from trader_core.net.rows import LocalRows, Rows
from trader_core.store.buckets import SharedRows

FUTURES = Rule(rate=20, burst=50)
WHEN_MS = 1_700_000_000_000


def buckets(clock: Clock, rows: Rows | None = None, lines: list[str] | None = None) -> Buckets:
    told = [] if lines is None else lines
    return Buckets(RULES, rows or LocalRows(), clock.pause, clock.host_ms, told.append)


def test_the_figures_of_the_specification() -> None:
    """V9: 50 at once, then 1: wait 50 ms; 51 never; after 60 s of silence 50 again."""
    full = filled(None, FUTURES, WHEN_MS)
    empty, wait_ms = take(full, FUTURES, 50, 0)
    assert (empty.tokens, wait_ms) == (0.0, 0)
    assert take(empty, FUTURES, 1, 0) == (empty, 50)
    assert take(empty, FUTURES, 10, 0)[1] == 500
    with pytest.raises(ValueError, match="51"):
        take(full, FUTURES, 51, 0)
    with pytest.raises(ValueError, match="0"):
        take(full, FUTURES, 0, 0)
    assert filled(empty, FUTURES, WHEN_MS + 60_000).tokens == 50.0
    assert take(filled(empty, FUTURES, WHEN_MS + 50), FUTURES, 1, 0)[1] == 0


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    level = filled(Level(3.0, WHEN_MS), FUTURES, WHEN_MS - 60_000)
    assert (level.tokens, level.at_ms) == (3.0, WHEN_MS - 60_000)


def test_from_80_percent_on_routine_is_spread_out_from_90_exits_and_the_rest_is_for_kill() -> None:
    clock = Clock()
    gate = buckets(clock)
    at_once = {urgency: in_a_row(gate, clock, urgency) for urgency in (Urgency.ROUTINE, Urgency.EXIT, Urgency.KILL)}
    assert at_once == {Urgency.ROUTINE: 24, Urgency.EXIT: 3, Urgency.KILL: 3}
    assert gate.enter("private", Urgency.ROUTINE) == pytest.approx(0.7, abs=0.01)
    assert [gate.enter("private", Urgency.ROUTINE) for _ in range(3)] == pytest.approx([0.1] * 3, abs=0.01)


def in_a_row(gate: Buckets, clock: Clock, urgency: Urgency) -> int:
    """How many go before the first has to wait."""
    before = clock.now_ms
    for count in range(100):
        try:
            gate.enter("private", urgency, max_wait_s=0)
        except RateLimited:
            assert clock.now_ms == before
            return count
    raise AssertionError("nobody ever waits")


def test_a_wait_that_is_too_long_is_refused_and_costs_no_token() -> None:
    clock = Clock()
    gate = buckets(clock)
    in_a_row(gate, clock, Urgency.ROUTINE)
    for _ in range(5):
        with pytest.raises(RateLimited) as refused:
            gate.enter("private", Urgency.ROUTINE, max_wait_s=0.05)
    assert refused.value.exit_code == 31
    assert gate.enter("private", Urgency.ROUTINE) == pytest.approx(0.1, abs=0.01)


def test_when_the_venue_asks_for_silence_only_kill_speaks() -> None:
    clock, rows = Clock(), LocalRows()
    gate = buckets(clock, rows)
    for _ in range(2):  # the second time with a block, of which something is over
        gate.enter("private", Urgency.ROUTINE)
    gate.rest("private", 5)
    gate.rest("private", 1)  # which ends no sooner what was asked for before
    with pytest.raises(RateLimited):
        gate.enter("private", Urgency.ROUTINE, max_wait_s=4.9)
    other = buckets(clock, rows)
    assert other.enter("private", Urgency.KILL) == 0
    assert other.enter("private", Urgency.EXIT) == pytest.approx(5)


def test_no_row_can_silence_us_for_ever() -> None:
    clock = Clock()
    rows = LocalRows()
    rows.change("bucket private", lambda old: (json.dumps([30.0, clock.now_ms, clock.now_ms + 10**9]), None))
    for _ in range(5):
        with pytest.raises(RateLimited):
            buckets(clock, rows).enter("private", Urgency.ROUTINE)
        clock.pause(10)
    assert buckets(clock, rows).enter("private", Urgency.ROUTINE) == 10


@pytest.mark.parametrize(
    "row", ["", "[]", "{}", "null", "[NaN, 1, 1]", '["x", 1, 1]', "[1e999, 1, 1]", "[1, 1e999, 1]"]
)
def test_a_row_that_cannot_be_read_is_an_empty_bucket(row: str) -> None:
    clock = Clock()
    rows = LocalRows()
    rows.change("bucket private", lambda old: (row, None))
    assert buckets(clock, rows).enter("private", Urgency.KILL) == pytest.approx(0.1)


@pytest.mark.parametrize("every_s", [0.11, 0.24, 0.333, 0.5])
def test_who_stays_below_the_rate_never_waits(every_s: float) -> None:
    """Whatever is leased in blocks and not used."""
    clock = Clock()
    gate = buckets(clock)
    for _ in range(400):
        assert gate.enter("private", Urgency.ROUTINE) == 0
        clock.pause(every_s)


def test_leases_are_taken_in_blocks_only_by_who_is_busy() -> None:
    clock, rows = Clock(), LocalRows()
    gate = buckets(clock, rows)

    def left() -> float:
        return rows.change("bucket private", lambda old: (old or "", float(json.loads(old or "")[0])))

    seen = []
    for _ in range(6):
        gate.enter("private", Urgency.ROUTINE)
        seen.append(left())
    assert seen == [29, 25, 25, 25, 25, 21]


def test_what_is_over_of_old_leases_is_worth_nothing() -> None:
    clock, rows = Clock(), LocalRows()
    gates = [buckets(clock, rows) for _ in range(5)]
    for gate in gates * 2:
        gate.enter("private", Urgency.ROUTINE)
    clock.pause(60)
    assert sum(in_a_row(gate, clock, Urgency.KILL) for gate in gates) == 30


pauses = st.sampled_from([0] * 15 + [200, 400, 4_000])
steps = st.lists(st.tuples(st.integers(0, 2), pauses, st.sampled_from(Urgency)), min_size=40, max_size=160)


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(steps)
def test_no_span_of_time_sees_more_than_burst_and_rate(steps: list[tuple[int, int, Urgency]]) -> None:
    """Whoever asks, however urgently, whichever process: the law of the module's first lines."""
    clock, rows, sent = Clock(), LocalRows(), []
    gates = [buckets(clock, rows) for _ in range(3)]
    for gate, pause_ms, urgency in steps:
        clock.now_ms += pause_ms
        gates[gate].enter("private", urgency)
        sent.append(clock.now_ms)
    assert_law(sent, RULES["private"])


def assert_law(sent_ms: list[int], rule: Rule, slack_ms: int = 1) -> None:
    for first in range(len(sent_ms)):
        for last in range(first, len(sent_ms)):
            span_ms = sent_ms[last] - sent_ms[first]
            allowed = rule.burst + rule.rate * (span_ms + LEASE_MS + slack_ms) / 1_000
            assert last - first + 1 <= allowed, (first, last, span_ms)


ASK = """
import sys, time
from pathlib import Path
from trader_core.net.buckets import Buckets, Rule, Urgency
from trader_core.store.buckets import SharedRows
lines = []
rows = SharedRows(Path(sys.argv[1]))
now_ms = lambda: time.time_ns() // 1_000_000
gate = Buckets({"fast": Rule(rate=100, burst=30)}, rows, time.sleep, now_ms, lines.append)
sys.stdin.readline()
until = time.monotonic() + 1.5
while time.monotonic() < until:
    gate.enter("fast", Urgency.ROUTINE)
    print(now_ms())
sys.exit(len(lines))
"""


def test_four_processes_together_never_pass_the_rate(tmp_path: Path) -> None:
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", ASK, str(tmp_path)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for one in asking:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    told = [one.communicate()[0] for one in asking]
    assert [one.returncode for one in asking] == [0] * 4
    sent = sorted(int(line) for text in told for line in text.split())
    assert_law(sent, Rule(rate=100, burst=30), slack_ms=30)  # between the token and the line another one may run
    assert all(text for text in told)
    assert len(sent) > 120
    assert max(later - earlier for earlier, later in pairwise(sent)) < 1_000


def locked(folder: Path) -> sqlite3.Connection:
    SharedRows(folder).change("x", lambda old: ("1", None))
    db = sqlite3.connect(folder / "buckets.db", isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    return db


def garbled(folder: Path) -> None:
    (folder / "buckets.db").write_bytes(b"no database at all" * 300)


def a_folder(folder: Path) -> None:
    (folder / "buckets.db").mkdir()


def full(folder: Path) -> None:
    """It takes no row more: a write fails half-way, as on a full disk."""
    with closing(SharedRows(folder)) as rows:
        rows.change("x", lambda old: ("1", None))
    with closing(sqlite3.connect(folder / "buckets.db")) as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON rows BEGIN SELECT RAISE(ABORT, 'disk is full'); END")


def not_there(folder: Path) -> None:
    folder.rmdir()
    folder.write_text("a file")


@pytest.mark.parametrize("spoil", [locked, garbled, a_folder, full, not_there])
def test_a_file_that_cannot_be_used_stops_nobody_for_long_and_that_is_told(
    spoil: Callable[[Path], object], tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    held, clock, lines = spoil(folder), Clock(), list[str]()
    gate = buckets(clock, SharedRows(folder, patience_ms=100), lines)
    started = time.monotonic()
    for _ in range(10):
        assert gate.enter("private", Urgency.KILL) == 0
    assert time.monotonic() - started < 0.5
    assert "buckets.db" in lines[0]
    if isinstance(held, sqlite3.Connection):
        held.close()


def test_the_file_is_used_again_when_it_can_be(tmp_path: Path) -> None:
    garbled(tmp_path)
    rows = SharedRows(tmp_path, patience_ms=100)
    with pytest.raises(StateUnusable, match="not a database") as refused:
        rows.change("x", lambda old: ("1", None))
    assert "delete" in refused.value.remedy
    (tmp_path / "buckets.db").unlink()
    rows = SharedRows(tmp_path)
    rows.change("x", lambda old: ("1", None))
    assert rows.change("x", lambda old: ("2", old)) == "1"


def test_a_file_that_is_deleted_beneath_who_counts_is_begun_anew(tmp_path: Path) -> None:
    ours, theirs = SharedRows(tmp_path), SharedRows(tmp_path)
    ours.change("x", lambda old: ("1", None))
    for one in tmp_path.glob("buckets.db*"):
        one.unlink()
    theirs.change("x", lambda old: ("2", None))
    assert ours.change("x", lambda old: ("3", old)) == "2"
    assert theirs.starting_with("x") == {"x": "3"}


def test_a_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    rows = SharedRows(tmp_path)
    rows.change("x", lambda old: ("1", None))
    with pytest.raises(ZeroDivisionError):
        rows.change("x", lambda old: (str(1 // 0), None))
    assert rows.change("x", lambda old: ("2", old)) == "1"


def test_threads_of_one_process_share_it_too(tmp_path: Path) -> None:
    rows = SharedRows(tmp_path)

    def count() -> None:
        for _ in range(50):
            rows.change("n", lambda old: (str(int(old or 0) + 1), None))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert rows.change("n", lambda old: (old or "", old)) == "400"
