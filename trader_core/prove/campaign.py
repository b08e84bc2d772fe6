"""Campaigns of many combinations: shared out among workers, kept line by line, gone on with, and told at the end."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from trader_core.domain.errors import GateClosed
from trader_core.prove.proved import Figure, Proved, Violation
from trader_core.settings.environment import process_environment

HANDS = 2  # workers beside each other
EACH = 25  # combinations are worth another worker, which has to play the scenes too
LOOK_S, TELL_S = 0.2, 10.0
HERE = Path(__file__).parents[1]
Told = Callable[[str], object]
Result = Mapping[str, Any]


@dataclass
class Campaign:
    """One campaign's folder. What was found by other code than this is not gone on with."""

    name: str
    config: Path
    work: Path
    told: Told
    hands: int = HANDS

    def found(self, do: str, keys: Sequence[str]) -> dict[str, Result]:
        """The result of every key. Raises GateClosed where a worker cannot do its part."""
        began_s, known = monotonic(), self._known(do)
        left = [key for key in keys if key not in known]
        with ExitStack() as until_ended:
            hands = min(self.hands, -(-len(left) // EACH))
            working = [self._worker(do, left[part::hands], part) for part in range(hands)]
            for one in working:
                until_ended.callback(one.kill)
            looked_s = monotonic()
            while any(one.poll() is None for one in working):
                sleep(LOOK_S)
                if monotonic() - looked_s > TELL_S:
                    looked_s = monotonic()
                    self.told(f"{self.name}: {len(self._known(do))} of {len(keys)}")
        known = self._known(do)
        self._spent(monotonic() - began_s)
        missing = [key for key in keys if key not in known]
        if missing:
            raise GateClosed(f"{self.name}: {len(missing)} were not tried, the first of them {missing[0]}")
        return {key: known[key] for key in keys}

    def _worker(self, do: str, keys: Sequence[str], part: int) -> "subprocess.Popen[str]":
        asked = {"do": do, "keys": keys, "done": [], "for": os.getpid(), "config": str(self.config.absolute())}
        asked["results"] = str(self.folder / f"{do}-{part}.jsonl")
        environment = {**process_environment(), "OPENBLAS_NUM_THREADS": "1"}
        started = subprocess.Popen(
            [sys.executable, "-m", "trader_core.prove.worker"], env=environment, stdin=subprocess.PIPE, text=True
        )
        assert started.stdin is not None  # noqa: S101 - it was asked for
        with started.stdin as line:
            json.dump(asked, line)
        return started

    @cached_property
    def folder(self) -> Path:
        """For what this very code finds under this very configuration."""
        files = sorted([*HERE.rglob("*.py"), *HERE.rglob("*.sql"), *self.config.glob("*.yaml")])
        mark = sha256(b"".join(sha256(one.read_bytes()).digest() for one in files)).hexdigest()[:12]
        place = self.work.absolute() / mark
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _known(self, do: str) -> dict[str, Result]:
        lines = (line for path in sorted(self.folder.glob(f"{do}-*.jsonl")) for line in path.read_text().splitlines())
        return {one["key"]: one for one in map(json.loads, filter(_is_whole, lines))}

    def _spent(self, seconds: float) -> None:
        (self.folder / "spent").write_text(str(self.spent_s + seconds))

    @property
    def spent_s(self) -> float:
        try:
            return float((self.folder / "spent").read_text())
        except (OSError, ValueError):
            return 0.0

    def proved(self, claim: str, figures: Mapping[str, Figure], results: Iterable[Result]) -> Proved:
        """What came of it; each thing that is wrong, with what tries just that again."""
        violations = [
            Violation(one["key"], words, f"trader prove {self.name} --only {one['key']}")
            for one in results
            for words in one["wrong"]
        ]
        return Proved(self.name, claim, figures, violations, round(self.spent_s, 1))


def _is_whole(line: str) -> bool:
    """A line that was cut short is of something that is tried again."""
    return line.endswith("}")


def lives_of(results: Iterable[Result]) -> dict[str, Figure]:
    counts = Counter[str]()
    for one in results:
        counts.update(lives=one["lives"], killed=one["killed"])
    return {"lives": counts["lives"], "of_them_killed": counts["killed"]}


def sampled(keys: Sequence[str], wanted: int | None) -> Sequence[str]:
    """So many of them, all over; all where none is said."""
    return keys if wanted is None or wanted >= len(keys) else [keys[n * len(keys) // wanted] for n in range(wanted)]
