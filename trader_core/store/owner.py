"""Whose a file is that we may not write, and what mends that: it is never moved away, for the ledger is in it."""

import os
import pwd
from pathlib import Path

LOGS = ("-wal", "-shm")  # beside a database: another user who looked at it may have left them


def kept_from_us(path: Path) -> Path | None:
    """What of a database this process may not write: the file, a log beside it, or the directory."""
    beside = (path, *(path.with_name(path.name + log) for log in LOGS))
    return next((one for one in (*beside, path.parent) if os.path.lexists(one) and not _is_ours(one)), None)


def mended(place: Path) -> str:
    """What to do for a place that exists, in the words of a remedy."""
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        again = f"mount -o remount,rw $(df --output=target {place} | tail -1)"
        return f"the file system that {place} lies on is mounted read-only: {again}; leave the file where it is"
    status, us = place.stat(), os.geteuid()
    change = f"chmod {'u+rwx' if place.is_dir() else 'u+rw'} {place}"
    owner = _name(status.st_uid)
    if status.st_uid == us:
        return f"{place} belongs to {owner}, who may not write it: {change}; leave the file where it is"
    return (
        f"{place} belongs to {owner}: run trader as {owner}, or chown {_name(us)} {place} and {change};"
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
