"""What differs between two configurations, and what each difference does to the risk that is allowed."""

from collections.abc import Iterator, Mapping
from decimal import Context, Decimal
from typing import Any, Literal, get_args

from msgspec import Struct

from trader_core.domain.money import plain
from trader_core.domain.values import replace
from trader_core.settings.direction import more_of
from trader_core.settings.schema import FILES, PROFILES, Mode, OnTrip, Section, Settings, unit_of

Effect = Literal["loosens", "tightens", "changed"]
_DIGITS = Context(prec=3)  # of a factor
_TIMES = "\N{MULTIPLICATION SIGN}"
_SAID = {"max_day_loss": "max daily loss", "max_week_loss": "max weekly loss", "profile": "new positions"}
_MODE, _PROFILE, _ON_TRIP = ("app", "mode"), ("policy", "profile"), ("policy", "halt", "on_trip")
_OFF_AT_ZERO = tuple(("policy", "halt", key) for key in ("max_stop_hits", "max_feed_age_min", "max_venue_troubles"))
Path = tuple[str, ...]


class Change(Struct, frozen=True):
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
    if path == _PROFILE and small == large:
        small, large = Decimal(PROFILES.index(before[0])), Decimal(PROFILES.index(after[0]))
    moves = {1: bool(change.added), -1: bool(change.removed)}
    if small is not None and large is not None:
        moves = {1: large > small, -1: large < small}
    more = more_of(".".join(path))
    effect: Effect = "loosens" if moves.get(more) else "tightens" if moves.get(-more) else "changed"
    return replace(change, effect=effect)


def _is_factor(path: Path, small: Decimal | None, large: Decimal | None) -> bool:
    if path in (_MODE, _ON_TRIP) or not small or not large or small == large:
        return False
    return small > 0 < large and small.is_finite() and large.is_finite()


def _size(path: Path, value: Any, settings: Settings) -> Decimal | None:
    """What may be compared as more and less; of a profile its scale, and of two with the same their places, of a mode
    its place. A limit that is off allows everything."""
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
