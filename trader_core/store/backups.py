"""Copies of an account's files, each in a folder of its own with a page that says what is in it.

Taken through SQLite's own means, so also while the account trades: the journal first and its simulated venue after it,
as a crash between the two would leave them. A copy of an account that no cycle of this version has opened yet has this
version's tables. Closed files of older rows never change: the copies in one folder share
theirs. A copy is believed only where every file in it is as it was written.
"""

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Any

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs, rfc3339
from trader_core.domain.errors import StateUnusable
from trader_core.store.files import StateFiles
from trader_core.store.logbook import NAME as LOGBOOK
from trader_core.store.policies import PolicyStore
from trader_core.store.segments import Segments, digest_of_file
from trader_core.store.sqlite import check_pages, copy_database, folder_of, upgrade_copy
from trader_core.store.trials import NAME as TRIALS

FOLDER, PAGE = "backups", "backup.json"
SCHEMA = "trader.backup/v1"
SAME_SECOND_MAX = 10_000
RECORDS = (LOGBOOK, TRIALS)  # of the state directory, whatever the mode; put back where there are none
BESIDE = ("alerts.db", "permits.db", *RECORDS)


class Backup(Struct, frozen=True):
    """`files` are the digests of what is in the folder, by name; the journal's end is that of its copy."""

    place: Path
    mode: str
    made_ms: EpochMs
    rows: int
    head: str
    files: dict[str, str]


def back_up(files: StateFiles, shelf: Path, made_ms: EpochMs) -> Backup:
    """Copy everything of that mode; a registry of trials that nobody can read stays out: only a count is lost.
    Raises StateUnusable, and leaves nothing where another file is damaged or the disk is full. A folder without its
    page is no backup."""
    policy = PolicyStore(files.directory, files.mode)
    named = [files.state, files.venue, policy.path, policy.backup]
    there = [one for one in (*named, *(files.directory / name for name in BESIDE)) if one.exists()]
    sources = [one for one in there if _is_sound(one)]
    stamp = rfc3339(made_ms // 1_000 * 1_000).replace(":", "").replace("-", "")
    names = (shelf / f"{files.mode.lower()}-{stamp}{f'-{n}' if n else ''}" for n in range(SAME_SECOND_MAX))
    place = next(one for one in names if not one.exists())
    try:
        place.mkdir(parents=True, mode=0o700)
    except OSError as failed:
        raise StateUnusable(f"{place} cannot be made: {failed.strerror}", remedy="name another with --to DIR") from None
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, place, ignore_errors=True)
        try:
            made = _copied(files, sources, shelf, place, made_ms)
        except StateUnusable as failed:
            failed.remedy = failed.remedy.replace(str(place), str(shelf))  # what was begun is gone by then
            raise
        except OSError as failed:
            what = f"{place} cannot be written: {failed.strerror}"
            raise StateUnusable(
                what, remedy=f"make room on its disk, or mend that (df -h {quote(str(shelf))})"
            ) from failed
        undo.pop_all()
    return made


def _is_sound(source: Path) -> bool:
    """Whether it goes along. Raises StateUnusable where anything but the registry of trials cannot be read."""
    try:
        if source.suffix != ".json":
            check_pages(source)
    except StateUnusable:
        if source.name != TRIALS:
            raise
        return False
    return True


def _copied(files: StateFiles, sources: Sequence[Path], shelf: Path, place: Path, made_ms: EpochMs) -> Backup:
    for one in sources:
        copy = shutil.copyfile if one.suffix == ".json" else copy_database
        copy(one, place / one.name)
        (place / one.name).chmod(0o600)
    upgrade_copy(place / files.state.name)
    with StateFiles(place, files.mode).reading() as store:
        ((rows, head),) = store.query("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1") or [(0, "")]
        with closing(store.segments()) as segments:
            _copy_closed(segments, folder_of(files.state), shelf)
    for beside in place.glob("*-wal"), place.glob("*-shm"):
        for one in beside:
            one.unlink()
    found = sorted(one for one in place.rglob("*") if one.is_file())
    digests = {one.relative_to(place).as_posix(): digest_of_file(one) for one in found}
    made = Backup(place, files.mode, made_ms, rows, head, digests)
    _write(made)
    return made


def _copy_closed(segments: Segments, source: Path, shelf: Path) -> None:
    """Those that the copy of the journal names and that are there. One that another copy has already takes no room."""
    for segment in segments.listed:
        segments.folder.mkdir(mode=0o700, exist_ok=True)
        target = segments.path(segment)
        older = shelf.glob(f"*/{segments.folder.name}/{target.name}")
        known = next((one for one in older if digest_of_file(one) == segment.digest), None)
        if known is not None:
            target.hardlink_to(known)
        elif (source / target.name).is_file():
            shutil.copyfile(source / target.name, target)
            target.chmod(0o400)


@dataclass(frozen=True)
class Shelf:
    """The copies in one place, the oldest first, and what is wrong with those that cannot be believed."""

    copies: tuple[Backup, ...]
    damaged: tuple[str, ...]


def backups_in(shelf: Path) -> Shelf:
    """Those with a page. One that is damaged hides none of the others."""
    copies, damaged = list[Backup](), list[str]()
    for page in sorted(shelf.glob(f"*/{PAGE}"), key=lambda one: one.parent.name.partition("-")[2]):
        try:
            copies.append(read_backup(page.parent))
        except StateUnusable as broken:
            damaged.append(broken.what)
    return Shelf(tuple(copies), tuple(damaged))


def read_backup(place: Path) -> Backup:
    """What its page says. Raises StateUnusable where it cannot be believed."""
    try:
        page: dict[str, Any] = json.loads((place / PAGE).read_text(encoding="utf-8"))
        sealed = page.pop("sha256")
        if page["schema"] != SCHEMA or sealed != _seal(page):
            raise ValueError("it is not as it was written")
        return Backup(place, page["mode"], page["made_ms"], page["rows"], page["head"], dict(page["files"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as broken:
        why = getattr(broken, "strerror", "") or str(broken)
        raise StateUnusable(f"{place} is no backup: {PAGE}: {why}", remedy="trader backup --list") from None


def check_backup(backup: Backup) -> None:
    """Every file there, to the byte as it was copied, and a database that can be read. Raises StateUnusable with the
    first that is not."""
    for name, digest in backup.files.items():
        one = backup.place / name
        if not one.is_file() or digest_of_file(one) != digest:
            what = "is not as it was copied" if one.is_file() else "is missing"
            raise StateUnusable(f"{one} {what}", safe="nothing was changed", remedy="take another backup")
        if one.parent == backup.place and one.suffix == ".db":
            check_pages(one)


def _seal(page: dict[str, Any]) -> str:
    return sha256(json.dumps(page, sort_keys=True).encode()).hexdigest()


def _write(made: Backup) -> None:
    """The page comes last, whole and on disk: with it the folder becomes a backup."""
    page: dict[str, Any] = {
        "schema": SCHEMA, "mode": made.mode, "made_ms": made.made_ms, "rows": made.rows, "head": made.head,
        "files": made.files,
    }  # fmt: skip
    page["sha256"] = _seal(page)
    beside = made.place / f"{PAGE}.new"
    with beside.open("w", encoding="utf-8") as file:
        json.dump(page, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(made.place / PAGE)
