"""Settings that contradict each other are refused at the line to mend."""

from typing import Any

import pytest

from tests.settings.spoil import Config


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        ("app", "mode: DRY_RUN", "mode: LIVE", ""),
        ("app", "maker_fee_bps: 60", "maker_fee_bps: 121", "paper.maker_fee_bps 121 is above taker_fee_bps 120"),
        ("policy", "max_per_asset_pct: 10", "max_per_asset_pct: 26", "risk.max_per_asset_pct 26 is above"),
        ("policy", "position_pct: 5", "position_pct: 11", "sizing.position_pct 11 is above risk.max_per_asset_pct 10"),
        ("universe", "- ETH", "- BTC", "bases lists BTC twice"),
        ("universe", "- USDC", "- USDT", "never_trade lists USDT twice"),
        ("universe", "- ETH", "- USDT", "USDT is in bases and in never_trade"),
        ("signals", "max_missing_bars: 2", "max_missing_bars: 10", "windows.max_missing_bars 10 would let"),
        ("strategies", "fast_bars: 10", "fast_bars: 50", "sma_cross.fast_bars 50 is not below slow_bars 50"),
        ("strategies", "stop_pct: 5", "stop_pct: 10", "sma_cross.stop_pct 10 is not below target_pct 10"),
    ],
)
def test_a_contradiction_is_refused_at_its_line(config: Config, file: str, old: str, new: str, what: str) -> None:
    line = config.replace(file, old, new)
    if what:
        assert config.problem().startswith(f"{file}.yaml:{line}: {what}")
    else:
        config.load()


def test_live_on_the_simulated_venue_is_refused(config: Config) -> None:
    line = config.replace("app", "mode: DRY_RUN", "mode: LIVE")
    config.replace("app", "venue: coinbase", "venue: simulated")
    assert config.problem().startswith(f"app.yaml:{line}: mode is LIVE, but exchange.venue is simulated")


def test_a_position_that_its_profile_scales_beyond_the_asset_cap_is_clipped_not_refused(config: Config) -> None:
    config.replace("policy", "profile: DEFENSIVE", "profile: AGGRESSIVE")
    config.replace("policy", "position_pct: 5", "position_pct: 10")
    assert config.load().policy.active_profile.position_scale_pct == 130


def test_all_contradictions_are_listed_at_once(config: Config) -> None:
    edits: list[tuple[str, str, Any]] = [
        ("app", "maker_fee_bps: 60", "maker_fee_bps: 300"),
        ("policy", "max_per_asset_pct: 10", "max_per_asset_pct: 40"),
        ("universe", "- ETH", "- BTC"),
        ("strategies", "fast_bars: 10", "fast_bars: 60"),
    ]
    where = [f"{file}.yaml:{config.replace(file, old, new)}" for file, old, new in edits]
    assert [problem.split(": ")[0] for problem in config.problems()] == where
