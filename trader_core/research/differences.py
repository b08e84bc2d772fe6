"""Two reports side by side: what they were made from, every figure, and the trades that only one of them has."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

METADATA, TRADES = "metadata", "trades"
Leaf = tuple[str, Any]


class Difference(Struct, frozen=True):
    """A key of both reports, or of one: None where the other does not have it."""

    key: str
    before: Any
    after: Any


class Change(Struct, frozen=True):
    """A figure in both reports; `change` is None where either is unknown."""

    key: str
    before: Any
    after: Any
    change: Decimal | None


class Compared(Struct, frozen=True):
    metadata: tuple[Difference, ...]
    figures: tuple[Change, ...]
    trades_in_both: int
    only_before: tuple[Mapping[str, Any], ...]
    only_after: tuple[Mapping[str, Any], ...]


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> Compared:
    """Lists other than trades, of fills, orders or points, are not gone through."""
    old, new = (dict(_leaves(one.get(METADATA, {}), "")) for one in (before, after))
    first, second = (dict(_figures(one)) for one in (before, after))
    traded = [Counter(_trades(one)) for one in (before, after)]
    return Compared(
        metadata=tuple(
            Difference(key, old.get(key), new.get(key))
            for key in dict.fromkeys([*old, *new])
            if old.get(key) != new.get(key)
        ),
        figures=tuple(_change(key, first.get(key), second.get(key)) for key in dict.fromkeys([*first, *second])),
        trades_in_both=(traded[0] & traded[1]).total(),
        only_before=_read(traded[0] - traded[1]),
        only_after=_read(traded[1] - traded[0]),
    )


def _figures(report: Mapping[str, Any]) -> Iterator[Leaf]:
    for section, content in report.items():
        if section != METADATA and isinstance(content, Mapping):
            yield from ((key, value) for key, value in _leaves(content, section) if not isinstance(value, list))


def _leaves(block: Any, at: str) -> Iterator[Leaf]:
    """Every value below by its dotted path; a list is one value."""
    if isinstance(block, Mapping):
        for key, value in block.items():
            yield from _leaves(value, f"{at}.{key}" if at else str(key))
    else:
        yield at, block


def _change(key: str, before: Any, after: Any) -> Change:
    small, large = number_of(before), number_of(after)
    return Change(key, before, after, None if small is None or large is None else large - small)


def number_of(value: Any) -> Decimal | None:
    """What is a number in JSON, or was written as the text of one."""
    if value is None or isinstance(value, bool):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _trades(report: Mapping[str, Any]) -> list[str]:
    return [json.dumps(one, sort_keys=True) for one in report.get(TRADES, [])]


def _read(trades: "Counter[str]") -> tuple[Mapping[str, Any], ...]:
    return tuple(json.loads(one) for one in trades.elements())
