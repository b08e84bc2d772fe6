"""Small rows that several processes share: how full a bucket is, what a breaker knows.

Whoever changes a row gives a pure function from its old text to the new one; where the rows live is not its business.
"""

from collections.abc import Callable
from threading import Lock
from typing import Protocol, TypeVar

T = TypeVar("T")
Step = Callable[[str | None], tuple[str, T]]  # the old text, None where there is none -> the new one, and an answer


class Rows(Protocol):
    def change(self, key: str, step: Step[T]) -> T:
        """Apply `step` to the row, alone among all processes. Raises StateUnusable where that cannot be done."""


class LocalRows:
    """Rows of this process alone: for a command without a state, and where the shared ones cannot be used."""

    def __init__(self) -> None:
        self._rows: dict[str, str] = {}
        self._lock = Lock()

    def change(self, key: str, step: Step[T]) -> T:
        with self._lock:
            self._rows[key], answer = step(self._rows.get(key))
            return answer
