"""One row of a real journal, spoilt: whoever looks says so, and whoever trades refuses, or had no need of that row."""

import json
import random
import sqlite3
from contextlib import closing
from typing import Any

from tests.cli.program import Done
from tests.fuzz.accounts import Account
from tests.fuzz.tries import Tries
from tests.tampering import unguarded

COLUMNS = ("cycle_id", "at_ms", "kind", "body", "config_digest", "prev_hash", "hash")
REFUSED = (13, 61)
KINDS = ("filled", "cash_flow", "intended", "closed", "decided", "halt_reset", "opened", "nothing", "")


def fuzz(tries: Tries) -> None:
    account = Account(tries.folder)
    account.anew()
    sound = _after(account, account.command("run", "--cycles", "1", "--json"))
    for rng in tries.rolls():
        account.anew()
        what = _spoilt(rng, account)
        seen = account.command("audit verify", trades=False)
        if seen.code not in REFUSED:
            tries.wrong(f"{what}: audit verify ended with {seen.code}: {seen.err[-200:]}")
        sent = account.sent()
        done = account.command("run", "--cycles", "1", "--json")
        if not tries.ended(done.code, (0, *REFUSED), f"{what}: {done.err}"):
            continue
        if done.code and account.sent() != sent:
            tries.wrong(f"{what}: refused, and something was sent")
        if not done.code and _after(account, done) != sound:
            tries.wrong(f"{what}: it went on, to another account than without the spoilt row")


def _after(account: Account, done: Done) -> object:
    """What the account is worth and holds after the cycle, and what was sent."""
    told = json.loads(done.out)["data"]
    return told.get("equity"), told.get("cash"), told.get("positions"), account.sent()


def _spoilt(rng: random.Random, account: Account) -> str:
    with closing(unguarded(sqlite3.connect(account.db, isolation_level=None))) as db:
        ((last,),) = db.execute("SELECT max(seq) FROM journal").fetchall()
        seq, deed = rng.randint(1, last), rng.randrange(8)
        if deed == 0:
            db.execute("DELETE FROM journal WHERE seq = ?", (seq,))
            return f"row {seq} is gone"
        if deed == 1:
            column = rng.choice(COLUMNS[2:])
            other = rng.randint(1, last)
            mine, theirs = _value(db, column, seq), _value(db, column, other)
            if mine == theirs or column == "hash":
                return _bit(rng, db, seq)
            _put(db, column, seq, theirs)
            return f"row {seq} has the {column} of row {other}"
        if deed == 2:
            was = _value(db, "kind", seq)
            _put(db, "kind", seq, kind := rng.choice([one for one in KINDS if one != was]))
            return f"row {seq}, {was}, is of kind {kind}"
        if deed == 3:
            _put(db, "body", seq, body := rng.choice(("", "[]", "{}", "null")))
            return f"row {seq} says {body}"
        return _bit(rng, db, seq)


def _bit(rng: random.Random, db: sqlite3.Connection, seq: int) -> str:
    """One character, or one number, is another."""
    column = rng.choice(COLUMNS)
    value = _value(db, column, seq)
    if isinstance(value, int):
        changed: object = value + rng.choice((-1, 1, 1_000))
    else:
        at = rng.randrange(len(value)) if value else 0
        changed = f"{value[:at]}{'0' if value[at : at + 1] != '0' else '1'}{value[at + 1 :]}"
    _put(db, column, seq, changed)
    return f"row {seq}: {column} {value!r} is {changed!r}"[:200]


def _value(db: sqlite3.Connection, column: str, seq: int) -> Any:
    ((value,),) = db.execute(f"SELECT {column} FROM journal WHERE seq = ?", (seq,)).fetchall()  # noqa: S608 - ours
    return value


def _put(db: sqlite3.Connection, column: str, seq: int, value: object) -> None:
    db.execute(f"UPDATE journal SET {column} = ? WHERE seq = ?", (value, seq))  # noqa: S608 - ours
