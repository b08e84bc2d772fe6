"""`trader export`: fills, closed positions or tax lots as CSV (RFC 4180): plain decimals, times in RFC 3339, UTC."""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.exits import Result
from cli.files import save_new
from cli.looking import SAFE, Since, since_of
from cli.options import options_of, shared_of
from trader_core.domain.errors import UsageError
from trader_core.domain.values import names_of
from trader_core.domain.words import count

WHAT = ("fills", "trades", "lots")
METHODS = ("FIFO", "LIFO", "HIFO")
STDOUT = "-"


def export(
    ctx: typer.Context,
    target: Annotated[str, typer.Option("--csv", metavar="FILE", help="Where to; - is the standard output.")],
    what: Annotated[str, typer.Option("--what", metavar="WHAT", help=f"{', '.join(WHAT)}.")] = "fills",
    method: Annotated[str, typer.Option("--method", metavar="NAME", help=f"Of lots: {', '.join(METHODS)}.")] = "FIFO",
    since: Since = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> Result:
    """Write fills, closed positions or tax lots as CSV."""
    from cli.plain import moment
    from trader_core.desk import open_state
    from trader_core.report.export import ROW_OF, rows
    from trader_core.report.trades import history

    shared = shared_of(ctx)
    for name, value, known in (("--what", what, WHAT), ("--method", method, METHODS)):
        if value not in known:
            raise typer.BadParameter(f"'{value}' is not one of {', '.join(known)}.", ctx=ctx, param_hint=name)
    if target == STDOUT and shared.json:
        raise UsageError("--csv - and --json both want the standard output", safe=SAFE, remedy="--csv FILE --json")
    with open_state(options_of(shared)) as (store, account):
        past = history(store.facts())
    from_ms = since_of(since, past.book.closed_ms)
    found = rows(past, what, method, from_ms)
    text = csv_text(ROW_OF[what], found)
    if target == STDOUT:
        sys.stdout.write(text)
        return Result(None, "")
    save_new(Path(target), "--csv", text, force)
    data = {"file": target, "what": what, "since": moment(from_ms), "rows": len(found), "method": None, "totals": None}
    told = f"{what}: {count(len(found), 'row')} in {target}"
    data, told = (data, told) if what != "lots" else _lots(data, told, found, method)
    return Result(data, told, account=account)


def _lots(data: dict[str, Any], told: str, found: Any, method: str) -> tuple[dict[str, Any], str]:
    from cli.show import change, money
    from trader_core.report.export import lot_totals

    totals = lot_totals(found)
    figures = f"proceeds {money(totals.proceeds)}, cost {money(totals.cost)}, gain {change(totals.gain)}"
    text = f"{told}\n{method}: {figures}; still held at a cost of {money(totals.held_cost)}"
    return {**data, "method": method, "totals": totals}, text


def csv_text(kind: type, found: Sequence[object]) -> str:
    """One record a row under the names that --json has for the same things; what is not known is empty."""
    from cli.plain import jsonable

    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(f"{name.removesuffix('_ms')}_time" if name.endswith("_ms") else name for name in names_of(kind))
    for one in found:
        writer.writerow("" if value is None else value for value in jsonable(one).values())
    return out.getvalue()
