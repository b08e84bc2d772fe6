"""`trader kill` for those who ask what it does; a real one is dispatched by cli.main before this is loaded."""

from typing import Annotated

import typer

from cli.exits import Result
from cli.options import shared_of


def kill(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the latch.")] = "",
    flatten: Annotated[
        bool, typer.Option("--flatten", help="Cancel stops too, and sell what the ledger holds.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Cancel every open order of the account, foreign ones and stops too.")
    ] = False,
) -> Result:
    """Stop everything now: latch, cancel every order of ours that can add risk, and verify. It never asks and needs no
    valid configuration. The way back is `halt reset`."""
    from cli.emergency import MODES, note, text_of
    from trader_core.kill.run import Wish, kill

    shared = shared_of(ctx)
    wish = Wish(
        state=shared.state or "",
        config=shared.config or "",
        offline=MODES.get(shared.mode or "", ""),
        reason=reason,
        flatten=flatten,
        everything=everything,
    )
    report = kill(wish, note)
    return Result(report.data, text_of(report), report.exit_code, report.not_done)
