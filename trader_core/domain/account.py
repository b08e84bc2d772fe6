"""Which account it is, and what the venue says we have: compared with the ledger, never merged over it."""

from decimal import Decimal

from msgspec import Struct


class Account(Struct, frozen=True):
    """One of those that a state directory may hold."""

    mode: str
    venue: str

    def __str__(self) -> str:
        return f"{self.mode} on the {self.venue} venue"


class Balance(Struct, frozen=True):
    """One asset at the venue: what is free and what open orders hold, in units of the asset."""

    asset: str
    available: Decimal
    hold: Decimal

    @property
    def total(self) -> Decimal:
        return self.available + self.hold


class Fees(Struct, frozen=True):
    """What the venue takes of a trade's value now, as fractions: 0.006 is 60 bps."""

    maker: Decimal
    taker: Decimal


class BalancePage(Struct, frozen=True):
    balances: tuple[Balance, ...]
    next_cursor: str  # empty on the last page


class External(Struct, frozen=True):
    """Coins in the account that the bot did not buy: reported, never sold, never in its exposure."""

    asset: str
    quantity: Decimal
    value: Decimal | None  # in quote; None where the venue lists no price for it
