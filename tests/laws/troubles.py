"""For every gate the one thing that makes it say no, put into a scene in which it had no reason to."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.laws import oracle
from tests.laws.worlds import COUNT, DAYS, Dice, Scene, changed, edited, ints, randoms, with_room
from trader_core.domain.clocktime import DAY_MS, HOUR_MS, MINUTE_MS
from trader_core.rulebook import codes
from trader_core.rulebook.account import week_of
from trader_core.rulebook.codes import Verdict
from trader_core.rulebook.state import NOBODY_KNOWS, SHUT

Trouble = Callable[[Dice, Scene], Scene]
CALM = 0.004  # how often something else is wrong as well
TROUBLED = 0.7


def halted(die: Dice, scene: Scene) -> Scene:
    return scene._replace(guard=scene.guard._replace(halted=die.one_of((codes.REDUCING, codes.STANDING))))


def paused(die: Dice, scene: Scene) -> Scene:
    return scene._replace(guard=scene.guard._replace(paused=1))


def unresolved(die: Dice, scene: Scene) -> Scene:
    of = die.one_of(("unknown", "differs"))
    doubts = changed(getattr(scene.guard, of), scene.draft.instrument, die.between(1, 3))
    return scene._replace(guard=edited(scene.guard, of, doubts))


def policy_stale(die: Dice, scene: Scene) -> Scene:
    old = scene.law.market.max_policy_age_ms + die.between(1, DAY_MS)
    return scene._replace(guard=scene.guard._replace(policy_ms=old))


def equity_unknown(die: Dice, scene: Scene) -> Scene:
    return scene._replace(draft=scene.draft._replace(equity=die.one_of((-1, 0))))


def unquoted(die: Dice, scene: Scene) -> Scene:
    there = changed(scene.guard.unquoted, scene.draft.instrument, 1)
    return scene._replace(guard=scene.guard._replace(unquoted=there))


def ineligible(die: Dice, scene: Scene) -> Scene:
    i, tiers = scene.draft.instrument, scene.law.tiers
    how = die.one_of(("barred", "volume", "spread", "depth", "near"))
    if how == "barred":
        return scene._replace(guard=scene.guard._replace(barred=changed(scene.guard.barred, i, 1)))
    if how == "volume":
        scene.columns.eligible[scene.t, i] = 0
        return scene
    if how == "near":
        scene.columns.eligible[scene.t, i], tiers = 2, tiers._replace(near_spread_ppm=-1)
    elif how == "spread":
        tiers = tiers._replace(max_spread_ppm=np.full(codes.TIER_COUNT, -1, np.int64))
    else:
        tiers = tiers._replace(min_depth=np.full(codes.TIER_COUNT, scene.columns.depth[scene.t, i] + 1, np.int64))
    return scene._replace(law=scene.law._replace(tiers=tiers))


def banned(die: Dice, scene: Scene) -> Scene:
    until = scene.columns.at_ms[scene.t] + die.between(1, DAY_MS)
    return scene._replace(
        guard=scene.guard._replace(banned_ms=changed(scene.guard.banned_ms, scene.draft.instrument, until))
    )


def regime(die: Dice, scene: Scene) -> Scene:
    if die.often():
        scene.columns.regime[scene.t] = codes.UNKNOWN
        return scene
    scale = changed(scene.law.market.scale, scene.columns.regime[scene.t], die.one_of((0.0, 0.00009)))
    return scene._replace(law=scene.law._replace(market=scene.law.market._replace(scale=scale)))


def shut(die: Dice, scene: Scene) -> Scene:
    scene.columns.trading[scene.t, scene.draft.instrument] = die.one_of((SHUT, NOBODY_KNOWS))
    return scene


def stale(die: Dice, scene: Scene) -> Scene:
    if die.often():
        scene.columns.close[scene.t, scene.draft.instrument] = 0
    else:
        scene.columns.age_ms[scene.t, scene.draft.instrument] = scene.law.market.max_age_ms + die.between(1, DAY_MS)
    return scene


def outlier(die: Dice, scene: Scene) -> Scene:
    scene.columns.outlier[scene.t, scene.draft.instrument] = 1
    return scene


def jump(die: Dice, scene: Scene) -> Scene:
    scene.columns.jump[scene.t, scene.draft.instrument] = die.one_of((-1.0, 6.000001, 1e6))
    return scene


def lost(opening: int, limit: str) -> Trouble:
    """So much that the limit is reached, and a little more."""

    def trouble(die: Dice, scene: Scene) -> Scene:
        clock, now, most = scene.state.clock, int(scene.columns.at_ms[scene.t]), getattr(scene.law.risk, limit)
        clock[codes.DAY], clock[codes.WEEK] = now // DAY_MS, week_of(now)
        clock[opening] = int(max(scene.draft.equity, 1) / (1.0 - most) * die.some(1.000001, 1.2)) + 1
        return scene

    return trouble


def day_stop(die: Dice, scene: Scene) -> Scene:
    """A profile that has one; its limit reached, or no opening to measure from."""
    scene = scene._replace(law=scene.law._replace(risk=scene.law.risk._replace(day_stop=0.1, day_target=-1.0)))
    if die.often(0.8):
        return lost(codes.DAY_OPEN, "day_stop")(die, scene)
    scene.state.clock[codes.DAY] = codes.NEVER
    return scene


def day_target(die: Dice, scene: Scene) -> Scene:
    """Reached, now or earlier on the day."""
    risk = scene.law.risk._replace(day_stop=-1.0, day_target=die.one_of((0.1, 0.3)))
    scene = scene._replace(law=scene.law._replace(risk=risk))
    clock, opened = scene.state.clock, max(scene.draft.equity, 1)
    clock[codes.DAY] = int(scene.columns.at_ms[scene.t]) // DAY_MS
    clock[codes.DAY_OPEN] = clock[codes.DAY_LOW] = opened
    clock[codes.DAY_HIGH] = int(opened * (1.0 + risk.day_target) * die.some(1.000001, 1.2)) + 1
    return scene


def by_signal(die: Dice, scene: Scene) -> Scene:
    """What completes an entry is not paced."""
    strategy = max(scene.draft.strategy, 0)
    return scene._replace(draft=scene.draft._replace(reason=codes.BY_SIGNAL, strategy=strategy))


def asset_of(scene: Scene) -> int:
    return int(scene.law.instruments.asset[scene.draft.instrument])


def with_pacing(scene: Scene, **limits: int) -> Scene:
    return scene._replace(law=scene.law._replace(pacing=scene.law.pacing._replace(**limits)))


def cooldown(die: Dice, scene: Scene) -> Scene:
    state, asset, now = scene.state, asset_of(scene), int(scene.columns.at_ms[scene.t])
    state.exit_ms[asset] = now - die.between(0, 29) * MINUTE_MS
    state.exit_reason[asset], state.exit_won[asset] = die.one_of((codes.BY_STOP, codes.BY_TARGET)), die.between(0, 1)
    rest = {"cooldown_win_ms": 30 * MINUTE_MS, "cooldown_loss_ms": 30 * MINUTE_MS, "cooldown_stop_ms": 30 * MINUTE_MS}
    return with_pacing(by_signal(die, scene), **rest)


def losing_streak(die: Dice, scene: Scene) -> Scene:
    now, pause = int(scene.columns.at_ms[scene.t]), die.between(1, 600) * MINUTE_MS
    scene.state.clock[codes.STREAK] = scene.law.pacing.max_streak + die.between(0, 2)
    scene.state.clock[codes.LOSS_MS] = now - die.between(0, pause - 1)
    return with_pacing(by_signal(die, scene), streak_pause_ms=pause)


def spacing(die: Dice, scene: Scene) -> Scene:
    scene.state.clock[codes.ENTERED_MS] = scene.columns.at_ms[scene.t] - die.between(1, 30 * MINUTE_MS - 1)
    return with_pacing(by_signal(die, scene), spacing_ms=30 * MINUTE_MS)


def asset_spacing(die: Dice, scene: Scene) -> Scene:
    scene.state.entry_ms[asset_of(scene)] = scene.columns.at_ms[scene.t] - die.between(0, HOUR_MS - 1)
    return with_pacing(by_signal(die, scene), asset_spacing_ms=HOUR_MS, add_spacing_ms=0)


def hour_entries(die: Dice, scene: Scene) -> Scene:
    scene.state.clock[codes.HOUR] = scene.columns.at_ms[scene.t] // HOUR_MS
    scene.state.clock[codes.HOUR_ENTRIES] = scene.law.pacing.per_hour + die.between(0, 2)
    return by_signal(die, scene)


def day_entries(die: Dice, scene: Scene) -> Scene:
    scene.state.clock[codes.ENTRY_DAY] = scene.columns.at_ms[scene.t] // DAY_MS
    scene.state.clock[codes.DAY_ENTRIES] = scene.law.pacing.per_day + die.between(0, 2)
    return by_signal(die, scene)


def cycle_entries(die: Dice, scene: Scene) -> Scene:
    return with_pacing(by_signal(die, scene), per_cycle=int(scene.entered.sum()) - die.between(0, 1))


def strategy_trades(die: Dice, scene: Scene) -> Scene:
    scene = by_signal(die, scene)
    budgets, s = scene.law.strategies, scene.draft.strategy
    most = changed(budgets.max_trades, s, scene.entered[s] - die.between(0, 1))
    return scene._replace(law=scene.law._replace(strategies=budgets._replace(max_trades=most)))


def conviction(die: Dice, scene: Scene) -> Scene:
    scene = by_signal(die, scene)
    budgets = scene.law.strategies._replace(min_conviction=np.full(len(scene.entered), die.some(0.3, 1.0)))
    weaker = budgets.min_conviction[0] * die.some(0.0, 0.999)
    return scene._replace(
        law=scene.law._replace(strategies=budgets), draft=scene.draft._replace(conviction=float(weaker))
    )


def volatility(die: Dice, scene: Scene) -> Scene:
    wild = die.one_of((-1.0, scene.law.market.max_volatility + 0.001, 1e5))
    scene.columns.volatility[scene.t, scene.draft.instrument] = wild
    return scene


def quiet_market(die: Dice, scene: Scene) -> Scene:
    limit = scene.law.market.min_atr_ratio[scene.columns.regime[scene.t]]
    scene.columns.atr_ratio[scene.t, scene.draft.instrument] = die.one_of((-1.0, limit - 0.001))
    return scene


def low_confidence(die: Dice, scene: Scene) -> Scene:
    scene, market = by_signal(die, scene), scene.law.market
    scene.columns.day_range[scene.t, scene.draft.instrument] = die.one_of((-1.0, market.calm_range + 0.001))
    needed = scene.draft.conviction + 0.001
    return scene._replace(law=scene.law._replace(market=market._replace(min_restless_conviction=needed)))


def add_to(die: Dice, scene: Scene, allowed: int) -> Scene:
    """The draft's instrument held, long enough for every spacing."""
    i = scene.draft.instrument
    if scene.state.lots[i] == 0:
        die.hold(scene.law, scene.state, i, 1, scene.draft.price, 0, int(scene.columns.at_ms[scene.t]))
    return with_pacing(by_signal(die, scene), adds_allowed=allowed)


def held(die: Dice, scene: Scene) -> Scene:
    i = scene.draft.instrument
    if die.often():
        return add_to(die, scene, 0)
    die.order(scene.state, i, codes.EXIT, codes.TAKER, 1, 1, 1, 0, 0, 0)
    return scene


def add_spacing(die: Dice, scene: Scene) -> Scene:
    scene.state.entry_ms[asset_of(scene)] = scene.columns.at_ms[scene.t] - die.between(0, HOUR_MS - 1)
    return with_pacing(add_to(die, scene, 1), asset_spacing_ms=0, add_spacing_ms=HOUR_MS)


def adds_per_day(die: Dice, scene: Scene) -> Scene:
    asset = asset_of(scene)
    scene.state.add_day[asset] = scene.columns.at_ms[scene.t] // DAY_MS
    scene.state.adds[asset] = scene.law.pacing.adds_per_day + die.between(0, 1)
    return add_to(die, scene, 1)


def max_positions(die: Dice, scene: Scene) -> Scene:
    taken = oracle.positions(scene.law, scene.state, scene.columns, scene.t)
    busy = sum(taken) - taken[scene.draft.instrument]
    return scene._replace(law=scene.law._replace(risk=scene.law.risk._replace(max_positions=busy)))


def no_room(dimension: str) -> Trouble:
    return lambda die, scene: with_room(by_signal(die, scene), dimension, die.one_of((-1.0, 0.0, -0.000001)))


def with_portfolio(scene: Scene, **limits: Any) -> Scene:
    return scene._replace(law=scene.law._replace(portfolio=scene.law.portfolio._replace(**limits)))


def clustered(die: Dice, scene: Scene) -> Scene:
    """Another coin is held that rises and falls with it, or of which too little is known."""
    i = scene.draft.instrument
    other = die.one_of([j for j in range(COUNT) if scene.law.instruments.asset[j] != asset_of(scene)])
    if scene.state.lots[other] == 0:
        price = max(int(scene.columns.close[scene.t, other]), 1)
        die.hold(scene.law, scene.state, other, 1, price, 0, int(scene.columns.at_ms[scene.t]))
    if die.often():
        scene.columns.returns[:, other] = scene.columns.returns[:, i]
        return with_portfolio(scene, cluster_assets=1, min_correlation=0.7)
    return with_portfolio(scene, cluster_assets=1, cluster_min_days=DAYS + 1)


def no_room_beside(die: Dice, scene: Scene) -> Scene:
    return with_portfolio(scene, max_cluster=die.one_of((0.0, 1e-15)))


def bad_day(die: Dice, scene: Scene) -> Scene:
    """Days of ruin, or too few of any."""
    if die.often():
        return with_portfolio(scene, var_min_days=DAYS + 1)
    scene.columns.returns[:, scene.draft.instrument] = -die.some(0.5, 1.0)
    return with_portfolio(scene, max_var=1e-12)


def beyond(limit: str) -> Trouble:
    return lambda die, scene: with_portfolio(scene, **{limit: die.one_of((0.0, 1e-12))})


def depth(die: Dice, scene: Scene) -> Scene:
    if die.often():
        return costly("max_depth_ppm")(die, scene)
    scene.columns.depth[scene.t, scene.draft.instrument] = 0
    return scene._replace(law=scene.law._replace(tiers=scene.law.tiers._replace(min_depth=ints(0, 0, 0, 0))))


def costly(limit: str) -> Trouble:
    """A limit that everything is beyond."""

    def trouble(die: Dice, scene: Scene) -> Scene:
        liquidity = edited(scene.law.liquidity, limit, 0 if limit == "max_depth_ppm" else -1)
        return scene._replace(law=scene.law._replace(liquidity=liquidity))

    return trouble


def slippage(die: Dice, scene: Scene) -> Scene:
    return costly("max_slippage_ppm")(die, scene._replace(draft=scene.draft._replace(kind=codes.TAKER)))


def edge(die: Dice, scene: Scene) -> Scene:
    costs = scene.law.costs._replace(half_spread_ppm=500)
    liquidity = scene.law.liquidity._replace(min_edge_ppm=die.between(10**6, 10**9))
    law = scene.law._replace(costs=costs, liquidity=liquidity)
    return scene._replace(law=law, draft=scene.draft._replace(target_bps=die.between(0, 4)))


def min_notional(die: Dice, scene: Scene) -> Scene:
    floor = 10**17
    if die.often():
        rows = scene.law.instruments
        dear = changed(rows.min_notional, scene.draft.instrument, floor)
        return scene._replace(law=scene.law._replace(instruments=rows._replace(min_notional=dear)))
    return scene._replace(law=scene.law._replace(liquidity=scene.law.liquidity._replace(min_notional=floor)))


TROUBLES: dict[Verdict, Trouble] = {
    Verdict.HALTED: halted,
    Verdict.PAUSED: paused,
    Verdict.UNRESOLVED: unresolved,
    Verdict.POLICY_STALE: policy_stale,
    Verdict.EQUITY_UNKNOWN: equity_unknown,
    Verdict.INPUT_MISSING: unquoted,
    Verdict.INELIGIBLE: ineligible,
    Verdict.BANNED: banned,
    Verdict.REGIME: regime,
    Verdict.CALENDAR: shut,
    Verdict.STALE_DATA: stale,
    Verdict.OUTLIER: outlier,
    Verdict.JUMP: jump,
    Verdict.DAY_LOSS: lost(codes.DAY_OPEN, "max_day_loss"),
    Verdict.WEEK_LOSS: lost(codes.WEEK_OPEN, "max_week_loss"),
    Verdict.DRAWDOWN: lost(codes.HIGH, "max_drawdown"),
    Verdict.DAY_STOP: day_stop,
    Verdict.DAY_TARGET: day_target,
    Verdict.COOLDOWN: cooldown,
    Verdict.LOSING_STREAK: losing_streak,
    Verdict.SPACING: spacing,
    Verdict.ASSET_SPACING: asset_spacing,
    Verdict.HOUR_ENTRIES: hour_entries,
    Verdict.DAY_ENTRIES: day_entries,
    Verdict.CYCLE_ENTRIES: cycle_entries,
    Verdict.STRATEGY_TRADES: strategy_trades,
    Verdict.CONVICTION: conviction,
    Verdict.VOLATILITY: volatility,
    Verdict.QUIET_MARKET: quiet_market,
    Verdict.LOW_CONFIDENCE: low_confidence,
    Verdict.HELD: held,
    Verdict.ADD_SPACING: add_spacing,
    Verdict.ADDS_PER_DAY: adds_per_day,
    Verdict.MAX_POSITIONS: max_positions,
    Verdict.CASH: no_room("cash"),
    Verdict.STRATEGY_CAP: no_room("strategy"),
    Verdict.ASSET_CAP: no_room("asset"),
    Verdict.THEME_CAP: no_room("theme"),
    Verdict.TIER_CAP: no_room("tier"),
    Verdict.TOTAL_EXPOSURE: no_room("total"),
    Verdict.CLUSTER_ASSETS: clustered,
    Verdict.CLUSTER_CAP: no_room_beside,
    Verdict.VAR: bad_day,
    Verdict.LEVERAGE: beyond("max_leverage"),
    Verdict.CONCENTRATION: beyond("max_concentration"),
    Verdict.SPREAD: costly("max_spread_ppm"),
    Verdict.DEPTH: depth,
    Verdict.SLIPPAGE: slippage,
    Verdict.COST: costly("max_cost_ppm"),
    Verdict.EDGE: edge,
    Verdict.MIN_NOTIONAL: min_notional,
}
# The last gates come after so much else that their trouble must come more often to decide as often.
GATED = (*TROUBLES, *list(TROUBLES)[Verdict.VOLATILITY :], Verdict.DEPTH)


def scene_of(die: Dice) -> Scene:
    """Mostly one trouble, at times none or two; what else is wrong is rare."""
    scene = die.scene()
    for chance in (TROUBLED, 0.1):
        if die.often(chance):
            scene = TROUBLES[die.one_of(GATED)](die, scene)
    return scene


calm_dice = randoms.map(lambda random: Dice(random, CALM))
scenes = calm_dice.map(scene_of)


def troubled_by(verdict: Verdict) -> st.SearchStrategy[Scene]:
    """Scenes with this trouble, some of them with another one too."""
    return calm_dice.map(lambda die: TROUBLES[verdict](die, scene_of(die) if die.often(0.2) else die.scene()))
