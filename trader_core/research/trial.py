"""One replay of one policy over one span, as a task: what is sent are names, edits and times."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from trader_core.domain.codec import from_json, to_json
from trader_core.domain.errors import ConfigInvalid
from trader_core.engine.replay import Replayed, replay_world
from trader_core.research.figures import Figures, curve_on, figures_on
from trader_core.research.shelf import Shelved, memo_of, part_of
from trader_core.research.tasks import digest_of
from trader_core.settings.digest import digest
from trader_core.settings.edit import Value, edited, from_text

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

Edits = tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Candidate:
    """One combination of values: a policy, or what is wrong with it."""

    edits: Edits
    policy: "Settings | None"
    problems: tuple[str, ...]

    @cached_property
    def digest(self) -> str:
        """Of the configuration; '' where there is none."""
        return "" if self.policy is None else digest(self.policy)


class Scored(Struct, frozen=True):
    """A trial's outcome. `closes` is the equity at the end of each of the UTC `days`, 1e-8 quote, where
    it was asked for."""

    figures: Figures
    initial: int
    days: tuple[int, ...]
    closes: tuple[int, ...]
    broken: tuple[str, ...]  # strategies that broke, and what broke them: they proposed nothing


@dataclass(frozen=True)
class Trial:
    """Policy `settings` with `edits`, over decisions in [start_ms, end_ms) of a shelved world."""

    folder: str
    world: str  # digest of the market, of every bar in it
    settings: str  # the base, as one text
    edits: Edits
    start_ms: int
    end_ms: int
    series: bool = False

    @cached_property
    def digest(self) -> str:
        words = (self.settings, repr(self.edits), str(self.start_ms), str(self.end_ms), str(self.series))
        return digest_of("trial", self.world, *words)

    def run(self) -> str:
        policy = edited(_base(self.settings), dict(self.edits))
        part = self.folder, self.start_ms, self.end_ms
        replayed = replay_world(part_of(*part), policy, memo=memo_of(*part))
        return to_json(scored(replayed, policy, self.series))


@lru_cache(maxsize=8)
def _base(settings: str) -> "Settings":
    return from_text(settings)


def scored(replayed: Replayed, policy: "Settings", series: bool = False) -> Scored:
    curve = curve_on(replayed, policy)
    days, closes = (curve.days.tolist(), curve.closings[1:].tolist()) if series else ((), ())
    broken = tuple(f"{name} broke: {why}" for name, why in replayed.failures.items())
    return Scored(figures_on(replayed, curve), curve.initial, tuple(days), tuple(map(int, closes)), broken)


def read_scored(text: str) -> Scored:
    return from_json(Scored, text)


def candidate_of(base: "Settings", edits: Edits) -> Candidate:
    """The base with these values; one that makes no sound configuration says why."""
    try:
        return Candidate(edits, edited(base, dict(edits)), ())
    except ConfigInvalid as invalid:
        return Candidate(edits, None, invalid.problems)


def trial_of(base: str, candidate: Candidate, world: Shelved, span: tuple[int, int], series: bool = False) -> Trial:
    """`span` in milliseconds, inside the world's."""
    return Trial(world.folder, world.digest, base, candidate.edits, *span, series)
