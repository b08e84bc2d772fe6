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
from tests.laws.make import BAR_MS, START, instrument, market, policy
from tests.laws.markets import HISTORY, LIVELY, walk
from tests.laws.troubles import CALM, scene_of
from tests.laws.worlds import Dice
from trader_core.engine.columns import columns_of
from trader_core.engine.law import enabled_strategies, law_of
from trader_core.ledger.integers import Axes
from trader_core.market.frame import build
from trader_core.rulebook import account, money
from trader_core.rulebook.bar import step_bar
from trader_core.rulebook.codes import FILL_FIELDS, GATE_COUNT
from trader_core.rulebook.judge import judge
from trader_core.rulebook.limits import Ints, Law
from trader_core.rulebook.state import Bars, Columns, Draft, Guard, Plan, State, empty_guard, empty_plan, empty_state
from trader_core.rulebook.turn import step_turn

BARS = 300
SEEDS, SCENES = 6, 400
LISTED = (
    instrument("BTC-USD"),
    instrument("BTC-USDC"),
    instrument("ETH-USD", "0.01", "0.00000001"),
    instrument("SOL-USD", "0.03", "0.0000025"),
)
BIG = 2**62 - 1


def walk_bars(
    law: Law, guard: Guard, state: State, columns: Columns, bars: Bars, plan: Plan, fills: Ints, verdicts: Ints,
    equity: Ints, trace: Any, first: int,
) -> int:  # fmt: skip
    """The driver, the same text for both ways: every fill, verdict and figure of every bar."""
    count = 0
    for t in range(first, columns.close.shape[0]):
        count += step_bar(law, state, bars, t, columns.at_ms[t], fills[count:])
        equity[t] = step_turn(law, guard, state, columns, t, plan)
        for i in range(plan.verdict.shape[0]):
            verdicts[t, i] = plan.verdict[i]
            for g in range(GATE_COUNT):
                for n in range(3):
                    trace[t, i, g, n] = plan.trace[i, g, n]
    return count


def products(a: Ints, b: Ints, c: Ints, down: Ints, up: Ints) -> None:
    for n in range(a.shape[0]):
        down[n] = money.mul_div_down(a[n], b[n], c[n])
        up[n] = money.mul_div_up(a[n], b[n], c[n])


def judge_one(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, draft: Draft, entered: Ints, trace: Any
) -> tuple[int, int]:
    code, lots = judge(law, guard, state, columns, t, draft, entered, trace)
    return code, lots


# Bounds are checked. No rule is called from Python and none makes an array, so wrappers for the one and counted
# references for the other would only double the time this takes.
INSIDE: dict[str, Any] = {"boundscheck": True, "no_cfunc_wrapper": True, "_nrt": False}


def register_the_law() -> int:
    """Every rule of every module under rulebook/, the gates' own package too."""
    for module in pkgutil.walk_packages(rulebook.__path__, "trader_core.rulebook."):
        importlib.import_module(module.name)
    for law in rulebook.RULES:
        register_jitable(no_cpython_wrapper=True, **INSIDE)(law)
    return len(rulebook.RULES)


def world(seed: int) -> tuple[Law, Columns, Bars, State, int]:
    """A market and a policy under which all that a law can do is done within a few hundred bars."""
    random = Random(seed)
    settings = policy(
        **LIVELY,
        app__paper__max_share_of_volume_pct=100.0,
        policy__profile="NORMAL",
        policy__orders__maker_ttl_bars=seed % 3,
        policy__orders__maker_max_reprices=seed % 2,
        policy__adds__allowed=seed % 2 == 0,
        policy__exits__use_trailing_stop=seed % 2 == 1,
        policy__exits__trailing_stop_pct=0.5,
    )
    first_ms, bar_ms = START - HISTORY * BAR_MS, BAR_MS
    prices = (6_000_000, 6_000_000, 50_000, 4_000)
    rows = {
        one.symbol: walk(random, first_ms, BARS, bar_ms, price, 0.01) for one, price in zip(LISTED, prices, strict=True)
    }
    source = market(LISTED, rows)
    end_ms = first_ms + BARS * bar_ms
    frame = build({one.symbol: source.candles(one.symbol, 0, end_ms) for one in LISTED}, first_ms, end_ms, bar_ms)
    axes = Axes(LISTED, enabled_strategies(settings))
    state = empty_state(len(LISTED), len(axes.assets))
    account.step_cash(state, 10**12)
    return law_of(settings, axes), columns_of(frame, LISTED, settings).columns, frame.bars, state, 120


def outcome(driver: Callable[..., int], seed: int) -> list[Any]:
    """All that a walk leaves behind."""
    law, columns, bars, state, first = world(seed)
    rows = columns.close.shape[0]
    plan, fills = empty_plan(len(LISTED), len(columns.enter)), np.zeros((3 * rows * len(LISTED), FILL_FIELDS), np.int64)
    verdicts, equity = np.zeros((rows, len(LISTED)), np.int64), np.zeros(rows, np.int64)
    trace, guard = np.zeros((rows, *plan.trace.shape)), empty_guard(len(LISTED))
    count = driver(law, guard, state, columns, bars, plan, fills, verdicts, equity, trace, first)
    return [*state, fills[:count], verdicts, equity, trace, plan.actions]


def verdict_of(judged: Callable[..., tuple[int, int]], seed: int) -> tuple[int, int, bytes]:
    trace = np.zeros((GATE_COUNT, 3))
    code, lots = judged(*scene_of(Dice(Random(seed), CALM)), trace)
    return int(code), int(lots), trace.tobytes()


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
    walked, judged = numba.njit(**INSIDE)(walk_bars), numba.njit(**INSIDE)(judge_one)
    differing, fills = [], 0
    verdicts: set[int] = set()
    for seed in range(SEEDS):
        slow, fast = outcome(walk_bars, seed), outcome(walked, seed)
        fills += len(slow[len(State._fields)])
        differing += [
            f"walk {seed}: {n}" for n, (a, b) in enumerate(zip(slow, fast, strict=True)) if a.tobytes() != b.tobytes()
        ]
    for seed in range(SCENES):
        one, two = verdict_of(judge_one, seed), verdict_of(judged, seed)
        verdicts.add(one[0])
        differing += [f"scene {seed}"] * (one != two)
    report = {
        "rules": rules,
        "fills": fills,
        "verdicts": len(verdicts),
        "differing": differing,
        "wrong_products": wrong_products(numba.njit(**INSIDE)(products)),
        "signatures": [len(one.signatures) for one in (walked, judged)],
        "seconds": round(time.process_time(), 1),
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
