"""`backtest --html`: a report as one page that needs nothing but itself. Same report and charts, same bytes."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from trader_core.domain.errors import UsageError
from trader_core.report.html.charts import Charts, SymbolChart, charts_of
from trader_core.report.html.figures import Figure, Points, equity, exposure, gates, symbol, trades
from trader_core.report.html.look import SCRIPT, STYLE
from trader_core.report.html.reading import Document, is_list, moment_ms, number, rows, section, text, words
from trader_core.report.html.sections import (
    best_and_worst,
    by_strategy,
    cell,
    change,
    drawn,
    folded,
    headed,
    listed,
    missing,
    months,
    note,
    table_of,
    tiles,
    told_of,
    warnings,
)

__all__ = ["Charts", "charts_of", "page"]

# By the browser's own law nothing is fetched and nothing is sent; what draws the charts is inline.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "form-action 'none'; base-uri 'none'"
)
APART = ("warnings", "exclusions", "candles")  # of the metadata, shown in their own way


def page(document: Document, charts: Charts) -> str:
    """The whole page. `document` is the report as JSON holds it; a part it lacks is named as missing. Raises UsageError
    where the extra `html` is not installed."""
    library, figures = _library(), list[Figure]()
    title = _title(document)
    parts = [
        _head(document, title),
        "<main>",
        _equity(document, charts, figures),
        _months(document),
        _exposure(document, figures),
        _trades(document, figures),
        _gates(document, figures),
        _symbols(document, charts, figures),
        _figures(document),
        "</main>",
        _foot(document),
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{title}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            *parts,
            f'<script type="application/json" id="figures">{_packed(figures)}</script>',
            f"<script>{library}</script>",
            f"<script>{SCRIPT}</script>",
            "</body>",
            "</html>\n",
        ]
    )


def _library() -> str:
    """What draws the charts, as a script."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as absent:
        raise UsageError("--html needs the extra 'html'", remedy="pip install 'trader[html]'") from absent
    return str(get_plotlyjs())


def _packed(figures: Sequence[Figure]) -> str:
    """JSON that cannot end the script it stands in."""
    told = {one.name: {"data": one.data, "layout": one.layout} for one in figures}
    return json.dumps(told, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c").replace(">", "\\u003e")


# --- the parts -------------------------------------------------------------------------------------------------------


def _title(document: Document) -> str:
    seed = section(document, "metadata").get("seed")
    return "Backtest, candles of a folder" if seed is None else f"Backtest, sample market, seed {text(seed)}"


def _head(document: Document, title: str) -> str:
    about = section(document, "metadata")
    traded, told = about.get("instruments"), about.get("warnings")
    count = f", {len(traded)} instruments" if is_list(traded) else ""
    bars = f", bars of {text(about['base_bar_min'])} min" if "base_bar_min" in about else ""
    lede = f"{cell(about.get('from_time'))} to {cell(about.get('to_time'))} UTC{count}{bars}"
    return "\n".join(
        [
            "<header>",
            f"<h1>{title}</h1>",
            f'<p class="lede">{lede}</p>',
            warnings(told if is_list(told) else ()),
            tiles(document) if section(document, "summary") else missing("summary"),
            "<noscript><p>The charts need JavaScript; the tables do not.</p></noscript>",
            "</header>",
        ]
    )


def _placed(figure: Figure, figures: list[Figure]) -> str:
    figures.append(figure)
    return drawn(figure)


def _points(document: Document) -> Points:
    series = document.get("series")
    found = rows(series, "points") if isinstance(series, Mapping) else rows(document, "series")
    timed = [(at_ms, one) for one in found if (at_ms := moment_ms(one.get("time"))) is not None]
    about = str(section(document, "series").get("about", ""))
    return Points([at_ms for at_ms, _ in timed], [one for _, one in timed], about)


def _equity(document: Document, charts: Charts, figures: list[Figure]) -> str:
    points, quote = _points(document), str(section(document, "metadata").get("quote", ""))
    if not points.at_ms:
        return headed("Equity and drawdown", missing("series of its equity"))
    initial = number(section(document, "summary").get("initial_equity"))
    moved = rows(document, "flows")
    flows_ms = [at_ms for one in moved if (at_ms := moment_ms(one.get("time"))) is not None]
    told = note("Drag over a chart to look closer and double-click to go back; click a name to hide it.")
    return headed(
        "Equity and drawdown",
        told,
        _placed(equity(points, initial, quote, charts, flows_ms), figures),
        table_of("Deposits, and withdrawals below zero", moved) if moved else "",
    )


def _months(document: Document) -> str:
    told: dict[tuple[int, int], Decimal | None] = {}
    for one in rows(document, "monthly"):
        year, _, month = str(one.get("month", "")).partition("-")
        if year.isdecimal() and month.isdecimal():
            told[int(year), int(month)] = number(one.get("return_pct"))
    return headed("Months", months(told) if told else missing("monthly returns"))


def _exposure(document: Document, figures: list[Figure]) -> str:
    points = _points(document)
    held, drawn_parts = section(document, "exposure"), list[str]()
    for name, what in (("by_asset", "asset"), ("by_theme", "theme")):
        parts = {part: column for part, column in section(held, name).items() if is_list(column)}
        fits = all(len(column) == len(points.at_ms) for column in parts.values())
        if parts and fits and points.at_ms:
            drawn_parts.append(_placed(exposure(f"exposure-{what}", what, points.at_ms, parts), figures))
        elif name in held and not parts:
            drawn_parts.append(note(f"By {what}: nothing was held."))
        else:
            drawn_parts.append(missing(f"exposure by {what}"))
    return headed("Exposure", *drawn_parts)


def _trades(document: Document, figures: list[Figure]) -> str:
    if "trades" not in document:
        return headed("Trades", missing("list of its trades"))
    if not rows(document, "trades"):
        return headed("Trades", note("No trade was closed."))
    return headed("Trades", _placed(trades(document), figures), best_and_worst(document))


def _gates(document: Document, figures: list[Figure]) -> str:
    counts = section(document, "verdict_counts")
    if not counts:
        what = note("Nothing was proposed.") if "verdict_counts" in document else missing("count of verdicts")
        return headed("What stopped it", what)
    if set(counts) <= {"OK"}:
        return headed("What stopped it", note("Nothing was refused."))
    told = section(document, "verdicts_by_strategy")
    return headed("What stopped it", _placed(gates(counts), figures), by_strategy(told))


def _symbols(document: Document, charts: Charts, figures: list[Figure]) -> str:
    """The most traded first, and open."""
    quote = str(section(document, "metadata").get("quote", ""))
    ranked = sorted(charts.symbols, key=lambda one: (-one.entry_count - one.exit_count, one.symbol))
    folds = []
    for n, one in enumerate(ranked):
        body = _placed(symbol(n, one, quote), figures) if one.prices else missing(f"price of {text(one.symbol)}")
        folds.append(folded(text(one.symbol), _aside(one, quote), body, opened=n == 0))
    told = note('One chart a symbol, the most traded first. <a href="#all">Open all of them</a>.')
    return headed("Prices, entries, exits and refusals", told if folds else missing("instrument"), *folds)


def _aside(one: SymbolChart, quote: str) -> str:
    """Of all positions that were drawn to their end, what they came to."""
    pnl = sum((dot.pnl for dot in one.exits if dot.pnl is not None), Decimal(0))
    came = f", {change(pnl)} {text(quote)}" if one.exits and len(one.exits) == one.exit_count else ""
    told = ((one.entry_count, "entry", "entries"), (one.exit_count, "exit", "exits"))
    traded = ", ".join(f"{count:,} {single if count == 1 else several}" for count, single, several in told)
    return f"{traded}{came}; {one.refusal_count:,} refused"


def _figures(document: Document) -> str:
    """The figures behind the charts, as far as the report has them."""
    lists = [
        listed(title, section(document, name))
        for name, title in (
            ("performance", "Performance"),
            ("costs", "Costs"),
            ("turnover", "Turnover"),
            ("holding_times", "Holding times, in hours"),
            ("trials", "Trials on this data"),
            ("summary", "Summary"),
        )
    ]
    return "\n".join(
        [
            headed("Figures", f'<div class="pairs">{"".join(lists)}</div>'),
            headed("By part", *(_breakdown(name, part) for name, part in section(document, "breakdown").items()))
            if section(document, "breakdown")
            else headed("By part", missing("breakdown")),
        ]
    )


def _breakdown(name: str, part: Any) -> str:
    """By strategy, symbol, regime or exit reason: records, or records by name."""
    if isinstance(part, Mapping):
        part = [{name: key, **one} for key, one in part.items() if isinstance(one, Mapping)]
    found = rows({name: part}, name)
    return table_of(f"By {words(name.removeprefix('by_'))}", found) if found else ""


def _foot(document: Document) -> str:
    """What the figures were made from."""
    about = section(document, "metadata")
    inputs = told_of("Inputs", {name: value for name, value in about.items() if name not in APART})
    excluded, candles = rows(about, "exclusions"), told_of("Digests of the closes", section(about, "candles"))
    apart = [
        folded("Not traded", f"{len(excluded)} and why", table_of("Not traded", excluded)) if excluded else "",
        folded("Candles", "a digest for each symbol", candles) if candles else "",
    ]
    return f"<footer>\n{headed('What this was made from', inputs or missing('metadata'), *apart)}\n</footer>"
