"""`trader halt`: our own permission to take risk, shown, tripped, acknowledged and given back by a person."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.again import typed
from cli.exits import Result
from cli.options import Shared, options_of, shared_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trader_core.desk import Brakes, Desk
    from trader_core.domain.account import Account
    from trader_core.domain.halt import Halt, Measure
    from trader_core.kill.back import Standing
    from trader_core.kill.latch import Seen

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the journal.")]


def show(ctx: typer.Context) -> Result:
    """Show the halt machine: its state, since when, why, and what trades in it; and what a kill has left."""
    from trader_core.desk import open_state
    from trader_core.engine.journal import Journal
    from trader_core.kill.back import file_in

    shared = shared_of(ctx)
    options = options_of(shared)
    alone = file_in(options.state_directory)
    if alone:
        rows, data = _file_told(alone)
        return Result({"latch": {"file": data, "row": None}}, "no account was begun here\n" + _pairs(rows))
    with open_state(options) as (store, account):
        return _shown(Journal(store).book.halt, account, options.state_directory, shared)


def trip(ctx: typer.Context, reason: Reason) -> Result:
    """Stop entries now: exits and stops go on until everything is flat."""
    from trader_core.desk import open_brakes
    from trader_core.domain.halt import tripped

    shared = shared_of(ctx)
    with open_brakes(options_of(shared)) as brakes:
        return _changed(shared, brakes, tripped(_seen(brakes)[0], said(reason), brakes.at_ms))


def ack(ctx: typer.Context) -> Result:
    """Acknowledge a trip: entries come back by themselves when the cooldown is over."""
    from trader_core.desk import open_desk
    from trader_core.domain.clocktime import MINUTE_MS
    from trader_core.domain.halt import acknowledged

    shared = shared_of(ctx)
    with open_desk(options_of(shared)) as desk:
        cooldown_ms = desk.policy.policy.halt.cooldown_min * MINUTE_MS
        return _changed(shared, desk, acknowledged(_seen(desk)[0], cooldown_ms, desk.at_ms))


def reset(
    ctx: typer.Context,
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="Who asks for it.")] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in ten characters or more.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Also while what tripped it holds, or it cools down.")] = False,
) -> Result:
    """Arm again after a halt or a kill. What a kill has left is lifted once the journal has it.

    Failures and stops are counted anew. A loss is not forgotten: it was seen, and trips again when it has grown by
    halt.retrip_step_pct, or on the next day.
    """
    from trader_core.desk import open_desk
    from trader_core.engine.halting import check_asked
    from trader_core.kill.back import file_in, lift_without_account

    check_asked(user, reason)
    shared = shared_of(ctx)
    options = options_of(shared)
    alone = file_in(options.state_directory)
    if alone:
        lift_without_account(options.state_directory, alone)
        return Result({"latch": {"file": None, "row": None}}, "the kill file is gone; no account was begun here")
    with open_desk(options) as desk:
        armed = _reset(desk, user.strip(), reason.strip(), force)
        return _shown(armed, desk.account, desk.files.directory, shared)


def _seen(brakes: "Brakes") -> "tuple[Halt, Standing]":
    """The halt machine, killed where a kill stands that maybe no cycle has seen, and what stands."""
    from trader_core.domain.halt import killed
    from trader_core.kill.back import standing

    halt, latch = brakes.journal.book.halt, standing(brakes.files.state)
    return killed(halt, f"killed: {latch.reason}", brakes.at_ms) if latch else halt, latch


def _reset(desk: "Desk", user: str, why: str, force: bool) -> "Halt":
    from trader_core.desk import host_user
    from trader_core.domain.facts import HaltChanged
    from trader_core.engine.halting import reset_fact
    from trader_core.kill.back import lift
    from trader_core.settings.digest import digest

    book, (halt, latch) = desk.journal.book, _seen(desk)
    facts = [HaltChanged(halt)] if halt != book.halt else []
    policy = desk.policy
    done = reset_fact(book, halt, policy, desk.at_ms, user, host_user(), why, force, digest(policy))
    desk.journal.record(desk.at_ms, [*facts, done])
    if latch:
        lift(desk.files.state, latch, why)
    return done.halt


def history(ctx: typer.Context) -> Result:
    """List everything that ever halted this account, what it measured, and who armed it again."""
    from cli.plain import moment
    from cli.show import table
    from trader_core.desk import open_state
    from trader_core.domain.clocktime import short
    from trader_core.report.halts import history_of

    with open_state(options_of(shared_of(ctx))) as (store, account):
        found = history_of(store.told())
    rows = [[f"{short(one.at_ms)}", one.state, one.by or "-", one.reason] for one in found]
    data = {
        "events": [
            {
                "time": moment(one.at_ms), "state": one.state, "previous": one.previous, "by": one.by,
                "host_user": one.host_user, "reason": one.reason, "forced": one.forced,
                "until": moment(one.until_ms), "config_digest": one.config_digest,
                "causes": _measures_data(one.causes), "measures": _measures_data(one.measures),
            }
            for one in found
        ],
    }  # fmt: skip
    text = table(["time, UTC", "state", "by", "why"], rows, left=4) if rows else "nothing was ever halted here"
    return Result(data, text, account=account)


def _measures_data(measures: "Sequence[Measure]") -> list[dict[str, Any]]:
    return [{"name": one.name, "value": one.value, "limit": one.limit, "unit": one.unit} for one in measures]


def said(reason: str) -> str:
    """The reason, which must say something. Raises UsageError."""
    from trader_core.domain.errors import UsageError

    if not reason.strip():
        raise UsageError("the reason is empty", remedy="--reason 'what happened, and why this is right now'")
    return reason.strip()


def _changed(shared: Shared, brakes: "Brakes", halt: "Halt") -> Result:
    from trader_core.domain.facts import HaltChanged

    brakes.journal.record(brakes.at_ms, [HaltChanged(halt)])
    return _shown(halt, brakes.account, brakes.files.directory, shared)


def _shown(halt: "Halt", account: "Account", state: "Path", shared: Shared) -> Result:
    from cli.plain import moment
    from trader_core.domain.clocktime import short
    from trader_core.domain.halt import Trading
    from trader_core.report.halts import told

    what = {
        Trading.ACTIVE: "entries and exits",
        Trading.REDUCING: "exits and stops; no entries",
        Trading.HALTED: "nothing is sent but stops; no entries and no exits",
    }
    latch_rows, latch = _latch_told(state, account.mode)
    trading = Trading.HALTED if latch_rows else halt.trading
    rows = [("state", halt.state.value), ("trades", what[trading]), ("reason", halt.reason or "-")]
    rows.append(("since", f"{short(halt.since_ms)} UTC" if halt.since_ms else "the beginning"))
    if halt.until_ms is not None:
        rows.append(("until", f"{short(halt.until_ms)} UTC, then armed again if nothing speaks against it"))
    rows += [("cause", told([one])) for one in halt.causes]
    rows.append(("trips", f"{halt.trips}, resets {halt.resets}"))
    data: dict[str, Any] = {
        "state": halt.state, "trading": trading, "reason": halt.reason,
        "since": moment(halt.since_ms) if halt.since_ms else None, "until": moment(halt.until_ms),
        "trips": halt.trips, "resets": halt.resets, "causes": _measures_data(halt.causes), "latch": latch,
    }  # fmt: skip
    back = ["", typed("  deleting a file is not enough: trader halt reset --user NAME --reason TEXT", shared)]
    text = ["halt machine", _pairs([*rows, *latch_rows]), *(back if latch_rows else [])]
    return Result(data, "\n".join(text), account=account)


def _latch_told(state: "Path", mode: str) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """What a kill has left for this account, and that it stops it whatever the machine says."""
    from cli.plain import moment
    from trader_core.domain.clocktime import short
    from trader_core.kill.back import standing

    found = standing(state / f"{mode.lower()}.db")
    rows, data = _file_told(found.file) if found.file else ([], None)
    row = {"reason": found.row.reason, "since": moment(found.row.at_ms)} if found.row else None
    if found.row:
        rows.append(("latch row", f"{found.row.reason}, since {short(found.row.at_ms)} UTC"))
    return rows, {"file": data, "row": row}


def _file_told(file: "Seen") -> tuple[list[tuple[str, str]], dict[str, Any]]:
    from cli.plain import moment
    from trader_core.domain.clocktime import short

    told = f"{file.reason or 'it says nothing'}, since {short(file.since_ms)} UTC"
    return [("latch file", told)], {"reason": file.reason, "since": moment(file.since_ms)}


def _pairs(rows: list[tuple[str, str]]) -> str:
    from cli.show import pairs

    return pairs(rows)
