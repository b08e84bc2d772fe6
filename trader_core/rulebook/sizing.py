"""How many lots we would like, before any gate."""

from trader_core.rulebook import rule
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import lots_for
from trader_core.rulebook.state import Columns


@rule
def regime_scale(law: Law, columns: Columns, t: int) -> float:
    """How far the regime in force scales positions; an unknown one allows none."""
    return float(law.market.scale[columns.regime[columns.hour[t]]])


@rule
def wanted_lots(law: Law, i: int, equity: int, price: int, scale: float) -> int:
    """The tier's fraction of equity, scaled, at the worst price and rounded down. Unknown equity wants nothing."""
    if equity <= 0:
        return 0
    return lots_for(law.instruments, i, int(law.orders.position[law.instruments.tier[i]] * scale * equity), price)
