"""Each chart as data: what is drawn, in which unit, and the sentence that says the same to who cannot see it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from trader_core.domain.words import count
from trader_core.report.html.charts import Charts, Closure, Dot, SymbolChart
from trader_core.report.html.reading import Document, number, numbers, rows, text

Spec = dict[str, Any]  # as the plotting library takes it

COLOURS = ("blue", "orange", "green", "purple", "sky", "vermillion", "yellow")  # and grey for the rest
MARKS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")
TRADES_MAX = 4_000
FLOWS_MAX = 300
WIDE_RANGE = 100  # from this ratio of the largest to the smallest on, an axis is logarithmic
LOG_COUNTS: Spec = {"type": "log", "dtick": 1, "tickformat": "~s", "autorangeoptions": {"include": 0.5}}
ROW_PX = 26  # of a bar chart's height
SHADES = {  # a closure's word and colour
    "DAY_LOSS": ("day's loss", "orange"),
    "WEEK_LOSS": ("week's loss", "purple"),
    "DRAWDOWN": ("drawdown", "vermillion"),
    "DAY_STOP": ("day's stop", "yellow"),
    "HALTED": ("halt", "grey"),
}


class Figure(Struct, frozen=True):
    """`name` is the chart's id on the page; `label` says in words what is seen."""

    name: str
    label: str
    caption: str
    data: list[Spec]
    layout: Spec

    @property
    def height_px(self) -> int:
        height: int = self.layout["height"]
        return height


class Points(Struct, frozen=True):
    """A report's series, cut to what has a time; `about` says what a point is."""

    at_ms: list[int]
    rows: list[Document]
    about: str = ""

    def column(self, name: str) -> list[float | None]:
        return numbers(row.get(name) for row in self.rows)


def _axis(title: str, **more: Any) -> Spec:
    written = {"text": title, "standoff": 8, "font": {"size": 13, "color": "var(--muted)"}}
    return {
        "title": written, "gridcolor": "var(--grid)", "linecolor": "var(--rule)", "zerolinecolor": "var(--rule)",
        "automargin": True, "exponentformat": "none", "separatethousands": True, **more,
    }  # fmt: skip


def _time_axis(**more: Any) -> Spec:
    return _axis("time, UTC", type="date", hoverformat="%Y-%m-%d %H:%M", **more)


def _layout(height: int, **more: Any) -> Spec:
    return {
        "height": height,
        "font": {"family": "var(--sans)", "size": 13, "color": "var(--ink)"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 56, "r": 16, "t": 16, "b": 48},
        "hoverlabel": {"bgcolor": "var(--panel)", "bordercolor": "var(--rule)", "font": {"color": "var(--ink)"}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "showlegend": True,
        **more,
    }


# --- equity ----------------------------------------------------------------------------------------------------------


def equity(points: Points, initial: Decimal | None, quote: str, charts: Charts, flows_ms: Sequence[int] = ()) -> Figure:
    worth, fallen = points.column("equity"), [None if one is None else -one for one in points.column("drawdown_pct")]
    known, deepest = (
        [one for one in worth if one is not None],
        min((one for one in fallen if one is not None), default=0),
    )
    span = f"from {known[0]:,.2f} to {known[-1]:,.2f} {text(quote)}" if known else "unknown"
    about = f" A point is {text(points.about)}." if points.about else ""
    return Figure(
        "equity",
        f"Equity over time, {span}; below it the drawdown, {-deepest:.2f} % at its deepest. "
        f"Entries were closed by losses {count(charts.closure_count, 'time')}.",
        f"Equity in {text(quote)}, and below it how far it stands under its highest so far, in %. "
        f"{_closed(charts)}{about}",
        [
            {
                "type": "scatter", "mode": "lines", "name": "equity", "x": points.at_ms, "y": worth,
                "line": {"color": "var(--main)", "width": 1.75},
                "hovertemplate": "%{y:,.2f}<extra>equity</extra>",
            },
            {
                "type": "scatter", "mode": "lines", "name": "drawdown", "x": points.at_ms, "y": fallen, "yaxis": "y2",
                "fill": "tozeroy", "line": {"color": "var(--fall)", "width": 1.25}, "opacity": 0.9,
                "hovertemplate": "%{y:.2f} %<extra>drawdown</extra>",
            },
        ],
        _layout(
            520,
            hovermode="x unified",
            xaxis=_time_axis(anchor="y2"),
            yaxis=_axis(f"equity, {text(quote)}", domain=[0.34, 1], tickformat=",~r"),
            yaxis2=_axis("drawdown, %", domain=[0, 0.27], rangemode="tozero"),
            shapes=[*_begun_with(initial), *_shades(charts.closures), *_moved(flows_ms)],
        ),
    )  # fmt: skip


def _closed(charts: Charts) -> str:
    """What is shaded, and how much of it."""
    if not charts.closure_count:
        return "No entry was refused for a loss."
    shown = f", {len(charts.closures)} of them drawn" if len(charts.closures) < charts.closure_count else ""
    times = "once" if charts.closure_count == 1 else count(charts.closure_count, "time")
    return f"Shaded: entries closed by a loss, from the first that was refused for it ({times}{shown})."


def _begun_with(initial: Decimal | None) -> list[Spec]:
    """A line at the equity of the beginning."""
    if initial is None:
        return []
    line = {"color": "var(--grey)", "width": 1, "dash": "dot"}
    return [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": float(initial), "y1": float(initial), "line": line}
    ]


def _moved(flows_ms: Sequence[int]) -> list[Spec]:
    """A line at each deposit or withdrawal."""
    line = {"color": "var(--green)", "width": 1, "dash": "dash"}
    return [
        {
            "type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": at_ms, "x1": at_ms, "line": line,
            "name": "deposit or withdrawal", "showlegend": n == 0,
        }
        for n, at_ms in enumerate(flows_ms[:FLOWS_MAX])
    ]  # fmt: skip


def _shades(closures: Sequence[Closure]) -> list[Spec]:
    """One band for each, one word in the legend for each kind. The border keeps a short one visible in a long span."""
    told: set[str] = set()
    bands = list[Spec]()
    for one in closures:
        word, colour = SHADES[one.verdict]
        bands.append(
            {
                "type": "rect", "layer": "below", "yref": "paper", "y0": 0, "y1": 1, "x0": one.from_ms, "x1": one.to_ms,
                "fillcolor": f"var(--{colour})", "opacity": 0.3, "line": {"width": 1, "color": f"var(--{colour})"},
                "name": f"closed: {word}", "legendgroup": one.verdict,
                "showlegend": one.verdict not in told,
            }
        )  # fmt: skip
        told.add(one.verdict)
    return bands


# --- exposure --------------------------------------------------------------------------------------------------------


def exposure(name: str, what: str, at_ms: list[int], parts: Mapping[str, Sequence[Any]]) -> Figure:
    """The largest by name, by their mean; the others together."""
    known = {part: numbers(values) for part, values in parts.items()}
    by_mean = sorted(known, key=lambda part: (-sum(one or 0 for one in known[part]), part))
    held = [part for part in by_mean if any(known[part])]
    first, rest = held[: len(COLOURS)], held[len(COLOURS) :]
    areas = [_area(text(part), colour, at_ms, known[part]) for part, colour in zip(first, COLOURS, strict=False)]
    if rest:
        others = numbers(_total(column) for column in zip(*(known[part] for part in rest), strict=True))
        areas.append(_area(count(len(rest), "other"), "grey", at_ms, others))
    sums = [_total(column) for column in zip(*(known[part] for part in held), strict=True)]
    most = max((one for one in sums if one is not None), default=0)
    largest = f"; the largest on average is {text(first[0])}" if first else ""
    return Figure(
        name,
        f"Exposure by {what} over time, stacked; at most {most:.1f} % of equity{largest}.",
        f"What was held, by {what}, in % of equity; at most {most:.1f} % together.",
        areas,
        _layout(
            340, hovermode="x unified", xaxis=_time_axis(),
            yaxis=_axis("exposure, % of equity", rangemode="tozero"),
        ),
    )  # fmt: skip


def _total(column: Sequence[float | None]) -> float | None:
    """Unknown where all are."""
    known = [one for one in column if one is not None]
    return sum(known) if known else None


def _area(name: str, colour: str, at_ms: list[int], values: list[float | None]) -> Spec:
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": at_ms, "y": values, "stackgroup": "held",
        "line": {"width": 0.75, "color": f"var(--{colour})"},
        "hovertemplate": f"%{{y:.2f}} %<extra>{_literal(name)}</extra>",
    }  # fmt: skip


def _literal(name: str) -> str:
    """A name inside a template, where '%{' would begin a field."""
    return name.replace("%", "&#37;")


# --- trades ----------------------------------------------------------------------------------------------------------


def trades(document: Document) -> Figure:
    closed = [one for one in rows(document, "trades") if number(one.get("pnl_pct")) is not None]
    shown = closed if len(closed) <= TRADES_MAX else [closed[n * len(closed) // TRADES_MAX] for n in range(TRADES_MAX)]
    held = [number(one.get("hold_hours")) or Decimal(0) for one in shown]
    far = bool(held) and min(held) > 0 and max(held) >= WIDE_RANGE * min(held)
    reasons = sorted({str(one.get("exit_reason", "")) for one in shown})
    drawn = "" if shown is closed else f" {len(shown):,} of {len(closed):,} trades are drawn."
    return Figure(
        "trades",
        f"{count(len(shown), 'closed trade')} by holding time and return, grouped by exit reason.",
        f"Each dot is a closed trade: how long it was held, in hours, and what it returned, in % of its cost with "
        f"all fees.{drawn}",
        [_dots(reason, n, [one for one in shown if str(one.get("exit_reason", "")) == reason])
         for n, reason in enumerate(reasons)],
        _layout(
            420,
            hovermode="closest",
            xaxis=_axis("held, hours", **({"type": "log", "dtick": 1} if far else {"rangemode": "tozero"})),
            yaxis=_axis("return, %", zeroline=True, zerolinewidth=1.5, zerolinecolor="var(--muted)"),
        ),
    )  # fmt: skip


def _dots(reason: str, n: int, chosen: Sequence[Document]) -> Spec:
    name = text(reason) or "no reason"
    return {
        "type": "scatter", "mode": "markers", "name": f"{name} ({len(chosen):,})",
        "x": numbers(one.get("hold_hours") for one in chosen), "y": numbers(one.get("pnl_pct") for one in chosen),
        "text": [f"{text(one.get('symbol', ''))}, in {text(one.get('entry_time', 'unknown'))}" for one in chosen],
        "marker": {
            "color": f"var(--{COLOURS[n % len(COLOURS)]})", "symbol": MARKS[n % len(MARKS)], "size": 8, "opacity": 0.75,
            "line": {"width": 0.5, "color": "var(--panel)"},
        },
        "hovertemplate": f"%{{text}}<br>%{{x:.2f}} h, %{{y:.2f}} %<extra>{_literal(name)}</extra>",
    }  # fmt: skip


# --- what stopped it -------------------------------------------------------------------------------------------------


def gates(counts: Mapping[str, Any]) -> Figure:
    """Refusals only: what passed is no gate's work."""
    told = [(name, int(said)) for name, value in counts.items() if name != "OK" and (said := number(value))]
    told = sorted(told, key=lambda one: (one[1], one[0]))
    far = bool(told) and told[-1][1] >= WIDE_RANGE * told[0][1]
    most = f"; most often {text(told[-1][0])}, {count(told[-1][1], 'time')}" if told else ""
    return Figure(
        "gates",
        f"How often each gate refused an entry{most}.",
        f"How often each gate was the first to refuse a proposal{', on a logarithmic scale' if far else ''}.",
        [
            {
                "type": "bar", "orientation": "h", "name": "refusals",
                "x": [count for _, count in told], "y": [text(name) for name, _ in told],
                "text": [f"{count:,}" for _, count in told], "textposition": "outside", "cliponaxis": False,
                "marker": {"color": "var(--main)"},
                "hovertemplate": "%{y}: %{x:,}<extra></extra>",
            }
        ],
        _layout(
            100 + ROW_PX * len(told),
            showlegend=False,
            margin={"l": 56, "r": 56, "t": 8, "b": 48},
            xaxis=_axis("refusals", **(LOG_COUNTS if far else {"rangemode": "tozero"})),
            yaxis=_axis("", type="category", ticksuffix=" "),
        ),
    )  # fmt: skip


# --- one symbol ------------------------------------------------------------------------------------------------------


def symbol(n: int, chart: SymbolChart, quote: str) -> Figure:
    won = [one for one in chart.exits if one.pnl is not None and one.pnl > 0]
    lost = [one for one in chart.exits if one.pnl is not None and one.pnl <= 0]
    part = [one for one in chart.exits if one.pnl is None]
    name, unit = text(chart.symbol), text(quote)
    marks = [
        ("refused", chart.refusals, "x-thin", "grey", 6),
        ("entry", chart.entries, "triangle-up", "blue", 11),
        ("exit, gain", won, "triangle-down", "green", 11),
        ("exit, loss", lost, "triangle-down", "vermillion", 11),
        ("exit of a part", part, "triangle-down-open", "grey", 10),
    ]
    span = {"range": [chart.prices[0].at_ms, chart.prices[-1].at_ms]} if len(chart.prices) > 1 else {}
    line: Spec = {
        "type": "scatter", "mode": "lines", "name": "close", "x": [one.at_ms for one in chart.prices],
        "y": [float(one.price) for one in chart.prices], "line": {"color": "var(--muted)", "width": 1.25},
        "hovertemplate": "%{y}<extra>close</extra>",
    }  # fmt: skip
    return Figure(
        f"symbol-{n}",
        f"Price of {name} over time with {count(chart.entry_count, 'entry', 'entries')}, "
        f"{count(chart.exit_count, 'exit')} and {count(chart.refusal_count, 'refusal')}.",
        f"Closes of {name} in {unit}, with what was bought, sold and refused. {_drawn(chart)}".rstrip(),
        [line, *(_marks(word, dots, mark, colour, size, unit) for word, dots, mark, colour, size in marks if dots)],
        _layout(400, hovermode="closest", xaxis=_time_axis(**span), yaxis=_axis(f"price, {unit}")),
    )


def _drawn(chart: SymbolChart) -> str:
    """What the thinning left out."""
    told = [
        f"{len(dots):,} of {count:,} {what}"
        for what, dots, count in (
            ("entries", chart.entries, chart.entry_count),
            ("exits", chart.exits, chart.exit_count),
            ("refusals", chart.refusals, chart.refusal_count),
        )
        if len(dots) < count
    ]
    return f"Drawn: {', '.join(told)}, from every kind and spread over time." if told else ""


def _marks(name: str, dots: Sequence[Dot], mark: str, colour: str, size: int, unit: str) -> Spec:
    border = {"width": 1.25, "color": f"var(--{colour})"} if mark == "x-thin" else {"width": 1, "color": "var(--panel)"}
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": [one.at_ms for one in dots],
        "y": [float(one.price) for one in dots],
        "text": [one.word if one.pnl is None else f"{one.word}, {one.pnl:+,.2f} {unit}" for one in dots],
        "marker": {"symbol": mark, "size": size, "color": f"var(--{colour})", "line": border, "opacity": 0.9},
        "hovertemplate": f"%{{text}}<br>%{{y}}<br>%{{x|%Y-%m-%d %H:%M}}<extra>{name}</extra>",
    }  # fmt: skip
