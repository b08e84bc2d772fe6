"""What the positions that are over say of each pair and strategy. Sizing may only shrink by it."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from trader_core.domain.book import ZERO
from trader_core.domain.fill import Side
from trader_core.domain.money import EXACT, GRAIN
from trader_core.report.trades import History, Trade, apart, ended_since, pct, ratio, trade_of

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

    trade: Trade
    risk: Decimal  # what it would have lost at its stop, costs apart; 0: it had none


def outcomes(past: History) -> Iterator[Outcome]:
    """In the order in which they ended."""
    for steps in apart(past.steps)[0]:
        bought = sum((step.one.value for step in steps if step.one.side is Side.BUY), ZERO)
        stops = (held.stop_bps for step in steps for held in (step.after, step.before))
        yield Outcome(trade_of(steps), bought * next(filter(None, stops), 0) / BPS)


def statistics(past: History, from_ms: int | None = None, symbols: Sequence[str] = ()) -> tuple[Statistic, ...]:
    """By pair and strategy, of what ended at or after that time; of all pairs where none is named."""
    found: dict[tuple[str, str], list[Outcome]] = {}
    for one in outcomes(past):
        if ended_since([one.trade], from_ms, symbols):
            found.setdefault((one.trade.symbol, one.trade.strategy), []).append(one)
    return tuple(_statistic(*key, found[key]) for key in sorted(found))


def _statistic(symbol: str, strategy: str, ended: Sequence[Outcome]) -> Statistic:
    gains = [one.trade.pnl for one in ended]
    count, pnl, gained = Decimal(len(ended)), sum(gains, ZERO), sum((one for one in gains if one > 0), ZERO)
    multiples = [ratio(one.trade.pnl, one.risk) for one in ended if one.risk > 0]
    won = sum(one > 0 for one in gains)
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
