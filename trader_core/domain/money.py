"""Amounts carry their currency side in the type, and every rounding has a name and a direction."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import NewType

Base = NewType("Base", Decimal)  # an amount of the coin
Quote = NewType("Quote", Decimal)  # an amount of the account currency

E8 = 100_000_000  # integer money counts 1e-8 quote
CENT = Decimal("0.01")
GRAIN = Decimal("0.00000001")
EXACT = Context(prec=60)  # wide enough for every product here, so nothing rounds unasked


def quantise_up(amount: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `amount`."""
    return EXACT.multiply(EXACT.divide(amount, step).to_integral_value(ROUND_CEILING), step)


def grains_down(amount: Decimal) -> int:
    """`amount` in whole 1e-8 quote, rounded towards minus infinity: what we own."""
    return int((amount * E8).to_integral_value(ROUND_FLOOR))


def grains_up(amount: Decimal) -> int:
    """`amount` in whole 1e-8 quote, rounded towards plus infinity: what we owe."""
    return int((amount * E8).to_integral_value(ROUND_CEILING))


def cents(amount: Decimal) -> Decimal:
    """To be told: hundredths, a half goes away from zero, and nothing has no sign."""
    return EXACT.plus(amount.quantize(CENT, ROUND_HALF_UP, EXACT))


def from_grains(grains: int) -> Decimal:
    """Whole 1e-8 quote as a Decimal, exact."""
    return EXACT.multiply(Decimal(int(grains)), GRAIN)


def plain(amount: Decimal) -> str:
    """Decimal as text without exponent or trailing zeros: '0.5', '12', '-3.25'."""
    text = format(amount, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
