"""The report as JSON would hold it, read by somebody who is content with less: what is not there is None."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from html import escape
from typing import Any, TypeGuard

from trader_core.domain.clocktime import parse_utc

SPELT = {"pct": "%", "pnl": "PnL", "r": "R", "sqn": "SQN", "sharpe": "Sharpe", "sortino": "Sortino", "calmar": "Calmar"}

Document = Mapping[str, Any]


def number(value: Any) -> Decimal | None:
    """A finite number, whether JSON holds it as one or as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def numbers(values: Iterable[Any]) -> list[float | None]:
    """For a chart: ten significant digits; None leaves a gap."""
    return [None if (found := number(one)) is None else float(f"{found:.10g}") for one in values]


def moment_ms(value: Any) -> int | None:
    """A time in epoch ms, from RFC 3339 text or from epoch ms."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return parse_utc(value) if isinstance(value, str) else None
    except ValueError:
        return None


def section(document: Document, name: str) -> Document:
    """A part that is an object; empty where there is none."""
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def rows(document: Document, name: str) -> list[Document]:
    """A part that is a list of objects; empty where there is none."""
    found = document.get(name)
    return [one for one in found if isinstance(one, Mapping)] if is_list(found) else []


def is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def measure(value: Any) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """A figure and the interval it was measured with, as (point, low, high)."""
    if not isinstance(value, Mapping):
        return number(value), None, None
    return number(value.get("value")), number(value.get("low")), number(value.get("high"))


def is_measured(value: Any) -> bool:
    return isinstance(value, Mapping) and "value" in value


def text(value: Any) -> str:
    """Anything from the data, escaped for the page and for a chart's labels, which read a little HTML too."""
    return escape(str(value), quote=True)


def words(name: str) -> str:
    """A field's name as a person says it: 'win_rate' is 'win rate', 'pnl_pct' is 'PnL %'."""
    return text(" ".join(SPELT.get(one, one) for one in name.split("_")))
