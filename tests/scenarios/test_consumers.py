"""Every key has a consumer: between two of its values the program decides, plans or says something else.

Limits are shown to bind, one by one, in test_limits.py; here is everything else.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.calm import CALM
from tests.ops.consumed import CONSUMED
from tests.scenarios.limits import LIMITS
from tests.settings.keys import Leaf, leaf_keys
from tests.world import BAR_MS, CONFIG, START, Bar, Series, World, put
from trader_core.domain.clocktime import parse_utc
from trader_core.domain.errors import TraderError
from trader_core.engine.replay import replay
from trader_core.settings.coherence import TRIGGERS, check
from trader_core.settings.digest import digest
from trader_core.settings.load import load
from trader_core.settings.options import Options
from trader_core.settings.schema import PROFILES, Profiles, Settings, Strategies
from trader_core.worlds.simulated import source_of

SHIPPED = load(CONFIG)
COINS = ("BTC", "ETH", "MATIC", "ZZZ")  # of tiers 1 and 2, and of none
FIRST, DECISIONS = 360, 240  # bars of history after START, and decisions after them
STRATEGIES = tuple(Strategies.model_fields)


def only(strategy: str, **edits: Any) -> dict[str, Any]:
    """One strategy is at work."""
    off = {f"strategies.{name}.enabled": name == strategy for name in STRATEGIES}
    return off | {f"strategies.{strategy}.{key}": value for key, value in edits.items()}


def only_trigger(name: str) -> dict[str, Any]:
    """Of the rules, one trigger; a reversal is one without any of its qualifiers."""
    off = {f"strategies.rules.{other}.enabled": other == name for other in TRIGGERS}
    loose = {"signals.triggers.reversal_min_qualifiers": 0, "signals.triggers.reversal_trend_pct": -10}
    return only("rules") | off | loose


def regime_is(name: str) -> dict[str, Any]:
    """Many hours of this market are of that regime."""
    key = "signals.regime"
    by_name: dict[str, dict[str, Any]] = {
        "bull": {f"{key}.bull_rise_pct": 0.01, f"{key}.bull_volatility_pct": 999},
        "chop": {},
        "bear": {f"{key}.bear_fall_pct": 0.01},
        "crash": {f"{key}.bear_fall_pct": 0.01, f"{key}.crash_fall_pct": 0.02},
    }
    never = {f"{key}.bull_rise_pct": 1000, f"{key}.bear_fall_pct": 98, f"{key}.crash_fall_pct": 99}
    return never | by_name[name]


BASE: dict[str, Any] = {
    **CALM,
    **only("sma_cross", fast_bars=2, slow_bars=9, stop_pct=5, target_pct=50),
    **{f"strategies.{name}.max_at_risk_pct": 100 for name in STRATEGIES},
    "strategies.rules.min_conviction_pct": 0,
    "policy.profile": "NORMAL",
    "policy.sizing.min_notional_quote": 0,
    "policy.risk.max_open_positions": 50,
    "policy.risk.max_total_at_risk_pct": 100,
    "policy.risk.max_day_loss_pct": 50,
    "policy.liquidity.max_entry_cost_bps": 1000,
    **{f"policy.pacing.cooldown_after_{how}_min": 0 for how in ("win", "loss", "stop")},
}


@dataclass(frozen=True)
class Ends:
    """Two values of a key, and what must move along so that they can be told apart and contradict nothing."""

    low: Any
    high: Any
    along: Mapping[str, Any] = field(default_factory=dict)


LARGE = {"policy.risk.max_per_asset_pct": 100}
EACH_REGIME_SIZES = {"policy.regime.bull_scale_pct": 30, "policy.regime.chop_scale_pct": 50} | {
    "policy.regime.bear_scale_pct": 70, "policy.regime.crash_scale_pct": 90,
}  # fmt: skip
SEEN = EACH_REGIME_SIZES | {"signals.regime.crash_fall_pct": 6, "signals.regime.bear_fall_pct": 2}
SLIPPERY = {"app.paper.slippage.large_quote": 1, "app.paper.slippage.most_large_pct": 500} | {
    f"app.paper.slippage.tier_{n}_bps": 100 for n in (1, 2, 3)
}  # fmt: skip
THEME_CAPS = {"policy.risk.max_per_theme_pct": dict.fromkeys(("LAYER1", "LAYER2", "MEME", "DEFI", "OTHER"), 10)}
APART: dict[str, Any] = {"LAYER1": ["BTC"], "LAYER2": ["MATIC"], "MEME": [], "DEFI": ["ETH"]}
WIDE = {"signals.regime.crash_fall_pct": 99, "signals.regime.crash_volatility_pct": 1000}
RECORDED = {"policy.sizing.poor_record_trades": 1, "policy.sizing.poor_record_pct": 90}
KELLY = {  # most of what is bought is sold a little higher, and nothing is paid for it
    "policy.sizing.sizer": "kelly", "policy.sizing.kelly_share_pct": 100, "app.paper.maker_fee_bps": 0,
    "app.paper.taker_fee_bps": 0, "app.paper.half_spread_bps": 0, "strategies.sma_cross.slow_bars": 3,
    "strategies.sma_cross.stop_pct": 99, "strategies.sma_cross.target_pct": 99.5,
    **{f"app.paper.slippage.tier_{n}_bps": 0 for n in (1, 2, 3)},
}  # fmt: skip
BY_RANGE = {"policy.sizing.sizer": "atr_risk", "policy.sizing.risk_per_trade_pct": 0.01}
DEEP = {"policy.sizing.cautious_drawdown_pct": 0.01, "policy.sizing.protective_drawdown_pct": 100}
SIZED: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "max_position_quote": (50, 100_000, {}),
    "sizer": ("fraction", "atr_risk", {"policy.sizing.risk_per_trade_pct": 0.01}),
    "confident_from_pct": (10, 100, {"policy.sizing.confident_scale_pct": 150, "policy.sizing.doubtful_below_pct": 0}),
    "confident_scale_pct": (
        100, 150, {"policy.sizing.confident_from_pct": 0, "policy.sizing.doubtful_below_pct": 0},
    ),
    "doubtful_below_pct": (0, 100, {"policy.sizing.doubtful_scale_pct": 50, "policy.sizing.confident_from_pct": 100}),
    "doubtful_scale_pct": (0, 100, {"policy.sizing.doubtful_below_pct": 100, "policy.sizing.confident_from_pct": 100}),
    "full_size_volatility_pct": (1, 10_000, {}),
    "cautious_drawdown_pct": (
        0.01, 100, {"policy.sizing.cautious_scale_pct": 50, "policy.sizing.protective_drawdown_pct": 100,
                    "policy.sizing.protective_scale_pct": 50},
    ),
    "cautious_scale_pct": (0, 100, DEEP | {"policy.sizing.protective_scale_pct": 0}),
    "protective_drawdown_pct": (
        0.01, 100, {"policy.sizing.protective_scale_pct": 50, "policy.sizing.cautious_drawdown_pct": 0.01},
    ),
    "protective_scale_pct": (0, 100, {"policy.sizing.cautious_drawdown_pct": 0.01,
                                      "policy.sizing.protective_drawdown_pct": 0.01}),
    "poor_record_pct": (0, 100, RECORDED),
    "poor_record_trades": (1, 1000, RECORDED),
    "poor_record_scale_pct": (0, 100, RECORDED),
    "kelly_share_pct": (0, 100, KELLY),
    "kelly_max_pct": (0, 5, KELLY),
    "kelly_min_trades": (30, 10_000, KELLY),
    "risk_per_trade_pct": (0.01, 0.02, BY_RANGE),
    "risk_distance_atr": (1, 100, BY_RANGE),
}  # fmt: skip


def in_profile(name: str, key: str, low: float, high: float) -> dict[str, Any]:
    """That profile, with room for both ends between the next tighter and the next bolder one."""
    at = PROFILES.index(name)
    others = {other: low if n < at else high for n, other in enumerate(PROFILES) if n != at}
    return {"policy.profile": name} | {f"policy.profiles.{one}.{key}": value for one, value in others.items()}


ENDS: dict[str, Ends] = {
    **{f"policy.sizing.{key}": Ends(low, high, along) for key, (low, high, along) in SIZED.items()},
    "app.paper.holdings": Ends({}, {"BTC": 100}),
    "app.paper.maker_fee_bps": Ends(0, 500, {"app.paper.taker_fee_bps": 500}),
    "app.paper.taker_fee_bps": Ends(0, 500, {"app.paper.maker_fee_bps": 0}),
    "app.paper.depth_of_day_volume_pct": Ends(0.01, 100, {"policy.liquidity.max_share_of_depth_pct": 0.01} | LARGE),
    "app.paper.slippage.tier_3_bps": Ends(0, 500, {"universe.tiers.tier_3_event_driven.bases": ["ZZZ"]}),
    "app.paper.slippage.large_quote": Ends(1, 1_000_000, SLIPPERY),
    "app.paper.slippage.per_decade_pct": Ends(0, 500, SLIPPERY),
    "app.paper.slippage.most_large_pct": Ends(0, 500, SLIPPERY | {"app.paper.slippage.per_decade_pct": 500}),
    "app.paper.slippage.most_restless_pct": Ends(0, 500, {"app.paper.slippage.restless_range_pct": 0.01}),
    "policy.profile": Ends("NORMAL", "CAUTIOUS"),
    **{
        f"policy.profiles.{name}.{key}": Ends(low, high, in_profile(name, key, low, high))
        for name in Profiles.model_fields
        for key, low, high in (
            ("position_scale_pct", 1, 200), ("max_day_loss_pct", 0.01, 50), ("max_open_positions", 1, 50),
            ("max_stop_loss_pct", 0.01, 5),
        )
    },
    "policy.sizing.tier_1_position_pct": Ends(0.01, 100, LARGE),
    "policy.sizing.tier_2_position_pct": Ends(0.01, 100, LARGE),
    "policy.sizing.tier_3_position_pct": Ends(
        0.01, 100, LARGE | {"universe.tiers.tier_3_event_driven.bases": ["ZZZ"]}
    ),
    "universe.tiers.tier_1_core.bases": Ends(["BTC", "ETH"], ["BTC"]),
    "universe.tiers.tier_2_rotational.bases": Ends(["MATIC"], []),
    "universe.themes": Ends(APART, APART | {"LAYER1": ["BTC", "ETH", "MATIC"], "LAYER2": [], "DEFI": []}, THEME_CAPS),
    "signals.windows.max_missing_bars": Ends(0, 1),
    "signals.regime.base": Ends("BTC", "ETH", SEEN),
    "signals.regime.trend_h": Ends(2, 24, SEEN),
    "signals.regime.confirm_h": Ends(1, 4, SEEN | {"signals.regime.recall_h": 48}),
    "signals.regime.recall_h": Ends(0, 48, SEEN | {"signals.regime.confirm_h": 3}),
    "signals.regime.crash_fall_pct": Ends(0.02, 99, EACH_REGIME_SIZES | {"signals.regime.bear_fall_pct": 0.01}),
    "signals.regime.crash_volatility_pct": Ends(0.02, 1000, SEEN | {"signals.regime.bull_volatility_pct": 0.01}),
    "signals.regime.bull_rise_pct": Ends(
        0.01, 1000, EACH_REGIME_SIZES | WIDE | {"signals.regime.bull_volatility_pct": 999}
    ),
    "signals.regime.bull_volatility_pct": Ends(
        0.01, 999, EACH_REGIME_SIZES | WIDE | {"signals.regime.bull_rise_pct": 0.01}
    ),
    "signals.regime.bear_fall_pct": Ends(0.01, 98, EACH_REGIME_SIZES | WIDE),
    "signals.triggers.max_triggers_per_cycle": Ends(1, 50, only("rules")),
    "signals.triggers.min_score_pct": Ends(0, 100, only("rules")),
    "signals.triggers.breakout_h": Ends(1, 24, only_trigger("breakout")),
    "signals.triggers.volume_h": Ends(1, 24, only_trigger("volume_spike")),
    "signals.triggers.volume_rise_pct": Ends(0, 100, only_trigger("volume_spike")),
    "signals.triggers.momentum_h": Ends(12, 48, only_trigger("momentum")),
    "signals.triggers.momentum_pct": Ends(0.01, 100, only_trigger("momentum")),
    "signals.triggers.reversal_near_low_pct": Ends(5.5, 100, only_trigger("reversal")),
    "signals.triggers.reversal_bounce_pct": Ends(0.01, 9, only_trigger("reversal")),
    "signals.triggers.reversal_min_qualifiers": Ends(0, 4, only_trigger("reversal")),
    "signals.triggers.reversal_trend_pct": Ends(-10, 10, only_trigger("reversal")),
    "strategies.rules.qualifier_boost_pct": Ends(
        0, 100, only_trigger("reversal") | {"strategies.rules.min_conviction_pct": 60}
    ),
    **{
        f"strategies.rules.{key}": Ends(low, high, only("rules") | {"strategies.rules.min_conviction_pct": 45})
        for key, low, high in (
            ("strength_weight_pct", 0, 100), ("confidence_weight_pct", 0, 100), ("core_boost_pct", 0, 100),
        )
    },
    "strategies.momentum.window_h": Ends(2, 24, only("momentum")),
    "strategies.mean_reversion.window_h": Ends(2, 24, only("mean_reversion")),
    "strategies.mean_reversion.stop_atr": Ends(0.01, 20, only("mean_reversion", target_atr=50)),
    "strategies.mean_reversion.target_atr": Ends(0.02, 50, only("mean_reversion", stop_atr=0.01)),
    "strategies.sma_cross.fast_bars": Ends(2, 8),
    "strategies.sma_cross.slow_bars": Ends(3, 30),
}  # fmt: skip


def ends_of(leaf: Leaf) -> Ends:
    """The ends of its range, where nothing else is said."""
    key, last = ".".join(leaf.path), leaf.path[-1]
    if key in ENDS:
        return ENDS[key]
    if leaf.path[:2] == ("signals", "thresholds"):
        block, at_regime = key.removesuffix(last), regime_is(leaf.path[2])
        if last == "volume_ratio":
            return Ends(1, 100, only_trigger("volume_spike") | at_regime)
        at_regime |= only_trigger("price_move")
        if last == "move_15m_pct":
            return Ends(0.01, 99, at_regime | {f"{block}move_60m_pct": 100})
        return Ends(3, 100, at_regime | {f"{block}move_15m_pct": 3})
    if leaf.path[0] != "strategies":
        return Ends(leaf.low, leaf.high)
    block = ".".join(leaf.path[:-1])
    at_work = only_trigger(leaf.path[2]) if len(leaf.path) == 4 else only(leaf.path[1])
    if last == "stop_pct":
        return Ends(0.01, 99, at_work | {f"{block}.target_pct": 1000})
    if last == "target_pct":
        return Ends(0.02, 1000, at_work | {f"{block}.stop_pct": 0.01})
    return Ends(leaf.low, leaf.high, at_work)


def walk(seed: int, bars: int) -> Series:
    """A rough market: jumps, thin bars and holes."""
    rng = random.Random(seed)
    price, series = 100.0, list[float | Bar | None]()
    for n in range(bars):
        last, price = price, round(price * (1 + rng.gauss(0, 0.012)), 2)
        wick = round(price * abs(rng.gauss(0, 0.004)), 2)
        high, low = max(last, price) + wick, min(last, price) - wick
        hole = n > 8 and rng.random() < 0.01
        series.append(None if hole else Bar(last, high, low, price, rng.choice((5.0, 60.0, 1e6))))
    return series


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four coins over six days, written once."""
    coins: Any = {coin: walk(n, FIRST + DECISIONS + 8) for n, coin in enumerate(COINS)}
    return World(tmp_path_factory.mktemp("rough")).market(**coins).data


@pytest.fixture(scope="module")
def backtested(market: Path) -> Callable[[Mapping[str, Any]], Any]:
    """Everything a replay of that market decides, orders, fills and is worth under a policy; asked twice, told once."""
    start = parse_utc(START) + FIRST * BAR_MS
    source, told = source_of(SHIPPED, Options(data=market, since_ms=start)), dict[str, Any]()

    def answer(edits: Mapping[str, Any]) -> Any:
        policy = settings_with(edits)
        name = digest(policy)
        if name not in told:
            done = replay(source, policy, start, start + DECISIONS * BAR_MS)
            told[name] = done.verdicts, done.orders, done.fills, done.equity
        return told[name]

    return answer


def settings_with(edits: Mapping[str, Any]) -> Settings:
    """The calm policy with some keys changed, validated as a file is."""
    content = SHIPPED.model_dump()
    for key, value in {**BASE, **edits}.items():
        put(content, key.split("."), _plain(value))
    settings = Settings.model_validate(content)
    assert not check(settings), check(settings)
    return settings


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return tuple(value) if isinstance(value, list) else value


def told(root: Path, market: Path, edits: dict[str, Any]) -> Any:
    """What the program itself answers: its reports, or its refusal."""
    mode = None if "app.mode" in edits else edits.pop("mode", "PAPER")
    world = World(root).configured(**edits)
    try:
        reports = world.run(limit=1, data=market, since_ms=None, mode=mode, venue=None)
    except TraderError as refusal:
        return refusal.what
    return [report.placed for report in reports]


SIMULATED = {"app.exchange.venue": "simulated"}
BY_THE_PROGRAM: dict[str, Ends] = {
    "app.mode": Ends("PAPER", "LIVE", SIMULATED),
    "app.exchange.venue": Ends("simulated", "coinbase"),
    "app.exchange.read_only": Ends(False, True, {"mode": "LIVE"}),
    "policy.cycle.base_bar_min": Ends(1, 15, SIMULATED),
}
OTHERS = [leaf for leaf in leaf_keys() if ".".join(leaf.path) not in {*LIMITS, *BY_THE_PROGRAM, *CONSUMED}]


@pytest.mark.parametrize("leaf", OTHERS, ids=lambda leaf: ".".join(leaf.path))
def test_moving_a_key_changes_what_a_backtest_does(leaf: Leaf, backtested: Callable[..., Any]) -> None:
    key, ends = ".".join(leaf.path), ends_of(leaf)
    low, high = (backtested({**ends.along, key: value}) for value in (ends.low, ends.high))
    assert low != high, f"{key} has no consumer"


@pytest.mark.parametrize("key", BY_THE_PROGRAM)
def test_moving_a_key_changes_what_the_program_answers(key: str, market: Path, tmp_path: Path) -> None:
    ends = BY_THE_PROGRAM[key]
    low, high = (
        told(tmp_path / name, market, {**ends.along, key: value})
        for name, value in (("low", ends.low), ("high", ends.high))
    )
    assert low != high, f"{key} has no consumer"


def test_every_key_is_looked_at() -> None:
    keys = {".".join(leaf.path) for leaf in leaf_keys()}
    assert keys == {*LIMITS, *BY_THE_PROGRAM, *CONSUMED, *(".".join(leaf.path) for leaf in OTHERS)}
    assert set(ENDS) <= {".".join(leaf.path) for leaf in OTHERS}, "no end of a key that is not there"
