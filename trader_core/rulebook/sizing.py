"""How many lots we would like, before any gate."""

from trader_core.rulebook import rule
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import lots_for


@rule
def wanted_lots(law: Law, i: int, equity: int, price: int) -> int:
    """A fixed fraction of equity at the worst price, rounded down. Unknown equity wants nothing."""
    if equity <= 0:
        return 0
    return lots_for(law.instruments, i, int(law.orders.position * equity), price)
