"""Where the time of a cycle goes. Each stage gets what has passed since the one before it ended, so that together they
are the whole cycle.

By a clock that nobody sets: the host's own may be put right in the middle of a cycle, and counts whole ms.
"""

from collections.abc import Mapping
from time import perf_counter


class Stages:
    """The watch of one cycle, running from the moment it is made."""

    def __init__(self) -> None:
        self._spent_ms: dict[str, float] = {}
        self._since_s = perf_counter()

    def ends(self, stage: str) -> None:
        now_s = perf_counter()
        self._spent_ms[stage] = self._spent_ms.get(stage, 0.0) + 1_000 * (now_s - self._since_s)
        self._since_s = now_s

    def ended(self, stage: str) -> Mapping[str, float]:
        """With `stage` the cycle ends: what each one took, in ms. A stage that never came is not among them."""
        self.ends(stage)
        return dict(self._spent_ms)
