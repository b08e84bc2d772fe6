"""What a campaign tried and what it found, in a file: the pages of the proof are made from these files alone."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from trader_core.domain.values import as_dict

Figure = int | float | str


class Violation(Struct, frozen=True):
    """`at` is the seed or the boundary, `again` the command that tries just this once more."""

    at: str
    words: str
    again: str


class Proved(Struct, frozen=True):
    """`figures` are what is said last, in this order; `table` is what takes rows, its heads first. What is not
    `finished` goes on where it stopped."""

    campaign: str
    claim: str  # what must hold, in one sentence
    figures: Mapping[str, Figure]
    violations: Sequence[Violation]
    took_s: float
    finished: bool = True
    table: Sequence[Sequence[str]] = ()

    @property
    def holds(self) -> bool:
        return not self.violations


def write(path: Path, proved: Proved, commit: str, day: str) -> None:
    """Takes the place of the last one. `commit` is the code that was tried, `day` is YYYY-MM-DD."""
    made = {**as_dict(proved), "commit": commit, "day": day, "python": platform.python_version()}
    made["cores"] = os.cpu_count() or 0
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(made, indent=2) + "\n")
    beside.replace(path)


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """The last result of every campaign, by its name."""
    found = (json.loads(one.read_text()) for one in sorted(folder.glob("*.json")))
    return {one["campaign"]: one for one in found}
