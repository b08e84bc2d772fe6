"""This machine's clock: the one place that asks what time it is, and the one that waits."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from trader_core.domain.clocktime import EpochMs

SETTLE_MS = 3_000  # after a bar's end, until the venue shows it closed
LOOK_S = 0.5  # how often a waiting loop looks up


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
    """

    bar_ms: int
    host_ms: Callable[[], EpochMs]
    seen_ms: Callable[[], EpochMs]  # the venue's time
    alarmed: Callable[[], bool]  # whether somebody wants everything to stop
    waits: bool
    monitor_ms: int
    until_ms: int | None = None
    _was_alarmed: bool = False

    def next_decision_ms(
        self, after_ms: int, given_up: Callable[[], bool] = never, is_due: Callable[[], bool] = never
    ) -> EpochMs | None:  # fmt: skip
        """None where the time is over, or whoever waits has given up."""
        looked_ms = self.host_ms()
        while True:
            newest = (self.seen_ms() - SETTLE_MS) // self.bar_ms * self.bar_ms
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
