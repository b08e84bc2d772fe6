"""How many requests this process has made, and how many of them were in vain, since somebody asked."""

from threading import Lock


class Tally:
    """Counted from any thread. A refusal is an answer; no answer, a 429 and a 5xx are none."""

    def __init__(self) -> None:
        self._lock, self._total, self._bad = Lock(), 0, 0

    def count(self, well: bool) -> None:
        with self._lock:
            self._total += 1
            self._bad += not well

    def taken(self) -> tuple[int, int]:
        """(requests, those in vain) since the last time."""
        with self._lock:
            found, self._total, self._bad = (self._total, self._bad), 0, 0
            return found


CALLS = Tally()
