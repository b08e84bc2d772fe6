"""The backtest's driver: the same law, walked bar by bar over a State that goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.fill import Side
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.money import from_grains, grains_down
from trader_core.domain.order import ApprovedOrder
from trader_core.engine.columns import columns_of, lookback_of
from trader_core.engine.decide import approved
from trader_core.engine.law import bar_ms_of, enabled_strategies, law_of
from trader_core.engine.observe import watched_universe
from trader_core.ledger.integers import Axes, lots_of
from trader_core.market.frame import build
from trader_core.ports import CandleSource
from trader_core.rulebook import account, codes
from trader_core.rulebook.bar import FILL_FIELDS, step_bar
from trader_core.rulebook.limits import Ints
from trader_core.rulebook.orders import step_close
from trader_core.rulebook.state import Columns, Guard, State, empty_guard, empty_plan, empty_state
from trader_core.rulebook.turn import step_delisted, step_turn

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class Verdicted:
    """One proposal's verdict."""

    decision_ms: EpochMs
    symbol: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Placed:
    decision_ms: EpochMs
    order: ApprovedOrder


@dataclass(frozen=True, slots=True)
class Executed:
    """One simulated fill, in the ledger's terms."""

    at_ms: EpochMs
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    value: Decimal
    fee: Decimal
    reason: str
    strategy: str


@dataclass(frozen=True)
class Replayed:
    """Everything a replay did, in order."""

    instruments: tuple[Instrument, ...]
    exclusions: tuple[Exclusion, ...]
    verdicts: tuple[Verdicted, ...]
    orders: tuple[Placed, ...]
    fills: tuple[Executed, ...]
    equity: tuple[tuple[EpochMs, Decimal | None], ...]  # at each decision
    cash: Decimal


def replay(source: CandleSource, policy: "Settings", start_ms: int, end_ms: int) -> Replayed:
    """Decisions at every bar's close in [start_ms, end_ms); candles before `start_ms` only fill windows."""
    instruments, exclusions = watched_universe(source.instruments(), source.exclusions(), policy, ())
    axes, bar_ms = Axes(instruments, enabled_strategies(policy)), bar_ms_of(policy)
    law, symbols = law_of(policy, axes), [one.symbol for one in instruments]
    first_ms, last_ms = start_ms - lookback_of(policy) * bar_ms, end_ms - bar_ms
    frame = build({one: source.candles(one, first_ms, last_ms) for one in symbols}, first_ms, last_ms, bar_ms)
    columns, bars = columns_of(frame, instruments, policy, lookback_of(policy) - 1).columns, frame.bars
    state, plan = empty_state(len(symbols), len(axes.assets)), empty_plan(len(symbols), len(axes.strategies))
    guard = _guard(axes, exclusions)
    foreign = _foreign(axes, policy.app.paper.holdings)
    traded = np.maximum.accumulate(columns.close > 0, axis=0)
    rows = np.zeros((3 * len(symbols), FILL_FIELDS), np.int64)
    account.step_cash(state, grains_down(policy.app.paper.cash_quote))
    verdicts: list[Verdicted] = []
    orders: list[Placed] = []
    fills: list[Executed] = []
    equity: list[tuple[EpochMs, Decimal | None]] = []
    for t in range(lookback_of(policy) - 1, frame.rows):
        now = EpochMs(int(columns.at_ms[t]))
        if now > start_ms:
            count = step_bar(law, state, bars, t, now, rows)
            fills += [_executed(row, instruments, axes) for row in rows[:count].tolist()]
            step_delistings(guard, state, columns, t, foreign)
        guard.foreign[:] = np.where(traded[t] & (columns.close[t] == 0), 0, foreign)  # not listed: not counted
        worth = step_turn(law, guard, state, columns, t, plan)
        equity.append((now, None if worth < 0 else from_grains(worth)))
        for i in np.flatnonzero(plan.verdict >= 0).tolist():
            verdicts.append(Verdicted(now, symbols[i], codes.Verdict(int(plan.verdict[i])).name))
        orders += [Placed(now, order) for order in approved(plan, state, axes)]
    cash = from_grains(int(state.cash[0]))
    return Replayed(instruments, exclusions, tuple(verdicts), tuple(orders), tuple(fills), tuple(equity), cash)


def _guard(axes: Axes, exclusions: Sequence[Exclusion]) -> Guard:
    """What stands against entries from the start: what the universe has no place for."""
    guard, excluded = empty_guard(len(axes.instruments)), {one.symbol for one in exclusions}
    barred = np.array([one.symbol in excluded for one in axes.instruments], np.int64)
    return guard._replace(barred=barred, foreign=guard.foreign.copy())


def _foreign(axes: Axes, holdings: Mapping[str, Decimal]) -> Ints:
    """Lots in the account that are not ours, once for each coin."""
    lots = np.zeros(len(axes.instruments), np.int64)
    for asset, quantity in holdings.items():
        if asset in axes.assets:
            i = axes.first_of(asset)
            lots[i] = lots_of(axes.instruments[i], quantity)
    return lots


def step_delistings(guard: Guard, state: State, columns: Columns, t: int, foreign: Ints) -> None:
    """What has sent no bar for so long is not listed any more: its orders are over, and what is held of it is written
    off, not ours any more and not bought again. Where no pair has a price it is the venue that is silent, and nothing
    is known."""
    if not columns.close[t].any():
        return
    for i in np.flatnonzero(columns.close[t] == 0).tolist():
        if state.lots[i] > 0:
            foreign[i] += state.lots[i]
            step_delisted(state, i)
            guard.barred[i] = 1
        for slot in range(len(codes.SLOTS)):
            step_close(state, i, slot)


def _executed(row: list[int], instruments: tuple[Instrument, ...], axes: Axes) -> Executed:
    i, slot, lots, ticks, value, fee, at_ms, reason, strategy = row
    instrument = instruments[i]
    return Executed(
        at_ms=EpochMs(at_ms),
        symbol=instrument.symbol,
        side=Side.BUY if slot == codes.ENTRY else Side.SELL,
        price=ticks * instrument.tick,
        quantity=lots * instrument.lot,
        value=from_grains(value),
        fee=from_grains(fee),
        reason=codes.REASONS[reason],
        strategy=axes.strategies[strategy],
    )
