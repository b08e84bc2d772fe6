"""One candle file is replaced in one step: after a crash there is the old one or the new one, whole."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trader_core.candles.files import COLUMNS, Rows
from trader_core.domain.errors import StateLocked, StateUnusable, UsageError

_MEND = "make room, or mend the rights of the folder, and run it again"


def refuse_files(folder: Path) -> None:
    """Raises UsageError where a file lies in its place, or in that of a folder around it."""
    there = next((one for one in (folder, *folder.parents) if one.exists()), None)
    if there is not None and not there.is_dir():
        raise UsageError(
            f"{there} is a file, and a folder is meant", safe="nothing was imported",
            remedy="name another folder, or move the file away",
        )  # fmt: skip


@contextmanager
def only_writer(directory: Path) -> Iterator[None]:
    """Makes the folder and is alone in writing to it. Raises StateLocked when another process is, and UsageError."""
    refuse_files(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as refused:
        raise StateUnusable(
            f"the folder {directory} cannot be made: {refused.strerror}", safe="nothing was imported", remedy=_MEND
        ) from refused
    try:
        _take(directory, folder)
        yield
    finally:
        os.close(folder)


def _take(directory: Path, folder: int) -> None:
    """The kernel drops the lock with the process, so nothing is ever left behind."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StateLocked(
            f"another import into {directory} is running", safe="nothing was imported", remedy="wait for it"
        ) from None


def write_rows(path: Path, rows: Rows) -> None:
    """Sorted rows as Parquet. Raises StateUnusable with the old file, if any, as it was."""
    import pyarrow as pa

    beside = path.with_name(f".{path.name}.tmp")
    try:
        _make_folder(path.parent)
        _write(beside, rows)
        beside.replace(path)
        _sync_folder(path.parent)
    except (OSError, pa.ArrowException) as refused:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        why = refused.strerror if isinstance(refused, OSError) and refused.strerror else refused
        raise StateUnusable(f"{path} cannot be written: {why}", safe="it is as it was", remedy=_MEND) from refused


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir()
        _sync_folder(folder.parent)


def _write(path: Path, rows: Rows) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    moments = pa.array(rows.ts).cast(pa.timestamp("ms", tz="UTC"))
    table = pa.table([moments, *map(pa.array, rows.values())], names=list(COLUMNS))
    with path.open("wb") as file:
        pq.write_table(table, file, compression="zstd", row_group_size=max(len(rows), 1))
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
