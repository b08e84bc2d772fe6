"""Tasks that other processes can import: one that tells, one whose first worker dies under it, one that kills all."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Told:
    """Writes down that it ran."""

    digest: str
    folder: str

    def run(self) -> str:
        with (Path(self.folder) / f"{self.digest}.runs").open("a", encoding="utf-8") as runs:
            runs.write(".")
        return f"outcome of {self.digest}"


@dataclass(frozen=True)
class Deadly(Told):
    """The worker that meets it for the first time is killed, as by a machine that is out of memory."""

    def run(self) -> str:
        mark = Path(self.folder) / f"{self.digest}.death"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run()


@dataclass(frozen=True)
class Poison(Told):
    """No worker survives it."""

    def run(self) -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().run()


@dataclass(frozen=True)
class Broken(Told):
    """Has a bug."""

    def run(self) -> str:
        raise ArithmeticError(self.digest)
