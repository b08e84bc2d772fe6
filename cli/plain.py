"""Finished values as JSON: decimals as strings, times as RFC 3339 text, dataclasses as objects."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from trader_core.domain.clocktime import rfc3339
from trader_core.domain.money import plain
from trader_core.domain.values import is_value, names_of


def jsonable(value: Any) -> Any:
    """A field `<name>_ms` of a dataclass is a moment and becomes `<name>_time`."""
    if isinstance(value, Decimal):
        return plain(value)
    if is_value(value):
        return dict(_member(name, getattr(value, name)) for name in names_of(value))
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [jsonable(item) for item in value]
    return value


def _member(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_ms"):
        return f"{name.removesuffix('_ms')}_time", moment(value)
    return name, jsonable(value)


def moment(at_ms: int | None) -> str | None:
    """RFC 3339; None before the first one."""
    return None if at_ms is None or at_ms < 0 else rfc3339(at_ms)


def document(value: Any) -> str:
    """A whole JSON file; the same value gives the same bytes."""
    return json.dumps(jsonable(value), indent=2, allow_nan=False) + "\n"
