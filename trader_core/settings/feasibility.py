"""Whether there is a legal order at all: between the smallest that is worth its fee and the largest that the caps
allow, for every tier and regime.

It is the first order of an account that holds nothing, computed as the rulebook does: fractions of equity are floats,
amounts whole 1e-8 quote; a cap must pay the fee too, the wanted size need not.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Literal

from msgspec import Struct

from trader_core.domain.money import E8, from_grains, grains_down, grains_up
from trader_core.rulebook.exits import BPS
from trader_core.rulebook.exposure import effective_cap
from trader_core.rulebook.gates.losses import HALVED
from trader_core.rulebook.money import PPM, mul_div_down, mul_div_up
from trader_core.settings.coherence import TRIGGERS, tradable
from trader_core.settings.schema import OTHER, REGIMES, TIERS, Settings, Strategies

CENT = Decimal("0.01")
EQUITIES = range(0, 1_000_000_000 * E8, E8 // 100)  # those an account may have, in 1e-8 quote, by cents
VENUE_FLOOR = Decimal(1)  # smallest order of a venue that does not tell its own, in quote


class Band(Struct, frozen=True):
    """The orders that pass, by their value before the fee, in the account currency.

    `empty`: none does. `closed`: none does, and the regime's scale of 0 says that none shall. `limit` is the key that
    decides `largest`. `starved` names what wants less than `smallest` in an open band, and so can never buy there.
    `open_from` is the lowest equity, in cents, at which the band is open, `full_from` that at which nothing starves,
    `halved_from` that at which it is open on a day whose loss has halved new positions; None where none is high enough.
    `halved` is the largest order on such a day.
    """

    tier: int
    regime: str
    state: Literal["open", "closed", "empty"]
    smallest: Decimal
    largest: Decimal
    limit: str
    starved: tuple[str, ...]
    halved: Decimal
    orders: "_Orders"

    @property
    def open_from(self) -> Decimal | None:
        return self.orders.least_equity(lambda equity: max(self.orders.values(equity)))

    @property
    def full_from(self) -> Decimal | None:
        return self.orders.least_equity(lambda equity: min(self.orders.values(equity)))

    @property
    def halved_from(self) -> Decimal | None:
        return self.orders.least_equity(self.orders.halved)

    @property
    def smallest_cents(self) -> Decimal:
        """To be told: rounded up."""
        return self.smallest.quantize(CENT, ROUND_CEILING)

    @property
    def is_shut_by_halving(self) -> bool:
        """Whether an order fits on other days, and none on one whose loss has halved new positions."""
        return self.state == "open" and self.halved < self.smallest

    @property
    def largest_cents(self) -> Decimal:
        """To be told: rounded down."""
        return self.largest.quantize(CENT, ROUND_FLOOR)


class _Ceiling(Struct, frozen=True):
    """A key that keeps an order small, and the fraction of equity above which it does, or the amount."""

    key: str
    fraction: float
    fee_ppm: int  # that has to fit below it too
    most: int | None = None  # 1e-8 quote, whatever the equity

    def value(self, equity: int) -> int:
        """The largest order below it, 1e-8 quote."""
        room = max(int(self.fraction * equity), 0) if self.most is None else self.most
        return mul_div_down(room, PPM, PPM + self.fee_ppm)

    def scaled(self, by: float) -> "_Ceiling":
        return _Ceiling(self.key, self.fraction * by, self.fee_ppm, self.most)


class _Orders(Struct, frozen=True):
    """What each proposer may buy of a tier in a regime, by the account's equity; 1e-8 quote. Nobody: none will do."""

    smallest: int
    ceilings: Mapping[str, tuple[_Ceiling, ...]]

    def of(self, name: str, equity: int, by: float = 1.0) -> int:
        """`by`: how far the position that is wanted is scaled; no cap is."""
        wanted, *caps = self.ceilings[name]
        return _lowest((wanted.scaled(by), *caps), equity).value(equity)

    def values(self, equity: int, by: float = 1.0) -> list[int]:
        return [self.of(name, equity, by) for name in self.ceilings]

    def halved(self, equity: int) -> int:
        """The largest on a day whose loss has halved new positions."""
        return max(self.values(equity, HALVED))

    def least_equity(self, value_at: Callable[[int], int]) -> Decimal | None:
        """Where a value that never falls with equity reaches the smallest order."""
        if not self.ceilings:
            return None
        index = bisect_left(EQUITIES, self.smallest, key=value_at)
        return from_grains(EQUITIES[index]) if index < len(EQUITIES) else None


def bands(settings: Settings, equity: Decimal, venue_floor: Decimal = VENUE_FLOOR) -> tuple[Band, ...]:
    """One band per regime for each tier that can hold anything."""
    smallest = _smallest(settings, venue_floor)
    return tuple(
        _band(settings, tier, regime, grains_down(equity), smallest)
        for tier in range(1, len(TIERS) + 1)
        if tradable(settings, tier)
        for regime in REGIMES
    )


def startup_warning(settings: Settings, equity: Decimal, regime_name: str | None) -> tuple[str, ...]:
    """One line per empty band, of the regime in force, or of all of them where that is not known."""
    asked = (regime_name,) if regime_name in REGIMES else REGIMES
    return tuple(empty_line(one) for one in bands(settings, equity) if one.state == "empty" and one.regime in asked)


def empty_line(band: Band) -> str:
    """Why no order fits an empty band, and when one does."""
    found = f"at most {band.largest_cents:,} ({band.limit}), at least {band.smallest_cents:,}"
    return f"tier {band.tier} in {band.regime}: no order fits, {found}; {_from(band.open_from)} one does"


def starved_line(band: Band) -> str:
    """What buys nothing in an open band, and when it does."""
    names, verb = ", ".join(band.starved), "wants" if len(band.starved) == 1 else "want"
    found = f"{names} {verb} less than the smallest order, {band.smallest_cents:,}"
    return f"tier {band.tier} in {band.regime}: {found}; {_from(band.full_from)} nothing does"


def halved_line(band: Band) -> str:
    """What a losing day does to an open band."""
    found = (
        f"no order fits on a day whose loss has halved positions, at most {band.halved.quantize(CENT, ROUND_FLOOR):,}"
    )
    least = f"at least {band.smallest_cents:,}"
    return f"tier {band.tier} in {band.regime}: {found}, {least}; {_from(band.halved_from)} one does"


def _from(equity: Decimal | None) -> str:
    return "at no equity" if equity is None else f"from an equity of {equity:,.2f}"


def _band(settings: Settings, tier: int, regime: str, equity: int, smallest: int) -> Band:
    scale = getattr(settings.policy.regime, f"{regime}_scale_pct") / 100
    if scale == 0:
        nothing, key = from_grains(0), f"regime.{regime}_scale_pct"
        return Band(tier, regime, "closed", from_grains(smallest), nothing, key, (), nothing, _Orders(smallest, {}))
    proposers = _proposers(settings).items()
    orders = _Orders(smallest, {name: _ceilings(settings, tier, scale, name, share) for name, share in proposers})
    found = {name: orders.of(name, equity) for name in orders.ceilings}
    best = max(found, key=lambda name: found[name])
    return Band(
        tier=tier,
        regime=regime,
        state="open" if found[best] >= smallest else "empty",
        smallest=from_grains(smallest),
        largest=from_grains(found[best]),
        limit=_lowest(orders.ceilings[best], equity).key,
        starved=tuple(name for name, value in found.items() if value < smallest <= found[best]),
        halved=from_grains(orders.halved(equity)),
        orders=orders,
    )


def _lowest(ceilings: tuple[_Ceiling, ...], equity: int) -> _Ceiling:
    """The one that decides; the first of equals."""
    return min(ceilings, key=lambda one: one.value(equity))


def _smallest(settings: Settings, venue_floor: Decimal) -> int:
    """The least value of which, its fee paid, our floor remains, and the venue's also at the stop that is nearest of
    all that may buy; 1e-8 quote, rounded up."""
    stop_bps = min(_stop_bps(settings, name) for name in _proposers(settings))
    stopped = mul_div_up(grains_up(venue_floor), BPS, BPS - stop_bps)
    floor = max(grains_up(settings.policy.sizing.min_notional_quote), stopped)
    return max(mul_div_up(floor, PPM, PPM - _fee_ppm(settings)), 1)


def _stop_bps(settings: Settings, name: str) -> int:
    """How far below its cost a proposer's stop is; 0 where that is measured in true ranges."""
    if not name:
        return round(settings.policy.exits.default_stop_pct * 100)
    block: Any = settings.strategies
    for part in name.split("."):
        block = getattr(block, part)
    return round(getattr(block, "stop_pct", 0) * 100)


def _fee_ppm(settings: Settings) -> int:
    """The higher of both fees, as every reservation has it."""
    paper = settings.app.paper
    return round(max(paper.maker_fee_bps, paper.taker_fee_bps) * 100)


def _proposers(settings: Settings) -> dict[str, float]:
    """What may buy, and the share of a position it wants. Where nothing may, a whole position for whoever will."""
    chosen = settings.strategies
    triggers = {f"rules.{name}": getattr(chosen.rules, name) for name in TRIGGERS if chosen.rules.enabled}
    found = {name: block.scale_pct / 100 for name, block in triggers.items() if block.enabled}
    others = {name: 1.0 for name in Strategies.model_fields if name != "rules"}
    return found | {name: 1.0 for name in others if getattr(chosen, name).enabled} or {"": 1.0}


def _ceilings(settings: Settings, tier: int, scale: float, name: str, share: float) -> tuple[_Ceiling, ...]:
    """What keeps an order of that proposer small: the position it wants, own money in one, the lowest of the caps."""
    risk, sizing, fee = settings.policy.risk_in_force, settings.policy.sizing, _fee_ppm(settings)
    theme, theme_cap = max(_theme_caps(settings, tier), key=lambda one: one[1])
    caps = {
        "risk.max_per_asset_pct": risk.max_per_asset_pct,
        f"risk.max_per_theme_pct.{theme}": theme_cap,
        f"risk.max_tier_{tier}_pct": getattr(risk, f"max_tier_{tier}_pct"),
        "risk.max_total_at_risk_pct": risk.max_total_at_risk_pct,
    }
    strategy = name.partition(".")[0]
    if strategy:
        caps[f"{strategy}.max_at_risk_pct"] = getattr(settings.strategies, strategy).max_at_risk_pct
    position = getattr(sizing, f"tier_{tier}_position_pct") * settings.policy.active_profile.position_scale_pct / 10_000
    key, cap = min(caps.items(), key=lambda one: one[1])
    wanted = _Ceiling(f"sizing.tier_{tier}_position_pct", position * (scale * share), 0)
    own = _Ceiling("sizing.max_position_quote", 0.0, 0, grains_down(sizing.max_position_quote))
    return wanted, own, _Ceiling(key, effective_cap(cap / 100, scale), fee)


def _theme_caps(settings: Settings, tier: int) -> Iterator[tuple[str, float]]:
    """The themes that an asset of the tier may have, with their caps."""
    universe, caps = settings.universe, settings.policy.risk_in_force.max_per_theme_pct
    bases = set(getattr(universe.tiers, TIERS[tier - 1]).bases)
    if tier == len(TIERS) and universe.discovery.enabled:
        known = {base for assets in universe.themes.values() for base in assets}
        bases |= known - {*universe.bases, *universe.never_trade}
        yield OTHER, caps[OTHER]
    yield from ((theme, caps[theme]) for theme in sorted({universe.theme_of(base) for base in bases}))
