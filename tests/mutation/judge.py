"""Who notices? Tests are asked in a process that has imported and collected everything, and forks for each mutant.

In the fork the mutant's code takes the place of the function's own, for whoever holds it, so a mutant costs the tests
that are asked and no start. The law is interpreted, also where a replay would compile it. Asked are the tests that run
the statement, those that noticed most in its function first, then those about little else, until one fails.
"""

import ast
import gc
import json
import os
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import import_module
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.mutation.mutants import PACKAGE, Mutant, at, code_of, compiled, function_of, functions_of, modules, places
from trader_core.engine import replay
from trader_core.rulebook.walk import step_walk

KILLED, SURVIVED, TIMEOUT = "killed", "survived", "timeout"
SLOW_S = 5.0  # CPU time of a test that is not asked
LEARN_S = 3_600.0  # CPU time of all tests
SPARE_S = 10.0  # CPU time of a mutant beyond three times what its tests take
Statement = tuple[str, int]  # module, line


@dataclass(frozen=True)
class Fate:
    mutant: Mutant
    fate: str
    by: str  # the test that failed


@dataclass(frozen=True)
class Terms:
    jobs: int  # mutants at a time
    patience_s: float  # CPU time of the tests that are asked about one; who is not noticed in it has survived
    learned: Path  # folder of what each test runs, by test file
    seal: str  # of what that depends on beside the file
    noticed: Counter[tuple[str, str, str]]  # how often, in a module's function, a test did so far


@dataclass
class Bench:
    """The tests, what each runs, and what each takes."""

    seconds: dict[str, float] = field(default_factory=dict)  # by test, those that hold and run some rule
    runs: dict[str, set[Statement]] = field(default_factory=dict)
    noticed: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # module, function, test

    def asked(self, mutant: Mutant, patience_s: float) -> list[str]:
        """The tests that run the mutant's statement, as many as there is time for: first those that noticed most in its
        function, then those that run the least beside it."""
        where, noticed = (mutant.module, mutant.line), self.noticed
        found = [name for name in self.seconds if where in self.runs[name]]
        found.sort(key=lambda name: (-noticed[mutant.module, mutant.function, name], len(self.runs[name])))
        total = list(accumulate(self.seconds[name] for name in found))
        return [name for name, seconds in zip(found, total, strict=True) if seconds <= patience_s]


class Campaign:
    """A pytest plugin in the place of its loop: judges the mutants instead of running the tests once."""

    def __init__(self, mutants: list[Mutant], terms: Terms, tell: Callable[[Fate], None]) -> None:
        self.mutants, self.terms, self.tell = mutants, terms, tell
        self.bench = Bench()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {one.nodeid: one for one in session.items}
        gc.collect()
        gc.freeze()
        self.bench = self.learned(items)
        self.bench.noticed = self.terms.noticed
        for mutant, fate, by in self.judged(items):
            if fate == KILLED:
                self.bench.noticed[mutant.module, mutant.function, by] += 1
            self.tell(Fate(mutant, fate, by))
        return True

    def learned(self, items: dict[str, pytest.Item]) -> Bench:
        """Of every test, learnt in a child where it is not known yet, file by file, so that it can be stopped."""
        told: dict[str, Any] = {}
        for path, found in groupby(items, lambda name: items[name].path):
            names, digest = list(found), sha256(self.terms.seal.encode() + path.read_bytes()).hexdigest()[:16]
            place = self.terms.learned / f"{path.stem}-{digest}.json"
            if not place.exists():
                ours = {name: items[name] for name in names}
                status, said = in_child(lambda ours=ours: learn(ours))  # type: ignore[misc]
                if status:
                    raise SystemExit(f"could not learn what {path.name} runs: {said}")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(said)
                print(f"learned what {path.name} runs", file=sys.stderr)
            told |= json.loads(place.read_text())
        return bench_of(told)

    def judged(self, items: dict[str, pytest.Item]) -> Iterator[tuple[Mutant, str, str]]:
        """As many at a time as there are jobs."""
        running: dict[int, tuple[Mutant, int]] = {}
        for mutant in self.mutants:
            asked = self.bench.asked(mutant, self.terms.patience_s)
            if not asked:
                yield mutant, SURVIVED, ""
                continue
            if len(running) == self.terms.jobs:
                yield ended(running)
            limit_s = SPARE_S + 3 * sum(self.bench.seconds[name] for name in asked)
            pid, pipe = started(lambda asked=asked, mutant=mutant: notice(mutant, [items[n] for n in asked]), limit_s)  # type: ignore[misc]
            running[pid] = (mutant, pipe)
        while running:
            yield ended(running)


def run_campaign(tests: list[str], mutants: list[Mutant], terms: Terms, tell: Callable[[Fate], None]) -> None:
    """Judge the mutants by these tests."""
    settings.register_profile(
        "mutants", derandomize=True, database=None, deadline=None, report_multiple_bugs=False,
        phases=(Phase.explicit, Phase.generate),
    )  # fmt: skip
    settings.load_profile("mutants")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and take what is learned with us
    # What a replay would compile is interpreted, and coasts.
    pytest.MonkeyPatch().setattr(replay, "compiled_walk", lambda: step_walk)
    campaign = Campaign(mutants, terms, tell)
    options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--no-summary"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what was needed to get here
    done = pytest.main([*options, *tests], plugins=[campaign])
    if done not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise SystemExit(f"the tests could not be collected: pytest ended with {done!r}")


# --- in a child ------------------------------------------------------------------------------------------------------


def notice(mutant: Mutant, items: list[pytest.Item]) -> str:
    """The test that fails under the mutant; empty where all hold."""
    function_of(mutant.module, mutant.function).__code__ = code_of(mutant)
    return next((one.nodeid for one in items if not holds(one)), "")


def holds(item: pytest.Item) -> bool:
    session = item.session
    session.testsfailed = 0
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    return session.testsfailed == 0


def learn(items: dict[str, pytest.Item]) -> str:
    """What each test takes and runs, as JSON: every statement of every rule says when it is run."""
    signal.signal(signal.SIGPROF, too_slow)
    seen: set[int] = set()
    statements = instrument(seen)
    found: dict[str, Any] = {}
    for name, item in items.items():
        seen.clear()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        signal.setitimer(signal.ITIMER_PROF, SLOW_S, 0.5)
        good = holds(item)
        signal.setitimer(signal.ITIMER_PROF, 0)
        took = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
        found[name] = [good, took, [statements[n] for n in sorted(seen)]]
    return json.dumps(found)


def too_slow(*_: object) -> None:
    pytest.fail("too slow to be asked")


def bench_of(told: dict[str, Any]) -> Bench:
    """What fails unchanged, runs no rule or takes long, which is a failure too, judges nothing."""
    bench = Bench()
    for name, (good, took, runs) in told.items():
        if not good:
            print(f"not asked, it fails by itself or takes long: {name}", file=sys.stderr)
        elif runs:
            bench.seconds[name] = took
            bench.runs[name] = {(module, line) for module, line in runs}
    return bench


def instrument(seen: set[int]) -> list[Statement]:
    """Put a note before every statement of the rulebook's functions; the statements by number."""
    statements: list[Statement] = []
    for module in modules():
        vars(import_module(PACKAGE + module))["_seen"] = seen.add
        for name, function in functions_of(module).items():
            told = [one for place, _ in places(function) if isinstance(one := at(function, place), ast.stmt)]
            for one in told:
                statements.append((module, one.lineno))
            first = len(statements) - len(told)
            numbers = {id(one): first + n for n, one in enumerate(told)}
            function_of(module, name).__code__ = compiled(module, noted(function, numbers))
    return statements


def noted(function: ast.FunctionDef, numbers: dict[int, int]) -> ast.FunctionDef:
    class Noted(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            number = numbers.get(id(node))
            self.generic_visit(node)
            if number is None:
                return node
            note = ast.Expr(ast.Call(ast.Name("_seen", ast.Load()), [ast.Constant(number)], []))
            return [ast.copy_location(note, node), node]

    return Noted().visit(function)  # type: ignore[no-any-return]


# --- children --------------------------------------------------------------------------------------------------------


def in_child(work: Callable[[], str]) -> tuple[int, str]:
    """How it ended in a process of its own, and what it said."""
    pid, pipe = started(work, LEARN_S)
    try:
        with os.fdopen(pipe, "rb") as told:
            said = told.read().decode()
        return os.waitpid(pid, 0)[1], said
    except SystemExit:
        os.kill(pid, signal.SIGKILL)
        raise


def started(work: Callable[[], str], limit_s: float) -> tuple[int, int]:
    """A child at work, and where it will say what it found; over its CPU time it is ended."""
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(read)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s) + 1, int(limit_s) + 2))
        said = work().encode()
        while said:
            said = said[os.write(write, said) :]
    except BaseException:  # noqa: BLE001 - a child never goes on as if it were the parent
        os.write(write, traceback.format_exc().encode())
        os._exit(1)
    os._exit(0)


def ended(running: dict[int, tuple[Mutant, int]]) -> tuple[Mutant, str, str]:
    """The first child that ends. What it says is shorter than a pipe is long."""
    pid, status = os.waitpid(-1, 0)
    mutant, pipe = running.pop(pid)
    with os.fdopen(pipe, "rb") as told:
        by = told.read().decode()
    if os.WIFSIGNALED(status):
        slow = os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        return (mutant, TIMEOUT, "") if slow else (mutant, KILLED, f"signal {os.WTERMSIG(status)}")
    if os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"could not judge {mutant.name}: {by}")
    return mutant, KILLED if by else SURVIVED, by
