"""`trader backtest`: the law over a whole period at once. No wall clock is in the report: same inputs, same bytes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import Result, warned
from cli.options import SAMPLE_SEED, Data, From, Seed, To, options_of, shared_of
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import UsageError

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.engine.replay import Replayed
    from trader_core.report.backtest import Metadata, Summary
    from trader_core.settings.options import Options
    from trader_core.settings.schema import Settings


def backtest(
    ctx: typer.Context,
    since: From = None,
    until: To = None,
    data: Data = None,
    seed: Seed = SAMPLE_SEED,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the report there, as JSON.")] = None,
) -> Result:
    """Replay a period by the same law and report on it. Touches no state."""
    from cli.show import Ink, colours

    report = _replayed(options_of(shared_of(ctx), since, until, data, seed))
    if out is not None:
        write(out, report)
    about: Metadata = report["metadata"]
    return Result(report, page(report, out, Ink(colours())), 0, warned(about.warnings))


def _replayed(options: "Options") -> dict[str, Any]:
    from cli.commands.version import version_text
    from trader_core.bootstrap import settings_of, source_of, span_of
    from trader_core.engine.replay import replay
    from trader_core.report.backtest import SCHEMA, Metadata
    from trader_core.settings.digest import digest

    policy = settings_of(options)
    source = source_of(policy, options)
    start_ms, until_ms = span_of(source, options)
    end_ms = end_of(start_ms, until_ms, source.end_ms, source.bar_ms)
    replayed = replay(source, policy, start_ms, end_ms)
    about = Metadata(
        trader=version_text(),
        schema=SCHEMA,
        seed=options.seed if options.data is None else None,
        from_ms=EpochMs(start_ms),
        to_ms=EpochMs(end_ms),
        base_bar_min=policy.policy.cycle.base_bar_min,
        data_fingerprint=source.fingerprint,
        config_digest=digest(policy),
        quote=source.quote,
        instruments=tuple(one.symbol for one in replayed.instruments),
        exclusions=replayed.exclusions,
        warnings=source.warnings,
    )
    return report_of(replayed, about, policy)


def end_of(start_ms: int, until_ms: int | None, data_end_ms: int | None, bar_ms: int) -> int:
    """End (exclusive) of the decisions that a run would take; a day of an endless market. Raises UsageError."""
    from trader_core.bootstrap import LAST_CYCLES

    ends = [] if until_ms is None else [until_ms]
    ends += [] if data_end_ms is None else [data_end_ms + bar_ms]
    end_ms = min(ends, default=start_ms + LAST_CYCLES * bar_ms)
    if end_ms <= start_ms:
        raise UsageError("the period is empty", remedy="choose --from and --to inside the data")
    return end_ms


def report_of(replayed: "Replayed", about: "Metadata", policy: "Settings") -> dict[str, Any]:
    from cli.account import order_data
    from cli.plain import moment
    from trader_core.report.backtest import EquityPoint, histogram, ledgered, regression_keys, summary

    initial = policy.app.paper.cash_quote
    found = ledgered(initial, replayed.fills)
    equity = [EquityPoint(at_ms, worth) for at_ms, worth in replayed.equity]
    figures = summary(initial, found, equity, replayed.fills, replayed.verdicts, len(replayed.orders))
    return {
        "metadata": about,
        "summary": figures,
        "regression_keys": regression_keys(figures),
        "trades": found.trades,
        "open_positions": found.open,
        "fills": replayed.fills,
        "orders": [{"decision_time": moment(one.decision_ms), **order_data(one.order)} for one in replayed.orders],
        "verdict_counts": histogram(replayed.verdicts),
        "verdicts": replayed.verdicts,
        "equity": equity,
    }


def write(path: Path, report: dict[str, Any]) -> None:
    from cli.plain import document

    try:
        path.write_text(document(report), encoding="utf-8")
    except OSError as failed:
        raise UsageError(f"--out {path} cannot be written: {failed.strerror}", remedy="name another file") from failed


def page(report: dict[str, Any], out: Path | None, ink: "Ink") -> str:
    from cli.account import counts, gain
    from cli.show import change, money, pairs
    from trader_core.domain.clocktime import short

    about: Metadata = report["metadata"]
    of: Summary = report["summary"]
    refused = {name: number for name, number in report["verdict_counts"].items() if name != "OK"}
    trades = f"{of.total_trades} closed, {of.winning_trades} won, {of.losing_trades} lost ({of.win_rate:.1f} % won)"
    rows = [
        ("period", f"{short(about.from_ms)} to {short(about.to_ms)} UTC, {of.cycles} cycles"),
        ("trades", trades if of.total_trades else "none closed"),
        ("orders", counts(of.orders, of.fills, refused)),
        ("equity", gain(of.initial_equity, of.final_equity)),
        ("realised", change(of.realised)),
        ("unrealised", change(of.unrealised)),
        ("fees", money(of.fees)),
        ("drawdown", f"{of.max_drawdown_pct:.2f} % at most"),
        ("profit factor", f"{of.profit_factor:.2f}" if of.profit_factor is not None else "nothing was lost"),
        ("losing streak", f"{of.max_consecutive_losses}"),
    ]
    rows += [("report", str(out))] if out else []
    market = "sample market, seed " + str(about.seed) if about.seed is not None else "candles of a folder"
    return f"{ink.bold(f'backtest, {market}')}\n{pairs(rows)}"
