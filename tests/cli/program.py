"""Runs the program as a person does: a process of its own, its exit code, its stdout and its stderr."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.exits import ended
from cli.options import Shared
from cli.table import build
from tests.cli.forked import run
from tests.docs.published import meet

ROOT = Path(__file__).parents[2]
START = [sys.executable, "-c", "from cli.main import main; main()"]
TIMEOUT_S = 60
KEPT = ("PATH", "SYSTEMROOT")
CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")  # the law is compiled once for all


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """stdout, which must be exactly one JSON document, and as published."""
        found: dict[str, Any] = json.loads(self.out)
        meet(found)
        return found

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["data"]
        return found


@dataclass(frozen=True)
class Program:
    """The program in a world of its own: nothing of the user's environment reaches it, but what measures coverage."""

    home: Path

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: each for name, each in os.environ.items() if name in KEPT or name.startswith("COVERAGE_")}
        own = {"HOME": str(self.home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        return {**kept, **own, "XDG_CACHE_HOME": CACHE}

    def __call__(self, *words: str | Path) -> Done:
        return Done(*run([*map(str, words)], self.home, self.environment, TIMEOUT_S))

    def start(self, *words: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*START, *map(str, words)],
            cwd=self.home, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    @contextlib.contextmanager
    def at_home(self) -> Iterator[None]:
        """This process has the program's environment."""
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def paper(self, command: str, *words: str | Path) -> Done:
        """A command on the paper account of the sample market."""
        return self(command, "--mode", "PAPER", "--venue", "simulated", "--state", self.state, *words)


@dataclass(frozen=True)
class Inside(Program):
    """The same command line in this process: for tests of what commands do, where starting up is not the point."""

    def __call__(self, *words: str | Path) -> Done:
        out, err, shared = io.StringIO(), io.StringIO(), Shared()

        def act() -> object:
            arguments = list(map(str, words))
            group = build(arguments)
            with group.make_context("trader", arguments, obj=shared) as ctx:
                return group.invoke(ctx)

        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = ended(act, shared, asked_json="--json" in words)
        return Done(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class AtHome(Inside):
    """In the program's own folder and environment, too."""

    def __call__(self, *words: str | Path) -> Done:
        with self.at_home(), contextlib.chdir(self.home):
            return super().__call__(*words)
