"""`trader orders`: what the venue may still fill, or everything that was ever ordered."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result
from cli.looking import Since, Symbol, meant, since_of
from cli.options import options_of, shared_of

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.report.orders import OrderOutcome

SPARE = ("strategy", "fees", "filled", "reason", "quantity")  # the first of them goes first
REFUSED = "REJECTED"


def orders(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    since: Since = None,
    symbol: Symbol = None,
) -> Result:
    """Show open orders; with --all or --since also what became of those that are over."""
    from cli.plain import moment
    from cli.show import Ink, colours
    from trader_core.desk import open_state
    from trader_core.report.trades import history

    with open_state(options_of(shared_of(ctx))) as (store, account):
        past = history(store.facts())
    from_ms = since_of(since, past.book.closed_ms)
    wanted = meant(past.symbols, symbol, "the account", "trader orders --symbol")
    over = everything or from_ms is not None
    found = [
        one
        for one in past.orders
        if (one.is_open or over)
        and (from_ms is None or one.placed_ms >= from_ms)
        and (not wanted or one.symbol in wanted)
    ]
    data = {"since": moment(from_ms), "symbols": wanted, "orders": found, "open": sum(one.is_open for one in found)}
    return Result(data, _page(found, over, from_ms, Ink(colours())), account=account)


def _page(found: "Sequence[OrderOutcome]", over: bool, from_ms: int | None, ink: "Ink") -> str:
    from cli.show import count, fitted, wrapped
    from trader_core.domain.clocktime import short

    what = count(len(found), "order") if over else count(len(found), "open order")
    span = f" since {short(from_ms)} UTC" if from_ms is not None else ""
    parts = [ink.bold(f"{what}{span}")]
    if found:
        head = ["order", "placed, UTC", "role", "strategy", "state", "quantity", "filled", "price", "fees", "reason"]
        parts += ["", fitted(head, [_row(one, ink) for one in found], SPARE, left=5, words=1)]
    told = [one for one in found if one.note.lower() not in ("", one.status.lower())]
    parts += [""] if told else []
    for one in told:
        parts += wrapped(f"{one.symbol} {short(one.placed_ms)} UTC {kind_words(one.role, one.kind)}: {one.note}")
    return "\n".join(parts)


def _row(one: "OrderOutcome", ink: "Ink") -> list[str]:
    """A price is what was paid on average where something was filled, else what was asked for."""
    from cli.show import money, price
    from trader_core.domain.clocktime import short
    from trader_core.domain.money import plain

    state = one.status.lower()
    return [
        one.symbol, short(one.placed_ms), kind_words(one.role, one.kind), one.strategy or "-",
        ink.no(state) if one.status == REFUSED else state, plain(one.quantity), plain(one.filled),
        price(one.average_price or one.limit or one.trigger), money(one.fees), one.reason or "-",
    ]  # fmt: skip


def kind_words(role: str, kind: str) -> str:
    """'entry maker', 'stop'."""
    return " ".join(dict.fromkeys([role.lower(), kind.lower()]))
