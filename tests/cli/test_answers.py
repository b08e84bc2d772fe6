"""status, why and backtest: looking at what was recorded, and at a whole period at once."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.cli.conftest import CYCLES
from tests.cli.program import Program
from trader_core.desk import open_state
from trader_core.domain.facts import Decided
from trader_core.settings.options import Options

ASSETS = 18  # sixteen pairs of the sample market, and two assets of the universe that it does not list


def why(program: Program, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = program("why", *words, "--state", program.state, "--json").data["symbols"]
    return found


def judged(program: Program, outcome: str) -> tuple[str, int]:
    """A symbol and cycle with that outcome."""
    with open_state(Options(state=program.state)) as (store, _):
        decided = [fact for fact in store.facts() if isinstance(fact, Decided)]
    return next(
        (one.symbol, n + 1) for n, fact in enumerate(decided) for one in fact.judgements if one.outcome == outcome
    )


def test_why_answers_for_a_refusal(traded: Program) -> None:
    symbol, cycle = judged(traded, "MAX_POSITIONS")
    (one,) = why(traded, symbol, "--cycle", str(cycle))
    gates = {row["gate"]: row for row in one["gates"]}
    assert gates["open_positions"] == {
        "gate": "open_positions", "value": 7.0, "limit": 6.0, "margin": -1.0, "unit": "count",
        "verdict": "MAX_POSITIONS",
    }  # fmt: skip
    assert one["orders"] == []
    page = traded("why", symbol.partition("-")[0].lower(), "--cycle", str(cycle), "--state", traded.state).out
    assert "refused, MAX_POSITIONS" in page
    assert "> open_positions" in page


def test_why_answers_for_a_trade_with_what_became_of_it(traded: Program) -> None:
    (one,) = why(traded, "BTC", "--cycle", "3")
    assert one["outcome"] == "OK"
    (order,) = one["orders"]
    assert (order["role"], order["status"], order["average_price"]) == ("ENTRY", "FILLED", "60205.53")
    (later,) = why(traded, "BTC-USD", "--cycle", "4")
    assert [fill["price"] for fill in later["fills"]] == ["60205.53"]
    assert [order["kind"] for order in later["orders"]] == ["STOP"]
    assert "entry maker -> FILLED" in traded("why", "BTC", "--cycle", "3", "--state", traded.state).out


def test_why_answers_for_a_quiet_symbol_and_for_all(traded: Program) -> None:
    (one,) = why(traded, "BTC", "--cycle", "1")
    assert one["outcome"] == "no_signal"
    assert len(why(traded)) == ASSETS
    newest = traded("why", "--state", traded.state).out
    assert newest.splitlines()[1].startswith(f"cycle {CYCLES}, ")
    assert len(newest.splitlines()) == 3 + 2 + ASSETS


def test_why_answers_for_an_excluded_symbol(program: Program) -> None:
    config = program.home / "config"
    config.mkdir()
    for source in (Path(__file__).parents[2] / "config").glob("*.yaml"):
        (config / source.name).write_text(source.read_text())
    text = (config / "universe.yaml").read_text()
    text = text.replace("      - BTC\n", "").replace("  - USDT\n", "  - USDT\n  - BTC\n")
    (config / "universe.yaml").write_text(text)
    assert program.paper("run", "--cycles", "1").code == 0
    (one,) = why(program, "BTC-USD")
    assert (one["outcome"], one["detail"]) == ("excluded", "BTC is in never_trade")
    assert "excluded: BTC is in never_trade" in program("why", "BTC", "--state", program.state).out


def test_why_knows_no_stranger_and_no_future(traded: Program) -> None:
    stranger = traded("why", "BTX", "--state", traded.state)
    assert stranger.code == 2
    assert "it knows ADA-USD, " in stranger.err
    assert f"next: trader why --state {traded.state} BTC" in stranger.err
    assert traded("why", "--cycle", str(CYCLES + 1), "--state", traded.state).code == 2


def test_status_tells_the_account_in_a_page_a_line_and_json(traded: Program) -> None:
    page = traded("status", "--state", traded.state)
    line = traded("status", "--oneline", "--state", traded.state)
    data = traded("status", "--json", "--state", traded.state).data
    assert (page.code, line.code, line.out.count("\n")) == (0, 0, 1)
    assert line.out.startswith(f"PAPER simulated: {CYCLES} cycles, last 2024-01-01 23:45 UTC, equity ")
    assert (data["mode"], data["cycles"], data["positions"], data["restart_safe"]) == ("PAPER", CYCLES, 5, True)
    assert {one["symbol"] for one in data["open_orders"]} == {one["symbol"] for one in data["open_positions"]}
    assert all(one["symbol"] in page.out for one in data["open_positions"])


def test_a_backtest_gives_the_same_bytes_again_and_the_figures_of_a_run(program: Program) -> None:
    run = program.paper("run", "--cycles", "96", "--json").data
    program("backtest", "--out", "one.json")
    program("backtest", "--out", "two.json")
    one = (program.home / "one.json").read_bytes()
    assert one == (program.home / "two.json").read_bytes()
    report = json.loads(one)
    figures = report["summary"]
    assert {
        name: run[name] for name in ("cycles", "orders", "fills", "refusals", "cash", "realised", "unrealised")
    } == {name: figures[name] for name in ("cycles", "orders", "fills", "refusals", "cash", "realised", "unrealised")}
    assert (figures["final_equity"], figures["fees"]) == (run["equity"], run["fees"])
    assert {"NaN", "Infinity"}.isdisjoint(one.decode().split())
    assert set(report["regression_keys"]) == {
        "total_trades", "win_rate", "total_pnl_pct", "max_drawdown_pct", "profit_factor",
    }  # fmt: skip
    pnl = sum((Decimal(trade["pnl"]) for trade in report["trades"]), Decimal(0))
    left = sum((Decimal(one["realised"]) for one in report["open_positions"]), Decimal(0))
    assert pnl + left == Decimal(figures["realised"])
    assert len(report["open_positions"]) == run["positions"]
