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
from threading import Lock
from typing import Any

from trader_core import rulebook
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import Bars, Columns, Guard, Journey, Plan, State, Tape
from trader_core.rulebook.walk import step_walk

Walk = Callable[[Law, Guard, State, Columns, Bars, Journey, Plan, Tape, int, int], int]
Progress = Callable[[int, int], None]  # rules compiled, of how many
CACHE_VARIABLE = "XDG_CACHE_HOME"
OPTIMISED = ("NUMBA_OPT", "2")  # the level above it takes longer to compile and no less to run
SEAL = "sealed"  # beside the machine code: the digest of what was written there

# No rule is called from Python, and none makes an array; a division by zero is guarded, and interpreted it would raise.
APART = ("mul_div_long",)
INSIDE: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False, "error_model": "numpy"}


def _walk(
    law: Law, guard: Guard, state: State, columns: tuple[Any, ...], bars: tuple[Any, ...], journey: Journey, plan: Plan,
    tape: Tape, t: int, end: int,
) -> int:  # fmt: skip
    """`step_walk` for any layout of columns and bars: as plain tuples they are converted to one type."""
    return step_walk(law, guard, state, Columns(*columns), Bars(*bars), journey, plan, tape, t, end)


def told_by(progress: Progress | None) -> None:
    """From now on `progress` hears of compilation, should there be one."""
    _TELL[:] = [progress] if progress else []


def compiled_walk() -> Walk:
    """`step_walk` as machine code; the same results. Made at its first call, in some 25 s, or found in the cache."""
    return _walk_compiled


def _walk_compiled(
    law: Law, guard: Guard, state: State, columns: Columns, bars: Bars, journey: Journey, plan: Plan, tape: Tape,
    t: int, end: int,
) -> int:  # fmt: skip
    arguments = (law, guard, state, tuple(columns), tuple(bars), journey, plan, tape, t, end)
    return int(_made_for(arguments)(*arguments))


def compiled_signatures() -> int:
    """How many there are in this process: one for each kind of arguments."""
    return sum(len(one.signatures) for one in _MADE)


_MADE: list[Any] = []
_TELL: list[Progress] = []
_MAKING = Lock()


def _made_for(arguments: tuple[Any, ...]) -> Any:
    """One signature serves every policy and market; arguments of other types are refused."""
    if not _MADE:
        with _MAKING:
            if not _MADE:
                _MADE.append(_compiled(arguments))
    return _MADE[0]


def _compiled(arguments: tuple[Any, ...]) -> Any:
    os.environ.setdefault(*OPTIMISED)
    numba: Any = importlib.import_module("numba")
    event: Any = importlib.import_module("numba.core.event")
    rules = _register()

    class Compiling(event.Listener):  # type: ignore[misc]
        done = 0

        def on_start(self, event: Any) -> None:
            """Each rule that is compiled has its start and its end."""

        def on_end(self, event: Any) -> None:
            self.done += 1
            for tell in _TELL:
                tell(min(self.done, rules), rules)

    directory = cache_directory()
    numba.config.CACHE_DIR = str(directory or "")
    if directory:
        drop_unsealed(directory)
    options = {key: value for key, value in INSIDE.items() if key != "no_cpython_wrapper"}
    with event.install_listener("numba:compile", Compiling()):
        made = numba.njit(_signature(arguments), cache=bool(directory), nogil=True, **options)(_walk)
    if directory:
        seal(directory)
    return made


@cache
def _register() -> int:
    """Every rule of every module under rulebook/; their number."""
    numba: Any = importlib.import_module("numba.extending")
    for module in pkgutil.walk_packages(rulebook.__path__, "trader_core.rulebook."):
        importlib.import_module(module.name)
    for law in rulebook.RULES:
        numba.register_jitable(**{**INSIDE, "forceinline": law.__name__ not in APART})(law)
    return len(rulebook.RULES)


def _signature(arguments: tuple[Any, ...]) -> Any:
    """The types of the arguments; arrays in plain tuples are read only and of any layout."""
    numba: Any = importlib.import_module("numba")
    types, typeof = numba.types, numba.typeof

    def any_layout(arrays: tuple[Any, ...]) -> Any:
        return types.Tuple(tuple(types.Array(typeof(one).dtype, one.ndim, "A", readonly=True) for one in arrays))

    return types.int64(*(any_layout(one) if type(one) is tuple else typeof(one) for one in arguments))


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
    """SHA-256 of the rulebook's sources, this file, and what compiles them."""
    libraries = [f"{name} {version(name)}" for name in ("numba", "llvmlite", "numpy")]
    made_by = (sys.implementation.name, *sys.version_info[:3], *libraries)
    sources = [Path(__file__), *sorted(Path(next(iter(rulebook.__path__))).rglob("*.py"))]
    found = sha256(repr(made_by).encode())
    for source in sources:
        found.update(f"\n{source.name} {source.stat().st_size}\n".encode())
        found.update(source.read_bytes())
    return found.hexdigest()
