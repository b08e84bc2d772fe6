"""Every gate stands alone: with the whole trace measured, one number flips one gate and leaves all others as they are.

A gate without a pair fails here. One that only ever says no together with another would be no gate of its own, and
one that says no for another's reason would hide it in `why`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.laws.make import BAR_MS
from tests.laws.worlds import (
    ASSETS,
    COUNT,
    NOON_MS,
    STRATEGY_COUNT,
    UNITS,
    Scene,
    arrays,
    copied,
    edited,
    instrument_rows,
    ints,
    open_guard,
)
from trader_core.domain.clocktime import DAY_MS, HOUR_MS, MINUTE_MS
from trader_core.rulebook import codes
from trader_core.rulebook.account import week_of
from trader_core.rulebook.codes import GATE_COUNT, GATES, Verdict
from trader_core.rulebook.gates.standing import NEARLY
from trader_core.rulebook.judge import judge
from trader_core.rulebook.limits import (
    Costs,
    Exits,
    Halts,
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
from trader_core.rulebook.state import (
    NO_RETURN,
    NOBODY_KNOWS,
    OPEN,
    SHUT,
    Columns,
    Draft,
    State,
    empty_desk,
    empty_state,
)

E8 = 10**8
ETH, BTC = 2, 0
PRICE = 100_000  # ticks, and grains a lot
LOTS = 20_000  # twenty quote at that price
EQUITY = 10**6 * E8
CHOP = codes.CHOP
ROWS = 1
# BTC, its other pair, ETH and SHIB on four days; the first and the third go together by 0.27.
DAYS = [[0.01, 0.01, 0.01, 0.01], [0.02, 0.02, -0.03, -0.01], [-0.04, -0.04, -0.02, 0.01], [0.01, 0.01, 0.03, -0.01]]


def law() -> Law:
    """Each limit at its own edge or well away from it; what is counted stands right at the limit."""
    ones = np.ones(codes.TIER_COUNT)
    return Law(
        risk=Risk(
            max_total=0.5, max_asset=0.5, max_theme=np.full(3, 0.5), max_tier=0.5 * ones, max_positions=2,
            max_wait_ms=0,
            max_day_loss=0.1, max_week_loss=0.1, max_drawdown=0.1, halve_at_day_loss=0.5,
            day_stop=0.6, day_target=0.1,
        ),
        portfolio=Portfolio(
            cluster_assets=1, max_cluster=0.5, min_correlation=0.7, cluster_days=4, cluster_min_days=4, max_var=0.5,
            var_days=4, var_min_days=4, var_tail_ppm=50_000, var_stress=0.15, max_leverage=1.0, max_concentration=0.5,
        ),
        pacing=Pacing(
            cooldown_win_ms=10 * MINUTE_MS, cooldown_loss_ms=60 * MINUTE_MS, cooldown_stop_ms=120 * MINUTE_MS,
            max_streak=3, streak_pause_ms=HOUR_MS, spacing_ms=MINUTE_MS, asset_spacing_ms=15 * MINUTE_MS, per_cycle=3,
            per_hour=3, per_day=9, adds_allowed=1, add_spacing_ms=10 * MINUTE_MS, adds_per_day=2,
        ),
        market=Market(
            scale=np.array([0.0, 1.2, 0.8, 0.5, 0.0]), min_atr_ratio=np.full(5, 1.05), max_age_ms=1800 * 1000,
            max_deviation=10.0, max_jump=6.0, max_volatility=150.0, calm_range=5.0, min_restless_conviction=0.8,
            max_policy_age_ms=600 * 1000,
        ),
        tiers=Tiers(ints(0, 3_500, 3_500, 3_500), ints(0, E8, E8, E8), near_spread_ppm=3_000),
        liquidity=Liquidity(
            max_spread_ppm=5_000, max_depth_ppm=500_000, max_slippage_ppm=6_000, max_cost_ppm=20_000,
            min_edge_ppm=2_000_000, min_notional=10 * E8,
        ),
        orders=Orders(0.05 * ones, BAR_MS, 1, 1, BAR_MS, 10_000, 0),
        costs=Costs(6_000, 12_000, 500, Slippage(ints(0, 500, 500, 500), 0, 0.0, 1.0, 5.0, 1.0), 100_000, 5_000),
        instruments=instrument_rows(UNITS, ASSETS, [0, 0, 1, 2], [1, 1, 2, 3]),
        strategies=Strategies(np.array([0.5, 0.5]), ints(3, 3), np.array([0.3, 0.3])),
        halts=Halts(1, 500_000, 500_000, 10_000, 5, 15 * MINUTE_MS, 0, MINUTE_MS, 0, HOUR_MS, 0, 15 * MINUTE_MS, 1, 0),
        sizing=Sizing(
            0, EQUITY, 1.0, 0.6, 0.5, 0.85, 1.5, 150.0, 0.3, 5, 0.5, 0.01, 1.2, Recovery(0.04, 0.6, 0.08, 0.2),
            Kelly(0.25, 0.05, 30),
        ),
        exits=Exits(200, 500, 0, 0, 500_000, 0, 0),
    )  # fmt: skip


def columns() -> Columns:
    def everywhere(value: float, kind: type = np.int64) -> Any:
        return np.full((ROWS, COUNT), value, kind)

    def opinions(value: float, kind: type = np.int64) -> Any:
        return np.full((STRATEGY_COUNT, ROWS, COUNT), value, kind)

    return Columns(
        at_ms=ints(NOON_MS), hour=ints(0), asked=ints(0), funding_ppm=everywhere(0),
        day_range=everywhere(1.0, np.float64),
        close=everywhere(PRICE), bid=everywhere(PRICE - 50), ask=everywhere(PRICE + 50),
        depth=everywhere(10**6 * E8), age_ms=everywhere(0), regime=ints(CHOP), eligible=everywhere(NEARLY, np.int8),
        deviation=everywhere(1.0, np.float64), outlier=everywhere(0, np.int8), jump=everywhere(1.0, np.float64),
        trading=everywhere(OPEN, np.int8), shut=everywhere(0, np.int8),
        first_day=ints(NOON_MS // DAY_MS - len(DAYS)), returns=np.array(DAYS),
        volatility=everywhere(80.0, np.float64), atr_ratio=everywhere(1.5, np.float64), enter=opinions(1, np.int8),
        leave=opinions(0, np.int8), conviction=opinions(0.5, np.float64), scale=opinions(1.0, np.float64),
        stop_bps=opinions(500), target_bps=opinions(2_000), hold_ms=opinions(0),
    )  # fmt: skip


def state() -> State:
    """ETH is held, was bought before and added to once today, was sold with a loss two hours ago, and BTC is held."""
    made = empty_state(COUNT, len(set(ASSETS)), STRATEGY_COUNT)
    made.cash[0], made.known[0] = EQUITY // 2, 1
    for i, lots in ((ETH, 1), (BTC, 100)):
        made.lots[i], made.strategy[i], made.stop_bps[i], made.cost[i] = lots, 0, 500, PRICE
    eth = ASSETS[ETH]
    made.entry_ms[eth] = NOON_MS - HOUR_MS
    made.add_day[eth], made.adds[eth] = NOON_MS // DAY_MS, 1
    made.exit_ms[eth], made.exit_reason[eth] = NOON_MS - 2 * HOUR_MS, codes.BY_SIGNAL
    clock = made.clock
    clock[codes.DAY], clock[codes.DAY_OPEN], clock[codes.WEEK], clock[codes.WEEK_OPEN] = (
        NOON_MS // DAY_MS, EQUITY, week_of(NOON_MS), EQUITY,
    )  # fmt: skip
    clock[codes.DAY_LOW] = clock[codes.DAY_HIGH] = clock[codes.WEEK_LOW] = EQUITY
    clock[codes.HIGH], clock[codes.EQUITY], clock[codes.DECIDED_MS] = EQUITY, EQUITY, NOON_MS - BAR_MS
    clock[codes.HOUR], clock[codes.HOUR_ENTRIES] = NOON_MS // HOUR_MS, 2
    clock[codes.ENTRY_DAY], clock[codes.DAY_ENTRIES] = NOON_MS // DAY_MS, 8
    clock[codes.ENTERED_MS], clock[codes.STREAK], clock[codes.LOSS_MS] = NOON_MS - HOUR_MS, 2, NOON_MS - 30 * MINUTE_MS
    return made


def base() -> Scene:
    """A taker adds to ETH in a calm market, and nothing stands against it."""
    draft = Draft(ETH, 1, codes.TAKER, PRICE + 100, LOTS, codes.BY_SIGNAL, 0, EQUITY, 0.5, 500, 2_000, 0)
    return Scene(law(), open_guard(), state(), columns(), 0, draft, ints(1, 1))


# --- one number each -----------------------------------------------------------------------------------------

Change = Callable[[Scene], Scene]


def limit(group: str, name: str, value: float, key: int | None = None) -> Change:
    def change(scene: Scene) -> Scene:
        limits = getattr(scene.law, group)
        if key is not None:
            getattr(limits, name)[key] = value
            return scene
        return scene._replace(law=edited(scene.law, group, edited(limits, name, value)))

    return change


def put(part: str, name: str, key: Any, value: float) -> Change:
    """Of guard, state or columns."""

    def change(scene: Scene) -> Scene:
        getattr(getattr(scene, part), name)[key] = value
        return scene

    return change


def drafted(name: str, value: float) -> Change:
    return lambda scene: scene._replace(draft=edited(scene.draft, name, value))


def guarded(name: str, value: int) -> Change:
    return lambda scene: scene._replace(guard=edited(scene.guard, name, value))


HERE = (0, ETH)
THEIRS = ASSETS[ETH]
FLIPS: dict[Verdict, tuple[Change, ...]] = {
    Verdict.HALTED: (guarded("halted", codes.REDUCING), guarded("halted", codes.STANDING)),
    Verdict.PAUSED: (guarded("paused", 1),),
    Verdict.UNRESOLVED: (put("guard", "unknown", ETH, 1), put("guard", "differs", ETH, 1)),
    Verdict.POLICY_STALE: (guarded("policy_ms", 600_001), limit("market", "max_policy_age_ms", -1)),
    Verdict.EQUITY_UNKNOWN: (drafted("equity", -1),),  # an equity of 0 is known, and is a loss too
    Verdict.INPUT_MISSING: (put("guard", "unquoted", ETH, 1),),
    Verdict.INELIGIBLE: (
        put("guard", "barred", ETH, 1), put("columns", "eligible", HERE, 0), limit("tiers", "max_spread_ppm", 999, 2),
        limit("tiers", "min_depth", 10**6 * E8 + 1, 2), limit("tiers", "near_spread_ppm", 999),
    ),
    Verdict.BANNED: (put("guard", "banned_ms", ETH, NOON_MS + 1),),
    Verdict.REGIME: (limit("market", "scale", 0.00009, CHOP),),  # of caps scaled to nothing there is none to keep
    Verdict.CALENDAR: (put("columns", "trading", HERE, SHUT), put("columns", "trading", HERE, NOBODY_KNOWS)),
    Verdict.STALE_DATA: (put("columns", "age_ms", HERE, 1_800_001), limit("market", "max_age_ms", -1)),
    Verdict.OUTLIER: (put("columns", "outlier", HERE, 1),),
    Verdict.JUMP: (put("columns", "jump", HERE, 6.000001), put("columns", "jump", HERE, -1.0)),
    Verdict.DAY_LOSS: (
        limit("risk", "max_day_loss", 0.0), put("state", "clock", codes.DAY_OPEN, EQUITY * 2),
        put("state", "clock", codes.DAY_LOW, EQUITY // 2),
    ),
    Verdict.WEEK_LOSS: (
        limit("risk", "max_week_loss", 0.0), put("state", "clock", codes.WEEK_OPEN, EQUITY * 2),
        put("state", "clock", codes.WEEK_LOW, EQUITY // 2),
    ),
    Verdict.DRAWDOWN: (limit("risk", "max_drawdown", 0.0), put("state", "clock", codes.HIGH, EQUITY * 2)),
    Verdict.DAY_STOP: (limit("risk", "day_stop", 0.0),),
    Verdict.DAY_TARGET: (limit("risk", "day_target", 0.0), put("state", "clock", codes.DAY_HIGH, EQUITY * 2)),
    Verdict.COOLDOWN: (
        limit("pacing", "cooldown_loss_ms", 2 * HOUR_MS + 1), put("state", "exit_ms", THEIRS, NOON_MS - HOUR_MS + 1),
    ),
    Verdict.LOSING_STREAK: (limit("pacing", "max_streak", 2), put("state", "clock", codes.STREAK, 3)),
    Verdict.SPACING: (limit("pacing", "spacing_ms", HOUR_MS + 1), put("state", "clock", codes.ENTERED_MS, NOON_MS - 1)),
    Verdict.ASSET_SPACING: (limit("pacing", "asset_spacing_ms", HOUR_MS + 1),),
    Verdict.HOUR_ENTRIES: (limit("pacing", "per_hour", 2), put("state", "clock", codes.HOUR_ENTRIES, 3)),
    Verdict.DAY_ENTRIES: (limit("pacing", "per_day", 8), put("state", "clock", codes.DAY_ENTRIES, 9)),
    Verdict.CYCLE_ENTRIES: (limit("pacing", "per_cycle", 2), lambda scene: scene._replace(entered=ints(2, 1))),
    Verdict.STRATEGY_TRADES: (limit("strategies", "max_trades", 1, 1),),
    Verdict.CONVICTION: (drafted("conviction", 0.299999), limit("strategies", "min_conviction", 0.500001, 1)),
    Verdict.VOLATILITY: (put("columns", "volatility", HERE, 150.001), put("columns", "volatility", HERE, -1.0)),
    Verdict.QUIET_MARKET: (
        put("columns", "atr_ratio", HERE, 1.049999), put("columns", "atr_ratio", HERE, -1.0),
        limit("market", "min_atr_ratio", 1.500001, CHOP),
    ),
    Verdict.LOW_CONFIDENCE: (
        put("columns", "day_range", HERE, 5.000001), put("columns", "day_range", HERE, -1.0),
        limit("market", "calm_range", 0.999999),
    ),
    Verdict.HELD: (
        limit("pacing", "adds_allowed", 0), put("state", "orders", (ETH, codes.EXIT, codes.KIND), codes.TAKER),
        put("state", "orders", (ETH, codes.ENTRY, codes.KIND), codes.MAKER),
    ),
    Verdict.ADD_SPACING: (limit("pacing", "add_spacing_ms", HOUR_MS + 1),),
    Verdict.ADDS_PER_DAY: (limit("pacing", "adds_per_day", 1), put("state", "adds", THEIRS, 2)),
    Verdict.MAX_POSITIONS: (limit("risk", "max_positions", 1), put("state", "lots", 3, 1)),
    Verdict.CASH: (put("state", "cash", 0, 1),),
    Verdict.STRATEGY_CAP: (limit("strategies", "max_at_risk", 1e-9, 0),),  # of the one that has the position
    Verdict.ASSET_CAP: (limit("risk", "max_asset", 1e-9),),
    Verdict.THEME_CAP: (limit("risk", "max_theme", 1e-9, 1),),
    Verdict.TIER_CAP: (limit("risk", "max_tier", 1e-9, 2),),
    Verdict.TOTAL_EXPOSURE: (limit("risk", "max_total", 1e-9),),
    Verdict.CLUSTER_ASSETS: (
        limit("portfolio", "cluster_assets", 0), limit("portfolio", "min_correlation", 0.2),
        limit("portfolio", "cluster_min_days", 5), put("columns", "returns", (1, ETH), 0.03),
        put("columns", "returns", (3, ETH), NO_RETURN),
    ),
    Verdict.CLUSTER_CAP: (limit("portfolio", "max_cluster", 1e-9),),
    Verdict.VAR: (limit("portfolio", "max_var", 1e-9), limit("portfolio", "var_min_days", 5)),
    Verdict.LEVERAGE: (limit("portfolio", "max_leverage", 1e-9),),
    Verdict.CONCENTRATION: (limit("portfolio", "max_concentration", 1e-9),),
    Verdict.SPREAD: (limit("liquidity", "max_spread_ppm", 999),),
    Verdict.DEPTH: (limit("liquidity", "max_depth_ppm", 0),),
    Verdict.SLIPPAGE: (limit("liquidity", "max_slippage_ppm", 0),),
    Verdict.COST: (limit("liquidity", "max_cost_ppm", 12_000),),
    Verdict.EDGE: (drafted("target_bps", 1), limit("liquidity", "min_edge_ppm", 10**8)),
    Verdict.MIN_NOTIONAL: (
        limit("liquidity", "min_notional", 20 * E8), limit("instruments", "min_notional", 20 * E8, ETH),
    ),
}  # fmt: skip
CASES = [(gate.verdict, n) for gate in GATES for n in range(len(FLIPS.get(gate.verdict, (None,))))]


def verdicts(scene: Scene) -> list[int]:
    trace = np.full((GATE_COUNT, 3), -7.5)
    guilty, draft = scene._replace(state=copied(scene.state)), scene.draft
    judge(
        guilty.law,
        guilty.guard,
        guilty.state,
        guilty.columns,
        guilty.t,
        draft,
        guilty.entered,
        empty_desk(COUNT),
        trace,
    )
    return [int(one) for one in trace[:, 2]]


def numbers(scene: Scene) -> list[float]:
    """Every number that a judge looks at."""
    return [float(one) for each in arrays(scene) for one in each.ravel()]


def test_in_the_base_scene_every_gate_has_something_to_measure_and_passes() -> None:
    assert verdicts(base()) == [Verdict.OK] * GATE_COUNT


@pytest.mark.parametrize(("verdict", "n"), CASES, ids=lambda one: one.name if isinstance(one, Verdict) else str(one))
def test_one_number_flips_one_gate_and_no_other(verdict: Verdict, n: int) -> None:
    assert verdict in FLIPS, f"{verdict.name} is new: write the number that flips it alone"
    flipped = FLIPS[verdict][n](base())
    differing = [a for a, b in zip(numbers(base()), numbers(flipped), strict=True) if a != b]
    assert len(differing) == 1, "a pair differs in one number"
    expected = [Verdict.OK] * GATE_COUNT
    expected[verdict - 1] = verdict
    assert verdicts(flipped) == expected


def both(*changes: Change) -> Change:
    def change(scene: Scene) -> Scene:
        for one in changes:
            scene = one(scene)
        return scene

    return change


@pytest.mark.parametrize("opening", [(codes.DAY, codes.NEVER), (codes.DAY_OPEN, codes.NEVER), (codes.DAY_OPEN, 0)])
def test_a_day_s_stop_and_target_without_an_opening_to_measure_from_refuse(opening: tuple[int, int]) -> None:
    """Two percent are lost and nobody knows of what: that is no reason to go on."""
    scene = base()._replace(draft=base().draft._replace(equity=EQUITY * 98 // 100))
    scene.state.clock[opening[0]] = opening[1]
    found = verdicts(scene)
    closed = [one for one in found if one != Verdict.OK]
    assert closed == [Verdict.DAY_STOP, Verdict.DAY_TARGET]
