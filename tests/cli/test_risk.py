"""`trader risk` and `trader gate explain`: the gates' own figures of the book as it is, recorded nowhere."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Done, Inside
from tests.scenarios.scenes import TURNS, WIDER, of_days
from tests.world import World
from trader_core.domain.clocktime import rfc3339
from trader_core.rulebook.codes import GATES

Ask = Callable[..., Done]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Six days of BTC and ETH, which move together; an entry in BTC is at work when the market ends."""
    made = World(tmp_path_factory.mktemp("book"))
    of_days(made, {"BTC": TURNS, "ETH": WIDER}, max_cluster_assets=1, max_var_pct=0.5)
    return made


@pytest.fixture(scope="module")
def ask(world: World) -> Ask:
    program = Inside(world.root)
    given = ("--state", world.state, "--config", world.config, "--data", world.data, "--mode", "PAPER")
    return lambda *words: program(*words, *given, "--venue", "simulated")


def rows_of(text: str, head: str) -> Sequence[str]:
    return [line for line in text.splitlines() if line.startswith(head)]


def test_risk_var_tells_a_bad_day_of_all_and_of_each(world: World, ask: Ask) -> None:
    before = world.facts()
    data = ask("risk", "var", "--json").data
    (part,) = data["parts"]
    assert data["time"] == rfc3339(before[-1].decision_ms), "past the end of a market, its newest cycle"
    assert (data["days"], data["window_days"], data["quality"]) == (5, 5, "good")
    assert part["symbol"] == "BTC-USD" and 4 < part["weight_pct"] <= 5.3
    assert data["var_pct"] == pytest.approx(part["weight_pct"] / 101, rel=1e-4), "a fall from 101 to 100"
    assert data["shortfall_pct"] == data["var_pct"] == part["var_pct"]
    told = ask("risk", "var")
    assert told.code == 0 and "at most 0.5 % allows an entry" in told.out
    assert rows_of(told.out, "BTC-USD")
    assert world.facts() == before, "nothing is recorded"


def test_where_there_is_no_account_it_is_said(world: World, ask: Ask, tmp_path: Path) -> None:
    elsewhere = Inside(tmp_path)
    words = ("--mode", "PAPER", "--venue", "simulated", "--state", tmp_path / "nowhere")
    for command in (("risk", "var"), ("risk", "exposure"), ("gate", "explain", "BTC")):
        assert f"there is no PAPER account in {tmp_path / 'nowhere'}" in elsewhere(*command, *words).err
    assert "there is no" not in ask("risk", "var").err


def test_risk_corr_tells_pairs_and_clusters(ask: Ask) -> None:
    held, every = ask("risk", "corr", "--json").data, ask("risk", "corr", "--all", "--json").data
    assert held["pairs"] == [] and [one["symbols"] for one in held["clusters"]] == [["BTC-USD"]]
    (pair,) = every["pairs"]
    assert (pair["one"], pair["other"], pair["together"]) == ("BTC-USD", "ETH-USD", True)
    assert pair["correlation"] == pytest.approx(1.0, abs=1e-3)
    assert (every["max_assets"], every["threshold"]) == (1, 0.7)
    assert "together" in ask("risk", "corr", "--all").out


def test_risk_exposure_tells_each_cap_that_something_uses(ask: Ask) -> None:
    rows = {(one["kind"], one["name"]): one for one in ask("risk", "exposure", "--json").data["exposures"]}
    assert set(rows) == {
        ("all", "all"), ("strategy", "sma_cross"), ("tier", "tier 1"), ("theme", "LAYER1"), ("asset", "BTC"),
    }  # fmt: skip
    assert len({one["pct"] for one in rows.values()}) == 1
    assert rows["asset", "BTC"]["cap_pct"] == rows["asset", "BTC"]["written_cap_pct"] == 10
    assert rows_of(ask("risk", "exposure").out, "asset")


def test_gate_explain_judges_an_entry_that_nobody_proposed(world: World, ask: Ask) -> None:
    before = world.facts()
    done = ask("gate", "explain", "eth", "--json")
    data = done.data
    assert "gates" in data, done
    gates = {one["gate"]: one for one in data["gates"]}
    assert list(gates) == [gate.name for gate in GATES]
    assert (data["symbol"], data["strategy"], data["proposed"]) == ("ETH-USD", "sma_cross", False)
    assert float(data["wanted_quantity"]) > 0, "of the size that its tier would have"
    cluster = gates["cluster_assets"]
    assert (cluster["value"], cluster["limit"], cluster["passes"], cluster["needs"]) == (2, 1, False, "at most 1")
    closed = [one["verdict"] for one in data["gates"] if not one["passes"]]
    assert data["outcome"] == closed[0] and float(data["quantity"]) == 0
    told = ask("gate", "explain", "ETH-USD")
    assert told.code == 0 and rows_of(told.out, "> cluster_assets")
    assert max(map(len, told.out.splitlines())) <= 80
    assert world.facts() == before, "nothing is recorded"


@pytest.mark.parametrize("symbol", ["XYZ", "USDT"])
def test_gate_explain_of_a_stranger_is_a_mistake(ask: Ask, symbol: str) -> None:
    done = ask("gate", "explain", symbol)
    assert done.code == 2 and "trader gate explain" in done.err


def test_without_a_book_nothing_is_at_risk_and_it_is_said(tmp_path: Path, world: World) -> None:
    program, given = Inside(tmp_path), ("--config", world.config, "--data", world.data, "--mode", "PAPER")
    words: tuple[Any, ...] = ("--state", tmp_path / "state", *given, "--venue", "simulated")
    data = program("risk", "var", "--json", *words).data
    assert (data["quality"], data["var_pct"], data["parts"]) == ("empty", None, [])
    assert "nothing is held" in program("risk", "var", *words).out
    assert [one["pct"] for one in program("risk", "exposure", "--json", *words).data["exposures"]] == [0, 0]


def test_gate_explain_measures_what_the_next_cycle_does(tmp_path: Path) -> None:
    """The day has lost enough to halve what is bought, and a cooldown is over when the next bar closes."""
    program = Inside(tmp_path)
    assert program.paper("run", "--cycles", "59").code == 0
    half = ("risk.halve_at_day_loss_pct=0.1", "--reason", "a careful day")
    for words in (("policy", "set", *half), ("halt", "trip", "--reason", "a drill"), ("halt", "ack")):
        assert program(*words, "--state", program.state).code == 0
    given = ("--mode", "PAPER", "--venue", "simulated", "--state", program.state, "--json")
    before = program("gate", "explain", "SOL", *given).data
    assert program.paper("run-cycle").code == 0
    (after,) = program("why", "SOL", "--state", program.state, "--json").data["symbols"]
    measured = {one["gate"]: one for one in after["gates"]}
    assert measured["loss_scale"]["value"] == 50
    assert before["outcome"] == after["outcome"] == "HELD"
    for one in before["gates"]:
        if one["verdict"] == "OK":
            same = measured[one["gate"]]
            assert (one["value"], one["limit"]) == (same["value"], same["limit"]), one["gate"]
