"""Generated accounts in front of generated markets, in the law's own integers.

Most of a scene is calm and each trouble comes seldom, so that every gate is often the only one to say no.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple, TypeVar

import numpy as np
from hypothesis import strategies as st

from tests.laws import oracle
from tests.laws.make import AXES, BAR_MS, START
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS
from trader_core.rulebook import codes
from trader_core.rulebook.account import HOUR_MS, week_of
from trader_core.rulebook.costs import ask_of, bid_of
from trader_core.rulebook.exits import levels
from trader_core.rulebook.gates.standing import NEARLY
from trader_core.rulebook.limits import (
    Costs,
    Exits,
    Halts,
    Instruments,
    Kelly,
    Law,
    Liquidity,
    Market,
    Orders,
    Pacing,
    Portfolio,
    Recovery,
    Risk,
    Sizing,
    Slippage,
    Strategies,
    Tiers,
)
from trader_core.rulebook.money import lots_for
from trader_core.rulebook.orders import step_place
from trader_core.rulebook.state import (
    NO_RETURN,
    NO_TICKS,
    NOBODY_KNOWS,
    OPEN,
    SHUT,
    Columns,
    Draft,
    Guard,
    State,
    empty_guard,
    empty_state,
)  # fmt: skip

COUNT = len(AXES.instruments)
ASSET_COUNT = len(AXES.assets)
STRATEGY_COUNT = len(AXES.strategies)
THEME_COUNT = 3
DAYS = 8  # of returns
E8 = 10**8
NOON_MS = START + 720 * MINUTE_MS
Array = np.ndarray[Any, Any]
Record = TypeVar("Record", bound=NamedTuple)


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


def instrument_rows(
    units: Sequence[tuple[int, int]], assets: Sequence[int] = (), themes: Sequence[int] = (), tiers: Sequence[int] = (),
    floor: int = 0,
) -> Instruments:  # fmt: skip
    """Instruments by (num, den), each a coin of its own of the first theme and tier unless more is said."""
    count = len(units)
    return Instruments(
        asset=ints(*(assets or range(count))), theme=ints(*(themes or [0] * count)), tier=ints(*(tiers or [1] * count)),
        num=ints(*(num for num, _ in units)), den=ints(*(den for _, den in units)),
        min_notional=np.full(count, floor, np.int64),
    )  # fmt: skip


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
    entered: Array

    def __repr__(self) -> str:
        """A whole scene fills a page and says less than the seed that it comes from."""
        return f"a scene of {self.draft}"


class Dice:
    """Chance with the seed that Hypothesis chose. `trouble` is how often something is wrong."""

    def __init__(self, random: Random, trouble: float = 0.04) -> None:
        self.one_of, self.between, self.share, self.some = (
            random.choice, random.randint, random.random, random.uniform,
        )  # fmt: skip
        self.trouble = trouble

    def seldom(self) -> bool:
        return self.share() < self.trouble

    def often(self, chance: float = 0.5) -> bool:
        return self.share() < chance

    def grains(self) -> int:
        return self.between(100, 20_000) * E8 + self.between(0, E8)

    def ppm(self) -> int:
        return self.one_of((0, 1, 500, 6_000, 12_000, 50_000))

    def shares(self, count: int, lowest: float) -> Array:
        return np.array([self.one_of((lowest, 0.5, 0.9, 1.0)) for _ in range(count)])

    def milliseconds(self, *minutes: int) -> int:
        return self.one_of(minutes) * MINUTE_MS

    # --- the law ----------------------------------------------------------------------------------------------

    def law(self) -> Law:
        themes = [self.between(0, THEME_COUNT - 1) for _ in range(ASSET_COUNT)]
        tiers = [self.between(1, 3) for _ in range(ASSET_COUNT)]
        rows = instrument_rows(
            UNITS, ASSETS, [themes[a] for a in ASSETS], [tiers[a] for a in ASSETS], self.one_of((0, 0, E8))
        )
        budgets = Strategies(
            self.shares(STRATEGY_COUNT, 0.3), ints(*(self.between(2, 4) for _ in AXES.strategies)),
            np.array([self.one_of((0.0, 0.3)) for _ in AXES.strategies]),
        )  # fmt: skip
        return Law(
            self.risk(), self.portfolio(), self.pacing(), self.market(), self.tiers(), self.liquidity(), self.orders(),
            self.costs(), rows, budgets, self.halts(), self.sizing(), self.exits(),
        )  # fmt: skip

    def risk(self) -> Risk:
        return Risk(
            max_total=self.one_of((0.4, 0.9, 1.0)), max_asset=self.one_of((0.4, 0.5, 1.0)),
            max_theme=self.shares(THEME_COUNT, 0.4), max_tier=self.shares(codes.TIER_COUNT, 0.4),
            max_positions=self.between(4, 6), max_wait_ms=self.one_of((0, BAR_MS, BAR_MS)),
            max_day_loss=self.one_of((0.1, 0.5)), max_week_loss=self.some(0.2, 0.5),
            max_drawdown=self.some(0.3, 0.9), halve_at_day_loss=self.one_of((0.01, 0.5)),
            day_stop=self.one_of((-1.0, 0.1, 0.5)), day_target=self.one_of((-1.0, 0.3, 0.9)),
        )  # fmt: skip

    def halts(self) -> Halts:
        """Mostly out of reach, at times near enough to trip."""

        def limit(near: int, far: int) -> int:
            return near if self.seldom() else far

        return Halts(
            enabled=int(self.often(0.9)), max_day_loss_ppm=limit(20_000, 500_000),
            max_open_loss_ppm=limit(1_000, 500_000), retrip_ppm=self.one_of((100, 10_000)),
            max_errors=self.between(1, 5), error_window_ms=self.milliseconds(1, 15), max_stops=self.one_of((0, 0, 3)),
            stop_window_ms=self.milliseconds(15, 600), max_feed_age_ms=self.one_of((0, 0, BAR_MS)),
            max_naked_ms=self.one_of((BAR_MS, 4 * BAR_MS)), max_troubles=self.one_of((0, 0, 3)),
            cooldown_ms=self.milliseconds(0, 15, 60), on_trip=self.between(0, 2), auto_rearm=int(self.often(0.3)),
        )  # fmt: skip

    def sizing(self) -> Sizing:
        return Sizing(
            sizer=self.between(0, 2), max_position=self.one_of((1_000 * E8, 10**9 * E8)),
            max_stop_loss=self.one_of((0.01, 1.0)), doubtful_below=self.one_of((0.0, 0.5, 0.6)), doubtful_scale=0.5,
            confident_from=self.one_of((0.85, 1.0)), confident_scale=1.5, full_volatility=self.one_of((60.0, 10_000.0)),
            poor_rate=self.one_of((0.0, 0.3)), poor_trades=self.between(1, 5), poor_scale=0.5, risk_per_trade=0.01,
            risk_ranges=1.2, recovery=Recovery(0.1, 0.6, 0.4, 0.2), kelly=Kelly(0.25, 0.05, self.one_of((1, 30))),
        )  # fmt: skip

    def exits(self) -> Exits:
        return Exits(
            default_stop_bps=200, default_target_bps=500, break_even_ppm=self.one_of((0, 0, 10_000)),
            partial_ppm=self.one_of((0, 0, 5_000)), partial_share_ppm=self.one_of((300_000, 500_000)),
            trim_ppm=self.one_of((0, 0, 50_000)), purge_ms=self.one_of((0, 0, 2 * BAR_MS)),
        )  # fmt: skip

    def portfolio(self) -> Portfolio:
        return Portfolio(
            cluster_assets=self.between(3, 4), max_cluster=self.one_of((0.5, 0.9, 1.0)),
            min_correlation=self.one_of((0.3, 0.7, 1.0)), cluster_days=self.between(1, DAYS),
            cluster_min_days=self.between(0, 3), max_var=self.one_of((0.3, 0.9)), var_days=self.between(2, DAYS),
            var_min_days=self.between(0, 2), var_tail_ppm=self.one_of((10_000, 50_000, 500_000)),
            var_stress=self.one_of((0.0, 0.15)), max_leverage=self.one_of((0.9, 1.0)),
            max_concentration=self.one_of((0.5, 0.9, 1.0)),
        )  # fmt: skip

    def pacing(self) -> Pacing:
        return Pacing(
            cooldown_win_ms=self.milliseconds(0, 10), cooldown_loss_ms=self.milliseconds(0, 30),
            cooldown_stop_ms=self.milliseconds(0, 60), max_streak=self.between(2, 4),
            streak_pause_ms=self.milliseconds(0, 60, 600), spacing_ms=self.milliseconds(0, 1, 30),
            asset_spacing_ms=self.milliseconds(0, 15, 60), per_cycle=self.between(3, 5), per_hour=self.between(3, 5),
            per_day=self.between(6, 9), adds_allowed=self.one_of((0, 1)), add_spacing_ms=self.milliseconds(0, 10, 60),
            adds_per_day=self.between(2, 4),
        )  # fmt: skip

    def market(self) -> Market:
        quiet = self.some(0.5, 1.2)
        return Market(
            scale=np.array([0.0, self.some(1.0, 2.0), self.some(0.8, 1.0), self.one_of((0.5, 1.0)), 0.3]),
            min_atr_ratio=np.array([1.2, quiet, quiet, 1.2, 1.2]), max_age_ms=self.between(2, 5) * BAR_MS,
            max_policy_age_ms=self.one_of((600_000, 650_000)),
            max_deviation=10.0, max_jump=6.0, max_volatility=self.one_of((150.0, 300.0)),
            calm_range=self.one_of((9.0, 20.0)), min_restless_conviction=self.one_of((0.0, 0.3)),
        )  # fmt: skip

    def tiers(self) -> Tiers:
        return Tiers(
            max_spread_ppm=ints(0, *(self.one_of((2_000, 6_000)) for _ in range(3))),
            min_depth=ints(0, *(self.one_of((0, 1_000 * E8)) for _ in range(3))), near_spread_ppm=1_500,
        )  # fmt: skip

    def liquidity(self) -> Liquidity:
        return Liquidity(
            max_spread_ppm=self.one_of((5_000, 20_000)), max_depth_ppm=self.one_of((100_000, 500_000, 1_000_000)),
            max_slippage_ppm=self.one_of((6_000, 20_000)), max_cost_ppm=self.one_of((80_000, 200_000)),
            min_edge_ppm=self.one_of((0, 1_000_000, 2_000_000)), min_notional=self.one_of((0, 1, E8 // 100, E8)),
        )  # fmt: skip

    def orders(self) -> Orders:
        return Orders(
            position=np.array([0.0, *(self.one_of((0.005, 0.05, 0.2, 0.9)) for _ in range(3))]),
            maker_ttl_ms=self.between(0, 3) * BAR_MS, max_reprices=self.between(0, 2), fallback=int(self.often(0.8)),
            bar_ms=BAR_MS, band_ppm=self.ppm(), trailing_ppm=self.one_of((0, 0, 1, 50_000, 500_000)),
        )  # fmt: skip

    def slippage(self) -> Slippage:
        return Slippage(
            base_ppm=np.array([0, *(self.one_of((0, 1, 500)) for _ in range(3))], np.int64), large=self.grains(),
            per_decade=0.2, most_large=1.2, restless_pct=5.0, most_restless=1.5,
        )  # fmt: skip

    def costs(self) -> Costs:
        return Costs(
            maker_fee_ppm=self.ppm(), taker_fee_ppm=self.ppm(), half_spread_ppm=self.one_of((0, 1, 500)),
            slippage=self.slippage(), max_share_ppm=self.one_of((1, 10_000, 1_000_000)),
            depth_ppm=self.one_of((100, 5_000, 1_000_000)),
        )  # fmt: skip

    # --- the market -------------------------------------------------------------------------------------------

    def price(self) -> int:
        """Ticks; 0 where none is known, and few where a tick is much."""
        if self.seldom():
            return self.one_of((0, self.between(1, 10)))
        low, high = self.one_of(((50_000, 60_000), (10**5, 10**7)))
        return self.between(low, high)

    def measured(self, fine: tuple[float, float], *wrong: float) -> float:
        return self.one_of(wrong) if self.seldom() else self.some(*fine)

    def columns(self, law: Law, rows: int = 2) -> Columns:
        shape, cells = (rows, COUNT), range(rows * COUNT)
        by_strategy = (STRATEGY_COUNT, *shape)
        each = range(STRATEGY_COUNT * rows * COUNT)

        def cell(values: list[int]) -> Array:
            return np.array(values, np.int64).reshape(shape)

        def figure(values: list[float]) -> Array:
            return np.array(values).reshape(shape)

        def flags(values: list[int]) -> Array:
            return np.array(values, np.int8).reshape(shape)

        close = [self.price() for _ in cells]
        no_ticks = self.often(0.3)
        return Columns(
            at_ms=NOON_MS + BAR_MS * np.arange(rows, dtype=np.int64),
            hour=np.arange(rows, dtype=np.int64),
            asked=np.arange(rows, dtype=np.int64),
            funding_ppm=np.zeros((rows, COUNT), np.int64),
            close=cell(close),
            bid=cell([int(bid_of(law.costs, one)) for one in close]),
            ask=cell([int(ask_of(law.costs, one)) for one in close]),
            depth=cell([0 if one == 0 or self.seldom() else 10 * self.grains() for one in close]),
            age_ms=cell([BAR_MS * self.between(0, 96 if self.seldom() else 1) for _ in cells]),
            regime=np.array([0 if self.seldom() else self.between(1, 4) for _ in range(rows)], np.int64),
            eligible=flags([0 if self.seldom() else self.one_of((1, 1, NEARLY)) for _ in cells]),
            deviation=figure([self.some(0, 20) for _ in cells]),
            outlier=flags([int(self.seldom()) for _ in cells]),
            jump=figure([NO_TICKS if no_ticks else self.measured((0.0, 6.0), -1.0, 7.0) for _ in cells]),
            volatility=figure([self.measured((0.0, 150.0), -1.0, 400.0) for _ in cells]),
            day_range=figure([self.measured((0.5, 9.0), -1.0, 40.0) for _ in cells]),
            atr_ratio=figure([self.measured((1.2, 3.0), -1.0, 0.4) for _ in cells]),
            trading=flags([self.one_of((SHUT, NOBODY_KNOWS)) if self.seldom() else OPEN for _ in cells]),
            shut=flags([int(self.seldom()) for _ in cells]),
            first_day=ints(NOON_MS // DAY_MS - DAYS + self.between(0, 1)),
            returns=self.returns(),
            enter=np.array([self.often() for _ in each], np.int8).reshape(by_strategy),
            leave=np.array([self.often(0.3) for _ in each], np.int8).reshape(by_strategy),
            conviction=np.array([self.one_of((0.0, 0.5, 0.5, 1.0)) for _ in each]).reshape(by_strategy),
            scale=np.array([self.one_of((0.8, 1.0, 1.2)) for _ in each]).reshape(by_strategy),
            stop_bps=np.array([self.one_of((1, 500, 5_000)) for _ in each], np.int64).reshape(by_strategy),
            target_bps=np.array([self.one_of((10, 4_000, 9_000)) for _ in each], np.int64).reshape(by_strategy),
            hold_ms=np.array([self.milliseconds(0, 60, 9_000) for _ in each], np.int64).reshape(by_strategy),
        )

    def returns(self) -> Array:
        """Days on which some rise and fall together, some apart; some coins are younger than the others."""
        market = np.array([self.some(-0.1, 0.1) for _ in range(DAYS)])
        found = np.array([[self.some(-0.1, 0.1) for _ in range(COUNT)] for _ in range(DAYS)])
        for i in range(COUNT):
            share = self.one_of((-0.9, 0.0, 0.5, 1.0))
            found[:, i] = share * market + (1.0 - abs(share)) * found[:, i]
            found[: self.between(1, DAYS) if self.seldom() else 0, i] = NO_RETURN
        return found

    # --- our side ---------------------------------------------------------------------------------------------

    def guard(self) -> Guard:
        unknown, differs, barred = (ints(*(self.seldom() for _ in range(COUNT))) for _ in range(3))
        banned = [
            NOON_MS + self.between(1, DAY_MS) if self.seldom() else self.one_of((0, NOON_MS)) for _ in range(COUNT)
        ]
        foreign = [self.between(1, 10**6) if self.often(0.1) else 0 for _ in range(COUNT)]
        halted = self.one_of((codes.REDUCING, codes.STANDING)) if self.seldom() else codes.ACTIVE
        forced = [codes.BY_LIQUIDATION if self.seldom() else 0 for _ in range(COUNT)]
        paused = int(self.seldom())
        return Guard(
            halted,
            paused,
            700_000 if self.seldom() else self.between(0, 600) * 1_000,
            unknown,
            differs,
            barred,
            ints(*banned),
            ints(*foreign),
            ints(*forced),
            ints(*(self.seldom() for _ in range(COUNT))),
            ints(*(self.seldom() for _ in range(COUNT))),
            self.milliseconds(0, 0, 60) if self.seldom() else 0,
            self.between(0, 3) if self.seldom() else 0,
        )

    def state(self, law: Law, columns: Columns) -> State:
        """Books as they can be, at the columns' first row."""
        state, now = empty_state(COUNT, ASSET_COUNT, STRATEGY_COUNT), int(columns.at_ms[0])
        if not self.seldom():
            state.known[0], state.cash[0] = 1, self.grains()
        for i in range(COUNT):
            self.position(law, state, i, now, int(columns.close[0, i]))
        for asset in range(ASSET_COUNT):
            self.past(state, asset, now)
        for record in state.record.reshape(-1, codes.RECORD_FIELDS):
            record[:] = self.between(0, 20), self.between(0, 20), self.grains(), self.grains()
        self.clock(law, state, columns, now)
        self.halt(law, state, now)
        self.queue(state, now)
        return state

    def queue(self, state: State, now: int) -> None:
        """Some of the coins wait for a slot, each once."""
        places = sorted({self.between(0, COUNT - 1) for _ in range(self.between(0, 2))})
        for n, i in enumerate(places):
            terms = (self.between(0, STRATEGY_COUNT - 1), 500_000, 800_000, 500, self.one_of((10, 9_000)), 0)
            state.queue[n] = (i, *terms, now - self.between(0, 2) * BAR_MS)
        state.clock[codes.QUEUED] = len(places)

    def halt(self, law: Law, state: State, now: int) -> None:
        """Armed for the most part; what a machine that has moved remembers; runs of failures and of stops."""
        halt = state.halt
        if self.seldom():
            halt[codes.HALT] = self.between(codes.DISABLED, codes.KILLED)
            halt[codes.SINCE_MS] = now - self.between(0, 30) * MINUTE_MS
            halt[codes.TRIPS] = self.between(1, 3)
        if halt[codes.HALT] in (codes.TRIPPED, codes.COOLING_DOWN):
            halt[codes.CAUSE_SET] = self.between(0, 2 * codes.BY_OPERATOR - 1)
        if halt[codes.HALT] == codes.COOLING_DOWN:
            halt[codes.UNTIL_MS] = max(halt[codes.SINCE_MS] + law.halts.cooldown_ms, now - BAR_MS)
        if self.seldom():
            halt[codes.SEEN_DAY] = now // DAY_MS - self.between(0, 1)
            halt[codes.SEEN_DAY_PPM], halt[codes.SEEN_OPEN_PPM] = self.between(0, 600_000), self.between(0, 600_000)
        for ring in (codes.ERRORS, codes.STOPS):
            for n in range(self.between(0, codes.RING) if self.seldom() else self.between(0, 2)):
                halt[ring + n] = now - (n + self.between(0, 1)) * 10 * MINUTE_MS

    def past(self, state: State, asset: int, now: int) -> None:
        """What was bought and sold of an asset before."""
        if self.often(0.3):
            state.exit_ms[asset] = now - self.between(0, 90 if self.seldom() else 1500) * MINUTE_MS
            state.exit_reason[asset] = self.one_of((0, *range(1, len(codes.REASONS))))
            state.exit_won[asset] = self.between(0, 1)
        if self.often(0.4):
            state.entry_ms[asset] = now - self.between(60, 2000) * MINUTE_MS
            state.add_day[asset], state.adds[asset] = now // DAY_MS - self.between(0, 1), self.between(0, 1)

    def clock(self, law: Law, state: State, columns: Columns, now: int) -> None:
        clock, equity = state.clock, max(oracle.equity(law, state, columns, 0), 0)
        clock[codes.DAY] = self.one_of((codes.NEVER, now // DAY_MS - 1, now // DAY_MS, now // DAY_MS))
        clock[codes.WEEK] = self.one_of((codes.NEVER, week_of(now) - 1, week_of(now), week_of(now)))
        for window, opening, lowest, worst in (
            (codes.DAY, codes.DAY_OPEN, codes.DAY_LOW, 1.1), (codes.WEEK, codes.WEEK_OPEN, codes.WEEK_LOW, 1.2),
        ):  # fmt: skip
            if clock[window] >= 0:
                clock[opening] = int(equity * self.some(0.8, 3.0 if self.seldom() else worst))
                clock[lowest] = int(min(equity, clock[opening]) * self.some(0.0 if self.seldom() else 0.99, 1.0))
        if clock[codes.DAY] >= 0:
            clock[codes.DAY_HIGH] = int(
                max(equity, clock[codes.DAY_OPEN]) * self.some(1.0, 2.0 if self.seldom() else 1.1)
            )
        clock[codes.HIGH] = int(equity * self.some(1.0, 9.0 if self.seldom() else 1.4))
        clock[codes.EQUITY] = self.one_of((codes.NEVER, equity, self.grains()))
        clock[codes.DECIDED_MS] = now if self.seldom() else now - BAR_MS
        clock[codes.HOUR] = now // HOUR_MS - self.between(0, 1)
        clock[codes.ENTRY_DAY] = now // DAY_MS - self.between(0, 1)
        clock[codes.HOUR_ENTRIES], clock[codes.DAY_ENTRIES] = self.between(0, 2), self.between(0, 5)
        clock[codes.ENTERED_MS] = now - self.between(0, 40) * MINUTE_MS if self.seldom() else now - HOUR_MS
        clock[codes.STREAK] = self.between(0, 9 if self.seldom() else 1)
        clock[codes.LOSS_MS] = now - self.between(0, 700) * MINUTE_MS if clock[codes.STREAK] else codes.NEVER

    def position(self, law: Law, state: State, i: int, now: int, close: int) -> None:
        price, strategy = max(close + self.between(-3, 3), 1), self.between(0, STRATEGY_COUNT - 1)
        budget = int(max(int(state.cash[0]), E8) * self.some(0.0001, 0.05))
        lots = max(int(lots_for(law.instruments, i, budget, price)), 1)
        kind = self.one_of(("flat", "flat", "flat", "held", "entering", "filling", "leaving"))
        if kind in ("held", "filling", "leaving"):
            self.hold(law, state, i, lots, price, strategy, now)
        if kind == "held" and self.often():  # a stop as it should be, or one for another price or quantity
            trigger = self.one_of((int(levels(law, state, i).stop), max(price * 9 // 10, 1)))
            covered = self.one_of((lots, lots, max(lots // 2, 1)))
            self.order(state, i, codes.STOP, codes.STOP_MARKET, covered, 0, trigger, now, codes.NEVER, strategy)
        if kind == "leaving":
            trigger = self.one_of((0, int(levels(law, state, i).stop)))
            self.order(state, i, codes.EXIT, codes.TAKER, lots, price, trigger, now, now + BAR_MS, strategy)
        if kind in ("entering", "filling"):
            placed, expires = now - self.between(1, 3) * BAR_MS, now + self.between(0, 1) * BAR_MS
            wanted = lots + (self.between(0, lots) if kind == "filling" else 0)
            buyer = self.one_of((strategy, strategy, STRATEGY_COUNT - 1 - strategy))  # at times more of another's
            self.order(state, i, codes.ENTRY, self.between(1, 2), wanted + 1, price, 0, placed, expires, buyer)
            state.orders[i, codes.ENTRY, codes.FILLED] = lots if kind == "filling" else 0

    def hold(self, law: Law, state: State, i: int, lots: int, price: int, strategy: int, now: int) -> None:
        worth = -(-lots * price * int(law.instruments.num[i]) // int(law.instruments.den[i]))
        state.lots[i], state.cost[i], state.strategy[i], state.flow[i] = lots, worth, strategy, -worth
        state.stop_bps[i], state.target_bps[i] = self.one_of((1, 500, 5_000)), self.one_of((0, 1, 1000))
        state.hold_ms[i] = self.milliseconds(0, 60, 9_000)
        state.opened_ms[i] = now - self.between(1, 200) * MINUTE_MS
        state.peak[i], state.parted[i] = self.one_of((0, price, price * 11 // 10)), self.between(0, 1)
        if self.seldom():
            state.deferred[i], state.outcast_ms[i] = codes.BY_STOP, now - self.between(1, 3) * BAR_MS

    def order(
        self, state: State, i: int, slot: int, kind: int, lots: int, limit: int, trigger: int, placed: int,
        expires: int, strategy: int,
    ) -> None:  # fmt: skip
        reason = {codes.ENTRY: codes.BY_SIGNAL, codes.EXIT: codes.BY_TARGET, codes.STOP: codes.BY_STOP}[slot]
        terms = (500, 1000, self.milliseconds(0, 60), self.between(0, 2)) if slot == codes.ENTRY else (0, 0, 0, 0)
        step_place(state, i, slot, kind, lots, limit, trigger, placed, expires, reason, strategy, *terms)

    # --- a draft in front of its judge ------------------------------------------------------------------------

    def scene(self) -> Scene:
        """Something worth judging: mostly a new position, at times more of one, or the rest of an entry."""
        law, guard, i = self.law(), self.guard(), self.between(0, COUNT - 1)
        columns = self.columns(law)
        state = self.state(law, columns)
        state.orders[i] = 0
        if not (law.pacing.adds_allowed and self.often()) and not self.seldom():
            state.lots[i] = state.cost[i] = state.flow[i] = 0
            state.strategy[i] = codes.NEVER
        columns.bid[0, i], columns.ask[0, i] = max(int(columns.bid[0, i]), 1), max(int(columns.ask[0, i]), 1)
        equity = oracle.equity(law, state, columns, 0)
        draft = self.draft(law, columns, i, equity)
        scene = Scene(law, guard, state, columns, 0, draft, ints(*(self.between(0, 1) for _ in AXES.strategies)))
        return self.squeezed(scene) if self.often(0.3) else scene

    def draft(self, law: Law, columns: Columns, i: int, equity: int) -> Draft:
        kind, reason = self.one_of((codes.MAKER, codes.TAKER)), codes.BY_SIGNAL
        strategy = self.between(0, STRATEGY_COUNT - 1)
        if self.often(0.15):
            reason = codes.BY_REPRICE if kind == codes.MAKER else codes.BY_FALLBACK
            strategy = self.one_of((codes.NEVER, strategy))
        price = int(columns.bid[0, i] if kind == codes.MAKER else columns.ask[0, i])
        wanted = int(lots_for(law.instruments, i, int(max(equity, E8) * self.some(0.001, 0.1)), price))
        return Draft(
            i, strategy, kind, price, 0 if self.seldom() else max(wanted, 1), reason, self.between(0, 2), equity,
            self.one_of((0.3, 0.5, 1.0)), 500, self.one_of((4_000, 9_000)), self.milliseconds(0, 60),
        )  # fmt: skip

    def squeezed(self, scene: Scene) -> Scene:
        """The same with room in one dimension for a part of the draft, or for little more than it."""
        return with_room(scene, self.one_of((*oracle.DIMENSIONS, "cash", "depth", "slippage")), self.some(0.05, 1.2))


def with_room(scene: Scene, dimension: str, part: float) -> Scene:
    """The scene with room for a part of the draft in one dimension. Not where what is needed is unknown."""
    law, guard, state, columns, t, draft, _ = scene
    i, scale = draft.instrument, min(float(law.market.scale[columns.regime[t]]), 1.0)
    room = part * oracle.cost(law, i, draft.lots, draft.price)
    if dimension == "slippage":
        lost = oracle.slippage(law, columns, t, draft, draft.lots) if columns.depth[t, i] > 0 else 0
        return scene._replace(law=law._replace(liquidity=law.liquidity._replace(max_slippage_ppm=int(part * lost))))
    if dimension == "cash":
        state.cash[0] = max(int(state.cash[0]) - oracle.free_cash(law, state) + int(room), 0)
        return scene
    if dimension == "depth":
        columns.depth[t, i] = int(room * 1e6 / law.liquidity.max_depth_ppm) + 1
        return scene._replace(law=law._replace(tiers=law.tiers._replace(min_depth=ints(0, 0, 0, 0))))
    key = oracle.keys_of(law, i, oracle.owner(state, i, draft.strategy))[dimension]
    used = oracle.at_risk(law, guard, state, columns, t, dimension, key)
    if draft.equity <= 0 or scale == 0.0 or key < 0 or used == float("inf"):
        return scene
    return scene._replace(law=with_cap(law, dimension, key, (used + room) / draft.equity / scale))


def with_cap(law: Law, dimension: str, key: int, share: float) -> Law:
    if dimension == "strategy":
        return law._replace(
            strategies=law.strategies._replace(max_at_risk=changed(law.strategies.max_at_risk, key, share))
        )
    if dimension in ("theme", "tier"):
        name = f"max_{dimension}"
        return law._replace(risk=edited(law.risk, name, changed(getattr(law.risk, name), key, share)))
    return law._replace(risk=edited(law.risk, f"max_{dimension}", share))


def edited(record: Record, name: str, value: Any) -> Record:
    """A named tuple with one field replaced, by its name."""
    return type(record)(*(value if field == name else each for field, each in record._asdict().items()))


def changed(values: Array, key: Any, value: Any) -> Array:
    """A copy with another value in one place."""
    copy = values.copy()
    copy[key] = value
    return copy


class Seeded(Random):
    """Chance that a failed example names by its seed; several times as fast as Hypothesis's own, which is wrapped."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.of = seed

    def __repr__(self) -> str:
        return f"Seeded({self.of})"


randoms = st.integers(0, 2**64 - 1).map(Seeded)
dice = randoms.map(Dice)
laws = dice.map(lambda die: die.law())


def open_guard() -> Guard:
    """Nothing from outside closes anything; each question has an array of its own."""
    fields: Any = (each.copy() if isinstance(each, np.ndarray) else each for each in empty_guard(COUNT))
    return Guard(*fields)


def arrays(*groups: Any) -> list[Array]:
    """Every array and number of a nest of tuples."""
    out: list[Array] = []
    for one in groups:
        out += arrays(*one) if isinstance(one, tuple) else [np.asarray(one)]
    return out


def bytes_of(*groups: Any) -> list[bytes]:
    """What a nest of tuples holds, to the last bit."""
    return [one.tobytes() for one in arrays(*groups)]


def copied(state: State) -> State:
    return State(*(one.copy() for one in state))
