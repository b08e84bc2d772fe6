"""`trader policy`: what may be risked, seen and moved between two edits of the files. Looser only for a while."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.again import typed
from cli.commands.arm import minutes_of
from cli.exits import Result, warned
from cli.options import Shared, options_of, shared_of

if TYPE_CHECKING:
    from trader_core.domain.policy import PolicyVersion
    from trader_core.policies import Asked, Changed, KeyRow

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with the version.")]
User = Annotated[str | None, typer.Option("--user", metavar="NAME", help="Who, where an account is shared.")]
Expires = Annotated[
    str | None,
    typer.Option(
        "--expires", metavar="TIME", help="End of a loosening: 30m, 24h, 7d, or a moment in UTC; at most 31d."
    ),
]
Expected = Annotated[
    int | None, typer.Option("--expect-version", min=1, metavar="N", help="Refuse where the policy is another by now.")
]
VERSION = typer.Argument(min=1, metavar="VERSION", help="A version of `policy history`.")
BINDS = {
    "written": "policy.yaml", "store": "the store", "loosened": "the store, looser", "profile": "the profile",
    "spot": "spot",
}  # fmt: skip


def show(
    ctx: typer.Context,
    effective: Annotated[
        bool, typer.Option("--effective", help="Every key, and not only those that were moved.")
    ] = False,
) -> Result:
    """Show the policy in force: what is written, what the store and the profile make of it, and until when."""
    from cli.plain import moment
    from cli.show import pairs, wrapped
    from trader_core.policies import key_rows, notes_of, place_of
    from trader_core.settings.digest import digest

    place = place_of(options_of(shared_of(ctx)))
    told = warned([place.reading.note] if place.reading.note else [])
    settings, rows = place.in_force, key_rows(place)
    shown = [one for one in rows if effective or one.binds not in ("written",) or one.stored is not None]
    notes = notes_of(settings)
    data = {
        "mode": place.files.mode, "version": place.reading.version, "profile": settings.policy.profile,
        "digest": digest(settings), "time": moment(place.now_ms), "halt": place.halt,
        "keys": [row_data(one) for one in shown], "notes": list(notes),
    }  # fmt: skip
    head = [
        ("version", f"{place.reading.version}" + (", as written" if place.reading.version == 1 else "")),
        ("profile", settings.policy.profile), ("digest", digest(settings)),
    ]  # fmt: skip
    text = [f"policy of {place.files.mode}", pairs(head), *([""] if shown else []), *_table(shown)]
    said = [line for one in notes for line in wrapped(f"note: {one}")]
    return Result(data, "\n".join([*text, *said]), 0, told)


def set_(
    ctx: typer.Context,
    edits: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="Like risk.max_open_positions=2.")],
    reason: Reason,
    expires: Expires = None,
    expect_version: Expected = None,
    user: User = None,
) -> Result:
    """Move limits. Tighter: at once and until it is loosened. Looser: with an end, while the halt machine is armed."""
    from trader_core.policies import change

    asked = _asked(reason, user, expires, expect_version)
    return _changed(change(options_of(shared_of(ctx)), _edits(edits), asked), shared_of(ctx))


def profile(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="CAUTIOUS, DEFENSIVE, NORMAL or AGGRESSIVE.")],
    reason: Reason,
    expires: Expires = None,
    expect_version: Expected = None,
    user: User = None,
) -> Result:
    """Take another profile. A bolder one ends by itself."""
    from trader_core.policies import change
    from trader_core.settings.ratchet import PROFILE

    asked = _asked(reason, user, expires, expect_version)
    return _changed(change(options_of(shared_of(ctx)), {PROFILE: name.upper()}, asked), shared_of(ctx))


def diff(
    ctx: typer.Context,
    before: Annotated[int, VERSION],
    after: Annotated[int, VERSION],
    risk: Annotated[bool, typer.Option("--risk", help="Only what is looser or tighter, looser first.")] = False,
) -> Result:
    """Compare two versions, as they would be in force now: each key, and whether it is looser or tighter."""
    from cli.plain import jsonable
    from cli.show import table
    from trader_core.policies import place_of, settings_at
    from trader_core.settings.compare import compare
    from trader_core.settings.document import shown

    place = place_of(options_of(shared_of(ctx)))
    told = warned([place.reading.note] if place.reading.note else [])
    changes = list(compare(settings_at(place, before), settings_at(place, after)))
    if risk:
        changes = sorted((one for one in changes if one.effect != "changed"), key=lambda one: one.effect != "loosens")
    words = {"loosens": "looser", "tightens": "tighter", "changed": "neither"}
    data = {
        "before": before,
        "after": after,
        "changes": [jsonable(one) | {"way": words[one.effect]} for one in changes],
    }
    rows = [[f"{one.file}.{one.key}", shown(one.before), shown(one.after), words[one.effect]] for one in changes]
    text = (
        table(["key", f"version {before}", f"version {after}", "that is"], rows, left=4) if rows else "nothing differs"
    )
    return Result(data, text, 0, told)


def history(ctx: typer.Context) -> Result:
    """List every version: when, who, why, and what it moved."""
    from trader_core.policies import place_of

    place = place_of(options_of(shared_of(ctx)))
    told = warned([place.reading.note] if place.reading.note else [])
    data = {"mode": place.files.mode, "versions": [_version_data(one) for one in place.reading.versions]}
    lines = [line for one in place.reading.versions for line in _version_lines(one)]
    first = f"policy of {place.files.mode}: version 1 is what is written"
    return Result(data, "\n".join([first, *lines]), 0, told)


def rollback(
    ctx: typer.Context,
    version: Annotated[int, VERSION],
    reason: Reason,
    expires: Expires = None,
    expect_version: Expected = None,
    user: User = None,
) -> Result:
    """Go back to what was in force under a version, as a new one; where that loosens, with an end."""
    from trader_core.policies import roll_back

    asked = _asked(reason, user, expires, expect_version)
    return _changed(roll_back(options_of(shared_of(ctx)), version, asked), shared_of(ctx))


# --- words in --------------------------------------------------------------------------------------------------------


def _edits(words: list[str]) -> dict[str, str]:
    """Raises UsageError where one is no KEY=VALUE, or a key stands twice."""
    from trader_core.domain.errors import UsageError

    found: dict[str, str] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not (sign and key.strip() and value.strip()) or key.strip() in found:
            what = f"'{word}' is the second value of that key" if key.strip() in found else f"'{word}' is no KEY=VALUE"
            raise UsageError(what, safe="nothing was changed", remedy="trader policy set risk.max_open_positions=2 ...")
        found[key.strip()] = value.strip()
    return found


def _asked(reason: str, user: str | None, expires: str | None, expected: int | None) -> "Asked":
    from trader_core.domain.clocktime import MINUTE_MS, parse_utc
    from trader_core.domain.errors import UsageError
    from trader_core.policies import Asked

    if expires is None:
        return Asked(reason, user, None, None, expected)
    if not re.match(r"\s*\d{4}-", expires):
        return Asked(reason, user, minutes_of(expires) * MINUTE_MS, None, expected)
    try:
        return Asked(reason, user, None, parse_utc(expires), expected)
    except ValueError as wrong:
        raise UsageError(f"--expires: {wrong}", safe="nothing was changed", remedy="--expires 24h") from wrong


# --- words out -------------------------------------------------------------------------------------------------------


def _changed(done: "Changed", shared: Shared) -> Result:
    from trader_core.keyring import needs_leave

    told = warned(done.warnings)
    text = [f"policy of {done.place.files.mode} is at version {done.made.version}", *_version_lines(done.made)]
    if done.made.loosens and needs_leave(done.place.files):
        text.append(typed("a live grant that was given before does not cover this: trader arm", shared))
    return Result({"mode": done.place.files.mode, **_version_data(done.made)}, "\n".join(text), 0, told)


def _version_data(made: "PolicyVersion") -> dict[str, Any]:
    from cli.plain import moment

    return {
        "version": made.version, "time": moment(made.at_ms), "host_time": moment(made.host_ms), "author": made.author,
        "reason": made.reason, "kind": "loosening" if made.loosens else "tightening",
        "changes": [
            {"key": one.key, "before": one.before, "value": one.value, "expires": moment(one.expires_ms)}
            for one in made.changes
        ],
    }  # fmt: skip


def _version_lines(made: "PolicyVersion") -> list[str]:
    from cli.show import wrapped
    from trader_core.domain.clocktime import short

    when = f"{short(made.host_ms)} UTC"
    lines = [*wrapped(f"version {made.version}, {when}, {made.author}: {made.reason}")]
    for one in made.changes:
        end = f", until {short(one.expires_ms)} UTC" if one.expires_ms is not None else ""
        way = "looser" if one.expires_ms is not None else "tighter"
        lines.append(f"  {one.key}: {one.before} -> {one.value}, {way}{end}")
    return lines


def row_data(row: "KeyRow") -> dict[str, Any]:
    from cli.plain import moment

    return {
        "key": row.key, "written": row.written, "store": row.stored, "profile": row.profile,
        "effective": row.effective, "binds": row.binds, "version": row.version, "until": moment(row.until_ms),
    }  # fmt: skip


def _table(rows: "list[KeyRow]") -> list[str]:
    from cli.show import fitted

    def said(value: Any) -> str:
        from trader_core.settings.document import shown

        return "-" if value is None else shown(value)

    lines = [
        [one.key.removeprefix("policy."), said(one.written), said(one.stored), said(one.profile), said(one.effective),
         _by(one)]
        for one in rows
    ]  # fmt: skip
    columns = ["key", "written", "store", "profile", "in force", "by"]
    return [fitted(columns, lines, ("profile", "store", "written"), left=6)] if lines else []


def _by(row: "KeyRow") -> str:
    """Who says so, and until when."""
    from trader_core.domain.clocktime import short

    words = BINDS[row.binds]
    words += f" v{row.version}" if row.binds in ("store", "loosened") and row.version else ""
    return f"{words}, until {short(row.until_ms)} UTC" if row.until_ms is not None else words
