"""`trader pause` and `trader resume`: no new entries for a while, because a person says so. Exits and stops go on."""

import typer

from cli.again import typed
from cli.commands.halt import Reason, said
from cli.exits import Result
from cli.options import options_of, shared_of


def pause(ctx: typer.Context, reason: Reason) -> Result:
    """Close entries until `trader resume`. Resting entries are canceled by the next cycle."""
    from trader_core.desk import open_brakes
    from trader_core.domain.facts import Paused

    shared = shared_of(ctx)
    with open_brakes(options_of(shared)) as brakes:
        brakes.journal.record(brakes.at_ms, [Paused(said(reason), brakes.at_ms)])
        mode = brakes.files.mode
    end = typed("trader resume --reason TEXT", shared)
    text = f"{mode} is paused: {said(reason)}\n  no entries; exits and stops go on; to end it: {end}"
    return Result({"mode": mode, "paused": True, "reason": said(reason)}, text)


def resume(ctx: typer.Context, reason: Reason) -> Result:
    """Allow entries again after `trader pause`."""
    from trader_core.desk import open_desk
    from trader_core.domain.errors import GateClosed
    from trader_core.domain.facts import Resumed

    with open_desk(options_of(shared_of(ctx))) as desk:
        before = desk.journal.book.paused
        if not before:
            raise GateClosed("cannot resume: nothing is paused", safe="nothing was changed", remedy="trader status")
        desk.journal.record(desk.at_ms, [Resumed(said(reason), desk.at_ms)])
        mode = desk.files.mode
    found = {"mode": mode, "paused": False, "reason": said(reason), "was": before}
    return Result(found, f"{mode} may enter again; it was paused: {before}")
