"""`trader support-bundle`: what somebody who helps would ask for, in one file, without a secret in it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Result
from cli.files import OWN, check_place, refuse_present, save
from cli.options import options_of, shared_of

Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to: a .tar.gz of a few hundred kB.")]


def support_bundle(ctx: typer.Context, out: Out = Path("trader-support.tar.gz")) -> Result:
    """Gather version, checks, status, configuration and the newest rows of the journal. Look into it before you send
    it: it has balances and orders."""
    from cli.show import count
    from trader_core import logbook

    refuse_present(out, "--out another.tar.gz")
    check_place(out, "--out")
    content = logbook.bundle(options_of(shared_of(ctx)), _parts(ctx))
    save(out, "--out", content, OWN)
    told = f"{out}: {count(len(content), 'byte')}; it has balances and orders, and no key"
    return Result({"file": str(out), "bytes": len(content)}, told)


def _parts(ctx: typer.Context) -> dict[str, Callable[[], str]]:
    """Other commands' answers, as they would be printed."""
    from cli.commands.doctor import doctor
    from cli.commands.incident import show
    from cli.commands.status import status
    from cli.commands.version import version

    def answer(command: Callable[[], Result]) -> Callable[[], str]:
        from cli.plain import jsonable

        return lambda: json.dumps(jsonable(command().data), indent=1)

    return {
        "version.json": answer(version),
        "doctor.json": answer(lambda: doctor(ctx)),
        "status.json": answer(lambda: status(ctx)),
        "incidents.json": answer(lambda: show(ctx)),
    }
