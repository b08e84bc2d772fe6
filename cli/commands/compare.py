"""`trader compare`: two reports of backtests side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import Result
from cli.research import cell
from trader_core.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trader_core.research.differences import Compared

SHOWN_TRADES = 10
VALUE_CHARS = 24
SECTIONS = ("metadata", "summary", "regression_keys")  # of a report, beside its trades

Before = Annotated[Path, typer.Argument(metavar="A.json", help="A report, as it was.")]
After = Annotated[Path, typer.Argument(metavar="B.json", help="A report, as it is.")]


def compare(before: Before, after: After) -> Result:
    """Compare two backtest reports: what they were made from, every figure, and the trades that differ."""
    from trader_core.research.differences import compared

    found = compared(_read(before), _read(after))
    return Result(found, _text(found), 0)


def _read(path: Path) -> dict[str, Any]:
    """Raises UsageError where it is no report."""
    from json import JSONDecodeError, loads

    try:
        report = loads(path.read_text(encoding="utf-8"))
    except OSError as gap:
        raise UsageError(f"{path} cannot be read: {gap.strerror}", remedy="trader backtest --out FILE") from gap
    except (JSONDecodeError, UnicodeDecodeError, RecursionError) as gap:
        raise UsageError(f"{path} is not JSON", remedy="trader backtest --out FILE") from gap
    report = report.get("data", report) if isinstance(report, dict) else report
    parts = report if isinstance(report, dict) else {}
    missing = [name for name in SECTIONS if not isinstance(parts.get(name), dict)]
    trades = parts.get("trades")
    if not isinstance(trades, list) or not all(isinstance(one, dict) for one in trades):
        missing.append("trades")
    if missing:
        told = f"{path} is no backtest report: it has no {', '.join(missing)}"
        raise UsageError(told, remedy="trader backtest --out FILE")
    return parts


def _text(found: "Compared") -> str:
    from cli.show import table

    lines = ["made from"]
    rows = [[one.key, _cut(one.before), _cut(one.after)] for one in found.metadata]
    lines += [table(["", "A", "B"], rows, 3) if rows else "  the same in both"]
    figures = [one for one in found.figures if one.before != one.after]
    same = len(found.figures) - len(figures)
    lines += ["", "figures"]
    if figures:
        changed = [[one.key, _cut(cell_of(one.before)), _cut(cell_of(one.after)), cell(one.change)] for one in figures]
        lines.append(table(["", "A", "B", "change"], changed))
    lines.append(f"{same} the same")
    lines += ["", f"trades: {found.trades_in_both} in both"]
    lines += _trades("A", found.only_before) + _trades("B", found.only_after)
    return "\n".join(lines)


def cell_of(value: Any) -> str:
    """A figure as it stands in a report: numbers shortened, words as they are."""
    from trader_core.research.differences import number_of

    number = number_of(value)
    return cell(number) if number is not None else "-" if value is None else str(value)


def _cut(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= VALUE_CHARS else text[: VALUE_CHARS - 3] + "..."


def _trades(name: str, trades: "Sequence[Mapping[str, Any]]") -> list[str]:
    lines = [f"only in {name}: {len(trades)}"]
    lines += [
        f"  {one.get('entry_time', '?')} {one.get('symbol', '?')} {one.get('pnl', '?')} ({one.get('exit_reason', '?')})"
        for one in trades[:SHOWN_TRADES]
    ]
    return lines + (
        [f"  and {len(trades) - SHOWN_TRADES} more; --json tells all"] if len(trades) > SHOWN_TRADES else []
    )
