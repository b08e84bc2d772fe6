"""Functions into one command line: every one with the global options added to it and to the root."""

from collections.abc import Callable, Mapping
from typing import Any

import typer
from typer.main import get_command
from typer.models import TyperPath

from cli.commands.version import version
from cli.options import shared_of, shared_options

Command = Callable[..., Any]
Commands = Mapping[str, Command | Mapping[str, Command]]

GROUPS = {
    "alerts": "What people are told of, whether it reaches them, and who has it.",
    "audit": "Whether the journal is the one that was written, for somebody who was not there.",
    "breaker": "How well the venue answers, and whether it is asked.",
    "policy": "What may be risked: seen, tightened at once, loosened for a while.",
    "queue": "What waits for a free slot.",
    "bans": "Assets that must not be bought for a while.",
    "config": "Compare configurations.",
    "data": "Candles on disk: import, list, check, fetch.",
    "decisions": "What was decided, from which inputs, and what became of it.",
    "gate": "What stands between a proposal and an order.",
    "halt": "Our own permission to take risk.",
    "incident": "What went wrong, written down while it lasts.",
    "runbook": "What to do in an incident.",
    "paper": "The simulated account: cash in and out, a new beginning.",
    "prove": "Campaigns that try to break the program; an independent checker decides.",
    "risk": "What the book is together: a bad day, who moves with whom, how near the caps are.",
    "size": "How large a position would be, and why.",
    "shadow": "What the model of costs says, beside what was filled.",
    "sim": "A venue of our own on loopback, for drills and tests.",
}


def root(ctx: typer.Context, show_version: bool = typer.Option(False, "--version", help="Say which version.")) -> Any:
    """Trade a market, or a copy of it, by one rulebook."""
    shared = shared_of(ctx)
    shared.command = ctx.invoked_subcommand or ""
    if show_version and shared.command:
        raise typer.BadParameter("--version stands alone")
    if show_version:
        shared.command = "version"
        return version()
    if not shared.command:
        _unnamed(ctx)
    return None


def group_of(commands: Commands) -> Any:
    """The click command that these names make."""
    app = _app()
    app.callback(invoke_without_command=True)(root)
    for name, command in commands.items():
        if isinstance(command, Mapping):
            group = _app()
            group.callback(invoke_without_command=True, help=GROUPS[name])(_group)
            for one, function in command.items():
                group.command(one)(function)
            app.add_typer(group, name=name)
        else:
            app.command(name)(command)
    made: Any = get_command(app)
    for one in _all(made):
        for parameter in one.params:
            if isinstance(parameter.type, TyperPath):
                parameter.type = _Place()
        one.params += shared_options()
    return made


class _Place(TyperPath):
    """A file or a folder; what is empty, as of a variable that is not set, is not the one in which it was typed."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if value == "":
            raise typer.BadParameter("it is empty; leave it out or say what is meant.", ctx=ctx, param=param)
        return super().convert(value, param, ctx)


def _app() -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _group(ctx: typer.Context) -> None:
    shared = shared_of(ctx)
    if ctx.invoked_subcommand is None:
        _unnamed(ctx)
    else:
        shared.command = f"{shared.command} {ctx.invoked_subcommand}"


def _unnamed(ctx: typer.Context) -> None:
    """Help, where nothing was asked for. `trader --state kill` asked for something, and did not get it."""
    from trader_core.domain.errors import UsageError

    shared, known = shared_of(ctx), getattr(ctx.command, "commands", {})
    given = {name: getattr(shared, name) for name in ("state", "config", "mode", "venue", "log", "json")}
    if not any(given.values()):
        typer.echo(ctx.get_help())
        return
    taken = [f"{value} was taken for the value of --{name}" for name, value in given.items() if value in known]
    raise UsageError(
        "; ".join(["no command was named", *taken]), safe="nothing was done",
        remedy=f"name the command first: {ctx.command_path} COMMAND, or see {ctx.command_path} --help",
    )  # fmt: skip


def _all(command: Any) -> list[Any]:
    """A command and everything below it."""
    return [command, *(found for one in getattr(command, "commands", {}).values() for found in _all(one))]
