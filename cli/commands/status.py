"""`trader status`: where the account stands, from its state alone."""

from typing import TYPE_CHECKING

import typer

from cli.exits import Result, warned
from cli.options import options_of, shared_of

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.report.status import OpenOrder, Status
    from trader_core.settings.options import Options


def status(
    ctx: typer.Context, oneline: bool = typer.Option(False, "--oneline", help="One line, for a prompt or a log.")
) -> Result:
    """Show the newest state: equity, positions, orders, halt."""
    from cli.account import trouble_text
    from cli.plain import jsonable
    from cli.show import Ink, colours
    from trader_core.bootstrap import open_state
    from trader_core.engine.journal import Journal
    from trader_core.report.status import status as status_of

    options, ink = options_of(shared_of(ctx)), Ink(colours())
    with open_state(options) as (store, mode):
        identity, book = store.identity(), Journal(store).book
    found, venue = status_of(book), identity.get("venue", "?")
    limit, warnings = _day_loss_limit(options)
    data = {"mode": mode, "venue": venue, **jsonable(found), "max_day_loss_pct": limit}
    if oneline:
        return Result(data, _oneline(mode, venue, found, limit), 0, warnings)
    trouble = trouble_text(book, ink)
    return Result(data, "\n".join([_page(mode, venue, found, limit, ink), *trouble]), 0, warnings)


def _day_loss_limit(options: "Options") -> tuple[float | None, tuple[str, ...]]:
    """A status must not fail because a configuration does."""
    from trader_core.bootstrap import settings_of
    from trader_core.domain.errors import ConfigInvalid

    try:
        return settings_of(options).policy.risk.max_day_loss_pct, ()
    except ConfigInvalid as invalid:
        return None, warned([invalid.what.splitlines()[0].rstrip(":")])


def _page(mode: str, venue: str, found: "Status", limit: float | None, ink: "Ink") -> str:
    from cli.show import change, money, pairs, positions_table, price, table
    from trader_core.domain.clocktime import short
    from trader_core.domain.money import plain

    last = short(found.last_decision_ms) + " UTC" if found.cycles else "none yet"
    rows = [
        ("cycles", f"{found.cycles}, the last decided at {last}" if found.cycles else "none yet"),
        ("equity", money(found.equity)),
        ("cash", money(found.cash)),
        ("realised", change(found.realised)),
        ("today", _today(found, limit)),
        ("halt", found.halt.state.value + (f": {found.halt.reason}" if found.halt.reason else "")),
        ("restart", "safe" if found.restart_safe else "an order's fate is unknown; the next cycle asks the venue"),
    ]
    parts = [ink.bold(f"{mode} on the {venue} venue"), pairs(rows)]
    if found.open_positions:
        parts += ["", positions_table(found.open_positions)]
    orders = [
        [one.symbol, _kind(one), one.status.lower(), plain(one.quantity - one.filled),
         price(one.trigger or one.limit)]
        for one in found.open_orders
    ]  # fmt: skip
    if orders:
        parts += ["", table(["order", "role", "state", "quantity", "price"], orders, left=3)]
    return "\n".join(parts)


def _kind(one: "OpenOrder") -> str:
    """'entry maker', 'stop'."""
    return " ".join(dict.fromkeys([one.role.lower(), one.kind.lower()]))


def _today(found: "Status", limit: float | None) -> str:
    """'-0.23 % (limit -3 %)': the change since the UTC day's first mark, and where entries close."""
    gained = "unknown" if found.day_loss_pct is None else f"{0.0 - found.day_loss_pct:+.2f} %"
    return gained if limit is None else f"{gained} (limit -{limit:g} %)"


def _oneline(mode: str, venue: str, found: "Status", limit: float | None) -> str:
    from cli.show import count, money
    from trader_core.domain.clocktime import short

    if not found.cycles:
        return f"{mode} {venue}: no cycle yet, {found.halt.state.value}"
    parts = [
        f"{mode} {venue}: {count(found.cycles, 'cycle')}",
        f"last {short(found.last_decision_ms)}",
        f"equity {money(found.equity)}",
        count(found.positions, "position"),
        f"today {_today(found, limit)}",
        found.halt.state.value,
        *([count(len(found.discrepancies), "discrepancy", "discrepancies")] if found.discrepancies else []),
        *([] if found.restart_safe else ["UNKNOWN ORDER"]),
    ]
    return ", ".join(parts)
