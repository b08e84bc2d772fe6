"""Paper beside replay over every candle there is: `python -m tests.prove_parity`. Stopped or killed, it goes on.

Every stretch of the shared data in which the same pairs are there is an account of its own, under a policy that trades
much, in the state directory. A stretch that agreed is not run again.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.scenarios.crash import ALL_STRATEGIES, CRASH_POLICY
from tests.world import write_config
from trader_core.candles.files import pairs_of, segments_of
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, rfc3339

ROOT = Path(__file__).parents[1]
TRADER = [sys.executable, "-c", "from cli.main import main; main()", "parity", "--json"]
VENUES = (("coinbase", 15), ("binance", 5), ("binance", 60))  # and the base bar in minutes
RULES_MIN = 15  # the longest bar that the strategy rules can be computed on
TOLD_MAX = 4_000  # characters of what went wrong


@dataclass(frozen=True)
class Part:
    """One account: a venue's candles from one day to another, in bars of so many minutes."""

    venue: str
    base_min: int
    since_ms: int
    until_ms: int

    @property
    def name(self) -> str:
        return f"{self.venue}-{self.base_min}m-{rfc3339(self.since_ms)[:10]}-{rfc3339(self.until_ms)[:10]}"

    @property
    def cycles(self) -> int:
        return (self.until_ms - self.since_ms) // (self.base_min * MINUTE_MS)


def parts_of(shared: Path) -> Iterator[Part]:
    """Stretches of whole days between all beginnings and ends of what resamples into the base bar."""
    for venue, base_min in VENUES:
        files = [one for found in pairs_of(shared / venue).values() for one in found]
        usable = [one for one in files if base_min * MINUTE_MS % one.step_ms == 0]
        segments = [segment for one in usable for segment in segments_of(one)]
        days = [(-(-one.first_ms // DAY_MS) * DAY_MS, one.end_ms // DAY_MS * DAY_MS) for one in segments]
        edges = sorted({edge for pair in days for edge in pair})
        for since_ms, until_ms in pairwise(edges):
            if any(first <= since_ms and until_ms <= end for first, end in days):
                yield Part(venue, base_min, since_ms, until_ms)


def configured(directory: Path, base_min: int) -> Path:
    """All strategies that these bars allow, under the policy that buys in a crash."""
    write_config(directory, {**ALL_STRATEGIES, "strategies.rules.enabled": base_min <= RULES_MIN})
    policy = CRASH_POLICY.read_text(encoding="utf-8").replace("base_bar_min: 15", f"base_bar_min: {base_min}")
    (directory / "policy.yaml").write_text(policy, encoding="utf-8")
    return directory


def live(part: Part, shared: Path, root: Path) -> dict[str, Any]:
    """One account to its end, or until somebody says stop; what parity told of it."""
    config = configured(root / f"config-{part.base_min}m", part.base_min)
    span = ["--from", rfc3339(part.since_ms), "--to", rfc3339(part.until_ms)]
    words = ["--data", str(shared / part.venue), *span, "--state", str(root / part.name), "--config", str(config)]
    done = subprocess.run([*TRADER, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    told: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"exit_code": done.returncode}
    return told


def proved(root: Path, part: Part) -> Path:
    """Where it is written that a part agreed."""
    return root / f"{part.name}.json"


def campaign(shared: Path, root: Path, at_most: int | None) -> int:
    """Every part that has not agreed yet; the exit code of the first that does not."""
    root.mkdir(parents=True, exist_ok=True)
    left = [one for one in parts_of(shared) if not proved(root, one).exists()]
    for part in left[:at_most]:
        say(f"{len(left)} parts left, {sum(one.cycles for one in left)} cycles; now {part.name}, {part.cycles}")
        told = live(part, shared, root)
        if told["exit_code"] != 0 or told["data"]["cycles_left"]:
            say(json.dumps(told.get("data", told), indent=2)[:TOLD_MAX])
            say(f"{part.name} ended with {told['exit_code']}; make parity goes on there")
            return int(told["exit_code"])
        proved(root, part).write_text(json.dumps(told["data"], indent=2), encoding="utf-8")
        shutil.rmtree(root / part.name)
        left = left[1:]
    say(f"{len(left)} parts left")
    return 0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--shared", type=Path, default=Path(os.environ.get("TRADER_SHARED", ROOT.parent / "shared")))
    options.add_argument("--state", type=Path, default=ROOT / ".state" / "parity")
    options.add_argument("--parts", type=int, default=None, help="do so many of them, and stop")
    chosen = options.parse_args()
    sys.exit(campaign(chosen.shared / "data", chosen.state, chosen.parts))


if __name__ == "__main__":
    main()
