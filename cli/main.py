"""Entry point of the script `trader`. `kill` goes first: before anything is loaded that could be slow or broken."""

import gc
import os
import sys

from cli.emergency import kills

LOADING = 50_000  # new objects before the collector looks: what is loaded stays, and looking at it costs start-up time


def main() -> None:
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed before we came: what is said goes nowhere
            setattr(sys, stream, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    arguments = sys.argv[1:]
    sys.exit(_killed(arguments) if kills(arguments) else _run(arguments))


def _killed(arguments: list[str]) -> int:
    from cli.emergency import emergency

    return emergency(arguments)


def _run(arguments: list[str]) -> int:
    gc.set_threshold(LOADING)
    from cli.exits import ended
    from cli.options import Shared
    from cli.table import build

    shared = Shared()

    def act() -> object:
        group = build()
        with group.make_context("trader", arguments, obj=shared) as ctx:
            return group.invoke(ctx)

    return ended(act, shared, asked_json="--json" in arguments)
