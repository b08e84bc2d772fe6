"""Chance that a seed decides: the same seed and the same words give the same bits on every machine."""

import hashlib
import uuid

import numpy as np
from numpy.typing import NDArray


def bits(*words: object) -> bytes:
    return hashlib.sha256("|".join(map(str, words)).encode()).digest()


def share(*words: object) -> float:
    """From 0 up to but not 1."""
    return int.from_bytes(bits(*words)[:6], "big") / 2**48


def identity(*words: object) -> str:
    """A uuid of version 4's form."""
    return str(uuid.UUID(bytes=bits(*words)[:16], version=4))


def spread(count: int, *words: object) -> NDArray[np.float64]:
    """`count` numbers from -1 up to but not 1, in steps of 2^-15."""
    raw = hashlib.shake_128("|".join(map(str, words)).encode()).digest(2 * count)
    return np.frombuffer(raw, dtype=">i2").astype(np.float64) / 32_768.0
