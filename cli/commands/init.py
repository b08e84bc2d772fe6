"""`trader init`: a place for the account, before its first cycle. Never required, and harmless to repeat."""

import typer

from cli.exits import Result
from cli.options import SAMPLE_SEED, Data, Seed, options_of, shared_of


def init(ctx: typer.Context, data: Data = None, seed: Seed = SAMPLE_SEED) -> Result:
    """Make the state of a mode, without a cycle. Not required: run does it too."""
    from trader_core.bootstrap import open_system

    with open_system(options_of(shared_of(ctx), data=data, seed=seed)) as system:
        found = {"mode": system.mode, "state": str(system.state), "cycles": system.journal.book.cycles}
    how_far = f"with {found['cycles']} cycles" if found["cycles"] else "without a cycle yet"
    return Result(found, f"{system.mode} state in {system.state}, {how_far}")
