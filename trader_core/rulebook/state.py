"""What the law looks at: our side (State, Guard), the market (Columns, Bars), and what a turn asks for (Plan)."""

from typing import NamedTuple

import numpy as np

from trader_core.rulebook.codes import (
    CLOCK_FIELDS,
    DAY_ENTRIES,
    GATE_COUNT,
    HOUR_ENTRIES,
    NEVER,
    ORDER_FIELDS,
    STREAK,
)
from trader_core.rulebook.limits import Flags, Floats, Ints


class State(NamedTuple):
    """What we hold, owe and did, in integers. Written by step functions only."""

    cash: Ints  # [1], 1e-8 quote
    known: Ints  # [1], 1 when the cash is known
    lots: Ints  # [instrument]
    cost: Ints  # [instrument], 1e-8 quote paid for the lots, without fees
    flow: Ints  # [instrument], 1e-8 quote that came in less what went out since it was flat, with fees
    strategy: Ints  # [instrument], -1 when flat
    stop_bps: Ints  # [instrument]
    target_bps: Ints  # [instrument]
    hold_ms: Ints  # [instrument], 0 is for ever
    opened_ms: Ints  # [instrument], first purchase, -1 when flat
    peak: Ints  # [instrument], highest bid seen since then, ticks
    exit_ms: Ints  # [asset], newest sale, -1 when never
    exit_reason: Ints  # [asset]
    exit_won: Ints  # [asset], 1 where that sale ended a position with a gain
    entry_ms: Ints  # [asset], newest entry decided, -1 when never
    add_day: Ints  # [asset], UTC day of the newest add
    adds: Ints  # [asset], adds on that day
    clock: Ints  # [CLOCK_FIELDS]
    orders: Ints  # [instrument, slot, field]


class Guard(NamedTuple):
    """What closes entries from outside ledger and market."""

    halted: int  # ACTIVE, REDUCING or STANDING
    paused: int
    unknown: Ints  # [instrument], orders whose outcome nobody knows: nothing else may trade it
    differs: Ints  # [instrument], discrepancies between ledger and venue: entries stay closed
    barred: Ints  # [instrument], 1 where the universe has no place for it: it may only be sold
    banned_ms: Ints  # [instrument], until when it is banned; 0 is not
    foreign: Ints  # [instrument], lots in the account that the bot did not buy


class Columns(NamedTuple):
    """What depends on the market alone; row t may be read at its own close. A figure below zero is unknown."""

    at_ms: Ints  # [row], closing time
    close: Ints  # [row, instrument], last known close in ticks, 0 unknown
    bid: Ints
    ask: Ints
    depth: Ints  # [row, instrument], 1e-8 quote resting within 20 bps, both sides; 0 unknown
    age_ms: Ints  # [row, instrument], age of that price
    regime: Ints  # [row], the confirmed one
    eligible: Flags  # [row, instrument]
    deviation: Floats  # [row, instrument], percent from the mean of the closes before
    outlier: Flags  # [row, instrument], 1 not believed
    jump: Floats  # [row, instrument], standard deviations; NO_TICKS where the bars are too coarse to see one
    volatility: Floats  # [row, instrument], percent a year
    atr_ratio: Floats  # [row, instrument], average true range over its median
    enter: Flags  # [strategy, row, instrument]
    leave: Flags
    conviction: Floats
    scale: Floats  # [strategy, row, instrument], of the tier's position
    stop_bps: Ints  # [strategy, row, instrument]
    target_bps: Ints
    hold_ms: Ints


NO_TICKS = -2.0


class Bars(NamedTuple):
    """What a bar did, for the fill model. `open` is 0 where the venue has no bar."""

    open: Ints  # [row, instrument]
    high: Ints
    low: Ints
    volume: Ints  # lots


class Draft(NamedTuple):
    """One entry on its way through the gates."""

    instrument: int
    strategy: int
    kind: int
    price: int  # worst price, ticks
    lots: int
    reason: int
    tries: int
    equity: int  # 1e-8 quote, -1 unknown
    conviction: float  # 0 to 1
    stop_bps: int
    target_bps: int
    hold_ms: int


class Plan(NamedTuple):
    """What one turn asks for, and what every gate measured."""

    actions: Ints  # [n, 3]: CANCEL or PLACE, instrument, slot
    asked: Ints  # [1], how many
    verdict: Ints  # [instrument], -1 where nothing was judged
    chosen: Ints  # [instrument], the strategy that was judged
    entered: Ints  # [strategy], new entries of this turn
    trace: Floats  # [instrument, gate, 3]: value, limit, verdict


def empty_state(instruments: int, assets: int) -> State:
    def zeros(*shape: int) -> Ints:
        return np.zeros(shape, np.int64)

    def never(count: int) -> Ints:
        return np.full(count, NEVER, np.int64)

    clock = never(CLOCK_FIELDS)
    clock[[HOUR_ENTRIES, DAY_ENTRIES, STREAK]] = 0
    return State(
        cash=zeros(1), known=zeros(1), lots=zeros(instruments), cost=zeros(instruments), flow=zeros(instruments),
        strategy=never(instruments), stop_bps=zeros(instruments), target_bps=zeros(instruments),
        hold_ms=zeros(instruments), opened_ms=never(instruments), peak=zeros(instruments),
        exit_ms=never(assets), exit_reason=zeros(assets), exit_won=zeros(assets),
        entry_ms=never(assets), add_day=never(assets), adds=zeros(assets), clock=clock,
        orders=zeros(instruments, 3, ORDER_FIELDS),
    )  # fmt: skip


def empty_plan(instruments: int, strategies: int) -> Plan:
    return Plan(
        actions=np.zeros((6 * instruments, 3), np.int64), asked=np.zeros(1, np.int64),
        verdict=np.full(instruments, NEVER, np.int64), chosen=np.full(instruments, NEVER, np.int64),
        entered=np.zeros(max(strategies, 1), np.int64), trace=np.zeros((instruments, GATE_COUNT, 3)),
    )  # fmt: skip


def empty_guard(instruments: int) -> Guard:
    """Nothing stands against anything."""
    nothing = np.zeros(instruments, np.int64)
    return Guard(0, 0, nothing, nothing, nothing, nothing, nothing)
