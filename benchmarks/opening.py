"""What opening a state costs: the book of 20,000 cycles, folded from the whole journal and gone on from a checkpoint.

Printed beside a reference in the same run: one SHA-256 pass. Exits 1 where the checkpoint saves nothing.
"""

import hashlib
import sqlite3
import statistics
import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from trader_core.bootstrap import open_system
from trader_core.domain.clocktime import MINUTE_MS, EpochMs
from trader_core.domain.facts import CycleClosed, Decided, Fact, Marked
from trader_core.domain.money import Quote
from trader_core.engine.journal import Journal
from trader_core.engine.run import cycles
from trader_core.ledger.checkpoint import code_digest
from trader_core.settings.options import Options
from trader_core.store.files import StateFiles
from trader_core.store.sqlite import SqliteStore

CYCLES = 20_000
LIVED = 60  # of them really: a quiet one is then told again and again
TURNS = 3
BAR_MS = 15 * MINUTE_MS


def state_of(directory: Path) -> Path:
    """A paper account of some cycles, and as many more like its last one as are asked for."""
    options = Options(state=directory, mode="PAPER", venue="simulated")
    with open_system(options) as system:
        for _ in cycles(system.ports, system.policy, system.journal, lambda: False, LIVED):
            pass
    path = StateFiles(directory, "PAPER").state
    with closing(SqliteStore.writing(path, "benchmark")) as store:
        journal = Journal(store)
        decided = [fact for fact in store.facts() if isinstance(fact, Decided)][-1]
        equity, at_ms = journal.book.equity, journal.book.closed_ms
        for _ in range(CYCLES - journal.book.cycles):
            at_ms = EpochMs(at_ms + BAR_MS)
            journal.record(at_ms, quiet(decided, equity, at_ms))
    return path


def quiet(decided: Decided, equity: Quote | None, at_ms: EpochMs) -> list[Fact]:
    return [
        Marked(at_ms, equity, ()),
        Decided(at_ms, decided.digest, decided.judgements),
        CycleClosed(at_ms, 0, 0, 0, "", at_ms),
    ]


def opening_s(path: Path) -> tuple[float, int]:
    """(CPU seconds of opening the account, rows that were folded for it)."""
    began = time.process_time()
    with closing(SqliteStore(path, None)) as store:
        journal, kept = Journal(store), store.remembered(code_digest())
    return time.process_time() - began, journal.rows - (kept[0] if kept else 0)


def reference_s() -> float:
    began = time.process_time()
    hashlib.sha256(bytes(4 << 20)).digest()
    return time.process_time() - began


def main() -> int:
    reference = statistics.median(reference_s() for _ in range(15))
    with TemporaryDirectory() as place:
        path = state_of(Path(place))
        after = min(opening_s(path) for _ in range(TURNS))
        with closing(sqlite3.connect(path)) as db:
            db.execute("DELETE FROM checkpoint")
            db.commit()
        before = min(opening_s(path) for _ in range(TURNS))
    print(f"reference: SHA-256 of 4 MiB, {reference * 1e3:.2f} ms CPU")
    for name, (spent, rows) in (("folded whole", before), ("checkpoint", after)):
        print(f"{name:13} {spent * 1e3:9.1f} ms CPU, {rows:6} rows folded, {spent / reference:7.1f} x reference")
    return 0 if after[0] < before[0] else 1


if __name__ == "__main__":
    sys.exit(main())
