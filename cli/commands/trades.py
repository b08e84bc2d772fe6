"""`trader trades`: the positions that are over, from flat to flat, and those that are not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result
from cli.looking import Since, Symbol, meant, since_of
from cli.options import options_of, shared_of

if TYPE_CHECKING:
    from decimal import Decimal

    from cli.show import Ink
    from trader_core.report.records import Statistic
    from trader_core.report.trades import Open, Totals, Trade

SPARE = ("opened, UTC", "fees", "quantity", "strategy", "held", "entry")  # the first of them goes first


def trades(
    ctx: typer.Context,
    since: Since = None,
    symbol: Symbol = None,
    stats: Annotated[bool, typer.Option("--stats", help="By pair and strategy: win rate, R, expectancy.")] = False,
) -> Result:
    """Show closed positions, the newest last, with what each earned and why it was sold."""
    from cli.plain import moment
    from cli.show import Ink, colours
    from trader_core.desk import open_state
    from trader_core.report.records import statistics
    from trader_core.report.trades import ended_since, history, totals

    with open_state(options_of(shared_of(ctx))) as (store, account):
        past = history(store.facts())
    from_ms = since_of(since, past.book.closed_ms)
    wanted = meant(past.symbols, symbol, "the account", "trader trades --symbol")
    closed = ended_since(past.trades, from_ms, wanted)
    left = [one for one in past.open if not wanted or one.symbol in wanted]
    figures = totals(closed)
    data = {"since": moment(from_ms), "symbols": wanted, "trades": closed, "open": left, "totals": figures}
    if stats:
        found = statistics(past, from_ms, wanted)
        return Result(data | {"statistics": found}, _stats(found, from_ms, Ink(colours())), account=account)
    return Result(data, _page(closed, left, figures, from_ms, Ink(colours())), account=account)


def _stats(found: "Sequence[Statistic]", from_ms: int | None, ink: "Ink") -> str:
    """Cents and hundredths go half up; a figure that nothing decides is unknown."""
    from cli.show import change, fitted
    from trader_core.domain.clocktime import short
    from trader_core.domain.money import cents

    span = f" since {short(from_ms)} UTC" if from_ms is not None else ""
    if not found:
        return f"no position was closed{span}"
    head = ["position", "strategy", "trades", "won", "won, %", "average R", "expectancy", "profit factor", "pnl"]
    rows = [
        [
            one.symbol, one.strategy or "-", str(one.trades), str(one.won), f"{cents(one.win_rate_pct)}",
            _hundredths(one.average_r), change(one.expectancy), _hundredths(one.profit_factor), _gain(one.pnl, ink),
        ]
        for one in found
    ]  # fmt: skip
    return "\n".join([ink.bold(f"closed positions by pair and strategy{span}"), "", fitted(head, rows, (), left=2)])


def _hundredths(figure: "Decimal | None") -> str:
    from trader_core.domain.money import cents

    return "unknown" if figure is None else f"{cents(figure)}"


def _page(closed: "Sequence[Trade]", left: "Sequence[Open]", figures: "Totals", from_ms: int | None, ink: "Ink") -> str:
    from cli.show import count, fitted, money
    from trader_core.domain.clocktime import short

    span = f" since {short(from_ms)} UTC" if from_ms is not None else ""
    parts = [ink.bold(f"{count(len(closed), 'closed position')}{span}")]
    if closed:
        head = [
            "position", "strategy", "opened, UTC", "closed, UTC", "held", "quantity", "entry", "exit", "fees", "pnl",
            "%", "reason",
        ]  # fmt: skip
        parts += ["", fitted(head, [_row(one, ink) for one in closed], SPARE, left=2)]
        told = f"{count(figures.won, 'win')}, {count(figures.lost, 'loss', 'losses')}"
        rate = f"{figures.win_rate_pct:.1f} % won"
        parts += ["", f"{told} ({rate}), pnl {_gain(figures.pnl, ink)}, fees {money(figures.fees)}"]
    if left:
        parts += ["", ink.bold(count(len(left), "open position")), "", _open_table(left)]
    return "\n".join(parts)


def _row(one: "Trade", ink: "Ink") -> list[str]:
    from cli.show import length, money, price
    from trader_core.domain.clocktime import short
    from trader_core.domain.money import plain

    return [
        one.symbol, one.strategy or "-", short(one.entry_ms), short(one.exit_ms),
        length(one.exit_ms - one.entry_ms), plain(one.quantity), price(one.entry_price), price(one.exit_price),
        money(one.fees), _gain(one.pnl, ink), f"{one.pnl_pct:+.2f}", one.exit_reason or "-",
    ]  # fmt: skip


def _gain(amount: "Decimal", ink: "Ink") -> str:
    from cli.show import change

    return (ink.good if amount > 0 else ink.bad)(change(amount))


def _open_table(left: "Sequence[Open]") -> str:
    from cli.show import change, fitted, money, price
    from trader_core.domain.clocktime import short
    from trader_core.domain.money import plain

    head = ["position", "strategy", "opened, UTC", "quantity", "entry", "cost", "fees", "sold so far"]
    rows = [
        [
            one.symbol, one.strategy or "-", short(one.entry_ms), plain(one.quantity), price(one.entry_price),
            money(one.cost), money(one.fees), change(one.realised),
        ]
        for one in left
    ]  # fmt: skip
    if not any(one.realised for one in left):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return fitted(head, rows, ("fees", "strategy"), left=2)
