"""`trader why`: the numbers behind every yes and no of one cycle."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result
from cli.options import options_of, shared_of
from trader_core.domain.errors import StateUnusable, UsageError

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.domain.decision import GateRow
    from trader_core.report.why import Answer, FillSeen, OrderOutcome, SymbolAnswer

NEAREST_MAX = 3
WORDS = {
    "OK": "passed every gate",
    "decided_before": "decided before the process was interrupted",
    "excluded": "excluded",
    "no_signal": "no signal",
    "not_judged": "not judged",
    "warming_up": "not enough history yet",
}


def why(
    ctx: typer.Context,
    symbol: Annotated[str | None, typer.Argument(metavar="SYMBOL", help="BTC-USD or BTC. Default: all.")] = None,
    cycle: Annotated[
        int | None, typer.Option("--cycle", min=1, metavar="ID", help="Which cycle. Default: the newest.")
    ] = None,
) -> Result:
    """Answer for one cycle: what each gate measured, and what became of the orders."""
    from dataclasses import replace

    from cli.show import Ink, colours
    from trader_core.bootstrap import open_state
    from trader_core.report.why import answer, matching

    with open_state(options_of(shared_of(ctx))) as (store, _):
        found = answer(store.facts(), cycle)
    if found is None:
        if cycle is not None:
            raise UsageError(f"there is no cycle {cycle}", safe="nothing was changed", remedy="trader status")
        raise StateUnusable("there is no cycle yet", safe="nothing was changed", remedy="trader run")
    known = tuple(one.symbol for one in found.symbols)
    if symbol is None or (found.problem and not known):
        return Result(found, _overview(found, Ink(colours())))
    meant = matching(known, symbol)
    if not meant:
        raise _unknown(symbol, known, found.cycle)
    found = replace(found, symbols=tuple(one for one in found.symbols if one.symbol in meant))
    return Result(found, "\n\n".join(_page(found, one, Ink(colours())) for one in found.symbols))


def _unknown(symbol: str, known: tuple[str, ...], cycle: int) -> UsageError:
    from difflib import get_close_matches

    bases = [one.partition("-")[0] for one in known]
    near = get_close_matches(symbol.upper(), [*known, *bases], n=NEAREST_MAX) or known[:1]
    return UsageError(
        f"cycle {cycle} knows no {symbol}; it knows {', '.join(known) or 'nothing'}",
        safe="nothing was changed",
        remedy=" or ".join(f"trader why {one}" for one in near),
    )


def _head(found: "Answer") -> str:
    from trader_core.domain.clocktime import short

    return f"cycle {found.cycle}, {short(found.decision_ms)} UTC"


def _overview(found: "Answer", ink: "Ink") -> str:
    """All symbols, a line each."""
    from cli.show import table

    parts = [ink.bold(_head(found))]
    if found.problem:
        parts.append(ink.bad(f"the market could not be read: {found.problem}"))
    if found.symbols:
        parts += ["", table(["symbol", "outcome", "because"], [_line(one) for one in found.symbols], left=3)]
    return "\n".join(parts)


def _line(one: "SymbolAnswer") -> list[str]:
    from cli.show import versus

    because = one.detail
    row = _decisive(one)
    if not because and row and row.value is not None:
        because = f"{row.gate} {versus(row)}"
    traded = [_order_words(order) for order in one.orders]
    return [one.symbol, WORDS.get(one.outcome, one.outcome), "; ".join([*traded, *([because] if because else [])])]


def _decisive(one: "SymbolAnswer") -> "GateRow | None":
    """The first row that said no, or had nothing to say."""
    return next((row for row in one.gates if row.verdict != "OK"), None)


def _page(found: "Answer", one: "SymbolAnswer", ink: "Ink") -> str:
    from cli.show import wrapped

    words = WORDS.get(one.outcome, f"refused, {one.outcome}")
    told = f"{words}: {one.detail}" if one.detail else words
    parts = [ink.bold(f"{one.symbol} in {_head(found)}"), *wrapped(told)]
    if one.gates:
        parts += ["", _gates(one, ink)]
    parts += [""] if one.orders or one.fills else []
    parts += [part for order in one.orders for part in wrapped(_order_line(order))]
    parts += [part for fill in one.fills for part in wrapped(_fill_line(fill))]
    return "\n".join(parts)


def _gates(one: "SymbolAnswer", ink: "Ink") -> str:
    """Every gate's numbers; an arrow at the one that decided."""
    from cli.show import figure, table

    decisive = _decisive(one)
    rows = [
        [
            f"> {row.gate}" if row is decisive else f"  {row.gate}",
            "" if row.unit == "state" else row.unit,
            figure(row.value), figure(row.limit), figure(row.margin),
            ink.no(row.verdict) if row.verdict != "OK" else row.verdict,
        ]
        for row in one.gates
    ]  # fmt: skip
    return table(["  gate", "unit", "value", "limit", "margin", "verdict"], rows, left=2)


def _order_words(order: "OrderOutcome") -> str:
    """'entry maker filled'."""
    return f"{order.role} {order.kind}".lower().replace("stop stop", "stop") + f" {order.status.lower()}"


def _order_line(order: "OrderOutcome") -> str:
    from cli.show import price
    from trader_core.domain.money import plain

    at = price(order.trigger or order.limit)
    filled = f" {plain(order.filled)} at {price(order.average_price)}" if order.filled else ""
    note = f" ({order.note})" if order.note else ""
    kind = f"{order.role} {order.kind}".lower().replace("stop stop", "stop")
    return f"order: {order.side.lower()} {plain(order.quantity)} at {at}, {kind} -> {order.status}{filled}{note}"


def _fill_line(fill: "FillSeen") -> str:
    from cli.show import money, price
    from trader_core.domain.clocktime import short
    from trader_core.domain.money import plain

    what = f"{fill.side.lower()} {plain(fill.quantity)} at {price(fill.price)}"
    return f"fill:  {what}, value {money(fill.value)}, fee {money(fill.fee)}, {short(fill.at_ms)}"
