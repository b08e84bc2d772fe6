"""A preview tells of the next cycle what that cycle tells of itself, and not only its orders."""

from pathlib import Path
from typing import Any

from tests.cli.program import Inside
from tests.scenarios.scenes import RISE, STOPPED
from tests.world import World, at
from trader_core.policies import Asked, change

ALIKE = ("cycle", "decision_time", "problem", "objections", "equity", "trading", "halt_state", "halt_reason")


def both(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    given = ("--state", world.state, "--config", world.config, "--data", world.data)
    words = (*given, "--mode", "PAPER", "--venue", "simulated", "--json")
    program = Inside(world.root)
    return program("preview", *words).data, program("run-cycle", *words).data


def test_it_tells_that_the_halt_machine_would_trip(tmp_path: Path) -> None:
    """BTC falls through its stop, and the day has lost enough."""
    world = World(tmp_path).market(BTC=(*STOPPED, 80, 80)).configured(policy__halt__max_day_loss_pct=0.2)
    world.run(until_ms=at(7))
    before, after = both(world)
    assert {name: before[name] for name in ALIKE} == {name: after[name] for name in ALIKE}
    assert after["halt_state"] == "TRIPPED"


def test_it_tells_what_keeps_entries_closed(tmp_path: Path) -> None:
    """The policy store is gone, and its backup with it: nobody knows what was tightened."""
    world = World(tmp_path).market(BTC=RISE).configured()
    world.run(limit=1)
    change(world.options(), {"risk.max_open_positions": "4"}, Asked("a drill"))
    world.run(limit=1)
    for name in ("paper.policy.db", "paper.policy.json"):
        (world.state / name).unlink()
    before, after = both(world)
    assert after["objections"] and before["objections"] == after["objections"]
