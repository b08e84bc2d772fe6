"""The command line: names and registrations, nothing else. What a command needs, its body imports."""

from collections.abc import Callable, Mapping
from typing import Any

import typer
from typer.main import get_command

from cli.commands import bans, config, data, halt, paper, policy, sim
from cli.commands.arm import arm, disarm
from cli.commands.backtest import backtest
from cli.commands.check_clock import check_clock
from cli.commands.compare import compare
from cli.commands.compile_law import compile_law
from cli.commands.export import export
from cli.commands.init import init
from cli.commands.kill import kill
from cli.commands.liquidate import liquidate
from cli.commands.montecarlo import montecarlo
from cli.commands.orders import orders
from cli.commands.parity import parity
from cli.commands.pause import pause, resume
from cli.commands.pnl import pnl
from cli.commands.positions import positions
from cli.commands.preview import preview
from cli.commands.reconcile import reconcile
from cli.commands.rotate_secrets import rotate_secrets
from cli.commands.run import run
from cli.commands.run_cycle import run_cycle
from cli.commands.status import status
from cli.commands.sweep import sweep
from cli.commands.trades import trades
from cli.commands.trials import trials
from cli.commands.validate_config import validate_config
from cli.commands.version import version
from cli.commands.walk_forward import walk_forward
from cli.commands.why import why
from cli.options import shared_of, shared_options

Command = Callable[..., Any]

COMMANDS: dict[str, Command | Mapping[str, Command]] = {
    "init": init,
    "run": run,
    "run-cycle": run_cycle,
    "preview": preview,
    "backtest": backtest,
    "parity": parity,
    "sweep": sweep,
    "walk-forward": walk_forward,
    "montecarlo": montecarlo,
    "compare": compare,
    "trials": trials,
    "compile": compile_law,
    "validate-config": validate_config,
    "config": {"diff": config.diff},
    "status": status,
    "positions": positions,
    "orders": orders,
    "trades": trades,
    "pnl": pnl,
    "export": export,
    "why": why,
    "pause": pause,
    "resume": resume,
    "arm": arm,
    "disarm": disarm,
    "check-clock": check_clock,
    "rotate-secrets": rotate_secrets,
    "kill": kill,
    "liquidate": liquidate,
    "close-all-positions": liquidate,
    "reconcile": reconcile,
    "halt": {"show": halt.show, "trip": halt.trip, "ack": halt.ack, "reset": halt.reset},
    "policy": {
        "show": policy.show,
        "set": policy.set_,
        "profile": policy.profile,
        "diff": policy.diff,
        "history": policy.history,
        "rollback": policy.rollback,
    },
    "bans": {"add": bans.add, "list": bans.show, "lift": bans.lift},
    "paper": {"deposit": paper.deposit, "withdraw": paper.withdraw, "reset": paper.reset},
    "sim": {"cert": sim.cert, "serve": sim.serve},
    "data": {"import": data.import_, "list": data.list_, "check": data.check, "fetch": data.fetch},
}
GROUPS = {
    "bans": "Assets that must not be bought for a while.",
    "config": "Compare configurations.",
    "data": "Candles on disk: import, list, check, fetch.",
    "halt": "Our own permission to take risk.",
    "paper": "The simulated account: cash in and out, a new beginning.",
    "policy": "What may be risked: seen, tightened at once, loosened for a while.",
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
        typer.echo(ctx.get_help())
    return None


def build() -> Any:
    """The click command: every registered function with the global options added to it and to the root."""
    app = _app()
    app.callback(invoke_without_command=True)(root)
    for name, command in COMMANDS.items():
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
        one.params += shared_options()
    return made


def _app() -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _group(ctx: typer.Context) -> None:
    shared = shared_of(ctx)
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
    else:
        shared.command = f"{shared.command} {ctx.invoked_subcommand}"


def _all(command: Any) -> list[Any]:
    """A command and everything below it."""
    return [command, *(found for one in getattr(command, "commands", {}).values() for found in _all(one))]
