"""One wired world, and what makes one."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trader_core.domain.errors import StateUnusable
from trader_core.engine.journal import Journal
from trader_core.net.calls import Calls
from trader_core.ops.clock import host_ms
from trader_core.ops.halts import LatchOrKillFile
from trader_core.policies import PolicyWatch
from trader_core.ports import CandleSource, Halts, Ports, Store
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.store.files import StateFiles
from trader_core.store.latch import latched_in
from trader_core.store.policies import PolicyStore
from trader_core.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from trader_core.engine.cycle import CycleReport

NEW_ACCOUNT = "restore it, or start a new account with --state DIR"


class Tells(Protocol):
    """Never raises."""

    @property
    def problem(self) -> str: ...
    def cycle(self, report: "CycleReport", took_ms: int) -> None: ...
    def ended(self) -> None: ...


class Silent:
    """What copies and measurements have: nobody is told."""

    problem = ""

    def cycle(self, report: "CycleReport", took_ms: int) -> None:
        """Of a cycle that ran to its end, and how long it took by this machine's clock."""

    def ended(self) -> None:
        """Of a loop that ended as it should: nobody expects another cycle."""


SILENT: Tells = Silent()


@dataclass(frozen=True)
class System:
    """Open until its context closes."""

    ports: Ports
    policy: Settings
    journal: Journal
    source: CandleSource
    mode: str
    state: Path
    market: str  # where it stands, in words
    policies: PolicyWatch
    telling: Tells = SILENT
    calls: Calls = field(default_factory=lambda: Calls(host_ms))  # to the venue, since they were last counted


def watch_of(files: StateFiles) -> PolicyWatch:
    """The policy store of that mode, looked at before each cycle."""
    return PolicyWatch(PolicyStore(files.directory, files.mode))


def halts_of(files: StateFiles, store: Store) -> Halts:
    """The kill file, and the row beside it where the state is on disk. What cannot be read counts as an order to
    stop."""

    def row() -> str | None:
        if not isinstance(store, SqliteStore):
            return None
        try:
            return latched_in(store.query)
        except StateUnusable as broken:
            return f"the latch cannot be read: {broken.what}"

    return LatchOrKillFile(files.directory, row)


Opened = Callable[[Settings, Options, StateFiles, bool], AbstractContextManager[System]]
Previewed = Callable[[Settings, Options, StateFiles], AbstractContextManager[System]]


@dataclass(frozen=True)
class World:
    """What a mode is given on a venue: with its state, on a clock that may wait; and as a copy in memory."""

    opened: Opened
    previewed: Previewed
