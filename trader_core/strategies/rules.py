"""Buys what a trigger points up, never what points down. Each trigger has its own exits; nothing leaves by opinion."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import HOUR_MS
from trader_core.market.seen import Market
from trader_core.market.triggers import Cells, Found, triggers_lookback, whole_rows
from trader_core.market.universe import barred
from trader_core.rulebook.codes import CRASH
from trader_core.rulebook.limits import Floats, Ints
from trader_core.strategies.base import Measured, Proposals, Terms

if TYPE_CHECKING:
    from trader_core.settings.schema import Rules, Settings

NONE = -1.0  # the score where no trigger may buy
SCORE_DIGITS = 6  # 0.7 times 0.8 is 56 %, not a little less


@dataclass(frozen=True)
class Best:
    """The trigger with the highest score, [row, instrument] from the market's first row on."""

    kind: Ints  # its place among the kinds
    score: Floats  # strength times confidence, or NONE
    strength: Floats
    confidence: Floats
    qualifiers: Ints  # of a reversal, else 0


class RulesStrategy:
    unit = "pct"  # strength times confidence of the best trigger

    def lookback(self, parameters: "Rules", policy: "Settings") -> int:
        return triggers_lookback(policy)

    def columns(self, market: Market, parameters: "Rules") -> Proposals:
        """Rows before `market.first` hold zeros. What may not be bought takes no place among the best of a bar."""
        first, found = market.first, market.triggers
        buyable = ~barred(market.frame.symbols, market.policy.universe)
        best = _best(market, parameters, found)
        some = best.score >= 0.0
        score_pct = np.round(100.0 * np.maximum(best.score, 0.0), SCORE_DIGITS)
        passes = some & buyable & market.frame.present[first:] & (score_pct >= market.signals.triggers.min_score_pct)
        enter = _foremost(np.where(passes, best.score, NONE), market.signals.triggers.max_triggers_per_cycle)
        blocks = [getattr(parameters, name) for name in found.kinds]

        def terms(rows: Ints, columns: Ints) -> Terms:
            at = rows - first, columns
            kind, there = best.kind[at], some[at]

            def of_kind(figures: list[int] | list[float]) -> np.ndarray:
                return np.where(there, np.array(figures)[kind], 0)

            return Terms(
                conviction=np.where(there, _conviction_at(market, parameters, best, at), 0.0),
                scale=of_kind([one.scale_pct / 100.0 for one in blocks]),
                stop_bps=of_kind([round(one.stop_pct * 100) for one in blocks]),
                target_bps=of_kind([round(one.target_pct * 100) for one in blocks]),
                hold_ms=of_kind([one.max_hold_h * HOUR_MS for one in blocks]),
            )

        def measured(row: int) -> Measured:
            value, limit = score_pct[row - first], market.signals.triggers.min_score_pct
            return Measured(value, np.full(value.shape, limit), found.known[row])

        return Proposals(
            enter=whole_rows(market, enter.view(np.int8)),
            leave=np.zeros(market.frame.close.shape, np.int8),
            terms=terms,
            measured=measured,
        )


def _best(market: Market, parameters: "Rules", found: Found) -> Best:
    """Of the triggers that may buy; the first kind of equals."""
    first = market.first
    strengths = np.stack([one.strength[first:] for one in found.kinds.values()])
    confidences = np.stack([one.confidence[first:] for one in found.kinds.values()])
    buys = np.stack([_buys(market, parameters, found, name)[first:] for name in found.kinds])
    scores = np.where(buys, strengths * confidences, NONE)
    kind = np.argmax(scores, axis=0)
    score, strength, confidence = (
        np.take_along_axis(one, kind[None], 0)[0] for one in (scores, strengths, confidences)
    )
    is_reversal = kind == list(found.kinds).index("reversal")
    return Best(kind, score, strength, confidence, np.where(is_reversal, found.qualifiers[first:], 0))


def _buys(market: Market, parameters: "Rules", found: Found, name: str) -> np.ndarray:
    """Where a trigger points up and may be bought: a reversal needs its qualifiers, and no crash around it."""
    up = found.kinds[name].fired > 0 if getattr(parameters, name).enabled else np.zeros_like(found.known)
    if name != "reversal":
        return up
    qualified = found.qualifiers >= market.signals.triggers.reversal_min_qualifiers
    return np.asarray(up & qualified & (market.regime != CRASH)[market.hour][:, None])


def _foremost(scores: Floats, count: int) -> np.ndarray:
    """Where a score is among the `count` highest of its row; of equals the first columns."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    among = np.zeros(scores.shape, np.bool_)
    np.put_along_axis(among, order, True, axis=1)
    return np.asarray(among & (scores >= 0.0))


def _conviction_at(market: Market, parameters: "Rules", best: Best, at: Cells) -> Floats:
    core = np.array([market.tier(i) == 1 for i in range(len(market.frame.symbols))])
    total = (
        parameters.strength_weight_pct * best.strength[at]
        + parameters.confidence_weight_pct * best.confidence[at]
        + parameters.core_boost_pct * core[at[1]]
        + parameters.qualifier_boost_pct * best.qualifiers[at]
    )
    return np.asarray(np.clip(total / 100.0, 0.0, 1.0))


rules = RulesStrategy()
