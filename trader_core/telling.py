"""What a cycle leaves for people to be told. Nothing here waits for a network, and nothing here ends a cycle.

`cycle` is called once after every cycle of a system that is open for work, `failed` where a start or a cycle broke off.
Neither raises: what could not be told stands in `problems`, and becomes a bit of the exit code.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trader_core.settings.options import Options
from trader_core.store.files import StateFiles

if TYPE_CHECKING:
    from trader_core.engine.cycle import CycleReport
    from trader_core.metering import Meter
    from trader_core.settings.schema import Settings
    from trader_core.worlds.system import System


class Telling:
    """One process's voice. A silent one is what copies and measurements have."""

    def __init__(self, meter: "Meter | None" = None) -> None:
        self.problems: list[str] = []
        self._meter = meter

    def cycle(self, report: "CycleReport", took_ms: int) -> None:
        """Of a cycle that ran to its end, and how long it took by this machine's clock. It is measured first."""
        if self._meter is not None:
            self._meter.cycle(report)

    def failed(self, error: BaseException) -> None:
        """Of a start or a cycle that ended with an exception."""


SILENT = Telling()


def telling_of(policy: "Settings", files: StateFiles, system: "System") -> Telling:
    """Of one mode's state that is open for work."""
    from trader_core.metering import meter_of

    return Telling(meter_of(system, files))


@contextmanager
def overheard(options: Options) -> Iterator[None]:
    """A start or a cycle that breaks off in here is told of; the exception goes on."""
    yield
