"""A backtest from the command line's words to its report: the replay, what it is measured by, and what was tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trader_core.bootstrap import settings_of
from trader_core.domain.clocktime import EpochMs, rfc3339
from trader_core.domain.errors import StateUnusable, UsageError
from trader_core.domain.money import from_grains, grains_down, plain
from trader_core.engine.compiled import Progress, cache_directory, digest_of_the_law
from trader_core.engine.law import costs_of
from trader_core.engine.replay import Flow, Replayed, World, prepare, replay_world, world_of
from trader_core.ports import CandleSource
from trader_core.report.backtest import (
    SCHEMA,
    Measured,
    Metadata,
    Setting,
    candle_digests,
    document,
    measured,
    silences,
    survivors,
)
from trader_core.report.performance import Tried, sharpe_of
from trader_core.research.chance import stream
from trader_core.rulebook import codes
from trader_core.rulebook.limits import Ints
from trader_core.settings.digest import digest
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.store.trials import Trial, Trials
from trader_core.worlds.simulated import period_of, source_of

CHANCE = 1  # the name of the report's stream


@dataclass(frozen=True)
class Study:
    """A policy and the market of a period, in memory."""

    options: Options
    policy: Settings
    source: CandleSource
    start_ms: int
    end_ms: int

    @cached_property
    def world(self) -> World:
        return world_of(self.source, self.policy, self.start_ms, self.end_ms)

    def replayed(
        self, *, interpreted: bool = False, flows: Sequence[Flow] = (), progress: Progress | None = None
    ) -> Replayed:
        return replay_world(self.world, self.policy, interpreted=interpreted, flows=flows, progress=progress)


def compiled_for(options: Options, progress: Progress) -> Path | None:
    """See that the law is compiled; where it is kept, None where it is not."""
    prepare(settings_of(options), progress)
    return cache_directory()


def study_of(options: Options) -> Study:
    """Raises ConfigInvalid, DataUnavailable, or UsageError where the period is empty."""
    policy = settings_of(options)
    source = source_of(policy, options)
    return Study(options, policy, source, *period_of(source, options))


def report_on(
    study: Study, replayed: Replayed, code: str, *, trades: bool = True, full: bool = False
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(the report, warnings that are not of the replay). `code` is this program's version. Notes the trial in the
    registry of the state directory."""
    broken = tuple(f"{name} broke and proposed nothing: {why}" for name, why in replayed.failures.items())
    of = measured(replayed, grains_down(study.policy.app.paper.cash_quote))
    tried, warnings = _tried(study, of)
    about = _metadata(study, of, code, broken)
    dice = stream(study.options.seed, CHANCE)
    return document(of, about, _setting(study, replayed), tried, dice, trades=trades, full=full), warnings


def _metadata(study: Study, of: Measured, code: str, broken: Sequence[str]) -> Metadata:
    options, policy, source = study.options, study.policy, study.source
    assumed = () if options.data is None else (*survivors(of.told), assumed_of(policy))
    return Metadata(
        trader=code,
        law_digest=digest_of_the_law(),
        schema=SCHEMA,
        seed=options.seed if options.data is None else None,
        chance_seed=options.seed,
        from_ms=EpochMs(study.start_ms),
        to_ms=EpochMs(study.end_ms),
        base_bar_min=policy.policy.cycle.base_bar_min,
        data_fingerprint=source.fingerprint,
        candles=candle_digests(of.told),
        config_digest=digest(policy),
        quote=source.quote,
        instruments=tuple(one.symbol for one in of.told.axes.instruments),
        exclusions=of.told.exclusions,
        warnings=(*broken, *source.warnings, *assumed, *silences(of.told)),
    )


def assumed_of(policy: Settings) -> str:
    """What a replay of a folder takes for granted."""
    paper = policy.app.paper
    return (
        "venue rules are assumed, not those of the time: a tick is the finest price step in the file, an order may be "
        f"of any size from 1 on, fees are {paper.maker_fee_bps:g} and {paper.taker_fee_bps:g} bps, and spread, depth "
        "and slippage are a model"
    )


def _setting(study: Study, replayed: Replayed) -> Setting:
    policy = study.policy
    return Setting(
        themes={asset: policy.universe.theme_of(asset) for asset in replayed.axes.assets},
        half_spread_ppm=costs_of(policy).half_spread_ppm,
        opens=_openings(study.world, replayed),
    )


def _openings(world: World, replayed: Replayed) -> Ints:
    """Opening of each fill's bar."""
    rows, instruments = replayed.filled[:, 0], replayed.filled[:, 1]
    return np.asarray(world.frame.open[world.first + rows, instruments])


def _tried(study: Study, of: Measured) -> tuple[Tried | None, tuple[str, ...]]:
    """Note this trial and count them all; where the registry cannot be used, nobody knows how many there were."""
    sharpe = sharpe_of(of.curve)
    trial = Trial(
        data=study.source.fingerprint, from_ms=EpochMs(study.start_ms), to_ms=EpochMs(study.end_ms),
        config=_config(study, of), sharpe=sharpe, trades=len(of.trades.pnl), command="backtest",
    )  # fmt: skip
    try:
        registry = Trials(study.options.state_directory)
        registry.note([trial])
        found = registry.seen(trial.data)
    except StateUnusable as lost:
        return None, (f"the registry of trials is not usable, so their number is unknown: {lost.what}",)
    return Tried(len(found), tuple(one for one in found if one is not None)), ()


def _config(study: Study, of: Measured) -> str:
    """What was tried: the same with money that comes or goes is something else, by its times and amounts."""
    at_ms = of.told.at_ms
    moved = [(rfc3339(int(at_ms[max(row, 0)])), from_grains(units)) for row, units in of.told.flows.tolist() if units]
    return " ".join([digest(study.policy), *(f"{when}={plain(amount)}" for when, amount in moved)])


def flows_of(study: Study, flows: Sequence[Flow]) -> tuple[Flow, ...]:
    """Cash that comes or goes during the period. Raises UsageError outside it and after its last decision."""
    bar_ms = study.source.bar_ms
    last_ms = (study.end_ms - 1) // bar_ms * bar_ms
    for at_ms, amount in flows:
        if not study.start_ms <= at_ms <= last_ms:
            raise UsageError(
                f"the flow of {plain(amount)} at {rfc3339(at_ms)} belongs to no decision of the period",
                remedy=f"a time from {rfc3339(study.start_ms)} to {rfc3339(last_ms)}",
            )
    return tuple(sorted(flows))


def check_solvent(study: Study, replayed: Replayed) -> None:
    """Raises UsageError where a withdrawal took all that the account had then, or cash that it did not have: the paper
    account lets nobody take what is held in coins, or kept for an order that rests."""
    flows = replayed.flows.tolist()
    if not any(grains < 0 for _, grains in flows):
        return
    fills = [
        (row, 1, (-value if slot == codes.ENTRY else value) - fee)
        for row, _, slot, _, _, value, fee, *_ in replayed.filled.tolist()
    ]
    cash, gone = grains_down(study.policy.app.paper.cash_quote), (0, 0)
    for row, filled, grains in sorted([*((row, 0, grains) for row, grains in flows), *fills], key=lambda one: one[:2]):
        cash += grains
        gone = (row, grains) if not filled and grains < 0 else gone
        if gone[1] and (cash < 0 or (not filled and grains < 0 and replayed.worth[row] == 0)):
            raise UsageError(
                f"a withdrawal of {plain(from_grains(-gone[1]))} on {rfc3339(int(replayed.at_ms[gone[0]]))} is more"
                " than the account had free then",
                remedy="a smaller one",
            )


def trials_of(options: Options) -> tuple[Trial, ...]:
    """Everything that was ever tried from this state directory. Raises StateUnusable."""
    return Trials(options.state_directory).all()
