"""What is tried: every combination once, chance by the seed alone, and whatever is no configuration says why."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.research.make import FAST, policy
from trader_core.domain.errors import ConfigInvalid, UsageError
from trader_core.research.space import Choice, Dimension, Range, choice_of, drawn, grid, keys_of, range_of
from trader_core.research.trial import candidate_of
from trader_core.settings.digest import digest
from trader_core.settings.edit import edited, from_text, to_text, value_at

STOP = "strategies.sma_cross.stop_pct"


def test_a_grid_is_every_combination_in_order() -> None:
    found = grid([choice_of(f"{FAST}=5,10", policy()), choice_of("adds.allowed=true,false", policy())])
    assert found == tuple(
        ((FAST, fast), ("policy.adds.allowed", allowed)) for fast in (5, 10) for allowed in (True, False)
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("strategies.sma_cross.fast_bar=5", "did you mean fast_bars"),
        ("strategies.sma_cross=5", "not a single value"),
        ("nonsense=5", "not a known key"),
        (FAST, "no ="),
        (f"{FAST}=", "no values"),
        (f"{FAST}.more=1", "not a known key"),
    ],
)
def test_a_choice_that_makes_no_sense_is_told(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        choice_of(text, policy())


@pytest.mark.parametrize("text", ["5", "5..5", "9..5", "a..b", "0..5:log", "1..5:exp", "..5", "1..2..3"])
def test_a_range_that_makes_no_sense_is_told(text: str) -> None:
    with pytest.raises(UsageError, match=r"LOW\.\.HIGH"):
        range_of(f"{STOP}={text}", policy())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{FAST}=1.5..4", "whole"),
        (f"{STOP}=1..2.5:int", "whole"),
        (f"{STOP}=0.005..1", "two"),
        (f"{STOP}=1..1.234", "two"),
    ],
)
def test_a_range_ends_where_values_can_be_drawn(text: str, told: str) -> None:
    """1.5..4 of a whole number drew 1, and 0.005..1 drew 0.00: below the range."""
    with pytest.raises(UsageError, match=told):
        range_of(text, policy())


def test_a_key_is_given_once() -> None:
    with pytest.raises(UsageError, match="given twice"):
        list(keys_of([choice_of(f"{FAST}=5", policy()), range_of(f"{FAST}=5..9", policy())]))


@given(seed=st.integers(0, 2**32), log=st.booleans(), count=st.integers(1, 30))
def test_draws_lie_in_their_range_and_hang_on_the_seed_alone(seed: int, log: bool, count: int) -> None:
    space: list[Dimension] = [
        Range(STOP, Decimal("0.5"), Decimal(8), log, whole=False),
        Range(FAST, Decimal(2), Decimal(40), log, whole=True),
        Choice("policy.profile", ("NORMAL", "CAUTIOUS")),
    ]
    found = drawn(space, count, seed)
    assert found == drawn(space, count, seed)
    assert len(set(found)) == len(found) == count
    for (_, stop), (_, fast), (_, profile) in found:
        assert isinstance(stop, Decimal) and Decimal("0.5") <= stop <= 8 and stop == round(stop, 2)
        assert isinstance(fast, int) and 2 <= fast <= 40
        assert profile in ("NORMAL", "CAUTIOUS")


def test_another_seed_draws_others_and_a_small_space_is_drawn_whole() -> None:
    space = [Range(FAST, Decimal(2), Decimal(500), log=False, whole=True)]
    assert drawn(space, 20, 1) != drawn(space, 20, 2)
    few = [Range(FAST, Decimal(2), Decimal(4), log=False, whole=True)]
    assert sorted(value for ((_, value),) in drawn(few, 10, 1)) == [2, 3, 4]


def test_more_than_there_are_is_all_of_them_and_no_endless_search() -> None:
    profiles = Choice("policy.profile", ("NORMAL", "CAUTIOUS"))
    stops = Range(STOP, Decimal(2), Decimal("2.01"), log=False, whole=False)
    assert len(drawn((profiles, stops), 10**15, 1)) == 4


def test_a_whole_number_is_drawn_where_the_setting_is_one() -> None:
    assert range_of(f"{FAST}=2..9", policy()).whole
    assert not range_of(f"{STOP}=2..9", policy()).whole
    assert range_of(f"{STOP}=2..9:int", policy()).whole


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        (((FAST, 1),), "strategies.sma_cross.fast_bars"),
        (((FAST, "many"),), "strategies.sma_cross.fast_bars"),
        (((FAST, 400),), "not below slow_bars"),
        (((STOP, Decimal("1.234")),), "2 decimals"),
    ],
)
def test_what_is_no_configuration_says_why(edits: tuple[tuple[str, int], ...], told: str) -> None:
    found = candidate_of(policy(), edits)
    assert (found.policy, found.digest) == (None, "")
    assert told in "; ".join(found.problems)
    with pytest.raises(ConfigInvalid):
        edited(policy(), dict(edits))


def test_an_edit_changes_its_key_and_nothing_else() -> None:
    found = edited(policy(), {FAST: 4, "policy.risk.max_per_theme_pct.MEME": Decimal("15.5")})
    assert (found.strategies.sma_cross.fast_bars, found.policy.risk.max_per_theme_pct["MEME"]) == (4, 15.5)
    back = edited(found, {FAST: 2, "policy.risk.max_per_theme_pct.MEME": 100})
    assert (back, digest(back)) == (policy(), digest(policy()))
    assert value_at(found, FAST) == 4


def test_settings_come_back_from_their_text() -> None:
    paid = edited(policy(), {"app.paper.cash_quote": Decimal("1234.56789012")})
    assert from_text(to_text(paid)) == paid
    assert digest(from_text(to_text(paid))) == digest(paid)
