"""What run, run-cycle and preview all tell: the market they stand in, one cycle, and the account after it."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cli.options import Shared
from cli.plain import moment
from cli.show import CYCLE_HEAD, Ink, change, count, cycle_lines, money, pairs, positions_table, shell
from trader_core.domain.clocktime import MINUTE_MS, short
from trader_core.domain.halt import Trading
from trader_core.domain.money import plain
from trader_core.domain.order import OrderStatus

if TYPE_CHECKING:
    from trader_core.bootstrap import System
    from trader_core.domain.book import Book
    from trader_core.engine.cycle import CycleReport
    from trader_core.settings.options import Options


def header(system: "System", options: "Options", ink: Ink) -> str:
    """Where we are and what may be traded."""
    from trader_core.report.run import grouped, offered

    traded, excluded = offered(system.source.instruments(), system.source.exclusions(), system.policy.universe)
    rows = [("period", period(system, options)), ("trades", " ".join(traded) or "nothing")]
    reasons = [f"{' '.join(symbols)}: {reason}" for reason, symbols in grouped(excluded).items()]
    rows += [("" if n else "excluded", reason) for n, reason in enumerate(reasons)]
    equity = system.journal.book.equity or options.equity
    if equity is not None:
        rows.insert(1, ("equity", f"{money(equity)} {system.source.quote}"))
    return f"{ink.bold(title(system, options))}\n{pairs(rows)}"


def title(system: "System", options: "Options") -> str:
    market = f"candles of {options.data}" if options.data else f"sample market, seed {options.seed}"
    venue = options.venue or system.policy.app.exchange.venue
    return f"{system.mode} on the {venue} venue, {market}"


def period(system: "System", options: "Options") -> str:
    """'2024-08-01 00:00 to 2024-08-09 00:00 UTC, every 15 minutes', of what is left to do."""
    from trader_core.bootstrap import span_of

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
        "equity": decision.equity if decision else None,
        "cash": report.book.cash,
        "positions": len(report.book.held),
        "orders": [order_data(one) for one in decision.orders] if decision else [],
        "cancels": len(decision.cancels) if decision else 0,
        "placed": report.placed,
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
        "halt_reason": book.halt.reason,
        "discrepancies": dict(book.discrepancies),
        "unknown_orders": len(unknown_orders(book)),
    }


def unknown_orders(book: "Book") -> list[str]:
    """Symbols of orders that were written down and whose fate nobody has learnt yet."""
    return [one.approved.symbol for one in book.orders.values() if one.status is OrderStatus.INTENDED]


def trouble_text(book: "Book", ink: Ink) -> list[str]:
    """Lines that must not be overlooked, below a blank one; none in a healthy account."""
    lines: list[str] = []
    if book.halt.trading is Trading.HALTED:
        lines.append(ink.bad(f"HALTED since {short(book.halt.since_ms)}: {book.halt.reason}"))
        lines.append("  no entries and no exits; resting entries are canceled, protective stops stay at the venue")
        lines.append("  deleting the file gives nothing back; to go on, start a new account with --state DIR")
    for subject, detail in book.discrepancies.items():
        lines.append(ink.bad(f"DISCREPANCY in {subject}: {detail}; no entries until it is gone"))
    for symbol in unknown_orders(book):
        lines.append(ink.bad(f"UNKNOWN ORDER in {symbol}: nothing else trades it until the venue has answered"))
    return ["", *lines] if lines else []


def cycle_exit(report: "CycleReport") -> int:
    """The code of one cycle: healthy is 0, with or without a trade."""
    from cli.exits import worst

    book = report.book
    codes = [
        41 if unknown_orders(book) else 0,
        40 if book.discrepancies else 0,
        30 if report.problem else 0,
        21 if book.halt.trading is Trading.HALTED else 0,
    ]
    return worst(codes)


def why_hint(symbol: str, cycle_id: int, shared: Shared) -> str:
    return f"trader why {symbol} --cycle {cycle_id}{shell({'state': shared.state})}"


def gain(before: Decimal | None, now: Decimal | None) -> str:
    """'10,000.00 -> 9,974.70   -25.30 (-0.25 %)'."""
    if before is None or now is None:
        return money(now)
    share = f" ({100 * (now - before) / before:+.2f} %)" if before else ""
    return f"{money(before)} -> {money(now)}   {change(now - before)}{share}"


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
