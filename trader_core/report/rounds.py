"""A replay's fills as trades, folded in whole 1e-8 quote: a trade is what lies between flat and flat.

`ledger.fold` is the truth that this is held against. When a position is flat all its cost has left it, so its gain is
what came in less what went out; only what is still open needs the ledger's split in proportion.
"""

import math
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from typing import Any, NamedTuple, Protocol

import numpy as np
from msgspec import Struct

from trader_core.domain.clocktime import HOUR_MS, rfc3339
from trader_core.domain.instrument import Exclusion
from trader_core.domain.money import E8, EXACT, plain
from trader_core.ledger.integers import Axes
from trader_core.report.trades import PRICE_DIGITS
from trader_core.report.written import grains_text, ratio_text, significant, times_text
from trader_core.rulebook import codes
from trader_core.rulebook.limits import Floats, Ints

ORDER = codes.ASKED_FIELDS - codes.ORDER_FIELDS  # where an order's own fields begin in what was asked for
_PRICE = Context(prec=PRICE_DIGITS)


class Told(Protocol):
    """A replay's integers; their fields are named in rulebook.codes."""

    @property
    def axes(self) -> Axes: ...
    @property
    def exclusions(self) -> tuple[Exclusion, ...]: ...
    @property
    def bar_ms(self) -> int: ...
    @property
    def at_ms(self) -> Ints: ...
    @property
    def worth(self) -> Ints: ...
    @property
    def close(self) -> Ints: ...
    @property
    def regime(self) -> Ints: ...
    @property
    def judged(self) -> Ints: ...
    @property
    def asked(self) -> Ints: ...
    @property
    def filled(self) -> Ints: ...
    @property
    def flows(self) -> Ints: ...
    @property
    def halted(self) -> Ints: ...
    @property
    def cash_grains(self) -> int: ...


class Fills(NamedTuple):
    """Columns of `filled`; `order` is the row in `asked` of the order that was filled."""

    row: Ints
    instrument: Ints
    slot: Ints
    lots: Ints
    ticks: Ints
    value: Ints
    fee: Ints
    at_ms: Ints
    reason: Ints
    strategy: Ints
    order: Ints

    @property
    def buys(self) -> np.ndarray:
        return np.asarray(self.slot == codes.ENTRY)


class Rounds(NamedTuple):
    """Closed trades in the order in which they ended, a column per figure. Money in 1e-8 quote."""

    instrument: Ints
    strategy: Ints
    entry_ms: Ints
    exit_ms: Ints
    lots: Ints
    bought: Ints  # what was paid for them, fees apart
    paid: Ints  # the same with the fees of buying
    sold: Ints
    fees: Ints
    pnl: Ints  # all fees taken off
    reason: Ints  # of the last sale
    regime: Ints  # in force when the entry was decided
    stop_bps: Ints  # of the entry: how far its stop was away

    @property
    def hold_ms(self) -> Ints:
        return np.asarray(self.exit_ms - self.entry_ms)

    @property
    def risk(self) -> Floats:
        """What each would have lost at its stop, in 1e-8 quote, costs apart; 0 where it had none."""
        return np.asarray(self.bought * (self.stop_bps / 1e4))

    @property
    def r(self) -> Floats:
        """Gains as multiples of that risk; nan where there is none."""
        risk, unknown = self.risk, np.full(len(self.pnl), np.nan)
        return np.asarray(np.divide(self.pnl, risk, out=unknown, where=risk > 0))

    @property
    def average_r(self) -> float | None:
        """Of those of which it is known."""
        known = self.r[np.isfinite(self.r)].tolist()
        return math.fsum(known) / len(known) if known else None


class Left(Struct, frozen=True):
    """A position that is not over, or that was written off. `realised` is from what was sold of it."""

    instrument: int
    strategy: int
    entry_row: int
    entry_ms: int
    bought: int
    bought_lots: int
    lots: int
    cost: int
    fees: int
    realised: int


class Folded(NamedTuple):
    fills: Fills
    trades: Rounds
    left: tuple[Left, ...]  # by symbol


def folded(told: Told) -> Folded:
    """Every fill, each with its order, and the trades they make."""
    columns = np.ascontiguousarray(told.filled.T)
    fills = Fills._make([*columns, _orders_behind(told, columns)])
    order = np.argsort(fills.instrument, kind="stable")
    first, last = _edges(fills, order)
    flat = _held(fills, order)[last] == 0
    trades = _rounds(told, fills, order, first, flat)
    ended = np.argsort(order[last[flat]])
    symbols = [one.symbol for one in told.axes.instruments]
    left = [_left(fills, order[a : b + 1].tolist()) for a, b in zip(first[~flat], last[~flat], strict=True)]
    left.sort(key=lambda one: symbols[one.instrument])
    return Folded(fills, Rounds(*(column[ended] for column in trades)), tuple(left))


def _orders_behind(told: Told, columns: Ints) -> Ints:
    """The newest order of the same instrument and slot that was placed before the bar."""
    row, instrument, slot = columns[:3]
    if not len(row):
        return np.zeros(0, np.int64)
    rows, asked = len(told.at_ms), told.asked
    placed = np.flatnonzero(asked[:, 1] == codes.PLACE)
    keys = (asked[placed, 2] * len(codes.SLOTS) + asked[placed, 3]) * rows + asked[placed, 0]
    by_key = np.argsort(keys, kind="stable")
    at = np.searchsorted(keys[by_key], (instrument * len(codes.SLOTS) + slot) * rows + row) - 1
    return np.asarray(placed[by_key[at]])


def _held(fills: Fills, order: Ints) -> Ints:
    """Lots held after each fill, the fills sorted by instrument. Sums over all may wrap; differences stay exact."""
    lots = np.where(fills.buys, fills.lots, -fills.lots)[order]
    total = np.cumsum(lots)
    begins = _begins(fills.instrument[order])
    before = (total - lots)[begins]
    return np.asarray(total - np.repeat(before, np.diff(np.append(begins, len(order)))))


def _begins(values: Ints) -> Ints:
    """Where another value begins than the one before."""
    return np.asarray(np.flatnonzero(np.diff(values, prepend=values[:1] - 1)))


def _edges(fills: Fills, order: Ints) -> tuple[Ints, Ints]:
    """First and last place of each position among the sorted fills."""
    starts = np.zeros(len(order), np.bool_)
    starts[_begins(fills.instrument[order])] = True
    starts[1:] |= _held(fills, order)[:-1] == 0
    first = np.flatnonzero(starts)
    return first, np.append(first[1:], len(order))[: len(first)] - 1


def _rounds(told: Told, fills: Fills, order: Ints, first: Ints, flat: np.ndarray) -> Rounds:
    """All positions as if they were closed; those that are, are picked."""
    if not len(order):
        return Rounds(*(np.zeros(0, np.int64) for _ in Rounds._fields))
    sorted_ = Fills(*(column[order] for column in fills))
    buys = sorted_.buys

    def total(amounts: Ints) -> Ints:
        return np.asarray(np.add.reduceat(amounts, first))

    opening, closing = _first_purchase_last_sale(sorted_, first)
    entry = sorted_.order[opening]
    bought, sold = total(np.where(buys, sorted_.value, 0)), total(np.where(buys, 0, sorted_.value))
    fees, entry_fees = total(sorted_.fee), total(np.where(buys, sorted_.fee, 0))
    every = Rounds(
        instrument=sorted_.instrument[opening],
        strategy=sorted_.strategy[opening],
        entry_ms=sorted_.at_ms[opening],
        exit_ms=sorted_.at_ms[closing],
        lots=total(np.where(buys, sorted_.lots, 0)),
        bought=bought,
        paid=bought + entry_fees,
        sold=sold,
        fees=fees,
        pnl=sold - bought - fees,
        reason=sorted_.reason[closing],
        regime=told.regime[told.asked[entry, 0]],
        stop_bps=told.asked[entry, ORDER + codes.STOP_BPS],
    )
    return Rounds(*(column[flat] for column in every))


def _first_purchase_last_sale(fills: Fills, first: Ints) -> tuple[Ints, Ints]:
    """Places of the first purchase and the last sale of each position by time: of one bar, a fill at its opening is
    told with those inside it."""
    count = len(fills.row)
    position = np.repeat(np.arange(len(first)), np.diff(np.append(first, count)))
    by_time = np.lexsort((fills.at_ms, position))
    place, buys = np.arange(count), fills.buys[by_time]
    opening = np.minimum.reduceat(np.where(buys, place, count - 1), first)
    closing = np.maximum.reduceat(np.where(buys, 0, place), first)
    return by_time[opening], by_time[closing]


def _left(fills: Fills, places: Sequence[int]) -> Left:
    """The ledger's own fold: cost and fees leave in proportion, rounded down; the last sale takes what is left."""
    lots = cost = entry_fees = realised = bought = bought_lots = fees = 0
    for at in places:
        quantity, value, fee = int(fills.lots[at]), int(fills.value[at]), int(fills.fee[at])
        fees += fee
        if fills.slot[at] == codes.ENTRY:
            lots, cost, entry_fees = lots + quantity, cost + value, entry_fees + fee
            bought, bought_lots = bought + value, bought_lots + quantity
        else:
            gone, gone_fees = cost * quantity // lots, entry_fees * quantity // lots
            lots, cost, entry_fees = lots - quantity, cost - gone, entry_fees - gone_fees
            realised += value - fee - gone - gone_fees
    first = places[0]
    return Left(
        instrument=int(fills.instrument[first]), strategy=int(fills.strategy[first]),
        entry_row=int(fills.row[first]), entry_ms=int(fills.at_ms[first]), bought=bought, bought_lots=bought_lots,
        lots=lots, cost=cost, fees=fees, realised=realised,
    )  # fmt: skip


# --- as records ------------------------------------------------------------------------------------------------------


def trade_records(told: Told, trades: Rounds) -> list[dict[str, Any]]:
    """Closed trades in words. Amounts are exact; `r` is the gain over what the stop put at risk."""
    names, strategies = _names(told), told.axes.strategies
    opened, closed, multiples = times_text(trades.entry_ms), times_text(trades.exit_ms), trades.r.tolist()
    lengths = {length: ratio_text(length, HOUR_MS) for length in set(trades.hold_ms.tolist())}
    rows: Iterator[Any] = map(Rounds._make, zip(*(column.tolist() for column in trades), strict=True))
    return [
        {
            "symbol": names[one.instrument][0],
            "strategy": strategies[one.strategy],
            "regime": codes.REGIMES[one.regime],
            "entry_time": opened[n],
            "entry_price": average_price(one.bought, one.lots, names[one.instrument][2]),
            "exit_time": closed[n],
            "exit_price": average_price(one.sold, one.lots, names[one.instrument][2]),
            "quantity": plain(names[one.instrument][1] * one.lots),
            "entry_value": grains_text(one.bought),
            "pnl": grains_text(one.pnl),
            "pnl_pct": ratio_text(100 * one.pnl, one.paid),
            "fees": grains_text(one.fees),
            "r": significant(multiples[n]),
            "exit_reason": codes.REASONS[one.reason],
            "hold_hours": lengths[one.exit_ms - one.entry_ms],
        }
        for n, one in enumerate(rows)
    ]


def open_records(told: Told, left: Sequence[Left]) -> list[dict[str, Any]]:
    names = _names(told)
    return [
        {
            "symbol": names[one.instrument][0],
            "strategy": told.axes.strategies[one.strategy],
            "entry_time": rfc3339(one.entry_ms),
            "entry_price": average_price(one.bought, one.bought_lots, names[one.instrument][2]),
            "quantity": plain(EXACT.multiply(names[one.instrument][1], one.lots)),
            "cost": grains_text(one.cost),
            "fees": grains_text(one.fees),
            "realised": grains_text(one.realised),
        }
        for one in left
    ]


def _names(told: Told) -> list[tuple[str, Decimal, Decimal]]:
    """(symbol, lot, 1e-8 quote in one lot at a price of one) of each instrument."""
    return [(one.symbol, one.lot, EXACT.multiply(one.lot, E8)) for one in told.axes.instruments]


def average_price(value: int, lots: int, scale: Decimal) -> str:
    """Price by value, to twelve significant digits."""
    return plain(_PRICE.divide(value, EXACT.multiply(scale, lots)))
