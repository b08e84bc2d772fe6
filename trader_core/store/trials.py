"""The registry of trials: what was ever tried on which data, so that the best of many is not taken for skill.

It is a record of research, not of money: where it cannot be read or written, only the count is lost.
"""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.store.sqlite import as_state_error, connect, make_directory, transaction

NAME = "trials.sqlite"
_TABLE = """
CREATE TABLE IF NOT EXISTS trials (
    number INTEGER PRIMARY KEY, data TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
    config TEXT NOT NULL, sharpe REAL, trades INTEGER NOT NULL, command TEXT NOT NULL,
    UNIQUE (data, from_ms, to_ms, config)) STRICT
"""
_NOTE = """
INSERT INTO trials (data, from_ms, to_ms, config, sharpe, trades, command) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (data, from_ms, to_ms, config) DO UPDATE SET sharpe = excluded.sharpe, trades = excluded.trades
"""
LOST = "move it away: only the count of what was tried is lost"
_ALL = "SELECT data, from_ms, to_ms, config, sharpe, trades, command FROM trials ORDER BY number"
_SEEN = "SELECT sharpe FROM trials WHERE data = ? ORDER BY number"


class Trial(Struct, frozen=True):
    """One configuration on one span of one market."""

    data: str  # its fingerprint
    from_ms: EpochMs
    to_ms: EpochMs
    config: str  # digest, and behind it the deposits, if any
    sharpe: float | None  # a year; None: not defined
    trades: int
    command: str  # that tried it first


class Trials:
    """The registry of one state directory. Every call is a transaction of its own, and waits for other processes.

    Raises StateUnusable where the file cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def path(self) -> Path:
        return self._directory / NAME

    def note(self, trials: Iterable[Trial]) -> None:
        """All of them or none. One that was tried before is no new trial; its figures are the newest ones."""
        rows = [
            (one.data, one.from_ms, one.to_ms, one.config, one.sharpe, one.trades, one.command) for one in trials
        ]  # fmt: skip
        make_directory(self._directory)
        with closing(connect(self.path, create=True)) as db, as_state_error(self.path, LOST), transaction(db):
            db.execute(_TABLE)
            db.executemany(_NOTE, rows)

    def seen(self, data: str) -> list[float | None]:
        """The Sharpe ratio of every trial on that data, in the order in which they were first tried."""
        if not self.path.exists():
            return []
        with closing(connect(self.path, create=False)) as db, as_state_error(self.path, LOST):
            return [sharpe for (sharpe,) in db.execute(_SEEN, (data,))]

    def all(self) -> tuple[Trial, ...]:
        """In the order in which they were first tried; none where nothing was ever tried."""
        if not self.path.exists():
            return ()
        with closing(connect(self.path, create=False)) as db, as_state_error(self.path, LOST):
            return tuple(Trial(*row) for row in db.execute(_ALL))
