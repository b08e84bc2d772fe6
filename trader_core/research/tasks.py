"""Many replays as tasks: what is done already is not done again, and what is done is kept at once.

A task is a name for its outcome: the same digest, the same text, wherever it ran. So the order in which workers end,
which of them died and what ran which task leave no trace in a table.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from trader_core import research

BATCH_MAX = 16  # tasks that a worker takes at a time; what they found is lost with it
BATCHES_A_WORKER = 4  # at least, so that none waits long for the last
ENDING = ".json"
Progress = Callable[[int, int], None]  # tasks done, of how many
Outcome = tuple[str, str]  # digest of a task, and its text


class Task(Protocol):
    """A deterministic piece of work that can be sent to another process by its few fields."""

    @property
    def digest(self) -> str:
        """Names everything that the outcome depends on."""

    def run(self) -> str: ...


Batch = tuple[Task, ...]


class Pool(Protocol):
    """Workers of one kind. A worker that dies costs its tasks another try, on another one."""

    @property
    def workers(self) -> int: ...

    def each(self, batches: Sequence[Batch]) -> Iterator[tuple[Outcome, ...]]:
        """Every batch's outcomes, as they come. Raises WorkersLost where they die again and again."""


class Results(Protocol):
    """Outcomes by digest."""

    def find(self, digest: str) -> str | None: ...
    def keep(self, digest: str, text: str) -> None: ...


@dataclass(frozen=True)
class Held:
    """Outcomes in memory."""

    found: dict[str, str] = field(default_factory=dict)

    def find(self, digest: str) -> str | None:
        return self.found.get(digest)

    def keep(self, digest: str, text: str) -> None:
        self.found[digest] = text


@dataclass(frozen=True)
class Kept:
    """Outcomes in a folder, a file each, whole or not there: a kill at any moment loses what was not finished yet."""

    folder: Path

    def find(self, digest: str) -> str | None:
        """A file that a failing disk left in pieces counts as none."""
        with suppress(FileNotFoundError, UnicodeDecodeError):
            text, _, seal = (self.folder / f"{digest}{ENDING}").read_text(encoding="utf-8").partition("\n")
            if seal == seal_of(text):
                return text
        return None

    def keep(self, digest: str, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / f"{digest}.{os.getpid()}.new"
        new.write_text(f"{text}\n{seal_of(text)}", encoding="utf-8")
        new.replace(self.folder / f"{digest}{ENDING}")


def seal_of(text: str) -> str:
    """The last line of a kept outcome."""
    return f"{sha256(text.encode()).hexdigest()}\n"


def run_tasks(tasks: Sequence[Task], pool: Pool, results: Results, progress: Progress) -> tuple[str, ...]:
    """The outcome of each task, in their order; equal ones run once. Each is kept as soon as it is there."""
    found: dict[str, str | None] = {one.digest: results.find(one.digest) for one in tasks}
    left = {one.digest: one for one in tasks if found[one.digest] is None}
    progress(len(found) - len(left), len(found))
    for outcomes in pool.each(batched(tuple(left.values()), pool.workers)):
        for digest, outcome in outcomes:
            results.keep(digest, outcome)
            found[digest] = outcome
        progress(sum(text is not None for text in found.values()), len(found))
    return tuple(text for one in tasks if (text := found[one.digest]) is not None)


def batched(tasks: Sequence[Task], workers: int) -> tuple[Batch, ...]:
    """Neighbours together: they often share windows."""
    size = max(1, min(BATCH_MAX, len(tasks) // (BATCHES_A_WORKER * workers)))
    return tuple(tuple(tasks[n : n + size]) for n in range(0, len(tasks), size))


def run_batch(batch: Batch) -> tuple[Outcome, ...]:
    """What a worker does."""
    return tuple((one.digest, one.run()) for one in batch)


def digest_of(*words: str) -> str:
    """SHA-256 over the words and the code: outcomes of another version are never found."""
    found = sha256(code_digest().encode())
    for word in words:
        found.update(f"{len(word.encode())} {word}".encode())
    return found.hexdigest()


@cache
def code_digest() -> str:
    """SHA-256 of every source of the program."""
    root, found = Path(next(iter(research.__path__))).parent, sha256()
    for source in sorted(root.rglob("*.py")):
        found.update(f"\n{source.relative_to(root).as_posix()} {source.stat().st_size}\n".encode())
        found.update(source.read_bytes())
    return found.hexdigest()
