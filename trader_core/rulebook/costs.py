"""What trading costs: the assumed spread, slippage, and fees. The one place where a model stands for the venue."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import MAKER
from trader_core.rulebook.limits import Costs
from trader_core.rulebook.money import PPM, less, more, mul_div_up


@rule
def bid_of(costs: Costs, close: int) -> int:
    """The bid that a replay assumes around a close."""
    return less(close, costs.half_spread_ppm)


@rule
def ask_of(costs: Costs, close: int) -> int:
    return more(close, costs.half_spread_ppm)


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
def entry_cost_ppm(costs: Costs, kind: int) -> int:
    """Expected cost of entering: a maker pays its fee, a taker half the spread, slippage and its fee."""
    if kind == MAKER:
        return costs.maker_fee_ppm
    return costs.half_spread_ppm + costs.slippage_ppm + costs.taker_fee_ppm
