"""The shadow of an account: what the model of costs says that its orders should have brought, beside what they did.

Each order is put to the model on the very inputs that its decision was taken from: the quote, the fees and the sizes
of that moment. The differences tell what is wrong with the model, and so with every backtest that believes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean
from typing import Any, Protocol

import numpy as np
from msgspec import Struct

from trader_core.domain.fill import Side
from trader_core.domain.order import OrderKind
from trader_core.report.performance import interval
from trader_core.rulebook.money import PPM

BPS = 10_000
DRAWS = 1_000
ENOUGH = 20  # fills from which a figure of the model may be replaced


class Dice(Protocol):
    def integers(self, low: int, high: int, size: Any) -> Any: ...


class Shadowed(Struct, frozen=True):
    """One order with its fate. `reference` is the price that costs are counted from: the middle of the quote at the
    decision, or what a stop fired at. Costs are in 1/100 % of the value, above zero what was lost to them."""

    symbol: str
    tier: int
    side: Side
    kind: OrderKind
    intended: Decimal
    filled: Decimal
    reference: Decimal
    model_price: Decimal
    price: Decimal | None  # None where nothing was filled
    model_fee_bps: float
    fee_bps: float | None

    @property
    def model_slip_bps(self) -> float:
        return self._slip(self.model_price)

    @property
    def slip_bps(self) -> float | None:
        return None if self.price is None else self._slip(self.price)

    @property
    def gap(self) -> Decimal | None:
        """What was filled brought so much less than the model says, in quote; below zero it brought more."""
        if self.price is None or self.fee_bps is None:
            return None
        sign = 1 if self.side is Side.BUY else -1
        fees = (self.price * Decimal(self.fee_bps) - self.model_price * Decimal(self.model_fee_bps)) / BPS
        return self.filled * (sign * (self.price - self.model_price) + fees)

    def _slip(self, price: Decimal) -> float:
        sign = 1 if self.side is Side.BUY else -1
        return float(BPS * sign * (price - self.reference) / self.reference)


class Mean(Struct, frozen=True):
    """A mean and the middle 95 % of its bootstrap; None where there is nothing to draw from."""

    value: float | None
    low: float | None
    high: float | None


class Kind(Struct, frozen=True):
    """All orders of one kind. `excess` is what they slipped beyond the model, `fee_excess` the same of fees."""

    kind: OrderKind
    orders: int
    filled: int
    filled_pct: float
    model_slip_bps: float | None
    slip_bps: float | None
    excess: Mean
    fee_excess: Mean


class Suggestion(Struct, frozen=True):
    """A key of the cost model, what it says, and what the fills say."""

    key: str
    now_bps: float
    found: Mean
    fills: int

    @property
    def differs(self) -> bool:
        """The model's figure is outside of what the fills leave open, and there are enough of them."""
        low, high = self.found.low, self.found.high
        known = low is not None and high is not None and self.fills >= ENOUGH
        return known and not (low or 0.0) <= self.now_bps <= (high or 0.0)


@dataclass(frozen=True)
class Shadow:
    orders: tuple[Shadowed, ...]
    kinds: tuple[Kind, ...]
    suggestions: tuple[Suggestion, ...]
    gap: Decimal  # of all fills, in quote


def shadow(orders: Sequence[Shadowed], now: dict[str, float], dice: Dice) -> Shadow:
    """`now` are the cost model's own figures, by key."""
    kinds = tuple(_kind(kind, found, dice) for kind in OrderKind if (found := [o for o in orders if o.kind is kind]))
    gap = sum((one.gap for one in orders if one.gap is not None), Decimal(0))
    return Shadow(tuple(orders), kinds, tuple(_suggestions(orders, now, dice)), gap)


def _kind(kind: OrderKind, orders: Sequence[Shadowed], dice: Dice) -> Kind:
    done = [one for one in orders if one.slip_bps is not None and one.fee_bps is not None]
    slips = [one.slip_bps for one in done if one.slip_bps is not None]
    fees = [one.fee_bps - one.model_fee_bps for one in done if one.fee_bps is not None]
    intended = sum((one.intended for one in orders), Decimal(0))
    share = sum((min(one.filled / one.intended, Decimal(1)) for one in orders if one.intended), Decimal(0))
    return Kind(
        kind=kind,
        orders=len(orders),
        filled=len(done),
        filled_pct=float(100 * share / len(orders)) if intended else 0.0,
        model_slip_bps=fmean(one.model_slip_bps for one in done) if done else None,
        slip_bps=fmean(slips) if slips else None,
        excess=_mean([slip - one.model_slip_bps for slip, one in zip(slips, done, strict=True)], dice),
        fee_excess=_mean(fees, dice),
    )


def _suggestions(orders: Sequence[Shadowed], now: dict[str, float], dice: Dice) -> list[Suggestion]:
    """Fees by kind, and slippage by tier: what takers lost beyond the spread that the model assumes."""
    done = [one for one in orders if one.fee_bps is not None]
    cases = {
        "app.paper.maker_fee_bps": [one.fee_bps for one in done if one.kind is OrderKind.MAKER],
        "app.paper.taker_fee_bps": [one.fee_bps for one in done if one.kind is not OrderKind.MAKER],
    }
    half = now["app.paper.half_spread_bps"]
    for tier in (1, 2, 3):
        taken = [one.slip_bps for one in done if one.kind is OrderKind.TAKER and one.tier == tier]
        cases[f"app.paper.slippage.tier_{tier}_bps"] = [None if one is None else one - half for one in taken]
    found = []
    for key, values in cases.items():
        known = [one for one in values if one is not None]
        if known:
            found.append(Suggestion(key, now[key], _mean(known, dice), len(known)))
    return found


def _mean(values: Sequence[float], dice: Dice) -> Mean:
    if not values:
        return Mean(None, None, None)
    known = np.array(values)
    drawn = known[dice.integers(0, len(known), size=(DRAWS, len(known)))].mean(axis=1)
    low, high = interval(drawn.tolist())
    return Mean(fmean(values), low, high)


def modelled(kind: OrderKind, side: Side, touch: Decimal, limit: Decimal, slippage_ppm: int) -> Decimal:
    """Where the model fills such an order: one that rests at its limit, any other so much worse than the touch."""
    if kind is OrderKind.MAKER:
        return limit
    sign = 1 if side is Side.BUY else -1
    return touch * (PPM + sign * slippage_ppm) / PPM
