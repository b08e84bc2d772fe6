"""The same work in other people's engines, where they are installed: signals and fills from prices in memory."""

import importlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import CAP, CASH, FAST, FEE_BPS, NOTIONAL, SLOW, STOP_PCT, Bars, Case, Outcome, pairs_of
from trader_core.rulebook.limits import Floats

Signals = NDArray[np.bool_]
Work = Callable[[], Outcome]
FEE, STOP = FEE_BPS / 10_000, STOP_PCT / 100


@dataclass(frozen=True)
class Peer:
    """One contender. `lacks` says what of the work it leaves out."""

    name: str
    work: Work
    lacks: str = ""


def peers_of(bars: Bars, case: Case, combos: int) -> list[Peer]:
    """Those that are installed; `combos` above zero is a sweep over so many pairs of windows."""
    os.environ["RAPTORBT_NO_VERSION_CHECK"] = "1"  # it would ask a server when it is imported
    return [each(bars, case, combos) for name, each in PEERS.items() if importlib.util.find_spec(name) is not None]


# --- raptorbt --------------------------------------------------------------------------------------------------------


def raptorbt(bars: Bars, case: Case, combos: int) -> Peer:
    """Averages, engine and threads are its own."""
    engine: Any = importlib.import_module("raptorbt")
    prices = [
        tuple(np.ascontiguousarray(each[:, i]) for each in (bars.open, bars.high, bars.low, bars.close, bars.volume))
        for i in range(len(bars.symbols))
    ]
    times = (bars.first_ms + bars.step_ms * np.arange(bars.rows, dtype=np.int64)) * 1_000_000
    cap = case.cap if case.cap == CAP else None
    config = engine.BacktestConfig(initial_capital=CASH, fees=FEE, fill_timing="next_bar_open", max_positions=cap)
    config.set_fixed_stop(STOP)
    budget = engine.InstrumentConfig(alloted_capital=float(NOTIONAL))

    def signals(i: int, windows: tuple[int, int] = (FAST, SLOW)) -> tuple[Signals, Signals]:
        return crossings(*(engine.sma(prices[i][3], length) for length in windows))

    def closed(metrics: Any) -> Outcome:
        gain = metrics.end_value - metrics.start_value - metrics.open_trade_pnl
        return Outcome(metrics.total_closed_trades, gain)

    def one() -> Outcome:
        found = engine.run_single_backtest(times, *prices[0], *signals(0), config=config, instrument_config=budget)
        return closed(found.metrics)

    def many() -> Outcome:
        books = [(times, *prices[i], *signals(i), 1, 1.0, symbol) for i, symbol in enumerate(bars.symbols)]
        configs = dict.fromkeys(bars.symbols, budget)
        found = engine.run_portfolio_backtest(books, config=config, allocation="full", instrument_configs=configs)
        return closed(found.metrics)

    def sweep() -> Outcome:
        items = [
            engine.BatchSingleItem(str(n), *signals(0, windows), instrument_config=budget)
            for n, windows in enumerate(pairs_of(combos))
        ]
        results = engine.batch_single_backtest(times, *prices[0], items, config=config)
        outcomes = [closed(found.metrics) for _, found in results]
        return Outcome(sum(one.trades for one in outcomes), sum(one.pnl for one in outcomes))

    if combos:
        return Peer("raptorbt", sweep)
    return Peer("raptorbt", one if len(bars.symbols) == 1 else many)


# --- vectorbt --------------------------------------------------------------------------------------------------------


def vectorbt(bars: Bars, case: Case, combos: int) -> Peer:
    """Signals of one bar are orders of the next. It has no cap on open positions."""
    engine: Any = importlib.import_module("vectorbt")
    opened, high, low, close = (_narrow(each) for each in (bars.open, bars.high, bars.low, bars.close))
    size = NOTIONAL / _later(close, np.nan)
    windows = pairs_of(combos) if combos else ((FAST, SLOW),)

    def work() -> Outcome:
        trades, pnl = 0, 0.0
        for fast, slow in windows:
            averages = (engine.MA.run(close, length).ma.to_numpy() for length in (fast, slow))
            entries, exits = (_later(each, False) for each in crossings(*averages))
            found = engine.Portfolio.from_signals(
                close, entries, exits, price=opened, size=size, fees=FEE, init_cash=np.inf, open=opened, high=high,
                low=low, sl_stop=STOP, stop_entry_price="fillprice", stop_exit_price="stopmarket", freq="1min",
            )  # fmt: skip
            closed = found.trades.closed
            trades, pnl = trades + int(np.sum(closed.count())), pnl + float(closed.pnl.values.sum())
        return Outcome(trades, pnl)

    return Peer("vectorbt", work, "no cap on open positions" if case.cap == CAP else "")


def _narrow(column: Floats) -> Floats:
    """One instrument as a series."""
    return np.ascontiguousarray(column[:, 0]) if column.shape[1] == 1 else column


def _later(column: Any, fill: Any) -> Any:
    """Each row's value one row later."""
    moved = np.empty_like(column)
    moved[0], moved[1:] = fill, column[:-1]
    return moved


def crossings(fast: Floats, slow: Floats) -> tuple[Signals, Signals]:
    """(where the fast average has crossed above the slow one, where it is not above), both averages known."""
    above, known = fast > slow, ~np.isnan(slow)
    entries = above & known
    entries[0] = False
    entries[1:] &= ~above[:-1] & known[:-1]
    return entries, known & ~above


PEERS: dict[str, Callable[[Bars, Case, int], Peer]] = {"raptorbt": raptorbt, "vectorbt": vectorbt}
