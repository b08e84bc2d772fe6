"""Questions to a state on disk that is not being run: which one is the newest, and what a cycle recorded."""

from pathlib import Path

from trader_core.domain.codec import from_json
from trader_core.domain.errors import StateUnusable
from trader_core.domain.facts import FACTS, Fact
from trader_core.store.sqlite import SqliteStore

SUFFIX = ".db"


def newest_state(directory: Path, modes: tuple[str, ...]) -> Path:
    """The state file in the directory that was written last. Raises StateUnusable where there is none."""
    found = [directory / f"{mode.lower()}{SUFFIX}" for mode in modes]
    written = [(_written_ns(path), path) for path in found if path.exists()]
    if not written:
        raise StateUnusable(
            f"there is no state in {directory}",
            safe="nothing was read or changed",
            remedy="trader run --mode PAPER --venue simulated, or name the place with --state DIR",
        )
    return max(written)[1]


def _written_ns(path: Path) -> int:
    """SQLite writes to the log beside the file first."""
    log = path.with_name(path.name + "-wal")
    return max(one.stat().st_mtime_ns for one in (path, log) if one.exists())


def last_decision_ms(store: SqliteStore) -> int:
    """Decision time of the newest closed cycle, -1 where there is none."""
    ((newest,),) = store.query("SELECT max(decision_ms) FROM cycles")
    return newest if isinstance(newest, int) else -1


def cycle_facts(store: SqliteStore, cycle_id: int) -> tuple[Fact, ...]:
    """What one cycle recorded, in order. Raises StateUnusable where there is no such cycle."""
    rows = store.query("SELECT kind, body FROM journal WHERE cycle_id = ? ORDER BY seq", cycle_id)
    if not rows:
        ((last,),) = store.query("SELECT max(cycle_id) FROM cycles")
        raise StateUnusable(
            f"there is no cycle {cycle_id}; the newest is {last or 'none'}", remedy="trader why --cycle ID"
        )
    return tuple(from_json(FACTS[str(kind)], str(body)) for kind, body in rows)
