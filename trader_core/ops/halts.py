"""The kill file: the one order to stop that needs no program to give."""

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
