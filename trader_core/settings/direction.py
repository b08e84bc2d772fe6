"""Which way of each key allows more risk, and which keys the policy store may move. The one place that says so.

A key that stands in no row here, or in one that is not `movable`, is neutral for the store: it is changed in its file
alone. Movable is a key only where less of it can never let an order pass that was refused with more: what measures or
chooses, what an exit or a stop lives by, and what decides over the length of windows is not.
"""

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple


class Row(NamedTuple):
    """More of it allows more risk (1) or less (-1), or neither for certain (0). More is a larger number, a switch that
    is on, a longer list, a later profile."""

    pattern: str
    more: int
    movable: bool = False


KEYS_MAX = 4_096  # of which the answer is kept
MOVES = True
NEUTRAL = Row("", 0)
DIRECTIONS = (  # the first that fits decides
    Row("policy.profile", 1, MOVES),
    Row("policy.profiles.*", 1),
    Row("policy.cycle.base_bar_min", 0),
    Row("policy.cycle.monitor_s", 1),
    Row("policy.regime.*_scale_pct", 1, MOVES),
    Row("policy.risk.max_*", 1, MOVES),
    Row("policy.risk.halve_at_day_loss_pct", 1, MOVES),
    Row("policy.risk.cautious_day_*", 1, MOVES),
    Row("policy.risk.calm_range_pct", 1, MOVES),
    Row("policy.risk.min_restless_conviction_pct", -1, MOVES),
    Row("policy.portfolio.max_*", 1, MOVES),
    Row("policy.portfolio.cluster_correlation_ratio", 1, MOVES),
    Row("policy.portfolio.*_window_days", 0),
    Row("policy.portfolio.cluster_min_days", -1),
    Row("policy.portfolio.var_*", -1),
    Row("policy.pacing.cooldown_after_*_min", -1, MOVES),
    Row("policy.pacing.losing_streak_pause_min", -1, MOVES),
    Row("policy.pacing.min_*", -1, MOVES),
    Row("policy.pacing.max_*", 1, MOVES),
    Row("policy.adds.allowed", 1, MOVES),
    Row("policy.adds.min_spacing_min", -1, MOVES),
    Row("policy.adds.max_per_day", 1, MOVES),
    Row("policy.sizing.tier_?_position_pct", 1, MOVES),
    Row("policy.sizing.min_notional_quote", -1, MOVES),
    Row("policy.sizing.max_position_quote", 1, MOVES),
    Row("policy.sizing.confident_from_pct", -1),
    Row("policy.sizing.doubtful_below_pct", -1),
    Row("policy.sizing.full_size_volatility_pct", 1),
    Row("policy.sizing.*_drawdown_pct", 1),
    Row("policy.sizing.poor_record_pct", -1),
    Row("policy.sizing.poor_record_trades", 1),
    Row("policy.sizing.risk_per_trade_pct", 1),
    Row("policy.sizing.risk_distance_atr", -1),
    Row("policy.sizing.kelly_*", 1),
    Row("policy.sizing.*scale_pct", 1),
    Row("policy.sizing.sizer", 0),
    Row("policy.data.max_*", 1, MOVES),
    Row("policy.orders.maker_*", 0),
    Row("policy.orders.taker_fallback", 1, MOVES),
    Row("policy.orders.limit_band_bps", 1),  # exits live by it too
    Row("policy.liquidity.max_*", 1, MOVES),
    Row("policy.liquidity.min_edge_over_cost_pct", -1, MOVES),
    Row("policy.exits.use_trailing_stop", -1),
    Row("policy.exits.trailing_stop_pct", 1),
    Row("policy.exits.default_stop_pct", 1),
    Row("policy.exits.max_naked_min", 1),
    Row("policy.exits.*", 0),
    Row("policy.halt.enabled", -1, MOVES),
    Row("policy.halt.cooldown_min", -1, MOVES),
    Row("policy.halt.max_stop_hits", 1),  # 0 switches it off, as it does the next one: the store cannot tell
    Row("policy.halt.max_feed_age_min", 1),
    Row("policy.halt.max_venue_troubles", 1),
    Row("policy.halt.max_*", 1, MOVES),
    Row("policy.halt.retrip_step_pct", 1),
    Row("policy.halt.*_window_min", -1),
    Row("policy.halt.on_trip", -1),
    Row("policy.halt.auto_rearm", 1),
    Row("policy.halt.allow_manual_reset", 1),
    Row("universe.tiers.*.bases", 1),
    Row("universe.*.asset_class", 0),
    Row("universe.tiers.*.min_*_quote", -1, MOVES),
    Row("universe.tiers.*.max_spread_bps", 1, MOVES),
    Row("universe.near_threshold.volume_pct", -1, MOVES),
    Row("universe.near_threshold.max_spread_bps", 1, MOVES),
    Row("universe.hysteresis.enter_h", -1),
    Row("universe.hysteresis.leave_h", 1),
    Row("universe.hysteresis.leave_pct", -1),
    Row("universe.hysteresis.recall_h", 1),
    Row("universe.discovery.enabled", 1, MOVES),
    Row("universe.discovery.max_assets", 1, MOVES),
    Row("universe.themes*", 0),
    Row("universe.never_trade", -1),
    Row("universe.bans.default_h", -1, MOVES),
    Row("signals.windows.max_missing_bars", 1),  # of an unknown window no strategy asks to leave
    Row("signals.regime.base", 0),
    Row("signals.regime.*_h", 0),
    Row("signals.regime.bull_rise_pct", -1),
    Row("signals.regime.*_pct", 1),
    Row("signals.guards.outlier_deviation_pct", 1),  # what is not believed moves no mark: a loss would go unseen
    Row("signals.guards.outlier_volume_pct", -1),
    Row("signals.guards.max_jump_sigma", 1, MOVES),
    Row("signals.guards.*_bars", 0),
    Row("signals.guards.*_h", 0),
    Row("signals.triggers.max_triggers_per_cycle", 1, MOVES),
    Row("signals.triggers.min_score_pct", -1, MOVES),
    Row("signals.triggers.reversal_near_low_pct", 1),
    Row("signals.triggers.reversal_*", -1),
    Row("signals.triggers.volume_rise_pct", -1),
    Row("signals.triggers.momentum_pct", -1),
    Row("signals.triggers.*_h", 0),
    Row("signals.thresholds.*.min_atr_ratio", -1, MOVES),
    Row("signals.thresholds.*", -1),
    Row("strategies.*.max_at_risk_pct", 1, MOVES),
    Row("strategies.*.max_trades_per_cycle", 1, MOVES),
    Row("strategies.*.min_conviction_pct", -1, MOVES),
    Row("strategies.mean_reversion.entry_sigma", -1),
    Row("strategies.rules.*_weight_pct", 1),
    Row("strategies.rules.*_boost_pct", 1),
    Row("strategies.*.enabled", 1),
    Row("strategies.*.stop_pct", 1),
    Row("strategies.*.stop_atr", 1),
    Row("strategies.*.scale_pct", 1),
    Row("strategies.*.max_hold_h", 1),
    Row("strategies.*.min_*", -1),
    Row("app.mode", 1),
    Row("app.exchange.read_only", -1),
    Row("app.clock.recheck_min", 1),
    Row("app.clock.max_*", 1),
    Row("app.secrets.*", 1),
    Row("app.retention.*", 0),
    Row("app.metrics.max_*", 1),  # the later somebody is told
    Row("app.latency.*", 1),
    Row("app.alerts.*", 0),
)


@lru_cache(KEYS_MAX)
def direction(key: str) -> Row:
    """Of a key with its file before it: 'policy.risk.max_day_loss_pct'."""
    return next((row for row in DIRECTIONS if fnmatchcase(key, row.pattern)), NEUTRAL)


def more_of(key: str) -> int:
    """Whether more of it allows more risk (1) or less (-1), or neither for certain (0)."""
    return direction(key).more


def is_movable(key: str) -> bool:
    """Whether the policy store may hold a value of it."""
    return direction(key).movable
