"""The registry of trials: each counts once, whoever writes at the same time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import ROOT
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import StateUnusable
from trader_core.domain.values import replace
from trader_core.store.trials import Trial, Trials

ONE = Trial("market", EpochMs(0), EpochMs(9), "config", 1.25, 40, "backtest")
WRITER = """
import sys
from pathlib import Path
from trader_core.store.trials import Trial, Trials
for n in range(10):
    mine = Trial("market", 0, 9, f"{sys.argv[2]}-{n}", float(n), n, "sweep")
    Trials(Path(sys.argv[1])).note([mine, Trial("market", 0, 9, "shared", None, 0, "sweep")])
"""


def test_what_was_tried_again_is_no_new_trial(tmp_path: Path) -> None:
    trials = Trials(tmp_path / "not" / "there")
    assert (trials.seen("market"), trials.all()) == ([], ())
    trials.note([ONE])
    trials.note([replace(ONE, sharpe=2.5, trades=41, command="sweep")])
    assert trials.seen("market") == [2.5]
    assert trials.all() == (replace(ONE, sharpe=2.5, trades=41),), "its newest figures, and who tried it first"


@pytest.mark.parametrize("other", [{"data": "other"}, {"from_ms": 1}, {"to_ms": 8}, {"config": "other"}], ids=str)
def test_another_market_span_or_configuration_is_another_trial(other: dict[str, object], tmp_path: Path) -> None:
    trials = Trials(tmp_path)
    trials.note([ONE, replace(ONE, **other, sharpe=None)])  # type: ignore[arg-type]
    assert len(trials.all()) == 2
    assert trials.seen("market") == ([1.25] if "data" in other else [1.25, None])


def test_all_of_a_note_or_nothing(tmp_path: Path) -> None:
    trials = Trials(tmp_path)
    trials.note([ONE])
    with pytest.raises(StateUnusable):
        trials.note([replace(ONE, config="new"), replace(ONE, config=None)])  # type: ignore[arg-type]
    assert trials.all() == (ONE,)


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(n)], env=environment) for n in range(4)
    ]
    assert [one.wait(60) for one in writers] == [0] * 4
    assert len(Trials(tmp_path).seen("market")) == 41


def test_a_registry_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StateUnusable, match="cannot be made"):
        Trials(blocked).note([ONE])
    damaged = Trials(tmp_path)
    damaged.path.write_text("no database at all, but long enough to be looked at as if it were one")
    for act in (lambda: damaged.note([ONE]), lambda: damaged.seen("market"), damaged.all):
        with pytest.raises(StateUnusable):
            act()
