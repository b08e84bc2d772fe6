"""`trader prove`: campaigns that try to break the program; an independent checker decides whether they did."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result, note

if TYPE_CHECKING:
    from trader_core.prove.proved import Proved

BROKEN = 60
SHOWN_MAX = 10  # violations as text; --json has all

Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Keep the result for the pages of the proof.")]
Work = Annotated[
    Path | None, typer.Option("--work", metavar="DIR", help="What is done already, and what failed; goes on from it.")
]


def told(proved: "Proved", out: Path | None) -> Result:
    """The violations first, the figures last."""
    from dataclasses import asdict

    from cli.plain import jsonable
    from cli.show import Ink, colours, count, pairs

    if out is not None:
        _keep(proved, out)
    ink = Ink(colours())
    lines = [ink.bold(f"prove {proved.campaign}"), proved.claim, ""]
    for one in proved.violations[:SHOWN_MAX]:
        lines += [ink.no(f"{one.at}: {one.words}"), f"  again: {one.again}"]
    more = len(proved.violations) - SHOWN_MAX
    lines += [f"  and {more} more; --json has all"] if more > 0 else []
    lines.append(pairs([(name.replace("_", " "), str(figure)) for name, figure in proved.figures.items()]))
    found = count(len(proved.violations), "violation")
    lines.append(ink.good(found) if proved.holds else ink.bad(found))
    data = {**jsonable(asdict(proved)), "violations": [asdict(one) for one in proved.violations]}
    return Result(data, "\n".join(lines), 0 if proved.holds else BROKEN)


def _keep(proved: "Proved", out: Path) -> None:
    import subprocess
    import time

    from trader_core.prove.proved import write

    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    named = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - as anybody would
    write(out, proved, named.stdout.strip() or "unknown", time.strftime("%Y-%m-%d", time.gmtime()))


Only = Annotated[str, typer.Option("--only", metavar="KEY", help="Just this one, as a violation names it.")]
Sample = Annotated[int | None, typer.Option("--sample", min=1, metavar="N", help="So many of them, all over.")]


def crash(ctx: typer.Context, only: Only = "", sample: Sample = None, out: Out = None, work: Work = None) -> Result:
    """Kill a LIVE cycle at every write, fsync and request, under every outcome at a venue on loopback."""
    from trader_core.prove.crash import crash as campaign

    return told(campaign(_config(ctx), work or Path(".bench/prove/crash"), note, only, sample), out)


def failing(ctx: typer.Context, only: Only = "", sample: Sample = None, out: Out = None, work: Work = None) -> Result:
    """Let each write, statement and request of a LIVE cycle fail once."""
    from trader_core.prove.crash import failing as campaign

    return told(campaign(_config(ctx), work or Path(".bench/prove/failing"), note, only, sample), out)


def sigkill(ctx: typer.Context, only: Only = "", sample: Sample = None, out: Out = None, work: Work = None) -> Result:
    """End LIVE processes by SIGKILL, at moments that nobody chose."""
    from trader_core.prove.crash import sigkill as campaign

    return told(campaign(_config(ctx), work or Path(".bench/prove/sigkill"), note, only, sample), out)


def _config(ctx: typer.Context) -> Path:
    from cli.options import options_of, shared_of

    return options_of(shared_of(ctx)).config_directory
