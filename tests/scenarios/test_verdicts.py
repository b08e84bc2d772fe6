"""Every verdict that exists is fired by a scene that drives the program; a new one without a scene fails here.

Each scene runs twice: in one process, and with a new one for every cycle. What was counted survives, or they differ.
"""

from pathlib import Path

import pytest

from tests.scenarios.scenes import RISE, SCENES
from tests.world import START, World, outcomes
from trader_core.domain.clocktime import DAY_MS, parse_utc
from trader_core.domain.decision import GateRow
from trader_core.rulebook.codes import GATES, Verdict

GATE_OF = {gate.verdict.name: gate for gate in GATES}


@pytest.mark.parametrize("verdict", [Verdict.OK, *(gate.verdict for gate in GATES)], ids=lambda one: one.name)
def test_every_verdict_fires_in_the_real_program_survives_restarts_and_is_explained(
    verdict: Verdict, tmp_path: Path
) -> None:
    assert verdict in SCENES, f"{verdict.name} is new: write the scene that fires it"
    once, anew = World(tmp_path / "once"), World(tmp_path / "anew", restarts=True)
    reports, symbol = SCENES[verdict](once)
    assert [one.decision for one in SCENES[verdict](anew)[0]] == [one.decision for one in reports]
    report = next(one for one in reports if one.decision and verdict.name in outcomes([one], symbol))
    assert report.decision
    bought = [one for one in report.decision.orders if one.symbol == symbol and one.role == "ENTRY"]
    assert bool(bought) == (verdict is Verdict.OK), "only OK buys"
    told = anew.why(report.cycle_id, symbol)
    assert told.outcome == verdict.name
    gates = {one.gate: one for one in told.gates[-len(GATES) :]}
    assert list(gates) == [gate.name for gate in GATES], "every gate is measured"
    closed = [one.verdict for one in gates.values() if one.verdict in GATE_OF]
    assert closed[:1] == ([] if verdict is Verdict.OK else [verdict.name]), "the first no decides"
    if verdict is not Verdict.OK:
        explains(gates[GATE_OF[verdict.name].name], verdict)


def explains(row: GateRow, verdict: Verdict) -> None:
    """A gate that closed names itself, its figure, its limit, and by how much it was missed."""
    gate = GATE_OF[verdict.name]
    assert (row.verdict, row.gate, row.unit) == (verdict.name, gate.name, gate.unit)
    assert row.value is not None and row.limit is not None and row.margin is not None
    assert row.margin == pytest.approx(gate.sense * (row.limit - row.value))
    assert row.margin <= 0


def test_what_has_nothing_to_measure_here_is_not_applicable_and_closes_nothing(tmp_path: Path) -> None:
    """Bars of a quarter of an hour cannot show a jump within 60 seconds, and a maker has no slippage."""
    world = World(tmp_path).market(BTC=RISE).configured(signals__guards__max_jump_sigma=1)
    bought = next(one for one in world.run() if "OK" in outcomes([one], "BTC-USD"))
    gates = world.why(bought.cycle_id, "BTC-USD").gates
    assert {"jump", "slippage"} <= {one.gate for one in gates if one.verdict == "NOT_APPLICABLE"}


def test_the_clock_of_a_scenario_starts_on_a_day_border() -> None:
    assert parse_utc(START) % DAY_MS == 0
