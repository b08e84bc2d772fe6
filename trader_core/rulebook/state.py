"""What the law looks at: our side (State, Guard), the market (Columns, Bars), and what a turn asks for (Plan)."""

from typing import NamedTuple

import numpy as np

from trader_core.rulebook.codes import GATE_COUNT, NEVER, ORDER_FIELDS
from trader_core.rulebook.limits import Flags, Floats, Ints


class State(NamedTuple):
    """What we hold, owe and did, in integers. Written by step functions only."""

    cash: Ints  # [1], 1e-8 quote
    known: Ints  # [1], 1 when the cash is known
    lots: Ints  # [instrument]
    cost: Ints  # [instrument], 1e-8 quote paid for the lots, without fees
    strategy: Ints  # [instrument], -1 when flat
    stop_bps: Ints  # [instrument]
    target_bps: Ints  # [instrument]
    exit_ms: Ints  # [asset], newest sale, -1 when never
    exit_reason: Ints  # [asset]
    clock: Ints  # [3]: day, equity at its opening (-1 unknown), newest decision
    orders: Ints  # [instrument, slot, field]


class Guard(NamedTuple):
    """What closes entries from outside ledger and market."""

    halted: int
    unknown: Ints  # [instrument], orders whose outcome nobody knows: nothing else may trade it
    differs: Ints  # [instrument], discrepancies between ledger and venue: entries stay closed
    barred: Ints  # [instrument], 1 where the universe has no place for it: it may only be sold


class Columns(NamedTuple):
    """What depends on the market alone; row t may be read at its own close."""

    at_ms: Ints  # [row], closing time
    close: Ints  # [row, instrument], last known close in ticks, 0 unknown
    bid: Ints
    ask: Ints
    age_ms: Ints  # [row, instrument], age of that price
    enter: Flags  # [strategy, row, instrument]
    leave: Flags
    conviction: Floats


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
    equity: int  # 1e-8 quote, -1 unknown


class Plan(NamedTuple):
    """What one turn asks for, and what every gate measured."""

    actions: Ints  # [n, 3]: CANCEL or PLACE, instrument, slot
    asked: Ints  # [1], how many
    verdict: Ints  # [instrument], -1 where nothing was judged
    trace: Floats  # [instrument, gate, 3]: value, limit, verdict


def empty_state(instruments: int, assets: int) -> State:
    def zeros(*shape: int) -> Ints:
        return np.zeros(shape, np.int64)

    return State(
        cash=zeros(1), known=zeros(1), lots=zeros(instruments), cost=zeros(instruments),
        strategy=np.full(instruments, NEVER, np.int64), stop_bps=zeros(instruments), target_bps=zeros(instruments),
        exit_ms=np.full(assets, NEVER, np.int64), exit_reason=zeros(assets), clock=np.full(3, NEVER, np.int64),
        orders=zeros(instruments, 3, ORDER_FIELDS),
    )  # fmt: skip


def empty_plan(instruments: int) -> Plan:
    return Plan(
        actions=np.zeros((6 * instruments, 3), np.int64), asked=np.zeros(1, np.int64),
        verdict=np.full(instruments, NEVER, np.int64), trace=np.zeros((instruments, GATE_COUNT, 3)),
    )  # fmt: skip
