"""The decision, as a table of contents: columns, state, one turn of the law, and its words.

Pure: no clock, no I/O, no mode. Given the same snapshot, book and policy it returns the same bytes.
"""

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Decision
from trader_core.domain.fill import Side
from trader_core.domain.halt import Trading
from trader_core.domain.instrument import Instrument
from trader_core.domain.money import Base, Quote, from_grains, grains_down
from trader_core.domain.order import ApprovedOrder, OrderKind, Role
from trader_core.engine.columns import columns_of, with_quotes
from trader_core.engine.explain import Seen, judgements_of
from trader_core.engine.halting import measures_of, moved
from trader_core.engine.law import enabled_strategies, law_of
from trader_core.engine.notes import deferred_in, peaks_of, reminders_of
from trader_core.engine.observe import Snapshot
from trader_core.engine.outside import guard_of
from trader_core.engine.waiting import waiting_in
from trader_core.execution.flatten import dust
from trader_core.ledger.integers import Axes, to_state
from trader_core.market.regime import describe
from trader_core.rulebook import codes
from trader_core.rulebook.state import Columns, Plan, State, empty_plan
from trader_core.rulebook.turn import step_turn

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


def decide(snapshot: Snapshot, book: Book, policy: "Settings") -> Decision:
    """What to cancel, what to place, and why, at the snapshot's time."""
    axes = Axes(snapshot.instruments, enabled_strategies(policy))
    row = snapshot.frame.rows - 1
    opinions = columns_of(snapshot.frame, axes.instruments, policy, row)
    columns = quoted(opinions.columns, row, snapshot)
    state, plan = to_state(book, axes), empty_plan(len(axes.instruments), len(axes.strategies))
    law = law_of(policy, axes, snapshot.fees)
    guard = guard_of(book, axes, snapshot, law.orders.bar_ms)
    equity = step_turn(law, guard, state, columns, row, plan)
    measures = measures_of(law.halts, state.halt, plan.measured[1:].tolist(), snapshot.decision_ms)
    halt = moved(book.halt, state.halt, measures) if plan.measured[0] else book.halt
    halted = "" if halt.trading is Trading.ACTIVE else halt.reason
    before, waiting = book.decided_ms >= snapshot.decision_ms, waiting_in(state, axes)
    seen = Seen(
        law, columns, row, opinions, axes, snapshot.exclusions, before, halted, waiting, deferred_in(state, axes)
    )
    return Decision(
        decision_ms=snapshot.decision_ms,
        equity=None if equity < 0 else Quote(from_grains(equity)),
        judgements=judgements_of(seen, plan),
        cancels=_cancels(plan, axes, book),
        orders=approved(plan, state, axes),
        peaks=peaks_of(state, axes, book),
        regime=describe(opinions.market, row),
        failures=tuple(sorted(opinions.failures.items())),
        waiting=waiting,
        open_loss_ppm=int(lost) if (lost := plan.measured[1 + codes.OPEN_LOSS_PPM]) >= 0 else None,
        halt=halt if plan.measured[0] else None,
        remembered=reminders_of(state, axes, book),
        dust=dust(law, state, columns.bid[row].tolist(), [one.symbol for one in axes.instruments], book.held),
    )


def quoted(columns: Columns, row: int, snapshot: Snapshot) -> Columns:
    """The last row with the venue's quotes in it; an instrument without a quote has no price."""
    count = len(snapshot.instruments)
    bid, ask, depth, age = (np.zeros(count, np.int64) for _ in range(4))
    for i, instrument in enumerate(snapshot.instruments):
        quote = snapshot.quotes.get(instrument.symbol)
        if quote:
            bid[i] = int(quote.bid // instrument.tick)
            ask[i] = -int(-quote.ask // instrument.tick)
            depth[i] = grains_down(quote.depth)
            age[i] = snapshot.age_of(quote)
    return with_quotes(columns, row, bid, ask, depth, age)


def _cancels(plan: Plan, axes: Axes, book: Book) -> tuple[str, ...]:
    found = [
        book.working(axes.instruments[i].symbol, Role(codes.SLOTS[slot]))
        for action, i, slot in plan.actions[: plan.asked[0]].tolist()
        if action == codes.CANCEL
    ]
    return tuple(order.client_order_id for order in found if order)


def approved(plan: Plan, state: State, axes: Axes) -> tuple[ApprovedOrder, ...]:
    """The orders that a turn placed. Decimal is made here, once, from the ticks and lots a judge let pass."""
    return tuple(
        approved_order(axes.instruments[i], slot, state.orders[i, slot].tolist(), axes)
        for action, i, slot in plan.actions[: plan.asked[0]].tolist()
        if action == codes.PLACE
    )


def emergency_sale(symbol: str, quantity: Base, limit: Decimal, at_ms: EpochMs) -> ApprovedOrder:
    """The terms of a sale that a kill has sent already: it was no judge's, and it is ours."""
    return ApprovedOrder(
        symbol, Side.SELL, Role.EXIT, OrderKind.TAKER, quantity, limit, Decimal(0), codes.REASONS[codes.BY_LIQUIDATION],
        "", 0, 0, 0, 0, at_ms,
    )  # fmt: skip


def approved_order(instrument: Instrument, slot: int, order: list[int], axes: Axes) -> ApprovedOrder:
    """One order slot of the law in the ledger's terms."""
    return ApprovedOrder(
        symbol=instrument.symbol,
        side=Side.BUY if slot == codes.ENTRY else Side.SELL,
        role=Role(codes.SLOTS[slot]),
        kind=OrderKind(codes.KINDS[order[codes.KIND]]),
        quantity=Base(Decimal(order[codes.LOTS]) * instrument.lot),
        limit=Decimal(order[codes.LIMIT]) * instrument.tick,
        trigger=Decimal(order[codes.TRIGGER]) * instrument.tick,
        reason=codes.REASONS[order[codes.REASON]],
        strategy=axes.strategies[order[codes.STRATEGY]] if order[codes.STRATEGY] >= 0 else "",
        stop_bps=order[codes.STOP_BPS],
        target_bps=order[codes.TARGET_BPS],
        hold_ms=order[codes.HOLD_MS],
        tries=order[codes.TRIES],
        expires_ms=EpochMs(order[codes.EXPIRES_MS]),
    )
