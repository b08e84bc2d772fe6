"""apply(book, fact) -> Book: the ledger's one writer. Fills are the only thing that moves a position.

Money stays on the 1e-8 grid with the rulebook's roundings, so the integer State and this book are one truth.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_FLOOR, Decimal
from types import MappingProxyType
from typing import Any, TypeVar

from trader_core.domain.book import ZERO, Ban, Book, Holding, LastEntry, LastExit, Pacing, Record, record_key
from trader_core.domain.clocktime import DAY_MS, HOUR_MS, MINUTE_MS, EpochMs, day_index, week_index
from trader_core.domain.facts import (
    Acknowledged,
    BanLifted,
    Banned,
    CashFlow,
    CashObserved,
    Closed,
    CoinsMoved,
    CycleClosed,
    Decided,
    Delisted,
    DiscrepancyFound,
    DiscrepancyGone,
    Fact,
    Filled,
    HaltChanged,
    HaltReset,
    Intended,
    Leaving,
    Marked,
    Moved,
    Opened,
    Paused,
    PolicyApplied,
    QueueChanged,
    Remembered,
    Resent,
    Restored,
    Resumed,
    SendFailed,
    StrategyFailed,
    StrategyRecovered,
)  # fmt: skip
from trader_core.domain.fill import Fill, Side
from trader_core.domain.instrument import base_of
from trader_core.domain.money import EXACT, GRAIN, Base, Quote, from_grains, grains_down, grains_up
from trader_core.domain.order import ApprovedOrder, Order, OrderStatus, Role, advance, named, with_fill
from trader_core.domain.values import replace

K = TypeVar("K")
V = TypeVar("V")
Records = Mapping[str, Record]
FORGET_AFTER_MS = DAY_MS  # closed orders are kept so long for fills that come late
NEW_ENTRY = "signal"  # the reason of an entry that completes no other
STOPPED = ("stop", "trailing")  # the reasons of a sale by a stop
REMEMBERED = 100  # failures in a row, and stops: more than any limit asks for
LATE_MS = 10 * MINUTE_MS  # a day's first mark that comes later than this may have missed a loss
PART = "partial"  # the reason of a sale that leaves the rest where it is


def fold(facts: Iterable[Fact], book: Book | None = None) -> Book:
    """Every fact in order. Raises IllegalMove where an order is asked for a move it does not have."""
    book = book or Book()
    for fact in facts:
        book = apply(book, fact)
    return book


def apply(book: Book, fact: Fact) -> Book:
    """The book after one more fact."""
    return _CASES[type(fact)](book, fact)


def _opened(book: Book, fact: Opened) -> Book:
    return book


def _cash_flow(book: Book, fact: CashFlow) -> Book:
    """A flow is neither gain nor loss: the marks of every loss window move in the proportion in which it changed the
    equity, rounded up; where that is unknown, by the amount."""
    amount = grains_down(fact.amount)
    before = -1 if book.equity is None else grains_down(book.equity)
    after = max(before + amount, 0)

    def moved(mark: Quote | None) -> Quote | None:
        if mark is None:
            return None
        grains = grains_down(mark)
        return Quote(from_grains(-(-grains * after // before) if before > 0 else max(grains + amount, 0)))

    return replace(
        book,
        cash=Quote((book.cash or ZERO) + fact.amount),
        flows=Quote(book.flows + fact.amount),
        flow_cursor=fact.cursor or book.flow_cursor,
        day_open=moved(book.day_open),
        day_low=moved(book.day_low),
        day_high=moved(book.day_high),
        week_open=moved(book.week_open),
        week_low=moved(book.week_low),
        high=moved(book.high),
        equity=Quote(from_grains(after)) if before > 0 else book.equity,
        last=moved(book.last) if before != 0 else book.last,
    )


def parts_of(fact: CoinsMoved, book: Book) -> tuple[CashFlow | Filled, ...]:
    """What coins without a trade are to the books: cash that comes or goes, and a trade for just that cash. Nothing the
    second time."""
    if fact.name in book.holdings.get(fact.symbol, Holding()).trades:
        return ()
    rounded = grains_up if fact.side is Side.BUY else grains_down
    value = from_grains(rounded(EXACT.multiply(fact.quantity, fact.price)))
    trade = Fill(
        trade_id=fact.name,
        client_order_id="",
        symbol=fact.symbol,
        side=fact.side,
        price=fact.price,
        quantity=fact.quantity,
        value=Quote(value),
        fee=Quote(ZERO),
        at_ms=fact.at_ms,
    )
    flow = CashFlow(Quote(value if fact.side is Side.BUY else -value), fact.at_ms, fact.reason, "")
    return flow, Filled(trade, "")


def _coins_moved(book: Book, fact: CoinsMoved) -> Book:
    return fold(parts_of(fact, book), book)


def _cash_observed(book: Book, fact: CashObserved) -> Book:
    return replace(book, cash=fact.amount)


def _marked(book: Book, fact: Marked) -> Book:
    kept = {
        key: order for key, order in book.orders.items()
        if order.closed_ms is None or fact.decision_ms - order.closed_ms < FORGET_AFTER_MS
    }  # fmt: skip
    orders = book.orders if len(kept) == len(book.orders) else MappingProxyType(kept)
    marked = replace(
        book, orders=orders, equity=fact.equity, holdings=_raised(book, fact), open_loss_ppm=fact.open_loss_ppm,
        dust=frozenset(fact.dust),
    )  # fmt: skip
    if fact.equity is None:
        return marked
    day, week = day_index(fact.decision_ms), week_index(fact.decision_ms)
    if day != book.day or not book.day_open:
        opening = _opening(book, fact.equity, fact.decision_ms)
        marked = replace(marked, day=day, day_open=opening, day_low=fact.equity, day_high=fact.equity)
    if week != book.week or not book.week_open:
        marked = replace(marked, week=week, week_open=marked.day_open, week_low=fact.equity)
    return replace(
        marked,
        day_low=fact.equity if marked.day_low is None else min(marked.day_low, fact.equity),
        week_low=fact.equity if marked.week_low is None else min(marked.week_low, fact.equity),
        day_high=fact.equity if marked.day_high is None else max(marked.day_high, fact.equity),
        high=fact.equity if marked.high is None else max(marked.high, fact.equity),
        last=fact.equity,
    )


def _opening(book: Book, equity: Quote, at_ms: EpochMs) -> Quote:
    """The first mark of a day; one that comes late counts no less than yesterday's last that was known."""
    late = at_ms % DAY_MS > LATE_MS and book.day == day_index(at_ms) - 1
    return max(book.last or equity, equity) if late else equity


def _raised(book: Book, fact: Marked) -> Mapping[str, Holding]:
    """Holdings with the highest bids they have seen since."""
    holdings = book.holdings
    for one in fact.peaks:
        held = holdings.get(one.symbol)
        if held and held.quantity:
            holdings = _with(holdings, one.symbol, replace(held, peak=max(held.peak, one.price)))
    return holdings


def _decided(book: Book, fact: Decided) -> Book:
    return replace(book, decided_ms=fact.decision_ms)


def _intended(book: Book, fact: Intended) -> Book:
    order = Order(fact.client_order_id, fact.approved, fact.at_ms, payload=fact.payload, sent_ms=fact.host_ms)
    written = replace(book, orders=_with(book.orders, order.client_order_id, order), intents=book.intents + 1)
    if fact.approved.role is Role.EXIT and book.holdings.get(fact.approved.symbol, Holding()).deferred:
        held = replace(book.holdings[fact.approved.symbol], deferred="")  # it waits for no market any more
        return replace(written, holdings=_with(book.holdings, fact.approved.symbol, held))
    if fact.approved.role is Role.ENTRY and fact.approved.reason == NEW_ENTRY:
        return _entered(written, fact.approved.symbol, fact.at_ms)
    return written


def _entered(book: Book, symbol: str, at_ms: EpochMs) -> Book:
    """What spacing and counts go by. What completes an entry is not a new one."""
    pacing, asset, hour, day = book.pacing, base_of(symbol), at_ms // HOUR_MS, day_index(at_ms)
    pacing = replace(
        pacing,
        hour=hour,
        hour_entries=pacing.hour_entries + 1 if hour == pacing.hour else 1,
        day=day,
        day_entries=pacing.day_entries + 1 if day == pacing.day else 1,
        entered_ms=at_ms,
    )
    last = book.entries.get(asset, LastEntry(at_ms))
    if symbol in book.holdings and book.holdings[symbol].quantity:
        last = replace(last, add_day=day, adds=last.adds + 1 if day == last.add_day else 1)
    return replace(book, pacing=pacing, entries=_with(book.entries, asset, replace(last, at_ms=at_ms)))


def _acknowledged(book: Book, fact: Acknowledged) -> Book:
    """The venue has it, and has named it. What is over already stays so, under that name."""
    order, book = book.orders.get(fact.client_order_id), replace(book, failed=())
    if order is None:
        return book
    if order.is_open:
        order = advance(order, OrderStatus.WORKING, fact.at_ms)
    return replace(book, orders=_with(book.orders, fact.client_order_id, named(order, fact.venue_order_id)))


def _resent(book: Book, fact: Resent) -> Book:
    order = book.orders.get(fact.client_order_id)
    if order is None:
        return book
    return replace(book, orders=_with(book.orders, fact.client_order_id, replace(order, sends=order.sends + 1)))


def _leaving(book: Book, fact: Leaving) -> Book:
    order = book.orders.get(fact.client_order_id)
    if order is None:
        return book
    left = replace(order, sent_ms=max(order.sent_ms, fact.host_ms))
    return replace(book, orders=_with(book.orders, fact.client_order_id, left))


def _closed(book: Book, fact: Closed) -> Book:
    return _move(book, fact.client_order_id, fact.status, fact.at_ms)


def _filled(book: Book, fact: Filled) -> Book:
    """Once per trade id, whenever and however often it is told."""
    fill = fact.fill
    holding = book.holdings.get(fill.symbol, Holding())
    cursor = max(book.fill_cursor, fact.cursor, key=lambda text: (len(text), text))
    if fill.trade_id in holding.trades:
        return replace(book, fill_cursor=cursor)
    order = book.orders.get(fill.client_order_id)
    terms = order.approved if order else None
    grown = _bought(holding, fill, terms) if fill.side is Side.BUY else _sold(holding, fill, terms)
    cash = Quote((book.cash or ZERO) + (-fill.value if fill.side is Side.BUY else fill.value) - fill.fee)
    exits, pacing, records, stopped = book.exits, book.pacing, book.records, book.stopped
    if fill.side is Side.SELL:
        over, won = grown.quantity == 0, grown.quantity == 0 and grown.flow > 0
        newest = exits.get(base_of(fill.symbol))
        if newest is None or fill.at_ms >= newest.at_ms:  # told late, it is not the newest
            exits = _with(exits, base_of(fill.symbol), LastExit(fill.at_ms, terms.reason if terms else "", won))
        pacing = _judged(pacing, won, fill.at_ms) if over else pacing
        stopped = _one_more(stopped, fill.at_ms) if over and terms and terms.reason in STOPPED else stopped
        records = _recorded(records, fill.symbol, grown) if over else records
    grown = _settled(grown)
    orders = _with(book.orders, order.client_order_id, _grown(order, fill)) if order else book.orders
    holdings = _with(book.holdings, fill.symbol, replace(grown, trades=holding.trades | {fill.trade_id}))
    return replace(
        book, cash=cash, holdings=holdings, orders=orders, exits=exits, pacing=pacing, records=records,
        fill_cursor=cursor, stopped=stopped,
    )  # fmt: skip


def _judged(pacing: Pacing, won: bool, at_ms: EpochMs) -> Pacing:
    """A position is over: a gain ends a losing streak, anything else makes it longer."""
    if won:
        return replace(pacing, losing_streak=0)
    return replace(pacing, losing_streak=pacing.losing_streak + 1, loss_ms=max(pacing.loss_ms, at_ms))


def _recorded(records: Records, symbol: str, over: Holding) -> Records:
    """With a position that is over. One that nobody is known to have opened is nobody's."""
    if not over.strategy:
        return records
    key = record_key(symbol, over.strategy)
    record = records.get(key, Record())
    if over.flow > 0:
        record = replace(record, wins=record.wins + 1, gained=Quote(record.gained + over.flow))
    else:
        record = replace(record, losses=record.losses + 1, lost=Quote(record.lost - over.flow))
    return _with(records, key, record)


def _bought(holding: Holding, fill: Fill, terms: ApprovedOrder | None) -> Holding:
    if holding.quantity == 0:
        holding = replace(holding, opened_ms=fill.at_ms)
    if holding.quantity == 0 and terms:
        holding = replace(
            holding,
            strategy=terms.strategy,
            stop_bps=terms.stop_bps,
            target_bps=terms.target_bps,
            hold_ms=terms.hold_ms,
        )
    return replace(
        holding,
        quantity=Base(holding.quantity + fill.quantity),
        cost=Quote(holding.cost + fill.value),
        entry_fees=Quote(holding.entry_fees + fill.fee),
        flow=Quote(holding.flow - fill.value - fill.fee),
    )


def _sold(holding: Holding, fill: Fill, terms: ApprovedOrder | None) -> Holding:
    """Cost and fees leave in proportion, rounded down; the last sale takes what is left."""
    cost, fees = _part(holding.cost, fill, holding), _part(holding.entry_fees, fill, holding)
    return replace(
        holding,
        quantity=Base(holding.quantity - fill.quantity),
        cost=Quote(holding.cost - cost),
        entry_fees=Quote(holding.entry_fees - fees),
        flow=Quote(holding.flow + fill.value - fill.fee),
        realised=Quote(holding.realised + fill.value - fill.fee - cost - fees),
        parted=holding.parted or (terms is not None and terms.reason == PART),
    )


def _settled(holding: Holding) -> Holding:
    """A flat position has no cost left: what a purchase told after its own sale still carries is realised."""
    if holding.quantity != 0:
        return holding
    realised = Quote(holding.realised - holding.cost - holding.entry_fees)
    return Holding(realised=realised, trades=holding.trades)


def _part(amount: Decimal, fill: Fill, holding: Holding) -> Decimal:
    if fill.quantity >= holding.quantity:
        return amount
    return EXACT.divide(EXACT.multiply(amount, fill.quantity), holding.quantity).quantize(GRAIN, ROUND_FLOOR, EXACT)


def _grown(order: Order, fill: Fill) -> Order:
    if order.status is OrderStatus.INTENDED:
        order = advance(order, OrderStatus.WORKING, fill.at_ms)  # it filled, so it arrived
    return with_fill(order, fill)


def _halt_changed(book: Book, fact: HaltChanged) -> Book:
    return replace(book, halt=fact.halt)


def _halt_reset(book: Book, fact: HaltReset) -> Book:
    """Counted anew from here."""
    return replace(book, halt=fact.halt, failed=(), stopped=())


def _send_failed(book: Book, fact: SendFailed) -> Book:
    return replace(book, failed=_one_more(book.failed, fact.at_ms))


def _one_more(moments: tuple[EpochMs, ...], at_ms: EpochMs) -> tuple[EpochMs, ...]:
    return (at_ms, *moments)[:REMEMBERED]


def _paused(book: Book, fact: Paused) -> Book:
    return replace(book, paused=fact.reason)


def _queue_changed(book: Book, fact: QueueChanged) -> Book:
    return replace(book, waiting=fact.waiting)


def _restored(book: Book, fact: Restored) -> Book:
    return replace(book, intents=book.intents + fact.skipped)


def _resumed(book: Book, fact: Resumed) -> Book:
    return replace(book, paused="")


def _banned(book: Book, fact: Banned) -> Book:
    """A shorter ban does not end a longer one; lifting does."""
    until = max(fact.until_ms, book.bans[fact.asset].until_ms) if fact.asset in book.bans else fact.until_ms
    return replace(book, bans=_with(book.bans, fact.asset, Ban(fact.reason, fact.at_ms, until)))


def _ban_lifted(book: Book, fact: BanLifted) -> Book:
    return replace(book, bans=_without(book.bans, fact.asset))


def _delisted(book: Book, fact: Delisted) -> Book:
    orders = {
        key: advance(order, OrderStatus.CANCELED, fact.at_ms)
        if order.is_open and order.approved.symbol == fact.symbol
        else order
        for key, order in book.orders.items()
    }
    delisted = _with(book.delisted, fact.symbol, fact.at_ms)
    return replace(book, delisted=delisted, orders=MappingProxyType(orders))


def _strategy_failed(book: Book, fact: StrategyFailed) -> Book:
    return replace(book, failures=_with(book.failures, fact.strategy, fact.detail))


def _strategy_recovered(book: Book, fact: StrategyRecovered) -> Book:
    return replace(book, failures=_without(book.failures, fact.strategy))


def _discrepancy_found(book: Book, fact: DiscrepancyFound) -> Book:
    return replace(book, discrepancies=_with(book.discrepancies, fact.subject, fact.detail))


def _discrepancy_gone(book: Book, fact: DiscrepancyGone) -> Book:
    return replace(book, discrepancies=_without(book.discrepancies, fact.subject))


def _remembered(book: Book, fact: Remembered) -> Book:
    """Of a position only; while an exit is open it waits for no market."""
    held = book.holdings.get(fact.symbol)
    if held is None or not held.quantity:
        return book
    deferred = "" if book.working(fact.symbol, Role.EXIT) else fact.deferred
    held = replace(held, deferred=deferred, outcast_ms=fact.outcast_ms)
    return replace(book, holdings=_with(book.holdings, fact.symbol, held))


def _policy_applied(book: Book, fact: PolicyApplied) -> Book:
    return replace(book, policy_version=fact.version, policy_digest=fact.digest)


def _cycle_closed(book: Book, fact: CycleClosed) -> Book:
    troubles = book.troubles + 1 if fact.troubled else 0
    return replace(book, cycles=book.cycles + 1, closed_ms=fact.decision_ms, troubles=troubles)


def _move(book: Book, client_order_id: str, status: OrderStatus, at_ms: EpochMs) -> Book:
    """An order's next status. A report that comes after the order is complete changes nothing."""
    order = book.orders.get(client_order_id)
    if order is None or order.status is OrderStatus.FILLED:
        return book
    return replace(book, orders=_with(book.orders, client_order_id, advance(order, status, at_ms)))


def _with(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return MappingProxyType({**mapping, key: value})


def _without(mapping: Mapping[K, V], key: K) -> Mapping[K, V]:
    return MappingProxyType({one: value for one, value in mapping.items() if one != key})


_CASES: dict[type[Fact], Callable[[Book, Any], Book]] = {
    Acknowledged: _acknowledged,
    BanLifted: _ban_lifted,
    Banned: _banned,
    CashFlow: _cash_flow,
    CashObserved: _cash_observed,
    Closed: _closed,
    CoinsMoved: _coins_moved,
    CycleClosed: _cycle_closed,
    Decided: _decided,
    Delisted: _delisted,
    DiscrepancyFound: _discrepancy_found,
    DiscrepancyGone: _discrepancy_gone,
    Filled: _filled,
    HaltChanged: _halt_changed,
    HaltReset: _halt_reset,
    Intended: _intended,
    Marked: _marked,
    Moved: _decided,
    Opened: _opened,
    Paused: _paused,
    QueueChanged: _queue_changed,
    Remembered: _remembered,
    PolicyApplied: _policy_applied,
    Leaving: _leaving,
    Resent: _resent,
    Restored: _restored,
    Resumed: _resumed,
    SendFailed: _send_failed,
    StrategyFailed: _strategy_failed,
    StrategyRecovered: _strategy_recovered,
}
