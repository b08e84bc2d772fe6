"""A tightening never makes an entry pass that was refused: what a tighter policy lets through, in whatever size, the
looser one lets through too. Key by key, over generated books and markets, and for all keys at once."""

from collections import Counter
from decimal import Decimal
from random import Random

import numpy as np
import pytest
from hypothesis import given

from tests.laws.budget import examples
from tests.laws.make import FOUR, policy
from tests.laws.worlds import Dice, Scene, randoms
from tests.settings.keys import leaf_keys, mapped_keys
from trader_core.engine.law import law_of
from trader_core.ledger.integers import Axes
from trader_core.policies import movable_keys
from trader_core.rulebook.codes import GATE_COUNT, Verdict
from trader_core.rulebook.judge import judge
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import empty_desk
from trader_core.settings.direction import more_of
from trader_core.settings.edit import Value, edited, value_at
from trader_core.settings.schema import PROFILES, Settings

AXES = Axes(FOUR, ("momentum", "sma_cross"))
LOOSE: Settings = policy(
    strategies__momentum__max_at_risk_pct=60,
    strategies__sma_cross__max_at_risk_pct=60,
    policy__profile="AGGRESSIVE",
    policy__adds__allowed=True,
    policy__risk__max_total_at_risk_pct=90,
    policy__risk__max_per_asset_pct=60,
    policy__risk__max_day_loss_pct=30,
    policy__liquidity__max_entry_cost_bps=1000,
    policy__sizing__min_notional_quote=Decimal("0.01"),
)
LEAVES = {".".join(leaf.path): leaf for leaf in [*leaf_keys(), *mapped_keys()]}
OUT_OF_LAW = (  # what becomes a column, or a proposal, or is looked at by no judge: see the tests below
    "policy.halt.", "policy.orders.", "universe.tiers.tier_1_core.min_day", "universe.tiers.tier_2_rotational.min_day",
    "universe.tiers.tier_3_event_driven.min_day", "universe.near_threshold.volume", "universe.discovery.",
    "universe.bans.", "signals.triggers.",
)  # fmt: skip
KEYS = [key for key in movable_keys(LOOSE) if not key.startswith(OUT_OF_LAW)]


def law(settings: Settings) -> Law:
    return law_of(settings, AXES)


class UnderPolicy(Dice):
    """Worlds of a law that a policy made."""

    def law(self) -> Law:
        return law(LOOSE)


def passed(scene: Scene, under: Law, lots: int) -> int:
    """How many of those lots the judge lets through."""
    trace, desk = np.zeros((GATE_COUNT, 3)), empty_desk(len(scene.state.lots))
    draft = scene.draft._replace(lots=lots)
    code, left = judge(under, scene.guard, scene.state, scene.columns, scene.t, draft, scene.entered, desk, trace)
    return int(left) if code == Verdict.OK else 0


def tighter(key: str, random: Random) -> Value:
    """Some value between the tight end of its range and the one in LOOSE, its end not seldom."""
    leaf, now = LEAVES[key], value_at(LOOSE, key)
    if leaf.kind == "flag":
        return more_of(key) < 0
    if leaf.kind == "choice":
        return random.choice(PROFILES[: PROFILES.index(now) + 1])
    end = leaf.low if more_of(key) > 0 else leaf.high
    share = Decimal(str(random.choice((0.0, 0.01, 0.1, 0.5, random.random()))))
    found = Decimal(str(end)) + share * (Decimal(str(now)) - Decimal(str(end)))
    return int(found) if leaf.kind == "int" else round(found, 2)


def scenes_of(random: Random) -> Scene:
    return UnderPolicy(random).scene()


def asks_no_more(scene: Scene, settings: Settings, closed: Counter[str], name: str) -> None:
    under = law(settings)
    lots = passed(scene, under, scene.draft.lots)
    before = passed(scene, scene.law, scene.draft.lots)
    assert lots == 0 or passed(scene, scene.law, lots) == lots, f"{name} let {lots} lots pass that were refused"
    closed[name] += lots < before


def test_no_key_alone_lets_pass_what_was_refused() -> None:
    closed: Counter[str] = Counter()

    @given(randoms)
    @examples(60)
    def holds(random: Random) -> None:
        scene = scenes_of(random)
        scene = scene._replace(law=law(LOOSE))
        for key in random.sample(KEYS, 8):
            asks_no_more(scene, edited(LOOSE, {key: tighter(key, random)}, coherent=False), closed, key)

    holds()
    assert len(closed) > 20 and sum(map(bool, closed.values())) > 15, f"hardly tried: {closed}"


def test_nor_do_many_at_once() -> None:
    closed: Counter[str] = Counter()

    @given(randoms)
    @examples(80)
    def holds(random: Random) -> None:
        scene = scenes_of(random)._replace(law=law(LOOSE))
        keys = random.sample(KEYS, random.randint(1, 4))
        asks_no_more(scene, edited(LOOSE, {key: tighter(key, random) for key in keys}, coherent=False), closed, "all")

    holds()
    assert closed["all"]


@pytest.mark.parametrize("bolder", range(1, len(PROFILES)))
@given(random=randoms)
@examples(15)
def test_a_tighter_profile_asks_for_less_and_passes_less(bolder: int, random: Random) -> None:
    scene = scenes_of(random)
    tight, loose = (law(edited(LOOSE, {"policy.profile": PROFILES[n]}, coherent=False)) for n in (bolder - 1, bolder))
    lots = passed(scene, tight, scene.draft.lots)
    assert lots == 0 or passed(scene, loose, lots) == lots
    assert (tight.orders.position <= loose.orders.position).all()
    assert tight.risk.max_day_loss <= loose.risk.max_day_loss
    assert tight.risk.max_positions <= loose.risk.max_positions
