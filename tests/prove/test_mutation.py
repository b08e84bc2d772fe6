"""A bounded part of `make mutation`: eight mutants, of which the tests of money notice those of money, and no other."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.mutants import code_of, function_of, modules, mutants_of
from tests.shared import ROOT


class Trial:
    """The tool over two modules, asked about by the tests of one."""

    def __init__(self, root: Path) -> None:
        self.results, self.listed = root / "results.jsonl", root / "listed.yaml"
        self.lists()

    def lists(self, *names: str) -> None:
        self.listed.write_text(json.dumps([{"reason": "nobody asks", "mutants": names}] if names else []))

    def run(self) -> tuple[int, list[str], list[str]]:
        """How it ended, what it said, and the mutants that it judged."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.prove_mutation", "--only", "money", "--only", "orders", "--count", "8",
             "--tests", "tests/laws/test_money.py", "--jobs", "1", "--resume", str(self.results), "--listed",
             str(self.listed)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        judged = [line for line in done.stderr.splitlines() if " killed " in line or " survived " in line]
        assert len(done.stderr.splitlines()) == len(judged) + done.stderr.count("learned what "), done.stderr
        return done.returncode, done.stdout.splitlines(), judged

    def fates(self) -> dict[str, str]:
        lines = [json.loads(line) for line in self.results.read_text().splitlines()]
        return {one["mutant"]: one["fate"] for one in lines}


def test_who_is_asked_notices_and_what_was_judged_is_not_judged_again(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    code, said, judged = trial.run()
    fates = trial.fates()
    gaps = sorted(name for name, fate in fates.items() if fate == "survived")
    assert len(judged) == len(fates) == 8
    assert {name.partition(".")[0] for name in gaps} == {"orders"}, "of these no test of money runs a line"
    assert 4 <= len(fates) - len(gaps) < 8
    assert all(name.startswith("money.") for name, fate in fates.items() if fate != "survived")
    assert code == 1 and said[-1].startswith(f"8 mutants, {8 - len(gaps)} killed")

    trial.lists(*gaps)
    code, said, judged = trial.run()
    assert (code, judged) == (0, [])
    assert said[-1] == f"8 mutants, {8 - len(gaps)} killed (0 of them by time), 0 survived, {len(gaps)} listed, " \
        "score 100.00 %"  # fmt: skip

    noticed = next(name for name in fates if name not in gaps)
    trial.lists(*gaps, noticed, "money.mul_div: nothing -> nothing")
    code, said, _ = trial.run()
    assert code == 1
    assert any(line.startswith("listed as a survivor, but tests/laws/test_money.py::") for line in said)
    assert "listed as a survivor, but there is no such mutant: money.mul_div: nothing -> nothing" in said


@pytest.mark.parametrize("module", modules())
def test_every_mutant_has_a_name_of_its_own_and_is_another_law(module: str) -> None:
    found = list(mutants_of(module))
    assert len({one.name for one in found}) == len(found)
    for one in found[:: max(len(found) // 5, 1)]:
        assert code_of(one) != function_of(module, one.function).__code__, one.name
