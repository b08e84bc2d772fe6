"""What leaves the house as rows: fills, closed positions, tax lots."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from trader_core.domain.book import ZERO
from trader_core.ledger.lots import Part, matched
from trader_core.report.trades import Booked, History, Trade, ended_since

Rows = Sequence[Booked] | Sequence[Part] | Sequence[Trade]
ROW_OF: dict[str, type[Booked] | type[Part] | type[Trade]] = {"fills": Booked, "lots": Part, "trades": Trade}


class LotTotals(Struct, frozen=True):
    """`gain` is `proceeds` less `cost`; what is still held has cost `held_cost`."""

    proceeds: Decimal
    cost: Decimal
    gain: Decimal
    held_cost: Decimal


def rows(past: History, what: str, method: str, from_ms: int | None) -> Rows:
    """Rows of what happened at or after `from_ms`; what is still held is there whenever it was bought."""
    if what == "lots":
        lots = matched(past.fills, method)
        sold = [one for one in lots.sold if from_ms is None or (one.disposed_ms or 0) >= from_ms]
        return [*sold, *lots.held]
    if what == "trades":
        return ended_since(past.trades, from_ms)
    return [one for one in past.fills if from_ms is None or one.at_ms >= from_ms]


def lot_totals(found: Rows) -> LotTotals:
    parts = [one for one in found if isinstance(one, Part)]
    sold = [one for one in parts if one.proceeds is not None]
    proceeds, cost = sum((one.proceeds or ZERO for one in sold), ZERO), sum((one.cost for one in sold), ZERO)
    held = sum((one.cost for one in parts if one.proceeds is None), ZERO)
    return LotTotals(proceeds, cost, proceeds - cost, held)
