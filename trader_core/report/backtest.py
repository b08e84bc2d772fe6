"""A backtest as a report: trades folded by the ledger's own rule, and figures that depend on the inputs alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from trader_core.domain.book import ZERO, Book, Holding
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import CashFlow, Filled
from trader_core.domain.fill import Fill
from trader_core.domain.instrument import Exclusion
from trader_core.domain.money import Base, Quote
from trader_core.ledger.fold import apply
from trader_core.report.trades import Execution, Open, Step, Trade, pct, positions_of, ratio

SCHEMA = 1


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
    book = apply(Book(), CashFlow(Quote(initial), EpochMs(0), "initial", ""))
    steps: list[Step] = []
    for number, one in enumerate(fills):
        before, book = book.holdings.get(one.symbol, Holding()), apply(book, _fact(number, one))
        steps.append(Step(one, before, book.holdings[one.symbol]))
    trades, left = positions_of(steps)
    return Ledgered(book, trades, left)


def _fact(number: int, one: Execution) -> Filled:
    fill = Fill(
        f"replay-{number}", "", one.symbol, one.side, one.price, Base(one.quantity), Quote(one.value), Quote(one.fee),
        one.at_ms,
    )  # fmt: skip
    return Filled(fill, str(number))


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
        win_rate=pct(Decimal(len(wins)), Decimal(len(pnls))),
        total_pnl=total,
        total_pnl_pct=pct(total, initial),
        realised=book.realised,
        unrealised=None if final is None else total - book.realised,
        max_drawdown_pct=max_drawdown_pct([one.equity for one in equity]),
        profit_factor=ratio(won, lost) if lost else None,
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
            deepest = max(deepest, pct(peak - one, peak))
    return deepest


def longest_loss(pnls: Sequence[Decimal]) -> int:
    """Most trades in a row that did not win."""
    longest = running = 0
    for pnl in pnls:
        running = running + 1 if pnl <= 0 else 0
        longest = max(longest, running)
    return longest


def _mean(values: Sequence[Decimal]) -> Decimal:
    return ratio(sum(values, ZERO), Decimal(len(values)))
