"""What does it cost, and does the market have it? Spread, depth, slippage, cost, edge, smallest order."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import CLOSED, MAKER, NOT_HERE, PASS, Verdict
from trader_core.rulebook.costs import entry_cost_ppm, round_trip_ppm, slippage_of
from trader_core.rulebook.exits import BPS
from trader_core.rulebook.exposure import cost_with_fee
from trader_core.rulebook.gates.note import Judged, note, shrunk
from trader_core.rulebook.gates.standing import E8, spread_ppm
from trader_core.rulebook.limits import Floats, Law
from trader_core.rulebook.money import PPM, lots_for, mul_div_down, mul_div_up, value_down, value_up
from trader_core.rulebook.state import Columns, Draft

WALK_PPM = 2_000.0  # what rests within 20 bps is eaten from the middle outwards, so its half costs 10 bps


@rule
def judge_liquidity(law: Law, columns: Columns, t: int, draft: Draft, lots: int, trace: Floats) -> int:
    lots = note(trace, Verdict.SPREAD, gate_spread(law, columns, t, draft, lots))
    lots = min(lots, note(trace, Verdict.DEPTH, gate_depth(law, columns, t, draft, lots)))
    slippage = slippage_ppm(law, columns, t, draft, lots)
    lots = note(trace, Verdict.SLIPPAGE, gate_slippage(law, draft, lots, slippage))
    lots = note(trace, Verdict.COST, gate_cost(law, draft, lots, slippage))
    value = value_up(law.instruments, draft.instrument, lots, draft.price)
    leaving = model_ppm(law, columns, t, draft, value)
    lots = note(trace, Verdict.EDGE, gate_edge(law, draft, lots, slippage, leaving))
    return note(trace, Verdict.MIN_NOTIONAL, gate_min_notional(law, draft, lots))


@rule
def gate_spread(law: Law, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    spread, limit = spread_ppm(columns, t, draft.instrument), law.liquidity.max_spread_ppm
    return (CLOSED if spread > limit else PASS), lots, spread / 100, limit / 100


@rule
def gate_depth(law: Law, columns: Columns, t: int, draft: Draft, lots: int) -> Judged:
    """An entry takes a part of what rests near the middle, no more; of an unknown book that is nothing."""
    i = draft.instrument
    room = mul_div_down(columns.depth[columns.asked[t], i], law.liquidity.max_depth_ppm, PPM)
    left = min(lots, lots_for(law.instruments, i, room, draft.price))
    value = value_up(law.instruments, i, lots, draft.price)
    return shrunk(lots, left, value / E8, room / E8)


@rule
def slippage_ppm(law: Law, columns: Columns, t: int, draft: Draft, lots: int) -> int:
    """Expected distance of a taker's price from the middle: half the spread, the model's, and the way into the book."""
    if draft.kind == MAKER:
        return 0
    depth = columns.depth[columns.asked[t], draft.instrument]
    value = value_up(law.instruments, draft.instrument, lots, draft.price)
    walk = WALK_PPM * value / depth if depth > 0 else 0.0
    return int(min(spread_ppm(columns, t, draft.instrument) / 2 + walk, 1e6)) + model_ppm(law, columns, t, draft, value)


@rule
def model_ppm(law: Law, columns: Columns, t: int, draft: Draft, value: int) -> int:
    i = draft.instrument
    return slippage_of(law.costs, law.instruments.tier[i], value, columns.day_range[columns.hour[t], i])


@rule
def gate_slippage(law: Law, draft: Draft, lots: int, slippage: int) -> Judged:
    limit = law.liquidity.max_slippage_ppm
    if draft.kind == MAKER:
        return NOT_HERE, lots, 0.0, limit / 100
    return (CLOSED if slippage > limit else PASS), lots, slippage / 100, limit / 100


@rule
def gate_cost(law: Law, draft: Draft, lots: int, slippage: int) -> Judged:
    cost, limit = entry_cost_ppm(law.costs, draft.kind, slippage), law.liquidity.max_cost_ppm
    return (CLOSED if cost > limit else PASS), lots, cost / 100, limit / 100


@rule
def gate_edge(law: Law, draft: Draft, lots: int, slippage: int, leaving: int) -> Judged:
    """The target must pay for coming and going several times over; without a target nothing does."""
    round_trip = round_trip_ppm(law.costs, draft.kind, slippage, leaving)
    needed = mul_div_down(round_trip, law.liquidity.min_edge_ppm, PPM) / 100
    return (CLOSED if draft.target_bps < needed else PASS), lots, float(draft.target_bps), needed


@rule
def gate_min_notional(law: Law, draft: Draft, lots: int) -> Judged:
    """What is left of the order after the fee must still be worth having for us; and for the venue also at the stop,
    which would not be taken else."""
    i = draft.instrument
    value = value_down(law.instruments, i, lots, draft.price)
    net = value - (cost_with_fee(law, i, lots, draft.price) - value)
    stopped = mul_div_up(law.instruments.min_notional[i], BPS, max(BPS - draft.stop_bps, 1))
    floor = max(law.liquidity.min_notional, stopped)
    return (CLOSED if lots < 1 or net < floor else PASS), lots, net / E8, floor / E8
