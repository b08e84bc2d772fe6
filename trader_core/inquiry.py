"""Research from the command line's words: the market, the workers, where outcomes are kept, and what was ever tried."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from trader_core.bootstrap import settings_of
from trader_core.domain.clocktime import EpochMs, rfc3339
from trader_core.domain.errors import StateUnusable
from trader_core.engine.compiled import digest_of_the_law
from trader_core.engine.replay import prepare
from trader_core.ports import CandleSource
from trader_core.report.backtest import NOTHING_TRADED
from trader_core.report.performance import Tried
from trader_core.research.figures import Figures
from trader_core.research.pools import available_cores, opened
from trader_core.research.shelf import Markets, Shelved
from trader_core.research.sweep import Span, Study
from trader_core.research.tasks import Held, Kept, Progress
from trader_core.research.trial import Candidate
from trader_core.settings.digest import digest
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.store.trials import Trial, Trials
from trader_core.study import assumed_of
from trader_core.worlds.simulated import period_of, source_of

RESULTS, WORLDS = "results", "worlds"  # in the folder of --resume
Noted = tuple[Candidate, Shelved, Span, Figures]


@contextmanager
def inquiry(
    options: Options, engine: str, jobs: int | None, resume: Path | None, compiling: Progress, progress: Progress
) -> Iterator[Study]:
    """Everything that the trials of one command share, the law compiled once before its workers look for it. Raises
    ConfigInvalid or UsageError."""
    policy = settings_of(options)
    prepare(policy, compiling)
    with ExitStack() as until_closed:
        folder = resume.absolute() if resume else Path(until_closed.enter_context(TemporaryDirectory()))
        results = Kept(folder / RESULTS) if resume else Held()
        pool = until_closed.enter_context(opened(engine, jobs or available_cores()))
        yield Study(policy, _markets(options), folder / WORLDS, pool, results, progress)


def _markets(options: Options) -> Markets:
    def market(policy: Settings) -> tuple[CandleSource, int, int]:
        source = source_of(policy, options)
        return source, *period_of(source, options)

    return market


def about(study: Study, worlds: Sequence[Shelved], options: Options) -> dict[str, Any]:
    """What the figures depend on, of all markets; not how many workers there were, nor where they ran."""
    one, symbols = worlds[0], sorted({symbol for each in worlds for symbol in each.symbols})
    excluded = dict.fromkeys(left for each in worlds for left in each.exclusions if left.symbol not in symbols)
    said = dict.fromkeys(line for each in worlds for line in each.warnings)
    nothing = () if symbols else (NOTHING_TRADED,)
    assumed = () if options.data is None else (assumed_of(study.base),)
    return {
        "law_digest": digest_of_the_law(),
        "seed": options.seed,
        "from_time": rfc3339(min(each.start_ms for each in worlds)),
        "to_time": rfc3339(max(each.end_ms for each in worlds)),
        "data_fingerprint": one.fingerprint,
        "market_digests": sorted({each.digest for each in worlds}),
        "config_digest": digest(study.base),
        "quote": one.quote,
        "instruments": symbols,
        "exclusions": tuple(excluded),
        "warnings": (*said, *nothing, *assumed),
    }


def noted(options: Options, trials: Sequence[Noted], command: str) -> tuple[Tried | None, tuple[str, ...]]:
    """(all trials on this data, these among them; what is to be said). Where the registry cannot be used nobody knows
    how many there were."""
    made = [
        Trial(
            data=world.fingerprint, from_ms=EpochMs(span[0]), to_ms=EpochMs(span[1]), config=candidate.digest,
            sharpe=figures.sharpe, trades=figures.total_trades, command=command,
        )
        for candidate, world, span, figures in trials
    ]  # fmt: skip
    try:
        registry = Trials(options.state_directory)
        registry.note(made)
        found = [one for data in sorted({one.data for one in made}) for one in registry.seen(data)]
    except StateUnusable as lost:
        return None, (f"the registry of trials is not usable, so their number is unknown: {lost.what}",)
    return Tried(len(found), tuple(one for one in found if one is not None)), ()
