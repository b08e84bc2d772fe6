"""How far a long piece of work has come: a line on stderr that is written over, on a terminal only."""

import sys
import time
from types import TracebackType

from trader_core.talk import TALK

EVERY_S = 0.1


class Progress:
    """Called with (done, of how many). The line is gone when the context closes."""

    def __init__(self, what: str, unit: str, expected: bool = True) -> None:
        """Work that is not `expected` is told of when it is heard of, also where nobody watches."""
        self._what, self._unit, self._expected = what, unit, expected
        self._shown = sys.stderr.isatty()
        self._began = self._told = time.monotonic()
        self.heard = False

    def __enter__(self) -> "Progress":
        if self._expected:
            self._write(f"{self._what} ...")
        return self

    def __call__(self, done: int, total: int) -> None:
        if not self.heard and not self._expected and not self._shown:
            TALK.say(f"{self._what} ...")
        self.heard, now = True, time.monotonic()
        if now - self._told >= EVERY_S and total > 0:
            self._told = now
            self._write(self._line(done, total, now - self._began))

    def _line(self, done: int, total: int, past_s: float) -> str:
        """'replaying: 1,200 of 5,760 rows, 480 rows/s, 10 s left'."""
        rate = done / past_s if past_s > 0 else 0.0
        left = f", {(total - done) / rate:,.0f} s left" if rate > 0 else ""
        return f"{self._what}: {done:,} of {total:,} {self._unit}, {rate:,.0f} {self._unit}/s{left}"

    def _write(self, text: str) -> None:
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write("")


def compiling() -> Progress:
    """Of the law, should it have to be."""
    return Progress("compiling the law, once for this version (half a minute)", "rules", expected=False)
