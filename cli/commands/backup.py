"""`trader backup` and `trader restore`: copies of an account, and the way back from one."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.consent import agreed
from cli.exits import Result, warned
from cli.options import options_of, shared_of
from trader_core.domain.words import count

if TYPE_CHECKING:
    from trader_core.upkeep import Copy

To = Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Where copies are kept. Default: STATE/backups.")]
Keep = Annotated[int, typer.Option("--keep", min=1, metavar="N", help="Let go of the oldest beyond so many.")]
List = Annotated[bool, typer.Option("--list", help="Only say which there are.")]
Place = Annotated[Path, typer.Argument(metavar="BACKUP", help="The folder of one copy.")]
LIVE, PERMITS = "LIVE", "permits.db"
Verify = Annotated[bool, typer.Option("--verify", help="Only check it: every byte, every row of its journal.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask. Without a terminal nobody can be asked.")]


def backup(ctx: typer.Context, to: To = None, keep: Keep = 30, list_: List = False) -> Result:
    """Copy every account as it is now, or that of --mode, also while it trades; each copy is checked too."""
    from cli.show import table
    from trader_core import upkeep

    options = options_of(shared_of(ctx))
    if list_:
        found = upkeep.listed_backups(options, to)
        rows = [[one.mode, _when(one), str(one.rows), str(one.place)] for one in found.copies]
        text = table(["mode", "made", "rows", "where"], rows, left=2) if rows else "there is no backup yet"
        return Result({"backups": [_data(one) for one in found.copies]}, text, warnings=warned(found.damaged))
    kept = upkeep.backed_up(options, to, keep)
    lines = [
        f"{one.mode} in {one.place}: {count(len(one.files), 'file')}, {count(one.rows, 'row')} of its journal"
        for one in kept.made
    ]
    lines += [f"let go of {one}" for one in kept.gone]
    made = [_data(one) for one in kept.made]
    data = {**made[0], "let_go": [str(one) for one in kept.gone], "backups": made}
    return Result(data, "\n".join(lines), warnings=warned(kept.notes))


def restore(ctx: typer.Context, place: Place, verify: Verify = False, yes: Yes = False) -> Result:
    """Put a copy in the account's place. What is there now is archived, and trading halts until you have reconciled."""
    from trader_core import upkeep

    found, proof = upkeep.verified_backup(place)
    whole = f"{found.place} is whole: {found.mode} of {_when(found)}, "
    whole += f"{count(proof.rows, 'row')}, {count(proof.decisions, 'decision')}"
    if verify:
        return Result(_data(found), whole)
    if not yes:
        agreed(f"{whole}\nthe account as it is now would be archived", "Put this copy in its place?", "restored")
    options = options_of(shared_of(ctx))
    back = upkeep.restored(options, place)
    lines = [f"{found.mode} is as it was {_when(found)}, and halted"]
    lines += [f"as it had been: {back.archived}"] if back.archived else []
    lines += [f"stayed as it is: {name}" for name in back.kept]
    account = replace(options, mode=found.mode, venue=back.venue).words
    lines.append(f"next: trader reconcile{account}, then trader halt reset{account} --user NAME --reason TEXT")
    lines.append("  before the cooldown is over with --force")
    if found.mode == LIVE:
        stays = (options.state_directory / PERMITS).exists()
        arm = f"leave to trade real money is never restored; after the reset: trader arm{account} --max-equity AMOUNT"
        lines.append("leave to trade real money stayed as it is here" if stays else arm)
    data = {**_data(found), "archived": str(back.archived) if back.archived else None, "kept": list(back.kept)}
    return Result(data, "\n".join(lines))


def _when(found: "Copy") -> str:
    from trader_core.domain.clocktime import rfc3339

    return rfc3339(found.made_ms)


def _data(found: "Copy") -> dict[str, Any]:
    return {
        "backup": str(found.place), "mode": found.mode, "made": _when(found), "rows": found.rows, "head": found.head,
        "files": dict(found.files),
    }  # fmt: skip
