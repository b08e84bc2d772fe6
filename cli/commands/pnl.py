"""`trader pnl`: what was earned, by day, symbol or strategy; the total is the ledger's own figure."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result
from cli.looking import Since, since_of
from cli.options import options_of, shared_of

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.report.pnl import Pnl, Row

BY = ("day", "symbol", "strategy")


def pnl(
    ctx: typer.Context,
    by: Annotated[str, typer.Option("--by", metavar="WHAT", help=f"{', '.join(BY)}.")] = "day",
    since: Since = None,
) -> Result:
    """Show realised profit and loss, all fees taken off."""
    from cli.plain import moment
    from cli.show import Ink, colours
    from trader_core.desk import open_state
    from trader_core.report.pnl import pnl as pnl_of
    from trader_core.report.trades import history

    if by not in BY:
        raise typer.BadParameter(f"'{by}' is not one of {', '.join(BY)}.", ctx=ctx, param_hint="--by")
    with open_state(options_of(shared_of(ctx))) as (store, account):
        past = history(store.facts())
    from_ms = since_of(since, past.book.closed_ms)
    found = pnl_of(past, by, from_ms)
    data = {"by": by, "since": moment(from_ms), "rows": found.rows, "total": found.total}
    return Result(data, _page(found, from_ms, Ink(colours())), account=account)


def _page(found: "Pnl", from_ms: int | None, ink: "Ink") -> str:
    from cli.show import table
    from trader_core.domain.clocktime import short

    span = f" since {short(from_ms)} UTC" if from_ms is not None else ""
    head = [found.by, "realised", "fees", "trades", "won"] + (["equity"] if found.by == "day" else [])
    rows = [_row(one, ink)[: len(head)] for one in (*found.rows, found.total)]
    return f"{ink.bold(f'realised by {found.by}{span}')}\n\n{ruled(table(head, rows))}"


def _row(one: "Row", ink: "Ink") -> list[str]:
    from cli.show import change, money

    style = ink.good if one.realised > 0 else ink.bad if one.realised < 0 else str
    return [
        one.key or "(unknown)", style(change(one.realised)), money(one.fees), str(one.trades), str(one.won),
        money(one.equity),
    ]  # fmt: skip


def ruled(text: str) -> str:
    """A table with the rule under its head drawn over its last line too."""
    lines = text.splitlines()
    return "\n".join([*lines[:-1], lines[1], lines[-1]])
