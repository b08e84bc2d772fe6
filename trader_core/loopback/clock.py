"""The venue's time: the wall clock, or a replayed period at a speed of its own."""

import time
from dataclasses import dataclass, field

from trader_core.loopback.trouble import Misused


def wall_ms() -> int:
    """UTC epoch milliseconds of this machine."""
    return time.time_ns() // 1_000_000


@dataclass
class Clock:
    """Milliseconds of the venue's time. `speed` 1 from now on is real time; 0 stands still until it is told.

    It is told to go forward only: what was filled and shown cannot become unseen.
    """

    start_ms: int
    speed: float = 1.0
    end_ms: int | None = None  # time stops there
    _ahead_ms: int = 0
    _began_s: float = field(default_factory=time.monotonic)

    def now_ms(self) -> int:
        elapsed_ms = int((time.monotonic() - self._began_s) * 1_000 * self.speed)
        now_ms = self.start_ms + elapsed_ms + self._ahead_ms
        return now_ms if self.end_ms is None else min(now_ms, self.end_ms)

    def advance(self, by_ms: int) -> None:
        if by_ms < 0:
            raise Misused(f"time goes forward only, and {by_ms} ms is backwards")
        self._ahead_ms += by_ms

    def restart(self) -> None:
        """Forget what it was told; only for an account that begins anew."""
        self._ahead_ms = 0


def real_time() -> Clock:
    return Clock(wall_ms())
