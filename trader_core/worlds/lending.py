"""An account that is lent while nobody needs it: beside a running loop a person may write into its journal."""

from collections.abc import Callable
from contextlib import ExitStack

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.values import replace
from trader_core.engine.journal import Journal
from trader_core.ops.lock import StateLock
from trader_core.ports import Clock
from trader_core.worlds.system import System


def lending(system: System, turn: StateLock) -> System:
    """The same, on a clock that lends the turn for as long as it waits."""
    return replace(system, ports=replace(system.ports, clock=Lending(system.ports.clock, turn, system.journal)))


class Lending:
    """Lends the turn for as long as the clock waits. What was written meanwhile is in the journal's book before the
    next cycle, and is a reason for one at once."""

    def __init__(self, clock: Clock, turn: StateLock, journal: Journal) -> None:
        self._clock, self._turn, self._journal = clock, turn, journal

    @property
    def host_ms(self) -> Callable[[], EpochMs]:
        return self._clock.host_ms

    @property
    def seen_ms(self) -> Callable[[], EpochMs]:
        return self._clock.seen_ms

    def next_decision_ms(
        self, after_ms: int, given_up: Callable[[], bool] = lambda: False, is_due: Callable[[], bool] = lambda: False
    ) -> EpochMs | None:  # fmt: skip
        """A clock that waits asks now and then whether to give up; one that does not has no time to lend."""
        is_lent = False
        with ExitStack() as lent:

            def waiting() -> bool:
                nonlocal is_lent
                if not is_lent:
                    lent.enter_context(self._turn.lent())
                    is_lent = True
                return given_up()

            found = self._clock.next_decision_ms(after_ms, waiting, lambda: self._journal.is_behind or is_due())
        self._journal.follow()
        return found
