"""Entry point of the script `trader`. `kill` goes first: before anything is loaded that could be slow or broken."""

import contextlib
import gc
import io
import os
import sys
from typing import Any, TextIO

from cli.emergency import kills

TIMED = "run-cycle"  # what timers start, every minute
USUAL = gc.get_threshold()
LOADING = 50_000  # new objects before the collector looks: what is loaded stays, and looking at it costs start-up time
WORDS = ("--help", "--version")


def main() -> None:
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed before we came: what is said goes nowhere
            setattr(sys, stream, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        _say_all(getattr(sys, stream))
    arguments = sys.argv[1:]
    code = _killed(arguments) if kills(arguments) else _run(arguments)
    for output in (sys.stdout, sys.stderr):
        _flush(output)
    if TIMED in arguments:
        os._exit(code)  # taking the interpreter down costs a timer's command a quarter of a second
    sys.exit(code)


def _say_all(stream: object) -> None:
    """A letter that the terminal does not know is told by its number: what was done may not end as a failure for it."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def _flush(stream: TextIO) -> None:
    """What cannot be said any more goes nowhere: the exit code tells of the work."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _killed(arguments: list[str]) -> int:
    from cli.emergency import emergency

    return emergency(arguments)


def _run(arguments: list[str]) -> int:
    from cli.exits import ended
    from cli.options import Shared
    from trader_core.settings.environment import refuse_matrix_threads, refuse_plugins
    from trader_core.talk import guard

    alone = TIMED in arguments and not set(WORDS) & set(arguments)
    _collect_later(0 if alone else LOADING)  # a process of one cycle ends before it has anything to collect
    refuse_plugins()
    refuse_matrix_threads()
    guard()
    shared = Shared()

    def act() -> object:
        group = _timed() if alone else _any(arguments)
        with group.make_context("trader", arguments, obj=shared) as ctx:
            return group.invoke(ctx)

    return ended(act, shared, asked_json="--json" in arguments)


def _collect_later(objects: int) -> None:
    """Not before so many new ones, and then as usual: what runs for weeks may not keep what it is done with."""
    if _loaded not in gc.callbacks:
        gc.callbacks.append(_loaded)
    gc.set_threshold(objects)


def _loaded(phase: str, _: dict[str, int]) -> None:
    if phase == "stop":
        gc.callbacks.remove(_loaded)
        gc.set_threshold(*USUAL)


def _any(arguments: list[str]) -> Any:
    from cli.table import build

    return build(arguments)


def _timed() -> Any:
    """A command line of one command: to load the others costs a timer's start."""
    from cli.commands.run_cycle import run_cycle
    from cli.group import group_of

    return group_of({TIMED: run_cycle})
