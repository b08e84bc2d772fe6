"""`trader doctor`: everything that the next cycle needs, looked at; and drills, in which the guards are fired."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import Result
from cli.options import options_of, shared_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.show import Ink
    from trader_core.checkup import Look

FAILED = 20  # exit code
Gate = Annotated[bool, typer.Option("--gate", help="Say nothing but what fails: for a service that waits for it.")]


Drill = Annotated[
    bool,
    typer.Option("--drill", help="Fire guards on a rehearsal venue: kill, breaker, stale data, size, slots."),
]


def doctor(ctx: typer.Context, gate: Gate = False, drill: Drill = False) -> Result:
    """Check configuration, state, key, clock, venue, protection and copies. A check that cannot run has failed."""
    if drill:
        return _drill(ctx)
    from cli.show import Ink, colours
    from trader_core.checkup import checkup

    shared = shared_of(ctx)
    found = checkup(options_of(shared))
    failed = [one for one in found if one.finding.status == "FAIL"]
    shown = failed if gate else found
    text = _page(shown, Ink(not shared.json and colours())) if shown else ""
    return Result({"checks": [_data(one) for one in found], "failed": len(failed)}, text, FAILED if failed else 0)


def _data(one: "Look") -> dict[str, Any]:
    return {
        "name": one.name, "status": one.finding.status, "detail": one.finding.detail, "ms": one.took_ms,
        "remedy": one.finding.remedy,
    }  # fmt: skip


def _page(found: "Sequence[Look]", ink: "Ink") -> str:
    """One line a check, what to type below those that are not well, and a count."""
    from textwrap import wrap

    from cli.show import width as columns

    words = {"OK": ink.good("ok  "), "WARN": ink.no("warn"), "FAIL": ink.bad("FAIL"), "NOT_APPLICABLE": ink.dim("-   ")}
    width = max(len(one.name) for one in found)
    lines = []
    for one in found:
        head, *rest = wrap(one.finding.detail, max(columns() - width - 8, 40), break_on_hyphens=False)
        lines.append(f"{words[one.finding.status]}  {one.name:<{width}}  {head}")
        lines += [f"{'':<{width + 8}}{line}" for line in rest]
        if one.finding.remedy:
            lines.append(ink.dim(f"{'':<{width + 8}}next: {one.finding.remedy}"))
    tally = {name: sum(one.finding.status == name for one in found) for name in ("OK", "WARN", "FAIL")}
    return "\n".join([*lines, "", f"{tally['OK']} ok, {tally['WARN']} to look at, {tally['FAIL']} failed"])


def _drill(ctx: typer.Context) -> Result:
    """On a venue and an account of its own; nothing of this one's is touched."""
    from cli.exits import note
    from cli.show import Ink, colours, table
    from trader_core.prove.drill import drilled

    shared = shared_of(ctx)
    ink = Ink(not shared.json and colours())
    words = {True: ink.good("PASS"), False: ink.bad("FAIL")}
    found = drilled(options_of(shared).config_directory, note)
    rows = [[words[one.passed], one.name, one.detail, _ms(one.took_ms), _ms(one.allowed_ms)] for one in found]
    failed = [one.name for one in found if not one.passed]
    verdict = f"FAIL: {', '.join(failed)}" if failed else f"PASS: {len(found)} guards fired"
    data = {
        "drills": [
            {"name": one.name, "passed": one.passed, "took_ms": one.took_ms, "allowed_ms": one.allowed_ms,
             "detail": one.detail}
            for one in found
        ],
        "passed": not failed,
    }  # fmt: skip
    text = table(["", "guard", "what happened", "took", "allowed"], rows, left=3)
    return Result(data, f"{text}\n\n{verdict}", FAILED if failed else 0)


def _ms(value: int | None) -> str:
    return "" if value is None else f"{value:,} ms"
