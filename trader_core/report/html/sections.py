"""The page's words and tables. Everything that comes from the data goes through `text`."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from trader_core.report.html.figures import Figure
from trader_core.report.html.reading import (
    Document,
    is_list,
    is_measured,
    measure,
    moment_ms,
    number,
    rows,
    section,
    text,
    words,
)

SHOWN_TRADES = 10  # best, and as many worst
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FULL_HEAT_PCT = Decimal(10)  # a month's return from which on its colour grows no more
DEEPEST = Decimal("0.55")  # opacity of that colour; text stays readable on it
UNKNOWN, UNDEFINED, NO_LOSS = "unknown", "not defined", "nothing lost"
TRADE_FIELDS = (
    "symbol", "strategy", "entry_time", "exit_time", "hold_hours", "entry_price", "exit_price", "pnl", "pnl_pct",
    "exit_reason",
)  # fmt: skip
HUNDREDTHS = (  # fields that begin so have two decimals, whatever they are
    "pnl", "fees", "return", "cost", "slippage", "spread", "funding", "equity", "cash", "realised", "unrealised",
    "win_rate", "profit_factor", "average_r", "amount",
)  # fmt: skip
TONED = ("pnl", "return")  # a sign matters there
LEFT = ' class="words"'
LONGEST = 40  # characters in a cell that may break


def headed(title: str, *parts: str) -> str:
    body = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{title}</h2>\n{body}\n</section>"


def missing(what: str) -> str:
    return f'<p class="note missing">This report has no {what}.</p>'


def note(words_of_it: str) -> str:
    return f'<p class="note">{words_of_it}</p>'


def drawn(figure: Figure) -> str:
    """The place where a chart is drawn, with what it shows in words."""
    return (
        f'<figure><figcaption>{figure.caption}</figcaption>\n<div class="chart" id="{figure.name}" '
        f'data-figure="{figure.name}" role="img" aria-label="{figure.label}" style="min-height:{figure.height_px}px">'
        f"</div></figure>"
    )


def folded(summary: str, aside: str, body: str, opened: bool = False) -> str:
    mark = " open" if opened else ""
    return f'<details{mark}><summary>{summary} <span class="aside">{aside}</span></summary>\n{body}\n</details>'


# --- numbers as a person reads them ----------------------------------------------------------------------------------


def amount(value: Any, digits: int = 2) -> str:
    found = number(value)
    return UNKNOWN if found is None else _signed(f"{found:,.{digits}f}")


def change(value: Any) -> str:
    """With its sign, unless nothing is left of it at two decimals."""
    found = number(value)
    if found is None:
        return UNKNOWN
    return _signed(f"{found:+,.2f}") if round(found, 2) else "0.00"


def _signed(shown: str) -> str:
    return shown.replace("-", "\N{MINUS SIGN}")


def tone(value: Any) -> str:
    """The class that colours a gain or a loss; the sign says it too."""
    found = number(value)
    return "gain" if found and found > 0 else "loss" if found and found < 0 else ""


def cell(value: Any, field: str = "") -> str:
    """A price in all its digits, other numbers to two decimals, below one to four digits; a list by its parts; text."""
    if value is None:
        return NO_LOSS if field == "profit_factor" else UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ranged(value)
    if is_list(value):
        return ", ".join(cell(one) for one in value) or "none"
    if isinstance(value, str) and moment_ms(value) is not None:
        return text(value.replace("T", " ").removesuffix("Z").removesuffix(":00"))
    found = number(value)
    if found is None:
        return text(value)
    if field.endswith("price"):
        return _signed(f"{found:,f}")
    return amount(found) if field.startswith(HUNDREDTHS) or field.endswith("_pct") else short(found)


def short(found: Decimal) -> str:
    if found == found.to_integral_value():
        return _signed(f"{found:,.0f}")
    return _signed(f"{found:.4g}") if abs(found) < 1 else amount(found)


def ranged(value: Document) -> str:
    """A figure with its interval: '1.2 (0.3 to 2.1)'; what is no figure, part by part."""
    if not is_measured(value):
        return ", ".join(f"{words(name)} {cell(part)}" for name, part in value.items())
    point, low, high = measure(value)
    shown = UNDEFINED if point is None else amount(point)
    if low is None:
        return shown
    return f"{shown} ({amount(low)} to {amount(high)})" if high is not None else f"{shown} ({amount(low)} or more)"


# --- tables ----------------------------------------------------------------------------------------------------------


def table(caption: str, head: Sequence[str], body: Iterable[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Cells are finished HTML. The first of each row names it; heads with a number in `left` stand over words."""
    heads = "".join(f'<th scope="col"{LEFT if n in left else ""}>{one}</th>' for n, one in enumerate(head))
    lines = "\n".join(f'<tr><th scope="row"{LEFT}>{first}</th>{"".join(rest)}</tr>' for first, *rest in body)
    return (
        f'<div class="wide" role="region" aria-label="{caption}" tabindex="0"><table><caption>{caption}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody></table></div>"
    )


def _td(value: Any, field: str = "") -> str:
    shown = cell(value, field)
    if is_word(value):
        return f'<td class="words{" long" if len(shown) > LONGEST else ""}">{shown}</td>'
    kind = tone(value) if field.startswith(TONED) else ""
    return f'<td class="{kind}">{shown}</td>' if kind else f"<td>{shown}</td>"


def is_word(value: Any) -> bool:
    return is_list(value) or (isinstance(value, str) and number(value) is None and moment_ms(value) is None)


def table_of(caption: str, records: Sequence[Document], fields: Sequence[str] = ()) -> str:
    """Records under the fields of the first, or under these."""
    named = [one for one in fields if any(one in record for record in records)] or list(records[0])
    body = [[cell(record.get(named[0])), *(_td(record.get(one), one) for one in named[1:])] for record in records]
    left = [n for n, one in enumerate(named) if n == 0 or is_word(records[0].get(one))]
    return table(caption, [words(one) for one in named], body, left)


def listed(caption: str, figures: Mapping[str, Any]) -> str:
    """Named figures, one a row; what is inside a part goes after its name."""
    body = [[words(name), _td(value, name)] for name, value in _flat(figures)]
    return table(caption, ["figure", "value"], body) if body else ""


def told_of(caption: str, inputs: Mapping[str, Any]) -> str:
    """Named words, one a row, as they are."""
    shown = {name: ", ".join(map(str, value)) if is_list(value) else value for name, value in inputs.items()}
    body = [
        [words(name), f'<td class="long">{"none" if value is None else text(value)}</td>']
        for name, value in shown.items()
    ]
    return table(caption, ["input", "value"], body, (0, 1)) if body else ""


def _flat(figures: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found = list[tuple[str, Any]]()
    for name, value in figures.items():
        if isinstance(value, Mapping) and not is_measured(value):
            found += _flat(value, f"{before}{name}, ")
        else:
            found.append((f"{before}{name}", value))
    return found


# --- the head --------------------------------------------------------------------------------------------------------


def tiles(document: Document) -> str:
    of, measured = section(document, "summary"), section(document, "performance")
    quote = text(section(document, "metadata").get("quote", ""))
    fall, trades = number(of.get("max_drawdown_pct")), number(of.get("total_trades"))
    worth = f"{amount(of.get('initial_equity'))} to {amount(of.get('final_equity'))} {quote}"
    flows = f"of it {change(of['flows'])} {quote} paid in or out" if number(of.get("flows")) else ""
    lost_nothing = NO_LOSS if trades else "none"
    told = [
        ("Return", _percent(of.get("total_pnl_pct"), signed=True), tone(of.get("total_pnl_pct")),
         [worth, flows, _interval(measured, "return_pct", " %")]),
        ("Deepest drawdown", _percent(fall), tone(-fall if fall else fall),
         ["below the highest equity", _interval(measured, "daily_drawdown_pct", " %")]),
        *_sharpes(document, measured),
        ("Trades", cell(of.get("total_trades")), "",
         [f"{cell(of.get('winning_trades'))} won, {cell(of.get('losing_trades'))} lost" if trades else "none closed"]),
        ("Win rate", _percent(of.get("win_rate")) if trades else "none", "", [_interval(measured, "win_rate", " %")]),
        ("Profit factor", lost_nothing if of.get("profit_factor") is None else amount(of.get("profit_factor")), "",
         [_interval(measured, "profit_factor")]),
        ("Fees", f"{amount(of.get('fees'))} {quote}", "", _other_costs(section(document, "costs"), quote)),
    ]  # fmt: skip
    return f'<dl class="tiles">\n{"".join(_tile(*one) for one in told)}</dl>'


def _sharpes(document: Document, measured: Document) -> list[tuple[str, str, str, list[str]]]:
    """The ratio, and how likely it is more than the luck of so many trials."""
    if "sharpe" not in measured:
        return []
    point, chance = measure(measured["sharpe"])[0], number(measured.get("deflated_sharpe"))
    count = section(document, "trials").get("tried")
    return [
        ("Sharpe ratio", UNDEFINED if point is None else amount(point), "", [_interval(measured, "sharpe")]),
        ("Deflated Sharpe", UNKNOWN if chance is None else f"{100 * chance:.0f} %", "",
         ["chance to be more than luck", f"trials on this data: {cell(count)}"]),
    ]  # fmt: skip


def _other_costs(costs: Document, quote: str) -> list[str]:
    spread, slippage = number(costs.get("spread")), number(costs.get("slippage"))
    return [] if spread is None or slippage is None else [f"and {amount(spread + slippage)} {quote} to the market"]


def _tile(title: str, value: str, kind: str, asides: Sequence[str]) -> str:
    told = "".join(f'<dd class="aside">{one}</dd>' for one in asides if one)
    return f'<div><dt>{title}</dt><dd class="{f"value {kind}".strip()}">{value}</dd>{told}</div>\n'


def _percent(value: Any, *, signed: bool = False) -> str:
    shown = change(value) if signed else amount(value)
    return shown if shown == UNKNOWN else f"{shown} %"


def _interval(measured: Document, name: str, unit: str = "") -> str:
    """Where 95 of 100 draws lie; an end that is infinite is left open."""
    _, low, high = measure(measured.get(name))
    if low is None:
        return ""
    return f"95 %: {amount(low)} to {amount(high)}{unit}" if high is not None else f"95 %: {amount(low)}{unit} or more"


def warnings(told: Sequence[Any]) -> str:
    if not told:
        return ""
    lines = "".join(f"<li>{text(one)}</li>" for one in told)
    return f'<div class="warnings" role="note"><strong>Before you trust this</strong><ul>{lines}</ul></div>'


# --- months ----------------------------------------------------------------------------------------------------------


def months(returns: Mapping[tuple[int, int], Decimal | None]) -> str:
    """A year a row; blue for gains and orange for losses, the deeper the larger. The year is its months compounded."""
    years = sorted({year for year, _ in returns})
    body = [
        [str(year), *(_heat(returns.get((year, month)), (year, month) in returns) for month in range(1, 13)),
         _heat(_compounded(returns, year), True)]
        for year in years
    ]  # fmt: skip
    return table("Return of each month, in %", ["year", *MONTHS, "year"], body).replace(
        'class="wide"', 'class="wide heat"'
    )


def _compounded(returns: Mapping[tuple[int, int], Decimal | None], year: int) -> Decimal | None:
    grown = Decimal(1)
    for (of, _), value in returns.items():
        if of == year:
            if value is None:
                return None
            grown *= 1 + value / 100
    return 100 * (grown - 1)


def _heat(value: Decimal | None, there: bool) -> str:
    if value is None:
        return f"<td>{UNKNOWN if there else ''}</td>"
    depth = min(abs(value) / FULL_HEAT_PCT, Decimal(1)) * DEEPEST
    return f'<td class="{"more" if value >= 0 else "less"}" style="--heat:{depth:.3f}">{change(value)}</td>'


# --- trades ----------------------------------------------------------------------------------------------------------


def best_and_worst(document: Document) -> str:
    ranked = sorted(
        (one for one in rows(document, "trades") if number(one.get("pnl")) is not None),
        key=lambda one: (number(one.get("pnl")) or 0, str(one.get("exit_time")), str(one.get("symbol"))),
    )
    best = [one for one in reversed(ranked) if (number(one["pnl"]) or 0) > 0][:SHOWN_TRADES]
    worst = [one for one in ranked if (number(one["pnl"]) or 0) <= 0][:SHOWN_TRADES]
    return "\n".join(
        table_of(f"{title} {len(chosen)} trades", chosen, TRADE_FIELDS)
        for title, chosen in (("Best", best), ("Worst", worst))
        if chosen
    )


# --- verdicts --------------------------------------------------------------------------------------------------------


def by_strategy(told: Mapping[str, Any]) -> str:
    """How often each strategy's proposals got each verdict."""
    counts = {strategy: counted for strategy, counted in told.items() if isinstance(counted, Mapping)}
    verdicts = sorted({verdict for counted in counts.values() for verdict in counted})
    body = [[text(one), *(f"<td>{cell(counted.get(one, 0))}</td>" for counted in counts.values())] for one in verdicts]
    return table("Verdicts by strategy", ["verdict", *map(text, counts)], body) if verdicts else ""
