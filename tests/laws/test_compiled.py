"""The compiled law keeps its bounds, has one signature, and is never taken from a place or a file that is not ours."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from compileall import compile_dir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.laws.budget import PROVING
from tests.laws.make import BAR_MS, START, policy
from tests.laws.markets import LIVELY
from tests.laws.test_slow_twin import lively
from trader_core.engine import compiled, machine
from trader_core.engine.replay import replay

ROOT = Path(__file__).parents[2]
RULEBOOK = ROOT / "trader_core" / "rulebook"
ENOUGH_S = 900


def environment(cache: Path, **more: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    return {**ours, compiled.CACHE_VARIABLE: str(cache), "PYTHONDONTWRITEBYTECODE": "1", **more}


@pytest.mark.skipif(not PROVING, reason="compiling with bounds checked takes two minutes: make prove-law")
def test_every_rule_compiles_and_keeps_its_bounds_and_is_the_interpreted_law_to_the_same_bits(tmp_path: Path) -> None:
    flags = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_OPT": "3" if PROVING else "0"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.laws.compiled"],
        cwd=ROOT, env=environment(tmp_path, **flags), capture_output=True, text=True, timeout=ENOUGH_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    report = json.loads(done.stdout)
    assert report["bounds_are_checked"]
    assert report["differing"] == []
    assert report["wrong_products"] == 0
    assert report["signatures"] == [1, 1], "worlds of any shape are walked by one function"
    assert report["rules"] == sum(one.read_text().count("\n@rule\n") for one in RULEBOOK.rglob("*.py"))
    assert report["fills"] > 100, "a market without trades proves nothing"
    assert report["verdicts"] > 30, "scenes that meet few gates prove little"


def test_one_signature_is_compiled_whatever_is_replayed() -> None:
    for name, bar_ms in (("sma_cross", BAR_MS), ("momentum", BAR_MS // 3)):
        edits = {f"strategies__{one}__enabled": one in ("mean_reversion", name) for one in ("sma_cross", "momentum")}
        settings = policy(**{**LIVELY, **edits, "policy__cycle__base_bar_min": bar_ms // 60_000})
        replay(lively(1, bar_ms, 20), settings, START, START + 20 * bar_ms)
    assert compiled.compiled_signatures() == 1
    words: Any = compiled.compiled_walk()
    with pytest.raises(TypeError, match="other types"):
        words(*[1.0] * 8, 0, 1)


def test_an_array_with_holes_is_no_part_of_a_state() -> None:
    assert machine.laid(("<i8", 1, True, False)).layout == "C"
    with pytest.raises(TypeError, match="not whole"):
        machine.laid(("<i8", 1, False, False))


# --- what is kept ----------------------------------------------------------------------------------------------------

SMALL_LAW = '''"""A law that is compiled in a second: every equity is a figure of another file."""

from trader_core.rulebook import rule
from trader_core.rulebook.figure import figure
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import Bars, Columns, Guard, Journey, Plan, State, Tape


@rule
def step_walk(
    law: Law, guard: Guard, state: State, columns: Columns, bars: Bars, journey: Journey, plan: Plan, tape: Tape,
    t: int, end: int,
) -> int:
    for row in range(t, end):
        tape.equity[row] = figure()
    return end
'''
FIGURE = "from trader_core.rulebook import rule\n\n\n@rule\ndef figure() -> int:\n    return {}\n"
# Loading the compiler and what it knows of numpy takes longer than this law: each process is forked from one that has
# done so, and has read nothing of ours.
MOTHER = """
import json, os, resource, sys
import msgspec, numba, numpy, pydantic, yaml

def total(row):
    found = 0
    for n in range(row.shape[0]):
        found += row[n]
    return found

assert numba.njit(total)(numpy.arange(3)) == 3
for line in sys.stdin:
    asked = json.loads(line)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.environ.update(asked["environment"])
        sys.path[:0] = asked["paths"]
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        if asked["largest"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (asked["largest"], before[1]))
        try:
            exec(asked["what"])
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
            code = 1
        print(flush=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, before)  # what is measured of a test has room
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
SEEN = """
import json, sys
from pathlib import Path
from trader_core.bootstrap import settings_of
from trader_core.worlds.simulated import source_of
from trader_core.engine.compiled import told_by
from trader_core.engine.replay import replay
from trader_core.settings.options import Options

told = []
told_by(lambda done, rules: told.append((done, rules)))
options = Options(config=Path("config"), seed=3)
policy = settings_of(options)
source = source_of(policy, options)
start_ms = source.first_ms + 90 * 86_400_000
replayed = replay(source, policy, start_ms, start_ms + 4 * source.bar_ms)
told_by(None)
json.dump({"worth": replayed.worth.tolist(), "told": told}, sys.stdout)
"""


@dataclass(frozen=True)
class Small:
    """The whole package beside itself, with a law so small that compiling it is cheap, and a cache of its own."""

    root: Path
    mother: "subprocess.Popen[str]"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def made(self) -> "Small":
        for part in ("trader_core", "config"):
            shutil.copytree(ROOT / part, self.root / part, ignore=shutil.ignore_patterns("__pycache__"))
        (self.root / "trader_core" / "rulebook" / "walk.py").write_text(SMALL_LAW)
        assert compile_dir(self.root / "trader_core", quiet=1)
        return self.says(4_001)

    def says(self, figure: int) -> "Small":
        """Change a rule that the compiled function only calls."""
        (self.root / "trader_core" / "rulebook" / "figure.py").write_text(FIGURE.format(figure))
        return self

    def run(self, largest: int = 0) -> tuple[int, bool]:
        """The figure that a process of its own replays, and whether it was loaded: nothing was written for it.
        It writes no file that is larger than that many bytes, if any are given."""
        before = self.written()
        told: dict[str, Any] = json.loads(self.answer(SEEN, largest))
        (figure,) = set(told["worth"])
        loaded = bool(before) and self.written() == before
        assert told["told"] == sorted(told["told"]) and bool(told["told"]) != loaded, "heard of where there was work"
        assert all(0 < rules_done <= rules for rules_done, rules in told["told"])
        return figure, loaded

    def answer(self, what: str, largest: int = 0) -> str:
        """What a process of its own, in which nothing of ours is loaded, says after doing this."""
        ours = {compiled.CACHE_VARIABLE: str(self.cache)}
        asked = {"what": what, "environment": ours, "paths": [str(self.root), str(ROOT)], "largest": largest}
        assert self.mother.stdin and self.mother.stdout
        self.mother.stdin.write(json.dumps(asked) + "\n")
        self.mother.stdin.flush()
        told, code = self.mother.stdout.readline(), self.mother.stdout.readline()
        assert code == "0\n", (self.root / "errors").read_text()[-3_000:]
        return told

    def written(self) -> dict[Path, int]:
        return {one: one.stat().st_mtime_ns for one in self.files("*.nb[ci]")}

    def files(self, pattern: str) -> list[Path]:
        return [one for one in self.cache.rglob(pattern) if one.is_file()]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    root = tmp_path_factory.mktemp("small")
    with (
        (root / "errors").open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", MOTHER],
            cwd=root, env=environment(root / "cache", **dict([compiled.OPTIMISED])), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        ) as mother,
    ):  # fmt: skip
        yield Small(root, mother).made()


def test_nothing_of_ours_is_loaded_where_the_law_is_looked_for(small: Small) -> None:
    asked = "import sys; print([one for one in sys.modules if one.split('.')[0] in ('cli', 'trader_core')], end='')"
    assert small.answer(asked) == "[]\n"


@pytest.fixture(scope="module")
def kept(small: Small) -> Path:
    """A copy of the cache that holds its law."""
    assert small.run() == (4_001, False)
    return shutil.copytree(small.cache, small.root / "kept")


@pytest.fixture
def warm(small: Small, kept: Path) -> Small:
    """With its law in the cache."""
    shutil.rmtree(small.cache, ignore_errors=True)
    shutil.copytree(kept, small.cache)
    return small.says(4_001)


def test_the_law_is_loaded_until_a_line_of_it_changes_and_then_never_again(warm: Small) -> None:
    assert warm.run() == (4_001, True)
    assert warm.says(4_002).run() == (4_002, False)
    assert warm.run() == (4_002, True)
    assert warm.says(4_001).run() == (4_001, True), "what was compiled of the older text is still right for it"


def test_a_file_that_is_not_as_it_was_written_is_compiled_anew_and_mended(warm: Small) -> None:
    for pattern in ("*.nbc", "*.nbi", "sealed"):
        for one in warm.files(pattern):
            one.write_bytes(one.read_bytes()[: one.stat().st_size // 2] + b"?")
        assert warm.run() == (4_001, False), pattern
    assert warm.run() == (4_001, True)


def test_a_directory_that_others_may_write_to_is_neither_read_nor_written(warm: Small) -> None:
    (directory,) = {one.parent for one in warm.files("sealed")}
    for one in warm.files("*"):
        one.unlink()
    directory.chmod(0o777)
    assert warm.run() == (4_001, False)
    assert warm.files("*") == []


def test_on_a_full_disk_the_law_is_compiled_for_the_process_alone(warm: Small) -> None:
    shutil.rmtree(warm.cache)
    assert warm.run(largest=500) == (4_001, False)
    assert warm.run() == (4_001, False)
    assert warm.run() == (4_001, True)


def test_without_a_place_to_keep_it_the_law_is_compiled_every_time(warm: Small) -> None:
    shutil.rmtree(warm.cache)
    warm.cache.write_text("a file where the directory should be")
    assert warm.run() == (4_001, False)
    warm.cache.unlink()


def test_the_directory_is_made_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.CACHE_VARIABLE, str(tmp_path / "not" / "there"))
    directory = compiled.cache_directory()
    assert directory and stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert directory.is_relative_to(tmp_path) and compiled.digest_of_the_law()[:16] in directory.name


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o770, 0o777])
def test_a_directory_that_others_may_write_to_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    monkeypatch.setenv(compiled.CACHE_VARIABLE, str(tmp_path))
    directory = compiled.cache_directory()
    assert directory
    directory.chmod(mode)
    assert compiled.cache_directory() is None


@pytest.mark.skipif(os.getuid() == 0, reason="root writes anywhere")
def test_a_directory_that_cannot_be_written_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.CACHE_VARIABLE, str(tmp_path))
    directory = compiled.cache_directory()
    assert directory
    directory.chmod(0o500)
    assert compiled.cache_directory() is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.CACHE_VARIABLE, str(tmp_path))
    directory = compiled.cache_directory()
    assert directory
    os.chown(directory, 12_345, 12_345)
    assert compiled.cache_directory() is None


def test_nobody_without_a_home_is_served_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is neither a variable nor a home there is no place."""
    monkeypatch.delenv(compiled.CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    assert compiled.cache_directory() is None
