"""What a gate says it has measured, and against what: figures that `why` shows to whoever asks, counted once more from
their definitions."""

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws import oracle
from tests.laws.budget import examples
from tests.laws.test_gates import judged
from tests.laws.troubles import scenes, troubled_by
from tests.laws.worlds import E8, Scene
from trader_core.domain.clocktime import DAY_MS, HOUR_MS
from trader_core.rulebook import codes
from trader_core.rulebook.account import week_of
from trader_core.rulebook.codes import GATES, Verdict
from trader_core.rulebook.state import NO_TICKS, OPEN

Figure = tuple[float, float]
S = 1e3
OF_A_BOOK = {Verdict.CLUSTER_ASSETS, Verdict.CLUSTER_CAP, Verdict.VAR, Verdict.LEVERAGE, Verdict.CONCENTRATION}
CAPS = {
    Verdict.STRATEGY_CAP: "strategy", Verdict.ASSET_CAP: "asset", Verdict.THEME_CAP: "theme", Verdict.TIER_CAP: "tier",
    Verdict.TOTAL_EXPOSURE: "total",
}  # fmt: skip


class Seen(NamedTuple):
    """A scene in short words."""

    scene: Scene

    @property
    def now(self) -> int:
        return int(self.scene.columns.at_ms[self.scene.t])

    @property
    def i(self) -> int:
        return self.scene.draft.instrument

    @property
    def asset(self) -> int:
        return int(self.scene.law.instruments.asset[self.i])

    @property
    def equity(self) -> int:
        return self.scene.draft.equity

    @property
    def new(self) -> bool:
        return self.scene.draft.reason == codes.BY_SIGNAL

    @property
    def today(self) -> int:
        return self.now // DAY_MS

    @property
    def opening(self) -> int:
        """The day's; 0 where it has none."""
        clock = self.scene.state.clock
        return max(int(clock[codes.DAY_OPEN]), 0) if clock[codes.DAY] == self.today else 0

    def clock(self, field: int) -> int:
        return int(self.scene.state.clock[field])

    def here(self, name: str) -> float:
        return float(getattr(self.scene.columns, name)[self.scene.t, self.i])


def lowest(seen: Seen, field: int) -> int:
    """An unknown equity stays unknown."""
    return min(seen.clock(field), seen.equity) if seen.clock(field) >= 0 else seen.equity


def lost(mark: int, low: int) -> float:
    return 100.0 * (mark - low) / mark if mark > 0 and low >= 0 else 0.0


def left(seen: Seen, since: int, rest: int) -> float:
    return max(since + rest - seen.now, 0) / S if seen.new and since >= 0 else 0.0


def rest_after_sale(seen: Seen) -> int:
    state, pacing = seen.scene.state, seen.scene.law.pacing
    if state.exit_reason[seen.asset] == codes.BY_STOP:
        return pacing.cooldown_stop_ms
    return pacing.cooldown_win_ms if state.exit_won[seen.asset] else pacing.cooldown_loss_ms


def halted(seen: Seen) -> int:
    machine = {
        codes.TRIPPED: codes.REDUCING, codes.COOLING_DOWN: codes.REDUCING, codes.KILLED: codes.STANDING,
    }.get(int(seen.scene.state.halt[codes.HALT]), codes.ACTIVE)  # fmt: skip
    return max(machine, seen.scene.guard.halted)


def spread(seen: Seen) -> float:
    """In ppm."""
    bid, ask = seen.here("bid"), seen.here("ask")
    return 1e6 * (ask - bid) / ((ask + bid) / 2) if bid > 0 and ask > 0 else 1e6


def eligible(seen: Seen) -> bool:
    tiers, tier, columns = seen.scene.law.tiers, int(seen.scene.law.instruments.tier[seen.i]), seen.scene.columns
    traded = int(columns.eligible[0, seen.i])
    near = traded != 2 or spread(seen) <= tiers.near_spread_ppm
    good = spread(seen) <= tiers.max_spread_ppm[tier] and columns.depth[0, seen.i] >= tiers.min_depth[tier]
    return bool(traded and near and good and not seen.scene.guard.barred[seen.i])


def counted(seen: Seen, window: int, so_far: int, length_ms: int, limit: int) -> Figure:
    known = seen.clock(so_far) if seen.clock(window) == seen.now // length_ms else 0
    return (1.0 + known if seen.new else 0.0), limit


def gained(seen: Seen) -> float:
    return 100.0 * (max(seen.clock(codes.DAY_HIGH), seen.equity) - seen.opening) / seen.opening if seen.opening else 0.0


def day_part(seen: Seen, limit: float, value: float) -> Figure:
    return (value, 100.0 * limit) if limit >= 0 else (0.0, 0.0)


def adding(seen: Seen) -> bool:
    return bool(seen.scene.state.lots[seen.i] > 0)


def busy(seen: Seen) -> int:
    state, orders = seen.scene.state, seen.scene.state.orders[seen.i, :, codes.KIND]
    again = adding(seen) and seen.new and not seen.scene.law.pacing.adds_allowed
    assert state.lots[seen.i] >= 0
    return int(again) + int(orders[codes.ENTRY] != 0) + int(orders[codes.EXIT] != 0)


def restless(seen: Seen) -> bool:
    ranged = seen.here("day_range")
    return ranged < 0 or ranged > seen.scene.law.market.calm_range


def others(seen: Seen) -> int:
    law, _, state, columns, t, _, _ = seen.scene
    return int(np.delete(oracle.positions(law, state, columns, t), seen.i).sum())


FIGURES: dict[Verdict, Callable[[Seen], Figure]] = {
    Verdict.HALTED: lambda s: (halted(s), 0),
    Verdict.PAUSED: lambda s: (s.scene.guard.paused, 0),
    Verdict.UNRESOLVED: lambda s: (s.scene.guard.unknown[s.i] + s.scene.guard.differs[s.i], 0),
    Verdict.POLICY_STALE: lambda s: (s.scene.guard.policy_ms / S, s.scene.law.market.max_policy_age_ms / S),
    Verdict.EQUITY_UNKNOWN: lambda s: (s.equity / E8, 1 / E8),
    Verdict.INELIGIBLE: lambda s: (eligible(s), 1),
    Verdict.INPUT_MISSING: lambda s: (1 - int(s.scene.guard.unquoted[s.i]), 1),
    Verdict.BANNED: lambda s: (max(int(s.scene.guard.banned_ms[s.i]) - s.now, 0) / S, 0),
    Verdict.REGIME: lambda s: (100 * s.scene.law.market.scale[s.scene.columns.regime[0]], 0.01),
    Verdict.CALENDAR: lambda s: (s.here("trading"), OPEN),
    Verdict.STALE_DATA: lambda s: (s.here("age_ms") / S, s.scene.law.market.max_age_ms / S),
    Verdict.OUTLIER: lambda s: (s.here("deviation"), s.scene.law.market.max_deviation),
    Verdict.JUMP: lambda s: (0 if s.here("jump") == NO_TICKS else s.here("jump"), s.scene.law.market.max_jump),
    Verdict.DAY_LOSS: lambda s: (lost(s.opening, lowest(s, codes.DAY_LOW)), 100 * s.scene.law.risk.max_day_loss),
    Verdict.WEEK_LOSS: lambda s: (
        lost(s.clock(codes.WEEK_OPEN) if s.clock(codes.WEEK) == week_of(s.now) else 0, lowest(s, codes.WEEK_LOW)),
        100 * s.scene.law.risk.max_week_loss,
    ),
    Verdict.DRAWDOWN: lambda s: (lost(s.clock(codes.HIGH), s.equity), 100 * s.scene.law.risk.max_drawdown),
    Verdict.DAY_STOP: lambda s: day_part(s, s.scene.law.risk.day_stop, lost(s.opening, lowest(s, codes.DAY_LOW))),
    Verdict.DAY_TARGET: lambda s: day_part(s, s.scene.law.risk.day_target, gained(s)),
    Verdict.COOLDOWN: lambda s: (left(s, int(s.scene.state.exit_ms[s.asset]), rest_after_sale(s)), 0),
    Verdict.LOSING_STREAK: lambda s: (
        left(s, s.clock(codes.LOSS_MS), s.scene.law.pacing.streak_pause_ms)
        if s.clock(codes.STREAK) >= s.scene.law.pacing.max_streak else 0, 0,
    ),
    Verdict.SPACING: lambda s: (
        left(s, s.clock(codes.ENTERED_MS), s.scene.law.pacing.spacing_ms)
        if s.clock(codes.ENTERED_MS) < s.now else 0, 0,
    ),
    Verdict.ASSET_SPACING: lambda s: (
        left(s, int(s.scene.state.entry_ms[s.asset]), s.scene.law.pacing.asset_spacing_ms), 0,
    ),
    Verdict.HOUR_ENTRIES: lambda s: counted(
        s, codes.HOUR, codes.HOUR_ENTRIES, HOUR_MS, s.scene.law.pacing.per_hour
    ),
    Verdict.DAY_ENTRIES: lambda s: counted(
        s, codes.ENTRY_DAY, codes.DAY_ENTRIES, DAY_MS, s.scene.law.pacing.per_day
    ),
    Verdict.CYCLE_ENTRIES: lambda s: (
        s.new * (1 + int(s.scene.entered.sum())), s.scene.law.pacing.per_cycle,
    ),
    Verdict.STRATEGY_TRADES: lambda s: (
        (1 + s.scene.entered[s.scene.draft.strategy], s.scene.law.strategies.max_trades[s.scene.draft.strategy])
        if s.new else (0, 0)
    ),
    Verdict.CONVICTION: lambda s: (
        (100 * s.scene.draft.conviction, 100 * s.scene.law.strategies.min_conviction[s.scene.draft.strategy])
        if s.new else (0, 0)
    ),
    Verdict.VOLATILITY: lambda s: (s.here("volatility"), s.scene.law.market.max_volatility),
    Verdict.QUIET_MARKET: lambda s: (
        s.here("atr_ratio"), s.scene.law.market.min_atr_ratio[s.scene.columns.regime[0]],
    ),
    Verdict.LOW_CONFIDENCE: lambda s: (
        s.new * 100 * s.scene.draft.conviction,
        s.new * restless(s) * 100 * s.scene.law.market.min_restless_conviction,
    ),
    Verdict.HELD: lambda s: (busy(s), 0),
    Verdict.ADD_SPACING: lambda s: (
        adding(s) * left(s, int(s.scene.state.entry_ms[s.asset]), s.scene.law.pacing.add_spacing_ms), 0,
    ),
    Verdict.ADDS_PER_DAY: lambda s: (
        adding(s) * s.new * (1 + s.scene.state.adds[s.asset] * (s.scene.state.add_day[s.asset] == s.today)),
        s.scene.law.pacing.adds_per_day,
    ),
    Verdict.MAX_POSITIONS: lambda s: (1 + others(s), s.scene.law.risk.max_positions),
    Verdict.SPREAD: lambda s: (spread(s) / 100, s.scene.law.liquidity.max_spread_ppm / 100),
}  # fmt: skip


def of_size(scene: Scene, trace: np.ndarray) -> dict[Verdict, Figure]:
    """Figures that depend on how much is bought, which every cap before may have made smaller. What the gates of the
    book have left is taken from their trace."""
    law, guard, state, columns, t, draft, _ = scene
    i, lots, found = draft.instrument, draft.lots, dict[Verdict, Figure]()
    price, liquidity = draft.price, law.liquidity

    def fitted(room: int) -> int:
        """The most lots that it pays for; of some that do not fit at all the order is judged whole."""
        if oracle.cost(law, i, lots, price) <= room:
            return lots
        low, high = 0, lots
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if oracle.cost(law, i, middle, price) <= room else (low, middle)
        return low if low >= 1 else lots

    room = oracle.free_cash(law, state)
    found[Verdict.CASH] = oracle.cost(law, i, lots, price) / E8, room / E8
    lots = fitted(room)
    owner = oracle.owner(state, i, draft.strategy)
    for verdict, dimension in CAPS.items():
        key = oracle.keys_of(law, i, owner)[dimension]
        if key < 0:
            key, dimension = 0, "total"
        cap = oracle.cap(law, columns, t, dimension, key)
        used = min(oracle.at_risk(law, guard, state, columns, t, dimension, key), 1 << 62)
        paid = oracle.cost(law, i, lots, price)
        share = 100.0 * (used + paid) / draft.equity if draft.equity > 0 else 0.0
        found[verdict] = share, float(100 * cap)
        if draft.equity > 0:
            lots = fitted(floor(cap * draft.equity) - int(used))
    if trace[Verdict.CLUSTER_CAP - 1, 2] != codes.PASS or draft.equity <= 0:
        return found
    if trace[Verdict.CLUSTER_CAP - 1, 0] > trace[Verdict.CLUSTER_CAP - 1, 1]:
        return found  # it was shrunk there, by a count that another test keeps
    worth = ceil(oracle.value(law, i, lots, price))
    depth = int(columns.depth[t, i])
    room = depth * liquidity.max_depth_ppm // 10**6
    found[Verdict.DEPTH] = worth / E8, room / E8
    fits = min(lots, floor(Fraction(room) / oracle.value(law, i, 1, price)))
    lots = fits if fits >= 1 else lots
    if depth == 0 or columns.bid[t, i] == 0:
        return found
    slippage = floor(oracle.slippage(law, columns, t, draft, lots)) if draft.kind == codes.TAKER else 0
    found[Verdict.SLIPPAGE] = slippage / 100, liquidity.max_slippage_ppm / 100
    fee = law.costs.maker_fee_ppm if draft.kind == codes.MAKER else law.costs.taker_fee_ppm
    found[Verdict.COST] = (fee + slippage) / 100, liquidity.max_cost_ppm / 100
    leaving = law.costs.taker_fee_ppm + law.costs.half_spread_ppm + oracle.modelled(law, columns, t, draft, lots)
    needed = (fee + slippage + leaving) * liquidity.min_edge_ppm // 10**6 / 100
    found[Verdict.EDGE] = draft.target_bps, needed
    brings = floor(oracle.value(law, i, lots, price))
    net = 2 * brings - oracle.cost(law, i, lots, price) if lots > 0 else 0
    found[Verdict.MIN_NOTIONAL] = net / E8, max(liquidity.min_notional, ceil(oracle.floor_at_stop(law, draft))) / E8
    return found


def of_a_book(seen: Seen) -> dict[Verdict, float]:
    """What the gates of the book are measured against; what they measure another test counts."""
    limits, law, columns = seen.scene.law.portfolio, seen.scene.law, seen.scene.columns
    scale = min(float(law.market.scale[columns.regime[0]]), 1.0)
    return {
        Verdict.CLUSTER_ASSETS: limits.cluster_assets, Verdict.CLUSTER_CAP: 100 * limits.max_cluster * scale,
        Verdict.VAR: 100 * limits.max_var, Verdict.LEVERAGE: limits.max_leverage,
        Verdict.CONCENTRATION: 100 * limits.max_concentration,
    }  # fmt: skip


def assert_measured(scene: Scene) -> set[Verdict]:
    """Which of them could be counted."""
    _, _, trace = judged(scene)
    seen = Seen(scene)
    expected = {verdict: figure(seen) for verdict, figure in FIGURES.items()} | of_size(scene, trace)
    for verdict, (value, limit) in expected.items():
        told = trace[verdict - 1]
        off = 0.0101 if verdict in (Verdict.SLIPPAGE, Verdict.COST) else 1e-9  # of whole ppm, in bps
        if verdict is Verdict.EDGE:
            off = 0.0101 * max(scene.law.liquidity.min_edge_ppm / 10**6, 1)
        assert told[0] == pytest.approx(float(value), rel=1e-12, abs=off), f"{verdict.name}: {told}, not {value}"
        assert told[1] == pytest.approx(float(limit), rel=1e-12, abs=off), f"{verdict.name}: {told}, not of {limit}"
    for verdict, limit in of_a_book(seen).items():
        assert trace[verdict - 1, 1] == pytest.approx(limit, rel=1e-12), verdict.name
        unknown = scene.draft.equity <= 0 and verdict is not Verdict.CLUSTER_ASSETS
        assert not unknown or trace[verdict - 1, 0] == 0, "a share of nothing"
    return set(expected)


def test_every_gate_measures_what_its_name_says() -> None:
    counted_so: set[Verdict] = set()

    @given(scenes)
    @examples(300)
    def holds(scene: Scene) -> None:
        counted_so.update(assert_measured(scene))

    holds()
    assert counted_so | OF_A_BOOK == {gate.verdict for gate in GATES}


@given(st.sampled_from([gate.verdict for gate in GATES]).flatmap(troubled_by))
@examples(300)
def test_it_does_so_too_where_something_is_wrong(scene: Scene) -> None:
    assert_measured(scene)
