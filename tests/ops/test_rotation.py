"""Keys grow old by the record of when they were first put in force, and change only by verified steps."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader_core.domain.clocktime import DAY_MS, HOUR_MS, EpochMs
from trader_core.domain.credentials import KeyPermissions
from trader_core.domain.errors import GateClosed, KeyUnusable, TraderError
from trader_core.domain.grant import KeyActivated, KeyStaged, KeyVerified, PermitFact, Rotation
from trader_core.domain.values import replace
from trader_core.ops.rotation import (
    activated,
    age_problem,
    rolled_back,
    rotation_of,
    staged,
    to_verify,
    verified,
)

T = EpochMs(1_700_000_000_000)
FIRST: list[PermitFact] = [
    KeyStaged("old", T), KeyVerified("old", "portfolio", T), KeyActivated("old", "", "portfolio", T),
]  # fmt: skip
STAGED = [*FIRST, KeyStaged("new", T)]
VERIFIED = [*STAGED, KeyVerified("new", "portfolio", T)]
ROTATED = [*VERIFIED, KeyActivated("new", "old", "portfolio", T)]
FIT = KeyPermissions(can_view=True, can_trade=True, can_transfer=False, portfolio_uuid="portfolio")


def age(facts: list[PermitFact], key: str, days: float) -> tuple[str, str]:
    return age_problem(rotation_of(facts), key, T + round(days * DAY_MS), 83, 90)


def test_a_key_is_fine_then_warned_of_then_closed() -> None:
    assert age(FIRST, "old", 0) == age(FIRST, "old", 82.99) == ("", "")
    assert age(FIRST, "old", 83) == ("the key is 83 days old; past 90 days it closes entries: rotate it", "")
    assert age(FIRST, "old", 90)[1] == ""
    assert age(FIRST, "old", 90.001)[1] == "the key is 90 days old, and may be 90"


def test_no_record_is_expired_and_so_is_one_from_the_future() -> None:
    assert "counts as expired" in age([], "old", 1)[1]
    assert "counts as expired" in age(FIRST, "another", 1)[1]
    assert "clock is before that" in age(FIRST, "old", -1 / DAY_MS)[1]


def test_a_key_that_comes_back_is_as_old_as_it_was() -> None:
    back = [*ROTATED, KeyActivated("old", "new", "portfolio", EpochMs(T + 95 * DAY_MS))]
    assert rotation_of(back).active == "old"
    assert age(back, "old", 95)[1] == "the key is 95 days old, and may be 90"


def test_a_whole_rotation_and_its_rollback() -> None:
    rotation = rotation_of(FIRST)
    rotation = rotation_of([*FIRST, staged(rotation, "new", T)])
    assert (rotation.active, to_verify(rotation)) == ("old", "new")
    rotation = rotation_of([*STAGED, verified(rotation, FIT, T)])
    step = activated(rotation, T)
    assert step == KeyActivated("new", "old", "portfolio", T)
    assert rotation_of([*VERIFIED, step]).staged == ""
    assert rolled_back(rotation_of(ROTATED), T) == KeyActivated("old", "new", "portfolio", T)


REFUSED: dict[str, tuple[Callable[[], object], type[TraderError], str]] = {
    "staging the key in force": (lambda: staged(rotation_of(FIRST), "old", T), GateClosed, "in force already"),
    "verifying nothing": (lambda: verified(rotation_of(FIRST), FIT, T), GateClosed, "no key is staged"),
    "a key that may transfer": (
        lambda: verified(rotation_of(STAGED), replace(FIT, can_transfer=True), T), KeyUnusable, "may transfer",
    ),
    "a key that may not trade": (
        lambda: verified(rotation_of(STAGED), replace(FIT, can_trade=False), T), KeyUnusable, "may not trade",
    ),
    "a key that may not look": (
        lambda: verified(rotation_of(STAGED), replace(FIT, can_view=False), T), KeyUnusable, "may not look",
    ),
    "a key without a portfolio": (
        lambda: verified(rotation_of([]), replace(FIT, portfolio_uuid=""), T), KeyUnusable, "no portfolio",
    ),
    "another portfolio": (
        lambda: verified(rotation_of(STAGED), replace(FIT, portfolio_uuid="theirs"), T), KeyUnusable, "not there",
    ),
    "activating nothing": (lambda: activated(rotation_of(FIRST), T), GateClosed, "no key is staged"),
    "activating unverified": (lambda: activated(rotation_of(STAGED), T), GateClosed, "not verified"),
    "activating what was verified long ago": (
        lambda: activated(rotation_of(VERIFIED), EpochMs(T + HOUR_MS + 1)), GateClosed, "not verified",
    ),
    "activating what was verified in the future": (
        lambda: activated(rotation_of(VERIFIED), EpochMs(T - 1)), GateClosed, "not verified",
    ),
    "activating another than was verified": (
        lambda: activated(rotation_of([*VERIFIED, KeyStaged("third", T)]), T), GateClosed, "third was not verified",
    ),
    "activating what another key was verified for": (
        lambda: activated(rotation_of([*STAGED, KeyVerified("third", "portfolio", T)]), T), GateClosed, "not verified",
    ),
    "rolling back the first key": (lambda: rolled_back(rotation_of(FIRST), T), GateClosed, "no key to roll back to"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_step_out_of_order_is_refused_and_changes_nothing(what: str) -> None:
    act, error, words = REFUSED[what]
    with pytest.raises(error) as refused:
        act()
    assert words in refused.value.what


keys = st.sampled_from(["a", "b", "c"])
steps = st.lists(
    st.one_of(
        st.builds(KeyStaged, keys, st.integers(0, 200).map(lambda n: EpochMs(n * DAY_MS))),
        st.builds(KeyVerified, keys, st.just("p"), st.integers(0, 200).map(lambda n: EpochMs(n * DAY_MS))),
        st.builds(KeyActivated, keys, keys, st.just("p"), st.integers(0, 200).map(lambda n: EpochMs(n * DAY_MS))),
    ),
    max_size=8,
)


@given(steps, keys, st.integers(0, 300))
def test_no_history_makes_a_key_younger_than_its_first_day(facts: list[PermitFact], key: str, day: int) -> None:
    first = next((one.at_ms for one in facts if isinstance(one, KeyActivated) and one.fingerprint == key), None)
    _, closed = age_problem(rotation_of(facts), key, day * DAY_MS, 83, 90)
    assert bool(closed) == (first is None or not 0 <= day * DAY_MS - first <= 90 * DAY_MS)
    assert rotation_of(facts).since_ms(key) == first


def test_an_empty_record_is_empty() -> None:
    assert rotation_of([]) == Rotation()
