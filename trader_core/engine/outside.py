"""What stands against entries from outside the ledger and the market, as the law's Guard."""

from decimal import Decimal

import numpy as np

from trader_core.domain.book import Book
from trader_core.domain.halt import Trading
from trader_core.domain.order import OrderStatus
from trader_core.engine.observe import Snapshot
from trader_core.execution.protection import naked_since, unprotected, unsellable
from trader_core.ledger.integers import Axes, lots_of
from trader_core.rulebook import codes
from trader_core.rulebook.state import Guard

HALTED = {Trading.ACTIVE: codes.ACTIVE, Trading.REDUCING: codes.REDUCING, Trading.HALTED: codes.STANDING}


def guard_of(book: Book, axes: Axes, snapshot: Snapshot, bar_ms: int) -> Guard:
    """What closes entries from outside: objections and pause, orders of unknown fate and markets that take none, every
    named discrepancy, every failed reading, a universe that has no place for what we still hold, bans, coins that are
    not ours, prices without a quote, and how long a position has been naked and the venue in trouble. What nothing
    protects, and what a person closes, is sold."""
    count, naked = len(axes.instruments), unprotected(book) if book.halt.trading is not Trading.HALTED else ()
    unknown, differs, barred, banned_ms, foreign, forced, unquoted = (np.zeros(count, np.int64) for _ in range(7))
    stuck = unsellable(book, snapshot.decision_ms)
    refused = np.array([one.symbol in stuck for one in axes.instruments], np.int64)
    priced = snapshot.prices.keys()
    for order in book.orders.values():
        if order.status is OrderStatus.INTENDED and order.approved.symbol in axes.index:
            unknown[axes.index[order.approved.symbol]] += 1
    for symbol in snapshot.frozen & axes.index.keys():
        unknown[axes.index[symbol]] += 1
    bases, excluded = {one.base for one in axes.instruments}, {one.symbol for one in snapshot.exclusions}
    for i, instrument in enumerate(axes.instruments):
        of_all = [one for one in book.discrepancies if one == instrument.base or one not in bases]
        differs[i] = len(of_all) + (1 if snapshot.problem or snapshot.objections else 0)
        unquoted[i] = instrument.symbol in priced and instrument.symbol not in snapshot.quotes
        barred[i] = instrument.symbol in excluded or instrument.symbol in book.delisted
        banned_ms[i] = book.bans[instrument.base].until_ms if instrument.base in book.bans else 0
        if instrument.symbol in snapshot.closing:
            forced[i] = codes.BY_LIQUIDATION
        elif instrument.symbol in naked:
            forced[i] = codes.BY_NAKEDNESS
        not_ours = snapshot.foreign.get(instrument.base, Decimal(0))
        foreign[i] = lots_of(instrument, not_ours) if axes.first_of(instrument.base) == i else 0  # they count once
    halted, paused = HALTED[snapshot.trading], int(bool(book.paused))
    troubles = book.troubles + (1 if snapshot.problem else 0)
    return Guard(
        halted, paused, snapshot.policy_ms, unknown, differs, barred, banned_ms, foreign, forced, unquoted,
        refused, naked_ms(book, snapshot.seen_ms, bar_ms), troubles,
    )  # fmt: skip


def naked_ms(book: Book, now_ms: int, bar_ms: int) -> int:
    """For how long something has been held with no stop at the venue, at the longest; 0 within a bar of its purchase or
    of the end of what protected it: so long its first stop may take. What became naked after the last decision, while
    nobody was there, gets its stop in this one."""
    seen = (since for since in naked_since(book).values() if since <= book.decided_ms)
    longest = max((now_ms - since for since in seen), default=0)
    return longest if longest > bar_ms else 0
