"""Mistakes that are planted on purpose: each has its place in the program, and the campaigns find them."""

import json
from pathlib import Path

import pytest

from tests.cli.program import Program
from trader_core.domain.errors import UsageError
from trader_core.domain.values import as_dict
from trader_core.prove.planted import PLANTS, Edit, Found, Plant, plant_in, planted


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_each_mistake_has_its_place(plant: Plant, tmp_path: Path) -> None:
    plant_in(tmp_path, plant)
    for edit in plant.edits:
        assert edit.new in (tmp_path / "trader_core" / edit.file).read_text()
        compile((tmp_path / "trader_core" / edit.file).read_text(), edit.file, "exec")


def test_a_place_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone"):
        plant_in(tmp_path, Plant("nothing", (Edit("engine/send.py", "what stands nowhere", ""),)))


def test_a_trade_that_is_counted_twice_is_found_and_not_looked_for_again(tmp_path: Path) -> None:
    trade = next(one for one in PLANTS if "trade" in one.name)
    lives = ("--seed", "5", "--seeds", "99", "--cycles", "60", "--workers", "1", "--work", str(tmp_path / "lives"))
    found = planted(tmp_path / "w", print, [trade], {"sim": (*lives, "--until-wrong")})
    assert found.holds and str(found.figures[trade.name]).startswith("sim")
    (life,) = (tmp_path / "lives" / "lived-60.jsonl").read_text().splitlines()
    assert json.loads(life)["wrong"], "the first that is wrong is the last"
    for one in PLANTS:
        told = Found(one.name, "" if one is PLANTS[0] else "sim", 1.0)
        (tmp_path / "w" / f"{one.name.replace(' ', '-')}.json").write_text(json.dumps(as_dict(told)))
    done = Program(tmp_path)("prove", "planted", "--work", tmp_path / "w", "--json")
    assert done.code == 60, done.err
    assert [one["at"] for one in done.data["violations"]] == [PLANTS[0].name]
    assert done.data["figures"]["found"] == len(PLANTS) - 1
