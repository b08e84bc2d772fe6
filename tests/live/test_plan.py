"""A cycle that was previewed runs as it was previewed, or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Done, Inside
from tests.live.conftest import Stage
from tests.live.stage import Live
from tests.world import World
from trader_core.engine.plan import sealed

RISE = [100.0] * 4 + [101.0 + n for n in range(9)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path).market(BTC=RISE).configured(policy__orders__maker_ttl_bars=0)
    made.run(1)
    return made


def command(world: World, name: str, *words: str | Path) -> Done:
    own = ("--mode", "PAPER", "--venue", "simulated", "--state", world.state, "--config", world.config)
    return Inside(world.root)(name, *own, "--data", world.data, "--json", *words)


def planned(world: World) -> Path:
    """The plan of the cycle that buys."""
    plan = world.root / "plan.json"
    done = command(world, "preview", "--out", plan)
    assert [one["role"] for one in done.data["orders"]] == ["ENTRY"], done.err
    return plan


def changed(plan: Path, **figures: Any) -> Path:
    """As if it had been written in another world."""
    plan.write_text(json.dumps(sealed({**json.loads(plan.read_text()), **figures})))
    return plan


def test_a_plan_that_holds_is_run(world: World) -> None:
    plan = planned(world)
    done = command(world, "run-cycle", "--plan", plan)
    assert (done.code, done.data["placed"]) == (0, 1), done.err
    again = command(world, "run-cycle", "--plan", plan)
    assert (again.code, "cycles were run" in again.err) == (22, True)


def first(orders: list[dict[str, Any]], **figures: Any) -> list[dict[str, Any]]:
    return [{**orders[0], **figures}, *orders[1:]]


DRIFTS: dict[str, tuple[dict[str, Any], str]] = {
    "mode": ({"mode": "LIVE"}, "it is for LIVE, and this is PAPER"),
    "configuration": ({"config_digest": "0" * 64}, "the configuration is another one"),
    "cycles": ({"after_cycle": 7}, "1 cycle was run, and then 7"),
    "intents": ({"after_intents": 3}, "0 orders were written down, and then 3"),
    "time": ({"expires_time": "2024-03-04T00:00:00Z"}, "it was good until"),
    "bar": ({"decision_time": "2024-03-04T09:00:00Z"}, "a newer bar has closed since"),
    "cancels": ({"cancels": 1}, "0 orders would be canceled, and not 1"),
    "gone": ({"orders": []}, "BTC-USD BUY (ENTRY, TAKER) is new"),
}


@pytest.mark.parametrize("what", DRIFTS)
def test_what_drifted_is_named_and_nothing_is_sent(world: World, what: str) -> None:
    plan, before = planned(world), world.facts()
    figures, told = DRIFTS[what]
    done = command(world, "run-cycle", "--plan", changed(plan, decision_digest="another", **figures))
    assert (done.code, told in done.err) == (22, True), done.err
    kinds = {type(one).__name__ for one in world.facts()[len(before) :]}
    assert kinds & {"Intended", "Decided", "CycleClosed"} == set()


NONSENSE: dict[str, tuple[dict[str, Any], str]] = {
    "a mode that is none": ({"mode": 7}, "mode"),
    "half a cycle": ({"after_cycle": 1.5}, "after_cycle"),
    "a yes for a number": ({"cancels": True}, "cancels"),
    "no time at all": ({"expires_time": "soon"}, "expires_time"),
    "orders that are no list": ({"orders": "BTC"}, "orders"),
    "an order that is a word": ({"orders": ["BTC"]}, "orders"),
    "an order without a side": ({"orders": [{"symbol": "BTC-USD", "role": "ENTRY", "kind": "TAKER"}]}, "side"),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_a_plan_that_does_not_say_what_it_depends_on_is_no_plan(world: World, what: str) -> None:
    figures, name = NONSENSE[what]
    done = command(world, "run-cycle", "--plan", changed(planned(world), decision_digest="another", **figures))
    assert (done.code, f"the plan does not say its {name}" in done.err) == (2, True), done.err


@pytest.mark.parametrize("value", ["many", [], "1e"])
def test_an_amount_that_is_none_is_named(world: World, value: Any) -> None:
    plan = planned(world)
    orders = first(json.loads(plan.read_text())["orders"], quantity=value or ["1"])
    done = command(world, "run-cycle", "--plan", changed(plan, decision_digest="another", orders=orders))
    assert (done.code, "the plan does not say its quantity" in done.err) == (2, True), done.err


@pytest.mark.parametrize("name", ["quantity", "limit"])
def test_a_price_or_a_size_may_be_away_by_the_band_and_no_more(world: World, name: str) -> None:
    plan = planned(world)
    orders = json.loads(plan.read_text())["orders"]
    off = changed(plan, decision_digest="another", orders=first(orders, **{name: str(float(orders[0][name]) * 1.02)}))
    refused = command(world, "run-cycle", "--plan", off)
    assert (refused.code, f"the {name} of BTC-USD BUY (ENTRY, TAKER) was" in refused.err) == (22, True)
    near = changed(plan, orders=first(orders, **{name: str(float(orders[0][name]) * 1.002)}))
    assert command(world, "run-cycle", "--plan", near).code == 0


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "trader.plan/v1"}', '{"schema": "trader.plan/v1", "digest": "x"}']
)
def test_what_is_no_plan_is_told_so(world: World, text: str) -> None:
    plan = world.root / "no.json"
    plan.write_text(text)
    assert command(world, "run-cycle", "--plan", plan).code == 2
    assert command(world, "run-cycle", "--plan", world.root / "absent.json").code == 2


def test_with_real_money_a_plan_holds_for_its_bar_and_its_prices(stage: Stage) -> None:
    live: Live = stage("BTC")
    live.sim.risen()
    plan = live.home / "plan.json"
    assert live.inside("preview", "--out", plan).code == 0
    live.sim.price("62000.00")
    drifted = live.inside("run-cycle", "--plan", plan)
    assert (drifted.code, "of BTC-USD BUY (ENTRY, TAKER) was" in drifted.err) == (22, True), drifted.err
    assert [one for one in live.truth if one["kind"] == "order"] == []
    live.sim.risen()
    assert live.inside("preview", "--out", plan).code == 0
    done = live("run-cycle", "--plan", plan, "--json")
    assert (done.code, done.data["positions"]) == (0, 1), done.err
    assert live.checked().wrong == ()
