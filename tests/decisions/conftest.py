"""A day of the sample market, lived once: tests look at it, or change a copy."""

import shutil
from pathlib import Path

import pytest

from tests.cli.program import Inside
from tests.world import CONFIG
from trader_core.bootstrap import open_system
from trader_core.engine.run import cycles
from trader_core.settings.options import Options

CYCLES = 96
YOUNG = 6


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Inside:
    """Only for looking."""
    home = tmp_path_factory.mktemp("lived")
    options = Options(state=home / "state", config=CONFIG, mode="PAPER", venue="simulated")
    with open_system(options) as system:
        assert len(list(cycles(system.ports, system.policy, system.journal, lambda: False, CYCLES))) == CYCLES
    return Inside(home)


@pytest.fixture(scope="session")
def young(tmp_path_factory: pytest.TempPathFactory) -> Inside:
    """The first cycles of that day, which trade."""
    home = tmp_path_factory.mktemp("young")
    options = Options(state=home / "state", config=CONFIG, mode="PAPER", venue="simulated")
    with open_system(options) as system:
        list(cycles(system.ports, system.policy, system.journal, lambda: False, YOUNG))
    return Inside(home)


@pytest.fixture
def copied(young: Inside, tmp_path: Path) -> Inside:
    """A copy to be changed."""
    shutil.copytree(young.state, tmp_path / "state")
    return Inside(tmp_path)
