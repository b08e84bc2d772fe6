"""Walk-forward: choose on what lies before, judge on what comes after, and never let the two touch."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from math import fsum
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from trader_core.domain.clocktime import DAY_MS, HOUR_MS
from trader_core.domain.errors import UsageError
from trader_core.engine.columns import lookback_of
from trader_core.engine.law import bar_ms_of, enabled_strategies
from trader_core.report.performance import daily_figures
from trader_core.report.trades import pct
from trader_core.report.written import significant
from trader_core.research.figures import Figures, rounded
from trader_core.research.shelf import Shelved
from trader_core.research.sweep import Span, Study, merit, scores, worlds_of
from trader_core.research.trial import Candidate, Scored
from trader_core.settings.edit import Value

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

HOLD = "max_hold_h"
FOLDS_MAX = 1_000


class Plan(Struct, frozen=True):
    """Lengths of the folds. `purge_bars` and `embargo_bars` lie between the last row trained on and the first test."""

    train_days: int
    test_days: int
    anchored: bool  # every training begins at the first decision; else it is as long as the first one
    purge_bars: int
    embargo_bars: int


class Fold(Struct, frozen=True):
    """Two spans of decisions in milliseconds, the second after the first."""

    train: Span
    test: Span


class Judged(Struct, frozen=True):
    """One fold: what was best in training, and what it did afterwards. Without a best one nothing is traded."""

    fold: Fold
    parameters: Mapping[str, Value] | None
    config_digest: str
    train: Figures | None
    test: Figures | None


class Point(Struct, frozen=True):
    """The chained account at the end of a UTC day; it begins at 100."""

    at_ms: int
    worth: float


class Total(Struct, frozen=True):
    """All tests as one account. `degradation` is how much Sharpe ratio was lost on the way, mean of the folds."""

    folds: int
    traded_folds: int
    total_trades: int
    total_pnl_pct: Decimal
    max_drawdown_pct: Decimal  # of days' ends
    sharpe: float | None
    train_sharpe: float | None  # mean of the folds' best
    test_sharpe: float | None  # mean of the same folds
    degradation: float | None


class Walked(Struct, frozen=True):
    """`trained` is every training that was replayed, to be counted among the trials on this data."""

    trained: tuple[tuple[Candidate, Shelved, Span, Figures], ...]
    judged: tuple[Judged, ...]
    total: Total
    equity: tuple[Point, ...]


def shared_span(worlds: Sequence[Shelved]) -> tuple[int, int, int]:
    """(first decision, end of the decisions, bar) that all markets have, on the grid of the longest of their bars."""
    bar_ms = max(one.bar_ms for one in worlds)
    start_ms = max(one.start_ms for one in worlds)
    return -(-start_ms // bar_ms) * bar_ms, min(one.end_ms for one in worlds), bar_ms


def folds_of(start_ms: int, end_ms: int, bar_ms: int, plan: Plan) -> tuple[Fold, ...]:
    """As many whole folds as fit, their tests one after another without a gap. Raises UsageError where none does, or
    more than FOLDS_MAX."""
    gap_ms, train_ms, test_ms = (plan.purge_bars + plan.embargo_bars) * bar_ms, plan.train_days * DAY_MS, plan.test_days
    test_ms *= DAY_MS
    count = (end_ms - start_ms - train_ms - gap_ms) // test_ms
    if count < 1:
        need = plan.train_days + plan.test_days + -(-gap_ms // DAY_MS)
        raise UsageError(
            f"not one fold fits: training, gap and test take {need} days",
            remedy="a longer --from --to, or less --train",
        )
    if count > FOLDS_MAX:
        raise UsageError(f"{count} folds are more than {FOLDS_MAX}", remedy="a longer --test, or a shorter --from --to")
    found: list[Fold] = []
    for n in range(count):
        trained = start_ms + train_ms + n * test_ms
        tested = trained + gap_ms
        found.append(Fold((start_ms if plan.anchored else trained - train_ms, trained), (tested, tested + test_ms)))
    return tuple(found)


def purge_of(policies: Sequence["Settings"], bar_ms: int) -> int:
    """Bars that a training must end before its test: the longest window, or the longest that a position is held."""
    windows = [lookback_of(one) * bar_ms_of(one) for one in policies]
    holds = [hours * HOUR_MS for one in policies for hours in _holds(one)]
    return -(-max([*windows, *holds], default=0) // bar_ms)


def _holds(policy: "Settings") -> list[int]:
    blocks = [getattr(policy.strategies, name).model_dump() for name in enabled_strategies(policy)]
    return [hours for block in blocks for hours in _holds_in(block)]


def _holds_in(block: Mapping[str, Any]) -> list[int]:
    """Its own holding time, and those of the blocks inside it that are switched on."""
    own = [block[HOLD]] if HOLD in block else []
    inner = [one for one in block.values() if isinstance(one, Mapping) and one.get("enabled", True)]
    return own + [hours for one in inner for hours in _holds_in(one)]


def walked(study: Study, candidates: Sequence[Candidate], folds: Sequence[Fold], objective: str) -> Walked:
    """Every candidate in every training, then each fold's best in its test, from an account that is flat."""
    worlds = worlds_of(study, candidates)
    sound = [one for one in candidates if one.policy is not None]
    trainings = [(one, worlds[one.edits], fold.train) for fold in folds for one in sound]
    figures = [None if one.broken else one.figures for one in scores(study, trainings)]
    trained = tuple((*one, of) for one, of in zip(trainings, figures, strict=True) if of is not None)
    count = len(sound)
    best = [_best(sound, figures[n * count : (n + 1) * count], objective) for n in range(len(folds))]
    wanted = [(one[0], worlds[one[0].edits], fold.test) for one, fold in zip(best, folds, strict=True) if one]
    tested = iter(scores(study, wanted, series=True))
    tests = [next(tested) if one else None for one in best]
    judged = tuple(map(_judged, folds, best, tests))
    return Walked(trained, judged, *_total(judged, tests))


def _best(
    sound: Sequence[Candidate], figures: Sequence[Figures | None], objective: str
) -> tuple[Candidate, Figures] | None:
    """The first of the highest; None where the objective is known of none."""
    pairs = [(one, of) for one, of in zip(sound, figures, strict=True) if of is not None and merit(of, objective)[0]]
    return max(pairs, key=lambda one: merit(one[1], objective), default=None)


def _judged(fold: Fold, best: tuple[Candidate, Figures] | None, test: Scored | None) -> Judged:
    if best is None or test is None:
        return Judged(fold, None, "", None, None)
    return Judged(fold, dict(best[0].edits), best[0].digest, best[1], test.figures)


def _total(judged: Sequence[Judged], tests: Sequence[Scored | None]) -> tuple[Total, tuple[Point, ...]]:
    """A day on which one test ends and the next begins is one day of the account; it ends where the later one does.
    Through a test that trades nothing the account stays what it was."""
    level, ends = 100.0, dict[int, float]()
    for of, one in zip(judged, tests, strict=True):
        start_ms, end_ms = of.fold.test
        ends |= dict.fromkeys(range(start_ms // DAY_MS, (end_ms - 1) // DAY_MS + 1), level)
        if one is not None and one.initial > 0:
            ends |= {day: level * close / one.initial for day, close in zip(one.days, one.closes, strict=True)}
            level = ends[one.days[-1]] if one.days else level
    points = [Point((day + 1) * DAY_MS, rounded(at)) for day, at in ends.items()]
    returns = [after / before - 1 for before, after in pairwise([100.0, *ends.values()]) if before > 0]
    pairs = [(one.train.sharpe, one.test.sharpe) for one in judged if one.train and one.test]
    sharpes = [(before, after) for before, after in pairs if before is not None and after is not None]
    before, after = (_mean([pair[n] for pair in sharpes]) for n in (0, 1))
    total = Total(
        folds=len(judged),
        traded_folds=sum(one.test is not None and one.test.total_trades > 0 for one in judged),
        total_trades=sum(one.test.total_trades for one in judged if one.test),
        total_pnl_pct=pct(Decimal(repr(level)) - 100, Decimal(100)),
        max_drawdown_pct=_drawdown([one.worth for one in points]),
        sharpe=_sharpe(returns),
        train_sharpe=before,
        test_sharpe=after,
        degradation=None if before is None or after is None else rounded(before - after),
    )
    return total, tuple(points)


def _sharpe(returns: Sequence[float]) -> float | None:
    return significant(daily_figures(np.array(returns)[:, None])["sharpe"][0]) if len(returns) > 1 else None


def _mean(values: Sequence[float]) -> float | None:
    return rounded(fsum(values) / len(values)) if values else None


def _drawdown(worth: Sequence[float]) -> Decimal:
    peak, deepest = 100.0, Decimal(0)
    for one in worth:
        peak = max(peak, one)
        deepest = max(deepest, pct(Decimal(repr(peak)) - Decimal(repr(one)), Decimal(repr(peak))))
    return deepest
