"""`trader rotate-secrets`: the venue's key and its age; another key staged, verified, put in force, or taken back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.again import typed
from cli.exits import Result, warned
from cli.options import Shared, options_of, shared_of

if TYPE_CHECKING:
    from trader_core.domain.grant import PermitFact, Rotation
    from trader_core.keyring import KeyState
    from trader_core.settings.options import Options

KEY_UNUSABLE = 11
RUNNING = "a loop that runs signs with the key that it began with: stop it, and start it again"

Status = Annotated[bool, typer.Option("--status", help="Which key is in force and how old it is. The default.")]
Stage = Annotated[bool, typer.Option("--stage", help="Note the new key: coinbase-new.json or COINBASE_NEW_API_KEY.")]
Verify = Annotated[bool, typer.Option("--verify", help="Try the staged key: clock, permissions, a signed read.")]
Activate = Annotated[bool, typer.Option("--activate", help="Put the verified key in force; grants before it are void.")]
Rollback = Annotated[bool, typer.Option("--rollback", help="Put the key before in force again.")]
File = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="The new key as downloaded, where app.yaml allows files."),
]


def rotate_secrets(
    ctx: typer.Context,
    status: Status = False,
    stage: Stage = False,
    verify: Verify = False,
    activate: Activate = False,
    rollback: Rollback = False,
    file: File = None,
) -> Result:
    """Change the venue's key without a gap. --stage, --verify and --activate may stand together, and then run in this
    order; the key itself is never written anywhere."""
    from trader_core.domain.errors import UsageError

    if (status and (stage or verify or activate or rollback)) or (rollback and (stage or verify or activate)):
        raise UsageError("--status and --rollback stand alone", remedy="trader rotate-secrets --help")
    if file is not None and not (stage or verify):
        raise UsageError("--file belongs to --stage and --verify", remedy="trader rotate-secrets --stage --file FILE")
    shared = shared_of(ctx)
    options = options_of(shared)
    done = _done(options, stage, verify, activate, rollback, file)
    return _stepped(shared, done) if done else _status(options)


def _done(
    options: "Options", stage: bool, verify: bool, activate: bool, rollback: bool, file: Path | None
) -> list[dict[str, Any]]:
    """Each step that was asked for, in order; one that fails leaves what was done before it."""
    from cli.plain import jsonable
    from trader_core import keyring

    facts: list[tuple[str, PermitFact]] = []
    if stage:
        facts.append(("staged", keyring.stage_key(options, file)))
    if verify:
        facts.append(("verified", keyring.verify_key(options, file)))
    if activate:
        facts.append(("activated", keyring.activate_key(options)))
    if rollback:
        facts.append(("rolled back", keyring.roll_back(options)))
    return [{"step": name, **jsonable(fact)} for name, fact in facts]


def _stepped(shared: Shared, done: list[dict[str, Any]]) -> Result:
    """What was recorded, told from the record alone: a step that was done is not failed by what came after it."""
    from cli.show import pairs
    from trader_core import keyring

    record = keyring.key_record(options_of(shared))
    heads = [f"{one['step']} {one['fingerprint']}" for one in done]
    following = [typed(line, shared) for line in _next(record.previous, {one["step"] for one in done})]
    return Result({"steps": done, **_record(record)}, "\n".join([*heads, pairs(_rows(record)), *following]))


def _status(options: "Options") -> Result:
    from cli.show import pairs
    from trader_core import keyring

    found = keyring.key_state(options)
    warnings = warned([*([found.warning] if found.warning else []), *_mismatch(found)])
    rows = [
        *_rows(found.rotation),
        ("presented", f"{found.in_use or 'none'}, as the new one {found.next or 'none'}"),
        ("entries", f"closed: {found.closed}" if found.closed else "not closed by the key"),
    ]
    presented = {"in_use": found.in_use or None, "new": found.next or None}
    data = {**_record(found.rotation), "presented": presented, "entries_closed": found.closed or None}
    return Result(data, pairs(rows), KEY_UNUSABLE if found.closed else 0, warnings)


def _record(rotation: "Rotation") -> dict[str, Any]:
    from cli.plain import moment

    return {
        "active": rotation.active or None,
        "since": moment(rotation.since_ms(rotation.active)),
        "activated": moment(rotation.activated_ms),
        "previous": rotation.previous or None,
        "portfolio_uuid": rotation.portfolio_uuid or None,
        "staged": rotation.staged or None,
        "verified": moment(rotation.verified.at_ms) if rotation.verified else None,
    }


def _mismatch(found: "KeyState") -> list[str]:
    """What this process was given and what must be presented."""
    active = found.rotation.active
    if not active or active in (found.in_use, found.next):
        return []
    given = " and ".join(one for one in (found.in_use, found.next) if one) or "none"
    return [f"the key in force is {active}, and this process was given {given}"]


def _rows(rotation: "Rotation") -> list[tuple[str, str]]:
    from trader_core.domain.clocktime import short

    since_ms = rotation.since_ms(rotation.active)
    return [
        ("in force", rotation.active or "no key was ever put in force"),
        ("since", f"{short(since_ms)} UTC" if since_ms is not None else "-"),
        ("before it", rotation.previous or "-"),
        ("staged", rotation.staged or "-"),
        ("verified", f"{short(rotation.verified.at_ms)} UTC" if rotation.verified else "-"),
    ]


def _next(previous: str, steps: set[str]) -> list[str]:
    """What is left for a person to do."""
    if "activated" in steps:
        keep = f"keep {previous} at the venue until you are sure (--rollback), then delete it there" if previous else ""
        rest = ["next: trader arm, because grants before this are void and nothing is signed without one", RUNNING]
        return [*rest, keep] if keep else rest
    if "rolled back" in steps:
        again = "next: give this key to the service again, then trader arm: exits go on, entries need a new grant"
        return [again, RUNNING]
    if "verified" in steps:
        return ["next: trader rotate-secrets --activate, within the hour"]
    return ["next: trader rotate-secrets --verify"] if "staged" in steps else []
