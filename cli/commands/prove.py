"""`trader prove`: campaigns that try to break the program; an independent checker decides whether they did."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result, note

if TYPE_CHECKING:
    from trader_core.prove.proved import Proved

BROKEN = 60
WORK = Path(".bench", "prove")  # where a campaign goes on, each in a folder of its own
SHOWN_MAX = 10  # violations as text; --json has all

Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Keep the result for the pages of the proof.")]
Work = Annotated[
    Path | None, typer.Option("--work", metavar="DIR", help="What is done already, and what failed; goes on from it.")
]

Only = Annotated[str, typer.Option("--only", metavar="KEY", help="Just this one, as a violation names it.")]
Scene = Annotated[
    list[str] | None, typer.Option("--scene", metavar="NAME", help="Of this scene alone. May be repeated.")
]
Sample = Annotated[int | None, typer.Option("--sample", min=1, metavar="N", help="So many of them, all over.")]


def crash(
    ctx: typer.Context, scene: Scene = None, sample: Sample = None, only: Only = "", out: Out = None, work: Work = None
) -> Result:
    """Kill a LIVE cycle at every write, fsync and request, under every outcome at a venue on loopback."""
    from trader_core.prove.crash import crash as campaign

    return told(campaign(_config(ctx), work or WORK / "crash", note, only, sample, scene or ()), out)


def failing(
    ctx: typer.Context, scene: Scene = None, sample: Sample = None, only: Only = "", out: Out = None, work: Work = None
) -> Result:
    """Let each write, statement and request of a LIVE cycle fail once."""
    from trader_core.prove.crash import failing as campaign

    return told(campaign(_config(ctx), work or WORK / "failing", note, only, sample, scene or ()), out)


def sigkill(
    ctx: typer.Context, scene: Scene = None, sample: Sample = None, only: Only = "", out: Out = None, work: Work = None
) -> Result:
    """End LIVE processes by SIGKILL, at moments that nobody chose."""
    from trader_core.prove.crash import sigkill as campaign

    return told(campaign(_config(ctx), work or WORK / "sigkill", note, only, sample, scene or ()), out)


def sim(
    seeds: Annotated[int, typer.Option("--seeds", min=1, metavar="N", help="So many lives.")] = 1_000,
    cycles: Annotated[int, typer.Option("--cycles", min=20, metavar="M", help="Of each life.")] = 1_000,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="S", help="The first of them.")] = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, metavar="W", help="Processes beside each other.")] = 2,
    keep: Annotated[Path | None, typer.Option("--keep", metavar="FILE", help="Add seeds that fail to it.")] = None,
    until_wrong: Annotated[bool, typer.Option("--until-wrong", help="End with the first life that is wrong.")] = False,
    work: Work = None,
    out: Out = None,
) -> Result:
    """Live whole lives drawn from seeds: market, faults, policy and operator. A violation is 60."""
    from cli.commands.run import stopping
    from cli.progress import Progress
    from trader_core.prove.sim import campaign

    asked = campaign.Asked(seed, seeds, cycles, work or WORK / campaign.NAME, workers, until_wrong)
    with stopping() as signals, Progress("lives", "seeds") as progress:
        proved = campaign.campaign(asked, lambda: bool(signals), progress)
    if keep is not None:
        campaign.keep(keep, proved)
    return told(proved, out)


def soak(
    cycles: Annotated[
        int, typer.Option("--cycles", min=1, metavar="N", help="A year of minutes by default.")
    ] = 525_600,
    work: Work = None,
    out: Out = None,
) -> Result:
    """Live a year of minutes in one account: memory, time and database must not grow. A violation is 60."""
    from cli.commands.run import stopping
    from cli.progress import Progress
    from trader_core.prove import soak as campaign

    with stopping() as signals, Progress("soak", "cycles") as progress:
        asked = campaign.Asked(cycles, work or WORK / campaign.NAME)
        proved = campaign.campaign(asked, lambda: bool(signals), progress)
    return told(proved, out)


def kills(
    ctx: typer.Context,
    number: Annotated[int, typer.Option("--kills", metavar="N", min=1, max=10_000, help="So many kills.")] = 200,
    only: Annotated[int | None, typer.Option("--only", metavar="K", min=0, help="That kill alone.")] = None,
    out: Out = None,
    work: Work = None,
) -> Result:
    """Kill in storms, behind hung loops, on full disks and without DNS; the venue's own log decides. A violation is 60.

    Every kill is a process of its own on a LIVE account in rehearsal, on this machine; nothing of yours is touched.
    """
    from cli.commands.run import stopping
    from trader_core.prove.kills import kills as prove

    numbers = range(number) if only is None else range(only, only + 1)
    with stopping() as asked:
        found = prove(_config(ctx), (work or WORK / "kills").absolute(), numbers, lambda: bool(asked), note)
    return told(found, out)


def parity(
    ctx: typer.Context,
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="A venue's folder of candles.")],
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="First decision, UTC; 90 days lie before it.")],
    number: Annotated[int, typer.Option("--cycles", metavar="N", min=1, help="So many cycles in all.")] = 10_000,
    out: Out = None,
    work: Work = None,
) -> Result:
    """Live cycle by cycle on candles read over HTTP, replay what was recorded, compare it all. A difference is 60."""
    from cli.commands.run import stopping
    from cli.options import options_of, shared_of
    from cli.progress import Progress
    from trader_core.prove.recorded import recorded

    options = options_of(shared_of(ctx), since)
    config, place = options.config_directory, (work or WORK / "parity").absolute()
    with stopping() as asked, Progress("recorded", "cycles") as progress:
        found = recorded(config, data.absolute(), place, options.since_ms or 0, number, lambda: bool(asked), progress)
    return told(found, out)


def planted(
    only: Annotated[int | None, typer.Option("--only", metavar="N", min=1, help="The N-th mistake alone.")] = None,
    lives: Annotated[int, typer.Option("--lives", metavar="N", min=1, help="Of the simulation, for each.")] = 48,
    out: Out = None,
    work: Work = None,
) -> Result:
    """Make seven mistakes on purpose, each in a copy of the program: a campaign must find each. One missed is 60."""
    from trader_core.prove.planted import PLANTS, campaigns
    from trader_core.prove.planted import planted as prove

    chosen = PLANTS if only is None else PLANTS[only - 1 : only]
    return told(prove((work or WORK / "planted").absolute(), note, chosen, campaigns(lives)), out)


def told(proved: "Proved", out: Path | None) -> Result:
    """The violations first, the figures last."""
    from cli.plain import jsonable
    from cli.show import Ink, colours, count, pairs, table
    from trader_core.domain.values import as_dict

    if out is not None:
        _keep(proved, out)
    ink = Ink(colours())
    lines = [ink.bold(f"prove {proved.campaign}"), proved.claim, ""]
    for one in proved.violations[:SHOWN_MAX]:
        lines += [ink.no(f"{one.at}: {one.words}"), f"  again: {one.again}"]
    more = len(proved.violations) - SHOWN_MAX
    lines += [f"  and {more} more; --json has all"] if more > 0 else []
    if proved.table:
        heads, *rows = (list(row) for row in proved.table)
        lines += [table(heads, rows), ""]
    lines.append(pairs([(name.replace("_", " "), str(figure)) for name, figure in proved.figures.items()]))
    found = count(len(proved.violations), "violation")
    lines.append(ink.good(found) if proved.holds else ink.bad(found))
    data = {**jsonable(as_dict(proved)), "violations": [as_dict(one) for one in proved.violations]}
    return Result(data, "\n".join(lines), 0 if proved.holds else BROKEN)


def _keep(proved: "Proved", out: Path) -> None:
    import time

    from trader_core.prove.proved import write

    named = _git("rev-parse", "--short=12", "HEAD") or "unknown"
    changed = _git("status", "--porcelain", "--", "cli", "trader_core", "config")
    write(out, proved, f"{named}-dirty" if changed else named, time.strftime("%Y-%m-%d", time.gmtime()))


def _git(*words: str) -> str:
    """What it says of the checkout; nothing where there is none."""
    import subprocess

    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)  # noqa: S603, S607 - as anybody
    return done.stdout.strip()


def _config(ctx: typer.Context) -> Path:
    from cli.options import options_of, shared_of

    return options_of(shared_of(ctx)).config_directory
