"""`trader retain`: old decisions leave the state for closed files beside it."""

from typing import TYPE_CHECKING

import typer

from cli.again import typed
from cli.exits import Result, warned
from cli.options import Shared, options_of, shared_of

if TYPE_CHECKING:
    from trader_core.retention import Retained


def retain(ctx: typer.Context) -> Result:
    """Move decisions older than retention.decisions_days, and what they were taken from, into closed files."""
    from cli.plain import moment
    from trader_core.retention import retained

    shared = shared_of(ctx)
    found = retained(options_of(shared))
    data = [
        {"mode": one.mode, "before": moment(one.before_ms if one.before_ms >= 0 else None), "rows": one.rows,
         "files": one.files, "more": one.more, "missing": one.missing}
        for one in found
    ]  # fmt: skip
    lines = [line for one in found for line in _told(one, shared)]
    missing = [f"{path} is not there: what stands in it cannot be shown" for one in found for path in one.missing]
    return Result({"accounts": data}, "\n".join(lines), 0, warned(missing))


def _told(one: "Retained", shared: Shared) -> list[str]:
    from cli.show import count
    from trader_core.domain.clocktime import short

    if one.before_ms < 0:
        return [f"{one.mode}: there is no cycle yet"]
    if not one.files:
        return [f"{one.mode}: nothing is older than {short(one.before_ms)} UTC"]
    into = one.files[0] if len(one.files) == 1 else f"{count(len(one.files), 'file')} from {one.files[0]} on"
    lines = [f"{one.mode}: {count(one.rows, 'row')} of the journal up to {short(one.before_ms)} UTC moved into {into}"]
    return [*lines, typed("there is more: trader retain", shared)] if one.more else lines
