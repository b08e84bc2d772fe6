"""What a strategy is: a window length and columns over it. It sees the market and nothing else."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from trader_core.market.frame import Frame
from trader_core.rulebook.limits import Flags, Floats


@dataclass(frozen=True)
class Proposals:
    """A strategy's opinion per row and instrument. All arrays are [row, instrument].

    `value` and `limit` say what the opinion was measured by, for `why`; `known` is False where the window has
    too many holes to have one.
    """

    enter: Flags
    leave: Flags
    conviction: Floats  # 0 to 1
    value: Floats
    limit: Floats
    known: np.ndarray


@dataclass(frozen=True)
class Terms:
    """Where a strategy wants its exits, in bps from the average entry price; 0 is none."""

    stop_bps: int
    target_bps: int


class Strategy(Protocol):
    unit: str  # of Proposals.value

    def lookback(self, parameters: Any) -> int:
        """Rows needed to know the last one."""

    def terms(self, parameters: Any) -> Terms: ...

    def columns(self, frame: Frame, parameters: Any, max_missing: int) -> Proposals: ...
