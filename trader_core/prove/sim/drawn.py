"""What a seed draws: which features are in play, and a policy inside the schema's ranges that goes together."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, exp
from pathlib import Path
from typing import Any

from trader_core.domain.errors import ConfigInvalid
from trader_core.domain.money import plain
from trader_core.prove.sim.dice import Dice
from trader_core.settings.coherence import check
from trader_core.settings.edit import Value, edited
from trader_core.settings.load import load
from trader_core.settings.schema import FILES, PROFILES, REGIMES, Section, Settings, range_of, section_of

VENUE = ("rejects", "lost sends", "late sends", "lost cancels", "late fills", "repeated fills", "unread markets",
         "stale quotes", "outages", "holes", "thin markets")  # fmt: skip
OPERATOR = ("kills", "trips", "policy", "cash", "manual trades", "restarts", "crashes", "clock", "full disk")
FEATURES = (*VENUE, *OPERATOR, "telling")
IN_PLAY = 0.3  # of the features, in one seed
BARS_MIN = (15, 15, 60, 60, 5)
AT_RISK_PCT = (25, 4)  # the last has no room for two whole positions
BASES = ("BTC", "ETH", "SOL", "XRP")
MOVED_MOST = 0.3  # of the figures, in one seed
DRAWN = ("policy", "strategies", "app.paper", "signals.guards", "signals.thresholds", "universe.hysteresis")
LEFT = (
    "policy.cycle", "app.paper.holdings", "app.paper.cash_quote", "policy.portfolio.var_min",
    "policy.portfolio.cluster_min", "signals.guards.outlier_bars", "signals.guards.jump_bars",
)  # fmt: skip
WINDOWS = ("_h", "_bars", "_days")
LONGEST = 24  # of a window that is drawn, in its own unit: history is short here
STRATEGIES = ("rules", "momentum", "mean_reversion", "sma_cross")

# Short windows and no floors, so that a seed trades within its bars.
QUICK: dict[str, Value] = {
    "app.mode": "PAPER",
    "app.exchange.venue": "simulated",
    "strategies.sma_cross.fast_bars": 2,
    "strategies.sma_cross.slow_bars": 4,
    "strategies.momentum.window_h": 3,
    "strategies.momentum.min_share_pct": 40,
    "strategies.momentum.min_rise_pct": Decimal("0.5"),
    "strategies.mean_reversion.window_h": 6,
    "signals.windows.max_missing_bars": 1,
    "signals.regime.trend_h": 4,
    "signals.regime.confirm_h": 1,
    "signals.regime.recall_h": 2,
    "signals.regime.crash_volatility_pct": 1000,
    "signals.guards.outlier_bars": 3,
    "signals.guards.atr_h": 2,
    "signals.guards.atr_median_h": 4,
    "signals.guards.volatility_h": 4,
    "signals.triggers.breakout_h": 4,
    "signals.triggers.volume_h": 4,
    "signals.triggers.momentum_h": 12,
    "universe.hysteresis.enter_h": 1,
    "universe.hysteresis.leave_h": 1,
    "universe.hysteresis.recall_h": 2,
    "policy.risk.max_volatility_pct": 10_000,
    "policy.portfolio.cluster_window_days": 1,
    "policy.portfolio.cluster_min_days": 0,
    "policy.portfolio.var_window_days": 1,
    "policy.portfolio.var_min_days": 0,
    "policy.liquidity.min_edge_over_cost_pct": 0,
    "policy.sizing.full_size_volatility_pct": 1000,
    "policy.sizing.doubtful_scale_pct": 100,
    "policy.risk.max_day_loss_pct": 20,
    "policy.halt.max_day_loss_pct": 25,
    "policy.risk.max_week_loss_pct": 60,
    "policy.risk.max_drawdown_pct": 90,
    "policy.pacing.max_entries_per_cycle": 3,
    "policy.pacing.max_entries_per_hour": 50,
    "policy.pacing.max_entries_per_day": 500,
    "policy.portfolio.max_cluster_assets": 10,
    **{f"policy.profiles.{name}.max_day_loss_pct": 20 for name in PROFILES},
    **{f"policy.regime.{name}_scale_pct": 100 for name in REGIMES},
    **{f"signals.thresholds.{name}.min_atr_ratio": 0 for name in REGIMES},
    **{
        f"universe.tiers.{tier}.{key}": least
        for tier in ("tier_1_core", "tier_2_rotational", "tier_3_event_driven")
        for key, least in (("min_day_volume_quote", 0), ("max_spread_bps", 1000), ("min_depth_quote", 0))
    },
}


@dataclass(frozen=True)
class Drawn:
    """`settings` are sound and go together; `cap_pct` is the widest that all of it may ever be at risk."""

    seed: int
    cycles: int
    features: frozenset[str]
    bases: tuple[str, ...]
    bar_min: int
    settings: Settings

    @property
    def dice(self) -> Dice:
        return Dice("sim", self.seed)

    @property
    def cap_pct(self) -> int:
        return ceil(self.settings.policy.risk.max_total_at_risk_pct)

    @property
    def asset_cap_pct(self) -> Decimal:
        """Of one asset: a person may move it, within `operator.MOVED`."""
        written = Decimal(str(self.settings.policy.risk.max_per_asset_pct))
        return written * (Decimal("1.4") if "policy" in self.features else 1)


def drawn(seed: int, cycles: int, config: Path) -> Drawn:
    dice = Dice("sim", seed)
    bar_min = dice.one_of(BARS_MIN, "bar")
    bases = tuple(BASES[: dice.whole(1, 3, "bases")])
    features = frozenset(dice.some_of(FEATURES, IN_PLAY, "features"))
    edits = QUICK | {"policy.cycle.base_bar_min": bar_min, "policy.data.max_data_age_s": 7200}
    edits |= {f"strategies.{name}.enabled": dice.falls(0.5, "enabled", name) for name in STRATEGIES}
    edits["strategies.sma_cross.enabled"] = edits["strategies.sma_cross.enabled"] or dice.falls(0.5, "cross")
    edits["strategies.rules.enabled"] = edits["strategies.rules.enabled"] and bar_min <= 15  # it looks at such moves
    edits["policy.profile"] = dice.one_of(PROFILES, "profile")
    edits["policy.risk.max_total_at_risk_pct"] = dice.one_of(AT_RISK_PCT, "at risk")
    settings = _moved(edited(load(config), edits), dice)
    return Drawn(seed, cycles, features, bases, bar_min, settings)


def _moved(settings: Settings, dice: Dice) -> Settings:
    """With some figures moved, each by dice of its own, as far as it is sound and goes together with the rest."""
    values, clashes = settings.model_dump(), {one.message for one in check(settings)}
    share = MOVED_MOST * dice.share("moved")
    for key, kind, ends in _figures(Settings, ""):
        if key.startswith(DRAWN) and not key.startswith(LEFT) and dice.falls(share, "moved", key):
            value = _drawn(_at(values, key), kind, ends, dice, key)
            try:
                moved = edited(settings, {key: value}, coherent=False)
            except ConfigInvalid:
                continue
            if {one.message for one in check(moved)} <= clashes:
                settings = moved
    return settings


def _figures(model: type[Section], at: str) -> Iterator[tuple[str, Any, tuple[Any, Any] | None]]:
    """(key, type, range) of every switch and every number."""
    for name, field in model.model_fields.items():
        inner = section_of(field)
        if inner is not None:
            yield from _figures(inner, f"{at}{name}.")
        elif field.annotation is bool or range_of(field):
            yield f"{at}{name}", field.annotation, range_of(field)


def _at(values: Mapping[str, Any], key: str) -> Any:
    for step in key.split("."):
        values = values[step]
    return values


def _drawn(now: Any, kind: Any, ends: tuple[Any, Any] | None, dice: Dice, *words: object) -> Value:
    """Mostly around what it was, sometimes anywhere, sometimes at an end."""
    if ends is None:
        return dice.falls(0.5, *words, "switch")
    low, high = float(ends[0]), float(ends[1])
    high = min(high, LONGEST) if str(words[0]).endswith(WINDOWS) else high
    way = dice.share(*words, "way")
    figure = float(now) * exp(2.8 * dice.share(*words, "by") - 1.4)
    figure = low + (high - low) * dice.share(*words, "at") if way > 0.8 else figure
    figure = min(max(low if way > 0.95 else figure, low), high)
    return round(figure) if kind is int else Decimal(f"{figure:.2f}")


def write_settings(folder: Path, settings: Settings) -> None:
    """As five files, in the part of YAML that is JSON."""
    folder.mkdir(parents=True)
    values = settings.model_dump()
    for name in FILES:
        (folder / f"{name}.yaml").write_text(_text(values[name]) + "\n", encoding="utf-8")


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)}: {_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return plain(value) if isinstance(value, Decimal) else json.dumps(value)
