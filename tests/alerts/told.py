"""Accounts whose cycles tell, as the program's do; and the program with somebody to tell."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.alerts.receiver import Receiver
from tests.cli.program import Done, Inside, Program
from tests.world import World
from trader_core.alerts.start import LOCK, is_drained
from trader_core.bootstrap import open_system
from trader_core.engine.cycle import CycleReport
from trader_core.engine.run import cycles
from trader_core.settings.options import Options

LEFT_S = 10.0  # until a drainer that was asked to end has ended


class ToldWorld(World):
    """Every scene of tests/scenarios, but each cycle tells, and the end does."""

    def _opened(self, options: Options, limit: int | None) -> list[CycleReport]:
        with open_system(options) as system:
            tell = system.telling.cycle
            done = list(cycles(self.wired(system.ports), system.policy, system.journal, lambda: False, limit, tell))
            system.telling.ended()
            assert system.telling.problem == ""
            return done

    def drained(self, receiver: Receiver) -> Done:
        return drained(self.root, self.state, self.config, receiver)


def drained(root: Path, state: Path, config: Path, receiver: Receiver, **given: str) -> Done:
    """What waits there is taken to the receiver, as by a timer."""
    with environment(TRADER_ALERT_URLS=receiver.url, **given):
        return Inside(root)("alerts", "drain", "--once", "--state", state, "--config", config, "--json")


@contextmanager
def environment(**given: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(frozen=True)
class Teller(Program):
    """The program in a process of its own, with addresses in its environment."""

    given: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self.given}

    def telling(self, *urls: str, **more: str) -> "Teller":
        self.given.clear()
        self.given.update({"TRADER_ALERT_URLS": " ".join(urls), **more})
        return self

    def drainer(self) -> int | None:
        """The process that is at work there."""
        return int((self.state / LOCK).read_text()) if is_drained(self.state) else None

    def end(self, number: int = signal.SIGTERM) -> None:
        """No drainer of ours is left."""
        process, until_s = self.drainer(), time.monotonic() + LEFT_S
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
            while is_drained(self.state) and time.monotonic() < until_s:
                time.sleep(0.02)
