"""What must hold between settings that are each in range.

An error is a contradiction that is never meant; a warning is a limit that another one keeps from ever binding. Rules
that would themselves make a limit meaningless are absent on purpose: with `max_open_positions` times the asset cap, or
the theme caps together, within the total cap, the total could never bind; with a daily count of entries tied to the
hourly one beyond their order, the day's could not.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from trader_core.settings.document import KeyPath, dotted
from trader_core.settings.schema import (
    OTHER,
    PROFILES,
    REGIMES,
    TIERS,
    Assets,
    Profile,
    Rules,
    Section,
    Settings,
    Strategies,
    TriggerRule,
    section_of,
)

THEME_LIKENESS = 0.4  # L2 is meant to be LAYER2
HOURS_A_DAY = 24
SECONDS_A_MINUTE = 60
TIME_SERVERS_MIN = 3
RULES_BAR_MIN = 15  # the longest bar in which a trigger can see what it measures
TRIGGERS = tuple(name for name, field in Rules.model_fields.items() if section_of(field) is TriggerRule)


class Clash(Struct, frozen=True):
    """Two settings that do not go together. `at` points at the one to mend, inside `file`."""

    file: str
    at: KeyPath
    message: str
    severity: Literal["error", "warning"] = "error"


def check(settings: Settings) -> tuple[Clash, ...]:
    """All contradictions, in the order of files; empty in a coherent configuration. Never raises."""
    return tuple(clash for clash in _all(settings) if clash.severity == "error")


def warnings(settings: Settings) -> tuple[str, ...]:
    """Limits that can never bind, each with the key that keeps it from that; and what needs saying. Never raises."""
    return tuple(clash.message for clash in _all(settings) if clash.severity == "warning")


def _all(settings: Settings) -> Iterator[Clash]:
    yield from _app(settings)
    yield from _profiles(settings)
    yield from _losses(settings)
    yield from _halts(settings)
    yield from _caps(settings)
    yield from _portfolio(settings)
    yield from _theme_caps(settings)
    yield from _pacing(settings)
    yield from _bars(settings)
    yield from _positions(settings)
    yield from _sizing(settings)
    yield from _trailing_stop(settings)
    yield from _tiers(settings)
    yield from _spreads(settings)
    yield from _themes(settings)
    yield from _never_trade(settings)
    yield from _missing_bars(settings)
    yield from _regimes(settings)
    yield from _strategies(settings)


def _order(file: str, at: KeyPath, block: Section, lesser: str, greater: str, equal: bool = False) -> Iterator[Clash]:
    """The lesser of two keys of a block is below the greater one, or, where that makes sense, equal to it."""
    low, high = getattr(block, lesser), getattr(block, greater)
    if low > high or (low == high and not equal):
        found = "above" if equal else "not below"
        yield Clash(file, (*at, lesser), f"{dotted((*at, lesser))} {low:g} is {found} {greater} {high:g}")


def _idle(file: str, at: KeyPath, limit: float, reason: str) -> Clash:
    """A limit that can never bind, because of another."""
    return Clash(file, at, f"{dotted(at)} {limit:g} can never bind: {reason}", "warning")


# --- app and policy --------------------------------------------------------------------------------------------------


def _app(settings: Settings) -> Iterator[Clash]:
    app = settings.app
    if app.mode == "LIVE" and app.exchange.venue == "simulated":
        yield Clash("app", ("mode",), "mode is LIVE, but exchange.venue is simulated: no real money trades there")
    yield from _order("app", ("secrets",), app.secrets, "warn_age_days", "max_age_days")
    yield from _order("app", ("paper",), app.paper, "maker_fee_bps", "taker_fee_bps", equal=True)
    latency = app.latency
    if latency.cycle_p95_ms > latency.cycle_p99_ms:
        reason = f"latency.cycle_p99_ms is {latency.cycle_p99_ms}"
        yield _idle("app", ("latency", "cycle_p95_ms"), latency.cycle_p95_ms, reason)
    servers = [server.lower() for server in app.clock.servers]
    if len(set(servers)) < max(len(servers), TIME_SERVERS_MIN):
        what = f"clock.servers must name at least {TIME_SERVERS_MIN} servers, each once: fewer have no majority"
        yield Clash("app", ("clock", "servers"), what)


def keeps_from_live(settings: Settings, mode: str) -> tuple[str, ...]:
    """What in the settings themselves speaks against real money, under the mode that was asked for."""
    app = settings.app
    found = (
        (mode != "LIVE", f"the mode is {mode}"),
        (app.exchange.venue == "simulated", "exchange.venue is simulated"),
        (app.exchange.read_only, "exchange.read_only is true"),
    )
    return tuple(what for speaks, what in found if speaks)


def _profiles(settings: Settings) -> Iterator[Clash]:
    """Each profile is no bolder than the next one, in all that it says."""
    blocks = settings.policy.profiles
    for lesser, greater in pairwise(PROFILES):
        for key in Profile.model_fields:
            low, high = getattr(getattr(blocks, lesser), key), getattr(getattr(blocks, greater), key)
            if low > high:
                what = f"profiles.{lesser}.{key} {low:g} is above profiles.{greater}.{key} {high:g}, the bolder profile"
                yield Clash("policy", ("profiles", lesser, key), what)


def _losses(settings: Settings) -> Iterator[Clash]:
    """What a week lost, the highest equity lost too: a drawdown limit no wider than the week's comes first. A day's
    loss halves new positions, then closes entries, then trips."""
    risk = settings.policy.risk
    yield from _order("policy", ("risk",), risk, "max_day_loss_pct", "max_week_loss_pct")
    trips = settings.policy.halt.max_day_loss_pct
    closes = settings.policy.risk_in_force.max_day_loss_pct
    if risk.halve_at_day_loss_pct > closes:
        whose = "risk" if closes == risk.max_day_loss_pct else f"profiles.{settings.policy.profile}"
        reason = f"{whose}.max_day_loss_pct is {closes:g}"
        yield _idle("policy", ("risk", "halve_at_day_loss_pct"), risk.halve_at_day_loss_pct, reason)
    if risk.max_day_loss_pct > trips:
        reason = f"halt.max_day_loss_pct is {trips:g}"
        yield _idle("policy", ("risk", "max_day_loss_pct"), risk.max_day_loss_pct, reason)
    if risk.max_week_loss_pct >= risk.max_drawdown_pct:
        reason = f"risk.max_drawdown_pct is {risk.max_drawdown_pct:g}"
        yield _idle("policy", ("risk", "max_week_loss_pct"), risk.max_week_loss_pct, reason)


def _halts(settings: Settings) -> Iterator[Clash]:
    """Real money that begins again by itself is allowed, and said."""
    if settings.policy.halt.auto_rearm and settings.app.mode == "LIVE":
        what = "halt.auto_rearm is true and mode is LIVE: after a trip, real money trades again without a person"
        yield Clash("policy", ("halt", "auto_rearm"), what, "warning")


def _caps(settings: Settings) -> Iterator[Clash]:
    risk = settings.policy.risk
    total, asset = risk.max_total_at_risk_pct, risk.max_per_asset_pct
    yield from _order("policy", ("risk",), risk, "max_per_asset_pct", "max_total_at_risk_pct", equal=True)
    for theme, cap in risk.max_per_theme_pct.items():
        if asset > cap:
            what = f"risk.max_per_theme_pct.{theme} {cap:g} is below max_per_asset_pct {asset:g}"
            yield Clash("policy", ("risk", "max_per_theme_pct", theme), what)
    for file, at, cap in _partial_caps(settings):
        if cap > total:
            yield _idle(file, at, cap, f"risk.max_total_at_risk_pct is {total:g}")


def _portfolio(settings: Settings) -> Iterator[Clash]:
    """What asks for more days than its window has is never known. One asset alone is a cluster too, and a book."""
    portfolio, asset = settings.policy.portfolio, settings.policy.risk.max_per_asset_pct
    yield from _order("policy", ("portfolio",), portfolio, "cluster_min_days", "cluster_window_days", equal=True)
    yield from _order("policy", ("portfolio",), portfolio, "var_min_days", "var_window_days", equal=True)
    for key in ("max_cluster_pct", "max_concentration_pct"):
        cap = getattr(portfolio, key)
        if asset > cap:
            yield _idle("policy", ("risk", "max_per_asset_pct"), asset, f"portfolio.{key} is {cap:g}")


def _partial_caps(settings: Settings) -> Iterator[tuple[str, KeyPath, float]]:
    """Caps on a part of all that is held."""
    risk = settings.policy.risk
    for theme, cap in risk.max_per_theme_pct.items():
        yield "policy", ("risk", "max_per_theme_pct", theme), cap
    for number in range(1, len(TIERS) + 1):
        yield "policy", ("risk", f"max_tier_{number}_pct"), getattr(risk, f"max_tier_{number}_pct")
    for name in Strategies.model_fields:
        budget = getattr(settings.strategies, name)
        if budget.enabled:
            yield "strategies", (name, "max_at_risk_pct"), budget.max_at_risk_pct


def _theme_caps(settings: Settings) -> Iterator[Clash]:
    """The themes of universe.yaml and OTHER have a cap, nothing else has. A misspelt name is one problem, not two."""
    themes, caps = [*settings.universe.themes, OTHER], settings.policy.risk.max_per_theme_pct
    missing = [theme for theme in themes if theme not in caps]
    for cap in caps:
        if cap not in themes:
            close = get_close_matches(cap, missing, n=1, cutoff=THEME_LIKENESS)
            missing = [theme for theme in missing if theme not in close]
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(themes)}"
            what = f"risk.max_per_theme_pct.{cap} is not a theme of universe.yaml; {hint}"
            yield Clash("policy", ("risk", "max_per_theme_pct", cap), what)
    for theme in missing:
        what = f"risk.max_per_theme_pct has no cap for the theme {theme}"
        yield Clash("policy", ("risk", "max_per_theme_pct"), what)


def _pacing(settings: Settings) -> Iterator[Clash]:
    pacing = settings.policy.pacing
    for lesser, greater in (
        ("cooldown_after_win_min", "cooldown_after_loss_min"),
        ("cooldown_after_loss_min", "cooldown_after_stop_min"),
        ("min_spacing_s", "min_asset_spacing_s"),
        ("max_entries_per_cycle", "max_entries_per_hour"),
        ("max_entries_per_hour", "max_entries_per_day"),
    ):
        yield from _order("policy", ("pacing",), pacing, lesser, greater, equal=True)
    most = pacing.max_entries_per_hour * HOURS_A_DAY
    if pacing.max_entries_per_day > most:
        reason = f"pacing.max_entries_per_hour {pacing.max_entries_per_hour} lets {most} pass"
        yield _idle("policy", ("pacing", "max_entries_per_day"), pacing.max_entries_per_day, reason)
    adds = settings.policy.adds
    if adds.allowed and SECONDS_A_MINUTE * adds.min_spacing_min < pacing.min_asset_spacing_s:
        reason = f"pacing.min_asset_spacing_s is {pacing.min_asset_spacing_s}"
        yield _idle("policy", ("adds", "min_spacing_min"), adds.min_spacing_min, reason)


def _bars(settings: Settings) -> Iterator[Clash]:
    """What waits for a slot is asked again at the next bar."""
    wait, bar_min = settings.policy.risk.max_slot_wait_min, settings.policy.cycle.base_bar_min
    if 0 < wait < bar_min:
        what = f"risk.max_slot_wait_min {wait} lets nothing wait: cycle.base_bar_min is {bar_min}"
        yield Clash("policy", ("risk", "max_slot_wait_min"), what, "warning")


def _positions(settings: Settings) -> Iterator[Clash]:
    """What the profile in force makes of a position fits into the caps of its asset and tier."""
    policy = settings.policy
    scale = policy.active_profile.position_scale_pct
    for number in range(1, len(TIERS) + 1):
        key = f"tier_{number}_position_pct"
        position = getattr(policy.sizing, key)
        scaled = round(position * scale / 100, 6)
        for cap in ("max_per_asset_pct", f"max_tier_{number}_pct"):
            limit = getattr(policy.risk, cap)
            if scaled > limit:
                what = (
                    f"sizing.{key} {position:g} is {scaled:g} in profile {policy.profile}, above risk.{cap} {limit:g}"
                )
                yield Clash("policy", ("sizing", key), what)


def _sizing(settings: Settings) -> Iterator[Clash]:
    """A deeper drawdown and a lower conviction never make a position larger, and there is a legal size."""
    for lesser, greater in (
        ("doubtful_below_pct", "confident_from_pct"),
        ("cautious_drawdown_pct", "protective_drawdown_pct"),
        ("protective_scale_pct", "cautious_scale_pct"),
        ("min_notional_quote", "max_position_quote"),
    ):
        yield from _order("policy", ("sizing",), settings.policy.sizing, lesser, greater, equal=True)


def _trailing_stop(settings: Settings) -> Iterator[Clash]:
    exits = settings.policy.exits
    key, stop = min(_fixed_stops(settings), key=lambda one: one[1], default=("", exits.trailing_stop_pct))
    if exits.use_trailing_stop and exits.trailing_stop_pct > stop:
        what = f"exits.trailing_stop_pct {exits.trailing_stop_pct:g} is wider than the stop it follows, {key} {stop:g}"
        yield Clash("policy", ("exits", "trailing_stop_pct"), what)


def _fixed_stops(settings: Settings) -> Iterator[tuple[str, float]]:
    """Key and width of every stop in percent that a position may be given."""
    chosen = settings.strategies
    blocks = {f"rules.{name}": getattr(chosen.rules, name) for name in TRIGGERS if chosen.rules.enabled}
    for name, block in (blocks | {"momentum": chosen.momentum, "sma_cross": chosen.sma_cross}).items():
        if block.enabled:
            yield f"{name}.stop_pct", block.stop_pct


# --- universe --------------------------------------------------------------------------------------------------------


def _tiers(settings: Settings) -> Iterator[Clash]:
    """An asset is in one tier, once, and not among those that are never traded."""
    universe = settings.universe
    lists: dict[KeyPath, Assets] = {("tiers", name, "bases"): getattr(universe.tiers, name).bases for name in TIERS}
    yield from _once(lists)
    for at, bases in lists.items():
        for index, asset in enumerate(bases):
            if asset in universe.never_trade:
                yield Clash("universe", (*at, index), f"{asset} is in {dotted(at)} and in never_trade")


def _once(lists: Mapping[KeyPath, Assets]) -> Iterator[Clash]:
    """No asset stands twice in these lists."""
    first: dict[str, KeyPath] = {}
    for at, assets in lists.items():
        for index, asset in enumerate(assets):
            before = first.setdefault(asset, at)
            if before != at:
                yield Clash("universe", (*at, index), f"{asset} is in {dotted(before)} and in {dotted(at)}")
            elif asset in assets[:index]:
                yield Clash("universe", (*at, index), f"{dotted(at)} lists {asset} twice")


def _spreads(settings: Settings) -> Iterator[Clash]:
    universe, policy = settings.universe, settings.policy.liquidity.max_spread_bps
    near, second = universe.near_threshold.max_spread_bps, universe.tiers.tier_2_rotational.max_spread_bps
    if near > second:
        what = f"near_threshold.max_spread_bps {near:g} is above tiers.tier_2_rotational.max_spread_bps {second:g}"
        yield Clash("universe", ("near_threshold", "max_spread_bps"), what)
    for number, name in enumerate(TIERS, 1):
        widest = getattr(universe.tiers, name).max_spread_bps
        if widest > policy and tradable(settings, number):
            yield _idle(
                "universe", ("tiers", name, "max_spread_bps"), widest, f"liquidity.max_spread_bps is {policy:g}"
            )


def tradable(settings: Settings, tier: int) -> bool:
    """Whether a tier can hold anything: its assets, or, in the last one, what discovery finds."""
    universe = settings.universe
    return bool(getattr(universe.tiers, TIERS[tier - 1]).bases) or (tier == len(TIERS) and universe.discovery.enabled)


def _themes(settings: Settings) -> Iterator[Clash]:
    """An asset is in one theme, once; OTHER is the theme of those in none, and has no list."""
    themes = settings.universe.themes
    if OTHER in themes:
        what = f"themes.{OTHER} cannot be listed: every asset in no other theme is in it"
        yield Clash("universe", ("themes", OTHER), what)
    yield from _once({("themes", theme): assets for theme, assets in themes.items()})


def _never_trade(settings: Settings) -> Iterator[Clash]:
    yield from _once({("never_trade",): settings.universe.never_trade})


# --- signals and strategies ------------------------------------------------------------------------------------------


def _missing_bars(settings: Settings) -> Iterator[Clash]:
    missing = settings.signals.windows.max_missing_bars
    bars, key = min(_windows(settings))
    if missing >= bars:
        what = f"windows.max_missing_bars {missing} would let a whole window be missing: {key} is {bars} bars"
        yield Clash("signals", ("windows", "max_missing_bars"), what)


def _windows(settings: Settings) -> Iterator[tuple[int, str]]:
    """Length in bars, and key, of the windows in which bars may be missing; an average true range is of whole hours."""
    guards, chosen = settings.signals.guards, settings.strategies
    per_hour = 60 // settings.policy.cycle.base_bar_min
    yield guards.outlier_bars, "guards.outlier_bars"
    yield guards.jump_bars, "guards.jump_bars"
    yield guards.atr_h, "guards.atr_h"
    yield chosen.momentum.window_h * per_hour, "momentum.window_h"
    yield chosen.mean_reversion.window_h * per_hour, "mean_reversion.window_h"
    yield chosen.sma_cross.fast_bars, "sma_cross.fast_bars"


def _regimes(settings: Settings) -> Iterator[Clash]:
    signals = settings.signals
    for lesser, greater in (("bear_fall_pct", "crash_fall_pct"), ("bull_volatility_pct", "crash_volatility_pct")):
        yield from _order("signals", ("regime",), signals.regime, lesser, greater)
    for name in REGIMES:
        block = getattr(signals.thresholds, name)
        yield from _order("signals", ("thresholds", name), block, "move_15m_pct", "move_60m_pct", equal=True)


def _strategies(settings: Settings) -> Iterator[Clash]:
    chosen, bar_min = settings.strategies, settings.policy.cycle.base_bar_min
    if chosen.rules.enabled and bar_min > RULES_BAR_MIN:
        what = f"cycle.base_bar_min {bar_min} is too coarse for the strategy rules: it looks at moves of 15 minutes"
        yield Clash("policy", ("cycle", "base_bar_min"), what)
    for name in TRIGGERS:
        yield from _order("strategies", ("rules", name), getattr(chosen.rules, name), "stop_pct", "target_pct")
    yield from _order("strategies", ("momentum",), chosen.momentum, "stop_pct", "target_pct")
    yield from _order("strategies", ("mean_reversion",), chosen.mean_reversion, "stop_atr", "target_atr")
    yield from _order("strategies", ("sma_cross",), chosen.sma_cross, "fast_bars", "slow_bars")
    yield from _order("strategies", ("sma_cross",), chosen.sma_cross, "stop_pct", "target_pct")
