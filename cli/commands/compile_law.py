"""`trader compile`: make the machine code of backtests now rather than at the first one."""

import typer

from cli.exits import Result
from cli.options import options_of, shared_of


def compile_law(ctx: typer.Context) -> Result:
    """Compile the law for backtests: half a minute, once for each version. The first backtest does so if need be."""
    from cli.progress import compiling
    from trader_core.study import compiled_for

    with compiling() as told:
        directory = compiled_for(options_of(shared_of(ctx)), told)
    data = {"compiled": told.heard, "directory": None if directory is None else str(directory)}
    if directory is None:
        return Result(data, "the law compiles, but there is no directory of your own to keep it in")
    return Result(data, f"the law {'is compiled' if told.heard else 'was compiled before'} and kept in {directory}")
