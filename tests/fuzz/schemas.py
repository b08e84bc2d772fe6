"""State files as older versions left them, with rows, some of them spoilt: brought up to date with nothing lost, or
refused in words that say which."""

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from importlib import resources

from tests.fuzz.accounts import Account
from tests.fuzz.tries import Tries

NEWEST, OLDEST, WITH_INPUTS = 6, 2, 4
WORDS = {
    "newer": "was written by a newer trader",
    "older": "was written by an older trader",
    "stranger": "is not a state of trader",
    "unnumbered": "cannot be used",
}
TABLES = ("identity", "journal", "cycles", "halt", "documents", "inputs", "bars", "checkpoint")
Tables = dict[str, tuple[list[str], Sequence[tuple[object, ...]]]]
READING = ("status", "audit verify", "positions", "trades")


def fuzz(tries: Tries) -> None:
    account = Account(tries.folder)
    tables = _contents(account)
    sound = account.rows()
    for rng in tries.rolls():
        version = tries.number % (NEWEST + 3) if tries.number < 3 * (NEWEST + 3) else rng.randrange(NEWEST + 3)
        account.anew()
        wanted = _made(rng, account, tables, version)
        before = account.rows() if wanted == "" else []
        looked = account.command(rng.choice(READING), trades=False)
        done = account.command("run", "--cycles", "1", "--json")
        tries.figures[f"schema_{version}"] += 1
        if wanted:
            _refused(tries, f"schema {version}", wanted, done.code, done.err)
            if looked.code != 13:
                tries.wrong(f"schema {version}: looked at, and it ended with {looked.code}")
        elif tries.ended(done.code, (0,), f"schema {version}: {done.err}"):
            after = account.rows()
            if after[: len(sound)] != before or len(after) <= len(sound):
                tries.wrong(f"schema {version}: rows were lost or changed on the way")
            checked = account.command("audit verify", trades=False)
            if checked.code and version >= WITH_INPUTS:  # rows of today speak of inputs that older tables do not have
                tries.wrong(f"schema {version}: brought up to date, and the chain is broken: {checked.err[-200:]}")


def _refused(tries: Tries, what: str, wanted: str, code: int, err: str) -> None:
    if code != 13 or WORDS[wanted] not in err:
        tries.wrong(f"{what}: it ended with {code} and says {err.strip()[:200]}")


def _contents(account: Account) -> Tables:
    """Every row of the newest account, by table."""
    found = {}
    with closing(sqlite3.connect(account.db)) as db:
        for table in TABLES:
            rows = db.execute(f"SELECT * FROM {table}")  # noqa: S608 - ours
            found[table] = ([one[0] for one in rows.description], rows.fetchall())
        ((marker,),) = db.execute("PRAGMA application_id").fetchall()
    return found | {"application_id": ([], [(marker,)])}


def _made(
    rng: random.Random,
    account: Account,
    tables: Tables,
    version: int,
) -> str:
    """The same account in the tables of that version; why it must be refused, or ''."""
    account.db.unlink()
    folder = resources.files("trader_core.store") / "migrations"
    steps = sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=lambda one: one.name)
    stranger = rng.random() < 0.15
    with closing(sqlite3.connect(account.db, isolation_level=None)) as db:
        for step in steps[: max(1, version)]:
            for statement in step.read_text().split(";\n"):
                db.execute(statement)
            if step is steps[min(version, 1) - 1 if version else 0]:
                _filled(db, tables, TABLES[:4])
        if version >= 4:
            _filled(db, tables, TABLES[4:])
        if version >= 5:
            head = "INSERT OR REPLACE INTO head SELECT 1, seq, hash FROM journal ORDER BY seq DESC LIMIT 1"
            db.execute(head)
        marker = 0 if stranger else tables["application_id"][1][0][0]
        db.execute(f"PRAGMA application_id = {marker}")
        db.execute(f"PRAGMA user_version = {version}")
    if version > NEWEST:
        return "newer"
    if stranger or version == 0:
        return "stranger" if stranger else "unnumbered"
    return "older" if version < OLDEST else ""


def _filled(db: sqlite3.Connection, tables: Tables, names: Sequence[str]) -> None:
    for table in names:
        columns, rows = tables[table]
        marks = ", ".join("?" * len(columns))
        into = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - ours
        db.executemany(into, rows)
