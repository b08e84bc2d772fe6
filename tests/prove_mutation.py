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
from time import monotonic
from typing import Any

import yaml

from tests.mutation.judge import SURVIVED, TIMEOUT, Fate, Terms, run_campaign
from tests.mutation.mutants import Mutant, functions_of, modules, mutants_of
from tests.shared import ROOT
from trader_core.engine.compiled import digest_of_the_law
from trader_core.prove.proved import Figure, Proved, Violation

RESULTS = ROOT / ".bench" / "mutation" / "results.jsonl"
LISTED = Path(__file__).with_name("mutation_survivors.yaml")
CLAIM = "A small mistake in any rule is noticed by a test of the law."
AGAIN = "python -m tests.prove_mutation"
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
    from cli.commands.prove import told

    began_s = monotonic()
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=1, help="which mutants --count takes")
    options.add_argument("--count", type=int, help="so many mutants, by chance; else all")
    options.add_argument("--only", choices=modules(), action="append", help="mutants of this module; again for more")
    options.add_argument("--resume", type=Path, default=RESULTS, help="the file of results")
    options.add_argument("--listed", type=Path, default=LISTED, help="the survivors that are no gap")
    options.add_argument("--tests", action="append", help="the tests that are asked; again for more")
    options.add_argument("--patience", type=float, default=PATIENCE_S, help="CPU seconds of tests about one mutant")
    options.add_argument("--out", type=Path, default=None, help="keep the result for the pages of the proof")
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
    meant = asked.only or modules()
    listed = {name: why for name, why in listed_in(asked.listed).items() if module_of(name) in meant}
    for mutant in chosen:
        if results[mutant.name].fate == SURVIVED and mutant.name not in listed:
            print(f"survived: {mutant.name}")
    stale = sorted(listed.keys() - {one.name for one in possible})
    said = told(proved(chosen, results, listed, stale, len(left), monotonic() - began_s), asked.out)
    print(said.text)
    return said.exit_code


def proved(
    chosen: list[Mutant], results: dict[str, Result], listed: dict[str, str], stale: list[str], last: int,
    took_s: float,
) -> Proved:  # fmt: skip
    """Wrong are a score that is too low, and a list of survivors that names what is noticed or is not there. `took_s`
    is of the last sitting, in which so many were judged."""
    survived = [one.name for one in chosen if results[one.name].fate == SURVIVED]
    gaps = [name for name in survived if name not in listed]
    excused = len(survived) - len(gaps)
    judged = len(chosen) - excused
    score = 100.0 * (judged - len(gaps)) / judged if judged else 100.0
    violations = [
        *([Violation("score", f"{score:.2f} %, and {SCORE_PCT:g} are asked", AGAIN)] if score < SCORE_PCT else []),
        *(
            Violation(one.name, f"listed as a survivor, but {results[one.name].by or 'a timeout'} notices it", AGAIN)
            for one in chosen
            if one.name in listed and one.name not in survived
        ),
        *(Violation(name, "listed as a survivor, but there is no such mutant", AGAIN) for name in stale),
    ]
    figures: dict[str, Figure] = {
        "mutants": len(chosen), "killed": judged - len(gaps),
        "of_them_by_time": sum(results[one.name].fate == TIMEOUT for one in chosen),
        "survived": len(gaps), "survived_and_no_gap": excused, "score_pct": f"{score:.2f}",
        "judged_in_the_last_sitting": last,
    }  # fmt: skip
    reasons = Counter(listed[name] for name in survived if name in listed)
    rows = [("why it is no gap that they survive", "mutants"), *((why, str(n)) for why, n in reasons.most_common())]
    return Proved("mutation", CLAIM, figures, violations, round(took_s, 1), table=rows if reasons else ())


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
