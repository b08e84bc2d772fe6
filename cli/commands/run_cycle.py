"""`trader run-cycle`: exactly one cycle, whose health is the exit code. For timers."""

import typer

from cli.exits import Result, note, warned
from cli.options import SAMPLE_SEED, Data, Equity, From, Seed, To, options_of, shared_of


def run_cycle(
    ctx: typer.Context,
    since: From = None,
    until: To = None,
    data: Data = None,
    seed: Seed = SAMPLE_SEED,
    equity: Equity = None,
) -> Result:
    """Run the next cycle. The exit code is the cycle's own: 0 is healthy, with or without a trade."""
    from cli.account import cycle_data, cycle_exit, cycle_text, opening_warnings, trouble_text
    from cli.commands.run import stopping
    from cli.show import Ink, colours
    from trader_core.bootstrap import open_system
    from trader_core.engine.run import cycles

    shared, ink = shared_of(ctx), Ink(colours())
    options = options_of(shared, since, until, data, seed, equity)
    with stopping(), open_system(options) as system:
        warnings = warned(opening_warnings(system, options))
        for report in cycles(system.ports, system.policy, system.journal, lambda: False, 1):
            text = [f"cycle {report.cycle_id}", cycle_text(report, ink), *trouble_text(report.book, ink)]
            return Result(cycle_data(report), "\n".join(text), cycle_exit(report), warnings)
        note("the market has ended: there was nothing left to do")
        return Result({"cycle": None, "end_of_data": True}, "", 0, warnings)
