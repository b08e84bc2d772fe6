"""Chance for research, and for nothing else: every stream is named by a seed, so each result can be made again."""

import numpy as np

Dice = np.random.Generator


def stream(seed: int, *name: int) -> Dice:
    """A generator of its own for each seed and name; the same on every machine. PCG64."""
    return Dice(np.random.PCG64(np.random.SeedSequence((seed, *name))))
