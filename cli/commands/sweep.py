"""`trader sweep`: the same period under many settings. The seed alone decides the table, not who computed it."""

from typing import TYPE_CHECKING, Any

import typer

from cli.exits import Result, warned
from cli.files import check_place
from cli.options import SAMPLE_SEED, Data, From, To, options_of, shared_of
from cli.research import (
    Chance,
    Draws,
    Engine,
    Grid,
    Jobs,
    Objective,
    Out,
    Resume,
    Search,
    Span,
    cell,
    dimensions_of,
    report_of,
    short_key,
    studied,
    write,
)
from trader_core.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from trader_core.inquiry import Noted
    from trader_core.research.space import Dimension
    from trader_core.research.sweep import Row, Study, Tried

SHOWN_ROWS = 10


def sweep(
    ctx: typer.Context,
    grid: Grid = None,
    draws: Draws = None,
    span: Span = None,
    search: Search = None,
    objective: Objective = "sharpe",
    engine: Engine = "local",
    jobs: Jobs = None,
    resume: Resume = None,
    seed: Chance = SAMPLE_SEED,
    since: From = None,
    until: To = None,
    data: Data = None,
    out: Out = None,
) -> Result:
    """Replay a period under many settings and rank them. Touches no order; notes what was tried."""
    from trader_core.inquiry import about, noted
    from trader_core.research.sweep import check_objective, table

    check_objective(objective)
    check_place(out, "--out")
    options = options_of(shared_of(ctx), since, until, data, seed)
    with studied(options, engine, jobs, resume) as study:
        dimensions = dimensions_of(grid, span, study.base)
        found = _tried(study, dimensions, draws, search, objective, seed)
        worlds = [one.world for one in found if one.world is not None]
        if not worlds:
            problems = "; ".join(found[0].candidate.problems)
            raise UsageError(f"not one combination is a sound configuration: {problems}", remedy="other values")
        made = about(study, worlds, options)
    known, warnings = noted(options, _distinct(found), "sweep")
    rows = table(found, objective, known)
    tried = {"method": _method(draws, search), "objective": objective, "trials": known.count if known else None}
    report = report_of(made | tried, rows=[_row(one) for one in rows])
    if out is not None:
        write(out, report)
    return Result(report, _text(rows, objective), 0, warned((*made["warnings"], *warnings)))


def _tried(
    study: "Study",
    dimensions: "Sequence[Dimension]",
    draws: int | None,
    search: int | None,
    objective: str,
    seed: int,
) -> "tuple[Tried, ...]":
    from trader_core.research.search import searched
    from trader_core.research.space import Choice, drawn, grid
    from trader_core.research.sweep import candidates_of, tried

    if draws is not None and search is not None:
        raise UsageError("--random and --optuna are two ways to choose", remedy="one of them")
    if search is not None:
        return searched(study, dimensions, search, objective, seed)
    if draws is not None:
        return tried(study, candidates_of(study, drawn(dimensions, draws, seed)))
    listed = [one for one in dimensions if isinstance(one, Choice)]
    if len(listed) < len(dimensions):
        raise UsageError("a --range has no end of values", remedy="add --random N or --optuna N")
    return tried(study, candidates_of(study, grid(listed)))


def _method(draws: int | None, search: int | None) -> str:
    return "optuna" if search is not None else "random" if draws is not None else "grid"


def _distinct(found: "Sequence[Tried]") -> "list[Noted]":
    """Each configuration once, whatever combinations led to it."""
    sound = {
        one.candidate.digest: (one.candidate, one.world, (one.world.start_ms, one.world.end_ms), one.figures)
        for one in found
        if one.world is not None and one.figures is not None
    }
    return list(sound.values())


def _row(row: "Row") -> dict[str, Any]:
    """One line of the file: parameters, the five keys, the ratios, and what was wrong."""
    of = row.figures
    figures = {} if of is None else {
        "total_trades": of.total_trades, "win_rate": of.win_rate, "total_pnl_pct": of.total_pnl_pct,
        "max_drawdown_pct": of.max_drawdown_pct, "profit_factor": of.profit_factor, "sharpe": of.sharpe,
        "deflated_sharpe": row.deflated_sharpe,
    }  # fmt: skip
    return {
        "parameters": dict(row.parameters),
        "config_digest": row.config_digest,
        "figures": figures or None,
        "problems": list(row.problems),
    }


def _text(rows: "Sequence[Row]", objective: str) -> str:
    """The best of them; a key that is the same everywhere has no column."""
    from cli.show import count, fitted, wrapped

    sound = [one for one in rows if one.figures is not None]
    keys = [key for key in rows[0].parameters if len({str(one.parameters[key]) for one in rows}) > 1]
    head = [*map(short_key, keys), "trades", "won %", "pnl %", "drawdown %", "profit f.", "sharpe", "deflated"]
    lines = [
        [
            *(cell(one.parameters[key]) for key in keys), str(of.total_trades), f"{of.win_rate:.1f}",
            f"{of.total_pnl_pct:.2f}", f"{of.max_drawdown_pct:.2f}", _ratio(of.profit_factor), _ratio(of.sharpe),
            _ratio(one.deflated_sharpe),
        ]
        for one in sound[:SHOWN_ROWS] if (of := one.figures) is not None
    ]  # fmt: skip
    spare = ("profit f.", "won %", "drawdown %", "trades", *map(short_key, keys))
    told = [f"{count(len(sound), 'combination')}, best {objective} first", fitted(head, lines, spare)]
    if len(sound) > SHOWN_ROWS:
        told.append(f"and {len(sound) - SHOWN_ROWS} more; --out FILE or --json tells all")
    unsound = [one for one in rows if one.figures is None]
    if unsound:
        words = ", ".join(f"{short_key(key)} {cell(value)}" for key, value in unsound[0].parameters.items())
        told += wrapped(f"{count(len(unsound), 'combination')} not sound: {words}: {'; '.join(unsound[0].problems)}")
    return "\n".join(told)


def _ratio(value: "Decimal | float | None") -> str:
    return "-" if value is None else f"{value:.2f}"
