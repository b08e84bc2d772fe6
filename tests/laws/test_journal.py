"""The journal gives back what was written, notices every change, and says in its own words why it will not open."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.tampering import altered
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.codec import from_json, to_json
from trader_core.domain.errors import JournalBroken, StateUnusable
from trader_core.domain.facts import FACTS, CashFlow, CycleClosed, Fact, HaltChanged
from trader_core.domain.fill import Fill
from trader_core.domain.halt import Halt, HaltState
from trader_core.domain.money import Quote
from trader_core.store.chain import Row, chained, verified
from trader_core.store.sqlite import APPLICATION_ID, Identity, SqliteStore

IDENTITY: Identity = {"mode": "PAPER", "venue": "simulated"}
texts = st.text(max_size=12)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12)
positive = st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=Decimal("1e-8"), max_value=10**12)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type."""
    while isinstance(kind, NewType):
        kind = kind.__supertype__
    if get_origin(kind) in (UnionType, Union):
        return st.one_of(*(st.none() if one is NoneType else values_of(one) for one in get_args(kind)))
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        if inner[-1] is Ellipsis:
            return st.lists(values_of(inner[0]), max_size=3).map(tuple)
        return st.tuples(*(values_of(one) for one in inner))
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    if kind in LEAVES:
        return LEAVES[kind]
    return objects(kind)


LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: texts,
    Decimal: decimals,
}


def objects(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a dataclass; a fill's own conditions are kept."""
    fields = {name: values_of(hint) for name, hint in get_type_hints(kind).items()}
    if kind is Fill:
        fields |= dict.fromkeys(("price", "quantity", "value", "fee"), positive)
        fields["trade_id"] = st.text(min_size=1, max_size=8)
    return st.builds(kind, **fields)


@pytest.mark.parametrize("kind", FACTS)
def test_every_kind_of_fact_comes_back_from_the_journal_as_it_was(kind: str) -> None:
    @given(objects(FACTS[kind]))
    @examples(25)
    def holds(fact: Fact) -> None:
        text = to_json(fact)
        again = from_json(FACTS[kind], text)
        assert again == fact
        assert type(again) is type(fact)
        assert to_json(again) == text
        assert text.isascii()

    holds()


bodies = st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from(sorted(FACTS)), texts, texts)


def chain_of(contents: list[tuple[int, int, str, str, str]]) -> list[Row]:
    rows: list[Row] = []
    for content in contents:
        rows.append(chained(rows[-1] if rows else None, *content))
    return rows


def changed(row: Row, name: str) -> Row:
    """The row with the smallest change to one field."""
    value: Any = getattr(row, name)
    if isinstance(value, int):
        other: Any = value ^ 1
    else:
        other = value[:-1] + chr(ord(value[-1]) ^ 1) if value else " "
    return Row(**{**row._asdict(), name: other})


@given(st.lists(bodies, min_size=2, max_size=6), st.data())
@examples(120)
def test_a_chain_notices_any_changed_dropped_inserted_or_exchanged_row(
    contents: list[tuple[int, int, str, str, str]], data: st.DataObject
) -> None:
    rows = chain_of(contents)
    assert list(verified(rows)) == rows
    n, name = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.sampled_from(Row._fields))
    one = data.draw(st.integers(0, len(rows) - 2))
    broken = {
        "changed": [*rows[:n], changed(rows[n], name), *rows[n + 1 :]],
        "dropped": [*rows[:one], *rows[one + 1 :]],
        "doubled": [*rows[: n + 1], *rows[n:]],
        "exchanged": [*rows[:one], rows[one + 1], rows[one], *rows[one + 2 :]],
    }
    for damage, chain in broken.items():
        with pytest.raises(JournalBroken, match="hash chain breaks at row"):
            list(verified(chain))
        assert chain != rows, damage


# --- one file ----------------------------------------------------------------------------------------------


def cash(n: int) -> Fact:
    return CashFlow(Quote(Decimal(n)), EpochMs(0), "x" * 200, "")


KILLED = HaltChanged(Halt(HaltState.KILLED, "a test", 5))  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A state with a halt, a closed cycle and enough rows for several pages; no log beside it."""
    place = tmp_path / "paper.db"
    store = SqliteStore(place, IDENTITY, "digest")
    store.append(1, 1, [*map(cash, range(40)), KILLED, CycleClosed(1, 0, 0, 0, "", 0)])  # type: ignore[arg-type]
    store.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["paper.db", "paper.db.begun"]
    return place


def reopened(path: Path, identity: Identity | None = None) -> list[Fact]:
    store = SqliteStore(path, identity, "digest")
    try:
        return list(store.facts())
    finally:
        store.close()


def complaint(path: Path, identity: Identity | None = None) -> str:
    """Why the file cannot be used, and that it was left as it is."""
    before = path.read_bytes()
    with pytest.raises((StateUnusable, JournalBroken)) as refused:
        reopened(path, identity)
    assert path.read_bytes() == before
    assert refused.value.remedy
    return refused.value.what


def test_what_was_appended_is_there_after_reopening(path: Path) -> None:
    store = SqliteStore(path, IDENTITY, "digest")
    before = list(store.facts())
    store.append(2, 2, [cash(41)])
    store.append(2, 2, [cash(42)])
    store.close()
    assert reopened(path) == reopened(path, IDENTITY) == [*before, cash(41), cash(42)]
    assert len(before) == 43


def test_what_is_written_is_on_disk_before_anything_follows_and_who_reads_changes_nothing(path: Path) -> None:
    """Synchronous 2 is FULL: a commit waits for the disk. Another writer is waited for, and no reader."""
    with closing(SqliteStore(path, IDENTITY, "digest")) as store:
        settings = {
            name: store.query(f"PRAGMA {name}")[0][0] for name in ("synchronous", "journal_mode", "busy_timeout")
        }
    assert settings == {"synchronous": 2, "journal_mode": "wal", "busy_timeout": 5_000}
    with closing(SqliteStore(path, None)) as reading, pytest.raises(StateUnusable, match="readonly"):
        reading.query("DELETE FROM checkpoint")


def test_a_checkpoint_is_of_this_code_and_of_this_journal(path: Path, tmp_path: Path) -> None:
    """A book that other code has folded, or that is of another journal, would be other limits and positions."""
    with closing(SqliteStore(path, IDENTITY, "digest")) as store:
        store.remember("this code", "the book")
        assert store.remembered("this code") == (store.newest(), "the book")
        assert store.remembered("other code") is None
        (kept,), rows = store.query("SELECT * FROM checkpoint"), store.newest()
    other = tmp_path / "other.db"
    with closing(SqliteStore(other, IDENTITY, "digest")) as store:
        store.append(1, 1, [cash(n) for n in range(1, rows)])
        assert store.newest() == rows
    with closing(sqlite3.connect(other)) as db, db:
        db.execute("INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?, ?)", kept)
    with closing(SqliteStore(other, None)) as store:
        assert store.remembered("this code") is None


def test_what_cannot_be_written_whole_is_not_written_at_all(path: Path) -> None:
    store = SqliteStore(path, IDENTITY, "digest")
    with pytest.raises(StateUnusable):
        store.append(1, 2, [cash(41), CycleClosed(1, 0, 0, 0, "", 0)])  # type: ignore[arg-type]
    store.append(2, 2, [cash(42)])
    store.close()
    assert reopened(path)[-2:] == [CycleClosed(1, 0, 0, 0, "", 0), cash(42)]  # type: ignore[arg-type]


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "not a database": (lambda path: path.write_bytes(b"It was a dark and stormy night.\n" * 300), "is damaged"),
    "another program's": (lambda path: altered(path, "PRAGMA application_id = 7"), "is not a state of trader"),
    "newer": (lambda path: altered(path, "PRAGMA user_version = 99"), "written by a newer trader"),
    "older": (lambda path: altered(path, "PRAGMA user_version = 0"), "has the older schema 0"),
    "of the first schema": (
        lambda path: altered(path, "PRAGMA user_version = 1"),
        "by an older trader, whose journal said less",
    ),
    "missing": (lambda path: path.write_bytes(b""), "is not a state of trader"),
    "halt body": (
        lambda path: altered(path, "UPDATE halt SET body = replace(body, 'KILLED', 'ARMED')"),
        "does not match its checksum",
    ),
    "halt checksum": (lambda path: altered(path, "UPDATE halt SET checksum = 'x'"), "does not match its checksum"),
    "changed row": (lambda path: altered(path, "UPDATE journal SET body = body || ' ' WHERE seq = 9"), "at row 9"),
    "lost row": (lambda path: altered(path, "DELETE FROM journal WHERE seq = 9"), "at row 10"),
    "unreadable fact": (lambda path: altered(path, "UPDATE journal SET kind = 'dream' WHERE seq = 9"), "at row 9"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_state_that_cannot_be_used_says_why_and_is_left_as_it_is(damage: str, path: Path) -> None:
    inflict, words = DAMAGES[damage]
    inflict(path)
    assert words in complaint(path)


def test_the_messages_of_different_damages_are_different(tmp_path: Path, path: Path) -> None:
    kinds = ("not a database", "another program's", "newer", "older", "of the first schema", "halt body", "changed row")
    said = set()
    for n, damage in enumerate(kinds):
        twin = Path(shutil.copy(path, tmp_path / f"{n}.db"))
        DAMAGES[damage][0](twin)
        said.add(complaint(twin).replace(str(twin), "it"))
    assert len(said) == len(kinds)


def test_a_state_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="there is no state at"):
        SqliteStore(tmp_path / "none.db", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", [{**IDENTITY, "mode": "LIVE"}, {"mode": "PAPER"}, {**IDENTITY, "quote": "EUR"}])
def test_another_identity_is_refused_by_name(other: Identity, path: Path) -> None:
    what = complaint(path, other)
    differing = next(key for key in sorted(IDENTITY | other) if IDENTITY.get(key) != other.get(key))
    assert "belongs to another account" in what
    assert f"{differing} is {IDENTITY.get(differing, 'unset')} there and {other.get(differing, 'unset')} here" in what


def test_a_writer_too_refuses_what_is_newer_foreign_or_broken(path: Path) -> None:
    for damage in ("newer", "another program's", "not a database", "halt body"):
        kept = path.read_bytes()
        DAMAGES[damage][0](path)
        complaint(path, IDENTITY)
        path.write_bytes(kept)
    assert APPLICATION_ID == 0x74726164


def test_a_file_cut_off_at_any_page_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    page = int.from_bytes(whole[16:18], "big")
    pages = len(whole) // page
    assert pages > 5
    for kept in range(pages):
        path.write_bytes(whole[: kept * page])
        assert complaint(path).startswith(str(path)), f"{kept} of {pages} pages"
        path.write_bytes(whole[: kept * page + page // 2])
        what = complaint(path)
        broken = "hash chain breaks" in what or "newest rows are missing" in what
        assert broken or str(path) in what, f"{kept} and a half of {pages}"
