"""Generated accounts in front of generated markets, in the law's own integers.

Most of a scene is calm and each trouble comes seldom, so that every gate is often the only one to say no.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from tests.laws.make import AXES, BAR_MS, START
from trader_core.rulebook import codes
from trader_core.rulebook.account import DAY_MS
from trader_core.rulebook.costs import ask_of, bid_of
from trader_core.rulebook.exits import stop_price
from trader_core.rulebook.exposure import exposure
from trader_core.rulebook.limits import Costs, Instruments, Law, Orders, Risk, Strategies
from trader_core.rulebook.money import lots_for
from trader_core.rulebook.orders import step_place
from trader_core.rulebook.state import Columns, Draft, Guard, State, empty_state

COUNT = len(AXES.instruments)
STRATEGY_COUNT = len(AXES.strategies)
E8 = 10**8
MINUTE_MS = 60_000
NOON_MS = START + 720 * MINUTE_MS
Array = np.ndarray[Any, Any]


def instrument_rows(units: Sequence[tuple[int, int]], assets: Sequence[int] = (), floor: int = 0) -> Instruments:
    """Instruments by (num, den) alone."""
    num, den = (np.array([one[side] for one in units], np.int64) for side in (0, 1))
    asset = np.array(assets or range(len(units)), np.int64)
    return Instruments(asset, num, den, np.full(len(units), floor, np.int64))


UNITS = [(one.grains_per_unit.numerator, one.grains_per_unit.denominator) for one in AXES.instruments]
ASSETS = [AXES.assets.index(one.base) for one in AXES.instruments]


class Scene(NamedTuple):
    """Everything a judge looks at."""

    law: Law
    guard: Guard
    state: State
    columns: Columns
    t: int
    draft: Draft


class Dice:
    """Chance with the seed that Hypothesis chose."""

    def __init__(self, random: Random) -> None:
        self.one_of, self.between, self.share = random.choice, random.randint, random.random

    def seldom(self) -> bool:
        return self.share() < 0.04

    def half(self) -> bool:
        return self.share() < 0.5

    def grains(self) -> int:
        return self.between(1, 20_000) * E8 + self.between(0, E8)

    def ppm(self) -> int:
        return self.one_of((0, 1, 500, 6_000, 12_000, 50_000))

    def law(self) -> Law:
        shares = (0.0001, 0.05, 0.25, 0.5, 0.9, 1.0, 1.0, 1.0)
        minutes = (0, 30, 120, 1440)
        risk = Risk(
            max_total=self.one_of(shares), max_positions=self.between(3, 5), max_asset=self.one_of(shares),
            max_day_loss=self.one_of((0.0001, 0.03, 0.5)), cooldown_exit_ms=self.one_of(minutes) * MINUTE_MS,
            cooldown_stop_ms=self.one_of(minutes) * MINUTE_MS, max_age_ms=self.between(1, 5) * BAR_MS,
            max_cost_ppm=self.one_of((500, 50_000, 200_000, 200_000)),
            min_notional=self.one_of((0, 1, 10 * E8, 10 * E8, 100 * E8)),
        )  # fmt: skip
        orders = Orders(self.one_of(shares), self.between(0, 3) * BAR_MS, BAR_MS, self.ppm())
        share = self.one_of((1, 10_000, 1_000_000))
        costs = Costs(self.ppm(), self.ppm(), self.one_of((0, 1, 500)), self.one_of((0, 1, 500)), share)
        terms = Strategies(np.array([500, 1], np.int64), np.array([1000, 0], np.int64))
        return Law(risk, orders, costs, instrument_rows(UNITS, ASSETS, self.one_of((0, E8))), terms)

    def price(self) -> int:
        """Ticks, 0 where none is known."""
        low, high = self.one_of(((1, 10), (5_000, 6_000), (1, 10**7)))
        return 0 if self.seldom() else self.between(low, high)

    def columns(self, law: Law, rows: int = 2) -> Columns:
        shape, cells = (rows, COUNT), rows * COUNT
        close = np.array([self.price() for _ in range(cells)], np.int64).reshape(shape)
        bars_old = [self.between(0, 96) if self.seldom() else self.between(0, 1) for _ in range(cells)]
        age = BAR_MS * np.array(bars_old, np.int64).reshape(shape)
        flags = [int(self.half()) for _ in range(2 * STRATEGY_COUNT * cells)]
        enter, leave = np.array(flags, np.int8).reshape(2, STRATEGY_COUNT, *shape)
        conviction = np.array([self.one_of((0.0, 0.5, 0.5, 1.0)) for _ in range(STRATEGY_COUNT * cells)])
        bid = np.array([bid_of(law.costs, one) for one in close.ravel().tolist()], np.int64).reshape(shape)
        ask = np.array([ask_of(law.costs, one) for one in close.ravel().tolist()], np.int64).reshape(shape)
        at_ms = NOON_MS + BAR_MS * np.arange(rows, dtype=np.int64)
        return Columns(at_ms, close, bid, ask, age, enter, leave, conviction.reshape(enter.shape))

    def guard(self) -> Guard:
        unknown, differs, barred = (np.array([self.seldom() for _ in range(COUNT)], np.int64) for _ in range(3))
        return Guard(int(self.seldom()), unknown, differs, barred)

    def state(self, law: Law, columns: Columns) -> State:
        """Books as they can be, at the columns' first row."""
        state, now = empty_state(COUNT, len(AXES.assets)), int(columns.at_ms[0])
        if not self.seldom():
            state.known[0], state.cash[0] = 1, self.grains()
        state.clock[codes.DAY] = self.one_of((codes.NEVER, now // DAY_MS - 1, now // DAY_MS, now // DAY_MS))
        if state.clock[codes.DAY] >= 0:
            state.clock[codes.DAY_OPEN] = self.one_of((int(state.cash[0]), self.grains()))
        state.clock[codes.DECIDED_MS] = now if self.seldom() else now - BAR_MS
        for asset in range(len(AXES.assets)):
            if self.share() < 0.3:
                state.exit_ms[asset] = now - self.between(0, 1500) * MINUTE_MS
                state.exit_reason[asset] = self.between(1, 3)
        for i in range(COUNT):
            self.position(law, state, i, now, int(columns.close[0, i]))
        return state

    def position(self, law: Law, state: State, i: int, now: int, close: int) -> None:
        price, strategy = max(close + self.between(-3, 3), 1), self.between(0, STRATEGY_COUNT - 1)
        lots = max(int(lots_for(law.instruments, i, self.grains() // self.one_of((1, 100, 1000)), price)), 1)
        kind = self.one_of(("flat", "flat", "flat", "held", "entering", "filling", "leaving"))
        if kind in ("held", "filling", "leaving"):
            worth = -(-lots * price * int(law.instruments.num[i]) // int(law.instruments.den[i]))
            state.lots[i], state.cost[i], state.strategy[i] = lots, worth, strategy
            state.stop_bps[i], state.target_bps[i] = 500, self.one_of((0, 1000))
        if kind == "held" and self.half():  # a stop as it should be, or one for another price or quantity
            trigger = self.one_of((int(stop_price(law, state, i)), max(price * 9 // 10, 1)))
            covered = self.one_of((lots, lots, max(lots // 2, 1)))
            self.order(state, i, codes.STOP, codes.STOP_MARKET, covered, 0, trigger, now, codes.NEVER, strategy)
        if kind == "leaving":
            trigger = self.one_of((0, int(stop_price(law, state, i))))
            self.order(state, i, codes.EXIT, codes.TAKER, lots, price, trigger, now, now + BAR_MS, strategy)
        if kind in ("entering", "filling"):
            placed, expires = now - self.between(1, 3) * BAR_MS, now + self.between(0, 1) * BAR_MS
            wanted = lots + (self.between(0, lots) if kind == "filling" else 0)
            self.order(state, i, codes.ENTRY, self.between(1, 2), wanted + 1, price, 0, placed, expires, strategy)
            state.orders[i, codes.ENTRY, codes.FILLED] = lots if kind == "filling" else 0

    def order(
        self, state: State, i: int, slot: int, kind: int, lots: int, limit: int, trigger: int, placed: int,
        expires: int, strategy: int,
    ) -> None:  # fmt: skip
        reason = {codes.ENTRY: codes.BY_SIGNAL, codes.EXIT: codes.BY_TARGET, codes.STOP: codes.BY_STOP}[slot]
        terms = (500, 1000) if slot == codes.ENTRY else (0, 0)
        step_place(state, i, slot, kind, lots, limit, trigger, placed, expires, reason, strategy, *terms)

    def scene(self) -> Scene:
        law = self.law()
        columns, guard, i = self.columns(law), self.guard(), self.between(0, COUNT - 1)
        state = self.state(law, columns)
        if not self.seldom():  # else the draft's own instrument may be held or ordered
            state.lots[i] = state.cost[i] = 0
            state.orders[i] = 0
        price = max(int(columns.ask[0, i]), 1)
        if not self.seldom():
            state.cash[0] = max(int(state.cash[0]), self.grains())
        equity = -1 if self.seldom() else int(state.cash[0]) + int(exposure(law, state, columns, 0, -1)) + 1
        if state.clock[codes.DAY] >= 0 and not self.seldom():
            state.clock[codes.DAY_OPEN] = int(equity * self.one_of((0.9, 1.0, 1.01, 1.01, 1.2)))
        worth = max(equity, 0) // self.one_of((1, 3, 10, 30))
        lots = 1 if self.seldom() else int(lots_for(law.instruments, i, worth, price))
        reason = codes.BY_FALLBACK if self.seldom() else codes.BY_SIGNAL
        strategy = self.between(0, STRATEGY_COUNT - 1)
        draft = Draft(i, strategy, self.between(1, 2), price, min(max(lots, 1), 10**12), reason, equity)
        return Scene(law, guard, state, columns, 0, draft)


dice = st.randoms(use_true_random=True).map(Dice)
laws = dice.map(lambda die: die.law())
scenes = dice.map(lambda die: die.scene())


def open_guard() -> Guard:
    """Nothing from outside closes anything."""
    return Guard(0, *(np.zeros(COUNT, np.int64) for _ in range(3)))


def bytes_of(*groups: tuple[Array | int, ...]) -> list[bytes]:
    """What groups of arrays hold, to the last bit."""
    return [np.asarray(one).tobytes() for group in groups for one in group]


def copied(state: State) -> State:
    return State(*(one.copy() for one in state))
