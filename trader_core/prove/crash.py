"""`trader prove crash`: a LIVE cycle is killed at every boundary, under every outcome at the venue, and again while it
recovers; and `trader prove failing`: every write, statement and request of it fails once."""

from pathlib import Path

from trader_core.prove.campaign import Campaign, Told, lives_of, sampled
from trader_core.prove.lives import OUTCOMES
from trader_core.prove.matrix import Combination, combinations
from trader_core.prove.proved import Figure, Proved
from trader_core.prove.scenes import SCENES

CRASH = (
    "a LIVE cycle that is killed at any write, fsync or request, whatever the venue made of it, is settled by the next"
)
FAILING = "a LIVE cycle in which any one write, statement or request fails leaves nothing that the next does not settle"


SIGKILL = "a LIVE process that SIGKILL ends at any moment leaves nothing that the next does not settle"
KILLS = 1_200  # so that a thousand strike before the life has ended by itself


def crash(config: Path, work: Path, told: Told, only: str = "", sample: int | None = None) -> Proved:
    """All combinations, `only` one, or a `sample` of so many. Raises GateClosed where the stage cannot be set up."""
    campaign = Campaign("crash", config, work, told)
    if only:
        found = campaign.found("crash", [only])
        return campaign.proved(CRASH, {"combinations": 1}, found.values())
    outcomes = OUTCOMES if sample is None else OUTCOMES[:1]
    asked = {(scene, one): Combination(scene, one, ()).key for scene in SCENES for one in outcomes}
    met = campaign.found("plan", list(asked.values()))
    plan = {
        scene: {one: len(met[asked[scene, one if one in outcomes else outcomes[0]]]["met"]) for one in OUTCOMES}
        for scene in SCENES
    }
    keys = sampled([one.key for one in combinations(plan)], sample)
    results = campaign.found("crash", keys)
    figures: dict[str, Figure] = {f"boundaries_{scene}": max(counts.values()) for scene, counts in plan.items()}
    figures |= {"outcomes": len(OUTCOMES), **lives_of(results.values())}
    for crashes, words in ((1, "one_crash"), (2, "two_crashes"), (3, "three_crashes")):
        figures[words] = sum(key.count("/") == crashes + 1 for key in keys)
    return campaign.proved(CRASH, {**figures, "combinations": len(keys)}, results.values())


def failing(config: Path, work: Path, told: Told, only: str = "", sample: int | None = None) -> Proved:
    """The same for the n-th failure."""
    campaign = Campaign("failing", config, work, told)
    if only:
        return campaign.proved(FAILING, {"failures": 1}, campaign.found("failing", [only]).values())
    met = campaign.found("ports", [f"{scene}/0" for scene in SCENES])
    counts = {scene: len(met[f"{scene}/0"]["met"]) for scene in SCENES}
    every = [f"{scene}/{at}" for scene, count in counts.items() for at in range(1, count + 2)]
    keys = sampled(every, sample)
    results = campaign.found("failing", keys)
    figures: dict[str, Figure] = {f"calls_{scene}": count for scene, count in counts.items()}
    return campaign.proved(FAILING, {**figures, **lives_of(results.values()), "failures": len(keys)}, results.values())


def sigkill(config: Path, work: Path, told: Told, only: str = "", sample: int | None = None) -> Proved:
    """The same for SIGKILL at moments that nobody chose."""
    campaign = Campaign("sigkill", config, work, told)
    keys = [only] if only else [f"{scene}/{n}" for scene in SCENES for n in range((sample or KILLS) // len(SCENES))]
    results = campaign.found("sigkill", keys)
    counts = lives_of(results.values())
    figures = {"lives": counts["lives"], "signals": len(keys), "kills": counts["of_them_killed"]}
    return campaign.proved(SIGKILL, figures, results.values())
