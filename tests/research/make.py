"""A study over a few days of the sample market, small enough to be replayed dozens of times."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, cast

from tests.calm import CALM
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, EpochMs, parse_utc
from trader_core.engine.replay import World, world_of
from trader_core.ports import CandleSource
from trader_core.research.pools import LocalPool
from trader_core.research.shelf import Markets
from trader_core.research.space import Choice, grid
from trader_core.research.sweep import Study, candidates_of, scores, worlds_of
from trader_core.research.tasks import Held, Pool, Results
from trader_core.research.trial import Candidate, Edits, Scored
from trader_core.settings.edit import Value, edited
from trader_core.settings.load import load
from trader_core.settings.schema import Settings
from trader_core.venues.simulated.sample import SampleMarket

CONFIG = Path(__file__).parents[2] / "config"
START: EpochMs = parse_utc("2024-01-01")
FAST, SLOW = "strategies.sma_cross.fast_bars", "strategies.sma_cross.slow_bars"
ONE_BY_ONE = LocalPool(1)  # in this process


@cache
def policy() -> Settings:
    few = {"universe.tiers.tier_1_core.bases": ("BTC", "SOL"), "universe.tiers.tier_2_rotational.bases": ("DOGE",)}
    return changed(load(CONFIG), CALM | few | {FAST: 2, SLOW: 5})


def changed(settings: Settings, edits: Mapping[str, Any]) -> Settings:
    return edited(settings, cast("Mapping[str, Value]", edits))


def days(count: int) -> Markets:
    """A market of so many days of decisions, in the bars of the policy."""

    def market(of: Settings) -> tuple[CandleSource, int, int]:
        source = SampleMarket(19, of.policy.cycle.base_bar_min * MINUTE_MS, Decimal(1))
        return source, START, START + count * DAY_MS

    return market


def world(count: int) -> World:
    """The same market in memory."""
    source, start_ms, end_ms = days(count)(policy())
    return world_of(source, policy(), start_ms, end_ms)


def study(
    folder: Path, pool: Pool = ONE_BY_ONE, results: Results | None = None, of: Settings | None = None, count: int = 2
) -> Study:
    kept = Held() if results is None else results
    return Study(of or policy(), days(count), folder, pool, kept, lambda done, total: None)


def crosses(**values: tuple[Value, ...]) -> tuple[Edits, ...]:
    """A grid over keys of sma_cross, by their last words."""
    return grid([Choice(f"strategies.sma_cross.{key}", each) for key, each in values.items()])


def candidates(of: Study, **values: tuple[Value, ...]) -> tuple[Candidate, ...]:
    return candidates_of(of, crosses(**values))


def scored_over(of: Study, one: Candidate, start_ms: int, end_ms: int) -> Scored:
    (found,) = scores(of, [(one, worlds_of(of, [one])[one.edits], (start_ms, end_ms))], series=True)
    return found
