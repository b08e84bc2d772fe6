"""Questions to a state on disk that is not being run."""

from trader_core.domain.codec import from_json
from trader_core.domain.errors import StateUnusable
from trader_core.domain.facts import FACTS, Fact
from trader_core.store.sqlite import SqliteStore


def cycle_facts(store: SqliteStore, cycle_id: int) -> tuple[Fact, ...]:
    """What one cycle recorded, in order. Raises StateUnusable where there is no such cycle."""
    rows = store.query("SELECT kind, body FROM journal WHERE cycle_id = ? ORDER BY seq", cycle_id)
    if not rows:
        ((last,),) = store.query("SELECT max(cycle_id) FROM cycles")
        raise StateUnusable(
            f"there is no cycle {cycle_id}; the newest is {last or 'none'}", remedy="trader why --cycle ID"
        )
    return tuple(from_json(FACTS[str(kind)], str(body)) for kind, body in rows)
