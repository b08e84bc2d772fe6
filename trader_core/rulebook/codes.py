"""Names for the integers of the law. Verdicts appear in `why`, in the journal and in the docs by these names."""

from enum import IntEnum
from typing import NamedTuple


class Verdict(IntEnum):
    OK = 0
    HALTED = 1
    UNRESOLVED = 2
    EQUITY_UNKNOWN = 3
    STALE_DATA = 4
    DAY_LOSS = 5
    COOLDOWN = 6
    HELD = 7
    MAX_POSITIONS = 8
    CASH = 9
    ASSET_CAP = 10
    TOTAL_EXPOSURE = 11
    COST = 12
    MIN_NOTIONAL = 13


class Gate(NamedTuple):
    """What a gate measures. It passes while the value is on the right side of its limit."""

    name: str
    verdict: Verdict
    unit: str
    sense: int  # +1: the value must stay at or below the limit; -1: at or above it


GATES = (  # in the order of judgement; the first no decides
    Gate("halt", Verdict.HALTED, "state", 1),
    Gate("unresolved", Verdict.UNRESOLVED, "count", 1),
    Gate("equity", Verdict.EQUITY_UNKNOWN, "quote", -1),
    Gate("data_age", Verdict.STALE_DATA, "s", 1),
    Gate("day_loss", Verdict.DAY_LOSS, "pct", 1),
    Gate("cooldown", Verdict.COOLDOWN, "s", 1),
    Gate("held", Verdict.HELD, "count", 1),
    Gate("open_positions", Verdict.MAX_POSITIONS, "count", 1),
    Gate("cash", Verdict.CASH, "quote", 1),
    Gate("asset_cap", Verdict.ASSET_CAP, "pct", 1),
    Gate("total_exposure", Verdict.TOTAL_EXPOSURE, "pct", 1),
    Gate("cost", Verdict.COST, "bps", 1),
    Gate("min_notional", Verdict.MIN_NOTIONAL, "quote", -1),
)
GATE_COUNT = len(GATES)

ENTRY, EXIT, STOP = 0, 1, 2  # an instrument's three order slots
SLOTS = ("ENTRY", "EXIT", "STOP")

MAKER, TAKER, STOP_MARKET = 1, 2, 3  # order kinds
KINDS = ("", "MAKER", "TAKER", "STOP")

# Fields of one order slot. KIND is zero in an empty slot.
KIND, LOTS, FILLED, LIMIT, TRIGGER, PLACED_MS, EXPIRES_MS, REASON, STRATEGY, STOP_BPS, TARGET_BPS = range(11)
ORDER_FIELDS = 11

BY_SIGNAL, BY_STOP, BY_TARGET, BY_FALLBACK = 1, 2, 3, 4  # why an order exists
REASONS = ("", "signal", "stop", "target", "fallback")

CANCEL, PLACE = 1, 2  # what a turn asks for

DAY, DAY_OPEN, DECIDED_MS = range(3)  # State.clock
NEVER = -1
