"""Settings under which a scene's market makes the account do what the scene is about, and nothing stands in its way.

They lie over a person's own: the campaigns are about what the program does, not about what it thinks of a market.
"""

from typing import Any

from trader_core.rulebook.codes import REGIMES
from trader_core.settings.schema import PROFILES

BAR_MIN = 15
WIDE: dict[str, Any] = {  # limits that nothing reaches, windows of a few hours, one strategy
    "strategies.rules.enabled": False,
    "strategies.sma_cross.enabled": True,
    "strategies.sma_cross.max_at_risk_pct": 100,
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
    "signals.windows.max_missing_bars": 1,
    "universe.hysteresis.enter_h": 1,
    "universe.hysteresis.leave_h": 1,
    "universe.hysteresis.recall_h": 1,
    "policy.halt.max_day_loss_pct": 50,
    "policy.halt.max_open_loss_pct": 50,
    "policy.halt.max_execution_errors": 100,
    "policy.liquidity.min_edge_over_cost_pct": 0,
    "policy.risk.max_total_at_risk_pct": 25,
    "policy.risk.max_open_positions": 5,
    "policy.risk.max_slot_wait_min": 0,
    "policy.risk.max_per_asset_pct": 10,
    "policy.risk.max_per_theme_pct": dict.fromkeys(("LAYER1", "LAYER2", "MEME", "DEFI", "OTHER"), 100),
    "policy.risk.max_tier_1_pct": 100,
    "policy.risk.max_tier_2_pct": 100,
    "policy.risk.max_tier_3_pct": 100,
    "policy.risk.max_week_loss_pct": 75,
    "policy.risk.max_drawdown_pct": 100,
    "policy.risk.max_volatility_pct": 10_000,
    "policy.risk.halve_at_day_loss_pct": 50,
    "policy.risk.min_restless_conviction_pct": 0,
    "policy.risk.max_stop_loss_pct": 100,
    "policy.risk.cautious_day_stop_pct": 50,
    "policy.risk.cautious_day_target_pct": 100,
    **{f"signals.thresholds.{name}.min_atr_ratio": 0 for name in REGIMES[1:]},
    **{
        f"policy.profiles.{name}.{key}": most
        for name in PROFILES
        for key, most in (("max_day_loss_pct", 50), ("max_open_positions", 50), ("max_stop_loss_pct", 5))
    },
}
CALM: dict[str, Any] = {
    **WIDE,
    "policy.cycle.base_bar_min": BAR_MIN,
    "policy.orders.maker_ttl_bars": 0,
    "universe.tiers.tier_1_core.bases": ["BTC"],
    "universe.tiers.tier_2_rotational.bases": [],
    "strategies.sma_cross.fast_bars": 2,
    "strategies.sma_cross.slow_bars": 3,
    "strategies.sma_cross.stop_pct": 5,
    "strategies.sma_cross.target_pct": 50,
}
