"""The bridge between both books: the Decimal ledger as the rulebook's integer State.

The law that ties them: to_state(fold(facts)) == step(state, facts), field by field.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from trader_core.domain.book import Book, Holding
from trader_core.domain.facts import (
    Acknowledged,
    CashFlow,
    CashObserved,
    Closed,
    Decided,
    Fact,
    Filled,
    Intended,
    Marked,
)
from trader_core.domain.fill import Side
from trader_core.domain.instrument import Instrument
from trader_core.domain.money import EXACT, grains_down, grains_up
from trader_core.domain.order import ApprovedOrder, Order, Role
from trader_core.rulebook import account, codes, orders
from trader_core.rulebook.state import State, empty_state

SLOT_OF = {Role.ENTRY: codes.ENTRY, Role.EXIT: codes.EXIT, Role.STOP: codes.STOP}


@dataclass(frozen=True)
class Axes:
    """Which row of the State an instrument, a coin or a strategy is."""

    instruments: tuple[Instrument, ...]
    strategies: tuple[str, ...]

    @cached_property
    def assets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.base for one in self.instruments))

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
    state = empty_state(len(axes.instruments), len(axes.assets))
    if book.cash is not None and book.held <= axes.index.keys():
        state.cash[0], state.known[0] = grains_down(book.cash), 1
    if book.day_open is not None:
        state.clock[codes.DAY], state.clock[codes.DAY_OPEN] = book.day, grains_down(book.day_open)
    state.clock[codes.DECIDED_MS] = book.decided_ms
    for i, instrument in enumerate(axes.instruments):
        holding = book.holdings.get(instrument.symbol)
        if holding and holding.quantity:
            _put_holding(state, i, instrument, holding, axes)
    for a, asset in enumerate(axes.assets):
        if asset in book.exits:
            state.exit_ms[a] = book.exits[asset].at_ms
            state.exit_reason[a] = reason_code(book.exits[asset].reason)
    index = axes.index
    for order in book.orders.values():
        if order.is_open and order.approved.symbol in index:
            _put_order(state, index[order.approved.symbol], axes, order)
    return state


def _put_holding(state: State, i: int, instrument: Instrument, holding: Holding, axes: Axes) -> None:
    state.lots[i] = lots_of(instrument, holding.quantity)
    state.cost[i] = grains_up(holding.cost)
    state.strategy[i] = strategy_row(axes, holding.strategy)
    state.stop_bps[i], state.target_bps[i] = holding.stop_bps, holding.target_bps


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
    )


def reason_code(reason: str) -> int:
    return codes.REASONS.index(reason) if reason in codes.REASONS else 0


def strategy_row(axes: Axes, name: str) -> int:
    return axes.strategies.index(name) if name in axes.strategies else codes.NEVER


def step(state: State, fact: Fact, book: Book, axes: Axes) -> None:
    """One fact onto the State; `book` is the ledger before it, which knows what an id stands for."""
    index = axes.index
    if isinstance(fact, CashFlow):
        account.step_cash(state, grains_down(fact.amount))
    elif isinstance(fact, CashObserved):
        state.cash[0], state.known[0] = grains_down(fact.amount), 1
    elif isinstance(fact, Marked):
        account.step_mark(state, fact.decision_ms, -1 if fact.equity is None else grains_down(fact.equity))
    elif isinstance(fact, Decided):
        account.step_decided(state, fact.decision_ms)
    elif isinstance(fact, Intended):
        place(state, index[fact.approved.symbol], axes, fact.approved, fact.at_ms)
    elif isinstance(fact, Closed):
        order = book.orders.get(fact.client_order_id)
        if order and order.is_open:
            orders.step_close(state, index[order.approved.symbol], SLOT_OF[order.approved.role])
    elif isinstance(fact, Filled):
        _step_filled(state, fact, book, axes)
    elif isinstance(fact, Acknowledged):
        return  # a reservation is made by the intent, whatever the venue answers


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
        axes.assets.index(axes.instruments[i].base),
        fill.side is Side.BUY,
        lots_of(axes.instruments[i], fill.quantity),
        grains_down(fill.value),
        grains_up(fill.fee),
        fill.at_ms,
        reason_code(terms.reason) if terms else 0,
        strategy_row(axes, terms.strategy) if terms else codes.NEVER,
        terms.stop_bps if terms else 0,
        terms.target_bps if terms else 0,
    )
    if order and order.is_open:
        orders.step_progress(state, i, SLOT_OF[order.approved.role], lots_of(axes.instruments[i], fill.quantity))
