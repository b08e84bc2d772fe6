"""Chance as a function of words: the same seed and the same words fall the same way for ever, in whatever order they
are asked. So a restart, or a call more or less, moves nothing else."""

from collections.abc import Sequence
from hashlib import blake2b, shake_128
from typing import TypeVar

import numpy as np

T = TypeVar("T")
_WHOLE = 1 << 64


class Dice:
    def __init__(self, *words: object) -> None:
        self._said = "|".join(map(str, words))

    def _number(self, words: tuple[object, ...]) -> int:
        text = f"{self._said}|{'|'.join(map(str, words))}"
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")

    def share(self, *words: object) -> float:
        """In [0, 1)."""
        return self._number(words) / _WHOLE

    def falls(self, share: float, *words: object) -> bool:
        """Whether it comes to pass, as often as `share` says."""
        return self.share(*words) < share

    def whole(self, least: int, most: int, *words: object) -> int:
        """Both ends inclusive."""
        return least + self._number(words) % (most - least + 1)

    def one_of(self, choices: Sequence[T], *words: object) -> T:
        return choices[self._number(words) % len(choices)]

    def some_of(self, choices: Sequence[T], share: float, *words: object) -> list[T]:
        """Each by itself and its own name: a choice more moves no other."""
        return [one for one in choices if self.falls(share, *words, one)]

    def shares(self, count: int, *words: object) -> np.ndarray:
        """So many in [0, 1)."""
        text = f"{self._said}|{'|'.join(map(str, words))}"
        return np.frombuffer(shake_128(text.encode()).digest(4 * count), "<u4") / float(1 << 32)

    def normals(self, count: int, *words: object) -> np.ndarray:
        """So many, nearly normal and bounded: twelve shares added."""
        rows = self.shares(12 * count, *words).reshape(12, count)
        return np.asarray(rows.sum(axis=0) - 6.0)
