"""Plain loops that know one rule and nothing else: what the law is measured against.

The rule: buy when the fast simple average crosses above the slow one, sell when it is not above any more; both at the
next open. The stop is set at the close of the bar that bought: a close at or below it sells at the next open, a later
bar that touches it sells inside that bar, at the worse of stop and open. `floats` is for the clock. `exact` works in
the law's ticks, lots and 1e-8 quote with the law's roundings, and its every fill must be one of the law's.
"""

from typing import Any

import numba
import numpy as np

PPM, BPS = 1_000_000, 10_000
IDLE, BUY, SELL = 0, 1, 2  # what is ordered for the next open
FILL_FIELDS = 6  # row, instrument, 1 where it buys, lots, ticks, value


@numba.njit(cache=True)
def floats(
    opened: Any, low: Any, close: Any, fast: int, slow: int, fee: float, stop: float, notional: float
) -> tuple[int, float]:
    """(round trips, their profit) of one instrument."""
    trades, pnl, quantity, paid, trigger = 0, 0.0, 0.0, 0.0, 0.0
    order, was_above, short_sum, long_sum = IDLE, True, 0.0, 0.0
    part = fast / slow
    for t in range(close.shape[0]):
        price = 0.0
        if order == BUY:
            quantity = notional / close[t - 1]
            paid, trigger = quantity * opened[t] * (1.0 + fee), opened[t] * (1.0 - stop)
        elif order == SELL:
            price = opened[t]
        elif quantity > 0.0 and low[t] <= trigger:
            price = min(trigger, opened[t])
        if price > 0.0:
            pnl += quantity * price * (1.0 - fee) - paid
            trades, quantity = trades + 1, 0.0
        order = IDLE
        short_sum += close[t]
        long_sum += close[t]
        if t >= fast:
            short_sum -= close[t - fast]
        if t >= slow:
            long_sum -= close[t - slow]
        if t >= slow - 1:
            above = short_sum > part * long_sum
            if quantity > 0.0:
                if not above or close[t] <= trigger:
                    order = SELL
            elif above and not was_above:
                order = BUY
            was_above = above
    return trades, pnl


@numba.njit(cache=True)
def floats_of_many(
    opened: Any, low: Any, close: Any, fast: int, slow: int, fee: float, stop: float, notional: float, cap: int
) -> tuple[int, float]:
    """The same of several instruments, [row, instrument], of which at most `cap` are held or bought at once; where
    several enter in one row, the one whose averages are furthest apart comes first."""
    rows, count = close.shape
    trades, pnl, busy = 0, 0.0, 0
    quantity, paid, trigger, lead = np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count)
    short_sum, long_sum = np.zeros(count), np.zeros(count)
    order, was_above = np.zeros(count, np.int8), np.ones(count, np.bool_)
    part = fast / slow
    for t in range(rows):
        entering = 0
        for i in range(count):
            price = 0.0
            if order[i] == BUY:
                quantity[i] = notional / close[t - 1, i]
                paid[i], trigger[i] = quantity[i] * opened[t, i] * (1.0 + fee), opened[t, i] * (1.0 - stop)
            elif order[i] == SELL:
                price = opened[t, i]
            elif quantity[i] > 0.0 and low[t, i] <= trigger[i]:
                price = min(trigger[i], opened[t, i])
            if price > 0.0:
                pnl += quantity[i] * price * (1.0 - fee) - paid[i]
                trades, quantity[i], busy = trades + 1, 0.0, busy - 1
            order[i], lead[i] = IDLE, 0.0
            short_sum[i] += close[t, i]
            long_sum[i] += close[t, i]
            if t >= fast:
                short_sum[i] -= close[t - fast, i]
            if t >= slow:
                long_sum[i] -= close[t - slow, i]
            if t >= slow - 1:
                above = short_sum[i] > part * long_sum[i]
                if quantity[i] > 0.0:
                    if not above or close[t, i] <= trigger[i]:
                        order[i] = SELL
                elif above and not was_above[i]:
                    lead[i] = min(1e3 * (short_sum[i] / (part * long_sum[i]) - 1.0), 1.0)
                    entering += 1
                was_above[i] = above
        while entering > 0 and busy < cap:
            best = np.argmax(lead)
            order[best], lead[best] = BUY, 0.0
            entering, busy = entering - 1, busy + 1
    return trades, pnl


@numba.njit(cache=True)
def floats_of_pairs(
    opened: Any, low: Any, close: Any, pairs: Any, fee: float, stop: float, notional: float
) -> tuple[int, float]:
    """One instrument under window after window, added up."""
    trades, pnl = 0, 0.0
    for n in range(pairs.shape[0]):
        more_trades, more_pnl = floats(opened, low, close, pairs[n, 0], pairs[n, 1], fee, stop, notional)
        trades, pnl = trades + more_trades, pnl + more_pnl
    return trades, pnl


@numba.njit(cache=True)
def up(ticks: int, ppm: int) -> int:
    """A price times ppm, rounded up; the product may be beyond 64 bits."""
    return ticks // PPM * ppm + (ticks % PPM * ppm + PPM - 1) // PPM


@numba.njit(cache=True)
def exact(
    opened: Any, low: Any, close: Any, fast: int, slow: int, num: Any, den: Any,
    cash: int, position: float, band_ppm: int, fee_ppm: int, stop_bps: int, cap: int, fills: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """(round trips, their profit in 1e-8 quote, fills written). Prices in ticks, [row, instrument]."""
    rows, count = close.shape
    trades, pnl, used, busy = 0, 0, 0, 0
    lots, paid = np.zeros(count, np.int64), np.zeros(count, np.int64)
    trigger, wanted = np.zeros(count, np.int64), np.zeros(count, np.int64)
    short_sum, long_sum = np.zeros(count, np.int64), np.zeros(count, np.int64)
    order, was_above, lead = np.zeros(count, np.int64), np.ones(count, np.bool_), np.zeros(count)
    for t in range(rows):
        for i in range(count):
            price, buys = 0, 0
            if order[i] == BUY:
                if opened[t, i] <= up(close[t - 1, i], PPM + band_ppm):
                    price, buys = opened[t, i], 1
                else:
                    busy -= 1
            elif order[i] == SELL and opened[t, i] >= max(close[t - 1, i] - up(close[t - 1, i], band_ppm), 1):
                price = opened[t, i]
            elif lots[i] > 0 and low[t, i] <= trigger[i]:
                price = min(trigger[i], opened[t, i])
            if price > 0:
                amount = wanted[i] if buys else lots[i]
                value = (amount * price * num[i] + (den[i] - 1 if buys else 0)) // den[i]
                fee = up(value, fee_ppm)
                fills[used, 0], fills[used, 1], fills[used, 2] = t, i, buys
                fills[used, 3], fills[used, 4], fills[used, 5] = amount, price, value
                used += 1
                if buys:
                    cash -= value + fee
                    lots[i], paid[i] = amount, value + fee
                    entry = value * den[i] // (num[i] * amount)
                    trigger[i] = (entry * (BPS - stop_bps) + BPS - 1) // BPS
                else:
                    cash += value - fee
                    pnl += value - fee - paid[i]
                    lots[i], trades, busy = 0, trades + 1, busy - 1
            order[i] = IDLE
            short_sum[i] += close[t, i] - (close[t - fast, i] if t >= fast else 0)
            long_sum[i] += close[t, i] - (close[t - slow, i] if t >= slow else 0)
        entering, equity = 0, cash
        for i in range(count):
            lead[i] = -1.0
            equity += lots[i] * close[t, i] * num[i] // den[i]
            if t >= slow - 1:
                above = short_sum[i] * slow > long_sum[i] * fast
                if lots[i] > 0:
                    if not above or close[t, i] <= trigger[i]:
                        order[i] = SELL
                elif above and not was_above[i]:
                    lead[i] = min(1e4 * (short_sum[i] / fast / (long_sum[i] / slow) - 1.0) / 10.0, 1.0)
                    entering += 1
                was_above[i] = above
        while entering > 0 and busy < cap:
            best = int(np.argmax(lead))
            limit = up(close[t, best], PPM + band_ppm)
            wanted[best] = int(position * equity) * den[best] // num[best] // limit
            order[best], lead[best] = BUY, -1.0
            entering, busy = entering - 1, busy + 1
    return trades, pnl, used
