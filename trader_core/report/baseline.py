"""The regression gate: five figures of a backtest against those that were once accepted, and why they were."""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from trader_core.domain.errors import UsageError
from trader_core.domain.money import plain
from trader_core.domain.words import count

SCHEMA = "trader.baseline/v1"
KEYS = ("total_trades", "win_rate", "total_pnl_pct", "max_drawdown_pct", "profit_factor")
_SECTIONS = ("metadata", "regression_keys")
_KEPT = (  # of the metadata: what was replayed, and by which code
    "trader", "law_digest", "seed", "from_time", "to_time", "base_bar_min", "data_fingerprint", "candles",
    "config_digest",
)  # fmt: skip
_SAME = ("data_fingerprint", "from_time", "to_time", "base_bar_min")  # or it is not the same data
_VACUOUS = "it would pass anything"
_MORE = "a baseline over more data, or --min-trades N"
_WRITE = "trader backtest --write-baseline FILE --reason TEXT makes one"


class Row(Struct, frozen=True):
    """One figure, then and now. `deviation_pct` is None where one of them is undefined and the other is not."""

    key: str
    baseline: Decimal | None
    current: Decimal | None
    deviation_pct: Decimal | None
    passed: bool


class Gate(Struct, frozen=True):
    rows: tuple[Row, ...]
    tolerance_pct: Decimal
    reason: str  # why the baseline was accepted

    @property
    def passed(self) -> bool:
        return all(row.passed for row in self.rows)


def check_reason(reason: str) -> None:
    """Raises UsageError where there is none: a new baseline hides every change before it."""
    if not reason.strip():
        raise UsageError("a new baseline needs a reason", remedy="add --reason TEXT: what changed, and why it is right")


def baseline_of(report: Mapping[str, Any], reason: str, min_trades: int) -> dict[str, Any]:
    """What is kept of a report. Raises UsageError without a reason, and where there are too few trades to compare."""
    check_reason(reason)
    trades = int(report["regression_keys"]["total_trades"])
    if trades < min_trades:
        raise UsageError(f"{count(trades, 'trade is', 'trades are')} fewer than {min_trades}: {_VACUOUS}", remedy=_MORE)
    return {
        "schema": SCHEMA,
        "reason": reason.strip(),
        "metadata": {name: report["metadata"][name] for name in _KEPT},
        "flows": report["flows"],
        "regression_keys": dict(report["regression_keys"]),
    }


def read(text: str, name: str) -> dict[str, Any]:
    """A baseline, or a whole report, from its text. Raises UsageError where it is neither."""
    try:
        found = json.loads(text, parse_float=Decimal)
    except ValueError as wrong:
        raise UsageError(f"{name} is not JSON: {wrong}", remedy=_WRITE) from wrong
    found = found.get("data", found) if isinstance(found, dict) else found  # as --json prints a report
    sections = found if isinstance(found, dict) else {}
    absent = [part for part in _SECTIONS if not isinstance(sections.get(part), dict)]
    if absent:
        raise UsageError(f"{name} has no section {' and no section '.join(absent)}", remedy=_WRITE)
    unsaid = [key for key in KEYS if key not in sections["regression_keys"]]
    if unsaid:
        raise UsageError(f"{name} does not say {', '.join(unsaid)}", remedy=_WRITE)
    return sections


def compared(
    baseline: Mapping[str, Any], report: Mapping[str, Any], tolerance_pct: Decimal, min_trades: int, name: str
) -> Gate:
    """Raises UsageError where the two cannot be compared: other data, other deposits, or too few trades to mean
    anything."""
    _check_data(baseline["metadata"], report["metadata"], name)
    if baseline.get("flows", []) != report["flows"]:
        raise UsageError(f"{name} was made with other deposits", remedy="the same --deposit, or write a new baseline")
    then = {key: _figure(baseline["regression_keys"][key], key, name) for key in KEYS}
    now = {key: _figure(report["regression_keys"][key], key, "the report") for key in KEYS}
    trades = then["total_trades"]
    if trades is None or trades < min_trades:
        told = "no trades" if trades is None else count(int(trades), "trade")
        raise UsageError(f"{name} has {told}, fewer than {min_trades}: {_VACUOUS}", remedy=_MORE)
    rows = tuple(_row(key, then[key], now[key], tolerance_pct) for key in KEYS)
    return Gate(rows, tolerance_pct, str(baseline.get("reason", "")))


def _check_data(then: Mapping[str, Any], now: Mapping[str, Any], name: str) -> None:
    differs = [
        f"{part} is {then.get(part)} there and {now[part]} here" for part in _SAME if then.get(part) != now[part]
    ]
    closes = then.get("candles")
    if not differs and isinstance(closes, Mapping):
        both = sorted(closes.keys() & now["candles"].keys())
        changed = [symbol for symbol in both if closes[symbol] != now["candles"][symbol]]
        differs += [f"the candles of {', '.join(changed)} have changed"] if changed else []
    if differs:
        raise UsageError(
            f"{name} was made from other data: {'; '.join(differs)}",
            remedy="replay the same data and period (--data, --seed, --from, --to), or write a new baseline",
        )


def _figure(value: Any, key: str, name: str) -> Decimal | None:
    if value is None:
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if isinstance(value, bool) or not found.is_finite():
        raise UsageError(f"{name}: {key} is {value!r}, which is no number", remedy=_WRITE)
    return found


def _row(key: str, then: Decimal | None, now: Decimal | None, tolerance_pct: Decimal) -> Row:
    """Two that are both undefined are the same; one that is and one that is not differ, however small the other."""
    if then is None or now is None:
        same = then is None and now is None
        return Row(key, then, now, Decimal(0) if same else None, same)
    if then == 0:
        deviation = Decimal(0) if now == 0 else Decimal(100).copy_sign(now)
    else:
        deviation = 100 * (now - then) / abs(then)
    return Row(key, then, now, deviation, abs(deviation) <= tolerance_pct)


def figure_text(value: Decimal | None) -> str:
    return "undefined" if value is None else plain(value)
