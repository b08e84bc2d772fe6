"""The bridge between both books: the Decimal ledger as the rulebook's integer State.

The law that ties them: to_state(fold(facts)) == step(state, facts), field by field.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from trader_core.domain.book import Book, Holding, record_key
from trader_core.domain.decision import Waiting
from trader_core.domain.facts import (
    Acknowledged,
    CashFlow,
    CashObserved,
    Closed,
    CoinsMoved,
    Decided,
    Delisted,
    Fact,
    Filled,
    HaltChanged,
    HaltReset,
    Intended,
    Marked,
    QueueChanged,
    Remembered,
    SendFailed,
)
from trader_core.domain.fill import Side
from trader_core.domain.halt import Halt
from trader_core.domain.instrument import Instrument
from trader_core.domain.money import EXACT, grains_down, grains_up
from trader_core.domain.order import ApprovedOrder, Order, Role
from trader_core.ledger.fold import apply, parts_of
from trader_core.rulebook import account, codes, halts, orders
from trader_core.rulebook.state import State, empty_state
from trader_core.rulebook.turn import step_delisted

SLOT_OF = {Role.ENTRY: codes.ENTRY, Role.EXIT: codes.EXIT, Role.STOP: codes.STOP}


@dataclass(frozen=True)
class Axes:
    """Which row of the State an instrument, a coin or a strategy is."""

    instruments: tuple[Instrument, ...]
    strategies: tuple[str, ...]

    @cached_property
    def assets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.base for one in self.instruments))

    def first_of(self, base: str) -> int:
        """Row of the first instrument of that coin."""
        return next(row for row, one in enumerate(self.instruments) if one.base == base)

    @cached_property
    def index(self) -> dict[str, int]:
        return {one.symbol: row for row, one in enumerate(self.instruments)}


def ticks_of(instrument: Instrument, price: Decimal) -> int:
    """A price on the instrument's grid, in ticks."""
    return int(EXACT.divide(price, instrument.tick).to_integral_value())


def lots_of(instrument: Instrument, quantity: Decimal) -> int:
    """A quantity in whole lots, rounded down: what can be sold."""
    return int(EXACT.divide(quantity, instrument.lot) // 1)


def to_state(book: Book, axes: Axes) -> State:
    """The book in integers. While something is held that is not on the axes, the account's worth is unknown."""
    state = empty_state(len(axes.instruments), len(axes.assets), len(axes.strategies))
    if book.cash is not None and book.held <= axes.index.keys():
        state.cash[0], state.known[0] = grains_down(book.cash), 1
    _put_clock(state, book)
    put_halt(state, book.halt)
    put_queue(state, book.waiting, axes)
    for ring, moments in ((codes.ERRORS, book.failed), (codes.STOPS, book.stopped)):
        state.halt[ring : ring + len(moments)] = moments
    _put_records(state, book, axes)
    for i, instrument in enumerate(axes.instruments):
        holding = book.holdings.get(instrument.symbol)
        if holding and instrument.symbol in book.held:
            _put_holding(state, i, instrument, holding, axes)
    for a, asset in enumerate(axes.assets):
        if asset in book.exits:
            state.exit_ms[a], state.exit_won[a] = book.exits[asset].at_ms, book.exits[asset].won
            state.exit_reason[a] = reason_code(book.exits[asset].reason)
        if asset in book.entries:
            last = book.entries[asset]
            state.entry_ms[a], state.add_day[a], state.adds[a] = last.at_ms, last.add_day, last.adds
    index = axes.index
    for order in book.orders.values():
        if order.is_open and order.approved.symbol in index:
            _put_order(state, index[order.approved.symbol], axes, order)
    return state


def _put_clock(state: State, book: Book) -> None:
    clock, pacing = state.clock, book.pacing
    clock[codes.DAY], clock[codes.DAY_OPEN] = book.day, _grains(book.day_open)
    clock[codes.WEEK], clock[codes.WEEK_OPEN] = book.week, _grains(book.week_open)
    clock[codes.DAY_LOW], clock[codes.WEEK_LOW] = _grains(book.day_low), _grains(book.week_low)
    clock[codes.DAY_HIGH], clock[codes.LAST] = _grains(book.day_high), _grains(book.last)
    clock[codes.HIGH], clock[codes.EQUITY] = _grains(book.high), _grains(book.equity)
    clock[codes.DECIDED_MS] = book.decided_ms
    clock[codes.HOUR], clock[codes.HOUR_ENTRIES] = pacing.hour, pacing.hour_entries
    clock[codes.ENTRY_DAY], clock[codes.DAY_ENTRIES] = pacing.day, pacing.day_entries
    clock[codes.ENTERED_MS] = pacing.entered_ms
    clock[codes.STREAK], clock[codes.LOSS_MS] = pacing.losing_streak, pacing.loss_ms


def put_halt(state: State, halt: Halt) -> None:
    """The machine; what was counted stays as it is."""
    into = state.halt
    into[codes.HALT], into[codes.SINCE_MS] = codes.HALT_STATES.index(halt.state), halt.since_ms
    into[codes.UNTIL_MS] = codes.NEVER if halt.until_ms is None else halt.until_ms
    into[codes.CAUSE_SET] = sum(1 << codes.CAUSES.index(one.name) for one in halt.causes)
    into[codes.TRIPS], into[codes.SEEN_DAY] = halt.trips, halt.seen_day
    into[codes.SEEN_DAY_PPM], into[codes.SEEN_OPEN_PPM] = halt.seen_day_ppm, halt.seen_open_ppm


def put_queue(state: State, waiting: Sequence[Waiting], axes: Axes) -> None:
    """Who waits for a slot; what is not on the axes does not any more."""
    there = [one for one in waiting if one.symbol in axes.index and one.strategy in axes.strategies]
    state.queue[:], state.clock[codes.QUEUED] = 0, len(there)
    for n, one in enumerate(there):
        state.queue[n] = (
            axes.index[one.symbol], axes.strategies.index(one.strategy), one.conviction_ppm, one.scale_ppm,
            one.stop_bps, one.target_bps, one.hold_ms, one.since_ms,
        )  # fmt: skip


def _put_records(state: State, book: Book, axes: Axes) -> None:
    for s, strategy in enumerate(axes.strategies if book.records else ()):
        for i, instrument in enumerate(axes.instruments):
            one = book.records.get(record_key(instrument.symbol, strategy))
            if one:
                row = state.record[s, i]
                row[codes.WINS], row[codes.LOSSES] = one.wins, one.losses
                row[codes.GAINED], row[codes.LOST] = grains_down(one.gained), grains_down(one.lost)


def _grains(amount: Decimal | None) -> int:
    return codes.NEVER if amount is None else grains_down(amount)


def _put_holding(state: State, i: int, instrument: Instrument, holding: Holding, axes: Axes) -> None:
    state.lots[i] = lots_of(instrument, holding.quantity)
    state.cost[i] = grains_up(_cost_of_lots(instrument, holding))
    state.strategy[i] = strategy_row(axes, holding.strategy)
    state.flow[i] = grains_down(holding.flow)
    state.stop_bps[i], state.target_bps[i] = holding.stop_bps, holding.target_bps
    state.hold_ms[i], state.opened_ms[i] = holding.hold_ms, holding.opened_ms
    state.peak[i], state.parted[i] = ticks_of(instrument, holding.peak), holding.parted
    state.deferred[i], state.outcast_ms[i] = reason_code(holding.deferred), holding.outcast_ms


def _cost_of_lots(instrument: Instrument, holding: Holding) -> Decimal:
    """Of what can be sold: the venue may have made its steps coarser since it was bought."""
    whole = EXACT.multiply(lots_of(instrument, holding.quantity), instrument.lot)
    if whole == holding.quantity:
        return holding.cost
    return EXACT.divide(EXACT.multiply(holding.cost, whole), holding.quantity)


def _put_order(state: State, i: int, axes: Axes, order: Order) -> None:
    slot = SLOT_OF[order.approved.role]
    place(state, i, axes, order.approved, order.placed_ms)
    state.orders[i, slot, codes.FILLED] = lots_of(axes.instruments[i], order.filled)


def place(state: State, i: int, axes: Axes, order: ApprovedOrder, placed_ms: int) -> None:
    """An approved order put into its slot."""
    instrument = axes.instruments[i]
    orders.step_place(
        state,
        i,
        SLOT_OF[order.role],
        codes.KINDS.index(order.kind),
        lots_of(instrument, order.quantity),
        ticks_of(instrument, order.limit),
        ticks_of(instrument, order.trigger),
        placed_ms,
        order.expires_ms,
        reason_code(order.reason),
        strategy_row(axes, order.strategy),
        order.stop_bps,
        order.target_bps,
        order.hold_ms,
        order.tries,
    )


def reason_code(reason: str) -> int:
    return codes.REASONS.index(reason) if reason in codes.REASONS else 0


def strategy_row(axes: Axes, name: str) -> int:
    return axes.strategies.index(name) if name in axes.strategies else codes.NEVER


def step(state: State, fact: Fact, book: Book, axes: Axes) -> None:
    """One fact onto the State; `book` is the ledger before it, which knows what an id stands for. A reservation is made
    by the intent, whatever the venue answers: that an order was sent changes nothing."""
    index = axes.index
    if isinstance(fact, CashFlow):
        account.step_cash(state, grains_down(fact.amount))
    elif isinstance(fact, CoinsMoved):
        for part in parts_of(fact, book):
            step(state, part, book, axes)
            book = apply(book, part)
    elif isinstance(fact, CashObserved):
        state.cash[0], state.known[0] = grains_down(fact.amount), 1
    elif isinstance(fact, Marked):
        account.step_mark(state, fact.decision_ms, _grains(fact.equity))
        for one in fact.peaks:
            i = index[one.symbol]
            if state.lots[i] > 0:
                state.peak[i] = max(state.peak[i], ticks_of(axes.instruments[i], one.price))
    elif isinstance(fact, Decided):
        account.step_decided(state, fact.decision_ms)
    elif isinstance(fact, Intended):
        i = index[fact.approved.symbol]
        if fact.approved.role is Role.ENTRY:
            account.step_entered(state, i, _asset(axes, i), reason_code(fact.approved.reason), fact.at_ms)
        place(state, i, axes, fact.approved, fact.at_ms)
    elif isinstance(fact, Closed):
        order = book.orders.get(fact.client_order_id)
        if order and order.is_open:
            orders.step_close(state, index[order.approved.symbol], SLOT_OF[order.approved.role])
    elif isinstance(fact, Filled):
        _step_filled(state, fact, book, axes)
    elif isinstance(fact, Delisted):
        step_delisted(state, index[fact.symbol])
    elif isinstance(fact, (HaltChanged, HaltReset)):
        put_halt(state, fact.halt)
        if isinstance(fact, HaltReset):
            halts.step_recounted(state)
    elif isinstance(fact, SendFailed):
        halts.step_failed(state, fact.at_ms)
    elif isinstance(fact, Acknowledged):
        halts.step_succeeded(state)
    elif isinstance(fact, QueueChanged):
        put_queue(state, fact.waiting, axes)
    elif isinstance(fact, Remembered):
        i = index[fact.symbol]
        if state.lots[i] > 0:
            exits = orders.is_open(state, i, codes.EXIT)
            state.deferred[i], state.outcast_ms[i] = 0 if exits else reason_code(fact.deferred), fact.outcast_ms


def _asset(axes: Axes, i: int) -> int:
    return axes.assets.index(axes.instruments[i].base)


def _step_filled(state: State, fact: Filled, book: Book, axes: Axes) -> None:
    fill = fact.fill
    i = axes.index[fill.symbol]
    if fill.trade_id in book.holdings.get(fill.symbol, Holding()).trades:
        return
    order = book.orders.get(fill.client_order_id)
    terms = order.approved if order else None
    account.step_fill(
        state,
        i,
        _asset(axes, i),
        fill.side is Side.BUY,
        lots_of(axes.instruments[i], fill.quantity),
        grains_down(fill.value),
        grains_up(fill.fee),
        fill.at_ms,
        reason_code(terms.reason) if terms else 0,
        strategy_row(axes, terms.strategy) if terms else codes.NEVER,
        terms.stop_bps if terms else 0,
        terms.target_bps if terms else 0,
        terms.hold_ms if terms else 0,
    )
    if order and order.is_open:
        orders.step_progress(state, i, SLOT_OF[order.approved.role], lots_of(axes.instruments[i], fill.quantity))
