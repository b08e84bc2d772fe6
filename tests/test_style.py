"""Style and layout hold for every file, and strict types for what is shipped, in CI too."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import ROOT

CHECKS = {
    "style": ["-m", "ruff", "check", "--no-cache", "."],
    "layout": ["-m", "ruff", "format", "--no-cache", "--check", "."],
    "types": ["-m", "mypy", "--cache-dir", "/dev/null", "cli", "trader_core"],  # the tests too: make lint
}
# Loaded where somebody asks for them, and taken for Any there: reading all that they import is half of the work.
UNREAD = ("dask", "distributed", "optuna", "ray")


@pytest.mark.parametrize("check", CHECKS)
def test_every_file_passes(check: str, tmp_path: Path) -> None:
    words = [sys.executable, *CHECKS[check]]
    if check == "types":
        modules = ", ".join(f'"{one}", "{one}.*"' for one in UNREAD)
        ours = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        unread = f'\n[[tool.mypy.overrides]]\nmodule = [{modules}]\nfollow_imports = "skip"\n'
        (tmp_path / "pyproject.toml").write_text(ours + unread, encoding="utf-8")
        words += ["--config-file", str(tmp_path / "pyproject.toml")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
