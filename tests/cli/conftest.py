"""A fresh program for each test, one that has run a day of the sample market for those that only look, and a LIVE one
in rehearsal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.cli.rehearsal import MAY, Rehearsal, Sim, sim_served
from tests.ops.ntp import ntp_servers

CYCLES = 96  # of the sample market: entries, stops and refusals


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Only for looking: the tests of a module share it."""
    program = Program(tmp_path_factory.mktemp("traded"))
    assert program.paper("run", "--cycles", str(CYCLES)).code == 0
    return program


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    with sim_served(tmp_path_factory.mktemp("venue")) as served:
        yield served


@pytest.fixture
def live(sim: Sim, tmp_path: Path) -> Iterator[Rehearsal]:
    """Configured, and with the key of the venue; nothing was ever done with it."""
    sim.admin("faults", clear=True)
    sim.permit(**MAY)
    with ntp_servers(0, 0, 0) as servers:
        made = Rehearsal(tmp_path, sim, servers).configured()
        yield made.presenting(made.key)
