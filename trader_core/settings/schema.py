"""Every setting there is, with its unit and its closed range. Nothing has a default here: the YAML is the only owner.

A number's key ends in its unit (`UNITS`); whole-number counts need none. Percent and basis points are floats with at
most two decimals, money and quantities are Decimals with at most eight, times and counts are ints. A bool is never a
number and text is never a number. All models are frozen and refuse unknown keys.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.fields import FieldInfo

UNITS = {
    "_pct": "percent",
    "_bps": "basis points",
    "_ms": "milliseconds",
    "_s": "seconds",
    "_min": "minutes",
    "_h": "hours",
    "_days": "days",
    "_bars": "bars",
    "_mb": "megabytes",
    "_sigma": "standard deviations",
    "_atr": "average true ranges",
    "_ratio": "a ratio",
    "_quote": "the account currency",
}

Mode = Literal["DRY_RUN", "PAPER", "LIVE"]
OnTrip = Literal["hold", "cancel", "flatten"]
SeverityName = Literal["INFO", "WARNING", "CRITICAL"]
VenueName = Literal["coinbase", "simulated"]
AssetClass = Literal["CRYPTO", "FX", "EQUITY", "UNKNOWN"]
ProfileName = Literal["NORMAL", "DEFENSIVE", "AGGRESSIVE", "CAUTIOUS"]
PROFILES = ("CAUTIOUS", "DEFENSIVE", "NORMAL", "AGGRESSIVE")  # from the tightest to the boldest


def _to_float(value: Any) -> Any:
    return float(value) + 0.0 if type(value) in (int, float, Decimal) else value  # + 0.0: there is one zero


def _to_decimal(value: Any) -> Any:
    return (Decimal(value) or Decimal(0)) if type(value) in (int, Decimal) else value


def _two_decimals(value: float) -> float:
    if round(value, 2) != value:
        raise ValueError("must have at most 2 decimals")
    return value


def _whole(value: Any) -> Any:
    if type(value) is not int:  # a Literal compares, and True == 1
        raise ValueError("must be a whole number")
    return value


Hundredths = Annotated[float, BeforeValidator(_to_float), Field(allow_inf_nan=False), AfterValidator(_two_decimals)]
Money = Annotated[Decimal, BeforeValidator(_to_decimal), Field(allow_inf_nan=False, decimal_places=8)]
Quantity = Annotated[Money, Field(ge=0, le=1_000_000_000_000)]
Asset = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,16}$")]
Holdings = Annotated[Mapping[Asset, Quantity], AfterValidator(MappingProxyType), PlainSerializer(dict)]
Assets = tuple[Asset, ...]
VenueUrl = Annotated[str, Field(pattern=r"^(https?://[A-Za-z0-9.:\[\]-]{1,255}/?)?$")]
TimeServer = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}(:[1-9][0-9]{0,4})?$")]
Theme = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,15}$")]
Themes = Annotated[Mapping[Theme, Assets], AfterValidator(MappingProxyType), PlainSerializer(dict)]
Percent = Annotated[Hundredths, Field(ge=0.01, le=100)]
ThemeCaps = Annotated[Mapping[Theme, Percent], AfterValidator(MappingProxyType), PlainSerializer(dict)]
TextFile = Annotated[str, Field(pattern=r"^(/[^\x00-\x1f]{1,250}\.prom)?$")]
Budgeted = Annotated[int, Field(ge=1, le=600_000)]  # ms
OTHER = "OTHER"  # the theme of what stands in no theme
REGIMES = ("bull", "chop", "bear", "crash")
TIERS = ("tier_1_core", "tier_2_rotational", "tier_3_event_driven")


class Section(BaseModel):
    """A block of settings: frozen, strict, complete, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


class Exchange(Section):
    """`venue_url` is empty, for the venue's own address, or names a rehearsal venue on this machine."""

    venue: VenueName
    venue_url: VenueUrl
    quote: Asset
    read_only: bool


class ClockCheck(Section):
    """What this machine's time is compared with before real money trades on it."""

    servers: tuple[TimeServer, ...]
    max_drift_ms: int = Field(ge=1, le=150)
    recheck_min: int = Field(ge=1, le=60)


class Secrets(Section):
    """How old the venue's key may be, and whether it may come from a plain file."""

    max_age_days: int = Field(ge=1, le=90)
    warn_age_days: int = Field(ge=0, le=90)
    files_allowed: bool


class SlippageModel(Section):
    tier_1_bps: Hundredths = Field(ge=0, le=500)
    tier_2_bps: Hundredths = Field(ge=0, le=500)
    tier_3_bps: Hundredths = Field(ge=0, le=500)
    large_quote: Money = Field(ge=0, le=1_000_000_000)
    per_decade_pct: Hundredths = Field(ge=0, le=500)
    most_large_pct: Hundredths = Field(ge=0, le=500)
    restless_range_pct: Hundredths = Field(ge=0.01, le=100)
    most_restless_pct: Hundredths = Field(ge=0, le=500)


class Paper(Section):
    """The simulated account, and the venue that fills its orders. `holdings` are coins the bot did not buy."""

    cash_quote: Money = Field(ge=0, le=1_000_000_000)
    holdings: Holdings
    maker_fee_bps: Hundredths = Field(ge=0, le=500)
    taker_fee_bps: Hundredths = Field(ge=0, le=500)
    half_spread_bps: Hundredths = Field(ge=0, le=500)
    slippage: SlippageModel
    max_share_of_volume_pct: Hundredths = Field(ge=0.01, le=100)
    depth_of_day_volume_pct: Hundredths = Field(ge=0.01, le=100)


class Retention(Section):
    """How long a decision's numbers, and what it was taken from, stay in the state itself."""

    decisions_days: int = Field(ge=1, le=3650)


class Metrics(Section):
    """Where the figures for a collector go, and how long a cycle may be away before health is denied."""

    textfile: TextFile
    max_cycle_age_bars: int = Field(ge=1, le=100)


class StageBudgets(Section):
    """What each stage of a cycle may take, all its rounds together."""

    guard_ms: Budgeted
    account_ms: Budgeted
    market_ms: Budgeted
    mend_ms: Budgeted
    decide_ms: Budgeted
    record_ms: Budgeted
    send_ms: Budgeted
    close_ms: Budgeted


class CallBudgets(Section):
    """What an answer of the venue may take, by class of endpoint; `other_ms` is for all that is not named."""

    accounts_ms: Budgeted
    cancel_ms: Budgeted
    fills_ms: Budgeted
    orders_ms: Budgeted
    place_ms: Budgeted
    products_ms: Budgeted
    quotes_ms: Budgeted
    other_ms: Budgeted


class Latency(Section):
    """What cycles and their parts may take before somebody is told; a single one, alerts.max_cycle_s."""

    over_in_a_row: int = Field(ge=1, le=100)
    cycle_p95_ms: Budgeted
    cycle_p99_ms: Budgeted
    stages: StageBudgets
    calls: CallBudgets


class Alerts(Section):
    """What people are told of, and when. Whom: settings.secrets finds their addresses, which are secrets."""

    min_severity: SeverityName
    dedupe_s: int = Field(ge=1, le=3600)
    escalate_s: int = Field(ge=1, le=86_400)
    remind_min: int = Field(ge=0, le=1440)
    timeout_s: int = Field(ge=1, le=60)
    undelivered_min: int = Field(ge=1, le=1440)
    max_cycle_s: int = Field(ge=1, le=3600)
    max_api_errors_pct: Hundredths = Field(ge=0, le=100)
    api_window_min: int = Field(ge=1, le=60)
    min_api_calls: int = Field(ge=1, le=1000)
    max_rejected_pct: Hundredths = Field(ge=0, le=100)
    rejected_window_min: int = Field(ge=1, le=1440)
    min_orders: int = Field(ge=1, le=1000)
    max_exceptions: int = Field(ge=1, le=100)
    exception_window_min: int = Field(ge=1, le=1440)
    min_eligible: int = Field(ge=0, le=50)
    max_feed_age_min: int = Field(ge=1, le=1440)
    no_trade_h: int = Field(ge=1, le=168)
    missing_bars: int = Field(ge=1, le=96)
    min_free_mb: int = Field(ge=0, le=100_000_000)
    breaker_open_s: int = Field(ge=0, le=86_400)
    max_position_loss_pct: Hundredths = Field(ge=0.01, le=100)


class App(Section):
    mode: Mode
    exchange: Exchange
    clock: ClockCheck
    secrets: Secrets
    metrics: Metrics
    latency: Latency
    alerts: Alerts
    paper: Paper
    retention: Retention


class Profile(Section):
    """How bold to be. Of a key that the blocks of limits have too, the tighter value is in force."""

    position_scale_pct: Hundredths = Field(ge=1, le=200)
    max_stop_loss_pct: Hundredths = Field(ge=0.01, le=5)
    max_day_loss_pct: Hundredths = Field(ge=0.01, le=50)
    max_open_positions: int = Field(ge=1, le=50)
    max_leverage_ratio: Hundredths = Field(ge=1, le=50)


class Profiles(Section):
    NORMAL: Profile
    DEFENSIVE: Profile
    AGGRESSIVE: Profile
    CAUTIOUS: Profile


class Cycle(Section):
    base_bar_min: Annotated[Literal[1, 5, 15, 60], BeforeValidator(_whole)]
    monitor_s: int = Field(ge=1, le=60)


class RegimeScales(Section):
    """The one owner of the regimes' multipliers."""

    bull_scale_pct: Hundredths = Field(ge=0, le=200)
    chop_scale_pct: Hundredths = Field(ge=0, le=200)
    bear_scale_pct: Hundredths = Field(ge=0, le=200)
    crash_scale_pct: Hundredths = Field(ge=0, le=200)


class Risk(Section):
    """Ceilings, as percent of the bot's equity where the key says so."""

    max_total_at_risk_pct: Hundredths = Field(ge=0.01, le=100)
    max_open_positions: int = Field(ge=1, le=50)
    max_slot_wait_min: int = Field(ge=0, le=1440)
    max_per_asset_pct: Hundredths = Field(ge=0.01, le=100)
    max_per_theme_pct: ThemeCaps
    max_tier_1_pct: Hundredths = Field(ge=0.01, le=100)
    max_tier_2_pct: Hundredths = Field(ge=0.01, le=100)
    max_tier_3_pct: Hundredths = Field(ge=0.01, le=100)
    max_day_loss_pct: Hundredths = Field(ge=0.01, le=50)
    max_week_loss_pct: Hundredths = Field(ge=0.01, le=75)
    max_drawdown_pct: Hundredths = Field(ge=0.01, le=100)
    halve_at_day_loss_pct: Hundredths = Field(ge=0.01, le=50)
    max_stop_loss_pct: Hundredths = Field(ge=0.01, le=100)
    cautious_day_stop_pct: Hundredths = Field(ge=0.01, le=50)
    cautious_day_target_pct: Hundredths = Field(ge=0.01, le=100)
    max_volatility_pct: Hundredths = Field(ge=0.01, le=10_000)
    calm_range_pct: Hundredths = Field(ge=0, le=100)
    min_restless_conviction_pct: Hundredths = Field(ge=0, le=100)


class Portfolio(Section):
    """What all that is held and ordered may be together, by daily returns and as parts of the bot's equity."""

    max_cluster_assets: int = Field(ge=1, le=50)
    max_cluster_pct: Hundredths = Field(ge=0.01, le=100)
    cluster_correlation_ratio: Hundredths = Field(ge=0.01, le=1)
    cluster_window_days: int = Field(ge=1, le=365)
    cluster_min_days: int = Field(ge=0, le=365)
    max_var_pct: Hundredths = Field(ge=0.01, le=100)
    var_confidence_pct: Hundredths = Field(ge=50, le=99)
    var_window_days: int = Field(ge=1, le=365)
    var_min_days: int = Field(ge=0, le=365)
    var_stress_pct: Hundredths = Field(ge=0, le=100)
    max_leverage_ratio: Hundredths = Field(ge=0.01, le=1)
    max_concentration_pct: Hundredths = Field(ge=0.01, le=100)


class Pacing(Section):
    """How often something may be bought."""

    cooldown_after_win_min: int = Field(ge=0, le=1440)
    cooldown_after_loss_min: int = Field(ge=0, le=1440)
    cooldown_after_stop_min: int = Field(ge=0, le=1440)
    max_losing_streak: int = Field(ge=1, le=20)
    losing_streak_pause_min: int = Field(ge=0, le=1440)
    min_spacing_s: int = Field(ge=0, le=3600)
    min_asset_spacing_s: int = Field(ge=0, le=86_400)
    max_entries_per_cycle: int = Field(ge=1, le=50)
    max_entries_per_hour: int = Field(ge=1, le=1000)
    max_entries_per_day: int = Field(ge=1, le=5000)


class Adds(Section):
    """Buying more of what is held."""

    allowed: bool
    min_spacing_min: int = Field(ge=0, le=1440)
    max_per_day: int = Field(ge=1, le=20)


class Sizing(Section):
    tier_1_position_pct: Hundredths = Field(ge=0.01, le=100)
    tier_2_position_pct: Hundredths = Field(ge=0.01, le=100)
    tier_3_position_pct: Hundredths = Field(ge=0.01, le=100)
    min_notional_quote: Money = Field(ge=0, le=100_000)
    max_position_quote: Money = Field(ge=0, le=1_000_000_000)
    sizer: Literal["fraction", "atr_risk", "kelly"]
    confident_from_pct: Hundredths = Field(ge=0, le=100)
    confident_scale_pct: Hundredths = Field(ge=100, le=150)
    doubtful_below_pct: Hundredths = Field(ge=0, le=100)
    doubtful_scale_pct: Hundredths = Field(ge=0, le=100)
    full_size_volatility_pct: Hundredths = Field(ge=0.01, le=10_000)
    cautious_drawdown_pct: Hundredths = Field(ge=0, le=100)
    cautious_scale_pct: Hundredths = Field(ge=0, le=100)
    protective_drawdown_pct: Hundredths = Field(ge=0, le=100)
    protective_scale_pct: Hundredths = Field(ge=0, le=100)
    poor_record_pct: Hundredths = Field(ge=0, le=100)
    poor_record_trades: int = Field(ge=1, le=1000)
    poor_record_scale_pct: Hundredths = Field(ge=0, le=100)
    risk_per_trade_pct: Hundredths = Field(ge=0.01, le=10)
    risk_distance_atr: Hundredths = Field(ge=0.01, le=100)
    kelly_share_pct: Hundredths = Field(ge=0, le=100)
    kelly_max_pct: Hundredths = Field(ge=0, le=5)
    kelly_min_trades: int = Field(ge=30, le=10_000)


class Data(Section):
    max_data_age_s: int = Field(ge=1, le=86_400)
    max_policy_age_s: int = Field(ge=1, le=600)


class Orders(Section):
    maker_ttl_bars: int = Field(ge=0, le=96)
    maker_max_reprices: int = Field(ge=0, le=10)
    taker_fallback: bool
    limit_band_bps: Hundredths = Field(ge=0, le=1000)


class Liquidity(Section):
    """What an entry may cost, and what it may take out of the book."""

    max_spread_bps: Hundredths = Field(ge=0, le=1000)
    max_share_of_depth_pct: Hundredths = Field(ge=0.01, le=100)
    max_slippage_bps: Hundredths = Field(ge=0, le=500)
    max_entry_cost_bps: Hundredths = Field(ge=0, le=1000)
    min_edge_over_cost_pct: Hundredths = Field(ge=0, le=1000)


class Exits(Section):
    """A distance of 0 is none."""

    use_trailing_stop: bool
    trailing_stop_pct: Hundredths = Field(ge=0.01, le=99)
    default_stop_pct: Hundredths = Field(ge=0.01, le=99)
    default_target_pct: Hundredths = Field(ge=0, le=1000)
    break_even_at_pct: Hundredths = Field(ge=0, le=1000)
    partial_target_pct: Hundredths = Field(ge=0, le=1000)
    partial_share_pct: Hundredths = Field(ge=1, le=99)
    trim_above_cap_pct: Hundredths = Field(ge=0, le=1000)
    purge_after_h: int = Field(ge=0, le=8760)
    max_naked_min: int = Field(ge=0, le=1440)


class HaltMachine(Section):
    enabled: bool
    cooldown_min: int = Field(ge=0, le=1440)
    max_day_loss_pct: Hundredths = Field(ge=0.01, le=50)
    max_open_loss_pct: Hundredths = Field(ge=0.01, le=50)
    retrip_step_pct: Hundredths = Field(ge=0.01, le=50)
    max_execution_errors: int = Field(ge=1, le=100)
    error_window_min: int = Field(ge=1, le=120)
    max_stop_hits: int = Field(ge=0, le=100)
    stop_window_min: int = Field(ge=1, le=1440)
    max_feed_age_min: int = Field(ge=0, le=1440)
    max_venue_troubles: int = Field(ge=0, le=100)
    on_trip: OnTrip
    auto_rearm: bool
    allow_manual_reset: bool


class Policy(Section):
    profile: ProfileName
    profiles: Profiles
    cycle: Cycle
    regime: RegimeScales
    risk: Risk
    portfolio: Portfolio
    pacing: Pacing
    adds: Adds
    sizing: Sizing
    data: Data
    orders: Orders
    liquidity: Liquidity
    exits: Exits
    halt: HaltMachine

    @property
    def active_profile(self) -> Profile:
        """The profile in force."""
        active: Profile = getattr(self.profiles, self.profile)
        return active

    @property
    def risk_in_force(self) -> Risk:
        """The block of risk with what the profile tightens of it: more of such a key is always looser."""
        profile, shared = self.active_profile, Profile.model_fields.keys() & Risk.model_fields.keys()
        return self.risk.model_copy(
            update={key: min(getattr(self.risk, key), getattr(profile, key)) for key in sorted(shared)}
        )


class Tier(Section):
    """Assets and the floors they must clear, measured on the last 24 hours and the book."""

    asset_class: AssetClass
    bases: Assets
    min_day_volume_quote: Money = Field(ge=0, le=1_000_000_000_000)
    max_spread_bps: Hundredths = Field(ge=0, le=1000)
    min_depth_quote: Money = Field(ge=0, le=1_000_000_000)


class Tiers(Section):
    tier_1_core: Tier
    tier_2_rotational: Tier
    tier_3_event_driven: Tier


class NearThreshold(Section):
    volume_pct: Hundredths = Field(ge=1, le=100)
    max_spread_bps: Hundredths = Field(ge=0, le=1000)


class Hysteresis(Section):
    """Counted in whole hours."""

    enter_h: int = Field(ge=1, le=96)
    leave_h: int = Field(ge=1, le=96)
    leave_pct: Hundredths = Field(ge=1, le=100)
    recall_h: int = Field(ge=1, le=336)


class Discovery(Section):
    enabled: bool
    asset_class: AssetClass
    max_assets: int = Field(ge=1, le=50)


class Bans(Section):
    default_h: int = Field(ge=1, le=8760)


class Universe(Section):
    """Asset codes, by tier and by theme. The order of `bases` is kept."""

    tiers: Tiers
    near_threshold: NearThreshold
    hysteresis: Hysteresis
    discovery: Discovery
    themes: Themes
    never_trade: Assets
    bans: Bans

    @property
    def bases(self) -> Assets:
        """Every asset that a tier names, tier by tier."""
        return tuple(base for name in TIERS for base in getattr(self.tiers, name).bases)

    def tier_of(self, base: str) -> int:
        """1, 2 or 3; what no tier names is of tier 3, where it may be traded at all."""
        for number, name in enumerate(TIERS, 1):
            if base in getattr(self.tiers, name).bases:
                return number
        return len(TIERS)

    def class_of(self, base: str) -> AssetClass:
        """Whose hours an asset trades in: as its tier says, or discovery of what it finds. UNKNOWN is shut."""
        for name in TIERS:
            if base in getattr(self.tiers, name).bases:
                found: AssetClass = getattr(self.tiers, name).asset_class
                return found
        return self.discovery.asset_class if self.discovery.enabled else "UNKNOWN"

    def theme_of(self, base: str) -> str:
        return next((theme for theme, bases in self.themes.items() if base in bases), OTHER)


class Windows(Section):
    max_missing_bars: int = Field(ge=0, le=100)


class RegimeSignals(Section):
    base: Asset
    trend_h: int = Field(ge=2, le=720)
    confirm_h: int = Field(ge=1, le=48)
    recall_h: int = Field(ge=0, le=336)
    crash_fall_pct: Hundredths = Field(ge=0.01, le=99)
    crash_volatility_pct: Hundredths = Field(ge=0.01, le=1000)
    bull_rise_pct: Hundredths = Field(ge=0.01, le=1000)
    bull_volatility_pct: Hundredths = Field(ge=0.01, le=1000)
    bear_fall_pct: Hundredths = Field(ge=0.01, le=99)


class Guards(Section):
    outlier_bars: int = Field(ge=2, le=500)
    outlier_deviation_pct: Hundredths = Field(ge=0.01, le=1000)
    outlier_volume_pct: Hundredths = Field(ge=0, le=100)
    jump_bars: int = Field(ge=10, le=500)
    max_jump_sigma: Hundredths = Field(ge=1, le=100)
    atr_h: int = Field(ge=2, le=100)
    atr_median_h: int = Field(ge=3, le=720)
    volatility_h: int = Field(ge=3, le=720)


class Triggers(Section):
    max_triggers_per_cycle: int = Field(ge=1, le=50)
    min_score_pct: Hundredths = Field(ge=0, le=100)
    breakout_h: int = Field(ge=1, le=168)
    volume_h: int = Field(ge=1, le=168)
    volume_rise_pct: Hundredths = Field(ge=0, le=100)
    momentum_h: int = Field(ge=12, le=168)
    momentum_pct: Hundredths = Field(ge=0.01, le=100)
    reversal_near_low_pct: Hundredths = Field(ge=0.01, le=100)
    reversal_bounce_pct: Hundredths = Field(ge=0.01, le=100)
    reversal_min_qualifiers: int = Field(ge=0, le=4)
    reversal_trend_pct: Hundredths = Field(ge=-10, le=10)


class Threshold(Section):
    """What a trigger and a quiet market are measured by, in one regime."""

    move_15m_pct: Hundredths = Field(ge=0.01, le=100)
    move_60m_pct: Hundredths = Field(ge=0.01, le=100)
    volume_ratio: Hundredths = Field(ge=1, le=100)
    min_atr_ratio: Hundredths = Field(ge=0, le=10)


class Thresholds(Section):
    bull: Threshold
    chop: Threshold
    bear: Threshold
    crash: Threshold


class Signals(Section):
    windows: Windows
    regime: RegimeSignals
    guards: Guards
    triggers: Triggers
    thresholds: Thresholds


class Budget(Section):
    """What every strategy has: its switch, its budgets and its weakest proposal."""

    enabled: bool
    max_at_risk_pct: Hundredths = Field(ge=0.01, le=100)
    max_trades_per_cycle: int = Field(ge=1, le=50)
    min_conviction_pct: Hundredths = Field(ge=0, le=100)


class TriggerRule(Section):
    """Exits and size of what one trigger buys."""

    enabled: bool
    stop_pct: Hundredths = Field(ge=0.01, le=99)
    target_pct: Hundredths = Field(ge=0.01, le=1000)
    max_hold_h: int = Field(ge=1, le=8760)
    scale_pct: Hundredths = Field(ge=1, le=200)


class Rules(Budget):
    strength_weight_pct: Hundredths = Field(ge=0, le=100)
    confidence_weight_pct: Hundredths = Field(ge=0, le=100)
    core_boost_pct: Hundredths = Field(ge=0, le=100)
    qualifier_boost_pct: Hundredths = Field(ge=0, le=100)
    price_move: TriggerRule
    volume_spike: TriggerRule
    breakout: TriggerRule
    reversal: TriggerRule
    momentum: TriggerRule


class Momentum(Budget):
    window_h: int = Field(ge=2, le=336)
    min_rise_pct: Hundredths = Field(ge=0.01, le=100)
    min_share_pct: Hundredths = Field(ge=0, le=100)
    stop_pct: Hundredths = Field(ge=0.01, le=99)
    target_pct: Hundredths = Field(ge=0.01, le=1000)
    max_hold_h: int = Field(ge=1, le=8760)


class MeanReversion(Budget):
    window_h: int = Field(ge=2, le=336)
    entry_sigma: Hundredths = Field(ge=0.01, le=10)
    stop_atr: Hundredths = Field(ge=0.01, le=20)
    target_atr: Hundredths = Field(ge=0.01, le=50)
    max_hold_h: int = Field(ge=1, le=8760)


class SmaCross(Budget):
    fast_bars: int = Field(ge=2, le=500)
    slow_bars: int = Field(ge=3, le=1000)
    stop_pct: Hundredths = Field(ge=0.01, le=99)
    target_pct: Hundredths = Field(ge=0.01, le=1000)
    max_hold_h: int = Field(ge=1, le=8760)


class Strategies(Section):
    rules: Rules
    momentum: Momentum
    mean_reversion: MeanReversion
    sma_cross: SmaCross


class Settings(Section):
    """The five files, one attribute each."""

    app: App
    policy: Policy
    universe: Universe
    signals: Signals
    strategies: Strategies

    @property
    def text(self) -> str:
        """All of it as one line of JSON, exact; `settings.edit.from_text` reads it again."""
        from trader_core.settings.edit import to_text

        return to_text(self)


def section_of(field: FieldInfo) -> type[Section] | None:
    """The model behind a field that is a block of its own, else None."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def range_of(field: FieldInfo) -> tuple[Any, Any] | None:
    """Lowest and highest allowed number, both inclusive; None where the field is no ranged number."""
    bounds = {name: getattr(rule, name) for rule in field.metadata for name in ("ge", "le") if hasattr(rule, name)}
    return (bounds["ge"], bounds["le"]) if len(bounds) == 2 else None


def unit_of(key: str) -> str:
    """The key's unit suffix, or '' where it has none."""
    return next((suffix for suffix in UNITS if key.endswith(suffix)), "")


FILES: dict[str, type[Section]] = {name: model for name, f in Settings.model_fields.items() if (model := section_of(f))}
