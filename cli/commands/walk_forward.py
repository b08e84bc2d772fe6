"""`trader walk-forward`: settings chosen on one part of the past, judged on the part that came after it."""

from typing import TYPE_CHECKING, Annotated, Any

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

    from trader_core.research.walk_forward import Judged, Total, Walked

Train = Annotated[int, typer.Option("--train", min=1, max=36_500, metavar="DAYS", help="Length of a training.")]
Test = Annotated[int, typer.Option("--test", min=1, max=36_500, metavar="DAYS", help="Length of a test.")]
Anchored = Annotated[
    bool, typer.Option("--anchored/--rolling", help="Every training from the first day on, or all of one length.")
]
Purge = Annotated[
    int | None,
    typer.Option(
        "--purge", min=0, max=10_000_000, metavar="BARS",
        help="Not trained on before a test. Default: the longest window or holding time.",
    ),
]  # fmt: skip
Embargo = Annotated[
    int, typer.Option("--embargo", min=0, max=10_000_000, metavar="BARS", help="So many more, for what lingers.")
]


def walk_forward(
    ctx: typer.Context,
    train: Train,
    test: Test,
    grid: Grid = None,
    draws: Draws = None,
    span: Span = None,
    anchored: Anchored = False,
    purge: Purge = None,
    embargo: Embargo = 0,
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
    """Choose the best settings of each training, and tell how they did in the test after it. Touches no order."""
    from trader_core.inquiry import about, noted
    from trader_core.research.sweep import candidates_of, check_objective, worlds_of
    from trader_core.research.walk_forward import Plan, folds_of, purge_of, shared_span, walked

    check_objective(objective)
    check_place(out, "--out")
    options = options_of(shared_of(ctx), since, until, data, seed)
    with studied(options, engine, jobs, resume) as study:
        candidates = candidates_of(study, _combinations(grid, draws, span, seed, study.base))
        policies = [one.policy for one in candidates if one.policy is not None]
        if not policies:
            raise UsageError(f"no sound combination: {'; '.join(candidates[0].problems)}", remedy="other values")
        worlds = list(worlds_of(study, candidates).values())
        start_ms, end_ms, bar_ms = shared_span(worlds)
        plan = Plan(train, test, anchored, purge_of(policies, bar_ms) if purge is None else purge, embargo)
        folds = folds_of(start_ms, end_ms, bar_ms, plan)
        found = walked(study, candidates, folds, objective)
        made = about(study, worlds, options) | {"objective": objective, "plan": plan}
    known, warnings = noted(options, found.trained, "walk-forward")
    made |= {"trials": known.count if known else None}
    folds_told = [_fold(one) for one in found.judged]
    report = report_of(made, folds=folds_told, total=found.total, equity=found.equity)
    if out is not None:
        write(out, report)
    return Result(report, _text(found, plan.purge_bars + plan.embargo_bars), 0, warned((*made["warnings"], *warnings)))


def _combinations(
    grid: list[str] | None, draws: int | None, span: list[str] | None, seed: int, base: Any
) -> "Sequence[Any]":
    from trader_core.research import space

    dimensions = dimensions_of(grid, span, base)
    if draws is not None:
        return space.drawn(dimensions, draws, seed)
    listed = [one for one in dimensions if isinstance(one, space.Choice)]
    if len(listed) < len(dimensions):
        raise UsageError("a --range has no end of values", remedy="add --random N")
    return space.grid(listed)


def _fold(one: "Judged") -> dict[str, Any]:
    from cli.plain import moment

    return {
        "train_from": moment(one.fold.train[0]),
        "train_to": moment(one.fold.train[1]),
        "test_from": moment(one.fold.test[0]),
        "test_to": moment(one.fold.test[1]),
        "parameters": one.parameters,
        "config_digest": one.config_digest,
        "train": one.train,
        "test": one.test,
    }


def _text(found: "Walked", gap_bars: int) -> str:
    from cli.show import count, fitted, pairs

    head = ["test from", "chosen", "trades", "train sharpe", "test sharpe", "pnl %", "drawdown %"]
    rows = [_line(one) for one in found.judged]
    total: Total = found.total
    figures = [
        ("total", f"{total.total_pnl_pct:+.2f} %, drawdown {total.max_drawdown_pct:.2f} % at days' ends"),
        ("trades", f"{total.total_trades} in {total.traded_folds} of {total.folds} folds"),
        ("sharpe", f"{_ratio(total.sharpe)} of all tests as one account"),
        ("degradation", f"{_ratio(total.degradation)} (train {_ratio(total.train_sharpe)}, "
                        f"test {_ratio(total.test_sharpe)}, means of the folds)"),
    ]  # fmt: skip
    title = f"walk-forward, {count(total.folds, 'fold')}, {count(gap_bars, 'bar')} between training and test"
    return f"{title}\n{fitted(head, rows, ('drawdown %', 'trades', 'chosen'), 2)}\n{pairs(figures)}"


def _line(one: "Judged") -> list[str]:
    from trader_core.domain.clocktime import EpochMs, short

    began = short(EpochMs(one.fold.test[0]))[:10]
    if one.parameters is None or one.train is None or one.test is None:
        return [began, "nothing", "-", "-", "-", "-", "-"]
    chosen = " ".join(f"{short_key(key)}={cell(value)}" for key, value in one.parameters.items())
    return [
        began, chosen, str(one.test.total_trades), _ratio(one.train.sharpe), _ratio(one.test.sharpe),
        f"{one.test.total_pnl_pct:.2f}", f"{one.test.max_drawdown_pct:.2f}",
    ]  # fmt: skip


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
