"""A fresh program for each test, and an account that has traded for a day."""

from pathlib import Path

import pytest

from tests.cli.program import Program

CYCLES = 26  # at the end of which somebody waits for a slot


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture(scope="package")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Only for looking, and for copies: the tests of this folder share it."""
    program = Program(tmp_path_factory.mktemp("traded"))
    assert program.paper("run", "--cycles", str(CYCLES)).code == 0
    return program
