"""A sweep: many combinations over one market, as a table that the seed alone decides."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from trader_core.domain.errors import UsageError
from trader_core.report.performance import Tried as Trials
from trader_core.research.figures import Figures, deflated_sharpe
from trader_core.research.shelf import Markets, Shelved, shelved
from trader_core.research.tasks import Pool, Progress, Results, run_tasks
from trader_core.research.trial import Candidate, Edits, Scored, candidate_of, read_scored, trial_of
from trader_core.settings.edit import Value, to_text

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

Span = tuple[int, int]  # first decision and end of the decisions, in milliseconds
Number = float | Decimal | int | None
LOSSLESS = Decimal("Infinity")  # the profit factor where something was won and nothing lost
OBJECTIVES: Mapping[str, Callable[[Figures], Number]] = {  # the highest is the best
    "max_drawdown_pct": lambda of: -of.max_drawdown_pct,
    "profit_factor": lambda of: LOSSLESS if of.profit_factor is None and of.win_rate else of.profit_factor,
    "sharpe": lambda of: of.sharpe,
    "total_pnl_pct": lambda of: of.total_pnl_pct,
    "win_rate": lambda of: of.win_rate,
}


@dataclass(frozen=True)
class Study:
    """What every trial of one command shares."""

    base: "Settings"
    markets: Markets
    folder: Path  # where worlds are shelved
    pool: Pool
    results: Results
    progress: Progress


@dataclass(frozen=True)
class Tried:
    """A combination and what became of it; `figures` is None where it is no sound configuration, or a strategy broke
    under it."""

    candidate: Candidate
    world: Shelved | None
    figures: Figures | None
    broken: tuple[str, ...] = ()


class Row(Struct, frozen=True):
    """One line of the table."""

    parameters: Mapping[str, Value]
    config_digest: str
    figures: Figures | None
    deflated_sharpe: float | None
    problems: tuple[str, ...]


def candidates_of(study: Study, combinations: Sequence[Edits]) -> tuple[Candidate, ...]:
    return tuple(candidate_of(study.base, one) for one in combinations)


def tried(study: Study, candidates: Sequence[Candidate]) -> tuple[Tried, ...]:
    """Every sound candidate replayed over the whole of its market."""
    worlds = worlds_of(study, candidates)
    found = iter(scores(study, [(one, worlds[one.edits], None) for one in candidates if one.policy is not None]))
    return tuple(
        Tried(one, None, None) if one.policy is None else _judged(one, worlds[one.edits], next(found))
        for one in candidates
    )


def _judged(candidate: Candidate, world: Shelved, outcome: Scored) -> Tried:
    """What a policy came to with a strategy broken is no figure of that policy."""
    return Tried(candidate, world, None if outcome.broken else outcome.figures, outcome.broken)


def worlds_of(study: Study, candidates: Sequence[Candidate]) -> dict[Edits, Shelved]:
    """The market of each sound candidate, by its edits."""
    sound = [(one, one.policy) for one in candidates if one.policy is not None]
    worlds = shelved([policy for _, policy in sound], study.markets, study.folder)
    return {one.edits: world for (one, _), world in zip(sound, worlds, strict=True)}


def scores(
    study: Study, wanted: Sequence[tuple[Candidate, Shelved, Span | None]], series: bool = False
) -> tuple[Scored, ...]:
    """The outcome of each replay, in their order; without a span it is the world's own."""
    base = to_text(study.base)
    tasks = [trial_of(base, one, at, span or (at.start_ms, at.end_ms), series) for one, at, span in wanted]
    return tuple(map(read_scored, run_tasks(tasks, study.pool, study.results, study.progress)))


def merit(figures: Figures | None, objective: str) -> tuple[bool, Decimal]:
    """Sorts from worst to best: what is unknown is worse than anything that is known."""
    value = None if figures is None else OBJECTIVES[objective](figures)
    return (False, Decimal(0)) if value is None else (True, Decimal(value))


def best_first(found: Sequence[Tried], objective: str) -> tuple[Tried, ...]:
    """By the objective, ties by parameters; what is no configuration comes last."""

    def place(one: Tried) -> tuple[bool, bool, Decimal, tuple[tuple[str, bool, Decimal, str], ...]]:
        known, value = merit(one.figures, objective)
        return one.figures is None, not known, -value, tuple((key, *_order(said)) for key, said in one.candidate.edits)

    return tuple(sorted(found, key=place))


def _order(value: Value) -> tuple[bool, Decimal, str]:
    """Numbers by size, before words."""
    words = isinstance(value, str)
    return words, Decimal(0) if isinstance(value, str) else Decimal(value), str(value) if words else ""


def table(found: Sequence[Tried], objective: str, known: Trials | None) -> tuple[Row, ...]:
    """`known` are all trials on this data, these among them; None where nobody knows how many there were."""
    return tuple(
        Row(
            parameters=dict(one.candidate.edits),
            config_digest=one.candidate.digest,
            figures=one.figures,
            deflated_sharpe=None if one.figures is None or known is None else deflated_sharpe(one.figures, known),
            problems=(*one.candidate.problems, *one.broken),
        )
        for one in best_first(found, objective)
    )


def check_objective(name: str) -> str:
    """Raises UsageError."""
    if name not in OBJECTIVES:
        raise UsageError(f"--objective {name} is not known", remedy=f"one of {', '.join(OBJECTIVES)}")
    return name
