"""Bounded parts of `make prove-crash`, `prove-failing` and `prove-sigkill`."""

from pathlib import Path
from typing import Any

from tests.cli.program import Inside
from tests.world import CONFIG
from trader_core.prove.lives import OUTCOMES
from trader_core.prove.matrix import Combination, combination_of, combinations

COUNTS = {"entry": dict.fromkeys(OUTCOMES, 40), "kill": dict.fromkeys(OUTCOMES, 11)}


def proved(home: Path, *words: str) -> dict[str, Any]:
    done = Inside(home)("prove", *words, "--json", "--config", CONFIG, "--work", home / "work")
    assert done.code == 0, done.out + done.err
    return done.data


def test_a_sample_of_the_crash_matrix_leaves_nothing_unsettled(tmp_path: Path) -> None:
    asked = ("crash", "--scene", "entry", "--sample", "16")
    data = proved(tmp_path, *asked)
    assert data["violations"] == []
    assert (data["figures"]["combinations"], data["figures"]["boundaries_entry"] > 100) == (16, True)
    assert proved(tmp_path, *asked)["figures"] == data["figures"], "nothing is tried twice"


def test_a_sample_of_failures_leaves_nothing_unsettled(tmp_path: Path) -> None:
    data = proved(tmp_path, "failing", "--scene", "exit", "--sample", "5")
    assert (data["violations"], data["figures"]["failures"]) == ([], 5)
    assert data["figures"]["calls_exit"] > 400
    first = proved(tmp_path, "failing", "--only", "exit/12")
    assert first["violations"] == [], "the first statement of a database that is opened, and an error without a code"


def test_three_signals_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    data = proved(tmp_path, "sigkill", "--scene", "cancel", "--sample", "3")
    assert (data["violations"], data["figures"]["signals"]) == ([], 3)


def test_a_scene_that_there_is_not_is_told(tmp_path: Path) -> None:
    assert Inside(tmp_path)("prove", "crash", "--scene", "none", "--config", CONFIG).code == 2


def test_every_boundary_meets_every_outcome_and_further_crashes_meet_every_boundary() -> None:
    keys = [one for one in combinations(COUNTS) if one.scene == "entry"]
    once = {(one.at[0], one.outcome) for one in keys if len(one.at) == 1}
    assert once == {(at, outcome) for at in range(41) for outcome in OUTCOMES}
    for crashes in (2, 3):
        more = [one for one in keys if len(one.at) == crashes]
        assert {one.at[0] for one in more} == set(range(1, 41))
        assert {one.outcome for one in more} == set(OUTCOMES)
        assert all({one.at[place] for one in more} == set(range(1, 41)) for place in range(crashes))


def test_a_combination_is_found_again_by_its_name() -> None:
    for outcome in OUTCOMES:
        one = Combination("exit", outcome, (3, 7))
        assert combination_of(one.key) == one
