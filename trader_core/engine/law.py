"""A policy in the law's own units: percent and bps become fractions and ppm, minutes become milliseconds."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import HOUR_MS, MINUTE_MS, SECOND_MS
from trader_core.domain.money import grains_down, grains_up
from trader_core.ledger.integers import Axes
from trader_core.rulebook import limits
from trader_core.rulebook.codes import ON_TRIP, REGIMES, SIZERS
from trader_core.rulebook.money import PPM
from trader_core.strategies import STRATEGIES

if TYPE_CHECKING:
    from trader_core.domain.account import Fees
    from trader_core.settings.schema import Settings, SlippageModel, Threshold


NO_LIMIT = -1.0  # of a profile that has none


def enabled_strategies(policy: "Settings") -> tuple[str, ...]:
    """Names of the strategies that may propose, in the registry's order."""
    return tuple(name for name in STRATEGIES if getattr(policy.strategies, name).enabled)


def bar_ms_of(policy: "Settings") -> int:
    return policy.policy.cycle.base_bar_min * MINUTE_MS


def themes_of(policy: "Settings") -> tuple[str, ...]:
    """Every theme that has a cap; an asset in none of the named ones is of the last."""
    return tuple(policy.policy.risk.max_per_theme_pct)


@dataclass(frozen=True)
class Made:
    """A law, and what it was made of."""

    policy: "Settings"
    axes: Axes
    fees: "Fees | None"
    law: limits.Law


_NEWEST: list[Made] = []  # at most one: what does not change need not be made anew for each cycle


def law_of(policy: "Settings", axes: Axes, fees: "Fees | None" = None) -> limits.Law:
    """`fees` are what the account pays; without them, what the policy assumes."""
    for made in _NEWEST:
        if made.policy is policy and made.axes == axes and made.fees == fees:
            return made.law
    law = _law(policy, axes, fees)
    _NEWEST[:] = [Made(policy, axes, fees, law)]
    return law


def _law(policy: "Settings", axes: Axes, fees: "Fees | None") -> limits.Law:
    return limits.Law(
        risk=_risk(policy),
        portfolio=_portfolio(policy),
        pacing=_pacing(policy),
        market=_market(policy),
        tiers=_tiers(policy),
        liquidity=_liquidity(policy),
        orders=_orders(policy),
        costs=costs_of(policy) if fees is None else paying(costs_of(policy), fees),
        instruments=_instruments(policy, axes),
        strategies=_strategies(policy, axes),
        halts=halts_of(policy),
        sizing=sizing_of(policy),
        exits=_exits(policy),
    )


def halts_of(policy: "Settings") -> limits.Halts:
    halt = policy.policy.halt
    return limits.Halts(
        enabled=int(halt.enabled),
        max_day_loss_ppm=_ppm(halt.max_day_loss_pct * 100),
        max_open_loss_ppm=_ppm(halt.max_open_loss_pct * 100),
        retrip_ppm=_ppm(halt.retrip_step_pct * 100),
        max_errors=halt.max_execution_errors,
        error_window_ms=halt.error_window_min * MINUTE_MS,
        max_stops=halt.max_stop_hits,
        stop_window_ms=halt.stop_window_min * MINUTE_MS,
        max_feed_age_ms=halt.max_feed_age_min * MINUTE_MS,
        max_naked_ms=longest_naked_ms(policy),
        max_troubles=halt.max_venue_troubles,
        cooldown_ms=halt.cooldown_min * MINUTE_MS,
        on_trip=ON_TRIP.index(halt.on_trip),
        auto_rearm=int(halt.auto_rearm),
    )


def longest_naked_ms(policy: "Settings") -> int:
    """How long something may be held with no stop at the venue. A bar it may take until the first one is there."""
    return max(policy.policy.exits.max_naked_min * MINUTE_MS, bar_ms_of(policy))


def costs_of(policy: "Settings") -> limits.Costs:
    paper = policy.app.paper
    return limits.Costs(
        maker_fee_ppm=_ppm(paper.maker_fee_bps),
        taker_fee_ppm=_ppm(paper.taker_fee_bps),
        half_spread_ppm=_ppm(paper.half_spread_bps),
        slippage=slippage_of(paper.slippage),
        max_share_ppm=_ppm(paper.max_share_of_volume_pct * 100),
        depth_ppm=_ppm(paper.depth_of_day_volume_pct * 100),
    )


def paying(costs: limits.Costs, fees: "Fees") -> limits.Costs:
    """A rate that is no whole ppm counts as the next one."""
    maker, taker = (int((rate * PPM).to_integral_value(ROUND_CEILING)) for rate in (fees.maker, fees.taker))
    return costs._replace(maker_fee_ppm=maker, taker_fee_ppm=taker)


def slippage_of(model: "SlippageModel") -> limits.Slippage:
    tiers = (0.0, model.tier_1_bps, model.tier_2_bps, model.tier_3_bps)
    return limits.Slippage(
        base_ppm=np.array([_ppm(bps) for bps in tiers], np.int64),
        large=grains_up(model.large_quote),
        per_decade=model.per_decade_pct / 100,
        most_large=1.0 + model.most_large_pct / 100,
        restless_pct=float(model.restless_range_pct),
        most_restless=1.0 + model.most_restless_pct / 100,
    )


def sizing_of(policy: "Settings") -> limits.Sizing:
    sizing = policy.policy.sizing
    return limits.Sizing(
        sizer=SIZERS.index(sizing.sizer),
        max_position=grains_down(sizing.max_position_quote),
        max_stop_loss=policy.policy.risk_in_force.max_stop_loss_pct / 100,
        doubtful_below=sizing.doubtful_below_pct / 100,
        doubtful_scale=sizing.doubtful_scale_pct / 100,
        confident_from=sizing.confident_from_pct / 100,
        confident_scale=sizing.confident_scale_pct / 100,
        full_volatility=sizing.full_size_volatility_pct,
        poor_rate=sizing.poor_record_pct / 100,
        poor_trades=sizing.poor_record_trades,
        poor_scale=sizing.poor_record_scale_pct / 100,
        risk_per_trade=sizing.risk_per_trade_pct * policy.policy.active_profile.position_scale_pct / 10_000,
        risk_ranges=sizing.risk_distance_atr,
        recovery=limits.Recovery(
            cautious_from=sizing.cautious_drawdown_pct / 100,
            cautious_scale=sizing.cautious_scale_pct / 100,
            protective_from=sizing.protective_drawdown_pct / 100,
            protective_scale=sizing.protective_scale_pct / 100,
        ),
        kelly=limits.Kelly(sizing.kelly_share_pct / 100, sizing.kelly_max_pct / 100, sizing.kelly_min_trades),
    )


def _exits(policy: "Settings") -> limits.Exits:
    exits = policy.policy.exits
    return limits.Exits(
        default_stop_bps=round(exits.default_stop_pct * 100),
        default_target_bps=round(exits.default_target_pct * 100),
        break_even_ppm=_ppm(exits.break_even_at_pct * 100),
        partial_ppm=_ppm(exits.partial_target_pct * 100),
        partial_share_ppm=_ppm(exits.partial_share_pct * 100),
        trim_ppm=_ppm(exits.trim_above_cap_pct * 100),
        purge_ms=exits.purge_after_h * HOUR_MS,
    )


def _risk(policy: "Settings") -> limits.Risk:
    risk, is_cautious = policy.policy.risk_in_force, policy.policy.profile == "CAUTIOUS"
    return limits.Risk(
        max_total=risk.max_total_at_risk_pct / 100,
        max_asset=risk.max_per_asset_pct / 100,
        max_theme=_floats(cap / 100 for cap in risk.max_per_theme_pct.values()),
        max_tier=_floats([0.0, risk.max_tier_1_pct / 100, risk.max_tier_2_pct / 100, risk.max_tier_3_pct / 100]),
        max_positions=risk.max_open_positions,
        max_wait_ms=risk.max_slot_wait_min * MINUTE_MS,
        max_day_loss=risk.max_day_loss_pct / 100,
        max_week_loss=risk.max_week_loss_pct / 100,
        max_drawdown=risk.max_drawdown_pct / 100,
        halve_at_day_loss=risk.halve_at_day_loss_pct / 100,
        day_stop=risk.cautious_day_stop_pct / 100 if is_cautious else NO_LIMIT,
        day_target=risk.cautious_day_target_pct / 100 if is_cautious else NO_LIMIT,
    )


def _pacing(policy: "Settings") -> limits.Pacing:
    pacing, adds = policy.policy.pacing, policy.policy.adds
    return limits.Pacing(
        cooldown_win_ms=pacing.cooldown_after_win_min * MINUTE_MS,
        cooldown_loss_ms=pacing.cooldown_after_loss_min * MINUTE_MS,
        cooldown_stop_ms=pacing.cooldown_after_stop_min * MINUTE_MS,
        max_streak=pacing.max_losing_streak,
        streak_pause_ms=pacing.losing_streak_pause_min * MINUTE_MS,
        spacing_ms=pacing.min_spacing_s * SECOND_MS,
        asset_spacing_ms=pacing.min_asset_spacing_s * SECOND_MS,
        per_cycle=pacing.max_entries_per_cycle,
        per_hour=pacing.max_entries_per_hour,
        per_day=pacing.max_entries_per_day,
        adds_allowed=int(adds.allowed),
        add_spacing_ms=adds.min_spacing_min * MINUTE_MS,
        adds_per_day=adds.max_per_day,
    )


def _market(policy: "Settings") -> limits.Market:
    scales, guards = policy.policy.regime, policy.signals.guards
    thresholds: list[Threshold] = [getattr(policy.signals.thresholds, name) for name in REGIMES[1:]]
    quiet = [one.min_atr_ratio for one in thresholds]
    return limits.Market(
        scale=_floats([0.0, *(getattr(scales, f"{name}_scale_pct") / 100 for name in REGIMES[1:])]),
        min_atr_ratio=_floats([max(quiet), *quiet]),
        max_age_ms=policy.policy.data.max_data_age_s * SECOND_MS,
        max_policy_age_ms=policy.policy.data.max_policy_age_s * SECOND_MS,
        max_deviation=guards.outlier_deviation_pct,
        max_jump=guards.max_jump_sigma,
        max_volatility=policy.policy.risk.max_volatility_pct,
        calm_range=policy.policy.risk.calm_range_pct,
        min_restless_conviction=policy.policy.risk.min_restless_conviction_pct / 100,
    )


def _portfolio(policy: "Settings") -> limits.Portfolio:
    portfolio = policy.policy.portfolio
    return limits.Portfolio(
        cluster_assets=portfolio.max_cluster_assets,
        max_cluster=portfolio.max_cluster_pct / 100,
        min_correlation=portfolio.cluster_correlation_ratio,
        cluster_days=portfolio.cluster_window_days,
        cluster_min_days=portfolio.cluster_min_days,
        max_var=portfolio.max_var_pct / 100,
        var_days=portfolio.var_window_days,
        var_min_days=portfolio.var_min_days,
        var_tail_ppm=_ppm((100 - portfolio.var_confidence_pct) * 100),
        var_stress=portfolio.var_stress_pct / 100,
        max_leverage=portfolio.max_leverage_ratio,
        max_concentration=portfolio.max_concentration_pct / 100,
    )


def _tiers(policy: "Settings") -> limits.Tiers:
    tiers = policy.universe.tiers
    three = (tiers.tier_1_core, tiers.tier_2_rotational, tiers.tier_3_event_driven)
    return limits.Tiers(
        max_spread_ppm=_ints([0, *(_ppm(one.max_spread_bps) for one in three)]),
        min_depth=_ints([0, *(grains_up(one.min_depth_quote) for one in three)]),
        near_spread_ppm=_ppm(policy.universe.near_threshold.max_spread_bps),
    )


def _liquidity(policy: "Settings") -> limits.Liquidity:
    liquidity = policy.policy.liquidity
    return limits.Liquidity(
        max_spread_ppm=_ppm(liquidity.max_spread_bps),
        max_depth_ppm=_ppm(liquidity.max_share_of_depth_pct * 100),
        max_slippage_ppm=_ppm(liquidity.max_slippage_bps),
        max_cost_ppm=_ppm(liquidity.max_entry_cost_bps),
        min_edge_ppm=_ppm(liquidity.min_edge_over_cost_pct * 100),
        min_notional=grains_up(policy.policy.sizing.min_notional_quote),
    )


def _orders(policy: "Settings") -> limits.Orders:
    profile, sizing = policy.policy.active_profile.position_scale_pct, policy.policy.sizing
    orders, exits = policy.policy.orders, policy.policy.exits
    three = (sizing.tier_1_position_pct, sizing.tier_2_position_pct, sizing.tier_3_position_pct)
    return limits.Orders(
        position=_floats([0.0, *(pct * profile / 10_000 for pct in three)]),
        maker_ttl_ms=orders.maker_ttl_bars * bar_ms_of(policy),
        max_reprices=orders.maker_max_reprices,
        fallback=int(orders.taker_fallback),
        bar_ms=bar_ms_of(policy),
        band_ppm=_ppm(orders.limit_band_bps),
        trailing_ppm=_ppm(exits.trailing_stop_pct * 100) if exits.use_trailing_stop else 0,
    )


def _instruments(policy: "Settings", axes: Axes) -> limits.Instruments:
    units, themes = [one.grains_per_unit for one in axes.instruments], themes_of(policy)
    return limits.Instruments(
        asset=_ints(axes.assets.index(one.base) for one in axes.instruments),
        theme=_ints(themes.index(policy.universe.theme_of(one.base)) for one in axes.instruments),
        tier=_ints(policy.universe.tier_of(one.base) for one in axes.instruments),
        num=_ints(unit.numerator for unit in units),
        den=_ints(unit.denominator for unit in units),
        min_notional=_ints(grains_up(one.min_notional) for one in axes.instruments),
    )


def _strategies(policy: "Settings", axes: Axes) -> limits.Strategies:
    blocks = [getattr(policy.strategies, name) for name in axes.strategies]
    return limits.Strategies(
        max_at_risk=_floats(one.max_at_risk_pct / 100 for one in blocks),
        max_trades=_ints(one.max_trades_per_cycle for one in blocks),
        min_conviction=_floats(one.min_conviction_pct / 100 for one in blocks),
    )


def _ints(values: Iterable[int]) -> limits.Ints:
    return np.fromiter(values, np.int64)


def _floats(values: Iterable[float]) -> limits.Floats:
    return np.fromiter(values, np.float64)


def _ppm(bps: float) -> int:
    return round(bps * 100)
