"""A full house defers: what found every slot taken waits its turn, is judged anew at that moment's prices, and no
longer than the policy says."""

from pathlib import Path

import pytest

from tests.scenarios.scenes import NEXT, STOPPED
from tests.world import World, outcomes
from trader_core.domain.facts import QueueChanged
from trader_core.engine.cycle import CycleReport


def full(world: World, wait_min: int = 15) -> World:
    """BTC has the only slot until its stop sells it in the eighth bar; ETH rises one bar before."""
    return world.market(BTC=(*STOPPED, 80, 80), ETH=(*NEXT, 108, 110, 112)).configured(
        policy__risk__max_open_positions=1, policy__risk__max_slot_wait_min=wait_min
    )


def entries(told: list[CycleReport], symbol: str) -> list[int]:
    return [
        one.decision_ms for one in told if one.decision
        for order in one.decision.orders if (order.symbol, order.role, order.reason) == (symbol, "ENTRY", "signal")
    ]  # fmt: skip


@pytest.mark.parametrize("restarts", [False, True])
def test_it_waits_for_the_slot_and_is_priced_anew(tmp_path: Path, restarts: bool) -> None:
    world = full(World(tmp_path, restarts=restarts))
    told = world.run()
    deferred = outcomes(told, "ETH-USD").index("MAX_POSITIONS")
    assert entries(told, "ETH-USD") == [told[deferred + 1].decision_ms], "no signal came again: it waited"
    decision = told[deferred].decision
    assert decision is not None
    (waiting,) = decision.waiting
    assert (waiting.symbol, waiting.since_ms) == ("ETH-USD", told[deferred].decision_ms)
    (judged,) = [one for one in decision.judgements if one.symbol == "ETH-USD"]
    assert judged.detail == "waits for a free slot, number 1 of 1"
    after = told[deferred + 1].decision
    assert after is not None and after.waiting == ()
    (order,) = [one for one in after.orders if one.symbol == "ETH-USD" and one.role == "ENTRY"]
    assert order.limit > 103, "at the price of its turn, not of its signal"
    changes = [one for one in world.facts() if isinstance(one, QueueChanged)]
    assert [(len(one.waiting), one.left) for one in changes] == [(1, ()), (0, (("ETH-USD", "OK"),))]


def test_without_a_wait_the_refusal_stands(tmp_path: Path) -> None:
    told = full(World(tmp_path), wait_min=0).run()
    assert "MAX_POSITIONS" in outcomes(told, "ETH-USD") and entries(told, "ETH-USD") == []


def test_who_has_waited_too_long_is_forgotten(tmp_path: Path) -> None:
    """The slot is free two bars later, and a wait lasts for one."""
    world = World(tmp_path).market(BTC=(*STOPPED[:7], 102, *STOPPED[7:], 80), ETH=(*NEXT, 108, 110, 112, 114))
    world.configured(policy__risk__max_open_positions=1, policy__risk__max_slot_wait_min=15)
    told = world.run()
    assert "MAX_POSITIONS" in outcomes(told, "ETH-USD") and entries(told, "ETH-USD") == []
    (_, gone) = [one for one in world.facts() if isinstance(one, QueueChanged)]
    assert gone.left == (("ETH-USD", "too late"),)


def test_its_turn_is_no_promise(tmp_path: Path) -> None:
    """It is free when the day is over: what waited is judged like anything else."""
    world = full(World(tmp_path)).configured(policy__risk__max_day_loss_pct=0.2)
    told = world.run()
    said = outcomes(told, "ETH-USD")
    assert said[said.index("MAX_POSITIONS") + 1] == "DAY_LOSS" and entries(told, "ETH-USD") == []
