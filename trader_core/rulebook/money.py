"""Integer money: 1e-8 quote, with the direction of every rounding in the name."""

from trader_core.rulebook import rule
from trader_core.rulebook.limits import Instruments, Ints

PPM = 1_000_000
LIMIT = 1 << 62  # every product of the law stays below this
SAFE = 2.0**61  # a product that rounds to less fits
NEAR = 2.0**50  # three roundings put a quotient below it off by less than a half


@rule
def mul_div(a: int, b: int, c: int) -> tuple[int, int]:
    """a * b divided by c, as (quotient, remainder), for a, b >= 0 and 0 < c < 2^62.

    Exact also where a * b would not fit into 64 bits; the quotient must.
    """
    if float(a) * b >= SAFE:
        return mul_div_long(a, b, c)
    if c == 1:
        return a * b, 0
    quotient = a * b // c
    return quotient, a * b - quotient * c


@rule
def mul_div_long(a: int, b: int, c: int) -> tuple[int, int]:
    """The same where the product is too much: the whole c in a, and what is left of it; where that is too much as well,
    by long multiplication, highest bit of b first."""
    whole, rest = a // c * b, a % c
    if float(rest) * b < SAFE:
        return whole + rest * b // c, rest * b % c
    quotient, remainder = 0, 0
    for step in range(63):
        quotient = 2 * quotient
        remainder = 2 * remainder
        if remainder >= c:
            remainder -= c
            quotient += 1
        if (b >> (62 - step)) & 1:
            remainder += rest
            if remainder >= c:
                remainder -= c
                quotient += 1
    return whole + quotient, remainder


@rule
def mul_div_down(a: int, b: int, c: int) -> int:
    """floor(a * b / c)."""
    return mul_div(a, b, c)[0]


@rule
def mul_div_up(a: int, b: int, c: int) -> int:
    """ceil(a * b / c)."""
    quotient, remainder = mul_div(a, b, c)
    return quotient + (1 if remainder > 0 else 0)


@rule
def value_down(instruments: Instruments, i: int, lots: int, ticks: int) -> int:
    """What lots at a price bring, rounded down."""
    return mul_div_down(lots * ticks, instruments.num[i], instruments.den[i])


@rule
def add_values(instruments: Instruments, i: int, lots: int, ticks: Ints, amounts: Ints) -> None:
    """To each amount what the lots bring at the price beside it, as `value_down`: a quotient of floats, put right,
    takes less time than one of integers."""
    num, den = instruments.num[i], instruments.den[i]
    part = num / den
    for k in range(ticks.shape[0]):
        units = lots * ticks[k]
        about = float(units) * part
        if about >= NEAR or float(units) * num >= SAFE:
            amounts[k] += mul_div_down(units, num, den)
        else:
            quotient = int(about)
            rest = units * num - quotient * den
            amounts[k] += quotient - (1 if rest < 0 else 0) + (1 if rest >= den else 0)


@rule
def value_up(instruments: Instruments, i: int, lots: int, ticks: int) -> int:
    """What lots at a price cost, rounded up."""
    return mul_div_up(lots * ticks, instruments.num[i], instruments.den[i])


@rule
def lots_for(instruments: Instruments, i: int, grains: int, ticks: int) -> int:
    """The most lots that `grains` of 1e-8 quote pay for at a price."""
    if grains <= 0 or ticks <= 0:
        return 0
    num, den = instruments.num[i], instruments.den[i]
    if float(grains) * den >= SAFE and grains // num > LIMIT // den:
        return LIMIT // ticks  # only a product beyond SAFE can be that much, and a division takes its time
    return min(mul_div_down(grains, den, num), LIMIT) // ticks


@rule
def more(ticks: int, ppm: int) -> int:
    """A price raised by ppm, rounded up."""
    return mul_div_up(ticks, PPM + ppm, PPM)


@rule
def less(ticks: int, ppm: int) -> int:
    """A price lowered by ppm, rounded down."""
    return mul_div_down(ticks, PPM - min(ppm, PPM), PPM)
