"""The fill model: what one bar does to one order. Ambiguity inside a bar is resolved against us."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import MAKER, STOP_MARKET, TAKER
from trader_core.rulebook.limits import Costs
from trader_core.rulebook.money import PPM, less, more, mul_div_down


@rule
def match(
    costs: Costs, slippage_ppm: int, kind: int, buys: bool, lots: int, limit: int, trigger: int,
    opened: int, high: int, low: int, volume: int,
) -> tuple[int, int]:  # fmt: skip
    """(lots, price in ticks) filled by a bar that was not yet open when the order was sent; (0, 0) if none.

    Taker: at the open, worse by half spread and slippage, unless that is beyond its limit.
    Maker: at its limit, only when price trades through it, at most a share of the bar's volume.
    Stop: when the low touches the trigger, at the worse of trigger and open, less slippage.
    """
    if opened == 0:
        return 0, 0
    if kind == TAKER:
        price = more(opened, costs.half_spread_ppm + slippage_ppm)
        if not buys:
            price = less(opened, costs.half_spread_ppm + slippage_ppm)
        within = price <= limit if buys else price >= limit
        return (lots, price) if within and price > 0 else (0, 0)
    if kind == MAKER:
        through = low < limit if buys else high > limit
        share = mul_div_down(volume, costs.max_share_ppm, PPM)
        filled = min(lots, share)
        return (filled, limit) if through and filled > 0 else (0, 0)
    price = less(min(trigger, opened), slippage_ppm)
    return (lots, price) if low <= trigger and price > 0 else (0, 0)


@rule
def meet(
    costs: Costs, slippage_ppm: int, kind: int, buys: bool, lots: int, limit: int, trigger: int,
    opened: int, high: int, low: int, volume: int, open_ms: int, close_ms: int,
) -> tuple[int, int, int]:  # fmt: skip
    """(lots, price, time) of an order's bar. A taker executes at the opening; inside the bar the time is unknown and
    its close is written. A sale that finds nobody within its limit is, until the bar ends, the stop it replaced."""
    filled, price = match(costs, slippage_ppm, kind, buys, lots, limit, trigger, opened, high, low, volume)
    if kind == TAKER and filled == 0 and not buys and trigger > 0:
        filled, price = match(costs, slippage_ppm, STOP_MARKET, False, lots, 0, trigger, opened, high, low, volume)
        return filled, price, close_ms
    return filled, price, open_ms if kind == TAKER else close_ms
