"""Time that passes only where somebody waits, for a process that was made to be a stage: asked for once, at its start.

Libraries that measure how long they really wait have taken the steady clock's own function before; they keep it.
"""

import asyncio
import concurrent.futures
import queue
import selectors
import threading
import time

TICK_NS = 10_000  # between two looks at the clock, so that nothing has the same time
EARLY = (asyncio, concurrent.futures, queue, selectors, threading)  # loaded before, with the clock as it is


class VirtualTime:
    """`now_ns` is UTC since the epoch. A sleep ends at once, and that much later."""

    def __init__(self, start_ms: int) -> None:
        self.now_ns = start_ms * 1_000_000
        self._began_ns = self.now_ns - 10**15  # a machine that has been up for days
        self._lock = threading.Lock()

    def install(self) -> None:
        """From now on, for everything in this process that asks for the time or waits."""
        vars(time).update(
            time_ns=self._tick,
            time=lambda: self._tick() / 1e9,
            monotonic=lambda: (self._tick() - self._began_ns) / 1e9,
            sleep=self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now_ns += max(0, int(seconds * 1e9))

    def reach(self, now_ns: int) -> None:
        """It is that late somewhere else, so it is here."""
        with self._lock:
            self.now_ns = max(self.now_ns, now_ns)

    def _tick(self) -> int:
        with self._lock:
            self.now_ns += TICK_NS
            return self.now_ns
