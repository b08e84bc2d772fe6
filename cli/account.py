"""What run, run-cycle and preview all tell: the market they stand in, one cycle, and the account after it."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cli.again import typed
from cli.options import Shared
from cli.plain import moment
from cli.show import CYCLE_HEAD, Ink, change, count, cycle_lines, money, names, pairs, positions_table, shell, wrapped
from trader_core.domain.clocktime import MINUTE_MS, short
from trader_core.domain.halt import HaltState, Trading
from trader_core.domain.instrument import base_of
from trader_core.domain.money import plain
from trader_core.domain.order import OrderStatus, Role

if TYPE_CHECKING:
    from trader_core.domain.book import Ban, Book
    from trader_core.domain.halt import Halt
    from trader_core.engine.cycle import CycleReport
    from trader_core.settings.options import Options
    from trader_core.worlds.system import System


def header(system: "System", options: "Options", ink: Ink) -> str:
    """Where we are and what may be traded."""
    from trader_core.report.run import grouped, offered

    traded, excluded = offered(system.source.instruments(), system.source.exclusions(), system.policy.universe)
    rows = [("period", period(system, options)), ("trades", " ".join(traded) or "nothing")]
    reasons = [f"{names(symbols)}: {reason}" for reason, symbols in grouped(excluded).items()]
    rows += [("" if n else "excluded", reason) for n, reason in enumerate(reasons)]
    equity = system.journal.book.equity or options.equity
    if equity is not None:
        rows.insert(1, ("equity", f"{money(equity)} {system.source.quote}"))
    return f"{ink.bold(title(system))}\n{pairs(rows)}"


def opening_warnings(system: "System", options: "Options") -> tuple[str, ...]:
    """What is odd about the market's candles, the configuration, and what an account of this size may order."""
    from trader_core.settings.coherence import warnings
    from trader_core.settings.feasibility import startup_warning

    opened = system.policy.app.paper.cash_quote if system.ports.trader else None
    equity = system.journal.book.equity or options.equity or opened
    starved = () if equity is None else startup_warning(system.policy, equity, None)
    unread = system.policies.notes(system.journal.book.policy_version)
    return (*system.source.warnings, *unread, *warnings(system.policy), *starved)


def title(system: "System") -> str:
    return f"{system.mode} on {system.market}"


def period(system: "System", options: "Options") -> str:
    """'2024-08-01 00:00 to 2024-08-09 00:00 UTC, every 15 minutes', of what is left to do."""
    from trader_core.worlds.simulated import span_of

    start, until = span_of(system.source, options)
    recorded = system.journal.book.closed_ms
    start = max(start, recorded + system.source.bar_ms) if recorded >= 0 else start
    end_ms = system.source.end_ms
    over = (until is not None and start >= until) or (end_ms is not None and start > end_ms)
    last = f"to {short(until)} UTC" if until is not None else "on" if end_ms is None else f"to {short(end_ms)} UTC"
    step = f"every {system.source.bar_ms // MINUTE_MS} minutes"
    return f"over since {short(start)} UTC" if over else f"{short(start)} {last}, {step}"


def cycle_text(report: "CycleReport", ink: Ink) -> str:
    """One cycle as a table of its own, with what is held after it."""
    from trader_core.report.positions import positions

    lines = cycle_lines(report, ink, quiet_too=True)
    held = positions(report.book, report.prices)
    text = "\n".join([ink.dim(CYCLE_HEAD), *lines])
    return f"{text}\n\n{positions_table(held)}" if held else text


def cycle_data(report: "CycleReport") -> dict[str, Any]:
    """One cycle for --json."""
    worth, decision = report.valuation, report.decision
    return {
        "cycle": report.cycle_id,
        "decision_time": moment(report.decision_ms),
        "problem": report.problem,
        "objections": [one.what for one in report.objections],
        "unprotected": unguarded(report.book),
        "equity": decision.equity if decision else None,
        "cash": report.book.cash,
        "positions": len(report.book.held),
        "orders": [order_data(one) for one in decision.orders] if decision else [],
        "cancels": len(decision.cancels) if decision else 0,
        "placed": report.placed,
        "not_placed": [
            {"symbol": one.order.symbol, "role": one.order.role, "why_not": one.why_not} for one in report.not_placed
        ],
        "fills": [fill_data(one.fill) for one in report.fills],
        "refusals": [{"symbol": one.symbol, "verdict": one.outcome} for one in decision.refusals] if decision else [],
        "realised": worth.realised if worth else None,
        "unrealised": worth.unrealised if worth else None,
        **trouble_data(report.book),
    }


def order_data(order: Any) -> dict[str, Any]:
    return {
        "symbol": order.symbol, "side": order.side, "role": order.role, "kind": order.kind,
        "quantity": order.quantity, "limit": order.limit or None, "trigger": order.trigger or None,
        "reason": order.reason, "strategy": order.strategy,
    }  # fmt: skip


def fill_data(fill: Any) -> dict[str, Any]:
    return {
        "time": moment(fill.at_ms), "symbol": fill.symbol, "side": fill.side, "price": fill.price,
        "quantity": fill.quantity, "value": fill.value, "fee": fill.fee,
    }  # fmt: skip


# --- what needs a person ---------------------------------------------------------------------------------------------


def trouble_data(book: "Book") -> dict[str, Any]:
    return {
        "halted": book.halt.trading is Trading.HALTED,
        "trading": book.halt.trading,
        "halt_state": book.halt.state,
        "halt_reason": book.halt.reason,
        "halt_until": moment(book.halt.until_ms),
        "paused": book.paused,
        "bans": {
            asset: {"reason": ban.reason, "since": moment(ban.since_ms), "until": moment(ban.until_ms)}
            for asset, ban in bans(book).items()
        },
        "delisted": sorted(book.stranded),
        "failed_strategies": dict(book.failures),
        "discrepancies": dict(book.discrepancies),
        "unknown_orders": len(unknown_orders(book)),
    }


def unknown_orders(book: "Book") -> list[str]:
    """Symbols of orders that were written down and whose fate nobody has learnt yet."""
    return [one.approved.symbol for one in book.orders.values() if one.status is OrderStatus.INTENDED]


def bans(book: "Book") -> dict[str, "Ban"]:
    """Those in force at the newest cycle, by asset."""
    return {asset: ban for asset, ban in sorted(book.bans.items()) if ban.until_ms > book.closed_ms}


def trouble_text(book: "Book", ink: Ink, shared: Shared) -> list[str]:
    """Lines that must not be overlooked, below a blank one; none in a healthy account."""
    lines = _halt_text(book.halt, ink, shared)
    if book.paused:
        lines += _alarm(f"PAUSED: {book.paused}; no entries", ink.no)
        lines.append(typed("  to go on: trader resume --reason TEXT", shared))
    for subject, detail in book.discrepancies.items():
        lines += _alarm(f"DISCREPANCY in {subject}: {detail}; no entries until it is gone", ink.bad)
    for symbol in unknown_orders(book):
        lines += _alarm(f"UNKNOWN ORDER in {symbol}: nothing else trades it until the venue has answered", ink.bad)
    for symbol in sorted(book.stranded):
        held = f"{plain(book.holdings[symbol].quantity)} {base_of(symbol)}"
        lines += _alarm(f"DELISTED {symbol}: the venue does not list it any more; sell {held} by hand", ink.bad)
    for strategy, detail in sorted(book.failures.items()):
        lines += _alarm(f"STRATEGY FAILED {strategy}: {detail}; it proposes nothing until it works again", ink.bad)
    for asset, ban in bans(book).items():
        lines += _alarm(f"BANNED {asset} until {short(ban.until_ms)} UTC: {ban.reason}", ink.no)
    return ["", *lines] if lines else []


_MEANS = {
    Trading.REDUCING: "no entries, resting ones are canceled; exits and stops until all is flat",
    Trading.HALTED: "no entries and no exits; resting entries are canceled, stops stay in place",
}
_WAY_OUT = {
    HaltState.TRIPPED: "to go on: trader halt ack, then a cooldown; or trader halt reset --user NAME --reason TEXT",
    HaltState.COOLING_DOWN: "to go on at once: trader halt reset --user NAME --reason TEXT --force",
    HaltState.KILLED: "deleting the kill file is not enough: trader halt reset --user NAME --reason TEXT",
}


def _halt_text(halt: "Halt", ink: Ink, shared: Shared) -> list[str]:
    """What is halted, what that means, and the way out of it."""
    if halt.state is HaltState.DISABLED:
        return _alarm(f"HALT DISABLED: {halt.reason}; nothing trips by itself", ink.no)
    if halt.trading is Trading.ACTIVE:
        return []
    lines = _alarm(f"{halt.trading} since {short(halt.since_ms)} UTC: {halt.reason}", ink.bad)
    lines.append(f"  {_MEANS[halt.trading]}")
    if halt.until_ms is not None:
        lines.append(f"  cooling down until {short(halt.until_ms)} UTC, longer if something still differs")
    return [*lines, way_out(halt.state, shared)]


def way_out(state: HaltState, shared: Shared) -> str:
    """One line, however long: what is copied over a line's end is typed in halves."""
    return typed(f"  {_WAY_OUT[state]}", shared)


def _alarm(text: str, style: Callable[[str], str]) -> list[str]:
    return [style(line) for line in wrapped(text)]


def cycle_exit(report: "CycleReport") -> int:
    """The code of one cycle: healthy is 0, with or without a trade."""
    from cli.exits import worst

    book = report.book
    codes = [
        41 if unknown_orders(book) else 0,
        40 if book.discrepancies else 0,
        reading_exit(report),
        21 if book.halt.trading is not Trading.ACTIVE else 0,
        42 if unguarded(book) else 0,
        *(one.exit_code for one in report.objections),
        *(one.exit_code for one in report.not_placed),
    ]
    return worst(codes)


def reading_exit(report: "CycleReport") -> int:
    """0 where everything could be looked at that a decision is taken on."""
    return (report.problem_code or 30) if report.problem else 0


def unguarded(book: "Book") -> list[str]:
    """Symbols held for which neither a stop nor an exit is on its way."""
    leaving = [one.approved for one in book.orders.values() if one.is_open and one.approved.role is not Role.ENTRY]
    covered = {one.symbol for one in leaving}
    return sorted(book.held - covered - book.dust)


def why_hint(symbol: str, cycle_id: int, shared: Shared) -> str:
    return f"trader why {symbol} --cycle {cycle_id}{shell({'mode': shared.mode, 'state': shared.state})}"


def gain(before: Decimal | None, now: Decimal | None, flows: Decimal) -> str:
    """'10,000.00 -> 9,974.70   -25.30 (-0.25 %)'. What came and went is no gain; where something did, there is no one
    amount to take a share of."""
    if before is None or now is None:
        return money(now)
    earned = now - before - flows
    share = f" ({100 * earned / before:+.2f} %)" if before and not flows else ""
    return f"{money(before)} -> {money(now)}   {change(earned)}{share}"


def externals_text(report: "CycleReport") -> str:
    """'0.5 BTC (21,000.00)'; coins in the account that the bot did not buy."""
    parts = [
        f"{plain(one.quantity)} {one.asset}" + ("" if one.value is None else f" ({money(one.value)})")
        for one in report.externals
    ]
    return ", ".join(parts)


def counts(orders: int, fills: int, refusals: dict[str, int]) -> str:
    """'25 orders, 15 fills, 8 refusals (MAX_POSITIONS 8)'."""
    total = sum(refusals.values())
    which = ", ".join(f"{name} {number}" for name, number in sorted(refusals.items(), key=lambda one: (-one[1], one)))
    told = f"{count(orders, 'order')}, {count(fills, 'fill')}, {count(total, 'refusal')}"
    return f"{told} ({which})" if which else told
