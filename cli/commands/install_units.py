"""`trader install-units`: the files under which systemd runs trader. They are written; nothing is started."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result, warned
from cli.options import options_of, shared_of
from trader_core.domain.errors import UsageError

if TYPE_CHECKING:
    from trader_core.upkeep import Unit

User = Annotated[bool, typer.Option("--user", help="For your own manager and state, not the machine's.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")]
To = Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Another folder for the files.")]


Program = Annotated[
    Path | None, typer.Option("--program", metavar="FILE", help="What the units start. Default: the trader that runs.")
]


def install_units(
    ctx: typer.Context, user: User = False, dry_run: DryRun = False, to: To = None, program: Program = None
) -> Result:
    """Write services and timers: a cycle a minute, alerts, reconciling, backups, the key's age, a watch for the kill
    file. Nothing is started."""
    from trader_core import upkeep

    if program is not None and not (program.is_file() and os.access(program, os.X_OK)):
        raise UsageError(
            f"--program {program} is no file that can be started", safe="nothing was written",
            remedy="name the trader that the units are to start, or leave --program out",
        )  # fmt: skip
    options = options_of(shared_of(ctx))
    state = options.state_directory if user else None
    config = options.config or options.environment.config
    if not user:
        config = config or Path("/etc/trader")
    ours, config = (program or _ours()).absolute(), config.absolute() if config else None
    found = upkeep.units_for(ours, state, config, to)
    started = (ours,) if program else (ours, Path(sys.base_prefix), Path(__file__))  # one word says enough of all
    unseen = () if user else (*upkeep.unseen(started)[:1], *upkeep.unseen([config] if config else []))
    if not dry_run:
        upkeep.write_units(one for one in found if one.news != "same")
    data = {
        "dry_run": dry_run, "units": [{"path": str(one.path), "news": one.news, "text": one.text} for one in found]
    }  # fmt: skip
    return Result(data, _text(found, user, dry_run), warnings=warned(unseen))


def _ours() -> Path:
    """The script beside the Python that runs us."""
    return Path(sys.executable).with_name("trader")


def _text(found: "tuple[Unit, ...]", user: bool, dry_run: bool) -> str:
    width = max(len(one.news) for one in found)
    if dry_run:
        parts = [f"# {one.path} ({one.news})\n{one.text}" for one in found]
        return "\n".join([*parts, _next(user)])
    return "\n".join([*(f"{one.news:<{width}}  {one.path}" for one in found), "", _next(user)])


def _next(user: bool) -> str:
    """What to type: nothing is enabled by itself."""
    manager = "systemctl --user" if user else "systemctl"
    timers = "trader-run-cycle trader-alerts trader-reconcile trader-rotate-secrets trader-backup trader-retain"
    enabled = " ".join(f"{one}.timer" for one in timers.split())
    lines = [] if user else ["systemd-sysusers"]
    lines += [f"{manager} daemon-reload", f"{manager} enable --now trader-kill.path {enabled}"]
    lines.append(f"{manager} enable --now trader.service   # instead of trader-run-cycle.timer: one process that stays")
    return "next:\n" + "\n".join(f"  {line}" for line in lines)
