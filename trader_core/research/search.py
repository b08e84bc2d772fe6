"""A search that learns from what it tried: values are asked for in rounds of one size, so the workers' number and the
order in which they end change nothing."""

from collections.abc import Sequence
from typing import Any

from trader_core.domain.errors import UsageError
from trader_core.research.space import Choice, Dimension, Range
from trader_core.research.sweep import OBJECTIVES, Study, Tried, candidates_of, tried
from trader_core.research.trial import Edits

ROUND = 8  # combinations that are tried side by side
SEEDS = 2**32  # that Optuna's chance tells apart


def searched(study: Study, dimensions: Sequence[Dimension], count: int, objective: str, seed: int) -> tuple[Tried, ...]:
    """So many combinations, each the likeliest to be better than those before; equal ones count once. Raises
    UsageError."""
    try:
        import optuna
    except ModuleNotFoundError as absent:
        raise UsageError("--optuna needs an extra", remedy="pip install 'trader[research]'") from absent
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    asked = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed % SEEDS))
    found: dict[Edits, Tried] = {}
    for first in range(0, count, ROUND):
        trials = [asked.ask() for _ in range(min(ROUND, count - first))]
        edits = [tuple((one.key, _suggested(trial, one)) for one in dimensions) for trial in trials]
        new = tuple(dict.fromkeys(one for one in edits if one not in found))
        found |= zip(new, tried(study, candidates_of(study, new)), strict=True)
        for trial, one in zip(trials, edits, strict=True):
            figures = found[one].figures
            value = None if figures is None else OBJECTIVES[objective](figures)
            failed = optuna.trial.TrialState.FAIL
            asked.tell(trial, None if value is None else float(value), state=failed if value is None else None)
    return tuple(found.values())


def _suggested(trial: Any, one: Dimension) -> Any:
    if isinstance(one, Choice):
        return one.values[trial.suggest_categorical(one.key, list(range(len(one.values))))]
    return _inside(trial, one)


def _inside(trial: Any, one: Range) -> Any:
    if one.whole:
        return trial.suggest_int(one.key, int(one.low), int(one.high), log=one.log)
    return one.at(trial.suggest_float(one.key, float(one.low), float(one.high), log=one.log))
