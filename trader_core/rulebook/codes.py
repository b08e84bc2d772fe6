"""Names for the integers of the law. Verdicts appear in `why`, in the journal and in the docs by these names."""

from enum import IntEnum
from typing import NamedTuple


class Verdict(IntEnum):
    """Each number but the first and the last is one gate's no, in the order of judgement."""

    OK = 0
    HALTED = 1
    PAUSED = 2
    UNRESOLVED = 3
    POLICY_STALE = 4
    EQUITY_UNKNOWN = 5
    INPUT_MISSING = 6
    INELIGIBLE = 7
    BANNED = 8
    REGIME = 9
    CALENDAR = 10
    STALE_DATA = 11
    OUTLIER = 12
    JUMP = 13
    DAY_LOSS = 14
    WEEK_LOSS = 15
    DRAWDOWN = 16
    DAY_STOP = 17
    DAY_TARGET = 18
    COOLDOWN = 19
    LOSING_STREAK = 20
    SPACING = 21
    ASSET_SPACING = 22
    HOUR_ENTRIES = 23
    DAY_ENTRIES = 24
    CYCLE_ENTRIES = 25
    STRATEGY_TRADES = 26
    CONVICTION = 27
    VOLATILITY = 28
    QUIET_MARKET = 29
    LOW_CONFIDENCE = 30
    HELD = 31
    ADD_SPACING = 32
    ADDS_PER_DAY = 33
    MAX_POSITIONS = 34
    CASH = 35
    STRATEGY_CAP = 36
    ASSET_CAP = 37
    THEME_CAP = 38
    TIER_CAP = 39
    TOTAL_EXPOSURE = 40
    CLUSTER_ASSETS = 41
    CLUSTER_CAP = 42
    VAR = 43
    LEVERAGE = 44
    CONCENTRATION = 45
    SPREAD = 46
    DEPTH = 47
    SLIPPAGE = 48
    COST = 49
    EDGE = 50
    MIN_NOTIONAL = 51
    NOT_APPLICABLE = 52


class Gate(NamedTuple):
    """What a gate measures. It passes while the value is on the right side of its limit."""

    name: str
    verdict: Verdict
    unit: str
    sense: int  # +1: the value must stay at or below the limit; -1: at or above it


GATES = (  # in the order of judgement; the first no decides
    Gate("halt", Verdict.HALTED, "state", 1),
    Gate("pause", Verdict.PAUSED, "state", 1),
    Gate("unresolved", Verdict.UNRESOLVED, "count", 1),
    Gate("policy", Verdict.POLICY_STALE, "s", 1),
    Gate("equity", Verdict.EQUITY_UNKNOWN, "quote", -1),
    Gate("quote_time", Verdict.INPUT_MISSING, "state", -1),
    Gate("eligible", Verdict.INELIGIBLE, "state", -1),
    Gate("ban", Verdict.BANNED, "s", 1),
    Gate("regime", Verdict.REGIME, "pct", -1),
    Gate("calendar", Verdict.CALENDAR, "state", -1),
    Gate("data_age", Verdict.STALE_DATA, "s", 1),
    Gate("outlier", Verdict.OUTLIER, "pct", 1),
    Gate("jump", Verdict.JUMP, "sigma", 1),
    Gate("day_loss", Verdict.DAY_LOSS, "pct", 1),
    Gate("week_loss", Verdict.WEEK_LOSS, "pct", 1),
    Gate("drawdown", Verdict.DRAWDOWN, "pct", 1),
    Gate("day_stop", Verdict.DAY_STOP, "pct", 1),
    Gate("day_target", Verdict.DAY_TARGET, "pct", 1),
    Gate("cooldown", Verdict.COOLDOWN, "s", 1),
    Gate("losing_streak", Verdict.LOSING_STREAK, "s", 1),
    Gate("spacing", Verdict.SPACING, "s", 1),
    Gate("asset_spacing", Verdict.ASSET_SPACING, "s", 1),
    Gate("hour_entries", Verdict.HOUR_ENTRIES, "count", 1),
    Gate("day_entries", Verdict.DAY_ENTRIES, "count", 1),
    Gate("cycle_entries", Verdict.CYCLE_ENTRIES, "count", 1),
    Gate("strategy_trades", Verdict.STRATEGY_TRADES, "count", 1),
    Gate("conviction", Verdict.CONVICTION, "pct", -1),
    Gate("volatility", Verdict.VOLATILITY, "pct", 1),
    Gate("quiet_market", Verdict.QUIET_MARKET, "ratio", -1),
    Gate("low_confidence", Verdict.LOW_CONFIDENCE, "pct", -1),
    Gate("held", Verdict.HELD, "count", 1),
    Gate("add_spacing", Verdict.ADD_SPACING, "s", 1),
    Gate("adds_per_day", Verdict.ADDS_PER_DAY, "count", 1),
    Gate("open_positions", Verdict.MAX_POSITIONS, "count", 1),
    Gate("cash", Verdict.CASH, "quote", 1),
    Gate("strategy_cap", Verdict.STRATEGY_CAP, "pct", 1),
    Gate("asset_cap", Verdict.ASSET_CAP, "pct", 1),
    Gate("theme_cap", Verdict.THEME_CAP, "pct", 1),
    Gate("tier_cap", Verdict.TIER_CAP, "pct", 1),
    Gate("total_exposure", Verdict.TOTAL_EXPOSURE, "pct", 1),
    Gate("cluster_assets", Verdict.CLUSTER_ASSETS, "count", 1),
    Gate("cluster_cap", Verdict.CLUSTER_CAP, "pct", 1),
    Gate("var", Verdict.VAR, "pct", 1),
    Gate("leverage", Verdict.LEVERAGE, "ratio", 1),
    Gate("concentration", Verdict.CONCENTRATION, "pct", 1),
    Gate("spread", Verdict.SPREAD, "bps", 1),
    Gate("depth", Verdict.DEPTH, "quote", 1),
    Gate("slippage", Verdict.SLIPPAGE, "bps", 1),
    Gate("cost", Verdict.COST, "bps", 1),
    Gate("edge", Verdict.EDGE, "bps", -1),
    Gate("min_notional", Verdict.MIN_NOTIONAL, "quote", -1),
)
GATE_COUNT = len(GATES)
PASS, CLOSED, NOT_HERE = 0, 1, 2  # what a gate says of a draft; the last: it has nothing to measure there

UNKNOWN, BULL, CHOP, BEAR, CRASH = range(5)  # regimes
REGIMES = ("unknown", "bull", "chop", "bear", "crash")
TIER_COUNT = 4  # tiers are 1, 2 and 3

ENTRY, EXIT, STOP = 0, 1, 2  # an instrument's three order slots
SLOTS = ("ENTRY", "EXIT", "STOP")

MAKER, TAKER, STOP_MARKET = 1, 2, 3  # order kinds
KINDS = ("", "MAKER", "TAKER", "STOP")

# Fields of one order slot. KIND is zero in an empty slot. TRIES counts how often an entry was repriced.
(
    KIND, LOTS, FILLED, LIMIT, TRIGGER, PLACED_MS, EXPIRES_MS, REASON, STRATEGY, STOP_BPS, TARGET_BPS, HOLD_MS, TRIES,
) = range(13)  # fmt: skip
ORDER_FIELDS = 13

# Why an order exists. BY_SIGNAL opens or closes by opinion; the two after BY_TARGET complete an entry.
# BY_NAKEDNESS and BY_LIQUIDATION are ordered from outside: nothing protects the position, or a person wants it closed.
(
    BY_SIGNAL, BY_STOP, BY_TARGET, BY_FALLBACK, BY_REPRICE, BY_TRAILING, BY_TIME, BY_NAKEDNESS, BY_LIQUIDATION,
    BY_TRIP, BY_BREAK_EVEN, BY_PARTIAL, BY_TRIM, BY_PURGE,
) = range(1, 15)  # fmt: skip
REASONS = (
    "", "signal", "stop", "target", "fallback", "reprice", "trailing", "time", "unprotected", "liquidation",
    "trip", "break_even", "partial", "trim", "purge",
)  # fmt: skip

FRACTION, ATR_RISK, KELLY = range(3)  # Sizing.sizer
SIZERS = ("fraction", "atr_risk", "kelly")
# What a size is bound by, the first of equals; each a name in `why` and in `size calc`.
BUDGET, MAX_POSITION, CASH_FREE, KELLY_CAP, STOP_LOSS, EXPOSURE_ROOM, ASSET_ROOM = range(7)
BINDING = ("budget", "max_position", "cash", "kelly", "stop_loss", "exposure", "asset")
# Plan.sizes: what was wanted before any cap, what the caps left, which of them binds, and each multiplier.
WANTED, ALLOWED, BOUND_BY, CONFIDENCE, CALM, RECOVERY, RECORD = range(7)
SIZE_FIELDS = 7
WINS, LOSSES, GAINED, LOST = range(4)  # State.record: closed positions, and 1e-8 quote that they won and lost
RECORD_FIELDS = 4

CANCEL, PLACE = 1, 2  # what a turn asks for

BUSY, FLOW, FLIP, QUIET, HELD = range(5)  # of Journey.next

# Fields of a place in the queue for a free slot; the first of them is whose turn it is.
(
    W_INSTRUMENT, W_STRATEGY, W_CONVICTION_PPM, W_SCALE_PPM, W_STOP_BPS, W_TARGET_BPS, W_HOLD_MS, W_SINCE_MS,
) = range(8)  # fmt: skip
QUEUE_FIELDS = 8
QUEUE_PLACES = 100

# State.clock: loss windows with the equity at their opening and the lowest since (-1 unknown), the highest equity and
# the newest mark; then the newest decision; then pacing, how many wait in the queue, the day's highest equity, and the
# newest one that was known. Windows go by absolute numbers, so each is forgotten once.
(
    DAY, DAY_OPEN, DAY_LOW, WEEK, WEEK_OPEN, WEEK_LOW, HIGH, EQUITY, DECIDED_MS,
    HOUR, HOUR_ENTRIES, ENTRY_DAY, DAY_ENTRIES, ENTERED_MS, STREAK, LOSS_MS, QUEUED, DAY_HIGH,
    LAST,
) = range(19)  # fmt: skip
CLOCK_FIELDS = 19
NEVER = -1

FILL_FIELDS = 9  # instrument, slot, lots, ticks, value, fee, time, reason, strategy
JUDGED_FIELDS = 4  # row, instrument, strategy, verdict
ASKED_FIELDS = 4 + ORDER_FIELDS  # row, action, instrument, slot, and the order as it was placed; zeros of a cancel

ACTIVE, REDUCING, STANDING = 0, 1, 2  # Guard.halted: everything, no entries, no entries and no exits

ARMED, DISABLED, TRIPPED, COOLING_DOWN, KILLED = range(5)  # the halt machine
HALT_STATES = ("ARMED", "DISABLED", "TRIPPED", "COOLING_DOWN", "KILLED")
HOLD, CANCEL_ENTRIES, FLATTEN = range(3)  # what a trip does beside closing entries
ON_TRIP = ("hold", "cancel", "flatten")

# What the evaluators measure, in the order of judgement; bit n of a set of causes is that of the n-th. A figure below
# zero is unknown. A trip by hand is a cause of its own.
DAY_LOSS_PPM, OPEN_LOSS_PPM, ERROR_RUN, STOP_HITS, FEED_AGE_MS, NAKED_MS, TROUBLE_RUN = range(7)
MEASURES = 7
BY_OPERATOR = 1 << MEASURES
CAUSES = ("day_loss", "open_loss", "execution_errors", "stop_hits", "feed_age", "naked", "venue_troubles", "operator")

# State.halt: the machine; the losses that a person has seen at a reset, and on which UTC day; then two rings of times,
# newest first: failures of the order path in a row, and positions that ended by their stop.
HALT, SINCE_MS, UNTIL_MS, CAUSE_SET, TRIPS, SEEN_DAY, SEEN_DAY_PPM, SEEN_OPEN_PPM = range(8)
RING = 100
ERRORS, STOPS = 8, 8 + RING
HALT_FIELDS = 8 + 2 * RING
HALTED_FIELDS = 4 + MEASURES  # row, state, causes, end of a cooldown, and what was measured
