"""`trader positions`: what is held, what protects it, and when it will be sold. No market is asked."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import typer

from cli.again import typed
from cli.exits import Result
from cli.looking import Symbol, meant
from cli.options import Shared, options_of, shared_of

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.report.positions import Position


def positions(ctx: typer.Context, symbol: Symbol = None) -> Result:
    """Show what is held: cost, stop, target, highest bid, and when it is sold at the latest."""
    from cli.plain import moment
    from trader_core.desk import open_state
    from trader_core.report.positions import positions as positions_of
    from trader_core.report.trades import history

    shared = shared_of(ctx)
    with open_state(options_of(shared)) as (store, account):
        past = history(store.facts())
    now_ms = past.book.closed_ms
    wanted = meant(past.symbols, symbol, "the account", "trader positions --symbol")
    held = [one for one in positions_of(past.book, {}) if not wanted or one.symbol in wanted]
    worth = None if wanted else past.worth
    unrealised = None if worth is None else worth - sum(one.cost + one.fees for one in held)
    data = {
        "time": moment(now_ms), "symbols": wanted, "positions": held, "value": worth, "unrealised": unrealised,
    }  # fmt: skip
    return Result(data, _page(held, worth, unrealised, now_ms, shared), account=account)


def _page(
    held: "Sequence[Position]", worth: Decimal | None, unrealised: Decimal | None, now_ms: int, shared: Shared
) -> str:
    from cli.show import Ink, change, colours, count, money, positions_table, table
    from trader_core.domain.clocktime import short

    if not held:
        return "nothing is held"
    ink = Ink(colours())
    at = f" at {short(now_ms)} UTC" if now_ms >= 0 else ""
    times = [
        [one.symbol, one.strategy or "-", short(one.opened_ms), *_until(one, now_ms)] for one in held
    ]  # fmt: skip
    told = f"cost {money(sum((one.cost for one in held), Decimal(0)))}"
    if worth is not None:
        told += f", worth {money(worth)} at the newest mark, unrealised {change(unrealised)}"
    return "\n".join([
        ink.bold(f"{count(len(held), 'position')}{at}"), "",
        positions_table(held), "",
        table(["position", "strategy", "opened, UTC", "sold by, UTC", "left"], times, left=4), "", told,
        *_by_hand(held, ink, shared),
    ])  # fmt: skip


def _until(one: "Position", now_ms: int) -> tuple[str, str]:
    """When it will have been held long enough, and how long that is from now."""
    from cli.show import length
    from trader_core.domain.clocktime import short

    if one.delisted:
        return "sell by hand", ""
    if one.sell_by_ms is None:
        return "no limit", ""
    return short(one.sell_by_ms), length(one.sell_by_ms - now_ms) if one.sell_by_ms > now_ms else "now"


def _by_hand(held: "Sequence[Position]", ink: "Ink", shared: Shared) -> list[str]:
    from cli.show import wrapped

    lines: list[str] = []
    for one in held:
        if one.delisted:
            told = f"{one.symbol} is delisted: the venue does not list it any more, so nothing here can sell it"
            lines += ["", *(ink.bad(line) for line in wrapped(told))]
            lines.append(typed("  sell by hand, then: trader reconcile --apply --reason TEXT", shared))
    return lines
