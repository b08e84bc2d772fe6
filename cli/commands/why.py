"""`trader why`: the numbers behind every yes and no of one cycle, and, over a span, why there was no trade."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.again import typed
from cli.exits import Result
from cli.looking import SAFE, Since, Symbol, meant, near_to, since_of
from cli.options import Shared, options_of, shared_of
from trader_core.domain.errors import StateUnusable, UsageError
from trader_core.domain.words import count

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.domain.decision import GateRow
    from trader_core.domain.facts import CycleClosed
    from trader_core.report.notrade import Miss, NoTrade, Outcome
    from trader_core.report.orders import OrderOutcome
    from trader_core.report.why import Answer, FillSeen, SymbolAnswer

WORDS = {
    "OK": "passed every gate",
    "decided_before": "decided before the process was interrupted",
    "excluded": "excluded",
    "exit_deferred": "exit deferred",
    "no_signal": "no signal",
    "not_judged": "not judged",
    "warming_up": "not enough history yet",
}
VERDICTS = {"NOT_APPLICABLE": "not applicable", "SHRANK": "shrank"}


def why(
    ctx: typer.Context,
    symbol: Annotated[str | None, typer.Argument(metavar="SYMBOL", help="BTC-USD or BTC. Default: all.")] = None,
    cycle: Annotated[
        int | None, typer.Option("--cycle", min=1, metavar="ID", help="Which cycle. Default: the newest.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every gate, also those with room to spare.")] = False,
    no_trade: Annotated[bool, typer.Option("--no-trade", help="Which gates said no over a span, how often.")] = False,
    since: Since = None,
    named: Symbol = None,
) -> Result:
    """Answer for one cycle: what each gate measured, and what became of the orders; or, with --no-trade, for many."""
    if symbol is not None and named is not None:
        raise UsageError("a symbol was named twice", safe=SAFE, remedy=f"trader why {symbol}")
    if no_trade and (cycle is not None or everything):
        raise UsageError("--no-trade is about many cycles", safe=SAFE, remedy="leave --cycle and --all out")
    if since is not None and not no_trade:
        raise UsageError("--since goes with --no-trade", safe=SAFE, remedy=f"trader why --no-trade --since {since}")
    shared = shared_of(ctx)
    asked = named if symbol is None else symbol
    return _many(shared, asked, since) if no_trade else _one(shared, asked, cycle, everything)


# --- one cycle -------------------------------------------------------------------------------------------------------


def _one(shared: Shared, symbol: str | None, cycle: int | None, everything: bool) -> Result:
    from cli.show import Ink, colours
    from trader_core.desk import open_state
    from trader_core.domain.values import replace
    from trader_core.report.why import answer, decided_in, matching

    with open_state(options_of(shared)) as (store, account):
        facts = tuple(store.facts())
        found = answer(facts, cycle)
        if found and found.away is not None:
            found = answer((fact for _, fact in store.told()), cycle)
    if found is None:
        if cycle is not None:
            raise UsageError(f"there is no cycle {cycle}", safe=SAFE, remedy="trader status")
        raise _no_cycle()
    known, ink = tuple(one.symbol for one in found.symbols), Ink(not shared.json and colours())
    decided = decided_in(facts, found.cycle)
    earlier = decided if decided not in (None, found.cycle) else None
    if symbol is None or found.away or (found.problem and not known):
        return Result(found, _overview(found, ink) + _earlier(earlier, shared), account=account)
    wanted = matching(known, symbol)
    if not wanted:
        raise _unknown(symbol, known, found.cycle, earlier, shared)
    found = replace(found, symbols=tuple(one for one in found.symbols if one.symbol in wanted))
    text = "\n\n".join(_page(found, one, everything, ink) for one in found.symbols)
    return Result(found, text, account=account)


def _no_cycle() -> StateUnusable:
    return StateUnusable("there is no cycle yet", safe=SAFE, remedy="trader run")


def _earlier(decided: int | None, shared: Shared) -> str:
    """Between two closes nothing is decided anew: where to look. Empty where the cycle took a decision."""
    hint = typed(f"trader why --cycle {decided}", shared)
    return f"\n\nit took no decision of its own; the newest before it: {hint}" if decided else ""


def _unknown(
    symbol: str, known: tuple[str, ...], cycle: int, decided: int | None, shared: Shared
) -> UsageError:  # fmt: skip
    what = f"cycle {cycle} knows no {symbol}; it knows {', '.join(known) or 'nothing'}"
    near = [f"trader why {one}" for one in near_to(symbol, known)]
    if decided:
        what += ", for it took no decision of its own"
        near = [f"trader why {symbol} --cycle {decided}"]
    return UsageError(what, safe=SAFE, remedy=typed(" or ".join(near), shared))


def _head(found: "Answer") -> str:
    from trader_core.domain.clocktime import short

    return f"cycle {found.cycle}, {short(found.decision_ms)} UTC"


def _overview(found: "Answer", ink: "Ink") -> str:
    """All symbols, a line each; many that one reason excludes have one together."""
    from cli.show import NAMED_MAX, WIDTH, names, table, wrapped

    parts = [ink.bold(_head(found))]
    if found.problem:
        parts.append(ink.bad(f"the market could not be read: {found.problem}"))
    if found.away:
        parts.append(ink.bad(f"what was judged stands in {found.away}, which is not there"))
    many = {reason: group for reason, group in _barred(found).items() if len(group) > NAMED_MAX}
    together = {symbol for group in many.values() for symbol in group}
    told = [one for one in found.symbols if one.symbol not in together]
    if told:
        rows = [[one.symbol, WORDS.get(one.outcome, one.outcome), _because(one)] for one in told]
        room = WIDTH - sum(max(len(row[n]) for row in rows) + 2 for n in (0, 1))
        lines = [[symbol, outcome, clipped(because, room)] for symbol, outcome, because in rows]
        parts += ["", table(["symbol", "outcome", "because"], lines, left=3)]
    for reason, group in many.items():
        parts += ["", *wrapped(f"excluded, {reason}: {names(group)}")]
    return "\n".join(parts)


def _barred(found: "Answer") -> dict[str, list[str]]:
    """Symbols of which nothing was ever asked, by the reason."""
    from trader_core.domain.instrument import Exclusion
    from trader_core.report.run import grouped

    out = [one for one in found.symbols if one.outcome == "excluded" and not (one.gates or one.orders or one.fills)]
    return grouped([Exclusion(one.symbol, one.detail) for one in out])


def clipped(text: str, room: int) -> str:
    """At most so many columns of it."""
    return text if len(text) <= room else f"{text[: max(room - 3, 0)].rstrip()}..."


def _because(one: "SymbolAnswer") -> str:
    from cli.show import versus
    from trader_core.report.why import decisive

    row = decisive(one.outcome, one.gates)
    traded = [_order_words(order) for order in one.orders]
    if row is None or row.value is None or row.unit == "state":
        return "; ".join([*traded, *([one.detail] if one.detail else [])])
    return "; ".join([*traded, f"{row.gate} {versus(row)}"])


def _page(found: "Answer", one: "SymbolAnswer", everything: bool, ink: "Ink") -> str:
    from cli.show import wrapped
    from trader_core.report.why import GATE_NAMES

    words = WORDS.get(one.outcome, f"refused, {one.outcome}")
    told = f"{words}: {one.detail}" if one.detail else words
    if one.detail in {row.gate for row in one.gates} - GATE_NAMES:  # a strategy, and no reason
        told = f"{words}; proposed by {one.detail}"
    parts = [ink.bold(f"{one.symbol} in {_head(found)}"), *wrapped(told)]
    if one.gates:
        parts += ["", _gates(one, everything, ink)]
    parts += [""] if one.orders or one.fills else []
    parts += [part for order in one.orders for part in wrapped(_order_line(order))]
    parts += [part for fill in one.fills for part in wrapped(_fill_line(fill))]
    return "\n".join(parts)


def _gates(one: "SymbolAnswer", everything: bool, ink: "Ink") -> str:
    """The gates that matter, with an arrow at the one that decided; all of them on demand."""
    from cli.show import table
    from trader_core.report.why import decisive, worth_showing

    row = decisive(one.outcome, one.gates)
    shown = one.gates if everything else worth_showing(one.outcome, one.gates)
    lines = [_gate(it, it is row, ink) for it in shown]
    text = table(["  gate", "unit", "value", "limit", "margin", "verdict"], lines, left=2)
    hidden = [it for it in one.gates if it not in shown]
    if not hidden:
        return text
    nothing = sum(it.verdict == "NOT_APPLICABLE" for it in hidden)
    told = count(len(hidden) - nothing, "more gate") + " passed"
    told += f", {nothing} had nothing to measure" if nothing else ""
    return f"{text}\n{ink.dim(f'  {told}: --all shows them')}"


def _gate(row: "GateRow", decided: bool, ink: "Ink") -> list[str]:
    from cli.show import figure

    words = VERDICTS.get(row.verdict, row.verdict)
    style = str if row.verdict == "OK" else ink.dim if row.verdict == "NOT_APPLICABLE" else ink.no
    numbers = ["-"] * 3 if row.verdict == "NOT_APPLICABLE" else map(figure, (row.value, row.limit, row.margin))
    return [
        f"> {row.gate}" if decided else f"  {row.gate}", "" if row.unit == "state" else row.unit, *numbers,
        style(words),
    ]  # fmt: skip


def _order_words(order: "OrderOutcome") -> str:
    """'entry maker filled'."""
    from cli.commands.orders import kind_words

    return f"{kind_words(order.role, order.kind)} {order.status.lower()}"


def _order_line(order: "OrderOutcome") -> str:
    from cli.commands.orders import kind_words
    from cli.show import price
    from trader_core.domain.money import plain

    at = price(order.limit or order.trigger)
    filled = f" {plain(order.filled)} at {price(order.average_price)}" if order.filled else ""
    note = f" ({order.note})" if order.note else ""
    what = f"{order.side.lower()} {plain(order.quantity)} at {at}"
    return f"order: {what}, {kind_words(order.role, order.kind)} -> {order.status}{filled}{note}"


def _fill_line(fill: "FillSeen") -> str:
    from cli.show import money, price
    from trader_core.domain.clocktime import short
    from trader_core.domain.money import plain

    what = f"{fill.side.lower()} {plain(fill.quantity)} at {price(fill.price)}"
    return f"fill:  {what}, value {money(fill.value)}, fee {money(fill.fee)}, {short(fill.at_ms)} UTC"


# --- many cycles -----------------------------------------------------------------------------------------------------


def _many(shared: Shared, symbol: str | None, since: str | None) -> Result:
    from cli.account import why_hint
    from cli.plain import jsonable, moment
    from cli.show import Ink, colours
    from trader_core.desk import open_state
    from trader_core.report.notrade import no_trade, told

    with open_state(options_of(shared)) as (store, account):
        journal = told(store.facts())
        if not journal.cycles:
            raise _no_cycle()
        newest_ms = journal.cycles[-1].decision_ms
        from_ms = since_of(since, newest_ms)
        if any(from_ms is None or at_ms >= from_ms for at_ms in journal.away):
            journal = told(fact for _, fact in store.told())
    wanted = meant(journal.symbols, symbol, "the account", "trader why --no-trade")
    found = no_trade(journal, from_ms, wanted)
    data = jsonable(found)
    for name, miss in (("nearest_refusal", found.nearest_refusal), ("nearest_signal", found.nearest_signal)):
        if miss:
            data[name]["command"] = why_hint(miss.symbol, miss.cycle, shared)
    head = f"{count(found.cycles, 'cycle')}, {_span(from_ms, journal.cycles)} UTC"
    text = _histogram(found, head, wanted, shared, Ink(not shared.json and colours()))
    about = {"since": moment(from_ms), "until": moment(newest_ms), "symbols": wanted}
    return Result({**about, **data}, text, account=account)


def _span(from_ms: int | None, cycles: "Sequence[CycleClosed]") -> str:
    from trader_core.domain.clocktime import short

    times = [one.decision_ms for one in cycles]
    first_ms = next((at_ms for at_ms in times if from_ms is None or at_ms >= from_ms), times[-1])
    return f"{short(first_ms)} to {short(times[-1])}"


def _histogram(found: "NoTrade", head: str, wanted: Sequence[str], shared: Shared, ink: "Ink") -> str:
    from cli.show import pairs, table

    of = f" of {' '.join(wanted)}" if wanted else ""
    rows = [("judged", f"{count(found.judged, 'look')} at an instrument{of}, one a cycle")]
    rows.append(("proposed", f"{found.proposals}, of which {found.passed} passed every gate"))
    for name, cycles, what in (
        ("unread", found.unread, "in which something of the venue could not be read"),
        ("objected", found.objected, "in which no entry was judged: trader why --cycle ID"),
        ("away", found.away, "in closed files that are not there: decisions verify"),
    ):
        rows += [(name, f"{count(cycles, 'cycle')} {what}")] if cycles else []
    parts = [ink.bold(head), pairs(rows)]
    outcomes = [_outcome_row(one, found) for one in (*found.refusals, *found.stages)]
    if outcomes:
        parts += ["", table(["no trade because", "times", "share", "symbols", "last in cycle"], outcomes)]
    for name, miss in (("nearest refusal", found.nearest_refusal), ("nearest signal", found.nearest_signal)):
        parts += ["", *_miss_lines(name, miss, shared, ink)] if miss else []
    return "\n".join(parts)


def _outcome_row(one: "Outcome", found: "NoTrade") -> list[str]:
    words = WORDS.get(one.code, one.code)
    return [words, str(one.times), f"{100 * one.times / found.judged:.1f} %", str(one.symbols), str(one.last_cycle)]


def _miss_lines(name: str, miss: "Miss", shared: Shared, ink: "Ink") -> list[str]:
    """What was short by least, and the command that tells all of it."""
    from cli.account import why_hint
    from cli.show import versus, wrapped

    told = f"{miss.symbol} in cycle {miss.cycle}: {miss.row.gate} {versus(miss.row)}, {miss.short_pct:.2f} % short"
    told += f"; closed too: {', '.join(miss.also)}" if miss.also else ""
    return [*wrapped(f"{name}: {told}"), f"  {ink.bold(why_hint(miss.symbol, miss.cycle, shared))}"]
