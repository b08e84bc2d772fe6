"""What becomes of each row that is offered to a series of candles. Nothing that is there is ever changed."""

from enum import IntEnum

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trader_core.candles.files import Ints, Rows


class Fate(IntEnum):
    """Of one offered row; each has exactly one."""

    NEW = 0  # taken in
    KNOWN = 1  # the same bar is there already
    DUPLICATE = 2  # the same bar was offered before
    CONFLICT = 3  # another bar of that time is kept: the one that is there, else the one that was offered first
    BAD = 4  # unsound, see FAULTS


class Merged(Struct, frozen=True):
    """The series after it, sorted, each time once; the fate of each offered row, and the row that has its time."""

    rows: Rows
    fates: NDArray[np.int8]
    kept: Ints


def merge(there: Rows, offered: Rows, faults: Ints) -> Merged:
    """`there` is sorted and has each time once. `faults` has a number for each offered row, 0 for a sound one."""
    sound = np.flatnonzero(faults == 0)
    times, first = np.unique(offered.ts[sound], return_index=True)
    fresh = sound[first[~np.isin(times, there.ts)]]
    rows = there.joined(offered.take(fresh))
    rows = rows.take(np.argsort(rows.ts, kind="stable"))
    kept = np.full(len(offered), -1, np.int64)
    kept[sound] = rows.ts.searchsorted(offered.ts[sound])
    fates = np.full(len(offered), Fate.BAD, np.int8)
    fates[sound] = Fate.CONFLICT
    same = sound[_equal(rows.take(kept[sound]), offered.take(sound))]
    fates[same] = Fate.DUPLICATE
    fates[same[np.unique(offered.ts[same], return_index=True)[1]]] = Fate.KNOWN
    fates[fresh] = Fate.NEW
    return Merged(rows, fates, kept)


def _equal(one: Rows, other: Rows) -> NDArray[np.bool_]:
    pairs = zip(one.values(), other.values(), strict=True)
    mask: NDArray[np.bool_] = np.logical_and.reduce([a == b for a, b in pairs])
    return mask
