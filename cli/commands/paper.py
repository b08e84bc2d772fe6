"""`trader paper`: the simulated account's own life: cash in, cash out, and a new beginning."""

from typing import Annotated

import typer

from cli.exits import Result
from cli.options import amount_of, options_of, shared_of

Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="In the account currency.")]


def deposit(ctx: typer.Context, amount: Amount) -> Result:
    """Put cash into the paper account. The next cycle books it; it is no gain."""
    return _moved(ctx, amount, 1, "deposit")


def withdraw(ctx: typer.Context, amount: Amount) -> Result:
    """Take free cash out of the paper account. The next cycle books it; it is no loss."""
    return _moved(ctx, amount, -1, "withdrawal")


def reset(ctx: typer.Context, yes: bool = typer.Option(False, "--yes", help="Do it.")) -> Result:
    """Start the paper account anew. The old one is moved into the state's archive, not deleted."""
    from trader_core.desk import archive_paper
    from trader_core.domain.errors import UsageError

    if not yes:
        raise UsageError(
            "this ends the paper account and begins a new one",
            safe="nothing was changed; the old account would be moved into the archive beside it",
            remedy="trader paper reset --yes",
        )
    archive = archive_paper(options_of(shared_of(ctx)))
    return Result({"archive": str(archive)}, f"the paper account is in {archive}\nthe next run begins a new one")


def _moved(ctx: typer.Context, amount: str, sign: int, note: str) -> Result:
    from cli.show import money
    from trader_core.desk import move_cash
    from trader_core.domain.errors import UsageError

    asked = amount_of("AMOUNT", amount)
    if asked is None or asked <= 0:
        raise UsageError("the amount must be above zero", remedy=f"trader paper {ctx.command.name} 1000")
    free = move_cash(options_of(shared_of(ctx)), sign * asked, note)
    text = f"{note} of {money(asked)}; free cash at the paper venue is now {money(free)}\nthe next cycle books it"
    return Result({"amount": sign * asked, "free": free}, text)
