"""`trader preview`: the next cycle on a copy that is thrown away. Nothing is recorded and nothing is sent."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import Result, note, warned
from cli.options import SAMPLE_SEED, Data, Equity, From, Seed, To, options_of, shared_of

if TYPE_CHECKING:
    from trader_core.domain.book import Book
    from trader_core.engine.cycle import CycleReport
    from trader_core.worlds.system import System


def preview(
    ctx: typer.Context,
    since: From = None,
    until: To = None,
    data: Data = None,
    seed: Seed = SAMPLE_SEED,
    equity: Equity = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the plan there, as JSON.")] = None,
) -> Result:
    """Say what the next cycle would do. Records nothing and sends nothing. 0 where everything could be looked at."""
    from cli.account import cycle_data, cycle_text, header, opening_warnings, reading_exit, trouble_text
    from cli.commands.backtest import write
    from cli.plain import jsonable
    from cli.show import Ink, colours
    from trader_core.bootstrap import open_preview
    from trader_core.engine.plan import sealed
    from trader_core.engine.preview import preview as preview_of

    shared, ink = shared_of(ctx), Ink(colours())
    options = options_of(shared, since, until, data, seed, equity)
    with open_preview(options) as system:
        head, book = header(system, options, ink), system.journal.book
        warnings = warned(opening_warnings(system, options))
        report = preview_of(system.ports, system.policy, system.journal)
    if report is None:
        note("the market has ended: there is no next cycle")
        return Result({"cycle": None, "end_of_data": True}, "", 0, warnings)
    text = [head, "", f"cycle {report.cycle_id} would do this", cycle_text(report, ink)]
    if out is not None:
        write(out, sealed(jsonable(plan_of(system, report, book))))
        text += ["", f"the plan is in {out}"]
    told = "\n".join([*text, *trouble_text(report.book, ink, shared)])
    return Result(cycle_data(report), told, reading_exit(report), warnings)


def plan_of(system: "System", report: "CycleReport", before: "Book") -> dict[str, Any]:
    """The decision with what it was taken on: configuration, how far the journal had come, and when it is over."""
    from cli.account import cycle_data
    from cli.plain import moment
    from trader_core.engine.digest import decision_digest
    from trader_core.settings.digest import digest

    return {
        "schema": "trader.plan/v1",
        "mode": system.mode,
        "config_digest": digest(system.policy),
        "decision_digest": decision_digest(report.decision) if report.decision else None,
        "after_cycle": before.cycles,
        "after_intents": before.intents,
        "expires_time": moment(report.decision_ms + system.source.bar_ms),
        **cycle_data(report),
    }
