"""Finished values as text for a person: quiet, 80 columns, colour only where it is seen and wanted."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING

import typer

from trader_core.domain.clocktime import DAY_MS, HOUR_MS, MINUTE_MS, short
from trader_core.domain.decision import GateRow, Judgement
from trader_core.domain.fill import Side
from trader_core.domain.halt import Trading
from trader_core.domain.money import cents, plain
from trader_core.domain.order import ApprovedOrder, OrderKind, Role
from trader_core.domain.words import count as count

if TYPE_CHECKING:
    from trader_core.domain.book import Book
    from trader_core.domain.facts import Filled
    from trader_core.engine.cycle import CycleReport
    from trader_core.report.positions import Position

_Style = Callable[[str], str]

WIDTH = 80
NAMED_MAX = 12  # of many names that one line tells
DIGITS = 6  # of a price that is not on a grid
UNKNOWN = "unknown"
CYCLE_HEAD = f"{'time, UTC':<11} {'equity':>11} {'cash':>11} {'pos':>3}  what happened"
_LEFT = 41  # columns before "what happened"
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_DONE = {Side.BUY: "bought", Side.SELL: "sold"}


def colours() -> bool:
    """Whether stdout is a terminal of a person who has not asked for plain text."""
    from trader_core.settings.environment import read_environment

    return sys.stdout.isatty() and not read_environment().no_color


@dataclass(frozen=True)
class Ink:
    """Styles, or nothing at all."""

    on: bool

    def bold(self, text: str) -> str:
        return typer.style(text, bold=True) if self.on else text

    def dim(self, text: str) -> str:
        return typer.style(text, dim=True) if self.on else text

    def good(self, text: str) -> str:
        return typer.style(text, fg="green") if self.on else text

    def bad(self, text: str) -> str:
        return typer.style(text, fg="red", bold=True) if self.on else text

    def no(self, text: str) -> str:
        return typer.style(text, fg="yellow") if self.on else text


# --- figures ---------------------------------------------------------------------------------------------------------


def money(amount: Decimal | None) -> str:
    """'10,000.00'; amounts are exact elsewhere."""
    return UNKNOWN if amount is None else f"{cents(amount):,}"


def change(amount: Decimal | None) -> str:
    """'+12.30'."""
    return UNKNOWN if amount is None else f"{cents(amount):+,}"


def price(amount: Decimal | None) -> str:
    """A price as it is; one that was computed, to a sensible digit."""
    if amount is None:
        return "-"
    text = plain(amount)
    if len(text.partition(".")[2]) <= 2:
        return f"{amount:.2f}"
    places = max(2, DIGITS - 1 - amount.adjusted()) if amount else 2
    rounded = plain(amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN))
    return min(text, rounded, key=len)


def figure(value: float | None) -> str:
    """A gate's number: six significant digits, without exponent."""
    if value is None:
        return UNKNOWN
    value += 0.0  # there is one zero
    text = f"{value:,.6f}" if abs(value) < 1 else f"{value:,.4f}" if abs(value) < 1000 else f"{value:,.2f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def names(every: Sequence[str]) -> str:
    """'BTC-USD ETH-USD', and of many how many there are besides the first."""
    rest = len(every) - NAMED_MAX
    return " ".join(every[:NAMED_MAX]) + (f" and {rest:,} more" if rest > 0 else "")


def length(duration_ms: int) -> str:
    """'2d 3h', '19h 30m', '15m'; what is over is '0m'."""
    left = max(duration_ms, 0)
    days, hours, minutes = left // DAY_MS, left % DAY_MS // HOUR_MS, left % HOUR_MS // MINUTE_MS
    if days:
        return f"{days}d {hours}h" if hours else f"{days}d"
    return f"{hours}h {minutes}m" if hours and minutes else f"{hours}h" if hours else f"{minutes}m"


# --- tables ----------------------------------------------------------------------------------------------------------


def width() -> int:
    """Columns of the terminal, 80 at least; 80 where there is none."""
    return max(WIDTH, get_terminal_size().columns) if sys.stdout.isatty() else WIDTH


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, words: int = 0) -> str:
    """Columns under a rule; all but the first `left` to the right, and the last ones if so many are words. A last one
    without a name is there where it says something."""
    from tabulate import tabulate

    if not head[-1] and not any(row[-1] for row in rows):
        head, rows, words = head[:-1], [row[:-1] for row in rows], max(words - 1, 0)
    align = ["left"] * left + ["right"] * (len(head) - left - words) + ["left"] * words
    text = tabulate(
        rows, headers=head, tablefmt="simple", disable_numparse=True, colalign=align, preserve_whitespace=True
    )
    return "\n".join(line.rstrip() for line in text.splitlines())


def fitted(
    head: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str], left: int = 1, words: int = 0
) -> str:
    """The table without as many of the `spare` columns, the first of them first, as it takes to fit. What had to go
    is named below it."""
    gone: list[str] = []
    for more in ("", *spare):
        gone += [more] if more else []
        keep = [n for n, name in enumerate(head) if name not in gone]
        kept = [[row[n] for n in keep] for row in rows]
        ends = [sum(n < left for n in keep), sum(n >= len(head) - words for n in keep)]
        text = table([head[n] for n in keep], kept, *ends)
        if max(map(visible, text.splitlines())) <= width():
            break
    return text if not gone else f"{text}\n{left_out(gone)}"


def left_out(gone: Sequence[str]) -> str:
    names = ", ".join(one.partition(",")[0] for one in gone)
    return "\n".join(wrapped(f"not shown at {width()} columns: {names}; --json tells all"))


def visible(text: str) -> int:
    """Columns that a line takes, without the codes of its colours."""
    return len(_STYLE.sub("", text))


def pairs(rows: Sequence[tuple[str, str]], indent: str = "  ") -> str:
    """Names and values, one a line; a long value goes on under itself."""
    width = max(len(name) for name, _ in rows) + 2
    lines: list[str] = []
    for name, value in rows:
        parts = wrap(value, WIDTH - width - len(indent), break_long_words=False, break_on_hyphens=False) or [""]
        lines += [f"{indent}{name:<{width}}{parts[0]}", *(f"{indent}{'':<{width}}{part}" for part in parts[1:])]
    return "\n".join(line.rstrip() for line in lines)


def positions_table(held: Sequence["Position"]) -> str:
    """With what each is worth, where there are prices; else with what its stop follows."""
    if all(one.price is None for one in held):
        head = ["position", "quantity", "cost", "entry", "stop", "target", "peak"]
        rows = [[*_held(one), price(one.entry_price), _stop(one), price(one.target), price(one.peak)] for one in held]
        return fitted(head, rows, ("peak", "entry"))
    head = ["position", "quantity", "cost", "value", "unrealised", "stop", "target"]
    rows = [
        [
            *_held(one), money(one.value) if one.value is not None else "-",
            change(one.unrealised) if one.unrealised is not None else "-", _stop(one), price(one.target),
        ]
        for one in held
    ]  # fmt: skip
    return fitted(head, rows, ("target", "cost"))


def _held(one: "Position") -> list[str]:
    return [one.symbol, plain(one.quantity), money(one.cost)]


def _stop(one: "Position") -> str:
    return "delisted" if one.delisted else "dust" if one.dust and one.stop is None else price(one.stop)


# --- one cycle -------------------------------------------------------------------------------------------------------


def cycle_lines(report: "CycleReport", ink: Ink, quiet_too: bool = False) -> list[str]:
    """The cycle's line, and one more for each further thing that happened; a quiet one has none, or a dash."""
    events = _events(report, ink)
    if not events and quiet_too:
        events = [("-", ink.dim)]
    if not events:
        return []
    worth = report.valuation
    equity = worth.equity if worth else None
    left = (
        f"{short(report.decision_ms)[5:]:<11} {money(equity):>11} {money(report.book.cash):>11}"
        f" {len(report.book.held):>3}  "
    )
    lines: list[str] = []
    for text, style in events:
        for n, part in enumerate(wrap(text, WIDTH - _LEFT, subsequent_indent="  ", break_on_hyphens=False)):
            lines.append((" " * _LEFT if lines or n else left) + style(part))
    return lines


def quiet_line(cycles: int, ink: Ink) -> str:
    return ink.dim(f"{'':>{_LEFT}}{count(cycles, 'quiet cycle')}")


def _events(report: "CycleReport", ink: Ink) -> list[tuple[str, _Style]]:
    book = report.book
    out: list[tuple[str, _Style]] = []
    if report.problem:
        out.append((f"not read: {report.problem}", ink.bad))
    out += [(f"no entries: {one.what}", ink.bad) for one in report.objections]
    ordered = {one.client_order_id: one.approved for one in book.orders.values() if one.placed_ms == report.decision_ms}
    out += [(_done(one, book), ink.good) for one in report.fills if one.fill.client_order_id not in ordered]
    if book.halt.trading is not Trading.ACTIVE and book.halt.since_ms == report.decision_ms:
        out.append((f"{book.halt.trading}: {book.halt.reason}", ink.bad))
    if report.decision is None:
        return out
    not_placed = {(one.order.symbol, one.order.role) for one in report.not_placed}
    first = [one for one in report.decision.orders if (one.symbol, one.role) not in not_placed]
    out += [(("" if ordered else "would ") + order_words(one), _style_of(one, ink)) for one in first]
    out += [(_done(one, book), ink.good) for one in report.fills if one.fill.client_order_id in ordered]
    later = [one for one in ordered.values() if one not in report.decision.orders and one.role is Role.STOP]
    out += [(order_words(one), _style_of(one, ink)) for one in later]  # where it went round once more
    out += [(f"{order_words(one.order)}: {one.why_not}", ink.bad) for one in report.not_placed]
    out += [(refusal_words(one), ink.no) for one in report.decision.refusals]
    return out


def _done(filled: "Filled", book: "Book") -> str:
    order = book.orders.get(filled.fill.client_order_id)
    reason = f" ({order.approved.reason})" if order and filled.fill.side is Side.SELL else ""
    return f"{_DONE[filled.fill.side]} {filled.fill.symbol} {price(filled.fill.price)}{reason}"


def _style_of(order: ApprovedOrder, ink: Ink) -> _Style:
    return ink.dim if order.role is Role.STOP else str


def order_words(order: ApprovedOrder) -> str:
    """'enter BTC-USD maker 42000.00', 'exit ... (stop)', 'stop ... at 39900.00'."""
    if order.kind is OrderKind.STOP:
        return f"stop {order.symbol} at {price(order.trigger)}"
    verb = "enter" if order.role is Role.ENTRY else "exit"
    why = "" if order.role is Role.ENTRY and order.reason in ("signal", order.strategy) else f" ({order.reason})"
    return f"{verb} {order.symbol} {order.kind.value.lower()} {price(order.limit)}{why}"


def refusal_words(judgement: Judgement) -> str:
    """'no BTC-USD: MAX_POSITIONS, 6 vs 5'."""
    row = deciding(judgement)
    numbers = f", {versus(row)}" if row and row.unit != "state" and row.value != row.limit else ""
    return f"no {judgement.symbol}: {judgement.outcome}{numbers}"


def deciding(judgement: Judgement) -> GateRow | None:
    """The row that said no, where one did."""
    return next((row for row in judgement.rows if row.verdict == judgement.outcome), None)


def versus(row: GateRow) -> str:
    unit = "" if row.unit in ("count", "state") else f" {row.unit}"
    return f"{figure(row.value)} vs {figure(row.limit)}{unit}"


def shell(words: Mapping[str, str | None]) -> str:
    """Options that were said, as they have to be said again."""
    from shlex import quote

    return "".join(f" --{name} {quote(value)}" for name, value in words.items() if value)


def wrapped(text: str, indent: str = "") -> list[str]:
    return wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
