"""Leave for what cannot be taken back: asked for on a terminal, elsewhere it must have been said."""

import sys

import typer

from cli.exits import note
from trader_core.domain.errors import GateClosed, UsageError


def agreed(terms: str, question: str, done: str) -> None:
    """`done` is what happens otherwise not: 'armed', 'sold'. Raises UsageError, and GateClosed on a no."""
    note(terms)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        remedy = "read the lines above, then add --yes"
        raise UsageError("there is no terminal to ask on", safe=f"nothing was {done}", remedy=remedy)
    if not typer.confirm(question, default=False, err=True):
        raise GateClosed(f"not {done}: the answer was no", safe=f"nothing was {done}")
