"""Whatever a person, a disk or a venue hands to the program, spoilt: `python -m tests.prove_fuzz --budget 600`.

Each part has its share of the time; a try is known by its part, the seed and its number, and can be had again by them.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import monotonic

from tests.fuzz import PARTS
from tests.fuzz.tries import Tries
from trader_core.prove.proved import Figure, Proved, Violation

CLAIM = "What is spoilt is refused by its name: it is never traded on, no bug, and no empty account."
COUNT_MAX = 10_000_000


def fuzzed(parts: dict[str, float], seed: int, only: int | None = None, count: int = COUNT_MAX) -> Proved:
    """Every part for so many seconds."""
    began_s, figures, violations = monotonic(), dict[str, Figure](), list[Violation]()
    for name, seconds in parts.items():
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            tries = Tries(name, seed, Path(folder), monotonic() + seconds, count, only)
            PARTS[name](tries)
        figures |= {f"{name}_{what}": figure for what, figure in sorted(tries.figures.items()) if what != "violations"}
        violations += tries.violations
        print(f"{name}: {dict(sorted(tries.figures.items()))}", file=sys.stderr, flush=True)
    return Proved("fuzz", CLAIM, {"seed": seed, **figures}, violations, round(monotonic() - began_s, 1))


def main() -> None:
    from cli.commands.prove import told

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--part", choices=PARTS, action="append", help="so many of them; all, if none is named")
    options.add_argument("--budget", type=float, default=600, help="s in all, shared by the parts")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", type=int, default=None, help="the try of that number alone")
    options.add_argument("--out", type=Path, default=None, help="keep the result for the pages of the proof")
    asked = options.parse_args()
    wanted = asked.part or list(PARTS)
    found = told(fuzzed(dict.fromkeys(wanted, asked.budget / len(wanted)), asked.seed, asked.only), asked.out)
    print(found.text)
    sys.exit(found.exit_code)


if __name__ == "__main__":
    main()
