"""What a decision was taken from is written down exactly, once, and small."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.program import Inside
from tests.laws.budget import examples
from tests.tampering import altered, rewritten
from tests.world import CONFIG
from trader_core.bootstrap import open_system
from trader_core.domain.facts import Decided
from trader_core.domain.inputs import GONE, Bar
from trader_core.domain.values import replace
from trader_core.engine.inputs import FIELDS, Recorder, Shelf, unread_in
from trader_core.engine.run import cycles
from trader_core.market.frame import Frame
from trader_core.settings.options import Options
from trader_core.store.files import StateFiles

BAR_MS, SYMBOLS = 900_000, ("A-USD", "B-USD", "C-USD")
QUIET_BYTES_MAX = 4096


def size(value: Any) -> int:
    """As SQLite stores it: what kind it is, and the bytes of it."""
    return 1 + (max(1, (value.bit_length() + 8) // 8) if isinstance(value, int) else len(value))


def test_a_quiet_cycle_with_what_it_was_taken_from_is_recorded_in_four_kilobytes(lived: Inside) -> None:
    with StateFiles(lived.state, "PAPER").reading() as store:
        sizes: dict[int, int] = {}
        kinds: dict[int, set[str]] = {}
        for row in store.rows():
            kinds.setdefault(row.cycle_id, set()).add(row.kind)
            sizes[row.cycle_id] = sizes.get(row.cycle_id, 0) + sum(map(size, row))
        refused = {number for (number,) in store.query("SELECT cycle_id FROM cycles WHERE refused > 0")}
        for table in ("inputs", "bars"):
            columns = f"SELECT j.cycle_id, t.* FROM {table} t JOIN journal j ON j.seq = t.seq"  # noqa: S608 - constant text
            for number, *cells in store.query(columns):
                sizes[number] += sum(map(size, cells))
    quiet = [one for one, seen in kinds.items() if seen == {"marked", "decided", "cycle_closed"} and one not in refused]
    assert len(quiet) > 10
    assert max(sizes[one] for one in quiet) <= QUIET_BYTES_MAX


def test_candles_and_documents_are_written_once(lived: Inside) -> None:
    with StateFiles(lived.state, "PAPER").reading() as store:
        ((rows, cells),) = store.query("SELECT count(*), count(DISTINCT symbol || open_ms) FROM bars")
        ((documents,),) = store.query("SELECT count(*) FROM documents")
        ((first,),) = store.query("SELECT count(*) FROM bars WHERE seq = (SELECT min(seq) FROM inputs)")
    assert rows == cells == first + 95 * 16
    assert documents == 3 + 2, "the policy, the instruments, the exclusions, and closes as often as a day went by"


# --- windows come back as they were seen -----------------------------------------------------------------------------


@dataclass
class Disk:
    """What a store keeps of candles."""

    told: list[Bar] = field(default_factory=list)

    def held(self, symbol: str, since_ms: int, until_ms: int) -> Iterable[Bar]:
        return [bar for bar in self.told if bar.symbol == symbol and since_ms <= bar.open_ms < until_ms]


Cell = st.one_of(st.none(), st.integers(1, 3))


@st.composite
def looks(draw: st.DrawFn) -> list[tuple[bool, tuple[str, ...], int, list[list[int | None]]]]:
    """(whether the process is a new one, symbols, first row of the window, its cells) one after another; the window's
    end never goes back, and what was seen before may be seen otherwise, or not at all."""
    found, end = [], 4
    for _ in range(draw(st.integers(1, 5))):
        end += draw(st.integers(0, 3))
        first = end - draw(st.integers(1, 4))
        symbols = tuple(draw(st.permutations(SYMBOLS))[: draw(st.integers(0, 3))])
        row = st.lists(Cell, min_size=len(symbols), max_size=len(symbols))
        cells = draw(st.lists(row, min_size=end - first, max_size=end - first))
        found.append((draw(st.booleans()), symbols, first, cells))
    return found


def frame_of(symbols: tuple[str, ...], first: int, cells: list[list[int | None]]) -> Frame:
    present = np.array([[one is not None for one in row] for row in cells], np.bool_).reshape(len(cells), len(symbols))
    values = np.array([[one or 0 for one in row] for row in cells], np.int64).reshape(present.shape)
    opened, high, low, close, volume = (values * n for n in range(1, 6))
    return Frame(symbols, first * BAR_MS, BAR_MS, opened, high, low, close, volume, present)


def same(one: Frame, other: Frame) -> bool:
    parts = ((getattr(one, name), getattr(other, name)) for name in (*FIELDS, "present"))
    head = (one.symbols, one.first_ms, one.bar_ms, one.mark_bars) == (
        other.symbols, other.first_ms, other.bar_ms, other.mark_bars,
    )  # fmt: skip
    return head and all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in parts)


@given(looks())
@examples(150)
def test_every_window_comes_back_as_it_was_seen_however_candles_were_told(seen: Any) -> None:
    disk, shelf = Disk(), Shelf(0, BAR_MS)
    recorder = Recorder(disk.held)
    for restarted, symbols, first, cells in seen:
        recorder = Recorder(disk.held) if restarted else recorder
        frame = frame_of(symbols, first, cells)
        news = recorder.news(frame)
        assert recorder.news(frame) == news, "what is not written yet is news again"
        disk.told += news
        recorder.written()
        assert recorder.news(frame) == ()
        shelf.put(news)
        assert same(shelf.frame(symbols, frame.first_ms, frame.rows, unread_in(frame)), frame)
        assert all(bar.volume == GONE or bar.volume == bar.open * 5 for bar in news)


def test_a_market_that_cannot_be_read_for_a_while_costs_no_candle_twice() -> None:
    disk = Disk()
    recorder = Recorder(disk.held)
    rows: list[list[int | None]] = [[1, 1], [2, 2], [3, 3]]
    disk.told += recorder.news(frame_of(("A-USD", "B-USD"), 0, rows))
    recorder.written()
    assert recorder.news(frame_of(("A-USD", "B-USD"), 0, [[one, None] for one, _ in rows])) == ()
    recorder.written()
    (new,) = recorder.news(frame_of(("A-USD", "B-USD"), 0, [*rows[:2], [3, 2]]))
    assert new == Bar("B-USD", 2 * BAR_MS, 2, 4, 6, 8, 10)


def test_a_bar_that_the_venue_takes_back_is_told_as_gone() -> None:
    disk = Disk()
    recorder = Recorder(disk.held)
    disk.told += recorder.news(frame_of(("A-USD",), 0, [[1], [2]]))
    recorder.written()
    (gone,) = recorder.news(frame_of(("A-USD",), 0, [[1], [None]]))
    assert gone == Bar("A-USD", BAR_MS, 0, 0, 0, 0, GONE)


# --- processes -------------------------------------------------------------------------------------------------------


def told(state: Path) -> tuple[list[Any], ...]:
    with StateFiles(state, "PAPER").reading() as store:
        decided = [(row.seq, row.cycle_id, fact) for row, fact in store.told() if isinstance(fact, Decided)]
        bars = store.query("SELECT * FROM bars ORDER BY symbol, open_ms, seq")
        return decided, bars, store.query("SELECT * FROM inputs ORDER BY seq")


def test_a_process_for_each_cycle_decides_and_records_what_one_process_does(lived: Inside, tmp_path: Path) -> None:
    options = Options(state=tmp_path, config=CONFIG, mode="PAPER", venue="simulated")
    count = 8
    for _ in range(count):
        with open_system(options) as system:
            assert len(list(cycles(system.ports, system.policy, system.journal, lambda: False, 1))) == 1
    decided, bars, inputs = told(tmp_path)
    known, all_bars, all_inputs = told(lived.state)
    assert decided == known[:count] and all(fact.inputs for *_, fact in decided)
    assert inputs == all_inputs[:count]
    assert bars == [row for row in all_bars if row[2] <= decided[-1][0]]


def test_what_looks_only_is_recorded_too(tmp_path: Path) -> None:
    options = Options(state=tmp_path, config=CONFIG, mode="DRY_RUN", venue="simulated")
    with open_system(options) as system:
        list(cycles(system.ports, system.policy, system.journal, lambda: False, 2))
    program = Inside(tmp_path)
    done = program("replay", "--all", "--state", tmp_path, "--json")
    assert (done.code, done.data["identical"]) == (0, 2)


TABLES_SINCE = ("shelved", "segments", "inputs", "bars", "documents", "checkpoint", "head")  # schema 3


# --- older states ----------------------------------------------------------------------------------------------------


def made_older(path: Path) -> None:
    """The state as schema 3 had it: nothing of what decisions were taken from, and no word of it in them."""
    rewritten(path, lambda fact: replace(fact, inputs="") if isinstance(fact, Decided) else fact)
    dropped = (f"DROP TABLE {one}" for one in TABLES_SINCE)
    altered(path, *dropped, "PRAGMA user_version = 3")


def test_an_older_state_goes_on_and_its_old_decisions_say_that_they_cannot_be_replayed(tmp_path: Path) -> None:
    options = Options(state=tmp_path, config=CONFIG, mode="PAPER", venue="simulated")
    with open_system(options) as system:
        list(cycles(system.ports, system.policy, system.journal, lambda: False, 2))
    made_older(tmp_path / "paper.db")
    program = Inside(tmp_path)
    early = program("decisions", "verify", "--state", tmp_path)
    assert early.code == 13 and f"trader run --state {tmp_path} brings it up to date" in early.err
    with open_system(options) as system:
        list(cycles(system.ports, system.policy, system.journal, lambda: False, 2))
    verified = program("decisions", "verify", "--state", tmp_path, "--json")
    assert (verified.code, verified.data["decisions"], verified.data["recorded"]) == (0, 4, 2)
    one = program("replay", "1", "--state", tmp_path)
    assert one.code == 13 and "cycle 1 was recorded without what it was taken from" in one.err
    every = program("replay", "--all", "--state", tmp_path, "--json")
    assert (every.code, every.data["identical"], every.data["without_inputs"]) == (0, 2, 2)
    assert every.document["warnings"]
    assert "not recorded, by an older trader" in program("decisions", "show", "2", "--state", tmp_path).out
