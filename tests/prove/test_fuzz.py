"""A few tries of every part of the fuzz; and what it finds is kept with the command that has it again."""

import json
from pathlib import Path
from time import monotonic

import pytest

from tests.fuzz import PARTS
from tests.fuzz.tries import Tries
from tests.prove_fuzz import fuzzed
from trader_core.prove.proved import Proved, read, write

FEW = {
    "settings": 30,
    "plans": 4,
    "journal": 3,
    "schemas": 4,
    "lines": 4,
    "kill": 4,
    "pages": 4,
    "log": 40,
    "answers": 300,
}
LONG_S = 60.0


def test_every_part_has_its_few() -> None:
    assert FEW.keys() == PARTS.keys()


@pytest.mark.parametrize("part", FEW)
def test_a_few_tries_find_nothing(part: str) -> None:
    proved = fuzzed({part: LONG_S}, seed=7, count=FEW[part])
    assert proved.violations == []
    assert proved.figures[f"{part}_tries"] == FEW[part]


def test_what_is_found_is_counted_and_kept_with_its_number(tmp_path: Path) -> None:
    tries = Tries("plans", 3, tmp_path, monotonic() + LONG_S, 5)
    drawn = [rng.random() for rng in tries.rolls() if not tries.ended(tries.number // 4, (0,), "a bug") or True]
    again = Tries("plans", 3, tmp_path, 0.0, 5, only=4)
    assert [rng.random() for rng in again.rolls()] == [drawn[4]]
    assert [one.again for one in tries.violations] == ["python -m tests.prove_fuzz --part plans --seed 3 --only 4"]
    assert (tries.figures["exit_0"], tries.figures["exit_1"], tries.figures["violations"]) == (4, 1, 1)
    proved = Proved("fuzz", "a claim", {"tries": 5}, tries.violations, 1.0)
    write(tmp_path / "fuzz.json", proved, "abc", "2026-01-01")
    assert not proved.holds
    assert read(tmp_path)["fuzz"]["violations"][0]["at"] == "plans, seed 3, try 4"
    assert json.loads((tmp_path / "fuzz.json").read_text())["commit"] == "abc"
