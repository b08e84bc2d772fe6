"""The file of permits: what was written is there, and what was changed by another hand allows nothing."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import StateUnusable
from trader_core.domain.grant import Granted, KeyActivated, KeyStaged, KeyVerified, LiveGrant, PermitFact, Revoked
from trader_core.store.grants import Permits

FACTS: tuple[PermitFact, ...] = (
    KeyStaged("key", EpochMs(1)),
    KeyVerified("key", "portfolio", EpochMs(2)),
    KeyActivated("key", "", "portfolio", EpochMs(3)),
    Granted(LiveGrant("digest", "key", "portfolio", Decimal("0.10000001"), EpochMs(4), EpochMs(9))),
    Revoked(EpochMs(5), "a reason, 'quoted' and \N{SNOWMAN}"),
)


@pytest.fixture
def permits(tmp_path: Path) -> Permits:
    made = Permits(tmp_path / "state")
    for at_ms, fact in enumerate(FACTS, 1):
        made.append(fact, at_ms)
    return made


def sql(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path)
    with db:
        for one in statements:
            db.execute(one)
    db.close()


def test_what_was_written_comes_back_in_order(permits: Permits) -> None:
    assert permits.facts() == FACTS


def test_an_empty_directory_has_no_permits_and_reading_makes_none(tmp_path: Path) -> None:
    assert Permits(tmp_path).facts() == ()
    assert list(tmp_path.iterdir()) == []


TAMPERED: dict[str, Callable[[Path], object]] = {
    "a longer life": lambda p: sql(p, "UPDATE permits SET body = replace(body, ',9,', ',99999999,') WHERE seq = 4"),
    "the revocation taken out": lambda p: sql(p, "DELETE FROM permits WHERE seq = 5"),
    "the revocation and its head": lambda p: sql(p, "DELETE FROM permits WHERE seq = 5", "DELETE FROM head"),
    "a head for fewer rows": lambda p: sql(p, "DELETE FROM permits WHERE seq = 5", "UPDATE head SET seq = 4"),
    "all of it taken out": lambda p: sql(p, "DELETE FROM permits"),
    "a row in the middle": lambda p: sql(p, "DELETE FROM permits WHERE seq = 2"),
    "the table": lambda p: sql(p, "DROP TABLE permits"),
    "another kind": lambda p: sql(p, "UPDATE permits SET kind = 'wished' WHERE seq = 5"),
    "no database": lambda p: p.write_bytes(b"granted!" * 999),
    "half of it": lambda p: p.write_bytes(p.read_bytes()[:5000]),
    "a directory": lambda p: p.rename(p.with_name("elsewhere")).with_name(p.name).mkdir(),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_file_that_was_changed_allows_nothing_and_takes_nothing(permits: Permits, how: str) -> None:
    for log in ("-wal", "-shm"):
        permits.path.with_name(permits.path.name + log).unlink(missing_ok=True)
    TAMPERED[how](permits.path)
    with pytest.raises(StateUnusable) as refused:
        permits.facts()
    assert str(permits.path) in refused.value.what
    assert refused.value.safe.startswith("nothing is signed")
    with pytest.raises(StateUnusable):
        permits.append(FACTS[0], 6)


def staged(directory: Path, name: str) -> None:
    for n in range(10):
        Permits(directory).append(KeyStaged(f"{name}{n}", EpochMs(n)), n)


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3) as pool:
        list(pool.map(staged, [tmp_path] * 3, "abc"))
    found = [fact.fingerprint for fact in Permits(tmp_path).facts() if isinstance(fact, KeyStaged)]
    assert sorted(found) == sorted(f"{name}{n}" for name in "abc" for n in range(10))
