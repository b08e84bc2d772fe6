"""`trader backtest`: the law over a whole period at once. No wall clock is in the report: same inputs, same bytes."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import Result, warned
from cli.files import check_apart, check_place, save
from cli.options import SAMPLE_SEED, Data, From, Seed, To, amount_of, options_of, shared_of
from trader_core.domain.errors import UsageError
from trader_core.domain.words import count

if TYPE_CHECKING:
    from cli.chart import Pen
    from cli.show import Ink
    from trader_core.engine.lookahead import Finding
    from trader_core.engine.replay import Replayed
    from trader_core.report.baseline import Gate
    from trader_core.study import Study

FAILED, PEEKED = 1, 60
FAILED_NAME = "REGRESSION"
STOPS_SHOWN, FINDINGS_SHOWN, HALTS_SHOWN, REASONS_SHOWN = 6, 5, 6, 4
CHART_LINES = 8
FIGURES = (
    ("sharpe", "Sharpe"), ("sortino", "Sortino"), ("calmar", "Calmar"), ("win_rate", "win rate, %"),
    ("profit_factor", "profit factor"), ("expectancy", "expectancy"), ("average_r", "average R"), ("sqn", "SQN"),
)  # fmt: skip
COSTS = ("fees", "spread", "slippage", "funding")


def backtest(
    ctx: typer.Context,
    since: From = None,
    until: To = None,
    data: Data = None,
    seed: Seed = SAMPLE_SEED,
    deposit: Annotated[
        list[str] | None,
        typer.Option("--deposit", metavar="WHEN=AMOUNT", help="Cash that comes, or below zero goes. Repeatable."),
    ] = None,
    slow: Annotated[bool, typer.Option("--slow", help="Interpret the law as live does. The same result.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the report there, as JSON.")] = None,
    full: Annotated[bool, typer.Option("--full", help="With every fill, order, verdict and equity in it.")] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page with charts.")] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", metavar="FILE", help="Compare with it: 0 passes, 1 fails, 2 cannot.")
    ] = None,
    tolerance: Annotated[
        str, typer.Option("--tolerance", metavar="PCT", help="How far a figure may be off the baseline's.")
    ] = "2",
    min_trades: Annotated[
        int, typer.Option("--min-trades", min=1, metavar="N", help="A baseline with fewer trades says nothing.")
    ] = 10,
    write_baseline: Annotated[
        Path | None, typer.Option("--write-baseline", metavar="FILE", help="Accept this result from now on.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why a new baseline is right.")] = "",
    check_lookahead: Annotated[
        bool, typer.Option("--check-lookahead", help="Look for anything that knows its future; 60 if there is.")
    ] = False,
) -> Result:
    """Replay a period by the same law and report on it. Touches no account; the trial is noted in the state."""
    from cli.chart import Pen, dotted
    from cli.commands.version import version_text
    from cli.progress import Progress, compiling
    from cli.show import Ink, colours
    from trader_core.engine.replay import prepare
    from trader_core.study import check_solvent, flows_of, report_on, study_of

    shared = shared_of(ctx)
    files = [("report", "--out", out), ("page", "--html", html), ("baseline", "--write-baseline", write_baseline)]
    for _, option, file in files:
        check_place(file, option)
    check_apart([("--baseline", baseline), *((option, file) for _, option, file in files)])
    kept = out is not None or shared.json
    _check_used(ctx, kept, baseline is not None, write_baseline is not None)
    accepted = _accepted(baseline, write_baseline, reason)
    percent = amount_of("--tolerance", tolerance, "2") or Decimal(0)
    study = study_of(options_of(shared, since, until, data, seed))
    flows = flows_of(study, [_flow(one) for one in deposit or ()])
    if not slow:
        with compiling() as told:
            prepare(study.policy, told)
    with Progress("replaying", "rows") as walked:
        replayed = study.replayed(interpreted=slow, flows=flows, progress=walked)
    check_solvent(study, replayed)
    listed = shared.json or full or out is not None or html is not None
    report, more = report_on(study, replayed, version_text(), trades=listed, full=full)
    warnings = warned((*report["metadata"]["warnings"], *more))
    gate = _compared(accepted, report, percent, min_trades, baseline) if accepted is not None else None
    findings = _peeks(study) if check_lookahead else None
    _save_all(report, replayed, out, html)
    if write_baseline is not None:
        _write_baseline(write_baseline, report, reason, min_trades)
    made = [(name, file) for name, _, file in files if file is not None]
    text = summary_page(report, made, Ink(colours()), Pen(dotted()))
    text += _gate_text(gate, Ink(colours())) + _findings_text(findings, Ink(colours()))
    answer = {**report, **_gate_data(gate), **_findings_data(findings)}
    code = PEEKED if findings else FAILED if gate and not gate.passed else 0
    return Result(answer, text, code, warnings, FAILED_NAME if code == FAILED else "")


def _check_used(ctx: typer.Context, kept: bool, compared: bool, accepted: bool) -> None:
    """An option that would change nothing was meant to. Raises UsageError."""
    for option, used, beside in (
        ("--tolerance", compared, "--baseline FILE"),
        ("--min-trades", compared or accepted, "--baseline FILE"),
        ("--reason", accepted, "--write-baseline FILE"),
        ("--full", kept, "--out FILE or --json"),
    ):
        source = ctx.get_parameter_source(option.removeprefix("--").replace("-", "_"))
        if not used and source and source.name == "COMMANDLINE":
            raise UsageError(f"{option} changes nothing without {beside}", remedy=f"add {beside}, or leave it out")


def _flow(text: str) -> tuple[int, Decimal]:
    from trader_core.domain.clocktime import parse_utc

    when, equals, amount = text.rpartition("=")
    if not equals:
        raise UsageError(f"--deposit {text}: no =", remedy="--deposit 2024-08-01=500")
    try:
        at_ms = parse_utc(when)
    except ValueError as wrong:
        raise UsageError(f"--deposit {text}: {wrong}", remedy="--deposit 2024-08-01=500") from wrong
    sign = -1 if amount.startswith("-") else 1
    return at_ms, sign * (amount_of("--deposit", amount.removeprefix("-"), "2024-08-01=500") or Decimal(0))


# --- files -----------------------------------------------------------------------------------------------------------


def write(path: Path, report: dict[str, Any], option: str = "--out") -> None:
    from cli.plain import document

    save(path, option, document(report))


def _save_all(report: dict[str, Any], replayed: "Replayed", out: Path | None, html: Path | None) -> None:
    if out is not None:
        save(out, "--out", _text(report))
    if html is not None:
        from trader_core.report.html import charts_of, page

        save(html, "--html", page(report, charts_of(replayed)))


def _text(report: dict[str, Any]) -> str:
    from trader_core.report.written import text_of

    return text_of(report)


# --- the regression gate ---------------------------------------------------------------------------------------------


def _accepted(baseline: Path | None, write_baseline: Path | None, reason: str) -> dict[str, Any] | None:
    """The baseline to compare with, if any. What is wrong with these options is told before anything is replayed."""
    from trader_core.report.baseline import check_reason, read

    if baseline is not None and write_baseline is not None:
        raise UsageError("--baseline compares and --write-baseline accepts", remedy="one of the two")
    if write_baseline is not None:
        check_reason(reason)
    if baseline is None:
        return None
    try:
        text = baseline.read_text(encoding="utf-8")
    except OSError as failed:
        raise UsageError(f"--baseline {baseline} cannot be read: {failed.strerror}", remedy="name a file") from failed
    except UnicodeDecodeError as wrong:
        raise UsageError(f"--baseline {baseline} is not JSON: {wrong}", remedy="name a baseline") from wrong
    return read(text, str(baseline))


def _compared(
    accepted: dict[str, Any], report: dict[str, Any], percent: Decimal, min_trades: int, baseline: Path | None
) -> "Gate":
    from trader_core.report.baseline import compared

    return compared(accepted, report, percent, min_trades, str(baseline))


def _write_baseline(path: Path, report: dict[str, Any], reason: str, min_trades: int) -> None:
    from trader_core.report.baseline import baseline_of

    save(path, "--write-baseline", _text(baseline_of(report, reason, min_trades)))


def _gate_data(gate: "Gate | None") -> dict[str, Any]:
    if gate is None:
        return {}
    return {"gate": {"passed": gate.passed, "tolerance_pct": gate.tolerance_pct, "rows": gate.rows}}


def _gate_text(gate: "Gate | None", ink: "Ink") -> str:
    from cli.show import table
    from trader_core.report.baseline import figure_text

    if gate is None:
        return ""
    rows = [
        [
            row.key, figure_text(row.baseline), figure_text(row.current),
            "differs" if row.deviation_pct is None else f"{row.deviation_pct:+.2f} %",
            ink.good("pass") if row.passed else ink.bad("FAIL"),
        ]
        for row in gate.rows
    ]  # fmt: skip
    verdict = ink.good("the baseline holds") if gate.passed else ink.bad("the baseline does not hold")
    head = ["figure", "baseline", "now", "deviation", ""]
    return f"\n\n{table(head, rows)}\n{verdict}, within {figure_text(gate.tolerance_pct)} %"


# --- looking ahead ---------------------------------------------------------------------------------------------------


def _peeks(study: "Study") -> "tuple[Finding, ...]":
    from cli.progress import Progress
    from trader_core.engine.lookahead import check

    with Progress("checking for lookahead", "cuts") as progress:
        return check(study.world, study.policy, progress=progress)


def _findings_data(findings: "tuple[Finding, ...] | None") -> dict[str, Any]:
    return {} if findings is None else {"lookahead": findings}


def _findings_text(findings: "tuple[Finding, ...] | None", ink: "Ink") -> str:
    from trader_core.domain.clocktime import short

    if findings is None:
        return ""
    if not findings:
        return "\n\n" + ink.good("nothing knows its future")
    lines = [ink.bad(f"{count(len(findings), 'figure changes', 'figures change')} with what comes after:")]
    lines += [
        f"  {one.name} {one.symbol} at {short(one.at_ms)} in {one.market} ({one.kind}): {one.blind}, then {one.seeing}"
        for one in findings[:FINDINGS_SHOWN]
    ]
    return "\n\n" + "\n".join(lines)


# --- the page --------------------------------------------------------------------------------------------------------


def summary_page(report: dict[str, Any], files: Sequence[tuple[str, Path]], ink: "Ink", pen: "Pen") -> str:
    parts = [
        _head(report, files, ink), _equity(report, ink, pen), _halts(report, ink), _stopped(report, ink, pen),
        _costs(report, ink, pen), _sure(report, ink),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def _head(report: dict[str, Any], files: Sequence[tuple[str, Path]], ink: "Ink") -> str:
    from cli.show import change, money, pairs

    about, of = report["metadata"], report["summary"]
    won, lost, factor = of["winning_trades"], of["losing_trades"], _amount(of["profit_factor"])
    trades = f"{of['total_trades']:,} closed, {won:,} won, {lost:,} lost ({Decimal(of['win_rate']):.1f} % won)"
    rows = [
        ("period", f"{_moment(about['from_time'])} to {_moment(about['to_time'])} UTC, {count(of['cycles'], 'cycle')}"),
        *_pairs(about),
        ("trades", trades if of["total_trades"] else "none closed"),
        ("orders", ", ".join(count(of[f"{name}s"], name) for name in ("order", "fill", "refusal"))),
        ("equity", _gain(of)),
        ("realised", change(Decimal(of["realised"]))),
        ("unrealised", change(_amount(of["unrealised"]))),
        ("fees", money(Decimal(of["fees"]))),
        ("drawdown", f"{Decimal(of['max_drawdown_pct']):.2f} % at most"),
        ("profit factor", f"{factor:.2f}" if factor is not None else "nothing was lost"),
        ("losing streak", f"{of['max_consecutive_losses']}"),
    ]
    rows += [("flows", change(Decimal(of["flows"])))] if Decimal(of["flows"]) else []
    rows += [(name, str(file)) for name, file in files]
    market = "candles of a folder" if about["seed"] is None else f"sample market, seed {about['seed']}"
    return f"{ink.bold(f'backtest, {market}')}\n{pairs(rows)}"


def _pairs(about: dict[str, Any]) -> list[tuple[str, str]]:
    """Which pairs of a folder were in it, and why the others were not."""

    if about["seed"] is not None:
        return []
    reasons: dict[str, list[str]] = {}
    for one in about["exclusions"]:
        if "-" in one["symbol"]:  # else a coin of which the folder has nothing
            reasons.setdefault(one["reason"], []).append(one["symbol"])
    told = [f"{' '.join(symbols)}: {reason}" for reason, symbols in reasons.items()]
    more = told[REASONS_SHOWN:]
    lines = told[:REASONS_SHOWN] + [f"and {count(len(more), 'reason')} more; --json tells all"] * bool(more)
    found = [("pairs", " ".join(about["instruments"]) or "none")]
    return found + [("" if n else "left out", line) for n, line in enumerate(lines)]


def _gain(of: dict[str, Any]) -> str:
    """'10,000.00 -> 9,974.70   -25.30 (-0.25 %)'; what came and went is no gain."""
    from cli.show import change, money

    if of["total_pnl"] is None:
        return money(None)
    told = f"{change(Decimal(of['total_pnl']))} ({Decimal(of['total_pnl_pct']):+.2f} %)"
    return f"{money(Decimal(of['initial_equity']))} -> {money(Decimal(of['final_equity']))}   {told}"


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _moment(time: str) -> str:
    return time[:16].replace("T", " ")


def _equity(report: dict[str, Any], ink: "Ink", pen: "Pen") -> str:
    """Small, the highest and lowest worth beside it."""
    from cli.show import money, width

    points = [one for one in report["series"]["points"] if one["equity"] is not None]
    if not points:
        return ""
    values = [float(one["equity"]) for one in points]
    high, low = (money(Decimal(one(values))) for one in (max, min))
    margin = max(len(high), len(low)) + 2
    lines = pen.curve(values, width() - margin - 2, CHART_LINES)
    labels = [high, *[""] * (CHART_LINES - 2), low]
    drawn = [f"  {label:>{margin - 2}}  {line}".rstrip() for label, line in zip(labels, lines, strict=True)]
    ends = f"{'':{margin + 2}}{_moment(points[0]['time'])}"
    last = _moment(points[-1]["time"])
    return "\n".join([ink.bold("equity"), *drawn, ink.dim(f"{ends}{last:>{width() - len(ends)}}")])


def _halts(report: dict[str, Any], ink: "Ink") -> str:
    """When the halt machine moved, and why; the newest last."""

    found = report["halts"]
    if not found:
        return ""
    trips = sum("TRIPPED" in one["state"] or bool(one["causes"]) for one in found)
    lines = [f"  {_moment(one['time'])}  {one['state']:<13}{one['reason']}".rstrip() for one in found[-HALTS_SHOWN:]]
    before = len(found) - len(found[-HALTS_SHOWN:])
    lines = [ink.dim(f"  {count(before, 'move')} before")] * bool(before) + lines
    last = found[-1]
    if last["causes"]:
        lines.append(ink.bad(f"  {last['state']} at the end: no entries since {_moment(last['time'])}"))
    return "\n".join([ink.bold(f"halted: {count(trips, 'time')}"), *lines])


def _stopped(report: dict[str, Any], ink: "Ink", pen: "Pen") -> str:
    """The verdicts that refused most, as bars."""
    from cli.show import width

    found = [(number, name) for name, number in report["verdict_counts"].items() if name != "OK"]
    found.sort(key=lambda one: (-one[0], one[1]))
    if not report["verdict_counts"]:
        return ink.bold("what stopped it: nothing was proposed")
    if not found:
        return ""
    total, room = sum(number for number, _ in found), width() - 34
    lines = [
        f"  {name:<16}{number:>10,}  {pen.bar(number, found[0][0], room)}".rstrip()
        for number, name in found[:STOPS_SHOWN]
    ]
    rest = total - sum(number for number, _ in found[:STOPS_SHOWN])
    lines += [ink.dim(f"  {count(len(found) - STOPS_SHOWN, 'other')}: {rest:,}")] if rest else []
    return "\n".join([ink.bold(f"what stopped it: {count(total, 'refusal')}"), *lines])


def _costs(report: dict[str, Any], ink: "Ink", pen: "Pen") -> str:
    from cli.show import change, width

    costs, traded = report["costs"], Decimal(report["turnover"]["traded"])
    if not traded:
        return ""
    paid = {name: Decimal(costs[name]) for name in COSTS}
    most, room = max(abs(one) for one in paid.values()), width() - 34
    lines = [
        f"  {name:<14}{change(-one):>12}  {pen.bar(float(max(one, Decimal(0))), float(most), room)}".rstrip()
        for name, one in paid.items()
    ]
    total = f"{change(-Decimal(costs['total']))}, {costs['total_bps']} bps of {traded:,.0f} traded"
    return "\n".join([ink.bold(f"costs: {total}"), *lines])


def _sure(report: dict[str, Any], ink: "Ink") -> str:
    """The figures with their intervals, and how much of the best of them may be luck."""
    from cli.show import table

    of, tried = report["performance"], report["trials"]["tried"]
    rows = [
        [words, *(_short(of[name][part]) for part in ("value", "low", "high"))]
        for name, words in FIGURES
        if of[name]["value"] is not None
    ]
    if not rows:
        return ""
    lines = [table(["figure", "value", "95 % from", "to"], rows)]
    chance, deflated = of["probabilistic_sharpe"], of["deflated_sharpe"]
    if chance is not None:
        lines.append(f"a Sharpe above 0 has probability {_short(chance)}")
    if deflated is not None:
        lines.append(f"above what luck gives the best of {tried} tried on this data: {_short(deflated)}")
    return "\n".join([ink.bold(f"performance, {count(of['days'], 'day')}"), *lines])


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3f}"
