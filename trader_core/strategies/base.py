"""What a strategy is: a window length and columns over the market. It sees the market and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from trader_core.market.seen import Market
from trader_core.rulebook.limits import Flags, Floats, Ints

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


@dataclass(frozen=True)
class Terms:
    """Of entries, by cell; a number where they are the same for all.

    Exits stand in bps from the average entry; 0 ms is no end.
    """

    conviction: Floats | float  # 0 to 1
    scale: Floats | float  # of the tier's position
    stop_bps: Ints | int
    target_bps: Ints | int
    hold_ms: Ints | int


@dataclass(frozen=True)
class Measured:
    """What an opinion was measured by, for `why`, by instrument; `known` is False where the window has too many holes
    to have one."""

    value: Floats
    limit: Floats
    known: np.ndarray


@dataclass(frozen=True)
class Proposals:
    """A strategy's opinion per row and instrument: arrays are [row, instrument].

    The terms of entries are asked for where there are any, by (rows, instruments); what was measured at one row.
    """

    enter: Flags
    leave: Flags
    terms: Callable[[Ints, Ints], Terms]
    measured: Callable[[int], Measured]


class Strategy(Protocol):
    """`parameters` is the strategy's own block of strategies.yaml, whatever its model."""

    unit: str  # of Measured.value

    def lookback(self, parameters: Any, policy: "Settings") -> int:
        """Base bars needed to know the last row exactly as all of history would, beside what is told by the hour."""

    def columns(self, market: Market, parameters: Any) -> Proposals: ...
