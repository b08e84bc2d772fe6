"""Mistakes that are planted on purpose: each has its place in the program, and the campaigns find them."""

from pathlib import Path

import pytest

from tests.cli.program import Program
from trader_core.domain.errors import UsageError
from trader_core.prove.planted import PLANTS, Edit, Plant, plant_in


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_each_mistake_has_its_place(plant: Plant, tmp_path: Path) -> None:
    plant_in(tmp_path, plant)
    for edit in plant.edits:
        assert edit.new in (tmp_path / "trader_core" / edit.file).read_text()
        compile((tmp_path / "trader_core" / edit.file).read_text(), edit.file, "exec")


def test_a_place_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone"):
        plant_in(tmp_path, Plant("nothing", (Edit("engine/send.py", "what stands nowhere", ""),)))


def test_a_trade_that_is_counted_twice_is_found(tmp_path: Path) -> None:
    done = Program(tmp_path)("prove", "planted", "--only", "3", "--lives", "1", "--work", tmp_path / "w", "--json")
    assert done.code == 0, done.err
    assert done.data["figures"]["found"] == 1 and "sim" in str(done.data["figures"])
