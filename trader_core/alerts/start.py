"""Starts the drainer: a process of its own, with nothing of ours open, that outlives whoever started it."""

import fcntl
import os
import sys
from collections.abc import Mapping
from pathlib import Path

LOCK = "alerts.lock"
_PROGRAM = "from cli.main import main; main()"


def is_drained(directory: Path) -> bool:
    """Whether a drainer is at work there. Whoever comes while this looks waits a moment for the lock."""
    try:
        file = os.open(directory / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def start_drainer(directory: Path, config: Path, environ: Mapping[str, str]) -> int:
    """Start `trader alerts drain` in a session of its own and return its process id. Raises OSError."""
    nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    words = [
        sys.executable,
        "-P",
        "-c",
        _PROGRAM,
        "alerts",
        "drain",
        "--state",
        str(directory),
        "--config",
        str(config),
    ]
    return os.posix_spawn(sys.executable, words, environ, file_actions=nowhere, setsid=True)


def buried(process: int) -> bool:
    """Whether a drainer of ours has ended; asked so that it does not stay a zombie while we live."""
    try:
        return os.waitpid(process, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True
