"""A store that forgets: for previews, replays and measurements. Same port, no disk."""

from collections.abc import Iterable

from trader_core.domain.facts import Fact


class MemoryStore:
    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self._facts = list(facts)

    def append(self, cycle_id: int, at_ms: int, facts: Iterable[Fact]) -> None:
        self._facts += facts

    def facts(self) -> Iterable[Fact]:
        return tuple(self._facts)

    def close(self) -> None:
        self._facts = []
