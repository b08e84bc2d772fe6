"""Positions from flat to flat, and the fills they were made of, as the ledger itself folds them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Protocol

from msgspec import Struct

from trader_core.domain.book import ZERO, Book, Holding
from trader_core.domain.clocktime import HOUR_MS, EpochMs, day_index
from trader_core.domain.facts import CoinsMoved, Decided, Fact, Filled, Intended, Marked
from trader_core.domain.fill import Fill, Side
from trader_core.domain.money import EXACT
from trader_core.ledger.fold import apply, parts_of
from trader_core.report.orders import Fates, OrderOutcome

RATIO = Decimal("0.0001")  # percentages and ratios in a report
PRICE_DIGITS = 12  # significant digits of an average price


class Execution(Protocol):
    """A fill with its order's reason and its position's strategy: of the journal or of a replay."""

    @property
    def at_ms(self) -> EpochMs: ...
    @property
    def symbol(self) -> str: ...
    @property
    def side(self) -> Side: ...
    @property
    def price(self) -> Decimal: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def value(self) -> Decimal: ...
    @property
    def fee(self) -> Decimal: ...
    @property
    def reason(self) -> str: ...
    @property
    def strategy(self) -> str: ...


class Step(Struct, frozen=True):
    """An execution, and the holding that it changed."""

    one: Execution
    before: Holding
    after: Holding


class Trade(Struct, frozen=True):
    """One position from flat to flat. `pnl` is what the ledger realised: all fees taken off."""

    symbol: str
    strategy: str
    entry_ms: EpochMs
    entry_price: Decimal
    exit_ms: EpochMs
    exit_price: Decimal
    quantity: Decimal
    pnl: Decimal
    pnl_pct: Decimal  # of what the position cost, fees included
    fees: Decimal
    exit_reason: str
    hold_hours: Decimal


class Open(Struct, frozen=True):
    """A position that is not over. `realised` is from what was sold of it."""

    symbol: str
    strategy: str
    entry_ms: EpochMs
    entry_price: Decimal | None  # None: sold before its purchase was told
    quantity: Decimal
    cost: Decimal
    fees: Decimal
    realised: Decimal


def positions_of(steps: Iterable[Step]) -> tuple[tuple[Trade, ...], tuple[Open, ...]]:
    """(closed positions in the order in which they ended, open ones by symbol)."""
    closed, running = apart(steps)
    return tuple(map(trade_of, closed)), tuple(_open(running[symbol]) for symbol in sorted(running))


def apart(steps: Iterable[Step]) -> tuple[list[list[Step]], dict[str, list[Step]]]:
    """(the steps of each position that is over, in the order in which they ended, those of the open ones by symbol)."""
    running: dict[str, list[Step]] = {}
    closed: list[list[Step]] = []
    for step in steps:
        running.setdefault(step.one.symbol, []).append(step)
        if not step.after.quantity:
            closed.append(running.pop(step.one.symbol))
    return closed, running


def trade_of(steps: Sequence[Step]) -> Trade:
    bought, sold = _sides(steps)
    paid = sum((one.value + one.fee for one in bought), ZERO)
    pnl, first, last = _realised(steps), bought[0], sold[-1]
    return Trade(
        symbol=first.symbol,
        strategy=first.strategy,
        entry_ms=first.at_ms,
        entry_price=_average(bought),
        exit_ms=last.at_ms,
        exit_price=_average(sold),
        quantity=sum((one.quantity for one in bought), ZERO),
        pnl=pnl,
        pnl_pct=pct(pnl, paid),
        fees=sum((step.one.fee for step in steps), ZERO),
        exit_reason=last.reason,
        hold_hours=ratio(Decimal(last.at_ms - first.at_ms), Decimal(HOUR_MS)),
    )


def _open(steps: Sequence[Step]) -> Open:
    bought, _ = _sides(steps)
    first, held = steps[0].one, steps[-1].after
    return Open(
        symbol=first.symbol,
        strategy=first.strategy,
        entry_ms=first.at_ms,
        entry_price=_average(bought) if bought else None,
        quantity=held.quantity,
        cost=held.cost,
        fees=sum((step.one.fee for step in steps), ZERO),
        realised=_realised(steps),
    )


def _sides(steps: Sequence[Step]) -> tuple[list[Execution], list[Execution]]:
    """Purchases and sales by time: a fill may be told after one that came later."""
    by_time = sorted((step.one for step in steps), key=lambda one: one.at_ms)
    return [one for one in by_time if one.side is Side.BUY], [one for one in by_time if one.side is Side.SELL]


def _realised(steps: Sequence[Step]) -> Decimal:
    return steps[-1].after.realised - steps[0].before.realised


def _average(fills: Sequence[Execution]) -> Decimal:
    """Price by value, to twelve significant digits."""
    value = sum((one.value for one in fills), ZERO)
    quantity = sum((one.quantity for one in fills), ZERO)
    price = EXACT.divide(value, quantity)
    return price.quantize(Decimal(1).scaleb(price.adjusted() - PRICE_DIGITS + 1), ROUND_HALF_EVEN)


def pct(part: Decimal, whole: Decimal) -> Decimal:
    return ratio(100 * part, whole)


def ratio(part: Decimal, whole: Decimal) -> Decimal:
    return EXACT.divide(part, whole).quantize(RATIO, ROUND_HALF_EVEN) if whole else ZERO


# --- an account's journal --------------------------------------------------------------------------------------------


class Booked(Struct, frozen=True):
    """One fill as the ledger booked it, with its order's words. `realised` has all fees taken off."""

    at_ms: EpochMs
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    value: Decimal
    fee: Decimal
    role: str
    reason: str
    strategy: str
    realised: Decimal
    trade_id: str
    client_order_id: str


@dataclass(frozen=True)
class History:
    """An account's past, from one walk over its journal."""

    book: Book
    fills: tuple[Booked, ...]  # in the order in which they were told
    steps: tuple[Step, ...]  # the same, with what each of them changed
    orders: tuple[OrderOutcome, ...]  # in the order in which they were written down
    trades: tuple[Trade, ...]
    open: tuple[Open, ...]
    closings: Mapping[int, Decimal | None]  # by UTC day: equity at its newest mark
    worth: Decimal | None  # of everything held, at the newest mark; None: unknown, or something was traded since
    symbols: tuple[str, ...]  # all that were ever judged, ordered or traded


def history(facts: Iterable[Fact]) -> History:
    """A fill counts once, however often it is told."""
    book, worth, fates = Book(), None, Fates()
    fills: list[Booked] = []
    steps: list[Step] = []
    closings: dict[int, Decimal | None] = {}
    symbols: set[str] = set()
    for fact in facts:
        before, book = book, apply(book, fact)
        fates.follow(fact)
        if isinstance(fact, Decided):
            symbols.update(one.symbol for one in fact.judgements)
        elif isinstance(fact, Intended):
            fates.intend(fact)
            symbols.add(fact.approved.symbol)
        for fill in fills_in(fact, before):
            held = before.holdings.get(fill.symbol, Holding())
            if fill.trade_id not in held.trades:
                after = book.holdings[fill.symbol]
                fills.append(_booked(fill, held, after, fates.intents.get(fill.client_order_id)))
                steps.append(Step(fills[-1], held, after))
                symbols.add(fill.symbol)
                worth = None
        if isinstance(fact, Marked):
            closings[day_index(fact.decision_ms)] = fact.equity
            worth = None if fact.equity is None or book.cash is None else fact.equity - book.cash
            worth = ZERO if worth is not None and not book.held else worth  # cash may have more digits than a mark
    trades, left = positions_of(steps)
    return History(
        book, tuple(fills), tuple(steps), fates.outcomes(), trades, left, closings, worth, tuple(sorted(symbols))
    )


def fills_in(fact: Fact, book: Book) -> Iterator[Fill]:
    """Coins that came or went without a trade are booked as one without a fee."""
    parts = (fact,) if isinstance(fact, Filled) else parts_of(fact, book) if isinstance(fact, CoinsMoved) else ()
    return (one.fill for one in parts if isinstance(one, Filled))


def _booked(fill: Fill, before: Holding, after: Holding, intent: Intended | None) -> Booked:
    """The strategy is the position's, which is that of the order that opened it."""
    terms = intent.approved if intent else None
    return Booked(
        at_ms=fill.at_ms,
        symbol=fill.symbol,
        side=fill.side,
        price=fill.price,
        quantity=fill.quantity,
        value=fill.value,
        fee=fill.fee,
        role=terms.role.value if terms else "",
        reason=terms.reason if terms else "",
        strategy=before.strategy or (terms.strategy if terms else ""),
        realised=after.realised - before.realised,
        trade_id=fill.trade_id,
        client_order_id=fill.client_order_id,
    )


# --- the trades of a span --------------------------------------------------------------------------------------------


class Totals(Struct, frozen=True):
    """Of closed positions. What did not win has lost."""

    trades: int
    won: int
    lost: int
    win_rate_pct: Decimal
    pnl: Decimal
    fees: Decimal


def ended_since(trades: Iterable[Trade], from_ms: int | None, symbols: Sequence[str] = ()) -> tuple[Trade, ...]:
    """Those that ended at or after that time, of these symbols; of all where none are named."""
    return tuple(
        one
        for one in trades
        if (from_ms is None or one.exit_ms >= from_ms) and (not symbols or one.symbol in symbols)
    )  # fmt: skip


def totals(trades: Sequence[Trade]) -> Totals:
    won = sum(one.pnl > 0 for one in trades)
    return Totals(
        trades=len(trades),
        won=won,
        lost=len(trades) - won,
        win_rate_pct=pct(Decimal(won), Decimal(len(trades))),
        pnl=sum((one.pnl for one in trades), ZERO),
        fees=sum((one.fees for one in trades), ZERO),
    )
