"""Every key has a consumer: between the two ends of its range the program decides, plans or says something else."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.settings.keys import Leaf, leaf_keys
from tests.world import Bar, Series, World
from trader_core.bootstrap import settings_of, source_of, span_of
from trader_core.domain.errors import ConfigInvalid, TraderError
from trader_core.engine.replay import replay

# Keys that must move along, so that a key can reach its end without contradicting another.
ALONG: dict[tuple[str, ...], dict[str, Any]] = {
    ("app", "paper", "maker_fee_bps"): {"app.paper.taker_fee_bps": 500},
    ("app", "paper", "taker_fee_bps"): {"app.paper.maker_fee_bps": 0, "policy.orders.max_entry_cost_bps": 1000},
    ("app", "paper", "half_spread_bps"): {"policy.orders.max_entry_cost_bps": 1000},
    ("policy", "sizing", "position_pct"): {
        "policy.risk.max_per_asset_pct": 100,
        "policy.risk.max_total_at_risk_pct": 100,
    },
    ("policy", "risk", "max_per_asset_pct"): {"policy.risk.max_total_at_risk_pct": 100},
    ("policy", "risk", "max_total_at_risk_pct"): {"policy.risk.max_per_asset_pct": 5},
    ("policy", "risk", "cooldown_after_stop_min"): {"strategies.sma_cross.stop_pct": 1},
    ("strategies", "sma_cross", "fast_bars"): {"strategies.sma_cross.slow_bars": 9},
    ("strategies", "sma_cross", "stop_pct"): {"strategies.sma_cross.target_pct": 1000},
    ("strategies", "sma_cross", "target_pct"): {"strategies.sma_cross.stop_pct": 0.01},
}  # fmt: skip
# Caps can only be told apart where positions are large enough to meet them.
LARGE = {
    "policy.profile": "NORMAL", "policy.sizing.min_notional_quote": 0, "policy.risk.max_open_positions": 50,
}  # fmt: skip
COINS = ("BTC", "ETH", "SOL", "MATIC")


def walk(seed: int, bars: int) -> Series:
    """A rough market: jumps, thin bars and holes."""
    rng = random.Random(seed)
    price, series = 100.0, list[float | Bar | None]()
    for n in range(bars):
        last, price = price, round(price * (1 + rng.gauss(0, 0.012)), 2)
        wick = round(price * abs(rng.gauss(0, 0.004)), 2)
        high, low = max(last, price) + wick, min(last, price) - wick
        hole = n > 8 and rng.random() < 0.06
        series.append(None if hole else Bar(last, high, low, price, rng.choice((5.0, 60.0, 1e6))))
    return series


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four coins over six days, written once."""
    world = World(tmp_path_factory.mktemp("rough"))
    world.market(**{coin: walk(n, 600) for n, coin in enumerate(COINS)}, USDC=walk(9, 600))
    return world.data


def answered(root: Path, market: Path, edits: dict[str, Any]) -> Any:
    """What a replay does, or why the configuration is refused."""
    try:
        return backtested(root, market, edits)
    except ConfigInvalid as refused:
        return [problem.split(": ", 1)[1] for problem in refused.problems]


def backtested(root: Path, market: Path, edits: dict[str, Any]) -> Any:
    """Everything a replay decides, orders, fills and is worth."""
    world = World(root).configured(**edits)
    options = world.options(data=market, since_ms=None)
    settings = settings_of(options)
    source = source_of(settings, options)
    start, _ = span_of(source, options)
    result = replay(source, settings, start, start + 96 * source.bar_ms)
    return result


def told(root: Path, market: Path, edits: dict[str, Any], mode: str | None) -> Any:
    """What the program itself answers: its reports, or its refusal."""
    world = World(root).configured(**edits)
    try:
        reports = world.run(limit=1, data=market, since_ms=None, mode=mode, venue=None)
    except TraderError as refusal:
        return refusal.what
    return [(report.externals, report.book.cash, report.placed) for report in reports]


SPECIAL: dict[tuple[str, ...], Callable[[Path, Path, dict[str, Any]], Any]] = {
    ("app", "mode"): lambda root, market, edits: told(root, market, edits | {"app.exchange.venue": "simulated"}, None),
    ("app", "exchange", "venue"): lambda root, market, edits: told(root, market, edits, "PAPER"),
    ("app", "exchange", "read_only"): lambda root, market, edits: told(root, market, edits, "LIVE"),
    ("policy", "cycle", "base_bar_min"): lambda root, market, edits: told(
        root, market, edits | {"app.exchange.venue": "simulated"}, "PAPER"
    ),
    ("app", "paper", "holdings"): lambda root, market, edits: told(
        root, market, edits | {"app.exchange.venue": "simulated"}, "PAPER"
    ),
}


# Ends that other keys allow: the widest that this market can tell apart.
ENDS: dict[tuple[str, ...], tuple[Any, Any]] = {
    ("app", "mode"): ("PAPER", "LIVE"),
    ("universe", "never_trade"): ([], ["USDC"]),
    ("policy", "risk", "max_per_asset_pct"): (5, 100),
    ("policy", "risk", "max_total_at_risk_pct"): (5, 100),
    ("signals", "windows", "max_missing_bars"): (0, 1),
    ("strategies", "sma_cross", "fast_bars"): (2, 8),
    ("strategies", "sma_cross", "target_pct"): (0.02, 1000),
}


@pytest.mark.parametrize("leaf", leaf_keys(), ids=lambda leaf: ".".join(leaf.path))
def test_moving_a_key_from_end_to_end_changes_what_the_program_says(leaf: Leaf, market: Path, tmp_path: Path) -> None:
    key, along = ".".join(leaf.path), ALONG.get(leaf.path, {})
    if leaf.path[:2] == ("policy", "profiles"):
        along = {"policy.profile": leaf.path[2]}
    observe = SPECIAL.get(leaf.path, backtested)
    base = {} if leaf.path[-1] == "profile" or along.get("policy.profile") else LARGE
    results = [
        observe(tmp_path / name, market, {**base, **along, key: value})
        for name, value in zip(("low", "high"), ENDS.get(leaf.path, (leaf.low, leaf.high)), strict=True)
    ]
    assert results[0] != results[1], f"{key} has no consumer"


@pytest.mark.parametrize("path", [path for path in ENDS if path[0] != "app"], ids=".".join)
def test_the_very_ends_that_other_keys_forbid_are_refused_or_tell(
    path: tuple[str, ...], market: Path, tmp_path: Path
) -> None:
    leaf = next(one for one in leaf_keys() if one.path == path)
    low, high = (
        answered(tmp_path / name, market, {**LARGE, ".".join(path): value})
        for name, value in (("low", leaf.low), ("high", leaf.high))
    )
    assert low != high
