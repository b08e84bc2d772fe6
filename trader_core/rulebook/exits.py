"""When to leave. Exits meet no entry gate, and run every cycle, whatever the market or the entries do."""

from typing import NamedTuple

from trader_core.rulebook import rule
from trader_core.rulebook.account import moment
from trader_core.rulebook.codes import (
    BY_BREAK_EVEN,
    BY_PARTIAL,
    BY_SIGNAL,
    BY_STOP,
    BY_TARGET,
    BY_TIME,
    BY_TRAILING,
    BY_TRIM,
    EQUITY,
    EXIT,
    KIND,
    NEVER,
)  # fmt: skip
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import PPM, less, lots_for, mul_div_down, mul_div_up, value_down, value_up
from trader_core.rulebook.state import Columns, Guard, State

BPS = 10_000
NO_LIMIT = 1 << 62


class Levels(NamedTuple):
    """Prices in ticks; 0 is none."""

    stop: int  # the highest of the position's own, the one at cost, and the one that follows the highest bid
    target: int
    reason: int  # which of the stops it is
    partial: int  # where a part is sold
    ceiling: int  # the lowest bid above the stop that changes anything


@rule
def average_entry(law: Law, state: State, i: int) -> int:
    """Average price paid for the held lots, in ticks, rounded down."""
    return int(mul_div_down(state.cost[i], law.instruments.den[i], law.instruments.num[i] * state.lots[i]))


@rule
def stop_bps_of(law: Law, own: int) -> int:
    """Distance of a position's stop: its strategy's, else the policy's."""
    return own if own > 0 else law.exits.default_stop_bps


@rule
def target_bps_of(law: Law, own: int) -> int:
    return own if own > 0 else law.exits.default_target_bps


@rule
def cost_price(law: Law, state: State, i: int) -> int:
    """The lowest price that brings back cost and exit fee."""
    paid = mul_div_up(state.cost[i], law.instruments.den[i], law.instruments.num[i] * state.lots[i])
    return int(mul_div_up(paid, PPM, max(PPM - law.costs.taker_fee_ppm, 1)))


@rule
def levels(law: Law, state: State, i: int) -> Levels:
    """Where a position is left. A fixed stop is rounded up: it fires earlier rather than later."""
    stop, target, reason, partial, ceiling = 0, 0, BY_STOP, 0, NO_LIMIT
    average = average_entry(law, state, i)
    stop_bps, target_bps = stop_bps_of(law, state.stop_bps[i]), target_bps_of(law, state.target_bps[i])
    if stop_bps > 0:
        stop = mul_div_up(average, max(BPS - stop_bps, 0), BPS)
    if target_bps > 0:
        target = mul_div_up(average, BPS + target_bps, BPS)
        ceiling = target
    if law.exits.partial_ppm > 0 and state.parted[i] == 0:
        partial = mul_div_up(average, PPM + law.exits.partial_ppm, PPM)
        ceiling = min(ceiling, partial)
    if law.exits.break_even_ppm > 0:
        even = cost_price(law, state, i)
        armed = max(mul_div_up(average, PPM + law.exits.break_even_ppm, PPM), even + 1)
        if state.peak[i] < armed:
            ceiling = min(ceiling, armed)
        elif even > stop:
            stop, reason = even, BY_BREAK_EVEN
    if law.orders.trailing_ppm > 0:
        trailing = less(state.peak[i], law.orders.trailing_ppm)
        ceiling = min(ceiling, state.peak[i] + 1)
        if trailing > stop:
            stop, reason = trailing, BY_TRAILING
    return Levels(stop, target, reason, partial, ceiling)


@rule
def is_sellable(law: Law, i: int, lots: int, ticks: int) -> bool:
    """Whether the venue takes a sale of so much at that price; less is dust, and nobody asks."""
    return bool(lots > 0 and value_down(law.instruments, i, lots, ticks) >= law.instruments.min_notional[i])


@rule
def lowest_sale(law: Law, bid: int) -> int:
    """The lowest price at which a position is offered."""
    return max(less(bid, law.orders.band_ppm), 1)


@rule
def exit_reason(state: State, columns: Columns, t: int, i: int, at: Levels) -> int:
    """Why the position should be sold now, judged on the bid we would sell into; 0 to hold."""
    bid = columns.bid[t, i]
    if bid == 0:
        return 0
    if bid <= at.stop:
        return at.reason
    if 0 < at.target <= bid:
        return BY_TARGET
    if state.hold_ms[i] > 0 and moment(columns, t) - state.opened_ms[i] >= state.hold_ms[i]:
        return BY_TIME
    strategy = state.strategy[i]
    if strategy >= 0 and columns.leave[strategy, t, i]:
        return BY_SIGNAL
    return BY_PARTIAL if 0 < at.partial <= bid else 0


@rule
def step_outcast(guard: Guard, state: State, i: int, now: int) -> None:
    """Since when the universe has had no place for what is held; forgotten as soon as it has one again."""
    if state.lots[i] == 0 or guard.barred[i] == 0:
        state.outcast_ms[i] = NEVER
    elif state.outcast_ms[i] == NEVER:
        state.outcast_ms[i] = now


@rule
def is_purged(law: Law, state: State, i: int, now: int) -> bool:
    """Whether the universe has had no place for it for so long that it is sold."""
    since = state.outcast_ms[i]
    return bool(law.exits.purge_ms > 0 and since != NEVER and now - since >= law.exits.purge_ms)


@rule
def lots_above_cap(law: Law, state: State, columns: Columns, t: int, i: int) -> int:
    """What is to be sold of a position for its asset to stand at its cap again; 0 while it is within the band, or the
    equity is unknown.

    The band is the policy's, and what selling and buying back would cost: nothing is sold only to be bought again. The
    cap is as written, whatever the regime; coins that are not ours do not count, nor does what is being sold.
    """
    equity, bid = state.clock[EQUITY], columns.bid[t, i]
    if law.exits.trim_ppm == 0 or equity <= 0 or bid == 0:
        return 0
    cap, worth, asset = int(law.risk.max_asset * equity), 0, law.instruments.asset[i]
    for j in range(state.lots.shape[0]):
        if law.instruments.asset[j] == asset and state.lots[j] > 0 and state.orders[j, EXIT, KIND] == 0:
            worth += value_up(law.instruments, j, state.lots[j], columns.bid[t, j])
    band_ppm = law.exits.trim_ppm + 2 * (law.costs.taker_fee_ppm + law.costs.half_spread_ppm)
    if worth <= cap + mul_div_up(cap, band_ppm, PPM):
        return 0
    return int(min(lots_for(law.instruments, i, worth - cap, bid) + 1, state.lots[i]))


@rule
def lots_to_sell(law: Law, state: State, i: int, reason: int, limit: int, stop: int, above: int) -> int:
    """How much of a position is sold for that reason at that price: all, or a part where the rest can still be sold
    after it, at its stop too: a share of it, or what stands `above` its cap. Of dust, nothing."""
    held = state.lots[i]
    if reason == 0 or not is_sellable(law, i, held, limit):
        return 0
    if reason != BY_PARTIAL and (reason != BY_TRIM or above == held):
        return int(held)
    part = above if reason == BY_TRIM else mul_div_down(held, law.exits.partial_share_ppm, PPM)
    lowest = min(limit, stop) if stop > 0 else limit
    return part if is_sellable(law, i, part, limit) and is_sellable(law, i, held - part, lowest) else 0
