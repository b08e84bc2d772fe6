"""`trader run-cycle`: exactly one cycle, whose health is the exit code. For timers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import UNDELIVERED, Result, note, warned, worst
from cli.options import SAMPLE_SEED, Data, Equity, From, Seed, To, options_of, shared_of

if TYPE_CHECKING:
    from trader_core.engine.cycle import CycleReport
    from trader_core.engine.plan import Document
    from trader_core.worlds.system import System


def run_cycle(
    ctx: typer.Context,
    since: From = None,
    until: To = None,
    data: Data = None,
    seed: Seed = SAMPLE_SEED,
    equity: Equity = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Only as `preview --out FILE` said it; else 22.")
    ] = None,
) -> Result:
    """Run the next cycle. The exit code is the cycle's own: 0 is healthy, with or without a trade."""
    from cli.account import cycle_data, cycle_exit, cycle_text, opening_warnings, trouble_text
    from cli.commands.run import stopping
    from cli.record import opening, overheard, recorded
    from cli.show import Ink, colours
    from trader_core.bootstrap import open_system

    shared, ink = shared_of(ctx), Ink(colours())
    options = options_of(shared, since, until, data, seed, equity)
    agreed = None if plan is None else _agreed(plan)
    with stopping(), overheard(options), open_system(options) as system:
        opening(system)
        warnings = warned(opening_warnings(system, options))
        report = _lived(system, agreed)
        if report is not None:
            recorded(report)
            text = [f"cycle {report.cycle_id}", cycle_text(report, ink), *trouble_text(report.book, ink, shared)]
            warnings += warned([system.telling.problem] if system.telling.problem else [])
            code = worst([cycle_exit(report), UNDELIVERED if system.telling.problem else 0])
            return Result(cycle_data(report), "\n".join(text), code, warnings)
        note("the market has ended: there was nothing left to do")
        return Result({"cycle": None, "end_of_data": True}, "", 0, warnings)


def _agreed(plan: Path) -> "Document":
    from trader_core.hand import CYCLE_PLAN, plan_in

    return plan_in(plan, CYCLE_PLAN)


def _lived(system: "System", agreed: "Document | None") -> "CycleReport | None":
    """The next cycle; with a plan only if it is the planned one."""
    if agreed is not None:
        from trader_core.hand import planned_cycle

        return planned_cycle(system, agreed)
    from trader_core.engine.run import cycles

    return next(cycles(system.ports, system.policy, system.journal, lambda: False, 1, system.telling.cycle), None)
