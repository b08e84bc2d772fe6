"""The law compiled beside the law interpreted, in a process of its own: run as a module, it prints what it found.

Registering with numba leaves the interpreted functions as they are, but a compiler has no place in the suite's process.
"""

import importlib
import json
import pkgutil
import sys
import time
from collections.abc import Callable
from random import Random
from typing import Any

import numba
import numpy as np
from numba.extending import register_jitable

import trader_core.rulebook as rulebook
from tests.laws.make import START, instrument, market, policy
from tests.laws.markets import HISTORY, walk
from trader_core.engine.columns import columns_of
from trader_core.engine.law import law_of
from trader_core.ledger.integers import Axes
from trader_core.market.frame import build
from trader_core.rulebook import account, money
from trader_core.rulebook.bar import FILL_FIELDS, step_bar
from trader_core.rulebook.limits import Ints, Law
from trader_core.rulebook.state import Bars, Columns, Guard, Plan, State, empty_plan, empty_state
from trader_core.rulebook.turn import step_turn

BARS = 150
LISTED = (
    instrument("BTC-USD"),
    instrument("BTC-USDC"),
    instrument("ETH-USD", "0.01", "0.00000001"),
    instrument("SOL-USD", "0.03", "0.0000025"),
)
BIG = 2**62 - 1


def walk_bars(
    law: Law, guard: Guard, state: State, columns: Columns, bars: Bars, plan: Plan, fills: Ints, verdicts: Ints,
    equity: Ints, trace: Any,
) -> int:  # fmt: skip
    """The driver, the same text for both ways: every fill, verdict and figure of every bar."""
    count = 0
    for t in range(1, columns.close.shape[0]):
        count += step_bar(law, state, bars, t, columns.at_ms[t], fills[count:])
        equity[t] = step_turn(law, guard, state, columns, t, plan)
        verdicts[t, :] = plan.verdict
        trace[t] = plan.trace
    return count


def products(a: Ints, b: Ints, c: Ints, down: Ints, up: Ints) -> None:
    for n in range(a.shape[0]):
        down[n] = money.mul_div_down(a[n], b[n], c[n])
        up[n] = money.mul_div_up(a[n], b[n], c[n])


def register_the_law() -> int:
    """Every rule of every module under rulebook/, bounds checked."""
    for module in pkgutil.iter_modules(rulebook.__path__):
        importlib.import_module(f"trader_core.rulebook.{module.name}")
    for law in rulebook.RULES:
        register_jitable(boundscheck=True)(law)
    return len(rulebook.RULES)


def world(seed: int) -> tuple[Law, Columns, Bars, State]:
    random = Random(seed)
    settings = policy(
        app__paper__max_share_of_volume_pct=100.0,
        policy__orders__maker_ttl_bars=seed % 3,
        policy__risk__max_per_asset_pct=25.0,
        policy__risk__cooldown_after_stop_min=30,
        policy__sizing__position_pct=25.0,
        signals__windows__max_missing_bars=1,
        strategies__sma_cross__fast_bars=2,
        strategies__sma_cross__slow_bars=5,
        strategies__sma_cross__stop_pct=1.0,
        strategies__sma_cross__target_pct=4.0,
    )
    first_ms, bar_ms = START - HISTORY * 900_000, 900_000
    prices = (6_000_000, 6_000_000, 5_000, 40)
    rows = {
        one.symbol: walk(random, first_ms, BARS, bar_ms, price, 0.01) for one, price in zip(LISTED, prices, strict=True)
    }
    source = market(LISTED, rows)
    end_ms = first_ms + BARS * bar_ms
    frame = build({one.symbol: source.candles(one.symbol, 0, end_ms) for one in LISTED}, first_ms, end_ms, bar_ms)
    axes = Axes(LISTED, ("sma_cross",))
    state = empty_state(len(LISTED), len(axes.assets))
    account.step_cash(state, 10**12)
    return law_of(settings, axes), columns_of(frame, settings).columns, frame.bars, state


def outcome(driver: Callable[..., int], seed: int) -> list[Any]:
    """All that a walk leaves behind."""
    law, columns, bars, state = world(seed)
    nothing, rows = np.zeros(len(LISTED), np.int64), columns.close.shape[0]
    plan, fills = empty_plan(len(LISTED)), np.zeros((3 * rows * len(LISTED), FILL_FIELDS), np.int64)
    verdicts, equity = np.zeros((rows, len(LISTED)), np.int64), np.zeros(rows, np.int64)
    trace = np.zeros((rows, *plan.trace.shape))
    count = driver(law, Guard(0, nothing, nothing, nothing), state, columns, bars, plan, fills, verdicts, equity, trace)
    return [*state, fills[:count], verdicts, equity, trace, plan.actions]


def wrong_products(compiled: Callable[..., None]) -> int:
    random = Random(5)
    triples: list[tuple[int, int, int]] = []
    while len(triples) < 20_000:
        a, b = (random.randrange(2 ** random.randint(1, 62)) for _ in range(2))
        lowest = a * b // BIG + 1
        triples.append((a, b, min(random.choice((lowest, max(a, lowest), random.randint(lowest, BIG))), BIG)))
    columns = [np.array(one, np.int64) for one in zip(*triples, strict=True)]
    down, up = np.zeros(len(triples), np.int64), np.zeros(len(triples), np.int64)
    compiled(*columns, down, up)
    exact = [(a * b // c, -(-a * b // c)) for a, b, c in triples]
    return sum(one != two for one, two in zip(exact, zip(down.tolist(), up.tolist(), strict=True), strict=True))


def main() -> None:
    rules = register_the_law()
    started = time.perf_counter()
    compiled = numba.njit(boundscheck=True)(walk_bars)
    outcome(compiled, 0)
    seconds = time.perf_counter() - started
    differing, fills = [], 0
    for seed in range(6):
        slow, fast = outcome(walk_bars, seed), outcome(compiled, seed)
        fills += len(slow[len(State._fields)])
        differing += [n for n, (a, b) in enumerate(zip(slow, fast, strict=True)) if a.tobytes() != b.tobytes()]
    report = {
        "rules": rules,
        "fills": fills,
        "differing": differing,
        "wrong_products": wrong_products(numba.njit(boundscheck=True)(products)),
        "seconds": round(seconds, 1),
        "signatures": len(compiled.signatures),
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
