"""Tax lots: every sale matched to the purchases it sold, by a named method. The ledger itself goes by average cost.

Whatever the method, quantities, proceeds and costs add up to what was filled, to the last digit: gains less the cost
of what is still held is the ledger's realised less the cost of its holdings.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Protocol

from msgspec import Struct

from trader_core.domain.book import ZERO
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.fill import Side
from trader_core.domain.money import EXACT, GRAIN


class Traded(Protocol):
    """A fill, as far as lots go by it."""

    @property
    def trade_id(self) -> str: ...
    @property
    def at_ms(self) -> EpochMs: ...
    @property
    def symbol(self) -> str: ...
    @property
    def side(self) -> Side: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def value(self) -> Decimal: ...
    @property
    def fee(self) -> Decimal: ...


class Part(Struct, frozen=True):
    """A part of a purchase, sold or still held. Costs and proceeds have the fees in them, split in proportion; the
    last part takes what rounding left."""

    symbol: str
    quantity: Decimal
    acquired_ms: EpochMs | None  # None: sold before any purchase was told
    disposed_ms: EpochMs | None  # None: still held
    proceeds: Decimal | None
    cost: Decimal
    gain: Decimal | None
    bought: str  # the purchase's trade id
    sold: str


class Matched(Struct, frozen=True):
    """`sold` in the order of the sales, `held` in the order of the purchases."""

    sold: tuple[Part, ...]
    held: tuple[Part, ...]


@dataclass(eq=False)
class _Lot:
    """What is left of a purchase."""

    fill: Traded
    quantity: Decimal
    cost: Decimal

    @property
    def paid(self) -> Decimal:
        """For one unit, fee included, when it was bought."""
        return EXACT.divide(self.fill.value + self.fill.fee, self.fill.quantity)

    def take(self, quantity: Decimal) -> Decimal:
        """The cost of that much of it, which leaves with it."""
        cost = _share(self.cost, quantity, self.quantity)
        self.quantity -= quantity
        self.cost -= cost
        return cost


METHODS: dict[str, Callable[[list[_Lot]], _Lot]] = {  # of the lots still open, oldest first, the one to sell next
    "FIFO": lambda lots: lots[0],
    "HIFO": lambda lots: max(lots, key=lambda one: one.paid),
    "LIFO": lambda lots: lots[-1],
}


def matched(fills: Iterable[Traded], method: str) -> Matched:
    """Lots by symbol, in the order of time; what was told in the same moment stays as it was told."""
    pick, lots = METHODS[method], dict[str, list[_Lot]]()
    sold: list[Part] = []
    for fill in sorted(fills, key=lambda one: one.at_ms):
        open_lots = lots.setdefault(fill.symbol, [])
        if fill.side is Side.BUY:
            open_lots.append(_Lot(fill, fill.quantity, fill.value + fill.fee))
        else:
            sold += _sale(fill, open_lots, pick)
    held = [
        Part(symbol, one.quantity, one.fill.at_ms, None, None, one.cost, None, one.fill.trade_id, "")
        for symbol, those in lots.items()
        for one in those
    ]
    return Matched(tuple(sold), tuple(sorted(held, key=lambda one: (one.acquired_ms or 0, one.symbol))))


def _sale(fill: Traded, lots: list[_Lot], pick: Callable[[list[_Lot]], _Lot]) -> list[Part]:
    """One part for each lot that the sale takes from; what exceeds them all has no purchase and no cost."""
    left, rest = Decimal(fill.quantity), fill.value - fill.fee
    parts: list[Part] = []
    for _ in range(len(lots) + 1):  # each turn empties a lot, or is the last
        if not left:
            break
        lot = pick(lots) if lots else None
        quantity = min(left, lot.quantity) if lot else left
        proceeds, cost = _share(rest, quantity, left), lot.take(quantity) if lot else ZERO
        bought_ms, bought = (lot.fill.at_ms, lot.fill.trade_id) if lot else (None, "")
        gain = proceeds - cost
        parts.append(
            Part(fill.symbol, quantity, bought_ms, fill.at_ms, proceeds, cost, gain, bought, fill.trade_id)
        )  # fmt: skip
        left, rest = left - quantity, rest - proceeds
        if lot and not lot.quantity:
            lots.remove(lot)
    return parts


def _share(amount: Decimal, quantity: Decimal, whole: Decimal) -> Decimal:
    """That part of an amount, rounded down to 1e-8 quote; all of it for all of the quantity."""
    if quantity >= whole:
        return amount
    return EXACT.divide(EXACT.multiply(amount, quantity), whole).quantize(GRAIN, ROUND_FLOOR, EXACT)
