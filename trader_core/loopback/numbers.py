"""Decimals of the venue: exact where money moves, a named rounding where something must be divided."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Clamped, Context, Decimal, Inexact, InvalidOperation, localcontext
from functools import wraps
from typing import Any, TypeVar

EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, Clamped])
_DOWN = Context(prec=34, rounding=ROUND_DOWN)
_SHOWN = Context(prec=24, rounding=ROUND_HALF_EVEN)
ZERO = Decimal(0)
_SANE = Decimal("1e18")
F = TypeVar("F", bound=Any)


def exact(function: F) -> F:
    """Inside, a sum or product that would have to be rounded is an error; money is conserved to the last digit."""

    @wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with localcontext(EXACT):
            return function(*args, **kwargs)

    return inside  # type: ignore[return-value]


def quotient_down(a: Decimal, b: Decimal) -> Decimal:
    """a / b to 34 digits, towards zero."""
    return _DOWN.divide(a, b)


def shown(a: Decimal, b: Decimal) -> Decimal:
    """a / b for the reader of an answer, to 24 digits; nothing is computed from it."""
    return _SHOWN.divide(a, b) if b else ZERO


def text(value: Decimal) -> str:
    """Plain digits without exponent and without trailing zeros."""
    if not value:
        return "0"
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def units(count: int, digits: int) -> Decimal:
    """`count` steps of 10^-digits."""
    return Decimal(count).scaleb(-digits)


def steps(value: Decimal, digits: int) -> int:
    """How many whole steps of 10^-digits are in it, towards zero."""
    return int(value.scaleb(digits))


def on_step(value: Decimal, digits: int) -> bool:
    scaled = value.scaleb(digits)
    return scaled == scaled.to_integral_value()


def parsed(value: object) -> Decimal | None:
    """A decimal of a request, as text or whole number; None for anything that is no finite number of sane size."""
    if not isinstance(value, str | int) or isinstance(value, bool) or len(str(value)) > 40:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    exponent = number.as_tuple().exponent
    return number if isinstance(exponent, int) and exponent >= -20 and abs(number) < _SANE else None
