"""`trader incident`: what went wrong, written down while it lasts, with what the account's journal tells beside it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import Result
from cli.options import options_of, shared_of
from trader_core.domain.errors import UsageError

if TYPE_CHECKING:
    from trader_core.domain.incident import Incident

TEXT_MAX = 2_000
Title = Annotated[str, typer.Argument(metavar="TITLE", help="What is wrong, in a few words.")]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="What was seen or done.")]
End = Annotated[str, typer.Argument(metavar="TEXT", help="What it was, and what keeps it from coming again.")]
Number = Annotated[int | None, typer.Option("--number", min=1, metavar="N", help="Where several are open.")]


def start(ctx: typer.Context, title: Title) -> Result:
    """Begin an incident. Its timeline fills by itself with what the account's journal tells."""
    from trader_core import logbook

    return _told(logbook.started(options_of(shared_of(ctx)), _said(title)), "started")


def note(ctx: typer.Context, text: Text, number: Number = None) -> Result:
    """Add a line to the incident that is open."""
    from trader_core import logbook

    return _told(logbook.noted(options_of(shared_of(ctx)), number, _said(text)), "noted")


def close(ctx: typer.Context, text: End, number: Number = None) -> Result:
    """End the incident that is open."""
    from trader_core import logbook

    return _told(logbook.closed(options_of(shared_of(ctx)), number, _said(text)), "closed")


def show(ctx: typer.Context) -> Result:
    """List incidents, the newest first."""
    from cli.show import table
    from trader_core import logbook
    from trader_core.domain.clocktime import short

    found = logbook.all_incidents(options_of(shared_of(ctx)))[::-1]
    rows = [
        [str(one.number), one.title, short(one.started_ms), "open" if one.ended_ms is None else short(one.ended_ms)]
        for one in found
    ]
    text = table(["", "incident", "started, UTC", "ended, UTC"], rows, left=2) if rows else "there was none"
    return Result({"incidents": [_data(one) for one in found]}, text)


def timeline(ctx: typer.Context, number: Number = None) -> Result:
    """Show what was said, and what the account did, from an hour before it began; the newest incident by itself."""
    from cli.plain import moment
    from trader_core import logbook
    from trader_core.domain.clocktime import rfc3339

    one, moments = logbook.timeline(options_of(shared_of(ctx)), number)
    width = max((len(each.who) for each in moments), default=0)
    lines = [f"{rfc3339(each.at_ms // 1_000 * 1_000)}  {each.who:<{width}}  {each.what}" for each in moments]
    data = [{"time": moment(each.at_ms), "who": each.who, "what": each.what} for each in moments]
    head = f"incident {one.number}: {one.title}" + ("" if one.ended_ms is None else " (closed)")
    return Result({**_data(one), "timeline": data}, "\n".join([head, *lines]))


def _said(text: str) -> str:
    """One line of it. Raises UsageError on nothing, and on a book."""
    found = " ".join(text.split())
    if not found or len(found) > TEXT_MAX:
        raise UsageError(f"say it in 1 to {TEXT_MAX} characters", safe="nothing was written")
    return found


def _told(one: "Incident", what: str) -> Result:
    return Result(_data(one), f"incident {one.number} {what}: {one.title}")


def _data(one: "Incident") -> dict[str, Any]:
    from cli.plain import moment

    return {
        "number": one.number, "title": one.title, "by": one.by,
        "started": moment(one.started_ms), "ended": moment(one.ended_ms),
        "notes": [{"time": moment(at_ms), "who": who, "text": text} for at_ms, who, text in one.said],
    }  # fmt: skip
