"""Trades by what they have in common, and what stopped those that never were."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trader_core.report.rounds import Rounds, Told
from trader_core.report.written import grains_text, ratio_text, significant
from trader_core.rulebook import codes
from trader_core.rulebook.limits import Ints


def breakdown(told: Told, trades: Rounds) -> dict[str, Any]:
    """By strategy, symbol, regime at the decision to enter, and reason of the last sale; only what has trades."""
    symbols = [one.symbol for one in told.axes.instruments]
    return {
        "strategy": _by(trades, trades.strategy, told.axes.strategies),
        "symbol": _by(trades, trades.instrument, symbols),
        "regime": _by(trades, trades.regime, codes.REGIMES),
        "exit_reason": _by(trades, trades.reason, codes.REASONS),
    }


def _by(trades: Rounds, keys: Ints, names: Sequence[str]) -> dict[str, Any]:
    groups = {names[key]: _figures(Rounds(*(column[keys == key] for column in trades))) for key in np.unique(keys)}
    return dict(sorted(groups.items()))


def _figures(trades: Rounds) -> dict[str, Any]:
    pnl = trades.pnl
    won, gain, loss = int((pnl > 0).sum()), sum(pnl[pnl > 0].tolist()), -sum(pnl[pnl <= 0].tolist())
    return {
        "trades": len(pnl),
        "won": won,
        "win_rate": ratio_text(100 * won, len(pnl)),
        "pnl": grains_text(gain - loss),
        "fees": grains_text(sum(trades.fees.tolist())),
        "profit_factor": ratio_text(gain, loss) if loss else None,
        "average_r": significant(trades.average_r),
    }


def verdict_counts(told: Told) -> dict[str, int]:
    """How often each verdict was given. A refusal's is that of the first gate that said no."""
    return _named(np.bincount(told.judged[:, 3], minlength=len(codes.Verdict)))


def verdicts_by_strategy(told: Told) -> dict[str, dict[str, int]]:
    kinds, names = len(codes.Verdict), told.axes.strategies
    counts = np.bincount(told.judged[:, 2] * kinds + told.judged[:, 3], minlength=kinds * len(names))
    return {name: found for n, name in enumerate(names) if (found := _named(counts[n * kinds : (n + 1) * kinds]))}


def _named(counts: Ints) -> dict[str, int]:
    found: Mapping[str, int] = {codes.Verdict(n).name: int(count) for n, count in enumerate(counts) if count}
    return dict(sorted(found.items()))
