"""The law in numbers: plain Python on int64 and float64, so that a replay can compile the very same functions."""

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
RULES: list[Callable[..., Any]] = []


def rule(function: F) -> F:
    """Mark a law: interpreted as it stands, compiled when a replay asks for it."""
    RULES.append(function)
    return function
