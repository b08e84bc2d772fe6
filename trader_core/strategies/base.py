"""What a strategy is: a window length and columns over the market. It sees the market and nothing else."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from trader_core.market.seen import Market
from trader_core.rulebook.limits import Flags, Floats, Ints

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


@dataclass(frozen=True)
class Proposals:
    """A strategy's opinion per row and instrument. All arrays are [row, instrument].

    `value` and `limit` say what the opinion was measured by, for `why`; `known` is False where the window has
    too many holes to have one. Exits stand in bps from the average entry; 0 ms is no end.
    """

    enter: Flags
    leave: Flags
    conviction: Floats  # 0 to 1
    scale: Floats  # of the tier's position
    stop_bps: Ints
    target_bps: Ints
    hold_ms: Ints
    value: Floats
    limit: Floats
    known: np.ndarray


class Strategy(Protocol):
    """`parameters` is the strategy's own block of strategies.yaml, whatever its model."""

    unit: str  # of Proposals.value

    def lookback(self, parameters: Any, policy: "Settings") -> int:
        """Base bars needed to know the last row exactly as all of history would."""

    def columns(self, market: Market, parameters: Any) -> Proposals: ...
