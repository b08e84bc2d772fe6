"""`trader metrics`: the newest figures of an account, as Prometheus reads them."""

import typer

from cli.exits import Result
from cli.options import options_of, shared_of


def metrics(ctx: typer.Context) -> Result:
    """Print what was measured, in the text format of Prometheus; with --json as a list."""
    from trader_core.desk import newest_state
    from trader_core.figures import figures_of, text_of

    files = newest_state(options_of(shared_of(ctx)))
    if not shared_of(ctx).json:
        return Result(None, text_of(files.directory, files.mode).rstrip("\n"))
    figures = [
        {"name": name, "labels": dict(labels), "value": value}
        for (name, labels), value in figures_of(files.directory, files.mode)
    ]
    return Result({"mode": files.mode, "metrics": figures}, "")
