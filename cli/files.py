"""Files that a command writes because a person named them: looked at before the work, and written whole or not."""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from shlex import quote

from trader_core.domain.errors import UsageError

OWN = 0o600  # for its owner alone


def check_place(path: Path | None, option: str) -> None:
    """A file that cannot be written is told before the work, not after it. Raises UsageError."""
    if path is not None and (why := _in_the_way(path)):
        raise _refused(path, option, OSError(0, why))


def check_folder(path: Path | None, option: str) -> None:
    """A folder that is not there and cannot be made is told before the work. Raises UsageError."""
    if path is None:
        return
    there = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    why = "" if os.access(there, os.W_OK) else f"nothing may be written to {there}"
    if not there.is_dir():
        why = "it is no folder" if there == path.absolute() else f"{there} is no folder"
    if why:
        raise UsageError(f"{option} {path} cannot be used: {why}", remedy="name another folder")


def check_apart(files: Sequence[tuple[str, Path | None]]) -> None:
    """Options that name one file: the last would be all that is left of it. Raises UsageError."""
    taken: dict[Path, str] = {}
    for option, path in files:
        if path is not None and _is_file(path):
            other = taken.setdefault(path.resolve(), option)
            if other != option:
                raise UsageError(f"{other} and {option} name one file: {path}", remedy="a file for each of them")


def _in_the_way(path: Path) -> str:
    if path.is_dir():
        return "it is a folder"
    taking = path.resolve().parent if _is_file(path) else path
    if taking != path and not taking.is_dir():
        return "there is no such folder"
    return "" if os.access(taking, os.W_OK) else f"nothing may be written to {taking}"


def _is_file(path: Path) -> bool:
    """Or will be one; /dev/stdout and its like are none."""
    return path.is_file() or not path.exists()


def save(path: Path, option: str, content: str | bytes, mode: int = 0o666) -> None:
    """The whole file or none of it: what was there before is there after a failure, and keeps its mode; a new one has
    this one, less the umask. Raises UsageError."""
    whole = _is_file(path)
    place = path.resolve() if whole else path
    draft, alone = (place.with_name(f".{place.name}.{os.getpid()}.tmp"), os.O_EXCL) if whole else (place, 0)
    try:
        if whole:
            draft.unlink(missing_ok=True)  # of a crash, or of somebody who wants to read what is written
        with open(draft, "wb", opener=lambda name, flags: os.open(name, flags | alone, mode)) as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            if whole:
                os.fsync(file.fileno())
        if whole and place.exists():
            shutil.copymode(place, draft)
        if whole:
            draft.replace(place)
    except OSError as failed:
        if whole:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        raise _refused(path, option, failed) from failed


def add_line(path: Path, option: str, line: str) -> None:
    """At the end of a file, and never behind half a line that a crash left there. Raises UsageError, and then the file
    is as it was."""
    whole = _is_file(path)
    try:
        with path.open("ab", buffering=0) as file:
            kept = file.tell() if whole else 0
            cut = kept > 0 and not path.read_bytes().endswith(b"\n")
            content = f"\n{line}\n".encode()[not cut :]
            if file.write(content) != len(content):
                file.truncate(kept)
                raise OSError(ENOSPC, os.strerror(ENOSPC))
            if whole:
                os.fsync(file.fileno())
    except OSError as failed:
        raise _refused(path, option, failed) from failed


def save_new(path: Path, option: str, content: str | bytes, force: bool = False) -> None:
    """As `save`, of what has balances and orders in it: a new file is for nobody else to read, and one that is there is
    replaced only by force. Raises UsageError."""
    if not force:
        refuse_present(path, "name another file, or add --force")
    save(path, option, content, OWN)


def refuse_present(path: Path, remedy: str) -> None:
    """A device or a pipe may be there: it is written to. Raises UsageError."""
    if os.path.lexists(path) and _is_file(path):
        raise UsageError(f"{path} is there already", safe="nothing was changed", remedy=remedy)


def _refused(path: Path, option: str, failed: OSError) -> UsageError:
    remedy = "name another file"
    if failed.errno in (ENOSPC, EDQUOT):
        remedy = f"make room on its disk (df -h {quote(str(path.absolute().parent))}), or name a file on another"
    return UsageError(f"{option} {path} cannot be written: {failed.strerror or failed}", remedy=remedy)
