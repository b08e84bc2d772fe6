"""A policy in which nothing stands in the way but what a test puts there: one strategy, wide limits, short windows."""

from typing import Any

from trader_core.rulebook.codes import REGIMES
from trader_core.settings.schema import PROFILES

CALM: dict[str, Any] = {
    "strategies.rules.enabled": False,
    "strategies.sma_cross.enabled": True,
    "strategies.sma_cross.max_at_risk_pct": 100,
    "strategies.sma_cross.max_trades_per_cycle": 50,
    "strategies.sma_cross.max_hold_h": 8760,
    "signals.regime.trend_h": 2,
    "signals.regime.confirm_h": 1,
    "signals.regime.recall_h": 0,
    "signals.regime.crash_volatility_pct": 1000,
    "signals.guards.outlier_bars": 2,
    "signals.guards.outlier_deviation_pct": 1000,
    "signals.guards.outlier_volume_pct": 0,
    "signals.guards.jump_bars": 10,
    "signals.guards.max_jump_sigma": 100,
    "signals.guards.atr_h": 2,
    "signals.guards.atr_median_h": 3,
    "signals.guards.volatility_h": 3,
    "policy.risk.max_volatility_pct": 10000,
    "signals.windows.max_missing_bars": 1,
    "universe.hysteresis.enter_h": 1,
    "universe.hysteresis.leave_h": 1,
    "universe.hysteresis.recall_h": 1,
    **{
        f"policy.profiles.{name}.{key}": 50 for name in PROFILES for key in ("max_day_loss_pct", "max_open_positions")
    },
    "policy.risk.max_total_at_risk_pct": 25,
    "policy.risk.max_open_positions": 5,
    "policy.risk.max_per_asset_pct": 10,
    "policy.risk.max_per_theme_pct": dict.fromkeys(("LAYER1", "LAYER2", "MEME", "DEFI", "OTHER"), 100),
    "policy.risk.max_tier_1_pct": 100,
    "policy.risk.max_tier_2_pct": 100,
    "policy.risk.max_tier_3_pct": 100,
    "policy.risk.max_week_loss_pct": 75,
    "policy.risk.max_drawdown_pct": 100,
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
    "policy.orders.maker_max_reprices": 0,
    "policy.liquidity.max_spread_bps": 1000,
    "policy.liquidity.max_share_of_depth_pct": 100,
    "policy.liquidity.max_slippage_bps": 500,
    "policy.liquidity.min_edge_over_cost_pct": 0,
    **{f"policy.regime.{name}_scale_pct": 100 for name in REGIMES[1:]},
    **{f"signals.thresholds.{name}.min_atr_ratio": 0 for name in REGIMES[1:]},
    **{
        f"universe.tiers.{tier}.{key}": value
        for tier in ("tier_1_core", "tier_2_rotational", "tier_3_event_driven")
        for key, value in (("min_day_volume_quote", 0), ("max_spread_bps", 1000), ("min_depth_quote", 0))
    },
}  # fmt: skip
