"""The ratchet as a law: what is tightened lasts, what is loosened ends, and nothing is ever wider than it was said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.settings.keys import Leaf, leaf_keys, mapped_keys
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.policy import PolicyChange, PolicyVersion
from trader_core.policies import movable_keys
from trader_core.settings.digest import digest
from trader_core.settings.direction import DIRECTIONS, direction, is_movable
from trader_core.settings.edit import edited, value_at
from trader_core.settings.load import load, problem_of
from trader_core.settings.locate import defaults
from trader_core.settings.ratchet import (
    changes_in_force,
    digest_for,
    granted_digest,
    in_force,
    is_looser,
    loosened,
    loosenings,
    value_of,
    words_of,
)
from trader_core.settings.schema import PROFILES

SHIPPED = load(defaults())
BY_NAME = {".".join(leaf.path): leaf for leaf in [*leaf_keys(), *mapped_keys()]}
MOVABLE = movable_keys(SHIPPED)
OF_LIMITS = ("policy", "universe", "signals")
POSITIONS = "policy.risk.max_open_positions"  # 6 in the files
DAY = "policy.risk.max_day_loss_pct"


def version(number: int, *changes: tuple[str, Any, int | None]) -> PolicyVersion:
    """Made at host time 100 times its number."""
    made = tuple(
        PolicyChange(key, "", words_of(value), None if until is None else EpochMs(until))
        for key, value, until in changes
    )
    return PolicyVersion(number, EpochMs(0), EpochMs(100 * number), "somebody", "a test", made)


def positions(versions: list[PolicyVersion], now_ms: int) -> int:
    return in_force(SHIPPED, versions, now_ms).policy.risk.max_open_positions


def test_every_key_of_a_limit_has_a_direction_or_is_said_to_have_none() -> None:
    for leaf in [*leaf_keys(), *mapped_keys()]:
        key = ".".join(leaf.path)
        if leaf.path[0] in OF_LIMITS and leaf.kind != "mapping":
            assert direction(key).pattern, f"{key} stands in no row of settings/direction.py"
        assert not is_movable(key) or direction(key).more, f"{key} may be moved, and nobody knows which way is looser"


def test_every_row_of_directions_is_of_some_key_and_is_met() -> None:
    met = {direction(".".join(leaf.path)) for leaf in [*leaf_keys(), *mapped_keys()]}
    assert set(DIRECTIONS) <= met


def test_what_chooses_or_measures_is_not_for_the_store() -> None:
    for key in ("app.mode", "app.exchange.read_only", "policy.cycle.base_bar_min", "policy.exits.trailing_stop_pct",
                "policy.orders.limit_band_bps", "universe.never_trade", "signals.regime.trend_h",
                "signals.guards.outlier_deviation_pct", "signals.guards.outlier_volume_pct",
                "strategies.sma_cross.stop_pct", "policy.no_such_key"):  # fmt: skip
        assert not is_movable(key), key
        assert in_force(SHIPPED, [version(2, (key, 1, None))], 0) is SHIPPED


def test_a_tightening_lasts_and_a_loosening_ends_at_its_millisecond() -> None:
    tight, loose = version(2, (POSITIONS, 2, None)), version(3, (POSITIONS, 4, 1_000))
    assert positions([tight], 10**15) == 2
    assert [positions([tight, loose], now) for now in (0, 999, 1_000, 10**15)] == [4, 4, 2, 2]
    assert [positions([loose], now) for now in (0, 1_000)] == [6, 6], "a loosening does not tighten"


def test_what_is_loosened_up_to_what_is_written_is_told_as_loosened_too() -> None:
    """6 are written and 2 were to last: 6 for a while is more than it will be again."""
    made = [version(2, (POSITIONS, 2, None)), version(3, (POSITIONS, 6, 1_000))]
    assert [loosened(SHIPPED, made, now) for now in (999, 1_000)] == [(f"3 {POSITIONS}=6",), ()]
    assert loosened(SHIPPED, [version(2, ("policy.risk.no_such_key", 6, 1_000))], 0) == (), "a key that is no more"


def test_a_tightening_under_a_loosening_takes_from_it_and_gives_nothing_back() -> None:
    over = version(2, (POSITIONS, 10, 1_000))
    assert [positions([over, version(3, (POSITIONS, 8, None))], now) for now in (0, 1_000)] == [8, 6]
    assert [positions([over, version(3, (POSITIONS, 3, None))], now) for now in (0, 1_000)] == [3, 3]


def test_what_is_written_later_is_the_ceiling_of_what_was_tightened_before() -> None:
    tighter = edited(SHIPPED, {POSITIONS: 1})
    assert in_force(tighter, [version(2, (POSITIONS, 2, None))], 0).policy.risk.max_open_positions == 1


def test_a_profile_is_a_key_like_others() -> None:
    bold, shy = version(2, ("policy.profile", "AGGRESSIVE", 1_000)), version(3, ("policy.profile", "CAUTIOUS", None))
    assert [in_force(SHIPPED, [bold], now).policy.profile for now in (0, 1_000)] == ["AGGRESSIVE", "DEFENSIVE"]
    assert in_force(SHIPPED, [bold, shy], 0).policy.profile == "CAUTIOUS"


def ends(leaf: Leaf) -> list[Any]:
    """Its tightest value, what is shipped, and its loosest."""
    if leaf.path[-1] == "profile":
        return [PROFILES[0], leaf.shipped, PROFILES[-1]]
    pair = [leaf.low, leaf.high] if direction(".".join(leaf.path)).more > 0 else [leaf.high, leaf.low]
    return [pair[0], leaf.shipped, pair[1]]


@pytest.mark.parametrize("key", MOVABLE)
def test_a_key_moves_from_one_end_to_the_other_and_not_beyond(key: str) -> None:
    tight, shipped, loose = (value_of(words_of(one)) for one in ends(BY_NAME[key]))
    held = [version(2, (key, tight, None)), version(3, (key, loose, 1_000))]
    made = [value_at(in_force(SHIPPED, held, now), key) for now in (0, 1_000)]
    assert not is_looser(key, loose, made[0]) and not is_looser(key, made[0], loose)
    assert not is_looser(key, tight, made[1]) and not is_looser(key, made[1], tight)
    assert not is_looser(key, tight, shipped) and not is_looser(key, shipped, loose)
    leaf = BY_NAME[key]
    if leaf.is_number:
        assert "outside" in problem_of(SHIPPED, key, leaf.high + 1)


steps = st.tuples(st.integers(1, 12), st.none() | st.integers(0, 50))


@given(st.lists(steps, max_size=8), st.integers(0, 60), st.integers(1, 12))
@examples(150)
def test_it_is_a_function_of_versions_and_time_and_never_wider_than_what_was_last_said(
    made: list[tuple[int, int | None]], now: int, written: int
) -> None:
    """Against a count by hand: the tightest that lasts, and the newest loosening that is not over, clipped by every
    tightening since."""
    base = edited(SHIPPED, {POSITIONS: written}, coherent=False)
    versions = [version(n, (POSITIONS, value, until)) for n, (value, until) in enumerate(made, 2)]
    lasting = min([written, *(value for value, until in made if until is None)])
    open_, since = 0, [one for one in made if one[1] is None or now < one[1]]
    for value, until in since:
        open_ = value if until is not None else min(open_, value) if open_ else 0
    found = in_force(base, versions, now).policy.risk.max_open_positions
    assert found == max(lasting, open_)
    assert found == in_force(base, versions, now).policy.risk.max_open_positions
    later = in_force(base, versions, 51).policy.risk.max_open_positions
    assert later == lasting, "in the end only what tightens is left"
    if not [1 for _, until in made if until is not None and now < until]:
        assert found <= written


def test_a_grant_covers_what_was_loosened_before_it_and_nothing_since() -> None:
    tight, loose = version(2, (POSITIONS, 2, None)), version(3, (POSITIONS, 4, 1_000))
    assert digest_for(SHIPPED, [tight], 50, 500) == digest(SHIPPED), "a tightening voids nothing"
    before = granted_digest(SHIPPED, loosenings([tight], 250))
    assert digest_for(SHIPPED, [tight, loose], 250, 500) != before, "a loosening since does"
    with_it = granted_digest(SHIPPED, loosenings([tight, loose], 400))
    assert digest_for(SHIPPED, [tight, loose], 400, 500) == with_it
    assert digest_for(SHIPPED, [tight, loose], 400, 5_000) == with_it, "one that has lapsed voids nothing"
    clipped = version(4, (POSITIONS, 1, None))
    assert digest_for(SHIPPED, [tight, loose, clipped], 400, 500) == with_it
    again = version(5, (POSITIONS, 3, 2_000))
    assert digest_for(SHIPPED, [tight, loose, again], 400, 1_500) != with_it
    assert digest_for(edited(SHIPPED, {POSITIONS: 5}), [tight, loose], 400, 500) != with_it


def test_what_is_in_force_names_only_what_differs() -> None:
    versions = [version(2, (POSITIONS, 6, None)), version(3, (DAY, 2, None))]
    assert changes_in_force(SHIPPED, versions, 0) == {DAY: 2}
    assert in_force(SHIPPED, versions, 0).policy.risk_in_force.max_day_loss_pct == 2.0
