"""`trader halt`: our own permission to take risk, shown, tripped, acknowledged and given back by a person."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import Result
from cli.options import options_of, shared_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from trader_core.desk import Desk
    from trader_core.domain.halt import Halt

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the journal.")]


def show(ctx: typer.Context) -> Result:
    """Show the halt machine: its state, since when, why, and what trades in it."""
    from trader_core.desk import open_state
    from trader_core.engine.journal import Journal

    with open_state(options_of(shared_of(ctx))) as (store, mode):
        return _shown(Journal(store).book.halt, mode)


def trip(ctx: typer.Context, reason: Reason) -> Result:
    """Stop entries now: exits and stops go on until everything is flat."""
    from trader_core.domain.halt import tripped

    return _changed(ctx, lambda desk: tripped(desk.journal.book.halt, said(reason), desk.at_ms))


def ack(ctx: typer.Context) -> Result:
    """Acknowledge a trip: entries come back by themselves when the cooldown is over."""
    from trader_core.domain.clocktime import MINUTE_MS
    from trader_core.domain.halt import acknowledged

    def change(desk: "Desk") -> "Halt":
        return acknowledged(desk.journal.book.halt, desk.policy.policy.halt.cooldown_min * MINUTE_MS, desk.at_ms)

    return _changed(ctx, change)


def reset(ctx: typer.Context, reason: Reason) -> Result:
    """Arm again after a halt or a kill. Refused while the kill file is there."""
    from trader_core.domain.errors import GateClosed
    from trader_core.domain.halt import reset as reset_of

    def change(desk: "Desk") -> "Halt":
        kill = desk.halts.kill_requested()
        if kill:
            raise GateClosed(
                f"cannot reset: {kill}", safe="nothing was changed", remedy=f"remove it from {desk.files.directory}"
            )
        return reset_of(desk.journal.book.halt, said(reason), desk.at_ms)

    return _changed(ctx, change)


def said(reason: str) -> str:
    """The reason, which must say something. Raises UsageError."""
    from trader_core.domain.errors import UsageError

    if not reason.strip():
        raise UsageError("the reason is empty", remedy="--reason 'what happened, and why this is right now'")
    return reason.strip()


def _changed(ctx: typer.Context, change: "Callable[[Desk], Halt]") -> Result:
    from trader_core.desk import open_desk
    from trader_core.domain.facts import HaltChanged

    with open_desk(options_of(shared_of(ctx))) as desk:
        halt = change(desk)
        desk.journal.record(desk.at_ms, [HaltChanged(halt)])
        return _shown(halt, desk.files.mode)


def _shown(halt: "Halt", mode: str) -> Result:
    from cli.plain import moment
    from cli.show import pairs
    from trader_core.domain.clocktime import short
    from trader_core.domain.halt import Trading

    what = {
        Trading.ACTIVE: "entries and exits",
        Trading.REDUCING: "exits and stops; no entries",
        Trading.HALTED: "nothing is sent but stops; no entries and no exits",
    }
    rows = [("state", halt.state.value), ("trades", what[halt.trading]), ("reason", halt.reason or "-")]
    rows.append(("since", f"{short(halt.since_ms)} UTC" if halt.since_ms else "the beginning"))
    if halt.until_ms is not None:
        rows.append(("until", f"{short(halt.until_ms)} UTC, then armed again if nothing speaks against it"))
    rows.append(("trips", f"{halt.trips}, resets {halt.resets}"))
    data: dict[str, Any] = {
        "mode": mode, "state": halt.state, "trading": halt.trading, "reason": halt.reason,
        "since": moment(halt.since_ms) if halt.since_ms else None, "until": moment(halt.until_ms),
        "trips": halt.trips, "resets": halt.resets,
    }  # fmt: skip
    return Result(data, f"halt machine of {mode}\n" + pairs(rows))
