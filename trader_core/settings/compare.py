"""What differs between two configurations, and what each difference does to the risk that is allowed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from trader_core.domain.money import plain
from trader_core.settings.schema import FILES, Mode, OnTrip, Section, Settings, unit_of

Effect = Literal["loosens", "tightens", "changed"]
_DIGITS = Context(prec=3)  # of a factor
_TIMES = "\N{MULTIPLICATION SIGN}"
_SAID = {"max_day_loss": "max daily loss", "max_week_loss": "max weekly loss", "profile": "new positions"}
_MODE, _PROFILE, _ON_TRIP = ("app", "mode"), ("policy", "profile"), ("policy", "halt", "on_trip")
_OFF_AT_ZERO = (("policy", "halt", "max_stop_hits"), ("policy", "halt", "max_feed_age_min"))
Path = tuple[str, ...]

# Whether more of it allows more risk (1) or less (-1), or neither for certain (0). More is a larger number, a switch
# that is on, a longer list. The first pattern that fits decides; what fits none is 0.
_MORE = (
    ("app.exchange.read_only", -1),
    ("app.mode", 1),
    ("app.clock.recheck_min", 1),
    ("app.secrets.*", 1),
    ("app.paper.*", 0),  # a model of the venue allows nothing
    ("policy.profile", 1),
    ("policy.risk.calm_range_pct", 1),
    ("policy.portfolio.cluster_correlation_ratio", 1),
    ("policy.portfolio.*_window_days", 0),
    ("policy.portfolio.cluster_min_days", -1),
    ("policy.portfolio.var_*", -1),
    ("policy.halt.enabled", -1),
    ("policy.halt.retrip_step_pct", 1),
    ("policy.halt.error_window_min", -1),
    ("policy.halt.stop_window_min", -1),
    ("policy.halt.on_trip", -1),
    ("policy.halt.auto_rearm", 1),
    ("policy.halt.allow_manual_reset", 1),
    ("policy.risk.halve_at_day_loss_pct", 1),
    ("policy.exits.use_trailing_stop", -1),
    ("policy.exits.trailing_stop_pct", 1),
    ("policy.exits.default_stop_pct", 1),
    ("policy.risk.cautious_day_*", 1),
    ("policy.sizing.confident_from_pct", -1),
    ("policy.sizing.doubtful_below_pct", -1),
    ("policy.sizing.full_size_volatility_pct", 1),
    ("policy.sizing.*_drawdown_pct", 1),
    ("policy.sizing.poor_record_pct", -1),
    ("policy.sizing.poor_record_trades", 1),
    ("policy.sizing.risk_per_trade_pct", 1),
    ("policy.sizing.risk_distance_atr", -1),
    ("policy.sizing.kelly_*", 1),
    ("policy.adds.allowed", 1),
    ("policy.orders.taker_fallback", 1),
    ("policy.orders.limit_band_bps", 1),
    ("universe.tiers.*.bases", 1),
    ("universe.never_trade", -1),
    ("universe.near_threshold.volume_pct", -1),
    ("universe.hysteresis.leave_h", 1),
    ("universe.hysteresis.recall_h", 1),
    ("universe.hysteresis.*", -1),
    ("universe.bans.*", -1),
    ("signals.regime.bull_rise_pct", -1),
    ("signals.regime.*_pct", 1),
    ("signals.guards.outlier_deviation_pct", 1),
    ("signals.guards.outlier_volume_pct", -1),
    ("signals.triggers.reversal_near_low_pct", 1),
    ("signals.triggers.reversal_*", -1),
    ("signals.triggers.volume_rise_pct", -1),
    ("signals.triggers.momentum_pct", -1),
    ("signals.thresholds.*", -1),
    ("strategies.mean_reversion.entry_sigma", -1),
    ("strategies.rules.*_weight_pct", 1),
    ("strategies.rules.*_boost_pct", 1),
    ("*.enabled", 1),
    ("*.stop_pct", 1),
    ("*.stop_atr", 1),
    ("*scale_pct", 1),
    ("*_position_pct", 1),
    ("*.cooldown_*", -1),
    ("*_pause_min", -1),
    ("*.max_*", 1),
    ("*.min_*", -1),
)


@dataclass(frozen=True, slots=True)
class Change:
    """One key whose values differ; None where a configuration does not have it. `factor` is after over before."""

    file: str
    key: str
    before: Any
    after: Any
    factor: Decimal | None
    effect: Effect

    @property
    def added(self) -> tuple[str, ...]:
        """What a list has now and had not before."""
        return _without(self.after, self.before)

    @property
    def removed(self) -> tuple[str, ...]:
        return _without(self.before, self.after)

    @property
    def meaning(self) -> str:
        """'max daily loss' times 2.5, in words; '' where no factor says anything."""
        return "" if self.factor is None else f"{_words(self.key)} {_TIMES} {plain(self.factor)}"


def compare(before: Settings, after: Settings) -> tuple[Change, ...]:
    """Every difference, in the order of files."""
    old, new = dict(_leaves(before, ())), dict(_leaves(after, ()))
    paths = sorted({**old, **new}, key=lambda path: list(FILES).index(path[0]))
    return tuple(
        _change(path, (old.get(path), before), (new.get(path), after))
        for path in paths
        if old.get(path) != new.get(path)
    )


def _leaves(block: Section, at: Path) -> Iterator[tuple[Path, Any]]:
    """Every value by its path; what stands in a mapping by itself."""
    for name in type(block).model_fields:
        value = getattr(block, name)
        if isinstance(value, Section):
            yield from _leaves(value, (*at, name))
        elif isinstance(value, Mapping):
            yield from (((*at, name, key), item) for key, item in value.items())
        else:
            yield (*at, name), value


def _change(path: Path, before: tuple[Any, Settings], after: tuple[Any, Settings]) -> Change:
    small, large = _size(path, *before), _size(path, *after)
    factor = _DIGITS.divide(large or 0, small or 1) if _is_factor(path, small, large) else None
    change = Change(path[0], ".".join(path[1:]), before[0], after[0], factor, "changed")
    moves = {1: bool(change.added), -1: bool(change.removed)}
    if small is not None and large is not None:
        moves = {1: large > small, -1: large < small}
    more = next((sign for pattern, sign in _MORE if fnmatchcase(".".join(path), pattern)), 0)
    effect: Effect = "loosens" if moves.get(more) else "tightens" if moves.get(-more) else "changed"
    return replace(change, effect=effect)


def _is_factor(path: Path, small: Decimal | None, large: Decimal | None) -> bool:
    if path in (_MODE, _ON_TRIP) or not small or not large:
        return False
    return small > 0 < large and small.is_finite() and large.is_finite()


def _size(path: Path, value: Any, settings: Settings) -> Decimal | None:
    """What may be compared as more and less; of a profile its scale, of a mode its place. A limit that is off allows
    everything."""
    if path == _PROFILE:
        return Decimal(str(settings.policy.active_profile.position_scale_pct))
    if path == _MODE:
        return Decimal(get_args(Mode).index(value))
    if path == _ON_TRIP:
        return Decimal(get_args(OnTrip).index(value))
    if path in _OFF_AT_ZERO and value == 0:
        return Decimal("Infinity")
    return Decimal(str(value + 0)) if isinstance(value, bool | int | float | Decimal) else None


def _without(one: Any, other: Any) -> tuple[str, ...]:
    """The elements of a list that another does not have."""
    listed = one if isinstance(one, tuple) else ()
    return tuple(element for element in listed if element not in (other or ()))


def _words(key: str) -> str:
    """'max daily loss', 'max per theme MEME'."""
    *blocks, last = [step.removesuffix(unit_of(step)) for step in key.split(".")]
    name = f"{blocks[-1]}_{last}" if last.isupper() else _SAID.get(last, last)
    return name.replace("_", " ")
