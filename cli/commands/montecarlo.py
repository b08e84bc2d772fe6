"""`trader montecarlo`: how much of a backtest's result is luck."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result, warned
from cli.files import check_place
from cli.options import SAMPLE_SEED, Data, From, To, options_of, shared_of
from cli.research import Chance, Engine, Jobs, Out, Resume, report_of, studied, write
from trader_core.domain.errors import UsageError

if TYPE_CHECKING:
    from trader_core.research.montecarlo import Paths

DAY_H = 24
ALIKE = "every path came to the same, so it says nothing of luck: more --paths, a smaller --block, a longer --from --to"

Bars = Annotated[bool, typer.Option("--bars", help="Resample the market and replay it, not the trades.")]
Count = Annotated[int, typer.Option("--paths", min=1, max=1_000_000, metavar="N", help="How many histories.")]
Block = Annotated[
    int | None,
    typer.Option(
        "--block", min=1, max=100_000, metavar="N",
        help="Trades that stay together, or with --bars hours. Default: their cube root; 24.",
    ),
]  # fmt: skip
Ruin = Annotated[
    float, typer.Option("--ruin", min=0, max=100, metavar="PCT", help="Ruined at this part of the first equity.")
]


def montecarlo(
    ctx: typer.Context,
    bars: Bars = False,
    paths: Count = 1000,
    block: Block = None,
    ruin: Ruin = 50,
    engine: Engine = "local",
    jobs: Jobs = None,
    resume: Resume = None,
    seed: Chance = SAMPLE_SEED,
    since: From = None,
    until: To = None,
    data: Data = None,
    out: Out = None,
) -> Result:
    """Draw a backtest's trades, or its bars, again and again, and tell how the results are spread."""
    from math import isnan

    from trader_core.domain.clocktime import HOUR_MS
    from trader_core.engine.replay import replay_world
    from trader_core.inquiry import about
    from trader_core.research.montecarlo import of_bars, of_trades
    from trader_core.research.shelf import opened_world, shelved

    check_place(out, "--out")
    if isnan(ruin):
        raise UsageError(f"--ruin {ruin} is no number", remedy="--ruin 50")
    options = options_of(shared_of(ctx), since, until, data, seed)
    if bars and DAY_H % (block or DAY_H) and (block or DAY_H) % DAY_H:
        raise UsageError(f"--block {block}: blocks of bars divide a day or are whole days", remedy="--block 24")
    with studied(options, engine, jobs, resume) as study:
        (world,) = shelved([study.base], study.markets, study.folder)
        if bars:
            found = of_bars(study, world, paths, (block or DAY_H) * HOUR_MS, ruin, seed)
        else:
            found = of_trades(replay_world(opened_world(world.folder), study.base), paths, block, ruin, seed)
        made = about(study, [world], options) | {"method": "bars" if bars else "trades"}
    report = report_of(made, paths=found)
    if out is not None:
        write(out, report)
    warnings = warned((*made["warnings"], *((ALIKE,) if found.alike else ())))
    return Result(report, _text(found, "bars" if bars else "trades"), 0, warnings)


def _text(found: "Paths", drawn: str) -> str:
    from cli.show import count, table

    head = ["figure", *found.spreads[0].levels, "as it was"]
    rows = [
        [one.figure, *(f"{value:.2f}" for value in one.levels.values()), _known(one.observed)] for one in found.spreads
    ]
    title = f"montecarlo, {count(found.paths, 'path')} in blocks of {found.block} {drawn}"
    ruin = f"{found.ruin_pct:.1f} % of them fell to {found.ruin_at_pct:g} % of the first equity"
    return f"{title}\n{table(head, rows)}\n{ruin}"


def _known(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
