"""What stands in an account, and beside it, is in its figures: each moved here by what moves it."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter

import pytest

from tests.figures.test_text import read
from tests.report.journals import Account
from tests.world import World
from trader_core.bootstrap import open_system, settings_of
from trader_core.domain.facts import Paused
from trader_core.engine.run import cycles
from trader_core.figures import text_of
from trader_core.ledger.fold import fold
from trader_core.ops.clock import host_ms
from trader_core.ops.halts import KILL_FILE
from trader_core.report.levels import Cycle, levels_of
from trader_core.store.buckets import SharedRows
from trader_core.worlds.system import System

Labels = tuple[tuple[str, str], ...]
Figures = dict[tuple[str, Labels], float]
Step = Callable[[], Figures]
RISE = [100.0] * 6 + [101.0, 102.0, 103.0, 104.0, 105.0, 106.0, 107.0, 108.0]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[World, System, Step]]:
    """An account whose market rises, and a step: one cycle more, and what is measured after it."""
    world = World(tmp_path).market(BTC=RISE, ETH=RISE)
    with open_system(world.options()) as system:

        def step() -> Figures:
            next(cycles(system.ports, system.policy, system.journal, lambda: False, 1, system.telling.cycle))
            system.telling.ended()  # cycles that are alike are not written down one by one
            return read(text_of(world.state, "PAPER"))

        yield world, system, step


def test_what_is_bought_is_pending_then_held_and_protected(opened: tuple[World, System, Step]) -> None:
    _, system, step = opened
    began_s = perf_counter()
    seen = [step() for _ in range(8)]
    assert 0 < seen[-1]["trader_cycle_duration_seconds_sum", ()] < perf_counter() - began_s
    ordered = next(one for one in seen if one["trader_orders_open", (("role", "ENTRY"),)])
    assert ordered["trader_exposure_ratio", (("kind", "pending"),)] > 0
    assert ordered["trader_cycle_orders", (("step", "placed"),)] > 0
    book, last = system.journal.book, seen[-1]
    assert last["trader_positions", ()] == len(book.held) > 0
    assert last["trader_orders_open", (("role", "STOP"),)] == len(book.held)
    assert last["trader_unprotected_positions", ()] == 0
    assert last["trader_fill_ratio", ()] > 0
    filled = [one for one in book.orders.values() if one.filled == one.approved.quantity]
    assert last["trader_orders_closed_total", (("role", "ENTRY"), ("status", "FILLED"))] == len(filled)
    symbol = min(book.held)
    worth = last["trader_position_quote", (("symbol", symbol),)]
    assert worth == pytest.approx(float(book.holdings[symbol].quantity) * 100, rel=0.1)
    held = last["trader_exposure_ratio", (("kind", "held"),)]
    assert held == pytest.approx(1 - last["trader_cash_quote", ()] / last["trader_equity_quote", ()])
    naked = next(one for one in seen if one["trader_positions", ()])
    assert naked["trader_fills_total", (("side", "BUY"),)] >= 1
    assert last["trader_journal_rows", ()] == system.journal.rows
    assert last["trader_bar_seconds", ()] == 900
    assert ("trader_unrealised_quote", ()) in last


def test_a_loss_of_a_day_and_of_a_week_that_are_over_is_none_of_the_new_ones(tmp_path: Path) -> None:
    """Nothing could be read in the new one yet: what it lost is unknown, and the last one's is told no more."""
    settings = settings_of(World(tmp_path).market(BTC=RISE).options())
    account = Account(cash="100").cycle(equity="100").cycle(equity="90")
    for bars, windows in ((0, {"day", "week", "drawdown"}), (96, {"week", "drawdown"}), (6 * 96, {"drawdown"})):
        book = fold(account.wait(bars).cycle(problem="unread").facts)
        found = levels_of(Cycle(book, book, None, 0, (), {}, "unread", (), {}), settings, 0)
        lost = {dict(labels)["window"]: value for (name, labels), value in found.items() if name == "trader_loss_ratio"}
        assert lost == dict.fromkeys(windows, pytest.approx(0.1))


def test_a_pause_is_seen_and_named_as_the_reason_for_no_trade(opened: tuple[World, System, Step]) -> None:
    _, system, step = opened
    step()
    system.journal.record(system.journal.book.closed_ms, [Paused("a test wants it", system.journal.book.closed_ms)])
    steps = [step() for _ in range(6)]
    seen = steps[-1]
    assert seen["trader_paused", ()] == 1
    assert seen["trader_refusals_total", (("verdict", "PAUSED"),)] > 0
    assert seen["trader_no_trade_total", (("reason", "PAUSED"),)] > 0
    assert {one["trader_gate_closed", (("gate", "pause"),)] for one in steps} == {0, 1}
    assert not any(one["trader_gate_closed", (("gate", "halt"),)] for one in steps)
    assert seen["trader_no_trade_total", (("reason", "no_signal"),)] > 0


def test_a_breaker_that_opens_is_a_trip_once(opened: tuple[World, System, Step]) -> None:
    world, _, step = opened
    name = (("breaker", "coinbase-orders-exits"),)
    step()
    row = {"failures": 9, "opened_ms": host_ms(), "base_ms": 900_000, "until_ms": host_ms() + 900_000, "probe_ms": 0}
    with closing(SharedRows(world.state)) as rows:
        rows.change("breaker coinbase orders exits", lambda _: (json.dumps(row), None))
        rows.change("bucket private", lambda _: (json.dumps([6.0, host_ms(), 0]), None))
        rows.change("bucket of nobody", lambda _: (json.dumps([6.0, host_ms(), 0]), None))
    for _ in range(2):
        seen = step()
        assert seen["trader_breaker_open", name] == 1
        assert seen["trader_breaker_trips_total", name] == 1
    assert 0 < seen["trader_rate_budget_used_ratio", (("bucket", "private"),)] <= 0.8
    assert [labels for name, labels in seen if name == "trader_rate_budget_used_ratio"] == [(("bucket", "private"),)]
    with closing(SharedRows(world.state)) as rows:
        rows.change("breaker coinbase orders exits", lambda _: (json.dumps({**row, "until_ms": 1}), None))
    assert step()["trader_breaker_open", name] == 0.5


def test_failed_requests_in_a_row_are_counted_over_cycles(opened: tuple[World, System, Step]) -> None:
    _, system, step = opened
    for outcomes, row in (
        (["ok", "no_answer", "server_error"], 2),
        ([], 2),
        (["throttled", "rate_limit"], 3),
        (["no_answer", "refused"], 0),
    ):
        for outcome in outcomes:
            system.calls("quotes", outcome, 7.0)
        seen = step()
        assert seen["trader_api_consecutive_errors", ()] == row
    asked = {labels: value for (name, labels), value in seen.items() if name == "trader_api_requests_total"}
    assert asked[("endpoint", "quotes"), ("outcome", "no_answer")] == 2
    assert seen["trader_api_request_duration_seconds_count", (("endpoint", "quotes"),)] == 6


def test_a_kill_is_seen_in_every_figure_of_it(opened: tuple[World, System, Step]) -> None:
    world, _, step = opened
    before = step()
    assert before["trader_kill_latch", ()] == 0
    (world.state / KILL_FILE).touch()
    seen = step()
    assert seen["trader_kill_latch", ()] == seen["trader_halt", (("state", "KILLED"),)] == 1
    assert seen["trader_trading", (("state", "HALTED"),)] == seen["trader_halt_trips_total", ()] == 1
    assert seen["trader_halt", (("state", "ARMED"),)] == 0
    assert step()["trader_halt_trips_total", ()] == 1


def test_cycles_that_are_alike_are_written_down_together_and_none_is_lost(tmp_path: Path) -> None:
    """A simulated market is faster than anybody looks: between two looks only what is new is written down."""
    world = World(tmp_path).market(BTC=[100.0] * 40)
    ok = "trader_cycles_total", (("outcome", "ok"),)
    with open_system(world.options()) as system:
        running = cycles(system.ports, system.policy, system.journal, lambda: False, None, system.telling.cycle)
        seen = [read(text_of(world.state, "PAPER"))[ok] for _ in running]
        system.telling.ended()
    assert read(text_of(world.state, "PAPER"))[ok] == len(seen) > 30
    assert len(set(seen)) < len(seen) / 2
