"""How many lots we would like, before any gate: one rule for the law and for `trader size calc`.

Own money is offered by a fraction of equity; confidence, calm, recovery and record scale it; caps cut it. Nothing is
ever raised to a smallest size, and no multiplier lifts a size above a cap.
"""

from math import sqrt
from typing import NamedTuple

from trader_core.rulebook import rule
from trader_core.rulebook.codes import (
    ALLOWED,
    ASSET_ROOM,
    ATR_RISK,
    BOUND_BY,
    BUDGET,
    CALM,
    CASH_FREE,
    CONFIDENCE,
    EXPOSURE_ROOM,
    GAINED,
    HIGH,
    KELLY,
    KELLY_CAP,
    LOSSES,
    LOST,
    MAX_POSITION,
    NEVER,
    RECORD,
    RECOVERY,
    STOP_LOSS,
    WANTED,
    WINS,
)  # fmt: skip
from trader_core.rulebook.limits import Floats, Kelly, Law, Recovery, Sizing
from trader_core.rulebook.money import LIMIT, lots_for
from trader_core.rulebook.state import Columns, State, Terms

LEVERAGE_MAX = 30.0  # whatever a venue or a profile allows
WILSON_90 = 1.6448536269514722  # standard deviations that leave five percent on each side
BPS = 10_000.0


class Record(NamedTuple):
    """What positions that are over say: of the same instrument and strategy, and of all of the strategy."""

    trades: int
    won: int
    wins: int  # of the strategy, from here on
    losses: int
    gained: int  # 1e-8 quote
    lost: int


class Ask(NamedTuple):
    """What a size is asked for. Money is 1e-8 quote."""

    equity: int
    share: float  # of equity offered, the profile included
    scale: float  # by regime and strategy
    conviction: float  # 0 to 1
    stop: float  # distance to the stop, a fraction of the price; 0 is unknown
    leverage: float  # asked for
    max_leverage: float  # of profile and venue; exactly 1 on spot
    cash: int  # free
    held: int  # what the position has cost so far
    exposure_room: int
    asset_room: int
    day_range: float  # mean true range of the last day, percent of the price; below zero unknown
    volatility: float  # percent a year; below zero unknown
    drawdown: float  # from the highest equity, a fraction of it
    record: Record


class Sized(NamedTuple):
    """A size and where it comes from. Money is 1e-8 quote."""

    margin: int  # own money
    notional: int
    leverage: float
    wanted: int  # own money before any cap
    bound_by: int  # codes.BINDING
    stop_cap: int  # the most that may stand before the stop
    kelly: float  # fraction of equity; below zero: not asked for, or too few trades to tell
    confidence: float
    calm: float
    recovery: float
    record: float


@rule
def regime_scale(law: Law, columns: Columns, t: int) -> float:
    """How far the regime in force scales positions; an unknown one allows none."""
    return float(law.market.scale[columns.regime[columns.hour[t]]])


@rule
def grains(amount: float) -> int:
    """Whole 1e-8 quote, rounded down, between 0 and LIMIT."""
    if not amount > 0.0:
        return 0
    return LIMIT if amount >= LIMIT else int(amount)


@rule
def confidence_scale(sizing: Sizing, conviction: float) -> float:
    if conviction >= sizing.confident_from:
        return sizing.confident_scale
    return sizing.doubtful_scale if conviction < sizing.doubtful_below else 1.0


@rule
def calm_scale(sizing: Sizing, volatility: float) -> float:
    """Beyond the volatility that bears a full size it shrinks in proportion; of an unknown one the gate says no."""
    return sizing.full_volatility / volatility if volatility > sizing.full_volatility else 1.0


@rule
def recovery_scale(recovery: Recovery, drawdown: float) -> float:
    """The deeper the drawdown, the smaller; a step never makes the one before it larger."""
    scale = 1.0
    if drawdown >= recovery.cautious_from:
        scale = recovery.cautious_scale
    if drawdown >= recovery.protective_from:
        scale = min(scale, recovery.protective_scale)
    return scale


@rule
def record_scale(sizing: Sizing, record: Record) -> float:
    """A pair that has lost too often is traded smaller; what it won never makes it larger."""
    known = record.trades >= sizing.poor_trades
    return sizing.poor_scale if known and record.won < sizing.poor_rate * record.trades else 1.0


@rule
def least_rate(wins: int, trades: int) -> float:
    """Lower end of Wilson's 90 % interval of a win rate."""
    rate, z2 = wins / trades, WILSON_90 * WILSON_90
    spread = WILSON_90 * sqrt(rate * (1.0 - rate) / trades + z2 / (4.0 * trades * trades))
    return max((rate + z2 / (2.0 * trades) - spread) / (1.0 + z2 / trades), 0.0)


@rule
def kelly_fraction(rate: float, gain: float, loss: float) -> float:
    """(b p - q) / b with b = gain / loss, the means of what was won and lost; nothing lost is a b without end."""
    if gain <= 0.0:
        return 0.0
    return max(rate - (1.0 - rate) * loss / gain, 0.0)


@rule
def kelly_share(kelly: Kelly, record: Record) -> float:
    """Fraction of equity that a strategy's own record would bet; -1 under `min_trades`: nobody can tell."""
    trades = record.wins + record.losses
    if trades < max(kelly.min_trades, 1):
        return -1.0
    gain, loss = record.gained / max(record.wins, 1), record.lost / max(record.losses, 1)
    return min(kelly.share * kelly_fraction(least_rate(record.wins, trades), gain, loss), kelly.most)


@rule
def base_share(sizing: Sizing, ask: Ask, leverage: float) -> float:
    """Own money offered, as a fraction of equity, before any multiplier. Of an unknown range there is none."""
    if sizing.sizer != ATR_RISK:
        return ask.share * ask.scale
    if ask.day_range <= 0.0:
        return 0.0
    return sizing.risk_per_trade * ask.scale / (sizing.risk_ranges * ask.day_range / 100.0) / leverage


@rule
def sized(sizing: Sizing, ask: Ask) -> Sized:
    """A position's size. Without a stop, or without equity, there is none."""
    confidence, calm = confidence_scale(sizing, ask.conviction), calm_scale(sizing, ask.volatility)
    recovery, record = recovery_scale(sizing.recovery, ask.drawdown), record_scale(sizing, ask.record)
    leverage = max(min(ask.leverage, min(ask.max_leverage, LEVERAGE_MAX)), 1.0)
    kelly = kelly_share(sizing.kelly, ask.record) if sizing.sizer == KELLY else -1.0
    equity = max(ask.equity, 0)
    wanted = grains(base_share(sizing, ask, leverage) * equity * confidence * calm * recovery * record)
    margin, bound_by = wanted, BUDGET
    if sizing.max_position - ask.held < margin:
        margin, bound_by = max(sizing.max_position - ask.held, 0), MAX_POSITION
    if ask.cash < margin:
        margin, bound_by = max(ask.cash, 0), CASH_FREE
    if kelly >= 0.0 and grains(kelly * equity) < margin:
        margin, bound_by = grains(kelly * equity), KELLY_CAP
    notional = margin if leverage == 1.0 else grains(margin * leverage)
    stop_cap = max(grains(sizing.max_stop_loss * equity / ask.stop) - ask.held, 0) if ask.stop > 0.0 else 0
    if stop_cap < notional:
        notional, bound_by = stop_cap, STOP_LOSS
    if ask.exposure_room < notional:
        notional, bound_by = max(ask.exposure_room, 0), EXPOSURE_ROOM
    if ask.asset_room < notional:
        notional, bound_by = max(ask.asset_room, 0), ASSET_ROOM
    own = notional if leverage == 1.0 else grains(notional / leverage)
    return Sized(own, notional, leverage, wanted, bound_by, stop_cap, kelly, confidence, calm, recovery, record)


@rule
def record_of(sizing: Sizing, state: State, i: int, strategy: int) -> Record:
    """Of the strategy in this instrument; in all of them where a sizer goes by that."""
    own, wins, losses, gained, lost = state.record[strategy, i], 0, 0, 0, 0
    for j in range(state.record.shape[1] if sizing.sizer == KELLY else 0):
        one = state.record[strategy, j]
        wins, losses = wins + one[WINS], losses + one[LOSSES]
        gained, lost = gained + one[GAINED], lost + one[LOST]
    return Record(own[WINS] + own[LOSSES], own[WINS], wins, losses, gained, lost)


@rule
def drawdown_of(state: State, equity: int) -> float:
    """How far the equity is below its highest, a fraction of that."""
    highest = state.clock[HIGH]
    return float(max(highest - equity, 0) / highest) if highest > 0 else 0.0


@rule
def wanted_lots(
    law: Law, state: State, columns: Columns, t: int, i: int, terms: Terms, equity: int, price: int, stop_bps: int,
    told: Floats,
) -> int:  # fmt: skip
    """What a strategy's proposal comes to at the worst price, rounded down, with `told` saying how. On spot: leverage
    is 1. Cash and the rooms below caps are the gates' to measure, with fees. Unknown equity wants nothing."""
    scale = regime_scale(law, columns, t) * terms.scale
    found = sized(
        law.sizing,
        Ask(
            equity, law.orders.position[law.instruments.tier[i]], scale, terms.conviction,
            stop_bps / BPS, 1.0, 1.0, LIMIT, state.cost[i], LIMIT, LIMIT, columns.day_range[columns.hour[t], i],
            columns.volatility[columns.asked[t], i], drawdown_of(state, equity),
            record_of(law.sizing, state, i, terms.strategy),
        ),
    )  # fmt: skip
    told[WANTED], told[ALLOWED], told[BOUND_BY] = found.wanted, found.notional, found.bound_by
    told[CONFIDENCE], told[CALM], told[RECOVERY], told[RECORD] = (
        found.confidence, found.calm, found.recovery, found.record,
    )  # fmt: skip
    return lots_for(law.instruments, i, found.notional, price)


@rule
def step_unsized(told: Floats) -> None:
    """Nothing was sized here."""
    told[WANTED] = NEVER
