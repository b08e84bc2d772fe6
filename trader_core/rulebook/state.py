"""What the law looks at: our side (State, Guard), the market (Columns, Bars), and what a turn asks for (Plan)."""

from typing import NamedTuple

import numpy as np

from trader_core.rulebook.codes import (
    ASKED_FIELDS,
    CAUSE_SET,
    CLOCK_FIELDS,
    DAY_ENTRIES,
    FILL_FIELDS,
    GATE_COUNT,
    HALT,
    HALT_FIELDS,
    HALTED_FIELDS,
    HOUR_ENTRIES,
    JUDGED_FIELDS,
    MEASURES,
    NEVER,
    ORDER_FIELDS,
    QUEUE_FIELDS,
    QUEUE_PLACES,
    QUEUED,
    RECORD_FIELDS,
    SEEN_DAY_PPM,
    SEEN_OPEN_PPM,
    SIZE_FIELDS,
    STREAK,
    TRIPS,
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
    parted: Ints  # [instrument], 1 once a part was sold at its own target
    deferred: Ints  # [instrument], why it is to be sold once its market opens; 0 is no such reason
    outcast_ms: Ints  # [instrument], since when it is held and the universe has no place for it; -1 it has
    record: Ints  # [strategy, instrument, RECORD_FIELDS], of positions that are over
    exit_ms: Ints  # [asset], newest sale, -1 when never
    exit_reason: Ints  # [asset]
    exit_won: Ints  # [asset], 1 where that sale ended a position with a gain
    entry_ms: Ints  # [asset], newest entry decided, -1 when never
    add_day: Ints  # [asset], UTC day of the newest add
    adds: Ints  # [asset], adds on that day
    clock: Ints  # [CLOCK_FIELDS]
    orders: Ints  # [instrument, slot, field]
    queue: Ints  # [QUEUE_PLACES, QUEUE_FIELDS], as many as clock[QUEUED]; zeros behind them
    halt: Ints  # [HALT_FIELDS]


class Guard(NamedTuple):
    """What closes entries from outside ledger and market."""

    halted: int  # ACTIVE, REDUCING or STANDING, whatever the halt machine says
    paused: int
    policy_ms: int  # age of the policy that is in force
    unknown: Ints  # [instrument], orders whose outcome nobody knows: nothing else may trade it
    differs: Ints  # [instrument], discrepancies between ledger and venue: entries stay closed
    barred: Ints  # [instrument], 1 where the universe has no place for it: it may only be sold
    banned_ms: Ints  # [instrument], until when it is banned; 0 is not
    foreign: Ints  # [instrument], lots in the account that the bot did not buy
    forced: Ints  # [instrument], why it must be sold whatever the market says; 0 is no such reason
    unquoted: Ints  # [instrument], 1 where its price is known and the venue's quote, or the time of that, is not
    refused: Ints  # [instrument], 1 where the venue has just refused its exit time and again: its stop stays meanwhile
    naked_ms: int  # for how long something has been held with no stop at the venue, where that is more than a bar
    troubles: int  # cycles in a row in which something of the venue could not be read


class Columns(NamedTuple):
    """What depends on the market alone; row t may be read at its own close. A figure below zero is unknown.

    A column of [hour, ...] changes once an hour, or when a pair is delisted: at row t its row `hour[t]` is in force.
    One of [asked, ...] has a row for each in which a draft may be judged: where a strategy enters, and when the maker
    that it placed may be repriced or taken; for row t it is `asked[t]`. Of all others it is row 0: nobody enters, and
    volatility, jump and ratio are unknown, which closes; so is a volume, and a book.
    """

    at_ms: Ints  # [row], closing time
    hour: Ints  # [row]
    asked: Ints  # [row]
    close: Ints  # [row, instrument], last known close in ticks, 0 unknown
    bid: Ints
    ask: Ints
    age_ms: Ints  # [row, instrument], age of that price
    funding_ppm: Ints  # [row, instrument], of the position's value, paid by who holds it at that close
    outlier: Flags  # [row, instrument], FAR_OFF or INCOMPARABLE; 0 is believed
    deviation: Floats  # [asked, instrument], percent from the mean of the closes before
    jump: Floats  # [asked, instrument], standard deviations; NO_TICKS where the bars are too coarse to see one
    regime: Ints  # [hour], the confirmed one
    eligible: Flags  # [asked, instrument]
    depth: Ints  # [asked, instrument], 1e-8 quote resting within 20 bps, both sides; 0 unknown
    volatility: Floats  # [asked, instrument], percent a year
    atr_ratio: Floats  # [asked, instrument], average true range over its median
    trading: Flags  # [asked, instrument], what the calendar says: OPEN, SHUT or NOBODY_KNOWS
    shut: Flags  # [row, instrument], 1 where it is known that its market is shut
    first_day: Ints  # [1], UTC day of the first row of `returns`
    returns: Floats  # [day, instrument], simple return of a whole UTC day, seen once it has closed; NO_RETURN unknown
    day_range: Floats  # [hour, instrument], mean true range of the last 24 hours, percent of the price
    leave: Flags  # [strategy, row, instrument]
    enter: Flags  # [strategy, asked, instrument]
    conviction: Floats
    scale: Floats  # [strategy, asked, instrument], of the tier's position
    stop_bps: Ints  # [strategy, asked, instrument]
    target_bps: Ints
    hold_ms: Ints


TAPE_ROWS = 1 << 15  # records of a kind that a tape holds
NO_TICKS = -2.0
NO_RETURN = -2.0
NOBODY_KNOWS, SHUT, OPEN = -1, 0, 1  # trading
DAYS_MAX = 366  # of daily returns that the law looks back
FAR_OFF, INCOMPARABLE = 1, 2  # outlier: off on hardly any volume; nothing to compare it with


class Bars(NamedTuple):
    """What a bar did, for the fill model. `open` is 0 where the venue has no bar."""

    open: Ints  # [row, instrument]
    high: Ints
    low: Ints
    volume: Ints  # lots


class Tape(NamedTuple):
    """What a walk writes down, row by row, until there is no more room. `used` counts what is on the other four."""

    used: Ints  # [4]
    judged: Ints  # [n, JUDGED_FIELDS]
    asked: Ints  # [n, ASKED_FIELDS]
    filled: Ints  # [n, 1 + FILL_FIELDS]: row, fill
    halted: Ints  # [n, HALTED_FIELDS]
    equity: Ints  # [row], 1e-8 quote, -1 unknown
    bar: Ints  # [3 * instrument, FILL_FIELDS], room for one bar's fills


class Journey(NamedTuple):
    """What a replay is given beside market and law."""

    first: int  # row of the first decision; no order is older
    coasts: int  # 0: every row is walked step by step
    busy: Ints  # [n, 2]: row and instrument of each cell in which some strategy enters, in order
    flips: Ints  # [n], rows in which some instrument's price comes or goes, in order
    listed: Ints  # [instrument], row of its first price
    foreign: Ints  # [instrument], lots in the account that are not ours; what is written off joins them
    flows: Ints  # [n, 2]: row, 1e-8 quote that came in (or, below zero, went out) before it; in order
    next: Ints  # [5], places in busy, flows and flips; the row that is quiet; how many are listed in `held`
    held: Ints  # [instrument, 4], room to coast in: instrument, strategy, stop, ceiling


class Terms(NamedTuple):
    """What a strategy asks for, and which it is."""

    strategy: int
    scale: float  # of the tier's position
    conviction: float  # 0 to 1
    stop_bps: int
    target_bps: int
    hold_ms: int


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


class Desk(NamedTuple):
    """Room to reckon with a book of positions in. Its first `rows` are set anew for every draft, the draft's first."""

    rows: Ints  # [1]
    book: Ints  # [instrument, 3]: instrument, 1e-8 quote at risk in it, and its link to the draft's
    weights: Floats  # [instrument], fractions of equity, by row
    days: Floats  # [DAYS_MAX], what each day would have done to the equity


class Plan(NamedTuple):
    """What one turn asks for, and what every gate measured."""

    proposed: Ints  # [instrument], those that some strategy enters, in order
    many: Ints  # [1], how many they are
    actions: Ints  # [n, 3]: CANCEL or PLACE, instrument, slot
    asked: Ints  # [1], how many
    verdict: Ints  # [instrument], -1 where nothing was judged
    chosen: Ints  # [instrument], the strategy that was judged
    entered: Ints  # [strategy], new entries of this turn
    levels: Ints  # [instrument, 2], stop of each position as this turn has it, and the lowest bid that moves anything
    sizes: Floats  # [instrument, SIZE_FIELDS], how each new draft was sized; WANTED below zero: there was none
    trace: Floats  # [instrument, gate, 3]: value, limit, verdict
    measured: Ints  # [1 + MEASURES]: 1 where the halt machine has moved in this turn; what its evaluators measured
    shrunk: Floats  # [1], how far the day's loss scales new positions
    desk: Desk


def empty_state(instruments: int, assets: int, strategies: int) -> State:
    def zeros(*shape: int) -> Ints:
        return np.zeros(shape, np.int64)

    def never(count: int) -> Ints:
        return np.full(count, NEVER, np.int64)

    clock = never(CLOCK_FIELDS)
    clock[[HOUR_ENTRIES, DAY_ENTRIES, STREAK, QUEUED]] = 0
    return State(
        cash=zeros(1), known=zeros(1), lots=zeros(instruments), cost=zeros(instruments), flow=zeros(instruments),
        strategy=never(instruments), stop_bps=zeros(instruments), target_bps=zeros(instruments),
        hold_ms=zeros(instruments), opened_ms=never(instruments), peak=zeros(instruments),
        parted=zeros(instruments), deferred=zeros(instruments), outcast_ms=never(instruments),
        record=zeros(strategies, instruments, RECORD_FIELDS),
        exit_ms=never(assets), exit_reason=zeros(assets), exit_won=zeros(assets),
        entry_ms=never(assets), add_day=never(assets), adds=zeros(assets), clock=clock,
        orders=zeros(instruments, 3, ORDER_FIELDS), queue=zeros(QUEUE_PLACES, QUEUE_FIELDS), halt=empty_halt(),
    )  # fmt: skip


def empty_halt() -> Ints:
    """Armed, and nothing has ever happened."""
    halt = np.full(HALT_FIELDS, NEVER, np.int64)
    halt[[HALT, CAUSE_SET, TRIPS, SEEN_DAY_PPM, SEEN_OPEN_PPM]] = 0
    return halt


def empty_plan(instruments: int, strategies: int) -> Plan:
    return Plan(
        proposed=np.zeros(instruments, np.int64), many=np.zeros(1, np.int64),
        actions=np.zeros((6 * instruments, 3), np.int64), asked=np.zeros(1, np.int64),
        verdict=np.full(instruments, NEVER, np.int64), chosen=np.full(instruments, NEVER, np.int64),
        entered=np.zeros(max(strategies, 1), np.int64), levels=np.zeros((instruments, 2), np.int64),
        trace=np.zeros((instruments, GATE_COUNT, 3)), measured=np.zeros(1 + MEASURES, np.int64), shrunk=np.ones(1),
        sizes=np.zeros((instruments, SIZE_FIELDS)), desk=empty_desk(instruments),
    )  # fmt: skip


def empty_desk(instruments: int) -> Desk:
    return Desk(
        rows=np.zeros(1, np.int64), book=np.zeros((instruments, 3), np.int64), weights=np.zeros(instruments),
        days=np.zeros(DAYS_MAX),
    )  # fmt: skip


def empty_tape(instruments: int, rows: int) -> Tape:
    """Room for the records of TAPE_ROWS, and of one row at the least."""
    room = max(TAPE_ROWS, 6 * instruments)
    return Tape(
        used=np.zeros(4, np.int64), judged=np.empty((room, JUDGED_FIELDS), np.int64),
        asked=np.empty((room, ASKED_FIELDS), np.int64), filled=np.empty((room, 1 + FILL_FIELDS), np.int64),
        halted=np.empty((room, HALTED_FIELDS), np.int64),
        equity=np.empty(rows, np.int64), bar=np.zeros((3 * instruments, FILL_FIELDS), np.int64),
    )  # fmt: skip


def empty_guard(instruments: int) -> Guard:
    """Nothing stands against anything."""
    nothing = np.zeros(instruments, np.int64)
    return Guard(0, 0, 0, nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing, 0, 0)
