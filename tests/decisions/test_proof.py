"""One changed byte anywhere in what is only ever added to is found, and named (V36)."""

# ruff: noqa: S608 - names of tables, from a list above

import sqlite3
from random import Random

import pytest

from tests.cli.program import Inside
from tests.tampering import altered, unguarded

TABLES = ("journal", "inputs", "bars", "documents")
COLUMNS = {
    "journal": ("seq", "cycle_id", "at_ms", "kind", "body", "config_digest", "prev_hash", "hash"),
    "inputs": ("seq", "body"),
    "bars": ("symbol", "open_ms", "seq", "open", "high", "low", "close", "volume", "mark"),
    "documents": ("digest", "body"),
    "cycles": ("cycle_id", "decision_ms", "placed", "refused", "fills", "problem"),
}


def verified(program: Inside) -> tuple[int, str]:
    done = program("decisions", "verify", "--state", program.state)
    return done.code, done.out + done.err


def test_what_nobody_touched_verifies_and_tells_how_much_there_is(lived: Inside) -> None:
    done = lived("decisions", "verify", "--state", lived.state, "--json")
    assert done.code == 0
    assert (done.data["decisions"], done.data["recorded"], done.data["documents"]) == (96, 96, 5)
    assert done.data["candles"] > 10_000 and len(done.data["head"]) == 64


def test_a_decision_row_edited_in_the_file_is_named(copied: Inside) -> None:
    """V36."""
    ((seq,),) = rows(copied, "SELECT seq FROM journal WHERE kind = 'decided' AND cycle_id = 4")
    edit = f"UPDATE journal SET body = replace(body, 'no_signal', 'no_signam') WHERE seq = {seq}"
    altered(copied.state / "paper.db", edit)
    code, words = verified(copied)
    assert code == 61 and f"at row {seq}" in words


def rows(program: Inside, sql: str) -> list[tuple[object, ...]]:
    db = sqlite3.connect(program.state / "paper.db")
    found = db.execute(sql).fetchall()
    db.close()
    return found


def other(value: object, random: Random) -> object:
    """The value with one bit of one byte changed."""
    if isinstance(value, int):
        return value ^ (1 << random.randrange(max(value.bit_length(), 1)))
    assert isinstance(value, str | bytes)
    data = bytearray(value.encode() if isinstance(value, str) else value)
    if not data:
        return "x"
    data[random.randrange(len(data))] ^= 1
    return data.decode() if isinstance(value, str) else bytes(data)


@pytest.mark.parametrize(("table", "column"), [(table, one) for table, some in COLUMNS.items() for one in some])
def test_one_changed_bit_is_found_and_the_row_is_named(table: str, column: str, copied: Inside) -> None:
    random, db = Random(f"{table} {column}"), unguarded(sqlite3.connect(copied.state / "paper.db"))
    key = ("rowid",) if table != "bars" else ("symbol", "open_ms", "seq")
    where = " AND ".join(f"{one} = ?" for one in key)
    (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    changed = 0
    while not changed:  # where a row of that name is there already, another bit
        nth = random.randrange(count)
        *at, value = db.execute(f"SELECT {', '.join(key)}, {column} FROM {table} LIMIT 1 OFFSET ?", (nth,)).fetchone()
        sql = f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {where}"
        changed = db.execute(sql, (other(value, random), *at)).rowcount
    db.commit()
    db.close()
    code, words = verified(copied)
    assert code == 61, words
    assert any(one in words for one in ("row ", "document ", "the end of"))
    if table == "bars" and column not in key:
        assert f"the candle of {at[0]}" in words


@pytest.mark.parametrize("table", [*TABLES, "cycles"])
def test_a_lost_row_is_found(table: str, copied: Inside) -> None:
    key = "open_ms" if table == "bars" else "rowid"
    altered(copied.state / "paper.db", f"DELETE FROM {table} WHERE {key} = (SELECT max({key}) FROM {table})")
    code, words = verified(copied)
    lost = "newest rows are missing" if table == "journal" else "not as it was written"
    assert code == 61 and lost in words


@pytest.mark.parametrize("rows_lost", [1, 7])
@pytest.mark.parametrize("whole", [True, False])
def test_a_journal_without_its_newest_rows_is_never_opened(rows_lost: int, whole: bool, copied: Inside) -> None:
    """Also where somebody makes every other table fit, and says nothing else: the program refuses to go on."""
    path = copied.state / "paper.db"
    ((newest,),) = rows(copied, "SELECT max(seq) FROM journal")
    altered(path, f"DELETE FROM journal WHERE seq > {int(str(newest)) - rows_lost}")
    if whole:
        altered(
            path, "DELETE FROM cycles WHERE cycle_id = (SELECT max(cycle_id) FROM cycles)", "DELETE FROM checkpoint"
        )
    run = ("run", "--mode", "PAPER", "--venue", "simulated", "--cycles", "1")
    for words in (("decisions", "verify"), ("status",), run):
        done = copied(*words, "--state", copied.state)
        told = f"the journal's newest rows are missing: row {newest} was written last"
        assert done.code == 61 and told in done.out + done.err, words


def test_a_head_that_is_gone_or_another_one_is_found(copied: Inside) -> None:
    path = copied.state / "paper.db"
    altered(path, "UPDATE head SET hash = replace(hash, substr(hash, 1, 1), 'x')")
    assert verified(copied)[0] == 61
    altered(path, "DELETE FROM head")
    code, words = verified(copied)
    assert code == 61 and "newest rows are missing" in words


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("deed", ["UPDATE {0} SET seq = seq", "DELETE FROM {0}"])
def test_the_database_itself_forbids_to_change_or_delete(table: str, deed: str, copied: Inside) -> None:
    sql = deed.format(table).replace("seq = seq", "body = body" if table == "documents" else "seq = seq")
    db = sqlite3.connect(copied.state / "paper.db")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(sql)
    db.close()


def test_a_replay_refuses_inputs_that_are_not_as_they_were_written(copied: Inside) -> None:
    longer = "UPDATE inputs SET body = CAST(body || x'00' AS BLOB) WHERE seq = (SELECT max(seq) FROM inputs)"
    altered(copied.state / "paper.db", longer)
    done = copied("replay", "6", "--state", copied.state)
    assert done.code == 61 and "of inputs is not as it was written" in done.err
    assert copied("replay", "5", "--state", copied.state).code == 0


def test_verify_finds_a_checkpoint_that_is_no_fold_of_this_journal(copied: Inside) -> None:
    altered(copied.state / "paper.db", "INSERT INTO checkpoint VALUES (1, 9, 'h', 'c', '[]', 'no')")
    code, words = verified(copied)
    assert code == 61 and "the checkpoint is not as it was written" in words
