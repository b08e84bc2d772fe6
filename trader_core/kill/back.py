"""The way back after a kill: what of the latch stands, and how it is lifted once the journal says that a person wants
it so. Whatever comes in between leaves it standing, and a kill that comes while it is lifted stands as well."""

from dataclasses import dataclass
from pathlib import Path

from trader_core.domain.errors import GateClosed, StateUnusable
from trader_core.kill.latch import Seen, read_file, remove_file
from trader_core.ops.halts import KILL_FILE
from trader_core.store.latch import Latched, databases, lift_rows, read_row, write_row

PATIENCE_S = 5.0  # a person waits for a lock
BY_HAND = "the kill file was made by hand"


@dataclass(frozen=True)
class Standing:
    """The latch as one account sees it: the directory's file, and the row in its own database."""

    file: Seen | None
    row: Latched

    def __bool__(self) -> bool:
        return self.file is not None or bool(self.row)

    @property
    def reason(self) -> str:
        return self.row.reason or (self.file.reason if self.file else "") or BY_HAND


def standing(database: Path) -> Standing:
    """Raises StateUnusable where it cannot be known."""
    row = read_row(database, PATIENCE_S) if database.is_file() else Latched(())
    return Standing(_file(database.parent), row)


def lift(database: Path, seen: Standing, reason: str) -> None:
    """Take away what was seen. The file belongs to every account of the directory: the others get a row of their own
    before it goes, so that each is given back by itself.

    Raises StateUnusable or GateClosed, and then the latch still stands.
    """
    state = database.parent
    if seen.file:
        for other in databases(state):
            if other != database and not read_row(other, PATIENCE_S):
                write_row(other, seen.reason, PATIENCE_S)
    lift_rows(database, seen.row.last, reason, PATIENCE_S)
    if seen.file and not _removed(state, seen.file):
        raise _again(state)
    if standing(database):
        raise _again(state)


def lift_without_account(state: Path, seen: Seen) -> None:
    """Where no account was ever begun there is no journal to write to, and only the file."""
    if not _removed(state, seen):
        raise _again(state)


def file_in(state: Path) -> Seen | None:
    """The file, where no account was ever begun beside it; else None."""
    return None if databases(state) else _file(state)


def _file(state: Path) -> Seen | None:
    try:
        return read_file(state)
    except OSError as unreadable:
        raise StateUnusable(f"{state / KILL_FILE} cannot be read: {unreadable.strerror}") from unreadable


def _removed(state: Path, seen: Seen) -> bool:
    try:
        return remove_file(state, seen)
    except OSError as refused:
        raise StateUnusable(
            f"{state / KILL_FILE} cannot be removed: {refused.strerror}",
            safe="it still stands, so nothing trades", remedy="remove it, then trader halt reset again",
        ) from refused  # fmt: skip


def _again(state: Path) -> GateClosed:
    return GateClosed(
        f"somebody killed again while this was reset, in {state}", safe="that kill stands", remedy="trader halt show"
    )
