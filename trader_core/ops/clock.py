"""This machine's clock: the one place that asks what time it is, and the one that waits."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import TraderError

SETTLE_MS = 3_000  # after a bar's end, until the venue shows it closed
LOOK_S = 0.5  # how often a waiting loop looks up
STEP_MS = 3_000  # by how much our clock may part from the steady one until the venue is asked for its time again


def host_ms() -> EpochMs:
    """Wall clock, ms since the epoch."""
    return EpochMs(time.time_ns() // 1_000_000)


def never() -> bool:
    return False


@dataclass
class WallClock:
    """Decision times are the ends of bars, by the venue's own time.

    A cycle asked for between two ends is one of the last end: its entries are decided already, and the rest is cared
    for again. Where it `waits`, the next one begins with the next end; at once when somebody pulls the plug, or when
    something is due before, which is asked every `monitor_ms`.

    The venue's time is told by our clock. Where that was set since, or the machine slept, the venue is asked anew: a
    decision time that is written down stands for ever. Who waits over an account goes on with it once the venue has
    told its time.
    """

    bar_ms: int
    host_ms: Callable[[], EpochMs]
    seen_ms: Callable[[], EpochMs]  # the venue's time
    alarmed: Callable[[], bool]  # whether somebody wants everything to stop
    waits: bool
    monitor_ms: int
    until_ms: int | None = None
    ask: Callable[[], object] = never  # the venue for its time. Raises TraderError where it does not answer
    know: Callable[[], object] = never  # the same, where it never answered yet
    _was_alarmed: bool = False
    _began_ms: int = 0  # when the steady clock began, by ours, as it was when the venue was asked

    def __post_init__(self) -> None:
        self._began_ms = self._steady_ms()

    def next_decision_ms(
        self, after_ms: int, given_up: Callable[[], bool] = never, is_due: Callable[[], bool] = never
    ) -> EpochMs | None:  # fmt: skip
        """None where the time is over, or whoever waits has given up."""
        looked_ms = self.host_ms()
        while True:
            newest = self._newest(after_ms)
            if self.until_ms is not None and newest >= self.until_ms:
                return None
            rings = self.alarmed()
            news, self._was_alarmed = rings and not self._was_alarmed, rings
            if newest > after_ms or not self.waits or news:
                return EpochMs(max(newest, after_ms))
            if given_up():
                return None
            if not 0 <= self.host_ms() - looked_ms < self.monitor_ms:
                if is_due():
                    return EpochMs(after_ms)
                looked_ms = self.host_ms()
            time.sleep(LOOK_S)

    def _newest(self, after_ms: int) -> int:
        """The newest decision time; while nobody can say what time it is, the one before. Raises TraderError where
        there is none, and where nobody waits."""
        try:
            if self.waits and after_ms >= 0:
                self.know()
            return (self._told_ms() - SETTLE_MS) // self.bar_ms * self.bar_ms
        except TraderError:
            if after_ms < 0 or not self.waits:
                raise
            return after_ms

    def _told_ms(self) -> int:
        """Read before our clock is looked at: what it was set to meanwhile is not believed."""
        told_ms, began_ms = self.seen_ms(), self._steady_ms()
        if abs(began_ms - self._began_ms) <= STEP_MS:
            return told_ms
        self.ask()
        self._began_ms = began_ms
        return self.seen_ms()

    def _steady_ms(self) -> int:
        return self.host_ms() - round(time.monotonic() * 1_000)
