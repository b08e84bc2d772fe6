"""`trader promote`: from a dry run to paper, to a little real money, to more of it, each step on evidence."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result
from cli.options import options_of, shared_of
from trader_core.domain.words import count

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.logbook import Promotion

NOT_YET = 20  # exit code
Backtest = Annotated[
    Path | None, typer.Option("--backtest", metavar="FILE", help="A report of `backtest --out`, for edge and churn.")
]
Record = Annotated[bool, typer.Option("--record", help="Write the next stage down; refused unless everything holds.")]


def promote(ctx: typer.Context, backtest: Backtest = None, record: Record = False) -> Result:
    """Measure what the next stage asks for, from the account's own journal. There is no way around a criterion."""
    from cli.progress import Progress
    from cli.show import Ink, colours
    from trader_core import logbook

    shared = shared_of(ctx)
    options = options_of(shared)
    with Progress("decisions again", "decisions") as progress:
        found = logbook.promotion(options, backtest, progress)
    if record:
        found = logbook.promoted(options, found)
    data = {
        "stage": found.stage, "next": found.following or None, "passed": found.passed, "recorded": found.recorded,
        "criteria": found.criteria,
    }  # fmt: skip
    code = 0 if found.passed or not found.following else NOT_YET
    return Result(data, _page(found, Ink(not shared.json and colours())), code)


def _page(found: "Promotion", ink: "Ink") -> str:
    from cli.show import table

    if not found.following:
        return f"{found.stage}: there is no stage after it"
    words = {True: ink.good("ok"), False: ink.bad("no")}
    rows = [[words[one.passed], one.name, one.found, one.wanted] for one in found.criteria]
    missing = sum(not one.passed for one in found.criteria)
    verdict = (
        f"{missing} of {count(len(rows), 'criterion', 'criteria')} not met"
        if missing
        else "everything holds; to write it down: --record"
    )
    verdict = f"recorded: {found.following}" if found.recorded else verdict
    shown = table(["", "criterion", "found", "wanted"], rows, left=4)
    return "\n".join([f"{found.stage} -> {found.following}", "", shown, "", verdict])
