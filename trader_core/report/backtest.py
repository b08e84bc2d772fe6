"""A backtest as a report: trades folded by the ledger's own rule, and figures that depend on the inputs alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
from msgspec import Struct

from trader_core.domain.clocktime import HOUR_MS, EpochMs
from trader_core.domain.instrument import Exclusion
from trader_core.domain.money import from_grains, plain
from trader_core.report.breakdown import breakdown, verdict_counts, verdicts_by_strategy
from trader_core.report.costs import costs, holding_times, turnover
from trader_core.report.curve import Curve, curve_of, monthly, points_of, series
from trader_core.report.exposure import exposure
from trader_core.report.halts import replayed
from trader_core.report.performance import Dice, Tried, longest_streaks, performance
from trader_core.report.rounds import Folded, Rounds, Told, folded, open_records, trade_records
from trader_core.report.trades import Execution
from trader_core.report.written import RATIO_DIGITS, grains_text, members, rounded_ratio, times_text
from trader_core.rulebook import codes
from trader_core.rulebook.limits import Ints

SCHEMA = 2
CANDLE_DIGITS = 16  # of a digest
NOTHING_TRADED = "nothing can be traded: the coin of not one pair is in a tier of universe.yaml"


class Metadata(Struct, frozen=True):
    """What the figures depend on. `seed` is None where the candles came from a folder."""

    trader: str
    law_digest: str  # of the rulebook's sources and of what compiles them
    schema: int
    seed: int | None
    chance_seed: int  # of the intervals
    from_ms: EpochMs
    to_ms: EpochMs
    base_bar_min: int
    data_fingerprint: str
    candles: Mapping[str, str]  # by symbol, a digest of the closes that the decisions saw
    config_digest: str
    quote: str
    instruments: tuple[str, ...]
    exclusions: tuple[Exclusion, ...]
    warnings: tuple[str, ...]


class Summary(Struct, frozen=True):
    """`total_pnl` is the change of equity without what came and went, open positions included; in percent, each span
    between two flows counts by what was there. The trade figures are of closed trades."""

    total_trades: int
    winning_trades: int
    losing_trades: int
    win_rate: Decimal  # percent of the closed trades
    total_pnl: Decimal | None  # None: the worth at the end is unknown
    total_pnl_pct: Decimal | None
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
    flows: Decimal  # deposits less withdrawals
    cash: Decimal
    cycles: int
    orders: int
    fills: int
    refusals: int


class RegressionKeys(Struct, frozen=True):
    """The five figures that a baseline is compared by."""

    total_trades: int
    win_rate: Decimal
    total_pnl_pct: Decimal | None
    max_drawdown_pct: Decimal
    profit_factor: Decimal | None


@dataclass(frozen=True)
class Setting:
    """What else a report needs to know of the replay that it tells of."""

    themes: Mapping[str, str]  # by asset
    half_spread_ppm: int
    opens: Ints  # [fill], opening of the fill's bar in ticks


@dataclass(frozen=True)
class Measured:
    """A replay, its fills as trades, and its worth over time: what every figure is made of."""

    told: Told
    folded: Folded
    curve: Curve

    @property
    def trades(self) -> Rounds:
        return self.folded.trades


def measured(told: Told, initial: int) -> Measured:
    """Of an account that began with so much 1e-8 quote."""
    return Measured(told, folded(told), curve_of(told, initial))


def document(
    of: Measured, about: Metadata, setting: Setting, tried: Tried | None, dice: Dice, *, trades: bool, full: bool
) -> dict[str, Any]:
    """The report, ready for JSON: amounts as exact text, other figures to ten significant digits. With `trades` each
    of them too, which takes longer than all the rest; with `full` every fill, order, verdict and equity."""
    told, (fills, closed, left) = of.told, of.folded
    figures, points = summary(of), points_of(of.curve)
    return {
        "metadata": members(about),
        "summary": members(figures),
        "regression_keys": members(regression_keys(figures)),
        "performance": performance(of.curve, closed, tried, dice),
        "trials": {"tried": tried.count if tried else None, "with_sharpe": len(tried.sharpes) if tried else None},
        "costs": costs(told, fills, setting.opens, setting.half_spread_ppm, of.curve.initial),
        "turnover": turnover(of.curve, fills),
        "holding_times": holding_times(closed),
        "monthly": monthly(of.curve),
        "breakdown": breakdown(told, closed),
        "verdict_counts": verdict_counts(told),
        "verdicts_by_strategy": verdicts_by_strategy(told),
        "series": series(of.curve, points),
        "exposure": exposure(told, fills, left, points, setting.themes),
        "halts": replayed(told),
        "flows": _flows(told),
        "trades": trade_records(told, closed) if trades else [],
        "open_positions": open_records(told, left),
        **(_everything(told) if full else {}),
    }


def summary(of: Measured) -> Summary:
    told, curve, trades, realised = of.told, of.curve, of.trades, _realised(of)
    pnl, final = trades.pnl.tolist(), int(told.worth[-1]) if len(told.worth) else curve.initial
    total = None if final < 0 else final - curve.initial - curve.flows
    won, gain = sum(one > 0 for one in pnl), sum(one for one in pnl if one > 0)
    loss = gain - sum(pnl)
    percents = [
        rounded_ratio(100 * one, paid, RATIO_DIGITS) for one, paid in zip(pnl, trades.paid.tolist(), strict=True)
    ]
    return Summary(
        total_trades=len(pnl),
        winning_trades=won,
        losing_trades=len(pnl) - won,
        win_rate=_ratio(100 * won, len(pnl)),
        total_pnl=_amount(total),
        total_pnl_pct=None if total is None else _growth_pct(curve),
        realised=from_grains(realised),
        unrealised=None if total is None else from_grains(total - realised),
        max_drawdown_pct=Decimal(curve.deepest_fall).scaleb(-RATIO_DIGITS),
        profit_factor=_ratio(gain, loss) if loss else None,
        max_consecutive_losses=longest_streaks(trades.pnl)[1],
        average_win_pct=_mean([percent for percent, one in zip(percents, pnl, strict=True) if one > 0]),
        average_loss_pct=_mean([percent for percent, one in zip(percents, pnl, strict=True) if one <= 0]),
        fees=from_grains(sum(of.folded.fills.fee.tolist())),
        initial_equity=from_grains(curve.initial),
        final_equity=_amount(None if final < 0 else final),
        flows=from_grains(curve.flows),
        cash=from_grains(told.cash_grains),
        cycles=len(told.at_ms),
        orders=int((told.asked[:, 1] == codes.PLACE).sum()),
        fills=len(told.filled),
        refusals=int((told.judged[:, 3] != codes.Verdict.OK).sum()),
    )


def regression_keys(of: Summary) -> RegressionKeys:
    return RegressionKeys(of.total_trades, of.win_rate, of.total_pnl_pct, of.max_drawdown_pct, of.profit_factor)


def _realised(of: Measured) -> int:
    closed: int = sum(of.trades.pnl.tolist())
    return closed + sum(one.realised for one in of.folded.left)


def _amount(grains: int | None) -> Decimal | None:
    return None if grains is None else from_grains(grains)


def _growth_pct(curve: Curve) -> Decimal:
    return _ratio(100 * (curve.growth.numerator - curve.growth.denominator), curve.growth.denominator)


def _ratio(part: int, whole: int) -> Decimal:
    return Decimal(rounded_ratio(part, whole, RATIO_DIGITS)).scaleb(-RATIO_DIGITS)


def _mean(units: Sequence[int]) -> Decimal:
    """Of figures in their last decimal."""
    return Decimal(rounded_ratio(sum(units), len(units), 0)).scaleb(-RATIO_DIGITS)


# --- what the figures rest on ----------------------------------------------------------------------------------------


def candle_digests(told: Told) -> dict[str, str]:
    """By symbol, what the last known closes at the decisions were, in ticks."""
    return {
        one.symbol: sha256(np.ascontiguousarray(told.close[:, i], "<i8").data).hexdigest()[:CANDLE_DIGITS]
        for i, one in enumerate(told.axes.instruments)
    }


def silences(told: Told) -> tuple[str, ...]:
    """Where something that should be known was not."""
    out = []
    known = np.flatnonzero(told.regime != codes.UNKNOWN)
    unknown = int(known[0]) if len(known) else len(told.regime)
    if unknown:
        out.append(f"the regime is unknown for the first {unknown * told.bar_ms / HOUR_MS:g} hours: no entries there")
    lost = int((told.worth < 0).sum())
    if lost:
        out.append(f"the account's worth is unknown at {lost} of {len(told.worth)} decisions; they are passed over")
    return tuple(out)


def survivors(told: Told) -> tuple[str, ...]:
    """A folder in which every pair lives to its end says nothing of those that did not; one without any, nothing."""
    if not told.axes.instruments:
        return (NOTHING_TRADED,)
    if not len(told.close) or not told.close[-1].all():
        return ()
    return (
        f"survivorship: all {len(told.axes.instruments)} pairs are still listed at the end; those that were delisted "
        "before are not in the folder, or were left out, so the figures flatter",
    )


# --- lists -----------------------------------------------------------------------------------------------------------


def _flows(told: Told) -> list[dict[str, Any]]:
    rows = np.maximum(told.flows[:, 0], 0)
    times = times_text(told.at_ms[rows])
    return [
        {"time": time, "amount": grains_text(amount)}
        for time, amount in zip(times, told.flows[:, 1].tolist(), strict=True)
    ]


class _Verdicted(Protocol):
    @property
    def decision_ms(self) -> EpochMs: ...
    @property
    def symbol(self) -> str: ...
    @property
    def verdict(self) -> str: ...


class _Placed(Protocol):
    @property
    def decision_ms(self) -> EpochMs: ...
    @property
    def order(self) -> Any: ...


class _Everything(Protocol):
    """A replay in the ledger's terms."""

    @property
    def fills(self) -> Sequence[Execution]: ...
    @property
    def orders(self) -> Sequence[_Placed]: ...
    @property
    def verdicts(self) -> Sequence[_Verdicted]: ...
    @property
    def equity(self) -> Sequence[tuple[EpochMs, Decimal | None]]: ...


def _everything(told: Any) -> dict[str, Any]:
    every: _Everything = told
    return {
        "fills": [members(one) for one in every.fills],
        "orders": [_order(one) for one in every.orders],
        "verdicts": [members(one) for one in every.verdicts],
        "equity": [
            {"time": time, "equity": None if equity is None else plain(equity)}
            for time, (_, equity) in zip(times_text(told.at_ms), every.equity, strict=True)
        ],
    }


def _order(one: _Placed) -> dict[str, Any]:
    order = one.order
    (time,) = times_text(np.array([one.decision_ms]))
    return {
        "decision_time": time, "symbol": order.symbol, "side": order.side, "role": order.role, "kind": order.kind,
        "quantity": plain(order.quantity), "limit": plain(order.limit) if order.limit else None,
        "trigger": plain(order.trigger) if order.trigger else None, "reason": order.reason, "strategy": order.strategy,
    }  # fmt: skip
