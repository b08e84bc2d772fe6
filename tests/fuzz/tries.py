"""One part of the fuzz: tries with a number each, until the time or the count is over; every one can be had again."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from trader_core.prove.proved import Violation

KEPT_MAX = 50  # violations that are told; all are counted


@dataclass
class Tries:
    """`only` is the one number that is wanted again."""

    part: str
    seed: int
    folder: Path
    until_s: float
    count: int
    only: int | None = None
    figures: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    number: int = -1

    def rolls(self) -> Iterator[random.Random]:
        """Dice for each try."""
        for number in range(self.count) if self.only is None else [self.only]:
            self.number = number
            if monotonic() > self.until_s and self.only is None:
                return
            self.figures["tries"] += 1
            yield random.Random(f"{self.part} {self.seed} {self.number}")

    def each(self, places: Iterable[int]) -> Iterator[int]:
        """Every place, or those that the time allows: spread evenly, so that what is left out is between two."""
        for number in places if self.only is None else [self.only]:
            self.number = number
            if self.only is None and (monotonic() > self.until_s or self.figures["tries"] >= self.count):
                self.figures["left_out_for_time"] += 1
                continue
            self.figures["tries"] += 1
            yield self.number

    def wrong(self, words: str) -> None:
        self.figures["violations"] += 1
        if len(self.violations) < KEPT_MAX:
            again = f"python -m tests.prove_fuzz --part {self.part} --seed {self.seed} --only {self.number}"
            self.violations.append(Violation(f"{self.part}, seed {self.seed}, try {self.number}", words, again))

    def ended(self, code: int, allowed: tuple[int, ...], said: str) -> bool:
        """Count the exit code; whether it is one that may be."""
        self.figures[f"exit_{code}"] += 1
        if code not in allowed:
            self.wrong(f"it ended with {code}: {said.strip()[-400:]}")
        return code in allowed


Part = Callable[[Tries], None]
