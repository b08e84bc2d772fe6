"""Which files a mode's state is made of, and whether they belong together."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from trader_core.domain.errors import StateUnusable, UsageError
from trader_core.store.latch import databases, latched_in
from trader_core.store.sqlite import SqliteStore, aside_of, check_not_lost, is_blank, make_directory, upgrade

SHELVES_MAX = 100_000
CANDLES = "candles"  # in the state directory: what was fetched from venues
_NEW = "restore it, or start a new account with --state DIR"


@dataclass(frozen=True)
class StateFiles:
    """One mode's places in a state directory."""

    directory: Path
    mode: str

    @property
    def state(self) -> Path:
        return self.directory / f"{self.mode.lower()}.db"

    @property
    def venue(self) -> Path:
        """The simulated venue's own books."""
        return self.directory / f"{self.mode.lower()}.venue.db"

    @property
    def lock(self) -> Path:
        """Whose it is: one process runs cycles, or sells, or replaces the state."""
        return self.directory / f"{self.mode.lower()}.lock"

    @property
    def turn(self) -> Path:
        """The lock of who writes into the journal; a loop that waits lends it to a person."""
        return self.directory / f"{self.mode.lower()}.turn.lock"

    @property
    def moving(self) -> Path:
        """The lock of who moves old rows out of the state: beside one who trades, never beside one who replaces it."""
        return self.directory / f"{self.mode.lower()}.moving.lock"

    @property
    def changing(self) -> Path:
        """The lock of who changes the policy: beside one who trades, never beside one who replaces it."""
        return self.directory / f"{self.mode.lower()}.changing.lock"

    @property
    def begun(self) -> bool:
        """Whether there is a state: a first start that was cut short leaves a file without a table, or none."""
        return self.state.exists() and not is_blank(self.state)

    def bring_up_to_date(self) -> None:
        """Give a state of an older schema the tables that it lacks. Raises StateUnusable where that cannot be."""
        if self.begun:
            upgrade(self.state)

    def make_directory(self) -> None:
        """Raises StateUnusable where there can be none."""
        make_directory(self.directory)

    @contextmanager
    def reading(self) -> Iterator[SqliteStore]:
        """The state, for reading only."""
        store = SqliteStore(self.state, None)
        try:
            yield store
        finally:
            store.close()

    def latched(self) -> str | None:
        """Why the row of a kill stops it, whether or not a cycle has seen it; None where none does."""
        if not self.begun:
            return None
        with self.reading() as store:
            return latched_in(store.query)

    def decided_ms(self) -> tuple[int, int]:
        """Times of the first and the newest closed cycle; (-1, -1) where there is none, or no state yet."""
        if not self.begun:
            return -1, -1
        with self.reading() as store:
            ((first, newest),) = store.query("SELECT min(decision_ms), max(decision_ms) FROM cycles")
        return (first, newest) if isinstance(first, int) and isinstance(newest, int) else (-1, -1)

    def archive(self) -> Path:
        """Move everything of this mode into a folder of its own under archive/, and return that. Nothing is lost."""
        shelf = self.directory / "archive"
        place = next(one for n in range(1, SHELVES_MAX) if not (one := shelf / f"{self.mode.lower()}-{n}").exists())
        place.mkdir(parents=True, mode=0o700)
        for one in sorted(self.directory.glob(f"{self.mode.lower()}.*"), key=lambda found: found == self.state):
            if one not in (self.lock, self.turn, self.moving, self.changing):
                one.rename(place / one.name)
        return place

    def aside(self) -> "StateFiles":
        """An empty place in the same directory, for an account that is made ready there and then moved here."""
        return StateFiles(Path(mkdtemp(prefix=aside_of(self.state), dir=self.directory)), self.mode)

    def cut_short(self) -> list[Path]:
        """Such places that somebody has left, the oldest first."""
        return sorted(self.directory.glob(f"{aside_of(self.state)}*"), key=lambda one: one.stat().st_mtime_ns)

    def check_venue(self) -> None:
        """An account and its simulated venue belong together: one without the other is not a new start."""
        self._check_not_alone()
        if self.decided_ms()[1] >= 0 and not self.venue.exists():
            raise StateUnusable(f"{self.venue} is missing, but {self.state.name} belongs to it", remedy=_NEW)

    def check_not_lost(self) -> None:
        """Raises StateUnusable where what is beside it says that there was a state, and there is none."""
        self._check_not_alone()
        check_not_lost(self.state)

    def _check_not_alone(self) -> None:
        if self.venue.exists() and not self.begun:
            raise StateUnusable(f"{self.state} is missing, but {self.venue.name} belongs to it", remedy=_NEW)


def begun_in(directory: Path) -> list[str]:
    """The modes that have an account in the directory."""
    modes = [path.stem.upper() for path in databases(directory)]
    return [mode for mode in modes if StateFiles(directory, mode).begun]


def newest(directory: Path, modes: tuple[str, ...]) -> StateFiles:
    """The state in the directory that was written last. Raises StateUnusable where there is none, or it was lost."""
    found = [files for mode in modes if (files := StateFiles(directory, mode)).begun]
    if not found:
        for mode in modes:
            StateFiles(directory, mode).check_not_lost()
        if others := begun_in(directory):
            raise StateUnusable(
                f"there is no {' or '.join(modes)} account in {directory}, but one of {' and '.join(others)}",
                safe="nothing was read or changed",
                remedy=f"--mode {others[-1]}",
            )
        raise StateUnusable(
            f"there is no state in {directory}",
            safe="nothing was read or changed",
            remedy="trader run --mode PAPER --venue simulated, or name the place with --state DIR",
        )
    return max(found, key=_written_ns)


def only(directory: Path, modes: tuple[str, ...]) -> StateFiles:
    """The one state in the directory, for what must not be done to another. Raises StateUnusable as `newest` does, and
    UsageError where there are several and nobody says which."""
    files = newest(directory, modes)
    begun = [mode for mode in modes if StateFiles(directory, mode).begun]
    if len(begun) > 1:
        told = f"{directory} holds the accounts of {' and '.join(begun)}"
        raise UsageError(told, safe="nothing was changed", remedy=f"say which one: --mode {begun[-1]}")
    return files


def _written_ns(files: StateFiles) -> int:
    """SQLite writes to the log beside the file first, which is gone when nobody has it open."""
    written = files.state.stat().st_mtime_ns
    with suppress(FileNotFoundError):
        written = max(written, files.state.with_name(files.state.name + "-wal").stat().st_mtime_ns)
    return written
