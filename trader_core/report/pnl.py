"""What was earned, by day, by symbol or by strategy. The rows add up to the ledger's own figure, to the last digit."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

from msgspec import Struct

from trader_core.domain.book import ZERO
from trader_core.domain.clocktime import DAY_MS, day_index, rfc3339
from trader_core.report.trades import Booked, History, Trade, ended_since

T = TypeVar("T")
DATE_LENGTH = len("2024-08-01")
TOTAL = "total"


class Row(Struct, frozen=True):
    """`realised` has all fees taken off, those of the purchase with the sale; `fees` is what was paid meanwhile.
    A trade counts where it ended. `equity` is the newest mark of the day, where the rows are days."""

    key: str
    realised: Decimal
    fees: Decimal
    trades: int
    won: int
    equity: Decimal | None


class Pnl(Struct, frozen=True):
    by: str
    rows: tuple[Row, ...]  # in the order of their keys
    total: Row


def _day(at_ms: int) -> str:
    return rfc3339(day_index(at_ms) * DAY_MS)[:DATE_LENGTH]


FILL_KEYS: dict[str, Callable[[Booked], str]] = {
    "day": lambda one: _day(one.at_ms),
    "strategy": lambda one: one.strategy,
    "symbol": lambda one: one.symbol,
}
TRADE_KEYS: dict[str, Callable[[Trade], str]] = {
    "day": lambda one: _day(one.exit_ms),
    "strategy": lambda one: one.strategy,
    "symbol": lambda one: one.symbol,
}


def pnl(past: History, by: str, from_ms: int | None = None) -> Pnl:
    """Rows of what was filled at or after `from_ms`; a day in which nothing was has its equity."""
    fills = [one for one in past.fills if from_ms is None or one.at_ms >= from_ms]
    trades = ended_since(past.trades, from_ms)
    first = day_index(from_ms) if from_ms is not None else 0
    marks = {_day(day * DAY_MS): equity for day, equity in past.closings.items() if day >= first}
    equity = marks if by == "day" else {}
    bought_and_sold, ended = _grouped(fills, FILL_KEYS[by]), _grouped(trades, TRADE_KEYS[by])
    rows = [
        _row(key, bought_and_sold.get(key, []), ended.get(key, []), equity.get(key))
        for key in sorted(bought_and_sold.keys() | ended.keys() | equity.keys())
    ]
    return Pnl(by, tuple(rows), _row(TOTAL, fills, trades, past.book.equity))


def _grouped(items: Iterable[T], key_of: Callable[[T], str]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for one in items:
        groups.setdefault(key_of(one), []).append(one)
    return groups


def _row(key: str, fills: Sequence[Booked], trades: Sequence[Trade], equity: Decimal | None) -> Row:
    return Row(
        key=key,
        realised=sum((one.realised for one in fills), ZERO),
        fees=sum((one.fee for one in fills), ZERO),
        trades=len(trades),
        won=sum(one.pnl > 0 for one in trades),
        equity=equity,
    )
