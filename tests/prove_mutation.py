"""Would the tests notice if a rule were wrong? `python -m tests.prove_mutation`. Stopped or killed, it goes on.

Every small mistake that could be made in a function of the rulebook is made, alone, in the interpreted law, and the
tests of the law are asked. Each mutant is a line in the file of results. One that was killed is not judged again while
its function reads the same; one that survived is not while the tests read the same too. Survivors that are no gap
stand with their reason in `tests/mutation_survivors.yaml` and do not count; one of these that is killed is an error.

Ours and not a library: those that are kept well either leave decorated functions out, which every rule is, or write
the mutant to disk and start Python and a test run anew for it, which takes some five seconds before the first test.
Here a mutant takes the place of its function's code in a fork of a process that has collected the tests, is asked about
only in tests that run its very statement, and mostly costs less than half a second.
"""

import argparse
import ast
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.mutation.judge import SURVIVED, TIMEOUT, Fate, Terms, run_campaign
from tests.mutation.mutants import Mutant, functions_of, modules, mutants_of
from tests.shared import ROOT
from trader_core.engine.compiled import digest_of_the_law

RESULTS = ROOT / ".bench" / "mutation" / "results.jsonl"
LISTED = Path(__file__).with_name("mutation_survivors.yaml")
SCORE_PCT = 90.0
PATIENCE_S = 20.0
ASKED = ("tests/laws",)
# Two compile the law in processes of their own, one has no rule in it, and one is about columns and takes minutes.
NOT_ASKED = ("test_compiled.py", "test_real_twin.py", "test_journal.py", "test_lookahead.py")


@dataclass(frozen=True)
class Result:
    """A line of the file."""

    mutant: str
    fate: str
    by: str
    function: str  # digest of what the function says
    tests: str  # digest of what the tests say
    patience_s: float

    def still_holds(self, mutant: Mutant, tests: str, patience_s: float) -> bool:
        unchanged = self.function == digest_of_function(mutant.module, mutant.function)
        return unchanged and (self.fate != SURVIVED or (self.tests == tests and self.patience_s >= patience_s))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=1, help="which mutants --count takes")
    options.add_argument("--count", type=int, help="so many mutants, by chance; else all")
    options.add_argument("--only", choices=modules(), action="append", help="mutants of this module; again for more")
    options.add_argument("--resume", type=Path, default=RESULTS, help="the file of results")
    options.add_argument("--listed", type=Path, default=LISTED, help="the survivors that are no gap")
    options.add_argument("--tests", action="append", help="the tests that are asked; again for more")
    options.add_argument("--patience", type=float, default=PATIENCE_S, help="CPU seconds of tests about one mutant")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = options.parse_args()
    possible = [one for module in asked.only or modules() for one in mutants_of(module)]
    chosen = sample(possible, asked.seed, asked.count)
    paths = asked.tests or tests_of_the_law()
    digest = digest_of_tests(paths)
    before, results = read(asked.resume), {}
    for mutant in chosen:
        found = before.get(mutant.name)
        if found and found.still_holds(mutant, digest, asked.patience):
            results[mutant.name] = found
    left = [one for one in chosen if one.name not in results]
    Random(asked.seed).shuffle(left)
    left.sort(key=lambda one: one.name not in before)  # those that survived before come first
    asked.resume.parent.mkdir(parents=True, exist_ok=True)
    with asked.resume.open("a") as file:

        def tell(fate: Fate) -> None:
            result = result_of(fate, digest, asked.patience)
            results[result.mutant] = result
            file.write(json.dumps(vars(result)) + "\n")
            file.flush()
            print(f"{len(results)}/{len(chosen)} {fate.fate:8} {result.mutant}", file=sys.stderr)

        if left:
            seal = digest_of_the_law() + digest_of_tests(paths, but="test_*.py")
            noticed = Counter((one.module, one.function, before[one.name].by) for one in possible if one.name in before)
            terms = Terms(asked.jobs, asked.patience, asked.resume.with_name("learned"), seal, noticed)
            run_campaign(paths, left, terms, tell)
    listed = {name for name in listed_in(asked.listed) if module_of(name) in (asked.only or modules())}
    return report(chosen, results, listed, sorted(listed - {one.name for one in possible}))


def report(chosen: list[Mutant], results: dict[str, Result], listed: set[str], stale: list[str]) -> int:
    """The figures last. 1 where the score is too low, or the list of survivors is wrong."""
    survived = [one.name for one in chosen if results[one.name].fate == SURVIVED]
    counted = [name for name in survived if name not in listed]
    wrong = [one.name for one in chosen if one.name in listed and one.name not in survived]
    for name in counted:
        print(f"survived: {name}")
    for name in wrong:
        print(f"listed as a survivor, but {results[name].by or 'a timeout'} notices it: {name}")
    for name in stale:
        print(f"listed as a survivor, but there is no such mutant: {name}")
    judged = len(chosen) - (len(survived) - len(counted))
    slow = sum(results[one.name].fate == TIMEOUT for one in chosen)
    killed = judged - len(counted)
    score = 100.0 * killed / judged if judged else 100.0
    print(
        f"{len(chosen)} mutants, {killed} killed ({slow} of them by time), {len(counted)} survived, "
        f"{len(survived) - len(counted)} listed, score {score:.2f} %"
    )
    return int(score < SCORE_PCT or bool(wrong) or bool(stale))


def sample(mutants: list[Mutant], seed: int, count: int | None) -> list[Mutant]:
    if count is None or count >= len(mutants):
        return mutants
    return Random(seed).sample(mutants, count)


def result_of(fate: Fate, tests: str, patience_s: float) -> Result:
    mutant = fate.mutant
    return Result(
        mutant.name, fate.fate, fate.by, digest_of_function(mutant.module, mutant.function), tests, patience_s
    )


def read(path: Path) -> dict[str, Result]:
    """The newest line of each mutant; one that was cut off is none."""
    return {one.mutant: one for one in lines_of(path)} if path.exists() else {}


def lines_of(path: Path) -> Iterator[Result]:
    for line in path.read_text().splitlines():
        try:
            content: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            continue
        yield Result(**content)


def module_of(name: str) -> str:
    """Of a mutant, by its name; of a name that has none, the whole of it."""
    return name.partition(":")[0].rpartition(".")[0]


def listed_in(path: Path) -> dict[str, str]:
    """Reason by mutant. The file has it the other way round: many mutants are no gap for one reason."""
    content: list[dict[str, Any]] = yaml.safe_load(path.read_text()) or []
    return {name: str(one["reason"]) for one in content for name in one["mutants"]}


def tests_of_the_law() -> list[str]:
    found = (one for folder in ASKED for one in sorted((ROOT / folder).glob("test_*.py")))
    return [str(one.relative_to(ROOT)) for one in found if one.name not in NOT_ASKED]


@cache
def digest_of_function(module: str, name: str) -> str:
    """Of its code, not of its words."""
    return sha256(ast.dump(functions_of(module)[name]).encode()).hexdigest()[:16]


def digest_of_tests(paths: list[str], but: str = "") -> str:
    """Of the tests that are asked and of what lies beside them, some files left out."""
    folders = sorted({(ROOT / one).parent if (ROOT / one).is_file() else ROOT / one for one in paths})
    found = sha256(repr(but or sorted(paths)).encode())
    for one in (file for folder in folders for file in sorted(folder.rglob("*.py"))):
        if not (but and one.match(but)):
            found.update(one.read_bytes())
    return found.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
