"""One wired world, and what makes one."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from trader_core.engine.journal import Journal
from trader_core.ports import CandleSource, Ports
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.store.files import StateFiles

NEW_ACCOUNT = "restore it, or start a new account with --state DIR"


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


Opened = Callable[[Settings, Options, StateFiles, bool], AbstractContextManager[System]]
Previewed = Callable[[Settings, Options, StateFiles], AbstractContextManager[System]]


@dataclass(frozen=True)
class World:
    """What a mode is given on a venue: with its state, on a clock that may wait; and as a copy in memory."""

    opened: Opened
    previewed: Previewed
