"""Who is listed at a row. A pair that has sent nothing for MARK_BARS is delisted at once, in the middle of an hour too:
what is told by the hour then has a row of its own, behind those of the hours, for as long as that is so.
"""

from dataclasses import dataclass

import numpy as np

from trader_core.market.frame import Frame
from trader_core.rulebook.limits import Ints


@dataclass(frozen=True)
class Told:
    """The rows of what is told by the hour: first one for the time before any hour, then the whole hours, then what
    holds while somebody who matters is not listed."""

    at: Ints  # [row], its row there
    hour: Ints  # [row there], how many whole hours had closed
    gone: np.ndarray  # [row there, instrument], delisted

    def of(self, values: np.ndarray, unknown: float) -> np.ndarray:
        """What is known of each whole hour, by row there."""
        hours, rows = len(values), len(self.hour)
        found = np.empty((*values.shape[1:], rows), values.dtype).T
        found[0], found[1 : hours + 1] = unknown, values
        if rows > hours + 1:
            found[hours + 1 :] = found[self.hour[hours + 1 :]]
        return found


def told(frame: Frame, matters: np.ndarray) -> Told:
    """`matters`: [instrument], of whom it is asked whether they are listed. Where every pair is silent it is the venue
    that is, and all are listed; so is who has not sent a bar yet."""
    hour = frame.hour
    hours = np.arange((int(hour[-1]) if len(hour) else 0) + 1)
    nobody = np.zeros((len(hours), len(frame.symbols)), np.bool_)
    silent = _silent(frame, matters)
    rows = np.flatnonzero(silent.any(axis=1))
    if not len(rows):
        return Told(hour, hours, nobody)
    differs = (np.diff(hour[rows]) != 0) | (np.diff(rows) != 1) | (silent[rows[1:]] != silent[rows[:-1]]).any(axis=1)
    begins = np.concatenate([[True], differs])
    at = hour.copy()
    at[rows] = len(hours) - 1 + np.cumsum(begins)
    first = rows[begins]
    return Told(at, np.concatenate([hours, hour[first]]), np.concatenate([nobody, silent[first]]))


def _silent(frame: Frame, matters: np.ndarray) -> np.ndarray:
    """[row, instrument], who of them is delisted."""
    if frame.is_whole or not matters.any():
        return np.broadcast_to(np.False_, (0, len(frame.symbols)))
    close = frame.last_known[0]
    unknown = np.asarray((close == 0) & matters)
    if not unknown.any():
        return unknown
    heard = np.asarray((close > 0).any(axis=1))
    return np.asarray(unknown & (frame.counts[1:] > 0) & heard[:, None])
