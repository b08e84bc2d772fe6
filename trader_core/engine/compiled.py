"""The rulebook compiled: the very functions that live interprets, as machine code that is kept between processes.

What is kept lies in the user's own cache directory, under a digest of everything that it was made from, so code of
another version is never found. It is loaded as code: a directory that somebody else could write to is not used, nor is
a file that is not as it was written.
"""

import importlib
import os
import pkgutil
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from struct import pack
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from trader_core import rulebook
from trader_core.market import loops
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import Bars, Columns, Guard, Journey, Plan, State, Tape

Walk = Callable[[Law, Guard, State, Columns, Bars, Journey, Plan, Tape, int, int], int]
Layout = tuple[Any, ...]  # of a value: its type, and the fields of one that has some
Laid = tuple[object, Layout, bytes]  # a part of what is given, its layout and its words
Progress = Callable[[int, int], None]  # rules compiled, of how many
CACHE_VARIABLE = "XDG_CACHE_HOME"
OPTIMISED = ("NUMBA_OPT", "2")  # the level above it takes longer to compile and no less to run
SEAL = "sealed"  # beside the machine code: the digest of what was written there


class Given(NamedTuple):
    """All that a walk is given, in the order of `step_walk`."""

    law: Law
    guard: Guard
    state: State
    columns: Columns
    bars: Bars
    journey: Journey
    plan: Plan
    tape: Tape


def told_by(progress: Progress | None) -> None:
    """From now on `progress` hears of compilation, should there be one."""
    _TELL[:] = [progress] if progress else []


def compiled_walk() -> Walk:
    """`step_walk` as machine code; the same results. Made at its first call, in some 20 s, or found in the cache."""
    return _Walk()


def look_ahead(walk: Walk, columns: Columns, bars: Bars) -> None:
    """What that walk is given next, by another thread: how it lies in memory is known when it comes."""
    if isinstance(walk, _Walk):
        walk.look_at("columns", columns)
        walk.look_at("bars", bars)


class _Walk:
    """Remembers how what it was given before lies in memory."""

    def __init__(self) -> None:
        self._known: dict[str, list[Laid]] = {}

    def __call__(
        self, law: Law, guard: Guard, state: State, columns: Columns, bars: Bars, journey: Journey, plan: Plan,
        tape: Tape, t: int, end: int,
    ) -> int:  # fmt: skip
        given = Given(law, guard, state, columns, bars, journey, plan, tape)
        parts = [self.look_at(name, each) for name, each in zip(Given._fields, given, strict=True)]
        layout = Given.__name__, tuple((name, part) for name, (_, part, _) in zip(Given._fields, parts, strict=True))
        words = np.frombuffer(b"".join([words for _, _, words in parts]), np.int64)
        return int(_made_for(layout)(words, t, end))

    def look_at(self, name: str, part: Any) -> Laid:
        """How it lies: as is known of this one and the one before it."""
        for known in self._known.get(name, ()):
            if known[0] is part:
                return known
        leaves: list[Any] = []
        made = part, _layout(part, leaves), _words(leaves)
        self._known[name] = [*self._known.get(name, ())[-1:], made]
        return made


def compiled_signatures() -> int:
    """How many there are in this process: one for each kind of arguments."""
    return sum(len(one.signatures) for one in _MADE)


_MADE: list[Any] = []
_LAYOUT: list[Layout] = []
_TELL: list[Progress] = []
_MAKING = Lock()


def _made_for(layout: Layout) -> Any:
    """One signature serves every policy and market; arguments of other types are refused."""
    if not _MADE:
        with _MAKING:
            if not _MADE:
                _LAYOUT.append(layout)
                _MADE.append(_compiled(layout))
    if layout != _LAYOUT[-1]:
        raise TypeError("the law was compiled for arguments of other types")
    return _MADE[0]


def _layout(value: Any, leaves: list[Any], strided: bool = False) -> Layout:
    """Of what types it is, all the way down; its numbers and arrays go to `leaves`. Columns and bars lie anyhow in
    memory and are only read; all other arrays are whole."""
    if isinstance(value, tuple):
        strided = strided or isinstance(value, (Columns, Bars))
        names: tuple[str, ...] = type(value)._fields  # type: ignore[attr-defined]
        parts = tuple([_layout(each, leaves, strided) for each in value])
        return type(value).__name__, tuple(zip(names, parts, strict=True))
    leaves.append(value)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.ndim, strided or value.flags.c_contiguous, strided
    return ("float" if isinstance(value, float) else "int" if isinstance(value, (int, np.int64)) else "neither",)


def _words(leaves: list[Any]) -> bytes:
    """As it lies in memory, in words of 64 bits: a number as it is; of an array where, its shape and its strides."""
    words: list[int | float] = []
    for one in leaves:
        if isinstance(one, np.ndarray):
            words += (one.__array_interface__["data"][0], *one.shape, *one.strides)
        else:
            words.append(one)
    kinds = "".join(["d" if isinstance(one, float) else "q" for one in words])
    return pack(kinds, *words)


def _compiled(layout: Layout) -> Any:
    os.environ.setdefault(*OPTIMISED)
    machine: Any = importlib.import_module("trader_core.engine.machine")
    event: Any = importlib.import_module("numba.core.event")
    rules = _register(machine)

    class Compiling(event.Listener):  # type: ignore[misc]
        done = 0

        def on_start(self, event: Any) -> None:
            """Each rule that is compiled has its start and its end."""

        def on_end(self, event: Any) -> None:
            self.done += 1
            for tell in _TELL:
                tell(min(self.done, rules), rules)

    directory = cache_directory()
    if directory:
        drop_unsealed(directory)
    with event.install_listener("numba:compile", Compiling()):
        try:
            made, looped = machine.walk_of(layout, directory), machine.loops_of(loops.LOOPS, directory)
        except OSError:  # a full disk: it is made for this process alone
            directory = None
            made, looped = machine.walk_of(layout, None), machine.loops_of(loops.LOOPS, None)
        loops.use_machine_code(looped)
    if directory:
        seal(directory)
    return made


@cache
def _register(machine: Any) -> int:
    """Every rule of every module under rulebook/; their number."""
    for module in pkgutil.walk_packages(rulebook.__path__, "trader_core.rulebook."):
        importlib.import_module(module.name)
    for law in rulebook.RULES:
        machine.learn(law)
    return len(rulebook.RULES)


def cache_directory() -> Path | None:
    """Where machine code of this version is kept, made if need be; None where there is no place of our own."""
    root = os.environ.get(CACHE_VARIABLE)
    place = sha256(__file__.encode()).hexdigest()  # what is compiled from elsewhere has a seal of its own
    name = f"{digest_of_the_law()[:16]}-{place[:8]}"
    try:
        directory = (Path(root) if root else Path.home() / ".cache") / "trader" / "law" / name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
        ours = found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        return directory if ours and os.access(directory, os.W_OK | os.X_OK) else None
    except (OSError, RuntimeError):
        return None


def drop_unsealed(directory: Path) -> None:
    """Delete machine code that is not as it was written: a disk was full, a process was cut, or somebody meddled.

    Only files go: another process may be about to write there, and would lose no more than time.
    """
    try:
        whole = (directory / SEAL).read_bytes() == _digest_of_code(directory)
    except OSError:
        whole = False
    if not whole:
        for path in _code(directory):
            path.unlink(missing_ok=True)


def seal(directory: Path) -> None:
    """Say what was written. Where that cannot be said, it is written once more the next time."""
    part = directory / f"{SEAL}.{os.getpid()}"
    with suppress(OSError):
        part.write_bytes(_digest_of_code(directory))
        part.replace(directory / SEAL)


def _code(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.nb[ci]"))


def _digest_of_code(directory: Path) -> bytes:
    found = sha256()
    for path in _code(directory):
        found.update(f"\n{path.name} {path.stat().st_size}\n".encode())
        found.update(path.read_bytes())
    return found.digest()


@cache
def digest_of_the_law() -> str:
    """SHA-256 of the sources of all that is compiled, this file and the one beside it, and what compiles them."""
    libraries = [f"{name} {version(name)}" for name in ("numba", "llvmlite", "numpy")]
    made_by = (sys.implementation.name, *sys.version_info[:3], *libraries)
    sources = [
        Path(__file__),
        Path(__file__).with_name("machine.py"),
        Path(loops.__file__),
        *sorted(Path(next(iter(rulebook.__path__))).rglob("*.py")),
    ]
    found = sha256(repr(made_by).encode())
    for source in sources:
        found.update(f"\n{source.name} {source.stat().st_size}\n".encode())
        found.update(source.read_bytes())
    return found.hexdigest()
