"""How a report's figures are written: amounts exact, floats to ten significant digits, records one to a line."""

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from trader_core.domain.clocktime import rfc3339
from trader_core.domain.money import plain
from trader_core.domain.values import is_value, names_of
from trader_core.rulebook.limits import Ints

GRAIN_DIGITS = 8
RATIO_DIGITS = 4  # decimals of percentages and ratios that are exact
_INDENT = "  "


def significant(value: float | None) -> float | None:
    """To ten significant digits, which the last bits of two machines' libraries do not reach; None where it is none."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.10g}") + 0.0


def grains_text(grains: int) -> str:
    """1e-8 quote as plain text: '12.5', '-0.00000001'."""
    return _scaled_text(grains, GRAIN_DIGITS)


def ratio_text(part: int, whole: int) -> str:
    """part / whole to four decimals, halves to even; '0' of nothing."""
    return _scaled_text(rounded_ratio(part, whole, RATIO_DIGITS), RATIO_DIGITS)


def rounded_ratio(part: int, whole: int, digits: int) -> int:
    """part / whole in units of the last of so many decimals, halves to even; 0 of nothing."""
    if whole == 0:
        return 0
    scaled: int = part * 10**digits
    quotient, rest = divmod(scaled, whole)
    over = 2 * abs(rest) - abs(whole)
    return quotient + 1 if over > 0 or (over == 0 and quotient % 2 == 1) else quotient


def _scaled_text(value: int, digits: int) -> str:
    text = str(value if value >= 0 else -value).zfill(digits + 1)
    rest = text[-digits:].rstrip("0")
    shown = f"{text[:-digits]}.{rest}" if rest else text[:-digits]
    return f"-{shown}" if value < 0 else shown


def times_text(at_ms: Ints) -> list[str]:
    """RFC 3339 to the second, of many times at once. A bar opens and closes at whole seconds."""
    return [f"{one}Z" for one in np.datetime_as_string(at_ms.astype("datetime64[ms]"), unit="s").tolist()]


def members(of: Any) -> dict[str, Any]:
    """A dataclass as a report has it: amounts as text, a moment `<name>_ms` as `<name>_time`."""
    return dict(_member(name, getattr(of, name)) for name in names_of(of))


def _member(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_ms"):
        return f"{name.removesuffix('_ms')}_time", rfc3339(value)
    if isinstance(value, Decimal):
        return name, plain(value)
    if isinstance(value, tuple):
        return name, [members(one) if is_value(one) else one for one in value]
    return name, value


def text_of(document: Mapping[str, Any]) -> str:
    """A whole JSON file; the same value gives the same bytes. A record of a list takes one line."""
    return _written(document, "") + "\n"


def _written(value: Any, indent: str) -> str:
    deeper = indent + _INDENT
    if isinstance(value, Mapping) and value:
        inner = [f"{deeper}{json.dumps(key)}: {_written(one, deeper)}" for key, one in value.items()]
        return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
    if isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(one, Mapping) for one in value):
        return "[\n" + ",\n".join(f"{deeper}{_line(one)}" for one in value) + f"\n{indent}]"
    return _line(value)


_line = json.JSONEncoder(allow_nan=False).encode
