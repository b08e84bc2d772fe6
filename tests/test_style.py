"""Style and layout hold for every file, and strict types for what is shipped, in CI too."""

import subprocess
import sys

import pytest

from tests.shared import ROOT

CHECKS = {
    "style": ["-m", "ruff", "check", "--no-cache", "."],
    "layout": ["-m", "ruff", "format", "--no-cache", "--check", "."],
    "types": ["-m", "mypy", "cli", "trader_core"],  # the tests too: make lint
}


@pytest.mark.parametrize("check", CHECKS)
def test_every_file_passes(check: str) -> None:
    done = subprocess.run([sys.executable, *CHECKS[check]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
