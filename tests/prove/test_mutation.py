"""A bounded part of `make mutation`: eight mutants, of which the tests of money notice those of money, and no other."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.mutants import code_of, function_of, modules, mutants_of
from tests.shared import ROOT


class Trial:
    """The tool over two modules, asked about by the tests of one."""

    def __init__(self, root: Path) -> None:
        self.results, self.listed, self.out = root / "results.jsonl", root / "listed.yaml", root / "mutation.json"
        self.lists()

    def lists(self, *names: str) -> None:
        self.listed.write_text(json.dumps([{"reason": "nobody asks", "mutants": names}] if names else []))

    def run(self) -> tuple[int, dict[str, Any], list[str]]:
        """How it ended, what it found, and the mutants that it judged."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.prove_mutation", "--only", "money", "--only", "orders", "--count", "8",
             "--tests", "tests/laws/test_money.py", "--jobs", "1", "--resume", str(self.results), "--listed",
             str(self.listed), "--out", str(self.out)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        judged = [line for line in done.stderr.splitlines() if " killed " in line or " survived " in line]
        assert len(done.stderr.splitlines()) == len(judged) + done.stderr.count("learned what "), done.stderr
        return done.returncode, json.loads(self.out.read_text()), judged

    def fates(self) -> dict[str, str]:
        lines = [json.loads(line) for line in self.results.read_text().splitlines()]
        return {one["mutant"]: one["fate"] for one in lines}


def test_who_is_asked_notices_and_what_was_judged_is_not_judged_again(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    code, found, judged = trial.run()
    fates = trial.fates()
    gaps = sorted(name for name, fate in fates.items() if fate == "survived")
    assert len(judged) == len(fates) == 8
    assert {name.partition(".")[0] for name in gaps} == {"orders"}, "of these no test of money runs a line"
    assert 4 <= len(fates) - len(gaps) < 8
    assert all(name.startswith("money.") for name, fate in fates.items() if fate != "survived")
    assert code == 60 and found["figures"]["killed"] == 8 - len(gaps)
    assert [one["at"] for one in found["violations"]] == ["score"]

    trial.lists(*gaps)
    code, found, judged = trial.run()
    assert (code, judged, found["violations"]) == (0, [], [])
    assert found["figures"] == {
        "mutants": 8, "killed": 8 - len(gaps), "of_them_by_time": 0, "survived": 0, "survived_and_no_gap": len(gaps),
        "score_pct": "100.00", "judged_in_the_last_sitting": 0,
    }  # fmt: skip
    assert found["table"][1:] == [["nobody asks", str(len(gaps))]]

    noticed = next(name for name in fates if name not in gaps)
    trial.lists(*gaps, noticed, "money.mul_div: nothing -> nothing")
    code, found, _ = trial.run()
    assert code == 60
    noticed_one, missing = found["violations"]
    assert noticed_one["at"] == noticed
    assert noticed_one["words"].startswith("listed as a survivor, but tests/laws/test_money.py::")
    assert missing["at"] == "money.mul_div: nothing -> nothing"
    assert missing["words"] == "listed as a survivor, but there is no such mutant"


@pytest.mark.parametrize("module", modules())
def test_every_mutant_has_a_name_of_its_own_and_is_another_law(module: str) -> None:
    found = list(mutants_of(module))
    assert len({one.name for one in found}) == len(found)
    for one in found[:: max(len(found) // 5, 1)]:
        assert code_of(one) != function_of(module, one.function).__code__, one.name
