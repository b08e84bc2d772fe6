"""A paper account that has bought and sold, small enough to be copied for every try."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.program import Done, Inside
from tests.world import World

PRICES = [100.0] * 4 + [101.0 + n for n in range(9)] + [95.0, 90.0, 88.0] + [101.0 + 2 * n for n in range(8)]
CYCLES = 12  # of them; some are left for whoever goes on
ROWS = "SELECT seq, cycle_id, at_ms, kind, body, config_digest, prev_hash, hash FROM journal ORDER BY seq"
Rows = list[tuple[object, ...]]


class Account:
    """The account in its folder, and copies of it."""

    def __init__(self, folder: Path, cycles: int = CYCLES) -> None:
        self.world = World(folder).market(BTC=PRICES, ETH=PRICES[2:]).configured(policy__orders__maker_ttl_bars=0)
        self.world.run(cycles)
        self._kept = folder / "kept"
        for name in ("paper.db", "paper.venue.db"):  # nothing is left in a log beside them
            with closing(sqlite3.connect(self.state / name)) as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copytree(self.state, self._kept)

    @property
    def state(self) -> Path:
        return self.world.state

    @property
    def db(self) -> Path:
        return self.state / "paper.db"

    def anew(self) -> None:
        """As it was."""
        shutil.rmtree(self.state)
        shutil.copytree(self._kept, self.state)

    def command(self, name: str, *words: str | Path, trades: bool = True) -> Done:
        own = ("--mode", "PAPER", "--venue", "simulated", "--data", self.world.data) if trades else ()
        place = ("--state", self.state, "--config", self.world.config)
        return Inside(self.world.root)(*name.split(), *own, *place, *words)

    def rows(self) -> Rows:
        """The journal, read here."""
        with closing(sqlite3.connect(self.db)) as db:
            return db.execute(ROWS).fetchall()

    def sent(self) -> int:
        with closing(sqlite3.connect(self.state / "paper.venue.db")) as db:
            ((found,),) = db.execute("SELECT count(*) FROM orders").fetchall()
        return int(found)
