"""What differs between two configurations, and what it does to the risk that is allowed."""

from decimal import Decimal
from typing import Any

import pytest

from tests.settings.keys import CONFIG, Leaf, leaf_keys, mapped_keys
from trader_core.settings.compare import Change, compare
from trader_core.settings.load import load
from trader_core.settings.schema import Settings

SHIPPED = load(CONFIG)
NUMBERS = [leaf for leaf in leaf_keys() if leaf.is_number] + mapped_keys()
TIMES = "\N{MULTIPLICATION SIGN}"
OPPOSITE = {"loosens": "tightens", "tightens": "loosens", "changed": "changed"}
# More of these may allow more risk or less; of all other numbers and switches the direction is known.
EITHER = {
    "default_target_pct", "break_even_at_pct", "partial_target_pct", "partial_share_pct",
    "cash_quote", "maker_fee_bps", "taker_fee_bps", "half_spread_bps", "tier_1_bps", "tier_2_bps", "tier_3_bps",
    "large_quote", "per_decade_pct", "most_large_pct", "restless_range_pct", "most_restless_pct",
    "max_share_of_volume_pct",
    "depth_of_day_volume_pct", "maker_ttl_bars", "maker_max_reprices", "trend_h", "confirm_h", "recall_h",
    "outlier_bars", "jump_bars", "atr_h", "atr_median_h", "volatility_h", "breakout_h", "volume_h", "momentum_h",
    "window_h", "cluster_window_days", "var_window_days", "target_pct", "target_atr", "fast_bars", "slow_bars",
    "trim_above_cap_pct", "purge_after_h", "decisions_days",
}  # fmt: skip


def with_value(key: str, value: Any) -> Settings:
    content = SHIPPED.model_dump()
    *path, last = key.split(".")
    block = content
    for step in path:
        block = block[step]
    block[last] = value
    return Settings.model_validate(content)


def change(key: str, value: Any) -> Change:
    (only,) = compare(SHIPPED, with_value(key, value))
    return only


def of_kind(leaf: Leaf, value: Any) -> Any:
    return Decimal(value) if leaf.kind == "money" else value


def test_nothing_differs_from_itself() -> None:
    assert compare(SHIPPED, load(CONFIG)) == ()


@pytest.mark.parametrize(
    ("key", "value", "effect", "meaning"),
    [
        ("policy.risk.max_day_loss_pct", 7.5, "loosens", "max daily loss x 2.5"),
        ("policy.risk.max_open_positions", 3, "tightens", "max open positions x 0.5"),
        ("policy.risk.max_per_theme_pct.MEME", 5.0, "loosens", "max per theme MEME x 1.25"),
        ("policy.pacing.cooldown_after_stop_min", 40, "loosens", "cooldown after stop x 0.333"),
        ("policy.pacing.min_spacing_s", 180, "tightens", "min spacing x 2"),
        ("policy.sizing.min_notional_quote", Decimal(5), "loosens", "min notional x 0.5"),
        ("policy.sizing.tier_2_position_pct", 3.0, "loosens", "tier 2 position x 1.5"),
        ("policy.regime.crash_scale_pct", 10.0, "loosens", ""),  # from nothing to something
        ("policy.profile", "AGGRESSIVE", "loosens", "new positions x 1.86"),
        ("policy.profile", "CAUTIOUS", "tightens", "new positions x 0.714"),
        ("policy.halt.enabled", False, "loosens", ""),
        ("policy.exits.use_trailing_stop", True, "tightens", ""),
        ("strategies.rules.breakout.stop_pct", 12.0, "loosens", "stop x 2"),
        ("strategies.rules.breakout.target_pct", 10.0, "changed", "target x 0.5"),
        ("strategies.sma_cross.enabled", True, "loosens", ""),
        ("app.mode", "LIVE", "loosens", ""),
        ("app.exchange.read_only", False, "loosens", ""),
        ("app.exchange.venue", "simulated", "changed", ""),
        ("universe.never_trade", ("USDT",), "loosens", ""),
        ("universe.tiers.tier_1_core.bases", ("BTC",), "tightens", ""),
        ("universe.themes.MEME", ("DOGE",), "changed", ""),
    ],
)
def test_a_change_says_what_it_means_for_risk(key: str, value: Any, effect: str, meaning: str) -> None:
    found = change(key, value)
    assert f"{found.file}.{found.key}" == key
    assert (found.after, found.effect, found.meaning) == (value, effect, meaning.replace(" x ", f" {TIMES} "))


def test_a_bolder_profile_of_the_same_scale_loosens_all_the_same() -> None:
    """What it says of losses and positions is bolder."""
    before = with_value("policy.profiles.CAUTIOUS.position_scale_pct", 70)
    content = before.model_dump()
    content["policy"]["profile"] = "CAUTIOUS"
    (found,) = compare(Settings.model_validate(content), before)
    assert (found.key, found.effect, found.meaning) == ("profile", "loosens", "")


def test_a_list_says_what_came_and_what_went() -> None:
    found = change("universe.tiers.tier_1_core.bases", ("BTC", "ETH", "TON"))
    assert (found.added, found.removed, found.effect) == (("TON",), ("SOL",), "loosens")
    moved = change("universe.tiers.tier_1_core.bases", ("ETH", "BTC", "SOL"))
    assert (moved.added, moved.removed, moved.effect) == ((), (), "changed")


def test_what_stands_in_a_mapping_comes_and_goes_by_name() -> None:
    themes = {**SHIPPED.universe.themes, "AI": ("FET",)}
    del themes["DEFI"]
    found = {one.key: (one.before, one.after) for one in compare(SHIPPED, with_value("universe.themes", themes))}
    assert found == {"themes.AI": (None, ("FET",)), "themes.DEFI": (("UNI", "LINK", "AAVE", "SUSHI"), None)}


@pytest.mark.parametrize("leaf", NUMBERS, ids=lambda leaf: ".".join(leaf.path))
def test_every_number_is_seen_with_its_direction_and_the_way_back_is_the_opposite(leaf: Leaf) -> None:
    for value in {leaf.low, leaf.high} - {leaf.shipped}:
        after = with_value(".".join(leaf.path), of_kind(leaf, value))
        (there,), (back,) = compare(SHIPPED, after), compare(after, SHIPPED)
        assert (there.file, there.key) == (leaf.path[0], ".".join(leaf.path[1:]))
        assert back.effect == OPPOSITE[there.effect]
        either = leaf.path[-1] in EITHER and "hysteresis" not in leaf.path
        either |= leaf.path[:2] == ("app", "alerts")  # what people are told allows no risk, and none less
        assert (there.effect == "changed") == either
        if there.factor and back.factor:
            assert abs(there.factor * back.factor - 1) < Decimal("0.01")


@pytest.mark.parametrize("leaf", [one for one in leaf_keys() if one.kind == "flag"], ids=lambda one: ".".join(one.path))
def test_every_switch_has_a_direction(leaf: Leaf) -> None:
    assert change(".".join(leaf.path), not leaf.shipped).effect != "changed"


def test_changes_come_in_the_order_of_files() -> None:
    content = SHIPPED.model_dump()
    content["strategies"]["sma_cross"]["slow_bars"] = 60
    content["app"]["mode"] = "PAPER"
    content["policy"]["risk"]["max_per_theme_pct"]["AI"] = 5
    found = compare(SHIPPED, Settings.model_validate(content))
    assert [(one.file, one.key) for one in found] == [
        ("app", "mode"), ("policy", "risk.max_per_theme_pct.AI"), ("strategies", "sma_cross.slow_bars"),
    ]  # fmt: skip
