"""What trading costs: the assumed spread, slippage, and fees. The one place where a model stands for the venue."""

from math import ceil, log10
from typing import TypeVar

import numpy as np

from trader_core.rulebook import rule
from trader_core.rulebook.codes import MAKER
from trader_core.rulebook.limits import Costs, Floats
from trader_core.rulebook.money import PPM, less, more, mul_div_up

Amounts = TypeVar("Amounts", float, Floats)
BAR_CENTS_MAX = 2.0**42  # a bar's value saturates here, so that a day of minutes adds up exactly in a float64
NOISE = 1e-9  # what a product of floats may be off by
DEPTH_MAX = 2.0**61  # 1e-8 quote


@rule
def bid_of(costs: Costs, close: int) -> int:
    """The bid that a replay assumes around a close."""
    return less(close, costs.half_spread_ppm)


@rule
def ask_of(costs: Costs, close: int) -> int:
    return more(close, costs.half_spread_ppm)


@rule
def slippage_of(costs: Costs, tier: int, value: int, range_pct: float) -> int:
    """How much worse than the touch a taker of that value fills, ppm, rounded up. The range is of the day before."""
    model = costs.slippage
    base = model.base_ppm[tier]
    if base == 0:
        return 0
    large, restless = 1.0, model.most_restless
    if value > model.large > 0:
        large = min(1.0 + model.per_decade * log10(value / model.large), model.most_large)
    if range_pct >= 0.0:
        restless = min(max(range_pct / model.restless_pct, 1.0), model.most_restless)
    ppm: int = ceil(base * large * restless - NOISE)
    return ppm


@rule
def bar_cents(lots: Amounts, ticks: Amounts, grains_per_unit: float) -> Amounts:
    """What a bar's volume was worth at its close, in whole 1/100 quote: an integer in a float64, rounded down.

    Of arrays or of numbers, as floats; `grains_per_unit` is 1e-8 quote in one tick times one lot.
    """
    cents: Amounts = np.floor(np.minimum(lots * ticks * grains_per_unit / 1e6, BAR_CENTS_MAX))
    return cents


@rule
def depth_of(costs: Costs, day_cents: Floats) -> Floats:
    """1e-8 quote that a replay assumes within 20 bps of the middle, both sides, after a day of that volume."""
    return np.floor(np.minimum(day_cents * costs.depth_ppm, DEPTH_MAX))


@rule
def fee_of(costs: Costs, kind: int, value: int) -> int:
    """The venue's fee on a value, rounded up."""
    return mul_div_up(value, costs.maker_fee_ppm if kind == MAKER else costs.taker_fee_ppm, PPM)


@rule
def worst_fee_ppm(costs: Costs) -> int:
    """The higher of both fees: what a reservation must cover."""
    return max(costs.maker_fee_ppm, costs.taker_fee_ppm)


@rule
def worst_fee(costs: Costs, value: int) -> int:
    return mul_div_up(value, worst_fee_ppm(costs), PPM)


@rule
def round_trip_ppm(costs: Costs, kind: int, entering_ppm: int, leaving_ppm: int) -> int:
    """Expected cost of entering so and leaving at once by the worst way, a taker across the spread."""
    leaving = costs.taker_fee_ppm + costs.half_spread_ppm + leaving_ppm
    return entry_cost_ppm(costs, kind, entering_ppm) + leaving


@rule
def entry_cost_ppm(costs: Costs, kind: int, slippage_ppm: int) -> int:
    """Expected cost of entering: a maker pays its fee, a taker its fee and what it loses to spread and depth."""
    if kind == MAKER:
        return costs.maker_fee_ppm
    return costs.taker_fee_ppm + slippage_ppm
