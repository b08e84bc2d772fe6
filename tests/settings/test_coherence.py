"""Settings that contradict each other are refused at the line to mend; a limit that can never bind is a warning."""

from typing import Any

import pytest

from tests.settings.spoil import Config
from trader_core.settings.coherence import warnings

TIER_1, TIER_2 = "tiers.tier_1_core", "tiers.tier_2_rotational"


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        ("app", "maker_fee_bps: 60", "maker_fee_bps: 121", "paper.maker_fee_bps 121 is above taker_fee_bps 120"),
        ("app", "warn_age_days: 83", "warn_age_days: 90", "secrets.warn_age_days 90 is not below max_age_days 90"),
        ("policy", "    DEFI: 5", "    DEFI: 3.9", "risk.max_per_theme_pct.DEFI 3.9 is below max_per_asset_pct 4"),
        (
            "policy",
            "max_day_loss_pct: 3 # loss since",
            "max_day_loss_pct: 7 # loss since",
            "risk.max_day_loss_pct 7 is not below max_week_loss",
        ),
        ("policy", "after_win_min: 10", "after_win_min: 61", "pacing.cooldown_after_win_min 61 is above"),
        ("policy", "after_loss_min: 60", "after_loss_min: 121", "pacing.cooldown_after_loss_min 121 is above"),
        ("policy", "  min_spacing_s: 90", "  min_spacing_s: 901", "pacing.min_spacing_s 901 is above min_asset_spac"),
        ("policy", "per_cycle: 1", "per_cycle: 4", "pacing.max_entries_per_cycle 4 is above max_entries_per_hour 3"),
        ("policy", "per_hour: 3", "per_hour: 16", "pacing.max_entries_per_hour 16 is above max_entries_per_day 15"),
        (
            "policy",
            "cluster_min_days: 20",
            "cluster_min_days: 31",
            "portfolio.cluster_min_days 31 is above cluster_win",
        ),
        ("policy", "var_min_days: 30", "var_min_days: 61", "portfolio.var_min_days 61 is above var_window_days 60"),
        ("policy", "tier_1_position_pct: 3 ", "tier_1_position_pct: 5.72 ", "sizing.tier_1_position_pct 5.72 is 4"),
        (
            "policy",
            "    DEFI: 5",
            "    DEFY: 5",
            "risk.max_per_theme_pct.DEFY is not a theme of universe.yaml; did you",
        ),
        ("policy", "    LAYER2: 4", "    L2: 4", "risk.max_per_theme_pct.L2 is not a theme of universe.yaml; did you"),
        (
            "policy",
            "    OTHER: 4",
            "    OTHERS: 4",
            "risk.max_per_theme_pct.OTHERS is not a theme of universe.yaml; did",
        ),
        (
            "policy",
            "    DEFI: 5",
            "    DEFI: 5\n    XXX: 5",
            "risk.max_per_theme_pct.XXX is not a theme of universe.yaml; k",
        ),
        ("universe", "      - ETH", "      - BTC", f"{TIER_1}.bases lists BTC twice"),
        ("universe", "      - XRP", "      - BTC", f"BTC is in {TIER_1}.bases and in {TIER_2}.bases"),
        ("universe", "      - ETH", "      - USDT", f"USDT is in {TIER_1}.bases and in never_trade"),
        ("universe", "  - USDC", "  - USDT", "never_trade lists USDT twice"),
        ("universe", "[OP, ARB,", "[OP, BTC,", "BTC is in themes.LAYER1 and in themes.LAYER2"),
        ("universe", "[OP, ARB,", "[OP, OP,", "themes.LAYER2 lists OP twice"),
        (
            "signals",
            "max_missing_bars: 2",
            "max_missing_bars: 10",
            "windows.max_missing_bars 10 would let a whole wind",
        ),
        (
            "policy",
            "base_bar_min: 15",
            "base_bar_min: 60",
            "cycle.base_bar_min 60 is too coarse for",
        ),
        ("signals", "bear_fall_pct: 5", "bear_fall_pct: 10", "regime.bear_fall_pct 10 is not below crash_fall_pct 10"),
        ("signals", "bull_volatility_pct: 60", "bull_volatility_pct: 100", "regime.bull_volatility_pct 100 is not bel"),
        ("signals", "move_15m_pct: 1.2", "move_15m_pct: 2.6", "thresholds.chop.move_15m_pct 2.6 is above move_60m_pct"),
        ("strategies", "    stop_pct: 12", "    stop_pct: 25", "rules.reversal.stop_pct 25 is not below target_pct 25"),
        ("strategies", "  stop_atr: 1.2", "  stop_atr: 1.8", "mean_reversion.stop_atr 1.8 is not below target_atr 1.8"),
        ("strategies", "fast_bars: 10", "fast_bars: 50", "sma_cross.fast_bars 50 is not below slow_bars 50"),
        ("strategies", "  stop_pct: 5", "  stop_pct: 10", "sma_cross.stop_pct 10 is not below target_pct 10"),
    ],
)
def test_a_contradiction_is_refused_at_its_line(config: Config, file: str, old: str, new: str, what: str) -> None:
    line = config.replace(file, old, new) + new.count("\n")
    assert config.problem().startswith(f"{file}.yaml:{line}: {what}")


@pytest.mark.parametrize(
    ("file", "old", "new", "at", "what"),
    [
        ("policy", "risk_pct: 25 ", "risk_pct: 3 ", "  max_per_asset_pct:", "risk.max_per_asset_pct 4 is above"),
        (
            "policy",
            "max_tier_3_pct: 4 ",
            "max_tier_3_pct: 0.48 ",
            "  tier_3_pos",
            "sizing.tier_3_position_pct 0.7 is 0.49",
        ),
        (
            "universe",
            "max_spread_bps: 35 ",
            "max_spread_bps: 29 ",
            "bps: 30 ",
            "near_threshold.max_spread_bps 30 is above",
        ),
        (
            "signals",
            "outlier_bars: 20 ",
            "outlier_bars: 2 ",
            "  max_missing",
            "windows.max_missing_bars 2 would let a whole",
        ),
        ("signals", "  atr_h: 14 ", "  atr_h: 2 ", "  max_missing", "windows.max_missing_bars 2 would let a whole"),
    ],
)
def test_the_line_to_mend_need_not_be_the_last_that_was_changed(
    config: Config, file: str, old: str, new: str, at: str, what: str
) -> None:
    config.replace(file, old, new)
    line = config.line(file, at)
    assert config.problem().startswith(f"{file}.yaml:{line}: {what}")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("app", "maker_fee_bps: 60", "maker_fee_bps: 120"),
        ("policy", "min_spacing_s: 90 ", "min_spacing_s: 900 "),
        ("policy", "max_entries_per_day: 15", "max_entries_per_day: 3"),
        ("policy", "max_entries_per_cycle: 1", "max_entries_per_cycle: 3"),
        ("policy", "after_loss_min: 60", "after_loss_min: 120"),
        ("policy", "tier_1_position_pct: 3 ", "tier_1_position_pct: 5.71 "),
        ("policy", "max_tier_1_pct: 20", "max_tier_1_pct: 25"),
        ("universe", "max_spread_bps: 35 ", "max_spread_bps: 30 "),
        ("signals", "move_15m_pct: 1.2", "move_15m_pct: 2.5"),
        ("signals", "base: BTC", "base: USDT"),
        ("strategies", "fast_bars: 10", "fast_bars: 49"),
    ],
)
def test_what_just_fits_is_allowed(config: Config, file: str, old: str, new: str) -> None:
    config.replace(file, old, new)
    assert warnings(config.load()) == ()


def test_what_the_profile_in_force_wants_must_fit_and_no_other(config: Config) -> None:
    config.replace("policy", "tier_1_position_pct: 3 ", "tier_1_position_pct: 4 ")
    config.load()
    config.replace("policy", "profile: DEFENSIVE", "profile: AGGRESSIVE")
    assert "tier_1_position_pct 4 is 5.2 in profile AGGRESSIVE, above risk.max_per_asset_pct 4" in config.problem()


def test_a_theme_without_a_cap_is_refused(config: Config) -> None:
    block = config.line("policy", "  max_per_theme_pct:")
    config.replace("policy", "    MEME: 4 # % of equity\n", "")
    assert config.problem() == f"policy.yaml:{block}: risk.max_per_theme_pct has no cap for the theme MEME"


def test_other_is_not_a_theme_to_be_listed(config: Config) -> None:
    line = config.replace("universe", "  MEME: [DOGE", "  OTHER: [PEPE]\n  MEME: [DOGE")
    assert f"universe.yaml:{line}: themes.OTHER cannot be listed" in config.problems()[0]


def test_a_trailing_stop_follows_no_narrower_stop_where_it_is_used(config: Config) -> None:
    line = config.replace("policy", "trailing_stop_pct: 5", "trailing_stop_pct: 6.01")
    config.load()
    config.replace("policy", "use_trailing_stop: false", "use_trailing_stop: true")
    what = "exits.trailing_stop_pct 6.01 is wider than the stop it follows, rules.price_move.stop_pct 6"
    assert config.problem() == f"policy.yaml:{line}: {what}"
    config.put(("strategies", "rules", "enabled"), False)
    config.load()


def test_live_on_the_simulated_venue_is_refused(config: Config) -> None:
    line = config.replace("app", "mode: DRY_RUN", "mode: LIVE")
    config.load()
    config.replace("app", "venue: coinbase", "venue: simulated")
    assert config.problem().startswith(f"app.yaml:{line}: mode is LIVE, but exchange.venue is simulated")


@pytest.mark.parametrize("server", ["", "    - 1.POOL.ntp.org\n    - a\n"])
def test_time_servers_are_three_different_ones(config: Config, server: str) -> None:
    """Two have no majority, and one that is asked twice agrees with itself."""
    line = config.line("app", "servers: #")
    config.replace("app", "    - time.cloudflare.com\n    - time.nist.gov\n", server)
    what = "clock.servers must name at least 3 servers, each once: fewer have no majority"
    assert config.problem() == f"app.yaml:{line}: {what}"


def test_all_contradictions_are_listed_at_once_in_the_order_of_lines(config: Config) -> None:
    edits: list[tuple[str, str, Any]] = [
        ("app", "maker_fee_bps: 60", "maker_fee_bps: 300"),
        ("policy", "    DEFI: 5", "    DEFI: 1"),
        ("policy", "max_day_loss_pct: 3 # loss since", "max_day_loss_pct: 8 # loss since"),
        ("universe", "      - ETH", "      - BTC"),
        ("strategies", "    stop_pct: 12", "    stop_pct: 30"),
        ("strategies", "fast_bars: 10", "fast_bars: 60"),
    ]
    where = [f"{file}.yaml:{config.replace(file, old, new)}" for file, old, new in edits]
    assert [problem.split(": ")[0] for problem in config.problems()] == where


# --- limits that can never bind --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        (
            "policy", "max_drawdown_pct: 10", "max_drawdown_pct: 7",
            "risk.max_week_loss_pct 7 can never bind: risk.max_drawdown_pct is 7",
        ),
        (
            "policy", "max_tier_1_pct: 20", "max_tier_1_pct: 26",
            "risk.max_tier_1_pct 26 can never bind: risk.max_total_at_risk_pct is 25",
        ),
        (
            "policy", "    LAYER1: 10", "    LAYER1: 25.5",
            "risk.max_per_theme_pct.LAYER1 25.5 can never bind: risk.max_total_at_risk_pct is 25",
        ),
        (
            "policy", "max_entries_per_day: 15", "max_entries_per_day: 73",
            "pacing.max_entries_per_day 73 can never bind: pacing.max_entries_per_hour 3 lets 72 pass",
        ),
        (
            "policy", "max_spread_bps: 50 ", "max_spread_bps: 34 ",
            "tiers.tier_2_rotational.max_spread_bps 35 can never bind: liquidity.max_spread_bps is 34",
        ),
        (
            "universe", "enabled: false", "enabled: true",
            "tiers.tier_3_event_driven.max_spread_bps 60 can never bind: liquidity.max_spread_bps is 50",
        ),
        (
            "policy", "  allowed: false", "  allowed: true",
            "adds.min_spacing_min 10 can never bind: pacing.min_asset_spacing_s is 900",
        ),
        (
            "policy", "max_slot_wait_min: 15", "max_slot_wait_min: 14",
            "risk.max_slot_wait_min 14 lets nothing wait: cycle.base_bar_min is 15",
        ),
        (
            "app", "cycle_p95_ms: 1000", "cycle_p95_ms: 2001",
            "latency.cycle_p95_ms 2001 can never bind: latency.cycle_p99_ms is 2000",
        ),
    ],
)  # fmt: skip
def test_a_limit_that_can_never_bind_is_a_warning(config: Config, file: str, old: str, new: str, what: str) -> None:
    config.replace(file, old, new)
    assert warnings(config.load()) == (what,)


def test_what_says_the_same_as_another_limit_or_nothing_at_all_is_no_warning(config: Config) -> None:
    config.replace("policy", "  allowed: false", "  allowed: true")
    config.replace("policy", "min_spacing_min: 10", "min_spacing_min: 15")
    config.replace("policy", "max_slot_wait_min: 15", "max_slot_wait_min: 0")
    config.replace("app", "cycle_p95_ms: 1000", "cycle_p95_ms: 2000")
    assert warnings(config.load()) == ()


def test_only_a_strategy_that_may_buy_is_warned_of(config: Config) -> None:
    config.put(("strategies", "momentum", "max_at_risk_pct"), 26)
    assert warnings(config.load()) == ()
    config.put(("strategies", "rules", "max_at_risk_pct"), 26)
    assert warnings(config.load()) == ("rules.max_at_risk_pct 26 can never bind: risk.max_total_at_risk_pct is 25",)


def test_what_would_make_the_total_or_the_daily_count_meaningless_is_not_asked_for(config: Config) -> None:
    """Theme caps and full slots together exceed the total, and a day holds fewer entries than its hours."""
    risk, pacing = config.load().policy.risk, config.load().policy.pacing
    assert sum(risk.max_per_theme_pct.values()) > risk.max_total_at_risk_pct
    assert pacing.max_entries_per_day < 24 * pacing.max_entries_per_hour
    config.replace("policy", "max_open_positions: 6", "max_open_positions: 50")
    assert warnings(config.load()) == ()
