"""The rulebook compiles, and the compiled law is the interpreted law to the last bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.laws.budget import PROVING

ROOT = Path(__file__).parents[2]
RULEBOOK = ROOT / "trader_core" / "rulebook"
ENOUGH_S = 900


def test_every_rule_compiles_and_walks_a_market_and_judges_a_scene_to_the_same_bits() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    if not PROVING:
        environment["NUMBA_OPT"] = "0"  # the optimiser is half of the time; `prove` runs it as a backtest does
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.laws.compiled"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=ENOUGH_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    report = json.loads(done.stdout)
    assert report["differing"] == []
    assert report["wrong_products"] == 0
    assert report["signatures"] == [1, 1]
    assert report["rules"] == sum(one.read_text().count("\n@rule\n") for one in RULEBOOK.rglob("*.py"))
    assert report["fills"] > 100, "a market without trades proves nothing"
    assert report["verdicts"] > 30, "scenes that meet few gates prove little"
