"""Files that lie where others may put things: one that is no plain file, a pipe most of all, never keeps us waiting."""

import os
from errno import EINVAL, ENXIO
from pathlib import Path
from stat import S_ISREG


def opened(path: Path, flags: int, mode: int = 0o600) -> int:
    """Its descriptor. Raises OSError, also where it is no plain file."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as refused:
        if refused.errno == ENXIO:  # a socket, or a pipe from which nobody reads
            raise _strange(path) from refused
        raise
    if S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise _strange(path)


def _strange(path: Path) -> OSError:
    return OSError(EINVAL, "it is no plain file", str(path))


def content(path: Path) -> bytes:
    """All of it. Raises OSError."""
    with os.fdopen(opened(path, os.O_RDONLY), "rb") as file:
        return file.read()
