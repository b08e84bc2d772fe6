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
    INELIGIBLE = 6
    BANNED = 7
    REGIME = 8
    STALE_DATA = 9
    OUTLIER = 10
    JUMP = 11
    DAY_LOSS = 12
    WEEK_LOSS = 13
    DRAWDOWN = 14
    COOLDOWN = 15
    LOSING_STREAK = 16
    SPACING = 17
    ASSET_SPACING = 18
    HOUR_ENTRIES = 19
    DAY_ENTRIES = 20
    CYCLE_ENTRIES = 21
    STRATEGY_TRADES = 22
    CONVICTION = 23
    VOLATILITY = 24
    QUIET_MARKET = 25
    HELD = 26
    ADD_SPACING = 27
    ADDS_PER_DAY = 28
    MAX_POSITIONS = 29
    CASH = 30
    STRATEGY_CAP = 31
    ASSET_CAP = 32
    THEME_CAP = 33
    TIER_CAP = 34
    TOTAL_EXPOSURE = 35
    SPREAD = 36
    DEPTH = 37
    SLIPPAGE = 38
    COST = 39
    EDGE = 40
    MIN_NOTIONAL = 41
    NOT_APPLICABLE = 42


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
    Gate("eligible", Verdict.INELIGIBLE, "state", -1),
    Gate("ban", Verdict.BANNED, "s", 1),
    Gate("regime", Verdict.REGIME, "pct", -1),
    Gate("data_age", Verdict.STALE_DATA, "s", 1),
    Gate("outlier", Verdict.OUTLIER, "pct", 1),
    Gate("jump", Verdict.JUMP, "sigma", 1),
    Gate("day_loss", Verdict.DAY_LOSS, "pct", 1),
    Gate("week_loss", Verdict.WEEK_LOSS, "pct", 1),
    Gate("drawdown", Verdict.DRAWDOWN, "pct", 1),
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
# The last two are ordered from outside: nothing protects the position, or a person wants it closed.
(
    BY_SIGNAL, BY_STOP, BY_TARGET, BY_FALLBACK, BY_REPRICE, BY_TRAILING, BY_TIME, BY_NAKEDNESS, BY_LIQUIDATION,
) = range(1, 10)  # fmt: skip
REASONS = (
    "", "signal", "stop", "target", "fallback", "reprice", "trailing", "time", "unprotected", "liquidation",
)  # fmt: skip

CANCEL, PLACE = 1, 2  # what a turn asks for

# State.clock: loss windows with the equity at their opening and the lowest since (-1 unknown), the highest equity and
# the newest mark; then the newest decision; then pacing. Windows go by absolute numbers, so each is forgotten once.
(
    DAY, DAY_OPEN, DAY_LOW, WEEK, WEEK_OPEN, WEEK_LOW, HIGH, EQUITY, DECIDED_MS,
    HOUR, HOUR_ENTRIES, ENTRY_DAY, DAY_ENTRIES, ENTERED_MS, STREAK, LOSS_MS,
) = range(16)  # fmt: skip
CLOCK_FIELDS = 16
NEVER = -1

FILL_FIELDS = 9  # instrument, slot, lots, ticks, value, fee, time, reason, strategy
JUDGED_FIELDS = 4  # row, instrument, strategy, verdict
ASKED_FIELDS = 4 + ORDER_FIELDS  # row, action, instrument, slot, and the order as it was placed; zeros of a cancel

ACTIVE, REDUCING, STANDING = 0, 1, 2  # Guard.halted: everything, no entries, no entries and no exits
