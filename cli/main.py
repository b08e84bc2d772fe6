"""The command line: names and registrations, nothing else. What a command needs, its body imports."""

import os
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer.main import get_command

from cli.commands.backtest import backtest
from cli.commands.init import init
from cli.commands.preview import preview
from cli.commands.run import run
from cli.commands.run_cycle import run_cycle
from cli.commands.status import status
from cli.commands.validate_config import validate_config
from cli.commands.version import version
from cli.commands.why import why
from cli.exits import ended
from cli.options import Shared, shared_of, shared_options

COMMANDS: dict[str, Callable[..., Any]] = {
    "init": init,
    "run": run,
    "run-cycle": run_cycle,
    "preview": preview,
    "backtest": backtest,
    "validate-config": validate_config,
    "status": status,
    "why": why,
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
        typer.echo(ctx.get_help())
    return None


def build() -> Any:
    """The click command: every registered function with the global options added to it and to the root."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(root)
    for name, command in COMMANDS.items():
        app.command(name)(command)
    group: Any = get_command(app)
    for command in (group, *group.commands.values()):
        command.params += shared_options()
    return group


def main() -> None:
    """Entry point of the script `trader`."""
    shared, arguments = Shared(), sys.argv[1:]
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed before we came: what is said goes nowhere
            setattr(sys, stream, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115

    def act() -> object:
        group = build()
        with group.make_context("trader", arguments, obj=shared) as ctx:
            return group.invoke(ctx)

    sys.exit(ended(act, shared, asked_json="--json" in arguments))
