"""Where lives are lived that nobody keeps: in memory where the machine has a place for that, for no disk is judged."""

import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - nobody else's business, and made by mkdtemp


def quick_place(prefix: str) -> Path:
    """A new folder of our own, which the caller removes."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if MEMORY.is_dir() else None))
