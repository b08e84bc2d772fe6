"""`trader prove crash`: a LIVE cycle is killed at every boundary, under every outcome at the venue, and again while it
recovers; and `trader prove failing`: every write, statement and request of it fails once."""

from collections.abc import Sequence
from pathlib import Path

from trader_core.domain.errors import UsageError
from trader_core.prove.campaign import Campaign, Told, lives_of, sampled
from trader_core.prove.lives import OUTCOMES
from trader_core.prove.matrix import Combination, combinations
from trader_core.prove.proved import Figure, Proved
from trader_core.prove.scenes import SCENES

CRASH = (
    "A LIVE cycle that is killed at any write, fsync or request, whatever the venue made of it, is settled by the next."
)
FAILING = (
    "A LIVE cycle in which any one write, statement or request fails leaves nothing that the next does not settle."
)

Scenes = Sequence[str]
SIGKILL = "A LIVE process that SIGKILL ends at any moment leaves nothing that the next does not settle."
KILLS = 1_200  # so that a thousand strike before the life has ended by itself


def crash(
    config: Path, work: Path, told: Told, only: str = "", sample: int | None = None, scenes: Scenes = ()
) -> Proved:
    """All combinations, those of some `scenes`, `only` one, or a `sample` of so many. Raises GateClosed where the stage
    cannot be set up."""
    played = _played(scenes)
    campaign = Campaign("crash", config, work, told)
    plan = {} if only else _planned(campaign, played, OUTCOMES if sample is None else OUTCOMES[:1])
    keys = [only] if only else sampled([one.key for one in combinations(plan)], sample)
    results = campaign.found("crash", keys)
    figures: dict[str, Figure] = {f"boundaries_{one}": max(plan[one].values()) if one in plan else 0 for one in SCENES}
    figures |= {"outcomes": len(OUTCOMES), **lives_of(results.values())}
    for crashes, words in ((1, "one_crash"), (2, "two_crashes"), (3, "three_crashes")):
        figures[words] = sum(key.count("/") == crashes + 1 for key in keys)
    return campaign.proved(CRASH, {**figures, "combinations": len(keys)}, results.values())


def _planned(campaign: Campaign, played: Scenes, outcomes: Scenes) -> dict[str, dict[str, int]]:
    """Boundaries by scene and outcome; those of the first outcome for one that was not looked at."""
    asked = {(scene, one): Combination(scene, one, ()).key for scene in played for one in outcomes}
    met = campaign.found("plan", list(asked.values()))
    return {
        scene: {one: len(met[asked[scene, one if one in outcomes else outcomes[0]]]["met"]) for one in OUTCOMES}
        for scene in played
    }


def failing(
    config: Path, work: Path, told: Told, only: str = "", sample: int | None = None, scenes: Scenes = ()
) -> Proved:
    """The same for the n-th failure: every number up to the first that nothing has."""
    played = _played(scenes)
    campaign = Campaign("failing", config, work, told)
    met = {} if only else campaign.found("ports", [f"{one}/0" for one in played])
    counts = {key.partition("/")[0]: len(one["met"]) for key, one in met.items()}
    every = [f"{one}/{at}" for one, count in counts.items() for at in range(1, count + 2)]
    keys = [only] if only else sampled(every, sample)
    results = campaign.found("failing", keys)
    figures: dict[str, Figure] = {f"calls_{one}": counts.get(one, 0) for one in SCENES}
    return campaign.proved(FAILING, {**figures, **lives_of(results.values()), "failures": len(keys)}, results.values())


def sigkill(
    config: Path, work: Path, told: Told, only: str = "", sample: int | None = None, scenes: Scenes = ()
) -> Proved:
    """The same for SIGKILL at moments that nobody chose."""
    played = _played(scenes)
    campaign = Campaign("sigkill", config, work, told)
    keys = [only] if only else [f"{one}/{n}" for one in played for n in range((sample or KILLS) // len(played))]
    results = campaign.found("sigkill", keys)
    counts = lives_of(results.values())
    figures = {"lives": counts["lives"], "signals": len(keys), "kills": counts["of_them_killed"]}
    return campaign.proved(SIGKILL, figures, results.values())


def _played(scenes: Scenes) -> Scenes:
    """Raises UsageError for a scene that there is not."""
    unknown = [one for one in scenes if one not in SCENES]
    if unknown:
        raise UsageError(f"there is no scene {unknown[0]}; there are {', '.join(SCENES)}")
    return list(scenes) or list(SCENES)
