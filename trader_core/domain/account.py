"""What the venue says we have. It is compared with the ledger, never merged over it."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset at the venue: what is free and what open orders hold, in units of the asset."""

    asset: str
    available: Decimal
    hold: Decimal

    @property
    def total(self) -> Decimal:
        return self.available + self.hold


@dataclass(frozen=True, slots=True)
class Fees:
    """What the venue takes of a trade's value now, as fractions: 0.006 is 60 bps."""

    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True)
class BalancePage:
    balances: tuple[Balance, ...]
    next_cursor: str  # empty on the last page


@dataclass(frozen=True, slots=True)
class External:
    """Coins in the account that the bot did not buy: reported, never sold, never in its exposure."""

    asset: str
    quantity: Decimal
    value: Decimal | None  # in quote; None where the venue lists no price for it
