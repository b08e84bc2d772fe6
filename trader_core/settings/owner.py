"""Whose a file is that we may not write, and what mends that: it is never moved away, for the ledger is in it."""

import os
import pwd
from pathlib import Path
from shlex import quote

LOGS = ("-wal", "-shm")  # beside a database: another user who looked at it may have left them


def kept_from_us(path: Path) -> Path | None:
    """What of a database this process may not write: the file, a log beside it, or the directory."""
    beside = (path, *(path.with_name(path.name + log) for log in LOGS))
    return next((one for one in (*beside, path.parent) if os.path.lexists(one) and not _is_ours(one)), None)


def let_in(refused: OSError) -> str:
    """What to do where the system refused a file: whose it is, or the nearest directory above that can be looked at."""
    if isinstance(refused, PermissionError) and isinstance(refused.filename, str):
        path = Path(refused.filename)
        place = next(one for one in (path, *path.absolute().parents) if os.path.lexists(one))
        if not _is_ours(place):
            return mended(place)
    return "mend it, and run it again"


def mended(place: Path) -> str:
    """What to do for a place that exists, in the words of a remedy."""
    typed = quote(str(place))
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        again = f"mount -o remount,rw $(df --output=target {typed} | tail -1)"
        return f"the file system that {place} lies on is mounted read-only: {again}; leave the file where it is"
    status, us = place.stat(), os.geteuid()
    change = f"chmod {'u+rwx' if place.is_dir() else 'u+rw'} {typed}"
    owner = _name(status.st_uid)
    if status.st_uid == us:
        return f"{place} belongs to {owner}, who may not write it: {change}; leave the file where it is"
    return (
        f"{place} belongs to {owner}: run trader as {owner}, or chown {quote(_name(us))} {typed} and {change};"
        " leave the file where it is"
    )


def _is_ours(place: Path) -> bool:
    wanted = os.R_OK | os.W_OK | (os.X_OK if place.is_dir() else 0)
    return os.access(place, wanted, effective_ids=os.access in os.supports_effective_ids)


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
