"""A backtest as a report: trades folded by the ledger's own rule, and figures that depend on the inputs alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Protocol

from trader_core.domain.book import Book, Holding
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import CashFlow, Filled
from trader_core.domain.fill import Fill, Side
from trader_core.domain.instrument import Exclusion
from trader_core.domain.money import EXACT, Base, Quote
from trader_core.ledger.fold import apply

SCHEMA = 1
ZERO = Decimal(0)
RATIO = Decimal("0.0001")  # percentages and ratios in a report
PRICE_DIGITS = 12  # significant digits of an average price
HOUR_MS = 3_600_000


class Execution(Protocol):
    """A simulated fill, as a replay tells it."""

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


class Verdicted(Protocol):
    """One proposal's verdict, as a replay tells it."""

    @property
    def verdict(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the figures depend on. `seed` is None where the candles came from a folder."""

    trader: str
    schema: int
    seed: int | None
    from_ms: EpochMs
    to_ms: EpochMs
    base_bar_min: int
    data_fingerprint: str
    config_digest: str
    quote: str
    instruments: tuple[str, ...]
    exclusions: tuple[Exclusion, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trade:
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


@dataclass(frozen=True, slots=True)
class Open:
    """A position that the period's end left open. `realised` is from what was sold of it."""

    symbol: str
    strategy: str
    entry_ms: EpochMs
    entry_price: Decimal
    quantity: Decimal
    cost: Decimal
    fees: Decimal
    realised: Decimal


@dataclass(frozen=True, slots=True)
class Summary:
    """`total_pnl` is the change of equity, open positions included; the trade figures are of closed trades."""

    total_trades: int
    winning_trades: int
    losing_trades: int
    win_rate: Decimal  # percent of the closed trades
    total_pnl: Decimal
    total_pnl_pct: Decimal
    realised: Decimal
    unrealised: Decimal | None
    max_drawdown_pct: Decimal
    profit_factor: Decimal | None  # None: nothing was lost
    max_consecutive_losses: int
    average_win_pct: Decimal
    average_loss_pct: Decimal
    fees: Decimal
    initial_equity: Decimal
    final_equity: Decimal | None
    cash: Decimal
    cycles: int
    orders: int
    fills: int
    refusals: int


@dataclass(frozen=True, slots=True)
class RegressionKeys:
    """The five figures that a baseline is compared by."""

    total_trades: int
    win_rate: Decimal
    total_pnl_pct: Decimal
    max_drawdown_pct: Decimal
    profit_factor: Decimal | None


@dataclass(frozen=True, slots=True)
class EquityPoint:
    at_ms: EpochMs
    equity: Decimal | None


@dataclass(frozen=True, slots=True)
class Ledgered:
    """Fills folded into trades: closed ones in the order of their exits, open ones by symbol."""

    book: Book
    trades: tuple[Trade, ...]
    open: tuple[Open, ...]


def ledgered(initial: Decimal, fills: Sequence[Execution]) -> Ledgered:
    """Fold every fill by the ledger's rule; a trade is what lies between flat and flat."""
    book = apply(Book(), CashFlow(Quote(initial), EpochMs(0), "initial"))
    running: dict[str, list[Execution]] = {}
    before: dict[str, Decimal] = {}
    trades: list[Trade] = []
    for number, one in enumerate(fills):
        if one.symbol not in running:
            before[one.symbol] = book.holdings.get(one.symbol, Holding()).realised
        running.setdefault(one.symbol, []).append(one)
        book = apply(book, _fact(number, one))
        held = book.holdings[one.symbol]
        if not held.quantity:
            trades.append(_trade(running.pop(one.symbol), held.realised - before[one.symbol]))
    left = tuple(_open(running[symbol], book.holdings[symbol], before[symbol]) for symbol in sorted(running))
    return Ledgered(book, tuple(trades), left)


def _fact(number: int, one: Execution) -> Filled:
    fill = Fill(
        f"replay-{number}", "", one.symbol, one.side, one.price, Base(one.quantity), Quote(one.value), Quote(one.fee),
        one.at_ms,
    )  # fmt: skip
    return Filled(fill, str(number))


def _trade(fills: Sequence[Execution], pnl: Decimal) -> Trade:
    bought = [one for one in fills if one.side is Side.BUY]
    sold = [one for one in fills if one.side is Side.SELL]
    paid = sum((one.value + one.fee for one in bought), ZERO)
    first, last = fills[0], fills[-1]
    return Trade(
        symbol=first.symbol,
        strategy=first.strategy,
        entry_ms=first.at_ms,
        entry_price=_average(bought),
        exit_ms=last.at_ms,
        exit_price=_average(sold),
        quantity=sum((one.quantity for one in bought), ZERO),
        pnl=pnl,
        pnl_pct=_pct(pnl, paid),
        fees=sum((one.fee for one in fills), ZERO),
        exit_reason=last.reason,
        hold_hours=_ratio(Decimal(last.at_ms - first.at_ms), Decimal(HOUR_MS)),
    )


def _open(fills: Sequence[Execution], held: Holding, before: Decimal) -> Open:
    bought = [one for one in fills if one.side is Side.BUY]
    return Open(
        symbol=fills[0].symbol,
        strategy=fills[0].strategy,
        entry_ms=fills[0].at_ms,
        entry_price=_average(bought),
        quantity=held.quantity,
        cost=held.cost,
        fees=sum((one.fee for one in fills), ZERO),
        realised=held.realised - before,
    )


def _average(fills: Sequence[Execution]) -> Decimal:
    """Price by value, to twelve significant digits."""
    value = sum((one.value for one in fills), ZERO)
    quantity = sum((one.quantity for one in fills), ZERO)
    price = EXACT.divide(value, quantity)
    return price.quantize(Decimal(1).scaleb(price.adjusted() - PRICE_DIGITS + 1), ROUND_HALF_EVEN)


def summary(
    initial: Decimal,
    found: Ledgered,
    equity: Sequence[EquityPoint],
    fills: Sequence[Execution],
    verdicts: Sequence[Verdicted],
    orders: int,
) -> Summary:
    book, pnls = found.book, [one.pnl for one in found.trades]
    final = equity[-1].equity if equity else initial
    total = ZERO if final is None else final - initial
    wins, losses = [one for one in found.trades if one.pnl > 0], [one for one in found.trades if one.pnl <= 0]
    won, lost = sum((one.pnl for one in wins), ZERO), -sum((one.pnl for one in losses), ZERO)
    return Summary(
        total_trades=len(pnls),
        winning_trades=len(wins),
        losing_trades=len(losses),
        win_rate=_pct(Decimal(len(wins)), Decimal(len(pnls))),
        total_pnl=total,
        total_pnl_pct=_pct(total, initial),
        realised=book.realised,
        unrealised=None if final is None else total - book.realised,
        max_drawdown_pct=max_drawdown_pct([one.equity for one in equity]),
        profit_factor=_ratio(won, lost) if lost else None,
        max_consecutive_losses=longest_loss(pnls),
        average_win_pct=_mean([one.pnl_pct for one in wins]),
        average_loss_pct=_mean([one.pnl_pct for one in losses]),
        fees=sum((one.fee for one in fills), ZERO),
        initial_equity=initial,
        final_equity=final,
        cash=book.cash or ZERO,
        cycles=len(equity),
        orders=orders,
        fills=len(fills),
        refusals=sum(one.verdict != "OK" for one in verdicts),
    )


def regression_keys(of: Summary) -> RegressionKeys:
    return RegressionKeys(of.total_trades, of.win_rate, of.total_pnl_pct, of.max_drawdown_pct, of.profit_factor)


def histogram(verdicts: Sequence[Verdicted]) -> dict[str, int]:
    """How often each verdict was given, by name."""
    names = [one.verdict for one in verdicts]
    return {name: names.count(name) for name in sorted(set(names))}


def max_drawdown_pct(equity: Sequence[Decimal | None]) -> Decimal:
    """Deepest fall below the highest equity before it, in percent of that; times of unknown worth are passed over."""
    peak, deepest = ZERO, ZERO
    for one in equity:
        if one is not None:
            peak = max(peak, one)
            deepest = max(deepest, _pct(peak - one, peak))
    return deepest


def longest_loss(pnls: Sequence[Decimal]) -> int:
    """Most trades in a row that did not win."""
    longest = running = 0
    for pnl in pnls:
        running = running + 1 if pnl <= 0 else 0
        longest = max(longest, running)
    return longest


def _pct(part: Decimal, whole: Decimal) -> Decimal:
    return _ratio(100 * part, whole)


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    return EXACT.divide(part, whole).quantize(RATIO, ROUND_HALF_EVEN) if whole else ZERO


def _mean(values: Sequence[Decimal]) -> Decimal:
    return _ratio(sum(values, ZERO), Decimal(len(values)))
