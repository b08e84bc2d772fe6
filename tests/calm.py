"""A policy in which nothing stands in the way but what a test puts there: one strategy, wide limits, short windows."""

from typing import Any

from trader_core.prove.calm import WIDE
from trader_core.rulebook.codes import REGIMES

CALM: dict[str, Any] = {
    **WIDE,
    "strategies.sma_cross.max_trades_per_cycle": 50,
    "strategies.sma_cross.max_hold_h": 8760,
    "policy.portfolio.max_cluster_assets": 50,
    "policy.portfolio.max_cluster_pct": 100,
    "policy.portfolio.cluster_window_days": 1,
    "policy.portfolio.cluster_min_days": 0,
    "policy.portfolio.max_var_pct": 100,
    "policy.portfolio.var_window_days": 1,
    "policy.portfolio.var_min_days": 0,
    "policy.portfolio.max_concentration_pct": 100,
    "policy.pacing.cooldown_after_win_min": 30,
    "policy.pacing.cooldown_after_loss_min": 30,
    "policy.pacing.max_losing_streak": 20,
    "policy.pacing.losing_streak_pause_min": 0,
    "policy.pacing.min_spacing_s": 0,
    "policy.pacing.min_asset_spacing_s": 0,
    "policy.pacing.max_entries_per_cycle": 50,
    "policy.pacing.max_entries_per_hour": 1000,
    "policy.pacing.max_entries_per_day": 5000,
    "policy.sizing.tier_1_position_pct": 5,
    "policy.sizing.tier_2_position_pct": 5,
    "policy.sizing.tier_3_position_pct": 5,
    "policy.sizing.max_position_quote": 1_000_000_000,
    "policy.sizing.confident_scale_pct": 100,
    "policy.sizing.doubtful_scale_pct": 100,
    "policy.sizing.full_size_volatility_pct": 10_000,
    "policy.sizing.cautious_scale_pct": 100,
    "policy.sizing.protective_scale_pct": 100,
    "policy.orders.maker_max_reprices": 0,
    "policy.liquidity.max_spread_bps": 1000,
    "policy.liquidity.max_share_of_depth_pct": 100,
    "policy.liquidity.max_slippage_bps": 500,
    **{f"policy.regime.{name}_scale_pct": 100 for name in REGIMES[1:]},
    **{
        f"universe.tiers.{tier}.{key}": value
        for tier in ("tier_1_core", "tier_2_rotational", "tier_3_event_driven")
        for key, value in (("min_day_volume_quote", 0), ("max_spread_bps", 1000), ("min_depth_quote", 0))
    },
}  # fmt: skip
