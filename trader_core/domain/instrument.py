"""What a venue lets us trade, and in which steps."""

from decimal import Decimal
from fractions import Fraction
from functools import cache

from msgspec import Struct

from trader_core.domain.money import E8


class Instrument(Struct, frozen=True):
    """One spot pair. `tick` is the price step in quote, `lot` the quantity step in base."""

    symbol: str  # "BTC-USD"
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_notional: Decimal  # the venue's own floor, in quote

    def __post_init__(self) -> None:
        if self.tick <= 0 or self.lot <= 0:
            raise ValueError(f"{self.symbol}: tick and lot must be above zero")

    @property
    def grains_per_unit(self) -> Fraction:
        """1e-8 quote in one tick times one lot, as an exact ratio."""
        return _grains(self.tick, self.lot)


@cache
def _grains(tick: Decimal, lot: Decimal) -> Fraction:
    return Fraction(tick) * Fraction(lot) * E8


class Exclusion(Struct, frozen=True):
    """An instrument that is not traded, and why."""

    symbol: str
    reason: str


def base_of(symbol: str) -> str:
    """The coin of a pair: 'BTC' of 'BTC-USD'."""
    return symbol.partition("-")[0]
