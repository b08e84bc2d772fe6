"""The one thing shared with the program: the declared fill model, for orders that rest while a bar goes by."""

from trader_core.loopback.market import Bar

# The model names its figures' type and kinds without handing them on, and nothing else of ours may be asked for them.
from trader_core.rulebook.matching import MAKER, Costs, match  # type: ignore[attr-defined]

MAX_SHARE_PPM = 100_000  # of a bar's volume, for one resting order
_COSTS = Costs._make((0, 0, 0, (), MAX_SHARE_PPM, 0))


def resting_lots(buys: bool, lots: int, limit: int, bar: Bar) -> int:
    """Lots of an order at its limit that a bar trades through."""
    filled, _ = match(_COSTS, 0, MAKER, buys, lots, limit, 0, bar.open, bar.high, bar.low, bar.volume)
    return int(filled)
