"""What a newcomer types, driven in the suite's own environment; `make prove-install` does it from nothing."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.shared import ROOT, shared

READY = ROOT / ".venv" / ".ready"
PRETEND = {
    "too old": ("sitecustomize.py", "import sys; sys.version_info = (3, 10, 0, 'final', 0)"),
    "too new": ("sitecustomize.py", "import sys; sys.version_info = (3, 99, 0, 'final', 0)"),
    "without the module 'ensurepip'": ("ensurepip.py", "raise ImportError('packaged without it')"),
}


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """The real make; what is set up already is not set up again."""
    if not READY.exists():
        pytest.skip("make setup has not been run in this checkout")
    return subprocess.run(["make", "-s", *words], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("problem", PRETEND)
def test_a_python_that_will_not_do_is_told_so_in_plain_words(problem: str, tmp_path: Path) -> None:
    name, text = PRETEND[problem]
    (tmp_path / name).write_text(text)
    command = [sys.executable, ".ci/python-check.py"]
    told = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert told.returncode == 1
    assert problem in told.stderr
    assert "needed: Python 3.11 to" in told.stderr
    assert "type:   make setup PYTHON=" in told.stderr


def test_make_run_trades_the_sample_market_and_goes_on(tmp_path: Path) -> None:
    words = ("run", f"ARGS=--state {tmp_path} --cycles 40 --json")
    first, second = (make(*words) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    one, two = (json.loads(told.stdout)["data"] for told in (first, second))
    assert (one["cycles"], one["cycles_recorded"], two["cycles_recorded"]) == (40, 40, 80)
    assert one["fills"] > 0
    assert two["from"] > one["to"]


def test_make_run_with_data_trades_real_candles_in_a_state_of_its_own(tmp_path: Path) -> None:
    data = shared("data/coinbase")
    told = make("run", f"DATA={data}", f"ARGS=--state {tmp_path} --json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)["data"]
    assert (found["cycles"], found["end_of_data"]) == (96, True)
    planned = make("-n", "run", f"DATA={data}").stdout
    assert ".state/" in planned
    assert ".state/sample" not in planned


def test_the_wheel_carries_the_defaults_the_schemas_and_the_migrations(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("trader-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    defaults = {f"trader_core/settings/defaults/{one.name}" for one in (ROOT / "config").glob("*.yaml")}
    assert len(defaults) == 5
    schemas = {f"cli/schemas/{one.name}" for one in (ROOT / "cli" / "schemas").glob("*.json")}
    assert len(schemas) > 60
    assert defaults | schemas | {"trader_core/store/migrations/0001_initial.sql"} <= names
