"""`trader preview`: the next cycle on a copy that is thrown away. Nothing is recorded and nothing is sent."""

import typer

from cli.exits import Result, note, warned
from cli.options import SAMPLE_SEED, Data, Equity, From, Seed, To, options_of, shared_of


def preview(
    ctx: typer.Context,
    since: From = None,
    until: To = None,
    data: Data = None,
    seed: Seed = SAMPLE_SEED,
    equity: Equity = None,
) -> Result:
    """Say what the next cycle would do. Records nothing and sends nothing."""
    from cli.account import cycle_data, cycle_text, header, trouble_text
    from cli.show import Ink, colours
    from trader_core.bootstrap import open_preview
    from trader_core.engine.preview import preview as preview_of

    shared, ink = shared_of(ctx), Ink(colours())
    options = options_of(shared, since, until, data, seed, equity)
    with open_preview(options) as system:
        head = header(system, options, ink)
        report = preview_of(system.ports, system.policy, system.journal)
    warnings = warned(system.source.warnings)
    if report is None:
        note("the market has ended: there is no next cycle")
        return Result({"cycle": None, "end_of_data": True}, "", 0, warnings)
    text = [head, "", f"cycle {report.cycle_id} would do this", cycle_text(report, ink)]
    return Result(cycle_data(report), "\n".join([*text, *trouble_text(report.book, ink)]), 0, warnings)
