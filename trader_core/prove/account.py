"""The account of a proof: begun by it, kept beside itself from time to time, and set back where a kill cut a cycle.

A cycle that was cut after its decision comes again without deciding its entries once more. That is right for a person's
account and wrong for a comparison, so here the account goes back to where it was last kept and lives that part again.
"""

import shutil
import tempfile
from pathlib import Path

from trader_core.domain.errors import StateUnusable, UsageError
from trader_core.ops.lock import alone
from trader_core.store.files import StateFiles

MARK = "parity.txt"  # stands in a directory that a proof may write to and throw away
_MARK_TEXT = "An account of trader parity. It may be deleted when nobody looks at it any more.\n"
_KEPT = "kept-"
_PART = ".part"
_CUT = (
    "SELECT count(*) FROM journal WHERE kind = 'marked'"
    " AND seq > (SELECT coalesce(max(seq), 0) FROM journal WHERE kind = 'cycle_closed')"
)


def claim(files: StateFiles) -> None:
    """Make the directory ours, and what is in it sound. Raises StateUnusable where it holds somebody's account."""
    files.make_directory()
    mark = files.directory / MARK
    if not mark.exists():
        if any(files.directory.iterdir()):
            raise StateUnusable(
                f"{files.directory} was not made by trader parity",
                safe="nothing was read or changed", remedy="name a new directory with --state DIR",
            )  # fmt: skip
        mark.write_text(_MARK_TEXT, encoding="utf-8")
    with alone(files.lock, files.turn):
        if not files.begun or is_cut(files):
            set_back(files)


def is_cut(files: StateFiles) -> bool:
    """Whether the newest cycle was decided and never closed."""
    with files.reading() as store:
        ((decided,),) = store.query(_CUT)
    return bool(decided)


def keep(files: StateFiles, cycles: int) -> None:
    """Copy the closed account. Only the newest copy stays, and it counts when it is whole."""
    older, part = _copies(files), files.directory / f"{_KEPT}{cycles}{_PART}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    for one in (files.state, files.venue):
        shutil.copy2(one, part / one.name)
    part.rename(files.directory / f"{_KEPT}{cycles}")
    for copy in older:
        shutil.rmtree(copy)


def set_back(files: StateFiles) -> None:
    """To the newest copy, or to the beginning. The state comes last: without it, this is done again."""
    for one in (files.state, files.venue):
        for path in files.directory.glob(f"{one.name}*"):
            path.unlink()
    for copy in _copies(files)[-1:]:
        shutil.copy2(copy / files.venue.name, files.venue)
        part = files.directory / f"state{_PART}"
        shutil.copy2(copy / files.state.name, part)
        part.rename(files.state)


def check_beginning(files: StateFiles, since_ms: int | None) -> None:
    """An account goes on where it stopped; it cannot begin elsewhere. Raises UsageError."""
    first_ms, _ = files.decided_ms()
    if first_ms >= 0 and since_ms is not None and since_ms > first_ms:
        raise UsageError(
            f"the account in {files.directory} began before --from",
            safe="nothing was changed", remedy="leave --from as it was, or name another --state DIR",
        )  # fmt: skip


def temporary() -> Path:
    """A directory for an account that nobody wants to keep."""
    return Path(tempfile.mkdtemp(prefix="trader-parity-"))


def remove(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)


def _copies(files: StateFiles) -> list[Path]:
    """Whole copies, oldest first."""
    found = [one for one in files.directory.glob(f"{_KEPT}*") if one.suffix != _PART]
    return sorted(found, key=lambda one: int(one.name.removeprefix(_KEPT)))
