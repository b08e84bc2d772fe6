"""One process per state. The kernel holds the lock and drops it with the process, so nothing is ever left behind.

Who runs cycles owns the account; who writes into it has the turn. A loop that waits for its next cycle lends the turn.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from types import TracebackType

from trader_core.domain.errors import StateLocked, StateUnusable

NO_ROOM = (errno.EROFS, errno.ENOSPC, errno.EDQUOT)
STEP_S = 0.05
WAIT_MS = 5_000  # a cycle under a timer is over by then; a `trader run` is not
STOP_IT = "stop it, type this again, and start it; at once and beside it: trader kill, trader policy set, trader pause"


class StateLock:
    """Exclusive while the context is open. Raises StateLocked when another process has it, and keeps it for longer
    than we may wait."""

    def __init__(self, path: Path, wait_ms: int = 0, remedy: str = STOP_IT) -> None:
        self._path, self._wait_s, self._remedy = path, wait_ms / 1e3, remedy
        self._file = -1

    def __enter__(self) -> "StateLock":
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as refused:
            remedy = "name another place with --state DIR"
            if isinstance(refused, PermissionError):  # the account is in this place and stays there
                remedy = f"run trader as who owns {self._path.parent} (ls -l), or mend it with chown and chmod u+rw"
            elif refused.errno in NO_ROOM:
                disk = quote(str(self._path.parent))
                remedy = f"make room there, or mount it for writing (df -h {disk}), and run it again"
            raise StateUnusable(f"{self._path} cannot be opened: {refused.strerror}", remedy=remedy) from refused
        if not self._taken():
            holder = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise StateLocked(
                f"another trader (process {holder}) is running on {self._path.parent}",
                safe="this one did nothing",
                remedy=self._remedy,
            )
        self._sign()
        return self

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Anybody's meanwhile. Who has it at the end is waited for, but no longer than usual: a process that stands
        still with it must not keep an exit from being sent."""
        fcntl.flock(self._file, fcntl.LOCK_UN)
        try:
            yield
        finally:
            if self._taken():
                self._sign()

    def _sign(self) -> None:
        """The kernel has the lock; the number is for who asks, and a disk may be full."""
        with suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def _taken(self) -> bool:
        until = time.monotonic() + self._wait_s
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() >= until:
                    return False
                time.sleep(STEP_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)


@contextmanager
def alone(lock: Path, turn: Path, wait_ms: int = 0) -> Iterator[StateLock]:
    """The turn, as its owner: nobody else runs cycles, and nobody writes. Raises StateLocked."""
    with StateLock(lock, wait_ms), StateLock(turn, WAIT_MS) as ours:
        yield ours


def holder_of(path: Path) -> str:
    """The process that has the lock, '' where nobody has it or it was never there. Raises OSError."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return ""
    except BlockingIOError:
        return os.read(file, 32).decode(errors="replace").strip() or "unknown"
    finally:
        os.close(file)
