"""What a kill did, what it did not, and what to type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

INCOMPLETE = 50
ALERT_UNDELIVERED = 70


@dataclass(frozen=True)
class Report:
    exit_code: int
    data: dict[str, Any]
    lines: Sequence[str]  # for a person
    not_done: Sequence[str]
    next: Sequence[str]  # what to type
    phases: Sequence[tuple[str, int]]  # and how many ms each took
