"""The page of vectors lists every one, and every test that it names is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| V(\d+) \| (.+?) \| (.+) \|$")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
LEFT_OUT = {17, 18, 19, 20, 24, 25, 26}  # a bus of events, and models: what is not built yet
FIRST, LAST = 1, 48


def rows() -> dict[int, str]:
    """What stands for the test of each vector, in order."""
    page = (ROOT / "docs/reference/vectors.md").read_text()
    found = [ROW.match(line) for line in page.splitlines() if line.startswith("| V")]
    told = [(int(one[1]), one[3]) for one in found if one]
    assert [number for number, _ in told] == list(range(FIRST, LAST + 1)), "each once, in order"
    return dict(told)


def test_every_vector_has_its_test_or_its_reason() -> None:
    told = rows()
    assert {number for number, test in told.items() if test.startswith("left out: ")} == LEFT_OUT


@pytest.mark.parametrize("number", sorted({*range(FIRST, LAST + 1)} - LEFT_OUT))
def test_the_tests_of_a_vector_exist(number: int) -> None:
    named = NAMED.findall(rows()[number])
    assert named
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text())
        assert name in {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}, f"{path}::{name}"
