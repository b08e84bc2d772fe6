"""The command blocks of the documentation: found in every page, and run in its order in the page's own world.

A block is a fence of `sh`, a command a line. `exit=N` says how its last command ends; `not-run=REASON` that it cannot
be run here. What a page takes for granted stands in comments of its own: `<!-- world: paper -->` for an account that
has traded, `live` for one with real money at a venue on this machine, and `<!-- before: COMMAND -->`.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.program import Done, Program
from tests.docs.reference import listed
from tests.shared import ROOT

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^<!-- (world|before): (.*?) -->$", re.MULTILINE)
RUN = ("sh", "console")
OURS = ("trader", ".venv/bin/trader")
OWN_WORDS = {"exit", "not-run"}


@dataclass(frozen=True)
class Block:
    commands: tuple[str, ...]
    ends: int = 0
    not_run: str = ""


@dataclass(frozen=True)
class Document:
    name: str
    world: str
    before: tuple[str, ...]
    blocks: tuple[Block, ...]

    @property
    def runs(self) -> bool:
        return any(not one.not_run for one in self.blocks)


def documents() -> list[Document]:
    return [document_of(path) for path in listed()]


def document_of(path: Path) -> Document:
    text = path.read_text(encoding="utf-8")
    notes = COMMENT.findall(text)
    worlds = [value for kind, value in notes if kind == "world"] or ["empty"]
    before = tuple(value for kind, value in notes if kind == "before")
    return Document(str(path.relative_to(ROOT)), worlds[0], before, tuple(_blocks(text)))


def _blocks(text: str) -> Iterator[Block]:
    for found in FENCE.finditer(text):
        language, *words = found["info"].split() or [""]
        if language not in RUN:
            continue
        said = dict(word.partition("=")[::2] for word in words)
        assert said.keys() <= OWN_WORDS, f"a block says {found['info']}"
        joined = found["body"].replace("\\\n", " ")
        lines = tuple(line.removeprefix("$ ") for line in joined.splitlines() if line.strip())
        yield Block(lines, int(said.get("exit", 0)), said.get("not-run", ""))


@dataclass
class Reader:
    """Somebody who types what a page says, line by line, in a folder of their own."""

    program: Program
    given: dict[str, str] = field(default_factory=dict)

    def read(self, document: Document) -> None:
        for command in document.before:
            self.type(command, 0, document.name)
        for block in document.blocks:
            if block.not_run:
                continue
            *first, last = block.commands
            for command in first:
                self.type(command, 0, document.name)
            self.type(last, block.ends, document.name)

    def type(self, command: str, ends: int, page: str) -> Done:
        command = re.sub(r"\$(\w+)", lambda found: self.program.environment.get(found[1], ""), command)
        words = shlex.split(command, comments=True)
        if not words:
            return Done(0, "", "")
        if words[0] == "export":
            self.given |= dict(word.partition("=")[::2] for word in words[1:])
            done = Done(0, "", "")
        elif words[0] in OURS:
            done = self.program(*words[1:])
        else:
            told = subprocess.run(
                ["sh", "-c", command],
                cwd=self.program.home, env=self.program.environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            done = Done(told.returncode, told.stdout, told.stderr)
        assert done.code == ends, f"{page}: `{command}` ended with {done.code}\n{done.out}{done.err}"
        return done
