"""`trader data`: candles in, what is there, and what is wrong with it. Nothing is ever repaired or filled."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result, warned
from cli.options import options_of, shared_of
from trader_core.domain.words import count

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.desk import store as candles
    from trader_core.hand import Fetching

FAILED = 20  # a conflict, or a check that failed
FIGURES = ("open", "high", "low", "close", "volume")
NAMED_MAX = 3  # dates spelled out in a line; --json has all

Folder = Annotated[Path, typer.Option("--data", metavar="DIR", help="One venue's folder of candles.")]
Pair = Annotated[str | None, typer.Option("--pair", metavar="BASE-QUOTE", help="The pair.")]


def import_(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Files, or folders of them.")],
    directory: Folder,
    pair: Pair = None,
    granularity: Annotated[
        str | None, typer.Option("--granularity", metavar="BAR", help="15m, 1h, 1d; where the name does not tell.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
) -> Result:
    """Take in candles from CSV, Parquet, Feather and JSON files. What is there is kept; conflicts are 20."""
    from cli.plain import jsonable
    from cli.show import Ink, colours
    from trader_core.desk import store as candles

    found = candles.import_files(sources, directory, pair, granularity, dry_run)
    warnings = warned([*found.warnings, *(f"not imported: {one.path}: {one.reason}" for one in found.skipped)])
    return Result(jsonable(found), _imported_text(found, Ink(colours())), FAILED if found.conflicts else 0, warnings)


def list_(directory: Folder) -> Result:
    """Show what is there: bars, dates, segments, gaps."""
    from cli.plain import jsonable
    from trader_core.desk import store as candles

    files = candles.list_folder(directory)
    problems = warned([one.problem for one in files if one.problem])
    found = {"directory": str(directory), "files": jsonable(files)}
    return Result(found, _list_text(files), FAILED if problems else 0, problems)


def check(
    ctx: typer.Context,
    directory: Folder,
    pair: Pair = None,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="First bar, UTC, inclusive.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="End of the bars, UTC, exclusive.")] = None,
) -> Result:
    """Report gaps, duplicates and bad ticks with their dates. Bad, repeated and unsorted bars are 20."""
    from cli.plain import jsonable
    from cli.show import Ink, colours
    from trader_core.desk import store as candles

    span = options_of(shared_of(ctx), since, until)
    files = candles.check_folder(directory, pair.upper() if pair else None, span.since_ms, span.until_ms)
    failed = any(one.failed for one in files)
    found = {"directory": str(directory), "files": [{**jsonable(one), "ok": not one.failed} for one in files]}
    return Result(found, _check_text(files, Ink(colours())), FAILED if failed else 0)


def fetch(
    ctx: typer.Context,
    pairs: Annotated[
        str | None, typer.Option("--pairs", metavar="PAIR,...", help="BTC-USD,ETH-USD. Default: those of every tier.")
    ] = None,
    all_tiers: Annotated[bool, typer.Option("--all-tiers", help="The pairs of every tier of universe.yaml.")] = False,
    granularity: Annotated[str, typer.Option("--granularity", metavar="BAR", help="1m, 5m, 15m, 1h, 1d.")] = "15m",
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="First bar, UTC, inclusive. Default: 90 days ago.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="End of the bars, UTC, exclusive.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to. Default: the state's own candles.")
    ] = None,
) -> Result:
    """Fetch public candles from the venue; no key is needed. What is there is not asked for again."""
    from cli.exits import worst
    from cli.plain import jsonable, moment
    from cli.progress import Progress
    from trader_core import hand
    from trader_core.domain.errors import UsageError

    if pairs is not None and all_tiers:
        raise UsageError("--pairs and --all-tiers are two answers to one question", remedy="say one of them")
    wanted = [one.strip().upper() for one in (pairs or "").split(",") if one.strip()]
    if pairs is not None and not wanted:
        raise UsageError("--pairs names none", remedy="--pairs BTC-USD,ETH-USD, or --all-tiers")
    options = options_of(shared_of(ctx), since, until)
    with Progress("fetching", "calls") as progress:
        found = hand.fetched(options, wanted, granularity, out, progress)
    problems = [
        f"{one.pair}: {one.problem}; {count(one.bars, 'bar is', 'bars are')} kept" for one in found.pairs if one.problem
    ]
    told = {
        "directory": str(found.directory), "from": moment(found.since_ms), "to": moment(found.until_ms),
        "calls": found.calls, "unsound": found.unsound, "files": jsonable(found.pairs),
    }  # fmt: skip
    code = worst([one.exit_code for one in found.pairs])
    return Result(told, _fetched_text(found), code, warned(problems))


# --- as text ---------------------------------------------------------------------------------------------------------


def _imported_text(found: "candles.Imported", ink: "Ink") -> str:
    from cli.show import fitted, pairs

    head = ["bars", "rows", "new", "old", "clash", "bad", "dup", "first", "last"]
    rows = [
        [
            f"{one.pair} {one.granularity}", str(one.rows), str(one.new), str(one.known), str(len(one.conflicts)),
            str(len(one.bad)), str(one.duplicates), _day(one.first_ms), _day(one.last_ms),
        ]
        for one in found.files
    ]  # fmt: skip
    parts = [fitted(head, rows, ("first", "last"))]
    for one in found.files:
        lines = _import_lines(one)
        if lines:
            parts += ["", f"{one.pair} {one.granularity}", pairs(lines)]
    if found.conflicts:
        parts += ["", ink.bad("other bars of the same time were offered; those that came first were kept")]
        parts += ["to take the others, import them first, into a new folder"]
    if found.dry_run:
        parts += ["", "dry run: nothing was written"]
    return "\n".join(parts)


def _import_lines(one: "candles.ImportedFile") -> list[tuple[str, str]]:
    from trader_core.domain.clocktime import short

    clashes = [f"{short(clash.at_ms)} {_difference(clash)}" for clash in one.conflicts[:NAMED_MAX]]
    bad = [f"{short(bar.at_ms)} {bar.reason}" for bar in one.bad[:NAMED_MAX]]
    lines = [("clash", clashes, len(one.conflicts)), ("bad", bad, len(one.bad))]
    return [(name, _few(shown, total)) for name, shown, total in lines if total]


def _difference(clash: "candles.Conflict") -> str:
    """'close 101 kept, 102 in jan.csv': the first figure that differs."""
    figures = ((name, getattr(clash.kept, name), getattr(clash.refused, name)) for name in FIGURES)
    name, kept, refused = next((name, kept, refused) for name, kept, refused in figures if kept != refused)
    return f"{name} {kept:.15g} kept, {refused:.15g} in {Path(clash.source).name}"


def _list_text(files: "Sequence[candles.ListedFile]") -> str:
    from cli.show import table

    head = ["bars of", "bars", "first, UTC", "last, UTC", "segments", "gaps"]
    rows = [
        [
            f"{one.pair} {one.granularity}", "unreadable" if one.problem else str(one.bars), _minute(one.first_ms),
            _minute(one.last_ms), str(one.segments), str(one.gaps),
        ]
        for one in files
    ]  # fmt: skip
    return table(head, rows)


def _fetched_text(found: "Fetching") -> str:
    from cli.show import table

    head = ["bars of", "bars", "new", "first, UTC", "last, UTC", "gaps", "absent"]
    rows = [
        [
            f"{one.pair} {one.granularity}", str(one.bars), str(one.new), _minute(one.first_ms), _minute(one.last_ms),
            str(one.gaps), str(one.absent),
        ]
        for one in found.pairs
    ]  # fmt: skip
    parts = [table(head, rows), "", f"{count(found.calls, 'call')}; in {found.directory}"]
    if any(one.absent for one in found.pairs):
        parts.append("absent bars are those that the venue did not have; nothing was filled in")
    if found.unsound:
        parts.append(f"{count(found.unsound, 'bar')} made no sense and were not taken")
    if any(one.problem for one in found.pairs):
        parts.append("run it again: what is there is not asked for again")
    return "\n".join(parts)


def _check_text(files: "Sequence[candles.CheckedFile]", ink: "Ink") -> str:
    from cli.show import pairs, table

    head = ["bars of", "bars", "gaps", "dup", "bad", "wick", "jump", "lone", "zero vol"]
    rows = [
        [
            f"{one.pair} {one.granularity}", str(one.bars), str(len(one.gaps)), str(len(one.repeated)),
            str(len(one.bad)), *(str(len(one.of(kind))) for kind in ("wick", "jump", "lone")), str(one.zero_volume),
        ]
        for one in files
    ]  # fmt: skip
    parts = [table(head, rows)]
    for one in files:
        lines = _check_lines(one)
        if lines:
            parts += ["", f"{one.pair} {one.granularity}", pairs(lines)]
    failed = [f"{one.pair} {one.granularity}" for one in files if one.failed]
    verdict = ink.bad(f"failed: {', '.join(failed)}") if failed else ink.good("no bar is bad, repeated or out of order")
    return "\n".join([*parts, "", f"{count(len(files), 'file')}: {verdict}"])


def _check_lines(one: "candles.CheckedFile") -> list[tuple[str, str]]:
    from trader_core.domain.clocktime import short

    lines = [("unreadable", one.problem)] if one.problem else []
    if one.gaps:
        longest = max(one.gaps, key=lambda gap: gap.bars)
        first = _few([_gap(gap) for gap in one.gaps[:NAMED_MAX]], len(one.gaps))
        lines.append(("gaps", first + (f"; the longest {_gap(longest)}" if len(one.gaps) > NAMED_MAX else "")))
    if one.unsorted:
        lines.append(("unsorted", count(one.unsorted, "row comes", "rows come") + " before the row above"))
    groups = [("bad", one.bad), ("dup", one.repeated), *((kind, one.of(kind)) for kind in ("wick", "jump", "lone"))]
    for name, found in groups:
        shown = [short(bar.at_ms) + (f" {bar.kind}" if bar.kind != name else "") for bar in found[:NAMED_MAX]]
        if shown:
            lines.append((name, _few(shown, len(found))))
    return lines


def _gap(gap: "candles.Gap") -> str:
    """'2023-03-04 18:00 to 21:00 (180 min)'."""
    from trader_core.domain.clocktime import MINUTE_MS, day_index, short

    same_day = day_index(gap.from_ms) == day_index(gap.to_ms)
    end = short(gap.to_ms)[11:] if same_day else short(gap.to_ms)
    return f"{short(gap.from_ms)} to {end} ({(gap.to_ms - gap.from_ms) // MINUTE_MS} min)"


def _few(shown: Sequence[str], total: int) -> str:
    """'a, b, c, ... (8)'."""
    return ", ".join(shown) + (f", ... ({total})" if total > len(shown) else "")


def _minute(at_ms: int | None) -> str:
    from trader_core.domain.clocktime import short

    return "-" if at_ms is None else short(at_ms)


def _day(at_ms: int | None) -> str:
    return _minute(at_ms)[:10]
