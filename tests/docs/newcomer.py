"""What a newcomer types, page by page, with the real program in processes of its own: README, then the tutorial.

`make prove-newcomer` does this in a clean clone that has been set up from nothing; the suite types the same lines in
its own environment (`test_pages.py`).
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.program import Done, Program
from tests.docs.blocks import Reader, document_of
from tests.shared import ROOT, shared

PAGES = ("README.md", "docs/tutorial/first-hour.md")
TIMEOUT_S = 600


@dataclass(frozen=True)
class Installed(Program):
    """The program as `make setup` has installed it."""

    given: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, "PWD": str(self.home), "XDG_STATE_HOME": str(self.home / "state"), **self.given}

    def __call__(self, *words: str | Path) -> Done:
        done = subprocess.run(
            [ROOT / ".venv" / "bin" / "trader", *map(str, words)],
            cwd=self.home, env=self.environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        sys.stdout.write(f"$ trader {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
        return Done(done.returncode, done.stdout, done.stderr)


def main() -> None:
    for name in PAGES:
        with tempfile.TemporaryDirectory() as home:
            program = Installed(Path(home))
            if name == "README.md":
                (program.home / "folder").symlink_to(shared("data/coinbase"))
            Reader(program, program.given).read(document_of(ROOT / name))
            if name != "README.md":
                told = json.loads((program.home / "told.json").read_text(encoding="utf-8"))
                sys.stdout.write(f"alert received: {told}\n")
        sys.stdout.write(f"ok   {name}\n")


if __name__ == "__main__":
    main()
