"""`trader breaker`: how well the venue answers, shared by every process on this state, and whether it is asked at all.

A breaker is no halt: a halt is our permission to take risk, a breaker a dependency's health.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.halt import Reason, said
from cli.exits import Result
from cli.options import options_of, shared_of

if TYPE_CHECKING:
    from trader_core.domain.breaker import BreakerSeen

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `breaker list` says it.")]
SECOND_MS = 1_000


def show(ctx: typer.Context) -> Result:
    """List the breakers: their state, failures in a row, and how long until the next probe."""
    from cli.show import table
    from trader_core.desk import breakers

    found = breakers(options_of(shared_of(ctx)).state_directory)
    head = ["breaker", "state", "failures", "opened, UTC", "probe in, s"]
    rows = [[one.name, one.condition, str(one.failures), _opened(one), _wait(one)] for one in found]
    return Result({"breakers": [_data(one) for one in found]}, table(head, rows) if rows else "nothing was asked yet")


def reset(ctx: typer.Context, name: Name, reason: Reason) -> Result:
    """Close a breaker: its dependency is asked again at once. Who did it and why is kept with the permits."""
    from trader_core.desk import reset_breaker

    before = reset_breaker(options_of(shared_of(ctx)).state_directory, name, said(reason))
    return Result({"breaker": name, "before": _data(before)}, f"{name} is closed; it was {before.condition}")


def _data(one: "BreakerSeen") -> dict[str, Any]:
    from cli.plain import moment
    from trader_core.domain.clocktime import EpochMs

    return {
        "name": one.name, "state": one.condition, "failures": one.failures,
        "opened": None if one.opened_ms is None else moment(EpochMs(one.opened_ms)),
        "seconds_to_probe": -(-one.probe_ms // SECOND_MS),
    }  # fmt: skip


def _opened(one: "BreakerSeen") -> str:
    from trader_core.domain.clocktime import EpochMs, short

    return "-" if one.opened_ms is None else short(EpochMs(one.opened_ms))


def _wait(one: "BreakerSeen") -> str:
    return str(-(-one.probe_ms // SECOND_MS)) if one.probe_ms else "-"
