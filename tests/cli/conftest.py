"""A fresh program for each test, and one that has run a day of the sample market for those that only look."""

from pathlib import Path

import pytest

from tests.cli.program import Program

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
