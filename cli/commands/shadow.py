"""`trader shadow`: an account's orders as the model of costs would have filled them, beside what became of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.audit import newest
from cli.exits import Result
from cli.looking import Since, since_of
from cli.options import options_of, shared_of
from trader_core.domain.errors import UsageError

if TYPE_CHECKING:
    from trader_core.report.shadow import Kind, Mean, Shadow, Suggestion

Write = Annotated[
    Path | None,
    typer.Option("--write-config", metavar="DIR", help="A copy of the configuration whose cost model fits the fills."),
]


def report(ctx: typer.Context, since: Since = None, write_config: Write = None) -> Result:
    """Compare intended with actual fills: slippage and fees against the model, with 95 % intervals."""
    from trader_core.domain.clocktime import EpochMs
    from trader_core.shadow import edits_of, shadow_of, written

    options = options_of(shared_of(ctx))
    newest_ms, account = newest(options)
    found = shadow_of(options, since_of(since, newest_ms) or EpochMs(0))
    edits = edits_of(found)
    if write_config is not None:
        if write_config.exists():
            raise UsageError(f"{write_config} is there already", safe="nothing was written", remedy="another folder")
        written(options, write_config, edits)
    data = {
        "orders": len(found.orders), "gap": found.gap, "kinds": found.kinds,
        "suggestions": [{**_told(one), "differs": one.differs} for one in found.suggestions],
        "config_written": str(write_config) if write_config else None, "edits": edits,
    }  # fmt: skip
    return Result(data, _page(found, write_config, edits), account=account)


def _told(one: "Suggestion") -> dict[str, object]:
    return {"key": one.key, "now_bps": one.now_bps, "found": one.found, "fills": one.fills}


def _page(found: "Shadow", place: Path | None, edits: dict[str, object]) -> str:
    from cli.show import change, count, table

    if not found.orders:
        return "no order is over yet"
    head = ["", "orders", "filled, %", "slip by model", "slip", "beyond it, 95 %", "fees beyond, 95 %"]
    lines = [
        f"{count(len(found.orders), 'order')}; what they filled brought {change(-found.gap)} beside the model",
        "", table(head, [_row(one) for one in found.kinds], left=1), "in 1/100 % of the value",
    ]  # fmt: skip
    if found.suggestions:
        keys = ["key of the cost model", "now", "the fills say, 95 %", "fills", ""]
        rows = [
            [one.key, f"{one.now_bps:g}", _interval(one.found), str(one.fills), "differs" if one.differs else ""]
            for one in found.suggestions
        ]
        lines += ["", table(keys, rows, left=1)]
    if place is not None:
        lines += ["", f"{place}: {count(len(edits), 'key')} changed; trader config diff {place} shows them"]
    return "\n".join(lines)


def _row(one: "Kind") -> list[str]:
    return [
        one.kind, str(one.orders), f"{one.filled_pct:.1f}", _bps(one.model_slip_bps), _bps(one.slip_bps),
        _interval(one.excess), _interval(one.fee_excess),
    ]  # fmt: skip


def _interval(of: "Mean") -> str:
    if of.value is None:
        return "unknown"
    return f"{of.value:+.2f} ({_bps(of.low)} to {_bps(of.high)})"


def _bps(value: float | None) -> str:
    return "?" if value is None else f"{value:+.2f}"
