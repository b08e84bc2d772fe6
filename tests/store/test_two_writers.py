"""Two processes at one journal: what one wrote the other knows before it writes, or it writes nothing."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import StateLocked
from trader_core.domain.facts import Paused, Resumed
from trader_core.engine.journal import Journal
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
