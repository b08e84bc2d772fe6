"""The orders to stop that come from outside: the kill file, which needs no program to give, and the row beside it."""

from collections.abc import Callable
from pathlib import Path

KILL_FILE = "KILL_SWITCH"


class KillFile:
    """`<state>/KILL_SWITCH` existing means stop; so does a directory that cannot be read."""

    def __init__(self, state: Path) -> None:
        self._path = state / KILL_FILE

    def kill_requested(self) -> str | None:
        try:
            self._path.lstat()
        except FileNotFoundError:
            return None
        except OSError as unreadable:
            return f"the kill file cannot be read: {unreadable.strerror}"
        return f"kill file {self._path.name} exists"


class LatchOrKillFile:
    """What `kill` leaves behind, in both of its places: `row` reads the one in the account's own database. Either is
    enough, so deleting the file gives nothing back; the row says why."""

    def __init__(self, state: Path, row: Callable[[], str | None]) -> None:
        self._file, self._row = KillFile(state), row

    def kill_requested(self) -> str | None:
        return self._row() or self._file.kill_requested()
