"""The account's database, cut off: at the end of every page, and in its log at every byte of the last transaction.

It is refused, or everything that was committed is there: of a transaction whose bytes are not all there nothing was,
and of every one before it all. An account that is suddenly empty is the worst of all answers.
"""

import shutil
from contextlib import closing

from tests.fuzz.accounts import Account, Rows
from tests.fuzz.tries import Tries
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import TraderError
from trader_core.domain.facts import Paused
from trader_core.store.sqlite import SqliteStore

PAGE_CUTS = (0, 1, -1)  # bytes off the boundary
LOG = "-wal"


def fuzz_pages(tries: Tries) -> None:
    """Through the program: who looks and who trades."""
    account = Account(tries.folder)
    body = account.db.read_bytes()
    page = int.from_bytes(body[16:18])
    sound = account.rows()
    cuts = sorted({min(max(0, at + off), len(body) - 1) for at in range(0, len(body), page) for off in PAGE_CUTS})
    for number in tries.each(_spread(len(cuts))):
        account.anew()
        account.db.write_bytes(body[: cuts[number]])
        looked = account.command("positions", trades=False)
        sent = account.sent()
        done = account.command("run", "--cycles", "1", "--json")
        what = f"{cuts[number]} of {len(body)} bytes"
        tries.ended(looked.code, (0, 13, 61), f"{what}, looked at: {looked.err}")
        if not tries.ended(done.code, (0, 13, 61), f"{what}: {done.err}"):
            continue
        if done.code and account.sent() != sent:
            tries.wrong(f"{what}: refused, and something was sent")
        if not done.code and account.rows()[: len(sound)] != sound:
            tries.wrong(f"{what}: it went on, and not from what was committed")


def fuzz_log(tries: Tries) -> None:
    """Through the store that every command opens: so many places take too long by commands."""
    account = Account(tries.folder)
    before, sound, log, length = _two_transactions(account)
    main = account.db.read_bytes()
    place = tries.folder / "cut"
    place.mkdir()
    cut = place / "paper.db"
    for number in tries.each(_spread(length)):
        for old in place.iterdir():
            old.unlink()
        cut.write_bytes(main)
        cut.with_name(cut.name + LOG).write_bytes(log[: len(log) - length + number])
        try:
            with closing(SqliteStore(cut, None)) as store:
                for _ in store.told():
                    pass
                rows = [tuple(one) for one in store.rows()]
        except TraderError as refused:
            tries.ended(refused.exit_code, (13, 61), refused.what)
            continue
        tries.figures["went_on"] += 1
        if rows not in (before, sound):
            tries.wrong(f"{number} of {length} bytes of the last transaction: {len(rows)} rows of {len(sound)}")
        tries.figures["with_all"] += rows == sound


def _two_transactions(account: Account) -> tuple[Rows, Rows, bytes, int]:
    """Rows before the last transaction, rows after it, the log as it stands, and how much of it is the last one."""
    log = account.db.with_name(account.db.name + LOG)
    with closing(SqliteStore.writing(account.db, "digest")) as store:
        store.append(1_000, 0, [Paused("the first", EpochMs(0))])
        begun, before = log.stat().st_size, account.rows()
        store.append(1_001, 0, [Paused("the last", EpochMs(0))])
        body, sound = log.read_bytes(), account.rows()
        copy = account.db.with_suffix(".copy")
        shutil.copy(account.db, copy)
    copy.replace(account.db)
    return before, sound, body, len(body) - begun


def _spread(count: int) -> list[int]:
    """Every number, those far apart first: so that a short time sees all parts."""
    step = 1 << max(0, (count - 1).bit_length())
    order, seen = list[int](), set[int]()
    while step:
        fresh = [one for one in range(0, count, step) if one not in seen]
        order += fresh
        seen.update(fresh)
        step //= 2
    return order
