"""`trader audit`: whether the journal is the one that was written, for somebody who was not there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import Result, warned
from cli.files import add_line, save_new
from cli.looking import Since, since_of
from cli.options import options_of, shared_of
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.words import count

if TYPE_CHECKING:
    from trader_core.domain.account import Account

LIMITS = (
    "a changed, inserted or lost row is found; rows cut off the end, or a journal written anew from its first row, are"
    " found by an anchor that was kept elsewhere, up to that anchor; what was never written down is found by nothing"
)
Anchors = Annotated[
    Path | None, typer.Option("--anchors", metavar="FILE", help="Lines of `trader audit anchor`, kept elsewhere.")
]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to: JSON lines.")]
To = Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Also add the line to this file.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]


def verify(ctx: typer.Context, anchors: Anchors = None) -> Result:
    """Walk the journal and every record; with anchors also see that their rows are still there."""
    from cli.show import wrapped
    from trader_core import upkeep

    found = upkeep.audited(options_of(shared_of(ctx)), anchors)
    rows = f"{count(found.proof.rows, 'row')}, {count(found.proof.decisions, 'decision')}"
    last = max((one.seq for one in found.anchors), default=0)
    held = f"{count(len(found.anchors), 'anchor')} held, the last at row {last}" if last else "no anchors given"
    data = {
        "rows": found.proof.rows, "decisions": found.proof.decisions, "head": found.proof.head,
        "anchors": len(found.anchors), "anchored_to": last or None, "files": found.proof.files,
        "missing": found.proof.missing, "moved": found.proof.moved, "proves": LIMITS,
    }  # fmt: skip
    lines = [f"whole, {rows}; {held}", f"head {found.proof.head}", "", *wrapped(LIMITS)]
    return Result(data, "\n".join(lines), 0, warned(found.proof.not_walked), account=found.account)


def anchor(ctx: typer.Context, to: To = None) -> Result:
    """Seal the journal's end with the audit key, as one line to be kept where this machine cannot change it."""
    from trader_core import upkeep

    found = upkeep.anchored(options_of(shared_of(ctx)))
    if to is not None:
        add_line(to, "--to", found.text())
    return Result({"seq": found.seq, "hash": found.hash, "seal": found.seal, "line": found.text()}, found.text())


def export(ctx: typer.Context, out: Out, since: Since = None, force: Force = False) -> Result:
    """Write the journal's rows with their hashes, verified from the first one."""
    import json

    from trader_core import upkeep

    options = options_of(shared_of(ctx))
    newest_ms, account = newest(options)
    from_ms = since_of(since, newest_ms) or EpochMs(0)
    lines = [json.dumps(one, sort_keys=True) for one in upkeep.exported(options, from_ms)]
    save_new(out, "--out", "".join(f"{line}\n" for line in lines), force)
    return Result({"file": str(out), "rows": len(lines)}, f"{count(len(lines), 'row')} in {out}", account=account)


def newest(options: Any) -> "tuple[EpochMs, Account]":
    """(time of the journal's newest row, whose it is)."""
    from trader_core.desk import open_state

    with open_state(options) as (store, account):
        ((newest_ms,),) = store.query("SELECT coalesce(max(at_ms), 0) FROM journal")
    return EpochMs(newest_ms), account
