"""Balances, holds and fees: what an account owns, what its orders keep, what it pays.

total = available + hold. An order keeps what it may still cost; only a fill, a deposit or a withdrawal moves a total.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from trader_core.loopback.chance import identity
from trader_core.loopback.numbers import ZERO, exact
from trader_core.loopback.trouble import Misused

START = {"USD": Decimal(100_000), "BTC": Decimal(2), "ETH": Decimal(20)}
PERMISSIONS = {"can_view": True, "can_trade": True, "can_transfer": False}


@dataclass(frozen=True, slots=True)
class Tier:
    """Rates are fractions of a trade's value, paid in quote on both sides."""

    name: str
    volume_from: Decimal
    volume_to: Decimal | None
    maker: Decimal
    taker: Decimal


def _tier(name: str, low: str, high: str, maker: str, taker: str) -> Tier:
    return Tier(name, Decimal(low), Decimal(high) if high else None, Decimal(maker), Decimal(taker))


TIERS = (
    _tier("Intro 1", "0", "1000", "0.006", "0.012"),
    _tier("Intro 2", "1000", "10000", "0.0035", "0.0075"),
    _tier("Advanced 1", "10000", "50000", "0.0025", "0.004"),
    _tier("Advanced 2", "50000", "500000", "0.00125", "0.0025"),
    _tier("Advanced 3", "500000", "5000000", "0.0008", "0.0016"),
    _tier("Advanced 4", "5000000", "", "0.0004", "0.001"),
)


@dataclass
class Wallet:
    """One currency of the account. `number` is its place in listings."""

    uuid: str
    currency: str
    number: int
    created_ms: int
    total: Decimal = ZERO
    hold: Decimal = ZERO

    @property
    def available(self) -> Decimal:
        return self.total - self.hold


@dataclass
class Account:
    """One portfolio. The fee tier follows the volume it came with, as a month's volume that ends yesterday would."""

    seed: str
    opened_ms: int
    wallets: dict[str, Wallet] = field(default_factory=dict)
    permissions: dict[str, Any] = field(default_factory=lambda: dict(PERMISSIONS))
    volume: Decimal = ZERO
    traded: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def portfolio(self) -> str:
        return identity(self.seed, "portfolio")

    @property
    def user(self) -> str:
        return identity(self.seed, "user")

    @property
    def tier(self) -> Tier:
        return next(tier for tier in reversed(TIERS) if self.volume >= tier.volume_from)

    def wallet(self, currency: str) -> Wallet:
        """The currency's wallet; the first touch makes it."""
        if currency not in self.wallets:
            uuid = identity(self.seed, "wallet", currency)
            self.wallets[currency] = Wallet(uuid, currency, len(self.wallets), self.opened_ms)
        return self.wallets[currency]

    def available(self, currency: str) -> Decimal | None:
        """None where there is no such wallet."""
        wallet = self.wallets.get(currency)
        return None if wallet is None else wallet.available

    @exact
    def deposit(self, currency: str, amount: Decimal) -> None:
        """A negative amount is a withdrawal; what orders keep cannot be withdrawn."""
        available = self.available(currency) or ZERO
        if available + amount < ZERO:
            raise Misused(f"only {available} {currency} are available")
        self.wallet(currency).total += amount

    @exact
    def put(self, totals: Mapping[str, Decimal]) -> None:
        """The wallets' totals from now on: all of them or none."""
        for currency, total in totals.items():
            hold = self.wallets[currency].hold if currency in self.wallets else ZERO
            if total < hold:
                raise Misused(f"orders keep {hold} {currency}")
        for currency, total in totals.items():
            self.wallet(currency).total = total
