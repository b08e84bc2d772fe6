"""Every limit that a person can set stops what it must, and it alone does: with a wider one the same scene passes.

A key that is added to a block of limits without a row here fails the suite.
"""

from pathlib import Path

import pytest

from tests.scenarios.limits import LIMITS
from tests.settings.keys import leaf_keys
from tests.world import World

BLOCKS = (
    "policy.regime", "policy.risk", "policy.portfolio", "policy.pacing", "policy.adds", "policy.data", "policy.orders",
    "policy.liquidity", "policy.exits", "policy.halt", "universe.near_threshold", "universe.hysteresis",
    "universe.discovery", "universe.never_trade", "universe.bans", "signals.guards",
)  # fmt: skip
ANYWHERE = (  # of a tier, a regime's thresholds, a strategy's budget
    "min_day_volume_quote", "max_spread_bps", "min_depth_quote", "min_atr_ratio", "max_at_risk_pct",
    "max_trades_per_cycle", "min_conviction_pct", "min_notional_quote", "asset_class",
)  # fmt: skip
NO_LIMITS = (  # what measures, sizes or chooses; test_consumers.py sees that each of them does something
    "app", "policy.profile", "policy.profiles", "policy.cycle", "policy.sizing", "universe.tiers", "universe.themes",
    "signals.windows", "signals.regime", "signals.triggers", "signals.thresholds", "strategies",
)  # fmt: skip


def is_limit(key: str) -> bool:
    return any(f"{key}.".startswith(f"{block}.") for block in BLOCKS) or key.split(".")[-1] in ANYWHERE


def test_every_key_is_a_limit_with_a_row_or_is_none() -> None:
    keys = [".".join(leaf.path) for leaf in leaf_keys()]
    assert sorted(LIMITS) == sorted(key for key in keys if is_limit(key)), "a limit needs its row, a row its limit"
    others = [key for key in keys if not is_limit(key)]
    assert not [key for key in others if not any(f"{key}.".startswith(f"{block}.") for block in NO_LIMITS)]


@pytest.mark.parametrize("key", LIMITS)
def test_a_limit_stops_what_it_must_and_alone(key: str, tmp_path: Path) -> None:
    limit = LIMITS[key]
    assert limit.holds(limit.scene(World(tmp_path / "limited")))
    free = World(tmp_path / "free", fixed={key: limit.free})
    assert not limit.holds(limit.scene(free)), f"{key} is not what stops it"
