"""The law compiled with its bounds checked beside the law interpreted, in a process of its own: run as a module, it
prints what it found.

A replay's walk is compiled as every backtest compiles it. What it does not show is here too: products at their widest,
and every gate's figures.
"""

import json
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import numba
import numpy as np

from tests.laws.make import BAR_MS, START, instrument, market, policy
from tests.laws.markets import HISTORY, LIVELY, walk
from tests.laws.test_slow_twin import DIGITS
from tests.laws.troubles import CALM, scene_of
from tests.laws.worlds import COUNT, Dice
from trader_core.domain.clocktime import MINUTE_MS, EpochMs
from trader_core.domain.values import replace
from trader_core.engine import compiled, machine
from trader_core.engine.replay import Replayed, World, replay_world, world_of
from trader_core.rulebook import RULES, money
from trader_core.rulebook.codes import GATE_COUNT
from trader_core.rulebook.judge import judge
from trader_core.rulebook.limits import Ints, Law
from trader_core.rulebook.state import Columns, Desk, Draft, Guard, State, empty_desk
from trader_core.settings.schema import Settings

BARS = 180
SEEDS, SCENES = 6, 400
LISTED = (
    instrument("BTC-USD"),
    instrument("BTC-USDC"),
    instrument("ETH-USD", "0.01", "0.00000001"),
    instrument("SOL-USD", "0.03", "0.0000025"),
)
PRICES = (6_000_000, 6_000_000, 50_000, 4_000)
BIG = 2**62 - 1


def products(a: Ints, b: Ints, c: Ints, down: Ints, up: Ints) -> None:
    for n in range(a.shape[0]):
        down[n] = money.mul_div_down(a[n], b[n], c[n])
        up[n] = money.mul_div_up(a[n], b[n], c[n])


def judge_one(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, draft: Draft, entered: Ints, desk: Desk,
    trace: Any,
) -> tuple[int, int]:  # fmt: skip
    code, lots = judge(law, guard, state, columns, t, draft, entered, desk, trace)
    return code, lots


def beyond(values: Ints) -> int:
    return int(values[values.shape[0]])


def world(seed: int) -> tuple[World, Settings]:
    """A market and a policy under which all that a law can do is done within a few hundred bars; each of another shape:
    so many instruments, strategies and rows, and bars so long."""
    random, listed, bar_ms = Random(seed), LISTED[: 1 + seed % 4 if seed else 4], (MINUTE_MS * (15, 5)[seed % 2])
    names = ("rules", "momentum", "mean_reversion", "sma_cross")
    settings = policy(
        **LIVELY | {f"strategies__{name}__enabled": seed % 3 != 1 or name == "sma_cross" for name in names},
        app__paper__max_share_of_volume_pct=100.0,
        policy__cycle__base_bar_min=bar_ms // MINUTE_MS,
        policy__profile="NORMAL",
        policy__orders__maker_ttl_bars=seed % 3,
        policy__orders__maker_max_reprices=seed % 2,
        policy__adds__allowed=seed % 2 == 0,
        policy__exits__use_trailing_stop=seed % 3 == 1,
        policy__exits__trailing_stop_pct=0.5,
    )
    history = HISTORY * BAR_MS // bar_ms
    rows = {
        one.symbol: walk(random, START - history * bar_ms, history + BARS, bar_ms, price, 0.01)
        for one, price in zip(listed, PRICES, strict=False)
    }
    end_ms = EpochMs(START + (BARS - seed) * bar_ms)
    source = replace(market(listed, rows, bar_ms), end_ms=end_ms)
    return world_of(source, settings, START, end_ms), settings


def outcome(seed: int, interpreted: bool) -> Replayed:
    there, settings = world(seed)
    return replay_world(there, settings, interpreted=interpreted)


def verdict_of(judged: Callable[..., tuple[int, int]], seed: int) -> tuple[int, int, bytes]:
    trace = np.zeros((GATE_COUNT, 3))
    code, lots = judged(*scene_of(Dice(Random(seed), CALM)), empty_desk(COUNT), trace)
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


def is_checked() -> bool:
    """Whether compiled code of this process sees that an index is out of bounds."""
    try:
        numba.njit(**INSIDE)(beyond)(np.zeros(3, np.int64))
    except IndexError:
        return True
    return False


INSIDE = {name: value for name, value in machine.INSIDE.items() if name not in ("no_cpython_wrapper", "forceinline")}


def main() -> None:
    differing, fills = [], 0
    verdicts: set[int] = set()
    for seed in range(SEEDS):
        slow, fast = outcome(seed, True), outcome(seed, False)
        fills += len(slow.filled)
        differing += [
            f"walk {seed}: {name}" for name in DIGITS if getattr(slow, name).tobytes() != getattr(fast, name).tobytes()
        ]
    judged = numba.njit(**INSIDE)(judge_one)
    for seed in range(SCENES):
        one, two = verdict_of(judge_one, seed), verdict_of(judged, seed)
        verdicts.add(one[0])
        differing += [f"scene {seed}"] * (one != two)
    report = {
        "rules": len(RULES),
        "fills": fills,
        "verdicts": len(verdicts),
        "differing": differing,
        "wrong_products": wrong_products(numba.njit(**INSIDE)(products)),
        "bounds_are_checked": is_checked(),
        "signatures": [compiled.compiled_signatures(), len(judged.signatures)],
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
