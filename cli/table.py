"""The command line: names and registrations, nothing else. What a command needs, its body imports."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from cli.commands import (
    alerts,
    audit,
    bans,
    breaker,
    config,
    data,
    decisions,
    gate,
    halt,
    incident,
    paper,
    policy,
    prove,
    queue,
    risk,
    runbook,
    shadow,
    sim,
    size,
)
from cli.commands.arm import arm, disarm
from cli.commands.backtest import backtest
from cli.commands.backup import backup, restore
from cli.commands.check_clock import check_clock
from cli.commands.compare import compare
from cli.commands.compile_law import compile_law
from cli.commands.completions import completions
from cli.commands.doctor import doctor
from cli.commands.export import export
from cli.commands.init import init
from cli.commands.install_units import install_units
from cli.commands.kill import kill
from cli.commands.liquidate import liquidate
from cli.commands.metrics import metrics
from cli.commands.montecarlo import montecarlo
from cli.commands.orders import orders
from cli.commands.parity import parity
from cli.commands.pause import pause, resume
from cli.commands.pnl import pnl
from cli.commands.positions import positions
from cli.commands.preview import preview
from cli.commands.promote import promote
from cli.commands.reconcile import reconcile
from cli.commands.replay import replay, what_if
from cli.commands.retain import retain
from cli.commands.rotate_secrets import rotate_secrets
from cli.commands.run import run
from cli.commands.run_cycle import run_cycle
from cli.commands.schema import schema
from cli.commands.status import status
from cli.commands.support_bundle import support_bundle
from cli.commands.sweep import sweep
from cli.commands.trades import trades
from cli.commands.trials import trials
from cli.commands.validate_config import validate_config
from cli.commands.walk_forward import walk_forward
from cli.commands.why import why
from cli.group import Commands, group_of

COMMANDS: Commands = {
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
    "doctor": doctor,
    "status": status,
    "metrics": metrics,
    "positions": positions,
    "orders": orders,
    "trades": trades,
    "pnl": pnl,
    "export": export,
    "why": why,
    "decisions": {
        "list": decisions.list_,
        "show": decisions.show,
        "verify": decisions.verify,
        "export": decisions.export,
    },
    "replay": replay,
    "what-if": what_if,
    "risk": {"var": risk.var, "corr": risk.corr, "exposure": risk.exposure},
    "gate": {"explain": gate.explain},
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
    "halt": {"show": halt.show, "trip": halt.trip, "ack": halt.ack, "reset": halt.reset, "history": halt.history},
    "breaker": {"list": breaker.show, "reset": breaker.reset},
    "alerts": {
        "test": alerts.test,
        "list": alerts.list_,
        "ack": alerts.ack,
        "raise": alerts.raise_,
        "drain": alerts.drain,
    },
    "queue": {"list": queue.show, "cancel": queue.cancel},
    "policy": {
        "show": policy.show,
        "set": policy.set_,
        "profile": policy.profile,
        "diff": policy.diff,
        "history": policy.history,
        "rollback": policy.rollback,
    },
    "runbook": {"list": runbook.list_, "show": runbook.show},
    "incident": {
        "start": incident.start,
        "note": incident.note,
        "list": incident.show,
        "timeline": incident.timeline,
        "close": incident.close,
    },
    "promote": promote,
    "shadow": {"report": shadow.report},
    "support-bundle": support_bundle,
    "backup": backup,
    "restore": restore,
    "retain": retain,
    "audit": {"verify": audit.verify, "anchor": audit.anchor, "export": audit.export},
    "install-units": install_units,
    "bans": {"add": bans.add, "list": bans.show, "lift": bans.lift},
    "paper": {"deposit": paper.deposit, "withdraw": paper.withdraw, "reset": paper.reset},
    "size": {"calc": size.calc},
    "prove": {
        "crash": prove.crash,
        "failing": prove.failing,
        "sigkill": prove.sigkill,
        "sim": prove.sim,
        "soak": prove.soak,
        "kills": prove.kills,
        "parity": prove.parity,
        "planted": prove.planted,
    },
    "sim": {"cert": sim.cert, "serve": sim.serve},
    "data": {"import": data.import_, "list": data.list_, "check": data.check, "fetch": data.fetch},
    "completions": completions,
    "schema": schema,
}


def build(words: Sequence[str] = ()) -> Any:
    """The click command of those that these words may mean, and of all where they name none: making one costs a
    millisecond or two."""
    before_help = list(takewhile(lambda word: word != "--help", words))
    named = {name: command for name, command in COMMANDS.items() if name in before_help}
    return group_of(named or COMMANDS)
