"""Two processes at one journal: what one wrote the other knows before it writes, or it writes nothing."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import StateLocked
from trader_core.domain.facts import Paused, Resumed
from trader_core.domain.grant import Revoked
from trader_core.domain.incident import IncidentStarted
from trader_core.domain.policy import PolicyVersion
from trader_core.engine.journal import Journal
from trader_core.store.grants import Permits
from trader_core.store.logbook import Logbook
from trader_core.store.policies import PolicyStore
from trader_core.store.sqlite import SqliteStore

AT = EpochMs(1_700_000_000_000)


@contextmanager
def two(path: Path) -> Iterator[tuple[Journal, Journal]]:
    identity = {"mode": "PAPER"}
    with closing(SqliteStore(path, identity)) as one, closing(SqliteStore(path, identity)) as other:
        yield Journal(one), Journal(other)


def test_who_follows_knows_what_the_other_wrote_and_writes_behind_it(tmp_path: Path) -> None:
    with two(tmp_path / "paper.db") as (loop, person):
        person.record(AT, [Paused("to look", AT)])
        assert (loop.is_behind, loop.book.paused) == (True, "")
        loop.follow()
        assert (loop.is_behind, loop.book, loop.rows) == (False, person.book, person.rows)
        loop.record(AT, [Resumed("seen", AT)])
        assert person.is_behind
    with closing(SqliteStore(tmp_path / "paper.db", None)) as store:
        assert not Journal(store).book.paused, "the chain holds"


def test_who_does_not_follow_writes_nothing_and_says_so(tmp_path: Path) -> None:
    with two(tmp_path / "paper.db") as (loop, person):
        person.record(AT, [Paused("to look", AT)])
        rows = loop.rows
        with pytest.raises(StateLocked, match="meanwhile"):
            loop.record(AT, [Paused("too", AT), Resumed("too", AT)])
        assert (loop.rows, loop.is_behind) == (rows, True)
        loop.follow()
        assert loop.book.paused == "to look"


# --- small files with a chain of their own ---------------------------------------------------------------------------

WRITES = 60


def granting(place: Path) -> tuple[Callable[[int], object], Callable[[], int]]:
    permits = Permits(place)
    return lambda n: permits.append(Revoked(AT, f"the {n}th"), n), lambda: len(Permits(place).facts())


def noting(place: Path) -> tuple[Callable[[int], object], Callable[[], int]]:
    book = Logbook(place)
    started = IncidentStarted(1, "a fire", "somebody", AT)
    return lambda n: book.append(lambda facts: started, n), lambda: len(Logbook(place).facts())


def tightening(place: Path) -> tuple[Callable[[int], object], Callable[[], int]]:
    store, reader = PolicyStore(place, "PAPER"), PolicyStore(place, "PAPER")

    def read() -> int:
        found = reader.read()
        assert not found.note, found.note
        return len(found.versions)

    return lambda n: store.append(PolicyVersion(n + 2, AT, AT, "somebody", "a test", ())), read


@pytest.mark.parametrize("kind", [granting, noting, tightening])
def test_who_reads_while_somebody_writes_sees_a_file_that_is_whole(
    tmp_path: Path, kind: Callable[[Path], tuple[Callable[[int], object], Callable[[], int]]]
) -> None:
    write, read = kind(tmp_path)
    seen = [0]
    with ThreadPoolExecutor(1) as beside:
        writing = beside.submit(lambda: [write(n) for n in range(WRITES)])
        while not writing.done():
            seen.append(read())
        writing.result()
    assert read() == WRITES and seen == sorted(seen)
