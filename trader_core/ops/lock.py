"""One process per state. The kernel holds the lock and drops it with the process, so nothing is ever left behind."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from trader_core.domain.errors import StateLocked, StateUnusable


class StateLock:
    """Exclusive while the context is open. Raises StateLocked when another process has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def __enter__(self) -> "StateLock":
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as refused:
            raise StateUnusable(
                f"{self._path} cannot be opened: {refused.strerror}", remedy="name another place with --state DIR"
            ) from refused
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise StateLocked(
                f"another trader (process {holder}) is running on {self._path.parent}",
                safe="this one did nothing",
                remedy="wait for it, stop it, or name another place with --state DIR",
            ) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
