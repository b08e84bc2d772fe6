"""Exact rolling tools: a value depends on its own window alone, so a live window and all of history agree."""

from dataclasses import dataclass

import numpy as np

from trader_core.market.frame import Frame
from trader_core.rulebook.limits import Ints


@dataclass(frozen=True)
class Rolling:
    """Sums over the last `length` rows. `count` is the number of bars in them; `full` where enough are there."""

    total: Ints
    count: Ints
    full: np.ndarray


def rolling_close(frame: Frame, length: int, max_missing: int) -> Rolling:
    """Rolling sum of closes in ticks. A window with more than `max_missing` absent bars is not full.

    Prefix sums are integers: they may wrap, their differences stay exact.
    """
    total = _window(np.where(frame.present, frame.close, 0), length)
    count = _window(frame.present.astype(np.int64), length)
    enough = count >= max(length - max_missing, 1)
    enough[: length - 1] = False
    return Rolling(total, count, enough)


def _window(values: Ints, length: int) -> Ints:
    prefix = np.zeros((values.shape[0] + 1, values.shape[1]), np.int64)
    np.cumsum(values, axis=0, out=prefix[1:])
    row = np.arange(1, prefix.shape[0])
    return np.asarray(prefix[1:] - prefix[np.maximum(row - length, 0)], np.int64)
