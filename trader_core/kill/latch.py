"""The latch of `kill`: a file in the state directory and a row in every account's database. Each is written whatever
becomes of the other, and either stops the loop.

Standard library only. What exists is what counts, an empty file too; its own time says since when.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from trader_core.domain.errors import StateUnusable
from trader_core.kill.sales import prepare_room
from trader_core.ops.halts import KILL_FILE
from trader_core.ops.plain import content

SPARE = ".latch-spare"
TEXT_MAX = 500
READ_MAX = 4_096
READABLE = 0o644  # root may have killed, and the user of the service must be able to read why


@dataclass(frozen=True)
class Part:
    """One place of the latch: whether it stands, and what there is to say of it."""

    place: str
    stands: bool
    note: str = ""


@dataclass(frozen=True)
class Seen:
    """The file as somebody found it: `stamp` tells it from one that was written after."""

    reason: str
    since_ms: int
    stamp: tuple[int, int]


def prepare_latch(state: Path) -> None:
    """Keep a file ready that only needs another name, and room for sales: a full disk has none. Where even that cannot
    be made, nothing is lost but this."""
    prepare_room(state)
    path = state / SPARE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return
    try:
        os.write(descriptor, b"latched with the file that was kept for a full disk\n")
        os.fsync(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)


def write_file(state: Path, reason: str) -> Part:
    """Make the file, however full the disk is. A file that is there already is touched, so that nobody who saw it
    before takes it away."""
    path, flags = state / KILL_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        try:
            descriptor = os.open(path, flags, READABLE)
        except FileNotFoundError:
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, flags, READABLE)
    except OSError as refused:
        return _otherwise(path, refused)
    try:
        os.write(descriptor, f"{reason}\n".encode(errors="backslashreplace"))
        os.fsync(descriptor)
        note = ""
    except OSError as full:
        note = f"it is empty: {full.strerror}"
    finally:
        os.close(descriptor)
    return Part(str(path), True, "; ".join(one for one in (note, _synced(state)) if one))


def _otherwise(path: Path, refused: OSError) -> Part:
    """There is such a file, or there is only another name to give."""
    if os.path.lexists(path):
        try:
            os.utime(path, follow_symlinks=False)
        except OSError as failed:
            return Part(str(path), True, f"it was there already, and cannot be touched: {failed.strerror}")
        return Part(str(path), True, "it was there already")
    try:
        os.rename(path.with_name(SPARE), path)  # noqa: PTH104 - atomic, and of the disk's own
        os.utime(path)
    except OSError:
        return Part(str(path), os.path.lexists(path), f"it cannot be made: {refused.strerror}")
    return Part(str(path), True, f"{refused.strerror}: the spare file took its name")


def _synced(directory: Path) -> str:
    """A name is on disk when its directory is."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as failed:
        return f"it may not survive a power cut: {failed.strerror}"
    try:
        os.fsync(descriptor)
    except OSError as failed:
        return f"it may not survive a power cut: {failed.strerror}"
    finally:
        os.close(descriptor)
    return ""


def write_rows(state: Path, reason: str) -> tuple[Part, ...]:
    """A row in every account's database, one after another, each waited for a moment."""
    from trader_core.store.latch import databases, write_row

    try:
        found = databases(state)
    except StateUnusable as hidden:
        return (Part(str(state), False, hidden.what),)
    parts = []
    for path in found:
        try:
            if write_row(path, reason):
                parts.append(Part(str(path), True))
        except StateUnusable as failed:
            parts.append(Part(str(path), False, failed.what))
    return tuple(parts)


def read_file(state: Path) -> Seen | None:
    """The file that stands, or None. Raises OSError where nobody can know."""
    path = state / KILL_FILE
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    try:
        text = content(path)[:READ_MAX].decode(errors="replace").strip()
    except OSError:
        text = ""
    return Seen(text, status.st_mtime_ns // 1_000_000, (status.st_ino, status.st_mtime_ns))


def remove_file(state: Path, seen: Seen) -> bool:
    """Take away the file that was seen, and no other; whether it is gone. Raises OSError."""
    now = read_file(state)
    if now is not None and now.stamp != seen.stamp:
        return False
    (state / KILL_FILE).unlink(missing_ok=True)
    _synced(state)
    prepare_latch(state)
    return True


def one_line(text: str) -> str:
    """A reason as it can be written anywhere."""
    return "".join(one if one.isprintable() else " " for one in text).strip()[:TEXT_MAX]
