"""What a sweep tries: values of policy keys, each combination once, the same for the same seed."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import product
from math import exp, log, prod
from typing import TYPE_CHECKING

from msgspec import Struct

from trader_core.domain.errors import UsageError
from trader_core.research.chance import Dice, stream
from trader_core.research.trial import Edits
from trader_core.settings.edit import Value, value_at

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

COMBINATIONS_MAX = 1_000_000
DRAWS_A_TRIAL = 100  # until one is found that was not drawn before
RANDOM = 1  # name of the stream
CENT = Decimal("0.01")  # settings have at most two decimals
ENDS_MAX = 1_000_000_000  # of a range, either way
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_RANGE = re.compile(r"(?P<low>[^:]+?)\.\.(?P<high>[^:]+)(:(?P<scale>log|int))?")


class Choice(Struct, frozen=True):
    """Values that are listed."""

    key: str
    values: tuple[Value, ...]


class Range(Struct, frozen=True):
    """Values from `low` to `high`, both inclusive; whole numbers where `whole`, else two decimals."""

    key: str
    low: Decimal
    high: Decimal
    log: bool
    whole: bool

    def at(self, value: float) -> Value:
        """The value of this range that is nearest."""
        near = min(max(Decimal(repr(value)), self.low), self.high)
        return int(near.to_integral_value()) if self.whole else near.quantize(CENT)


Dimension = Choice | Range


def choice_of(text: str, policy: "Settings") -> Choice:
    """'strategies.sma_cross.fast_bars=5,10,20'. Raises UsageError."""
    key, listed = _split("--grid", text, policy)
    values = tuple(dict.fromkeys(_value(one.strip()) for one in listed.split(",") if one.strip()))
    if not values:
        raise UsageError(f"--grid {text}: no values", remedy="--grid strategies.sma_cross.fast_bars=5,10,20")
    return Choice(key, values)


def range_of(text: str, policy: "Settings") -> Range:
    """'strategies.sma_cross.stop_pct=1..8:log'. Raises UsageError."""
    key, told = _split("--range", text, policy)
    found = _RANGE.fullmatch(told)
    ends = [_value(found[name].strip()) for name in ("low", "high")] if found else []
    low, high = (Decimal(one) if isinstance(one, Decimal | int) else Decimal("NaN") for one in ends or ("", ""))
    sound = found is not None and low.is_finite() and high.is_finite() and low < high
    if found is None or not sound or (found["scale"] == "log" and low <= 0):
        raise UsageError(f"--range {text}: not LOW..HIGH", remedy="--range strategies.sma_cross.stop_pct=1..8:log")
    if max(abs(low), abs(high)) > ENDS_MAX:
        raise UsageError(f"--range {text}: it reaches beyond {ENDS_MAX}", remedy="ends that the key can have")
    whole = found["scale"] == "int" or isinstance(value_at(policy, key), int)
    if any(one % (1 if whole else CENT) for one in (low, high)):
        kind = "whole numbers" if whole else "numbers with at most two decimals"
        raise UsageError(f"--range {text}: LOW..HIGH are {kind} here", remedy="values are drawn with no more digits")
    return Range(key, low, high, found["scale"] == "log", whole)


def edit_of(option: str, text: str, policy: "Settings") -> tuple[str, Value]:
    """'risk.max_per_asset_pct=10': one key of any file and its value. Raises UsageError."""
    key, told = _split(option, text, policy)
    return key, _value(told.strip())


def _split(option: str, text: str, policy: "Settings") -> tuple[str, str]:
    """(key, what follows it); keys of policy.yaml also without that word. Raises UsageError."""
    short = text.partition(".")[0] not in type(policy).model_fields and not text.startswith("=")
    key, sign, told = (f"policy.{text}" if short else text).partition("=")
    if not sign:
        raise UsageError(f"{option} {text}: no =", remedy=f"{option} KEY=...")
    try:
        value_at(policy, key)
    except LookupError as unknown:
        raise UsageError(f"{option} {text}: {unknown.args[0]}", remedy="keys are dotted: policy.exits...") from unknown
    return key, told


def _value(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    if _NUMBER.fullmatch(text):
        return Decimal(text) if "." in text else int(text)
    return text


def grid(dimensions: Sequence[Choice]) -> tuple[Edits, ...]:
    """Every combination, the last key changing fastest. Raises UsageError where there are too many."""
    count = 1
    for one in dimensions:
        count *= len(one.values)
    if count > COMBINATIONS_MAX:
        raise UsageError(f"{count} combinations are more than {COMBINATIONS_MAX}", remedy="--random N draws from them")
    keys = [one.key for one in dimensions]
    return tuple(tuple(zip(keys, each, strict=True)) for each in product(*(one.values for one in dimensions)))


def drawn(dimensions: Sequence[Dimension], count: int, seed: int) -> tuple[Edits, ...]:
    """So many different combinations, or as many as there seem to be."""
    chance, found = stream(seed, RANDOM), dict[Edits, None]()
    count = min(count, prod(map(_size, dimensions)))
    for _ in range(DRAWS_A_TRIAL * count):
        found[tuple((one.key, _drawn(one, chance)) for one in dimensions)] = None
        if len(found) == count:
            break
    return tuple(found)


def _size(one: Dimension) -> int:
    """How many values there are."""
    return len(one.values) if isinstance(one, Choice) else int((one.high - one.low) / (1 if one.whole else CENT)) + 1


def _drawn(one: Dimension, chance: Dice) -> Value:
    if isinstance(one, Choice):
        return one.values[int(chance.integers(len(one.values)))]
    low, high = float(one.low), float(one.high)
    if one.whole and not one.log:
        return int(chance.integers(int(one.low), int(one.high), endpoint=True))
    share = float(chance.random())
    return one.at(exp(log(low) + share * (log(high) - log(low))) if one.log else low + share * (high - low))


def keys_of(dimensions: Sequence[Dimension]) -> Iterator[str]:
    """Raises UsageError where a key is given twice."""
    seen: set[str] = set()
    for one in dimensions:
        if one.key in seen:
            raise UsageError(f"{one.key} is given twice", remedy="one --grid or --range for each key")
        seen.add(one.key)
        yield one.key
