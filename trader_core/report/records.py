"""What the positions that are over say of each pair and strategy. Sizing may only shrink by it."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from trader_core.domain.book import ZERO, Book, Holding
from trader_core.domain.facts import Fact
from trader_core.domain.fill import Side
from trader_core.domain.money import EXACT, GRAIN
from trader_core.ledger.fold import apply
from trader_core.report.trades import fills_in, pct, ratio

BPS = 10_000


class Statistic(Struct, frozen=True):
    """Of one pair and strategy; money in quote, all fees taken off. What did not win has lost."""

    symbol: str
    strategy: str  # empty: nobody is known to have opened it
    trades: int
    won: int
    lost: int
    win_rate_pct: Decimal
    average_r: Decimal | None  # gain as a multiple of what the stop risked; None: none of them had one
    expectancy: Decimal  # of one trade
    profit_factor: Decimal | None  # won over lost; None: nothing was lost
    pnl: Decimal


class Outcome(Struct, frozen=True):
    """One position from flat to flat."""

    symbol: str
    strategy: str
    at_ms: int
    pnl: Decimal
    risk: Decimal  # what it would have lost at its stop, costs apart; 0: it had none


def outcomes(facts: Iterable[Fact]) -> Iterator[Outcome]:
    """In the order in which they ended."""
    book, bought = Book(), dict[str, Decimal]()
    for fact in facts:
        before, book = book, apply(book, fact)
        for fill in fills_in(fact, before):
            held = before.holdings.get(fill.symbol, Holding())
            if fill.trade_id in held.trades:
                continue
            if fill.side is Side.BUY:
                bought[fill.symbol] = bought.get(fill.symbol, ZERO) + fill.value
            elif held.quantity == fill.quantity:
                risk = bought.pop(fill.symbol, ZERO) * held.stop_bps / BPS
                yield Outcome(fill.symbol, held.strategy, fill.at_ms, held.flow + fill.value - fill.fee, risk)


def statistics(
    facts: Iterable[Fact], from_ms: int | None = None, symbols: Sequence[str] = ()
) -> tuple[Statistic, ...]:  # fmt: skip
    """By pair and strategy, of what ended at or after that time; of all pairs where none is named."""
    found: dict[tuple[str, str], list[Outcome]] = {}
    for one in outcomes(facts):
        if (from_ms is None or one.at_ms >= from_ms) and (not symbols or one.symbol in symbols):
            found.setdefault((one.symbol, one.strategy), []).append(one)
    return tuple(_statistic(*key, found[key]) for key in sorted(found))


def _statistic(symbol: str, strategy: str, ended: Sequence[Outcome]) -> Statistic:
    count, pnl = Decimal(len(ended)), sum((one.pnl for one in ended), ZERO)
    gained = sum((one.pnl for one in ended if one.pnl > 0), ZERO)
    won, multiples = sum(one.pnl > 0 for one in ended), [ratio(one.pnl, one.risk) for one in ended if one.risk > 0]
    return Statistic(
        symbol=symbol,
        strategy=strategy,
        trades=len(ended),
        won=won,
        lost=len(ended) - won,
        win_rate_pct=pct(Decimal(won), count),
        average_r=ratio(sum(multiples, ZERO), Decimal(len(multiples))) if multiples else None,
        expectancy=EXACT.divide(pnl, count).quantize(GRAIN),
        profit_factor=ratio(gained, gained - pnl) if gained > pnl else None,
        pnl=pnl,
    )
