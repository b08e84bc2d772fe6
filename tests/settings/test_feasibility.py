"""The band between the smallest and the largest legal order, by hand and by law."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.settings.keys import CONFIG
from trader_core.settings.feasibility import Band, bands, halved_line, startup_warning
from trader_core.settings.load import load
from trader_core.settings.schema import REGIMES, Settings

SHIPPED = load(CONFIG)
CENT, GRAIN = Decimal("0.01"), Decimal("0.00000001")
STRATEGIES = ("rules", "momentum", "mean_reversion", "sma_cross")


def changed(edits: dict[str, Any]) -> Settings:
    """The shipped settings with these keys; 'policy.risk.max_per_asset_pct' is one."""
    content = SHIPPED.model_dump()
    for key, value in edits.items():
        *path, last = key.split(".")
        block = content
        for step in path:
            block = block[step]
        block[last] = value
    return Settings.model_validate(content)


def only(strategy: str, **edits: Any) -> Settings:
    """With one strategy that may buy."""
    switches = {f"strategies.{name}.enabled": name == strategy for name in STRATEGIES}
    return changed(switches | {key.replace("__", "."): value for key, value in edits.items()})


def band(policy: Settings, equity: str, tier: int, regime: str, **more: Any) -> Band:
    (found,) = (one for one in bands(policy, Decimal(equity), **more) if (one.tier, one.regime) == (tier, regime))
    return found


def test_the_smallest_order_leaves_the_floor_after_its_fee() -> None:
    found = band(only("sma_cross"), "10000", 1, "chop").smallest
    assert found == Decimal("10.12145749")  # 10 / (1 - 120 bps)
    assert found * Decimal("0.988") >= 10 > (found - GRAIN) * Decimal("0.988")


def test_the_higher_of_both_floors_counts() -> None:
    assert band(only("sma_cross"), "10000", 1, "chop", venue_floor=Decimal(50)).smallest == Decimal("53.27082890")
    cheap = only("sma_cross", policy__sizing__min_notional_quote=Decimal(0), app__paper__taker_fee_bps=60)
    assert band(cheap, "10000", 1, "chop").smallest == Decimal("1.05898550")  # 1 at a stop of 5 %, and the fee


def test_where_every_stop_would_be_less_than_the_venue_takes_no_order_fits() -> None:
    """Each order of them is refused by MIN_NOTIONAL."""
    far = only("sma_cross", strategies__sma_cross__stop_pct=99)
    found = band(far, "5000", 1, "chop")
    assert (found.state, found.largest, found.smallest) == ("empty", Decimal(84), Decimal("101.21457490"))
    near = changed({"strategies.sma_cross.enabled": True, "strategies.sma_cross.stop_pct": 99.0})
    assert band(near, "5000", 1, "chop").state == "open", "another one may buy"


@pytest.mark.parametrize(
    ("edits", "regime", "largest", "limit"),
    [
        ({}, "chop", "168", "sizing.tier_1_position_pct"),  # 3 % of 10000, x 70 % profile, x 80 % regime
        ({}, "bull", "252", "sizing.tier_1_position_pct"),
        (
            {"policy__risk__max_per_asset_pct": 2},
            "chop",
            "158.10276679",
            "risk.max_per_asset_pct",
        ),  # 2 % x 80 % / 1.012
        ({"policy__risk__max_per_asset_pct": 2}, "bull", "197.62845849", "risk.max_per_asset_pct"),  # no wider in bull
        ({"policy__risk__max_tier_1_pct": 1}, "bear", "49.40711462", "risk.max_tier_1_pct"),
        ({"policy__risk__max_total_at_risk_pct": 1}, "bear", "49.40711462", "risk.max_total_at_risk_pct"),
        ({"strategies__sma_cross__max_at_risk_pct": 1}, "bear", "49.40711462", "sma_cross.max_at_risk_pct"),
    ],
)
def test_the_largest_order_is_what_the_tightest_key_allows(
    edits: dict[str, Any], regime: str, largest: str, limit: str
) -> None:
    found = band(only("sma_cross", **edits), "10000", 1, regime)
    assert (found.state, found.largest, found.limit) == ("open", Decimal(largest), limit)


def test_the_widest_theme_of_a_tier_counts() -> None:
    caps = dict.fromkeys(("LAYER1", "LAYER2", "MEME", "OTHER"), 0.5) | {"DEFI": 0.6}
    found = band(only("sma_cross", policy__risk__max_per_theme_pct=caps), "10000", 2, "bull")
    assert (found.largest, found.limit) == (Decimal("59.28853754"), "risk.max_per_theme_pct.DEFI")
    assert band(only("sma_cross", policy__risk__max_per_theme_pct=caps), "10000", 1, "bull").limit.endswith(".LAYER1")


def test_a_regime_that_scales_to_nothing_is_closed_on_purpose() -> None:
    found = band(SHIPPED, "100", 1, "crash")
    assert (found.state, found.largest, found.open_from, found.limit) == (
        "closed", Decimal(0), None, "regime.crash_scale_pct",
    )  # fmt: skip
    assert not any("crash" in line for line in startup_warning(SHIPPED, Decimal(100), None))


def test_a_small_account_is_told_what_would_be_enough() -> None:
    """NAV 255: every band is a dead zone."""
    found = band(only("sma_cross"), "255", 1, "chop")
    assert (found.state, found.largest) == ("empty", Decimal("4.284"))
    assert found.open_from == Decimal("602.47")  # 10.12145749 / (3 % x 70 % x 80 %)
    assert band(only("sma_cross"), "602.47", 1, "chop").state == "open"
    assert band(only("sma_cross"), "602.46", 1, "chop").state == "empty"


def test_what_no_equity_opens_says_so() -> None:
    tiny = only("sma_cross", policy__sizing__tier_1_position_pct=0.01, policy__regime__chop_scale_pct=0.01)
    assert band(tiny, "1000", 1, "chop").open_from is None  # 0.7 millionths of a percent of 1,000,000,000 are 7
    assert startup_warning(tiny, Decimal(1000), "chop")[0].endswith("; at no equity one does")


def test_each_proposer_is_measured_and_the_starving_ones_are_named() -> None:
    """A breakout wants 120 % of a position, a reversal 80 %."""
    found = band(SHIPPED, "620", 1, "chop")
    assert (found.state, found.largest, found.starved) == ("open", Decimal("12.4992"), ("rules.reversal",))
    assert (found.open_from, found.full_from) == (Decimal("502.06"), Decimal("753.09"))
    assert band(SHIPPED, "753.09", 1, "chop").starved == ()
    assert band(SHIPPED, "753.08", 1, "chop").starved == ("rules.reversal",)
    quiet = changed({"strategies.rules.reversal.enabled": False})
    assert band(quiet, "620", 1, "chop").starved == ()


def test_a_tier_that_can_hold_nothing_has_no_band() -> None:
    assert {one.tier for one in bands(SHIPPED, Decimal(1000))} == {1, 2}
    found = [one for one in bands(changed({"universe.discovery.enabled": True}), Decimal(10_000)) if one.tier == 3]
    assert [one.regime for one in found] == list(REGIMES)
    assert found[0].state == "open"
    assert bands(changed({"universe.tiers.tier_1_core.bases": ()}), Decimal(1000))[0].tier == 2


@pytest.mark.parametrize("theme", ["MEME", "OTHER"])  # PEPE is in no tier, and most assets are in no theme
def test_discovery_may_find_an_asset_of_any_theme_that_no_tier_names(theme: str) -> None:
    caps = dict.fromkeys(("LAYER1", "LAYER2", "MEME", "DEFI", "OTHER"), 0.01) | {theme: 0.02}
    open_to_all = changed({"universe.discovery.enabled": True, "policy.risk.max_per_theme_pct": caps})
    assert band(open_to_all, "10000", 3, "bull").limit == f"risk.max_per_theme_pct.{theme}"
    assert band(open_to_all, "10000", 1, "bull").limit == "risk.max_per_theme_pct.LAYER1"


def test_start_up_warns_of_the_regime_in_force_or_of_all() -> None:
    assert startup_warning(SHIPPED, Decimal(10_000), None) == ()
    lines = startup_warning(SHIPPED, Decimal(255), "bear")
    assert lines[0] == (
        "tier 1 in bear: no order fits, at most 3.21 (sizing.tier_1_position_pct), at least 10.13;"
        " from an equity of 803.30 one does"
    )
    assert len(lines) == 2
    assert len(startup_warning(SHIPPED, Decimal(255), None)) == 6
    assert len(startup_warning(SHIPPED, Decimal(255), "unknown")) == 6
    assert startup_warning(SHIPPED, Decimal(255), "crash") == ()


def test_a_day_that_has_halved_positions_may_shut_an_open_band() -> None:
    """168 of 10000 are wanted, and 84 on a day that has lost two percent."""
    assert band(only("sma_cross"), "10000", 1, "chop").halved == Decimal("84")
    found = band(only("sma_cross"), "602.47", 1, "chop")
    assert (found.state, found.is_shut_by_halving, found.halved_from) == ("open", True, Decimal("1204.94"))
    assert halved_line(found) == (
        "tier 1 in chop: no order fits on a day whose loss has halved positions, at most 5.06, at least 10.13;"
        " from an equity of 1,204.94 one does"
    )
    assert not band(only("sma_cross"), "1204.94", 1, "chop").is_shut_by_halving
    assert band(only("sma_cross"), "1204.93", 1, "chop").is_shut_by_halving
    assert not band(SHIPPED, "100", 1, "crash").is_shut_by_halving, "it is closed on every day"


def test_own_money_in_one_position_is_a_ceiling_whatever_the_equity() -> None:
    found = band(only("sma_cross", policy__sizing__max_position_quote=Decimal(100)), "1000000", 1, "bull")
    assert (found.largest, found.limit) == (Decimal(100), "sizing.max_position_quote")


@pytest.mark.parametrize(("profile", "scale"), [("NORMAL", 100), ("DEFENSIVE", 70), ("CAUTIOUS", 50)])
def test_the_profile_in_force_scales_what_is_wanted(profile: str, scale: int) -> None:
    found = band(only("sma_cross", policy__profile=profile), "10000", 1, "chop")
    assert found.largest == Decimal(240) * scale / 100


def test_no_equity_is_enough_for_nothing() -> None:
    for equity in (Decimal(0), Decimal(-5)):
        assert {one.state for one in bands(SHIPPED, equity)} == {"empty", "closed"}


# --- laws ------------------------------------------------------------------------------------------------------------

PERCENT = st.integers(1, 10_000).map(lambda hundredths: hundredths / 100)
POLICIES = st.fixed_dictionaries(
    {
        "policy.profile": st.sampled_from(["NORMAL", "DEFENSIVE", "AGGRESSIVE", "CAUTIOUS"]),
        "policy.regime.chop_scale_pct": st.integers(0, 20_000).map(lambda hundredths: hundredths / 100),
        "policy.sizing.tier_1_position_pct": PERCENT,
        "policy.sizing.min_notional_quote": st.decimals(0, 1000, places=2),
        "policy.risk.max_per_asset_pct": PERCENT,
        "policy.risk.max_tier_1_pct": PERCENT,
        "policy.risk.max_total_at_risk_pct": PERCENT,
        "strategies.rules.max_at_risk_pct": PERCENT,
        "app.paper.taker_fee_bps": st.integers(60, 500),
    }
).map(changed)
EQUITY = st.integers(0, 10**9).map(lambda cents: Decimal(cents) / 100)


@settings(max_examples=40, deadline=None)
@given(policy=POLICIES)
def test_the_equity_that_opens_a_band_is_exact_to_the_cent(policy: Settings) -> None:
    found = band(policy, "0", 1, "chop")
    if found.open_from is not None:
        assert band(policy, str(found.open_from), 1, "chop").state == "open"
        assert band(policy, str(found.open_from - CENT), 1, "chop").state == "empty"


@settings(max_examples=40, deadline=None)
@given(policy=POLICIES, equity=EQUITY, more=EQUITY)
def test_caps_pay_the_fee_and_more_equity_never_makes_an_order_smaller(
    policy: Settings, equity: Decimal, more: Decimal
) -> None:
    found = band(policy, str(equity), 1, "chop")
    assert found.largest <= band(policy, str(equity + more), 1, "chop").largest
    risk, fee = policy.policy.risk, Decimal(str(policy.app.paper.taker_fee_bps)) / 10_000
    cap = min(risk.max_per_asset_pct, risk.max_tier_1_pct, risk.max_total_at_risk_pct)
    scale = min(policy.policy.regime.chop_scale_pct, 100)
    allowed = equity * Decimal(str(cap)) / 100 * Decimal(str(scale)) / 100
    assert found.largest * (1 + fee) <= allowed * (1 + Decimal("1e-12")) + GRAIN
    assert (found.state == "open") == (found.largest >= found.smallest and scale > 0)
